#pragma once
#include <cstdint>

#include "kernels/precision.h"

namespace dt {

// Indices lie in [0, rows): the caller has asked first_outside.
struct Embedding {
    // Position of the first value outside [low, high) that is not `allowed`, or -1.
    int64_t (*first_outside)(int64_t n, const int64_t* values, int64_t low, int64_t high, int64_t allowed);
    // output[i] = table[indices[i]], rows of so many bytes
    void (*forward)(int64_t n, const int64_t* indices, int64_t bytes, const void* table, void* output);
    // table_grad[r] = sum of output_grad[i] over indices[i] = r in the order of i, 0 for padding_index (-1:
    // none). scratch: rows + 1 + n values. By precision; half formats are summed in float32.
    void (*backward[kPrecisions])(int64_t n, const int64_t* indices, int64_t rows, int64_t width,
                                  int64_t padding_index, const void* output_grad, void* table_grad,
                                  int64_t* scratch);
};

} // namespace dt
