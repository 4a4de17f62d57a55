#pragma once
#include "kernels/index.h"

// Entries of the index family: what masks choose, and items picked along one axis.
namespace dt::cpu::DT_LEVEL {

int64_t find(int64_t n, const uint8_t* mask, int64_t capacity, int64_t* out);
int64_t pack(DType dtype, int64_t n, const uint8_t* mask, int64_t capacity, const void* in, void* out);
void unravel(int64_t count, const int64_t* flat, const Dims& shape, int64_t* const* out);
int64_t outside(int64_t n, const int64_t* index, int64_t size);
int64_t take(DType dtype, const TakeArgs& args);

} // namespace dt::cpu::DT_LEVEL
