#pragma once
#include <string>

#include "ops/checks.h"

namespace dt::ops {

Tensor mse_loss(const Tensor& input, const Tensor& target, const std::string& reduction,
                const Optional& sample_weight);
Tensor l1_loss(const Tensor& input, const Tensor& target, const std::string& reduction,
               const Optional& sample_weight);
Tensor huber_loss(const Tensor& input, const Tensor& target, const std::string& reduction, double delta,
                  const Optional& sample_weight);
Tensor smooth_l1_loss(const Tensor& input, const Tensor& target, const std::string& reduction, double beta,
                      const Optional& sample_weight);
Tensor binary_cross_entropy(const Tensor& input, const Tensor& target, const std::string& reduction,
                            const Optional& sample_weight);
Tensor binary_cross_entropy_with_logits(const Tensor& input, const Tensor& target,
                                        const std::string& reduction, const Optional& pos_weight,
                                        const Optional& sample_weight);
Tensor hinge_loss(const Tensor& input, const Tensor& target, double margin, const std::string& reduction,
                  const Optional& sample_weight);
Tensor kl_div(const Tensor& input, const Tensor& target, const std::string& reduction, bool log_target,
              const Optional& sample_weight);

// What cosine_embedding_loss makes of the cosines of its pairs.
Tensor cosine_margin_loss(const char* op, const Tensor& cosine, const Tensor& target, double margin,
                          const std::string& reduction, const Optional& sample_weight);

} // namespace dt::ops
