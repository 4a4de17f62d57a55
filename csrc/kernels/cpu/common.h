#pragma once
// What the CPU kernels share besides SIMD. Internal linkage throughout, for the reason given in vec.h.
#include <cstdint>

#include "core/parallel.h"
#include "core/scratch.h"
#include "kernels/cpu/vec.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

namespace dt::cpu::DT_LEVEL {
namespace {

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }

// Calls body(begin, end) for blocks of `grain` out of [0, n); see parallel_for. A single block runs in place.
template <class F> DT_INLINE void parallel(int64_t n, int64_t grain, const F& body) {
    if (n <= 0) return;
    if (n <= grain) return body(int64_t{0}, n);
    parallel_for(
        n, grain,
        [](void* context, int64_t begin, int64_t end) { (*static_cast<const F*>(context))(begin, end); },
        const_cast<F*>(&body));
}

template <class T> DT_INLINE T* scratch(Scratch slot, int64_t elements) {
    return static_cast<T*>(dt::scratch(slot, size_t(elements) * sizeof(T)));
}

// A grain of which each block costs about 16 k units of work (an element moved, a few operations), where one
// item costs `work` of them: the fork of a second thread pays off, and a thread that was taken away delays
// little.
constexpr int64_t grain_for(int64_t work) { return work >= 16384 ? 1 : 16384 / (work < 1 ? 1 : work); }

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
