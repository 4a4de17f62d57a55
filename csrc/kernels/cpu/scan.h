#pragma once
#include "kernels/reduce.h"

namespace dt::cpu::DT_LEVEL {

void scan(ScanOp op, DType dtype, int64_t rows, int64_t n, int64_t inner, bool reverse, const void* in,
          void* out);

} // namespace dt::cpu::DT_LEVEL
