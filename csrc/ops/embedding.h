#pragma once
#include <optional>

#include "core/tensor.h"

namespace dt::ops {

Tensor embedding(const Tensor& input, const Tensor& weight, const std::optional<int64_t>& padding_idx);

} // namespace dt::ops
