#pragma once
#include <cstdint>

namespace dt {

// One parameter of a multi-tensor step. All of one call have the same dtype.
struct OptimTensor {
    int64_t size = 0;
    void* parameter = nullptr;
    void* gradient = nullptr; // only scale() writes it
    void* first = nullptr;    // SGD: momentum buffer, or none; Adam: mean of the gradients
    void* second = nullptr;   // Adam: mean of their squares
    void* maximum = nullptr;  // Adam with amsgrad: largest `second` so far, or none
    bool fresh = false;       // SGD: the momentum buffer holds nothing yet
    int64_t step = 1;         // Adam: this step's number, from 1
};

struct SgdArgs {
    int64_t count = 0;
    const OptimTensor* tensors = nullptr;
    double learning_rate = 0.001, momentum = 0, dampening = 0, weight_decay = 0, gradient_scale = 1;
    bool nesterov = false, maximize = false;
    bool* nonfinite = nullptr; // see below
};

struct AdamArgs {
    int64_t count = 0;
    const OptimTensor* tensors = nullptr;
    double learning_rate = 0.001, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0,
           gradient_scale = 1;
    bool decoupled = false, maximize = false; // decoupled: AdamW's weight decay
    bool* nonfinite = nullptr;                // see below
};

enum class GradNorm : uint8_t { one, two, infinity };

// Where a step is given `nonfinite`, gradients that are infinite or NaN count as zero, and it becomes true if
// there are any. [0] works on float32, [1] on float64. Work is cut into fixed blocks of the tensors laid end
// to end.
struct Optim {
    void (*sgd[2])(const SgdArgs& args);
    void (*adam[2])(const AdamArgs& args);
    int64_t (*norm_scratch)(int64_t count, const OptimTensor* tensors);
    // Sum of |gradient|, sum of squares or largest |gradient| (NaN where any is) over all tensors, in double.
    double (*norm[2])(GradNorm kind, int64_t count, const OptimTensor* tensors, double* scratch);
    void (*scale[2])(int64_t count, const OptimTensor* tensors, double factor);
    bool (*finite[2])(int64_t n, const void* values); // no infinity and no NaN among them
};

} // namespace dt
