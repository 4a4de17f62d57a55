#pragma once
#include <cstdint>

namespace dt {

// What a step does with a gradient, and what it keeps for every parameter: first, second, third.
enum class OptimRule : uint8_t {
    sgd,      // momentum buffer, or none
    adam,     // mean of the gradients, of their squares, and with AMSGrad the largest of the latter so far
    adagrad,  // sum of the squares
    adadelta, // mean of the squared gradients, of the squared changes
    rmsprop,  // mean of the squares, momentum buffer or none, mean of the gradients where it is centred
    adamax,   // mean of the gradients, decaying largest absolute gradient
    nadam,    // as adam
    radam,    // as adam
    rprop,    // last gradients, sizes of the steps
    lion,     // mean of the gradients
    count,
};

// One parameter of a multi-tensor call. All of one call have the same dtype.
struct OptimTensor {
    int64_t size = 0;
    void* parameter = nullptr;
    void* gradient = nullptr; // only scale() writes it
    void* first = nullptr;    // see OptimRule
    void* second = nullptr;
    void* third = nullptr;
    bool fresh = false;          // SGD: the momentum buffer holds nothing yet
    int64_t step = 1;            // this step's number, from 1
    double momentum_product = 1; // NAdam: of the momenta of all steps, this one included
};

struct StepArgs {
    int64_t count = 0;
    const OptimTensor* tensors = nullptr;
    double learning_rate = 0.001, weight_decay = 0, gradient_scale = 1;
    double largest = __builtin_inf();   // gradients are clipped to [-largest, largest] after the scale
    double momentum = 0, dampening = 0; // SGD, RMSprop; momentum: NAdam's of this step
    double next_momentum = 0;           // NAdam: of the step after this one
    double beta1 = 0.9, beta2 = 0.999;  // Adam and its kin, Lion; beta2: RMSprop, Adadelta
    double epsilon = 1e-8;
    double decay = 0;                // Adagrad: of the learning rate
    double shrink = 0.5, grow = 1.2; // Rprop: factors of the sizes of the steps
    double least_step = 1e-6, most_step = 50;
    bool decoupled = false; // weight decay shrinks the parameters; else it is added to the gradients
    bool nesterov = false, maximize = false;
    bool* nonfinite = nullptr; // see below
};

// One parameter of a step of Adafactor: `matrices` of rows x columns, or a vector, which has `square` alone.
struct FactoredTensor {
    int64_t matrices = 1, rows = 1, columns = 1;
    void* parameter = nullptr;
    const void* gradient = nullptr;
    void* row_mean = nullptr;    // (matrices, rows): mean over the columns of the mean squared gradients
    void* column_mean = nullptr; // (matrices, columns)
    void* square = nullptr;      // (columns): mean of the squared gradients
};

struct AdafactorArgs {
    int64_t count = 0;
    const FactoredTensor* tensors = nullptr;
    double weight_left = 1;           // what decoupled weight decay leaves of a parameter
    double share = 1;                 // of this step's squares in their means
    double rate = 0.01;               // of a parameter whose root mean square is 1
    double least_size = 1e-3;         // that root mean square counts for at least that
    double epsilon = 1e-7;            // least root of a mean square
    double threshold = 1;             // largest root mean square of an update
    double gradient_scale = 1;        // negative where the step climbs
    double largest = __builtin_inf(); // as in StepArgs
    bool* nonfinite = nullptr;        // as in StepArgs
};

enum class GradNorm : uint8_t { one, two, infinity };

// Where a step is given `nonfinite`, gradients that are infinite or NaN count as zero, and it becomes true if
// there are any. [0] works on float32, [1] on float64. Work is cut into fixed blocks of the tensors laid end
// to end.
struct Optim {
    void (*step[int(OptimRule::count)][2])(const StepArgs& args);
    void (*adafactor[2])(const AdafactorArgs& args);
    int64_t (*norm_scratch)(int64_t count, const OptimTensor* tensors);
    // Sum of |gradient|, sum of squares or largest |gradient| (NaN where any is) over all tensors, in double.
    double (*norm[2])(GradNorm kind, int64_t count, const OptimTensor* tensors, double* scratch);
    void (*scale[2])(int64_t count, const OptimTensor* tensors, double factor);
    void (*clip[2])(int64_t count, const OptimTensor* tensors, double largest); // NaN stays
    // parameter += weight * (first - parameter), exactly `first` where the weight is 1.
    void (*average[2])(int64_t count, const OptimTensor* tensors, double weight);
    bool (*finite[2])(int64_t n, const void* values); // no infinity and no NaN among them
};

} // namespace dt
