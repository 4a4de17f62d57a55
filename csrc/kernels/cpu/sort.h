#pragma once
#include "core/dtype.h"

namespace dt::cpu::DT_LEVEL {

void argsort(DType dtype, int64_t rows, int64_t n, bool descending, const void* in, int64_t* out);

} // namespace dt::cpu::DT_LEVEL
