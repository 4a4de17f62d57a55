#pragma once
#include <string>

#include "ops/checks.h"

namespace dt::ops {

Tensor cross_entropy(const Tensor& input, const Tensor& target, const Optional& weight, int64_t ignore_index,
                     const std::string& reduction, double label_smoothing, const Optional& sample_weight);
Tensor nll_loss(const Tensor& input, const Tensor& target, const Optional& weight, int64_t ignore_index,
                const std::string& reduction, const Optional& sample_weight);

// Scores with at least one class on the last axis.
void check_class_scores(const char* op, const Tensor& input);
// Labels of the shape of `input` without its last axis, as contiguous int64 within [0, classes) or
// ignore_index.
Tensor read_labels(const char* op, const Tensor& target, const Tensor& input, const int64_t* ignore_index);

} // namespace dt::ops
