#pragma once
#include "ops/checks.h"

namespace dt::ops {

Tensor batch_norm(const Tensor& input, const Optional& running_mean, const Optional& running_var,
                  const Optional& weight, const Optional& bias, bool training, double momentum, double eps,
                  const Optional& residual, const std::optional<std::string>& activation);
Tensor instance_norm(const Tensor& input, const Optional& running_mean, const Optional& running_var,
                     const Optional& weight, const Optional& bias, bool use_input_stats, double momentum,
                     double eps);
Tensor group_norm(const Tensor& input, int64_t num_groups, const Optional& weight, const Optional& bias,
                  double eps);
Tensor layer_norm(const Tensor& input, const Dims& normalized_shape, const Optional& weight,
                  const Optional& bias, double eps);
Tensor rms_norm(const Tensor& input, const Dims& normalized_shape, const Optional& weight,
                const std::optional<double>& eps);

} // namespace dt::ops
