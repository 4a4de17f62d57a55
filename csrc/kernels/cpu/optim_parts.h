#pragma once
// What the steps of the optimizers share: walking over tensors laid end to end, and reading gradients.
#include "kernels/cpu/lanes.h"
#include "kernels/optim.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {
namespace {

constexpr int64_t kBlock = 16384; // elements of the concatenation handed out at once

template <class T> constexpr T kLargest = T();
template <> constexpr float kLargest<float> = __FLT_MAX__;
template <> constexpr double kLargest<double> = __DBL_MAX__;

int64_t total_size(int64_t count, const OptimTensor* tensors) {
    int64_t total = 0;
    for (int64_t i = 0; i < count; ++i) total += tensors[i].size;
    return total;
}

// body(tensor, begin, end) for the pieces of [begin, end) of all tensors laid end to end.
template <class F>
DT_INLINE void for_pieces(const OptimTensor* tensors, int64_t begin, int64_t end, const F& body) {
    int64_t start = 0;
    for (const OptimTensor* t = tensors; start < end; start += t++->size) {
        const int64_t from = begin > start ? begin - start : 0;
        const int64_t to = end - start < t->size ? end - start : t->size;
        if (from < to) body(*t, from, to);
    }
}

template <class F> DT_INLINE void for_all_pieces(int64_t count, const OptimTensor* tensors, const F& body) {
    parallel(total_size(count, tensors), kBlock,
             [&](int64_t begin, int64_t end) { for_pieces(tensors, begin, end, body); });
}

// Looks at the gradients of a piece as they are loaded, where the step has a `nonfinite`.
template <class T> struct Watch {
    bool* nonfinite;
    Mask<T> bad{};

    DT_INLINE Vec<T> seen(Vec<T> gradient) {
        if (!nonfinite) return gradient;
        const Mask<T> finite = abs(gradient) <= broadcast(kLargest<T>);
        bad |= ~finite;
        return select(finite, gradient, zero<T>());
    }
    DT_INLINE void report() const {
        if (nonfinite && any(bad)) __atomic_store_n(nonfinite, true, __ATOMIC_RELAXED);
    }
};

// |gradient| at most `largest`; NaN stays.
template <class T> DT_INLINE Vec<T> clipped(Vec<T> gradient, T largest) {
    const Vec<T> limit = broadcast(largest);
    return select(abs(gradient) > limit, copysign(limit, gradient), gradient);
}

// Gradients as a step uses them.
template <class T> struct Reader {
    T scale, largest;
    Watch<T> watch;

    DT_INLINE Vec<T> operator()(Vec<T> gradient) { return clipped(watch.seen(gradient) * scale, largest); }
};

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
