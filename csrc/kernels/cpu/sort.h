#pragma once
#include "core/dtype.h"

namespace dt::cpu::DT_LEVEL {

void argsort(DType dtype, int64_t rows, int64_t n, bool descending, const void* in, int64_t* out);
void sort(DType dtype, int64_t rows, int64_t n, bool descending, const void* in, void* out);
void topk(DType dtype, int64_t rows, int64_t n, int64_t k, bool descending, const void* in, void* values,
          int64_t* positions);

} // namespace dt::cpu::DT_LEVEL
