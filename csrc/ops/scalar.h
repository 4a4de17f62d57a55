#pragma once
#include "core/tensor.h"

namespace dt {

// A Python number: weak, it takes the dtype of the tensor it meets.
struct Scalar {
    DType kind = DType::int64; // boolean, int64 or float64
    int64_t integer = 0;
    double real = 0; // set for every kind
};

// A tensor or a number.
struct Operand {
    Tensor tensor; // undefined for a number
    Scalar scalar;
    bool is_tensor() const { return tensor.defined(); }
};

} // namespace dt
