#pragma once
#include "core/dtype.h"

namespace dt {

// The place of a floating dtype in the arrays of the kernel table. An array of two entries has float32 and
// float64 alone.
inline constexpr int kPrecisions = 4;
inline constexpr int precision(DType d) {
    return d == DType::float32 ? 0 : d == DType::float64 ? 1 : d == DType::float16 ? 2 : 3;
}

// Whether the chosen ISA level has AVX512-BF16: asked by the kernels of level v4, which serve the levels
// above.
[[gnu::visibility("hidden")]] extern bool bfloat16_instructions;

} // namespace dt
