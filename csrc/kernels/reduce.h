#pragma once
#include "core/dims.h"
#include "core/dtype.h"

namespace dt {

enum class ReduceOp : uint8_t {
    sum,  // params: a divisor. bool and integers give int64, floats their own dtype
    prod, // dtypes as sum
    max,  // NaN if any is NaN
    min,
    any, // gives bool; NaN counts as true
    all,
    argmax, // gives int64, the first of equals, NaN before all; positions in C order over the reduced axes
    argmin,
    norm,          // floats: the root of the sum of squares
    sum_absolute,  // floats. params: a divisor
    count_nonzero, // gives int64
    variance,      // floats; params: the divisor (n - correction). Two passes, so that large means do no harm
    count,
};

// The kept axes and the reduced axes of one input. Strides count bytes.
struct Reduction {
    Dims kept, kept_in, kept_out;
    Dims reduced, reduced_in;
    const void* in = nullptr;
    void* out = nullptr;
};

enum class ScanOp : uint8_t { sum, prod };

struct Reduce {
    // Nothing to reduce gives the neutral element; callers refuse that for max, min and their positions. The
    // order of every sum depends on the shapes and strides only. Floats are summed in blocks, half formats in
    // float32.
    void (*reduce)(ReduceOp op, DType dtype, const Reduction& args, const double* params);
    // Running sum or product along one axis: `rows` x `n` x `inner`, contiguous; bool and integers give
    // int64.
    void (*scan)(ScanOp op, DType dtype, int64_t rows, int64_t n, int64_t inner, bool reverse, const void* in,
                 void* out);
};

} // namespace dt
