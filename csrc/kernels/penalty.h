#pragma once
#include <cstdint>

namespace dt {

// One parameter of a penalty. All of one call have the same dtype.
struct PenaltyTensor {
    int64_t size = 0;
    void* weight = nullptr;
    void* gradient = nullptr; // gradient() writes it
};

// [0] works on float32, [1] on float64. Work is cut into fixed blocks of the tensors laid end to end.
struct Penalty {
    int64_t (*scratch)(int64_t count, const PenaltyTensor* tensors); // doubles that value() needs
    // l1 times the sum of the magnitudes plus l2 times the sum of the squares, in double.
    double (*value[2])(int64_t count, const PenaltyTensor* tensors, double l1, double l2, double* scratch);
    // gradient = l1 sign(weight) + 2 l2 weight; l1's share is 0 at 0.
    void (*gradient[2])(int64_t count, const PenaltyTensor* tensors, double l1, double l2);
    // weight = keep weight, moved by `threshold` towards 0 and no further. NaN stays.
    void (*shrink[2])(int64_t count, const PenaltyTensor* tensors, double keep, double threshold);
};

} // namespace dt
