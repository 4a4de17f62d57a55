#pragma once
#include "ops/checks.h"

// What all losses share: the reduction and the sample weights.
namespace dt::ops {

enum class Reduction { none, mean, sum, batch_mean };

Reduction read_reduction(const char* op, const std::string& text, bool batch_mean_allowed = false);

// Weights of the losses: one per loss, or one for each index of their leading axes. Contiguous.
struct SampleWeight {
    Tensor tensor;      // undefined: every weight is 1
    int64_t repeat = 1; // losses that share a weight
};
SampleWeight read_sample_weight(const char* op, const Optional& weight, const Dims& loss_shape,
                                const Tensor& input);
// One weight per loss.
Tensor expand_sample_weight(const SampleWeight& weight, const Dims& loss_shape);

// sum(values * weights * other) * factor / divisor, a tensor without axes; values may be any undefined but
// one.
Tensor weighted_sum(const Tensor& values, const Tensor& weights, const Tensor& other, double factor,
                    const Tensor& divisor);

// What the mean divides the sum of the losses, one per row, by: the sum of the weights. Both may be
// undefined.
Tensor mean_divisor(const Tensor& losses, const Tensor& row_weights, const Tensor& sample_weight);
// Losses with one value per row, weighted and reduced; `divisor` is undefined for a sum.
Tensor reduce_rows(const Tensor& losses, const Tensor& sample_weight, Reduction reduction,
                   const Tensor& divisor);

} // namespace dt::ops
