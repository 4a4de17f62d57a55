#pragma once
// Loops over a run of elements by whole vectors and one part of a vector at the end: for_vectors<T>(n, body)
// calls body(i, Whole{}) and at last body(i, Part{rest}), and load, store and fill_rest take either. The body
// is written once.
#include "kernels/cpu/common.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {
namespace {

struct Whole {};
struct Part {
    int64_t n;
};

template <class T> DT_INLINE int64_t lanes_of(Whole) { return kLanes<T>; }
template <class T> DT_INLINE int64_t lanes_of(Part part) { return part.n; }
template <class T> DT_INLINE Vec<T> load(const T* p, Whole) { return load(p); }
template <class T> DT_INLINE Vec<T> load(const T* p, Part part) { return load_tail(p, part.n); }
template <class T> DT_INLINE void store(T* p, Vec<T> v, Whole) { store(p, v); }
template <class T> DT_INLINE void store(T* p, Vec<T> v, Part part) { store_tail(p, v, part.n); }

// Stores past the caches, for arrays so large that nothing of them would be left there for whoever reads them
// next: they save reading the lines first. `to` and the places that stream() writes must be aligned, which
// rows of `row` values are where can_stream(first, n, row) says so; finish_streaming() makes them visible to
// others.
constexpr int64_t kStreamBytes = int64_t{24} << 20;
template <class T>
DT_INLINE bool can_stream([[maybe_unused]] const T* to, [[maybe_unused]] int64_t n,
                          [[maybe_unused]] int64_t row) {
#if defined(__SSE2__)
    return n * int64_t(sizeof(T)) >= kStreamBytes && row * int64_t(sizeof(T)) % kVectorBytes == 0 &&
           reinterpret_cast<uintptr_t>(to) % kVectorBytes == 0;
#else
    return false;
#endif
}
template <class T> DT_INLINE void stream(T* p, Vec<T> v, Whole) {
#if defined(DT_LEVEL_v4)
    _mm512_stream_si512(reinterpret_cast<__m512i*>(p), (__m512i)v);
#elif defined(DT_LEVEL_v3)
    _mm256_stream_si256(reinterpret_cast<__m256i*>(p), (__m256i)v);
#elif defined(__SSE2__)
    _mm_stream_si128(reinterpret_cast<__m128i*>(p), (__m128i)v);
#else
    store(p, v);
#endif
}
template <class T> DT_INLINE void stream(T* p, Vec<T> v, Part part) { store_tail(p, v, part.n); }
DT_INLINE void finish_streaming() {
#if defined(__SSE2__)
    _mm_sfence();
#endif
}

// The lanes that belong to the run keep v, the others take `other`.
template <class V> DT_INLINE V fill_rest(V v, Lane<V>, Whole) { return v; }
template <class V> DT_INLINE V fill_rest(V v, Lane<V> other, Part part) {
    return select(first_lanes<Lane<V>>(part.n), v, broadcast(other));
}

template <class T, class F> DT_INLINE void for_vectors(int64_t n, const F& body) {
    int64_t i = 0;
    for (; i + kLanes<T> <= n; i += kLanes<T>) body(i, Whole{});
    if (i < n) body(i, Part{n - i});
}

// Sum of value(i, part) over the run, on four accumulators; value must be 0 in the lanes behind the end.
template <class T, class F> DT_INLINE T sum_vectors(int64_t n, const F& value) {
    constexpr int64_t w = kLanes<T>;
    Vec<T> a{}, b{}, c{}, d{};
    int64_t i = 0;
    for (; i + 4 * w <= n; i += 4 * w) {
        a += value(i, Whole{});
        b += value(i + w, Whole{});
        c += value(i + 2 * w, Whole{});
        d += value(i + 3 * w, Whole{});
    }
    for (; i + w <= n; i += w) a += value(i, Whole{});
    if (i < n) b += value(i, Part{n - i});
    return sum((a + b) + (c + d));
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
