#pragma once
#include "core/dtype.h"
#include "kernels/loop.h"

namespace dt {

// Semantics are NumPy's. Integers wrap around; an integer divided by zero is 0. float16 and bfloat16 are
// computed in float32 and rounded once.
enum class UnaryOp : uint8_t {
    // every dtype but bool
    negative,
    absolute,
    square,
    sign,
    // bool (logical not) and integers
    invert,
    // floats
    reciprocal,
    sqrt,
    rsqrt,
    exp,
    exp2,
    expm1,
    log,
    log1p,
    log2,
    log10,
    sin,
    cos,
    tan,
    asin,
    acos,
    atan,
    sinh,
    cosh,
    tanh,
    asinh,
    acosh,
    atanh,
    erf,
    floor,
    ceil,
    round, // half to even
    trunc,
    sigmoid,
    log_sigmoid,
    relu,
    leaky_relu, // slope
    elu,        // alpha
    selu,
    gelu,
    gelu_tanh,
    silu,
    softplus, // beta, threshold: the identity where beta * x > threshold
    mish,
    relu6,
    hardswish,
    hardsigmoid,
    hardtanh, // min, max
    softsign,
    power, // exponent
    clip,  // min, max; NaN stays
    count,
};

enum class BinaryOp : uint8_t {
    // every dtype but bool
    add,
    subtract,
    multiply,
    floor_divide, // rounds down; the remainder takes the divisor's sign
    remainder,
    power,   // a negative exponent of an integer base gives 0 unless the base is 1 or -1
    maximum, // NaN if either is NaN
    minimum,
    // bool and integers
    bitwise_and,
    bitwise_or,
    bitwise_xor,
    left_shift,
    right_shift,
    // floats
    divide,
    atan2,
    hypot,
    logaddexp,
    fmod,              // the remainder takes the dividend's sign
    prelu,             // x, weight
    prelu_weight_grad, // g, x: the gradient by the weight, before the sum
    // Gradients of the unary ops of the same name: (g, y) where the output is enough, (g, x) elsewhere.
    // Parameters as there.
    sqrt_grad,        // g, y
    rsqrt_grad,       // g, y
    reciprocal_grad,  // g, y
    tanh_grad,        // g, y
    sigmoid_grad,     // g, y
    absolute_grad,    // g, x
    square_grad,      // g, x
    erf_grad,         // g, x
    log_sigmoid_grad, // g, x
    relu_grad,        // g, y
    leaky_relu_grad,  // g, x
    elu_grad,         // g, x
    selu_grad,        // g, x
    gelu_grad,        // g, x
    gelu_tanh_grad,   // g, x
    silu_grad,        // g, x
    softplus_grad,    // g, x
    mish_grad,        // g, x
    relu6_grad,       // g, x
    hardswish_grad,   // g, x
    hardsigmoid_grad, // g, x
    hardtanh_grad,    // g, x: 0 at and beyond the limits
    softsign_grad,    // g, x
    clip_grad,        // g, x: 1 on the limits
    power_grad,       // g, x: exponent
    count,
};

enum class TernaryOp : uint8_t {
    prelu_grad,   // g, x, weight: the gradient by x
    maximum_grad, // g, a, b: the gradient by a; half where both are equal
    minimum_grad,
    count,
};

enum class CompareOp : uint8_t {
    equal,
    not_equal,
    less,
    less_equal,
    greater,
    greater_equal,
    // of what is not zero
    logical_and,
    logical_or,
    logical_xor,
    count,
};
enum class PredicateOp : uint8_t { is_nan, is_finite, is_inf, logical_not, count };

struct Elementwise {
    // out, x; one dtype. `params` holds what the op's comment lists, or is null.
    void (*unary)(UnaryOp op, DType dtype, const Loop& loop, const double* params);
    // out, a, b; one dtype
    void (*binary)(BinaryOp op, DType dtype, const Loop& loop, const double* params);
    // out, a, b, c; one floating dtype
    void (*ternary)(TernaryOp op, DType dtype, const Loop& loop, const double* params);
    // bool out; a, b of `dtype`
    void (*compare)(CompareOp op, DType dtype, const Loop& loop);
    // bool out; x of `dtype`
    void (*predicate)(PredicateOp op, DType dtype, const Loop& loop);
    // out; bool condition, a, b; out, a and b of `dtype`
    void (*where)(DType dtype, const Loop& loop);
    // out of `to`; x of `from`. A plain copy where they are equal. Floats become integers by truncation, NaN
    // becomes 0, what lies out of range becomes the nearest limit; anything but zero becomes true.
    void (*convert)(DType from, DType to, const Loop& loop);
    // out: `real` for floats, `integer` for integers and bool
    void (*fill)(DType dtype, const Loop& loop, double real, int64_t integer);
    // out (contiguous, n values of `dtype`): start + i * step, computed in float64 or int64
    void (*arange)(DType dtype, int64_t n, void* out, double start, double step, int64_t integer_start,
                   int64_t integer_step);
};

} // namespace dt
