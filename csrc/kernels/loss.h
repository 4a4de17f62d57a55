#pragma once
#include <cstdint>

#include "kernels/precision.h"

namespace dt {

enum class LossKind : uint8_t {
    mse,               // (x - t)^2
    l1,                // |x - t|
    huber,             // (x - t)^2 / 2 up to parameter, then parameter (|x - t| - parameter / 2)
    smooth_l1,         // huber / parameter; l1 where parameter is 0
    bce,               // -(t log x + (1 - t) log(1 - x)), each logarithm at least -100
    bce_with_logits,   // the same of sigmoid(x), with t weighted by positive_weight
    hinge,             // max(0, parameter - x t), t is -1 or 1
    kl_div,            // t (log t - x), 0 where t is 0
    kl_div_log_target, // exp(t) (t - x)
    cosine_margin      // of a cosine: 1 - x where t is 1, max(0, x - parameter) where t is -1, else 0
};

// One loss per element, weighted by sample_weight[i / weight_repeat].
struct LossArgs {
    LossKind kind = LossKind::mse;
    int64_t n = 0;
    const void* input = nullptr;
    const void* target = nullptr;
    // Computing in float32, each may lie in memory in a half format, and its gradient with it.
    DType input_dtype = DType::float32, target_dtype = DType::float32;
    double parameter = 1;
    const void* positive_weight =
        nullptr; // bce_with_logits: positive_weight[i % positive_weight_size], or none
    int64_t positive_weight_size = 1;
    const void* sample_weight = nullptr; // or none
    int64_t weight_repeat = 1;
    // forward writes losses (n weighted values), or total (their sum, divided by divisor where that is
    // given).
    void* losses = nullptr;
    void* total = nullptr;
    const void* divisor = nullptr;
    double* scratch = nullptr; // loss_scratch(n) values, with total
    // backward: the loss's derivative * output_grad[i * output_grad_stride] * sample weight / divisor
    const void* output_grad = nullptr;
    int64_t output_grad_stride = 0; // 0: one value for all
    void* input_grad = nullptr;     // each gradient only where asked for
    void* target_grad = nullptr;
};

// total = sum(weight * value) / divisor
struct WeightedSumArgs {
    int64_t n = 0;
    const void* values = nullptr;        // or none: each 1
    const void* weights = nullptr;       // or none
    const void* other_weights = nullptr; // or none
    const void* divisor = nullptr;       // one value, or none
    void* total = nullptr;
    double factor = 1;         // multiplies total
    double* scratch = nullptr; // loss_scratch(n) values
};

// Multi-class hinge of rows of scores: the sum over all classes c but the label y of
// max(0, margin - x[y] + x[c])^power, times class_weight[y] / classes. Labels lie in [0, classes).
struct MultiMarginArgs {
    int64_t rows = 0, classes = 0;
    const void* input = nullptr;
    const int64_t* labels = nullptr;
    int power = 1; // 1 or 2
    double margin = 1;
    const void* class_weight = nullptr; // classes values, or none
    void* losses = nullptr;             // forward: rows
    // backward: input_grad[r] = row_grad[r * row_grad_stride] * sample_weight[r] / divisor * the derivative
    const void* row_grad = nullptr;
    int64_t row_grad_stride = 0;         // 0: one value for all rows
    const void* sample_weight = nullptr; // rows, or none
    const void* divisor = nullptr;       // one value, or none
    void* input_grad = nullptr;
};

// [0] works on float32, [1] on float64. Sums run over fixed blocks in double. Inputs of a half format, and
// their gradients, go with float32 beside them.
struct Loss {
    int64_t (*scratch)(int64_t n);
    void (*forward[2])(const LossArgs& args);
    void (*backward[2])(const LossArgs& args);
    void (*weighted_sum[2])(const WeightedSumArgs& args);
    void (*multi_margin_forward[kPrecisions])(const MultiMarginArgs& args);
    void (*multi_margin_backward[kPrecisions])(const MultiMarginArgs& args);
};

} // namespace dt
