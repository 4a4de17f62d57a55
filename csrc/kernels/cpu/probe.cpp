#include "kernels/probe.h"

#include "kernels/cpu/lanes.h"

namespace dt::cpu::DT_LEVEL {
namespace {

// Twelve independent chains: more than latency times throughput of the multipliers anywhere, and they fit in
// 16 registers.
double multiply_add(int64_t iterations) {
    constexpr int chains = 12;
    Vec<float> sum[chains], factor = broadcast(0.999f), term = broadcast(0.001f);
    for (int j = 0; j < chains; ++j) sum[j] = broadcast(float(j));
    asm volatile("" : "+m"(factor), "+m"(term)); // unknown to the compiler, which would compute the result
    for (int64_t i = 0; i < iterations; ++i) {
#pragma GCC unroll 12
        for (int j = 0; j < chains; ++j) sum[j] = fma(sum[j], factor, term);
    }
    for (int j = 0; j < chains; ++j) asm volatile("" : "+m"(sum[j]));
    return 2.0 * double(iterations) * chains * kLanes<float>;
}

using V = Vec<float>;
constexpr int64_t kStep = 4 * kLanes<float>; // floats moved per turn of a loop: four vectors

DT_INLINE V* vectors(float* p) { return static_cast<V*>(__builtin_assume_aligned(p, 64)); }
DT_INLINE const V* vectors(const float* p) { return static_cast<const V*>(__builtin_assume_aligned(p, 64)); }

float read(const float* from, int64_t n) {
    V part[4] = {};
    for (int64_t i = 0; i < n; i += kStep)
        for (int j = 0; j < 4; ++j) part[j] += vectors(from + i)[j];
    return sum((part[0] + part[1]) + (part[2] + part[3]));
}

void copy(float* to, const float* from, int64_t n) {
    for (int64_t i = 0; i < n; i += kStep) {
        for (int j = 0; j < 4; ++j) vectors(to + i)[j] = vectors(from + i)[j];
        asm volatile("" ::: "memory"); // else the compiler calls memcpy, which picks its own way
    }
}

void stream_copy(float* to, const float* from, int64_t n) {
    constexpr int64_t w = kLanes<float>;
    for (int64_t i = 0; i < n; i += kStep)
        for (int j = 0; j < 4; ++j) stream(to + i + j * w, vectors(from + i)[j], Whole{});
    finish_streaming();
}

void update(float* to, int64_t n) {
    for (int64_t i = 0; i < n; i += kStep)
        for (int j = 0; j < 4; ++j) vectors(to + i)[j] += broadcast(1.0f);
}

} // namespace

Probe probe() { return {multiply_add, multiply_add, read, copy, stream_copy, update}; }

} // namespace dt::cpu::DT_LEVEL
