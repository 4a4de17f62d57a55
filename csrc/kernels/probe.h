#pragma once
#include <cstdint>

namespace dt {

// What the machine can do at most, for benchmarks to compare with. Each call runs on the calling thread.
struct Probe {
    // Multiply-adds in registers only. Return the number of floating-point operations that were executed.
    double (*fma_f32)(int64_t iterations);
    double (*products_bf16)(int64_t iterations); // as the level multiplies bfloat16
    // Move n floats, a multiple of 64, aligned to 64 bytes. `read` returns their sum; `stream_copy` writes
    // past the caches; `update` reads and writes `to`.
    float (*read)(const float* from, int64_t n);
    void (*copy)(float* to, const float* from, int64_t n);
    void (*stream_copy)(float* to, const float* from, int64_t n);
    void (*update)(float* to, int64_t n);
};

} // namespace dt
