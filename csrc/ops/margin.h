#pragma once
#include <string>

#include "ops/checks.h"

namespace dt::ops {

Tensor multi_margin_loss(const Tensor& input, const Tensor& target, int64_t p, double margin,
                         const Optional& weight, const std::string& reduction, const Optional& sample_weight);

} // namespace dt::ops
