#pragma once
#include <optional>
#include <vector>

#include "core/tensor.h"

namespace dt::ops {

using Tensors = std::vector<Tensor>;
using GivenGradients = std::optional<Tensors>;

// One step of all parameters in one kernel call. The tensors are changed in place; nothing is recorded.
// Without `gradients` those of the parameters are taken; 0, with nothing changed, where one has none, else 1.
// Gradients are multiplied by `grad_scale` and then clipped to [-max_value, max_value].
// `watch`: FloatError where a gradient is infinite or NaN. Nothing is changed then if one of the small
// gradients is, biases say, which nearly always tell; else the step counts the values as zero and returns 2.
int sgd_step(const Tensors& parameters, const GivenGradients& gradients, const Tensors& buffers, int64_t step,
             double lr, double momentum, double dampening, double weight_decay, bool nesterov, bool maximize,
             double grad_scale, double max_value, bool watch);
int adam_step(const Tensors& parameters, const GivenGradients& gradients, const Tensors& exp_avg,
              const Tensors& exp_avg_sq, const Tensors& max_exp_avg_sq, int64_t step, double lr, double beta1,
              double beta2, double eps, double weight_decay, bool decoupled, bool maximize, double grad_scale,
              double max_value, bool watch);
int adagrad_step(const Tensors& parameters, const GivenGradients& gradients, const Tensors& sum, int64_t step,
                 double lr, double lr_decay, double weight_decay, double eps, bool maximize,
                 double grad_scale, double max_value, bool watch);
int adadelta_step(const Tensors& parameters, const GivenGradients& gradients, const Tensors& square_avg,
                  const Tensors& acc_delta, int64_t step, double lr, double rho, double eps,
                  double weight_decay, bool maximize, double grad_scale, double max_value, bool watch);
int rmsprop_step(const Tensors& parameters, const GivenGradients& gradients, const Tensors& square_avg,
                 const Tensors& momentum_buffer, const Tensors& grad_avg, int64_t step, double lr,
                 double alpha, double eps, double weight_decay, double momentum, bool maximize,
                 double grad_scale, double max_value, bool watch);
int adamax_step(const Tensors& parameters, const GivenGradients& gradients, const Tensors& exp_avg,
                const Tensors& exp_inf, int64_t step, double lr, double beta1, double beta2, double eps,
                double weight_decay, bool maximize, double grad_scale, double max_value, bool watch);
int nadam_step(const Tensors& parameters, const GivenGradients& gradients, const Tensors& exp_avg,
               const Tensors& exp_avg_sq, const Tensors& mu_product, int64_t step, double lr, double beta1,
               double beta2, double eps, double weight_decay, double momentum_decay, bool decoupled,
               bool maximize, double grad_scale, double max_value, bool watch);
int radam_step(const Tensors& parameters, const GivenGradients& gradients, const Tensors& exp_avg,
               const Tensors& exp_avg_sq, int64_t step, double lr, double beta1, double beta2, double eps,
               double weight_decay, bool decoupled, bool maximize, double grad_scale, double max_value,
               bool watch);
int rprop_step(const Tensors& parameters, const GivenGradients& gradients, const Tensors& prev,
               const Tensors& step_size, int64_t step, double eta_minus, double eta_plus,
               double step_size_min, double step_size_max, bool maximize, double grad_scale, double max_value,
               bool watch);
int lion_step(const Tensors& parameters, const GivenGradients& gradients, const Tensors& exp_avg,
              int64_t step, double lr, double beta1, double beta2, double weight_decay, bool maximize,
              double grad_scale, double max_value, bool watch);
// Parameters with two axes or more have one tensor each in row_var and col_var, the others in variance.
int adafactor_step(const Tensors& parameters, const GivenGradients& gradients, const Tensors& row_var,
                   const Tensors& col_var, const Tensors& variance, int64_t step, double lr,
                   double beta2_decay, std::optional<double> eps1, double eps2, double d, double weight_decay,
                   bool maximize, double grad_scale, double max_value, bool watch);
// The Euclidean norm of the parameters' gradients, taken together; those without gradient are passed over.
double grad_norm(const Tensors& parameters);
// Neither infinity nor NaN in the tensors, or in the gradients of those parameters that have one.
bool all_finite(const Tensors& tensors);
bool finite_gradients(const Tensors& parameters);
Tensors clones(const Tensors& tensors);
// Writes copies back into what they are copies of, but for what cannot be written: read-only, or expanded.
void restore(const Tensors& tensors, const Tensors& copies);
void clear_gradients(const Tensors& parameters);
// Scales the gradients of `parameters` so that their common norm is at most max_norm; returns the norm
// before.
Tensor clip_grad_norm(const Tensors& parameters, double max_norm, double norm_type, bool error_if_nonfinite);

// Cuts the gradients to [-max_value, max_value], in place; NaN stays.
void clip_grad_value(const Tensors& parameters, double max_value);
// Moves the averages in place by `weight` of the way to the tensors: all floating-point ones in one kernel
// call. Others are copied.
void average(const Tensors& averages, const Tensors& tensors, double weight);

} // namespace dt::ops
