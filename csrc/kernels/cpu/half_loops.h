#pragma once
// Loops over values of any type that take half formats two vectors at a time, in whatever order these come
// (load_any_pair): for_values<S> and sum_values<S> are for_vectors and sum_vectors but that they call the
// body with Both{} first, for which load() gives a Twin. The body is written once. Floats that it keeps
// beside the halves are in the order of the pairs, not of the array.
#include "kernels/cpu/half.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {
namespace {

// A pair in one value, so that a loop's body may be written once for it and for single vectors: the part
// Both. What a body reads and writes beside halves are floats in the order of the pairs, not of the array.
struct Both {};
struct Twin {
    Vec<float> x[2];
};
#define DT_TWIN(op)                                                                                          \
    DT_INLINE Twin operator op(Twin a, Twin b) { return {a.x[0] op b.x[0], a.x[1] op b.x[1]}; }              \
    DT_INLINE Twin operator op(Twin a, float b) { return {a.x[0] op b, a.x[1] op b}; }
DT_TWIN(+)
DT_TWIN(-)
DT_TWIN(*)
#undef DT_TWIN
DT_INLINE Twin max_or_second(Twin a, Twin b) {
    return {max_or_second(a.x[0], b.x[0]), max_or_second(a.x[1], b.x[1])};
}
DT_INLINE Twin fill_rest(Twin v, float, Both) { return v; }
DT_INLINE Twin load(const float* p, Both) { return {load(p), load(p + kLanes<float>)}; }
DT_INLINE void store(float* p, Twin v, Both) {
    store(p, v.x[0]);
    store(p + kLanes<float>, v.x[1]);
}
template <class S>
    requires(kHalf<S>)
DT_INLINE Twin load(const S* p, Both) {
    Twin v;
    load_any_pair(p, v.x);
    return v;
}
template <class S>
    requires(kHalf<S>)
DT_INLINE void store(S* p, Twin v, Both) {
    store_any_pair(p, v.x[0], v.x[1]);
}

template <class S>
    requires(kHalf<S>)
DT_INLINE void stream(S* p, Twin v, Both) {
    S pair[2 * kLanes<float>]; // as many bytes as a vector has
    store(pair, v, Both{});
    Vec<float> bytes;
    memcpy(&bytes, pair, sizeof bytes);
    stream(reinterpret_cast<float*>(p), bytes, Whole{});
}

template <class S, class F> DT_INLINE void for_values(int64_t n, const F& body) {
    int64_t i = 0;
    if constexpr (kHalf<S>)
        for (; i + 2 * kLanes<float> <= n; i += 2 * kLanes<float>) body(i, Both{});
    for_vectors<Arithmetic<S>>(n - i, [&](int64_t j, auto part) DT_INLINE_LAMBDA { body(i + j, part); });
}
template <class S, class F> DT_INLINE Arithmetic<S> sum_values(int64_t n, const F& value) {
    constexpr int64_t w = 2 * kLanes<float>;
    int64_t i = 0;
    Twin a{}, b{};
    if constexpr (kHalf<S>) {
        for (; i + 2 * w <= n; i += 2 * w) {
            a = a + value(i, Both{});
            b = b + value(i + w, Both{});
        }
        if (i + w <= n) {
            a = a + value(i, Both{});
            i += w;
        }
    }
    const auto rest = sum_vectors<Arithmetic<S>>(n - i, [&](int64_t j, auto part)
                                                            DT_INLINE_LAMBDA { return value(i + j, part); });
    if constexpr (kHalf<S>)
        return sum((a.x[0] + a.x[1]) + (b.x[0] + b.x[1])) + rest;
    else
        return rest;
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
