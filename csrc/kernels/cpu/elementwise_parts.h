#pragma once
// The entries of the elementwise family, which is too long for one source.
#include "kernels/elementwise.h"

namespace dt::cpu::DT_LEVEL {

// unary.cpp
void unary(UnaryOp op, DType dtype, const Loop& loop, const double* params);
// binary.cpp
void binary(BinaryOp op, DType dtype, const Loop& loop, const double* params);
void ternary(TernaryOp op, DType dtype, const Loop& loop, const double* params);
// compare.cpp
void compare(CompareOp op, DType dtype, const Loop& loop);
void predicate(PredicateOp op, DType dtype, const Loop& loop);
void where(DType dtype, const Loop& loop);
// convert.cpp
void convert(DType from, DType to, const Loop& loop);
// copy.cpp
void copy(DType dtype, const Loop& loop);
void fill(DType dtype, const Loop& loop, double real, int64_t integer);
void arange(DType dtype, int64_t n, void* out, double start, double step, int64_t integer_start,
            int64_t integer_step);

} // namespace dt::cpu::DT_LEVEL
