#pragma once
#include "core/tensor.h"

namespace dt::ops {

// Changes `weights` in place towards the minimum over w of w'Gw / 2 - q'w + l1 |w|_1 + l2 |w|^2 / 2, G being
// `gram` and q `target`; returns the number of sweeps made.
int64_t coordinate_descent(const Tensor& gram, const Tensor& target, const Tensor& weights, double l1,
                           double l2, double tolerance, int64_t max_sweeps, bool positive);

} // namespace dt::ops
