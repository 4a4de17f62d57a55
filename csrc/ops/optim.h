#pragma once
#include <optional>
#include <vector>

#include "core/tensor.h"

namespace dt::ops {

// One step of all parameters in one kernel call. The tensors are changed in place; nothing is recorded.
// Without `gradients` those of the parameters are taken; 0, with nothing changed, where one has none, else 1.
// `watch`: FloatError where a gradient is infinite or NaN. Nothing is changed then if one of the small
// gradients is, biases say, which nearly always tell; else the step counts the values as zero and returns 2.
int sgd_step(const std::vector<Tensor>& parameters, const std::optional<std::vector<Tensor>>& gradients,
             const std::vector<Tensor>& buffers, int64_t step, double lr, double momentum, double dampening,
             double weight_decay, bool nesterov, bool maximize, double grad_scale, bool watch);
int adam_step(const std::vector<Tensor>& parameters, const std::optional<std::vector<Tensor>>& gradients,
              const std::vector<Tensor>& exp_avg, const std::vector<Tensor>& exp_avg_sq,
              const std::vector<Tensor>& max_exp_avg_sq, int64_t step, double lr, double beta1, double beta2,
              double eps, double weight_decay, bool decoupled, bool maximize, double grad_scale, bool watch);
// The Euclidean norm of the parameters' gradients, taken together; those without gradient are passed over.
double grad_norm(const std::vector<Tensor>& parameters);
// Neither infinity nor NaN in the tensors, or in the gradients of those parameters that have one.
bool all_finite(const std::vector<Tensor>& tensors);
bool finite_gradients(const std::vector<Tensor>& parameters);
std::vector<Tensor> clones(const std::vector<Tensor>& tensors);
void clear_gradients(const std::vector<Tensor>& parameters);
// Scales the gradients of `parameters` so that their common norm is at most max_norm; returns the norm
// before.
Tensor clip_grad_norm(const std::vector<Tensor>& parameters, double max_norm, double norm_type,
                      bool error_if_nonfinite);

} // namespace dt::ops
