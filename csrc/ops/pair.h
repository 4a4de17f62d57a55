#pragma once
#include <cmath>

#include "ops/common.h"

// Two operands of an elementwise op, promoted and broadcast.
namespace dt::ops {

enum class Kinds : uint8_t {
    numbers, // integers and floats
    floats,  // integers and bool become float32
    bits,    // bool and integers
    bools,   // everything becomes bool
    any,
};

inline Operand operand(const Tensor& t) { return {t, {}}; }
inline Operand operand(double x) {
    return {{}, {DType::float64, std::abs(x) < 0x1p63 ? static_cast<int64_t>(x) : 0, x}};
}

struct Pair {
    DType dtype;
    Dims shape;
    Tensor a, b; // undefined where the operand is a number; of `dtype`
    Tensor a_given, b_given;
    alignas(8) char a_value[8], b_value[8]; // the numbers, as `dtype`

    Loop loop(const Tensor& out) const;
    Scalar a_scalar, b_scalar;
};

// The dtype two operands meet in: Array API promotion, numbers being weak.
DType promote(const char* op, const Operand& x1, const Operand& x2);
Pair make_pair(const char* op, const Operand& x1, const Operand& x2, Kinds kinds);
// A number as one value of a dtype; ValueError where an integer is out of its range.
void write_scalar(const char* op, const Scalar& s, DType dtype, void* out);
// ValueError where a finite number, the op's `argument`, is beyond a half format's range.
void check_half_range(const char* op, const char* argument, const Scalar& s, DType dtype);
Tensor scalar_tensor(const char* op, const Scalar& s, DType dtype); // of rank 0
bool broadcasts_to(const Dims& from, const Dims& to);
// A gradient of an op's result as the gradient of one of its inputs: summed over what was broadcast,
// converted.
Tensor grad_for(const Tensor& grad, const Dims& shape, DType dtype);

} // namespace dt::ops
