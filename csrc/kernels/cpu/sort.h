#pragma once
#include "core/dtype.h"

namespace dt::cpu::DT_LEVEL {

void argsort(DType dtype, int64_t rows, int64_t n, bool descending, const void* in, int64_t* out);
void sort(DType dtype, int64_t rows, int64_t n, bool descending, const void* in, void* out);
void topk(DType dtype, int64_t rows, int64_t n, int64_t k, bool descending, const void* in, void* values,
          int64_t* positions);

constexpr int kPieces = 16; // that threads sort side by side
constexpr int64_t spare_keys(int64_t n) { return n + (kPieces + 1) * 16; }

void sort_keys(uint64_t* keys, int64_t n, uint64_t* spare); // `spare` has room for spare_keys(n)
// Sorts keys, none the largest number, and among equal ones the tags. `spare` has room for 2 spare_keys(n).
void sort_tagged(uint64_t* keys, uint64_t* tags, int64_t n, uint64_t* spare);

} // namespace dt::cpu::DT_LEVEL
