#pragma once
#include <vector>

#include "core/tensor.h"

namespace dt::ops {

// l1 times the sum of the magnitudes plus l2 times the sum of the squares of all parameters, of shape ().
Tensor penalty(const std::vector<Tensor>& parameters, double l1, double l2);
// In place: each parameter that has a gradient is multiplied by `keep`, then moved by `threshold` towards 0
// and no further.
void shrink(const std::vector<Tensor>& parameters, double keep, double threshold);

} // namespace dt::ops
