#pragma once
#include "core/random.h"
#include "core/tensor.h"

namespace dt::ops {

Tensor dropout(const Tensor& input, double p, bool training, const Ref<Generator>& generator);

} // namespace dt::ops
