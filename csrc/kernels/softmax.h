#pragma once
#include <cstdint>

#include "kernels/precision.h"

namespace dt {

// Softmax over the middle of (outer, axis, inner).
struct SoftmaxArgs {
    int64_t outer = 0, axis = 0, inner = 1;
    bool logarithm = false; // log_softmax
    const void* input = nullptr;
    void* output = nullptr;
};

struct SoftmaxGradArgs {
    int64_t outer = 0, axis = 0, inner = 1;
    bool logarithm = false;
    const void* output = nullptr; // what the forward wrote
    const void* output_grad = nullptr;
    void* input_grad = nullptr;
};

// Cross entropy of rows of logits (or, for nll, of log-probabilities) with one label per row or one
// probability per class. The labels lie in [0, classes) or equal ignore_index: the caller has checked.
//   labels:        (1 - s) w[y] nll[y] + s / classes * sum_c w[c] nll[c], row weight w[y]; both 0 for an
//   ignored row probabilities: sum_c w[c] ((1 - s) t[c] + s / classes) nll[c], row weight 1
struct CrossEntropyArgs {
    int64_t rows = 0, classes = 0;
    const void* logits = nullptr;
    bool log_probabilities = false; // logits are normalised already
    const int64_t* labels = nullptr;
    const void* probabilities = nullptr; // instead of labels
    const void* class_weight = nullptr;  // classes values, or none
    double label_smoothing = 0;
    int64_t ignore_index = -100;
    void* row_weights = nullptr; // rows, written by weights
    // forward
    void* losses = nullptr; // rows
    // rows of the largest logit and the log of sum exp(logit - largest), two numbers because their sum would
    // round a large logit's share away; written by forward, read by backward; none for log_probabilities
    void* normalisers = nullptr;
    // backward, and forward where logits_grad is given, while a row is in the cache: logits_grad[r] =
    // row_grad[r * row_grad_stride] * sample_weight[r] / divisor * d losses[r] / d logits[r]
    const void* row_grad = nullptr;
    int64_t row_grad_stride = 0;         // 0: one value for all rows
    const void* sample_weight = nullptr; // rows, or none
    const void* divisor = nullptr;       // one value, or none
    void* logits_grad = nullptr;
};

// By precision. Of the half formats are inputs, outputs and logits and their gradients; all else is float32.
struct Softmax {
    void (*forward[kPrecisions])(const SoftmaxArgs& args);
    void (*backward[kPrecisions])(const SoftmaxGradArgs& args);
    void (*cross_entropy_weights[2])(const CrossEntropyArgs& args);
    void (*cross_entropy_forward[kPrecisions])(const CrossEntropyArgs& args);
    void (*cross_entropy_backward[kPrecisions])(const CrossEntropyArgs& args);
};

} // namespace dt
