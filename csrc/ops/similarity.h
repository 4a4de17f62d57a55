#pragma once
#include <string>

#include "ops/checks.h"

namespace dt::ops {

Tensor cosine_similarity(const Tensor& x1, const Tensor& x2, int64_t axis, double eps);
Tensor cosine_embedding_loss(const Tensor& input1, const Tensor& input2, const Tensor& target, double margin,
                             const std::string& reduction, const Optional& sample_weight);

} // namespace dt::ops
