#pragma once
#include "ops/common.h"

namespace dt::ops {

Tensor softmax(const Tensor& input, int64_t axis);
Tensor log_softmax(const Tensor& input, int64_t axis);

} // namespace dt::ops
