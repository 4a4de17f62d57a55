#pragma once
#include <cstdint>

namespace dt {

// [0] works on float32, [1] on float64. Indices lie in [0, rows): the caller has asked first_outside.
struct Embedding {
    // Position of the first value outside [low, high) that is not `allowed`, or -1.
    int64_t (*first_outside)(int64_t n, const int64_t* values, int64_t low, int64_t high, int64_t allowed);
    // output[i] = table[indices[i]]
    void (*forward[2])(int64_t n, const int64_t* indices, int64_t width, const void* table, void* output);
    // table_grad[r] = sum of output_grad[i] over indices[i] = r in the order of i, 0 for padding_index (-1:
    // none). scratch: rows + 1 + n values.
    void (*backward[2])(int64_t n, const int64_t* indices, int64_t rows, int64_t width, int64_t padding_index,
                        const void* output_grad, void* table_grad, int64_t* scratch);
};

} // namespace dt
