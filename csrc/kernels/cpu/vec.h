#pragma once
// SIMD written once for every ISA level, over the vector extensions of GCC and clang. Vec<T> is a native
// vector of the level's width: + - * / and comparisons work on it directly, a comparison gives a Mask<T> (all
// bits set or clear per lane), masks combine with & | ^ ~. Everything is in an anonymous namespace: each
// level gets its own copy, and no weak symbol built for AVX-512 can be linked into the baseline.
#include <cstdint>
#include <cstring>
#include <utility>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wpsabi" // vectors passed by value: nothing here crosses an object file

namespace dt::cpu::DT_LEVEL {
namespace {

#if defined(DT_LEVEL_v4)
constexpr int kVectorBytes = 64;
#elif defined(DT_LEVEL_v3)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

template <class T> struct VecOf;
template <> struct VecOf<float> {
    typedef float type __attribute__((vector_size(kVectorBytes)));
    typedef float half __attribute__((vector_size(kVectorBytes / 2)));
    typedef int32_t mask __attribute__((vector_size(kVectorBytes)));
};
template <> struct VecOf<double> {
    typedef double type __attribute__((vector_size(kVectorBytes)));
    typedef double half __attribute__((vector_size(kVectorBytes / 2)));
    typedef int64_t mask __attribute__((vector_size(kVectorBytes)));
};
template <> struct VecOf<int32_t> {
    typedef int32_t type __attribute__((vector_size(kVectorBytes)));
    typedef int32_t half __attribute__((vector_size(kVectorBytes / 2)));
    typedef int32_t mask __attribute__((vector_size(kVectorBytes)));
};
template <> struct VecOf<uint32_t> {
    typedef uint32_t type __attribute__((vector_size(kVectorBytes)));
    typedef uint32_t half __attribute__((vector_size(kVectorBytes / 2)));
    typedef int32_t mask __attribute__((vector_size(kVectorBytes)));
};
template <> struct VecOf<int64_t> {
    typedef int64_t type __attribute__((vector_size(kVectorBytes)));
    typedef int64_t half __attribute__((vector_size(kVectorBytes / 2)));
    typedef int64_t mask __attribute__((vector_size(kVectorBytes)));
};

template <> struct VecOf<uint64_t> {
    typedef uint64_t type __attribute__((vector_size(kVectorBytes)));
    typedef uint64_t half __attribute__((vector_size(kVectorBytes / 2)));
    typedef int64_t mask __attribute__((vector_size(kVectorBytes)));
};

template <class T> using Vec = typename VecOf<T>::type;
template <class T> using HalfVec = typename VecOf<T>::half;
template <class T> using Mask = typename VecOf<T>::mask;
template <class T> inline constexpr int kLanes = kVectorBytes / int(sizeof(T));

// The element of a vector type, so that a function over V knows its T: Lane<Vec<float>> is float.
template <class V> struct LaneOf;
template <> struct LaneOf<Vec<float>> {
    using type = float;
};
template <> struct LaneOf<Vec<double>> {
    using type = double;
};
template <> struct LaneOf<Vec<int32_t>> {
    using type = int32_t;
};
template <> struct LaneOf<Vec<uint32_t>> {
    using type = uint32_t;
};
template <> struct LaneOf<Vec<int64_t>> {
    using type = int64_t;
};
template <> struct LaneOf<Vec<uint64_t>> {
    using type = uint64_t;
};
template <class V> using Lane = typename LaneOf<V>::type;

#define DT_INLINE inline __attribute__((always_inline))
#define DT_INLINE_LAMBDA __attribute__((always_inline))

// --- Loads and stores; no pointer need be aligned ---

template <class T> DT_INLINE Vec<T> broadcast(T x) { return x - Vec<T>{}; }
template <class T> DT_INLINE Vec<T> zero() { return Vec<T>{}; }

template <class T> DT_INLINE Vec<T> load(const T* p) {
    Vec<T> v;
    memcpy(&v, p, sizeof v);
    return v;
}
template <class T> DT_INLINE void store(T* p, Vec<T> v) { memcpy(p, &v, sizeof v); }

// The first n lanes (0 <= n <= kLanes<T>) come from p, the others are 0. Reads nothing behind p + n.
template <class T> DT_INLINE Vec<T> load_tail(const T* p, int64_t n) {
#if defined(DT_LEVEL_v4)
    if constexpr (sizeof(T) == 4)
        return (Vec<T>)_mm512_maskz_loadu_epi32(__mmask16((1u << n) - 1), p);
    else
        return (Vec<T>)_mm512_maskz_loadu_epi64(__mmask8((1u << n) - 1), p);
#elif defined(DT_LEVEL_v3)
    if constexpr (sizeof(T) == 4) {
        const Vec<int32_t> lane = {0, 1, 2, 3, 4, 5, 6, 7};
        return (Vec<T>)_mm256_maskload_epi32((const int*)p, (__m256i)(lane < broadcast(int32_t(n))));
    } else {
        const Vec<int64_t> lane = {0, 1, 2, 3};
        return (Vec<T>)_mm256_maskload_epi64((const long long*)p, (__m256i)(lane < broadcast(int64_t(n))));
    }
#else
    Vec<T> v{};
    for (int64_t i = 0; i < n; ++i) v[i] = p[i];
    return v;
#endif
}

// Writes the first n lanes (0 <= n <= kLanes<T>).
template <class T> DT_INLINE void store_tail(T* p, Vec<T> v, int64_t n) {
#if defined(DT_LEVEL_v4)
    if constexpr (sizeof(T) == 4)
        _mm512_mask_storeu_epi32(p, __mmask16((1u << n) - 1), (__m512i)v);
    else
        _mm512_mask_storeu_epi64(p, __mmask8((1u << n) - 1), (__m512i)v);
#elif defined(DT_LEVEL_v3)
    if constexpr (sizeof(T) == 4) {
        const Vec<int32_t> lane = {0, 1, 2, 3, 4, 5, 6, 7};
        _mm256_maskstore_epi32((int*)p, (__m256i)(lane < broadcast(int32_t(n))), (__m256i)v);
    } else {
        const Vec<int64_t> lane = {0, 1, 2, 3};
        _mm256_maskstore_epi64((long long*)p, (__m256i)(lane < broadcast(int64_t(n))), (__m256i)v);
    }
#else
    for (int64_t i = 0; i < n; ++i) p[i] = v[i];
#endif
}

// The same with n >= kLanes<T> meaning a whole vector: for (i = 0; i < n; i += kLanes<T>) load_upto(p + i, n
// - i).
template <class T> DT_INLINE Vec<T> load_upto(const T* p, int64_t n) {
    return n >= kLanes<T> ? load(p) : load_tail(p, n);
}
template <class T> DT_INLINE void store_upto(T* p, Vec<T> v, int64_t n) {
    if (n >= kLanes<T>)
        store(p, v);
    else
        store_tail(p, v, n);
}

// {0, 1, 2, ...}
template <class T> DT_INLINE Vec<T> iota() {
    Vec<T> v{};
    for (int i = 0; i < kLanes<T>; ++i) v[i] = T(i);
    return v;
}
// The lanes below n: all bits set.
template <class T> DT_INLINE Mask<T> first_lanes(int64_t n) {
    using I = Lane<Mask<T>>;
    return iota<I>() < broadcast(I(n));
}

// --- Conversions ---

// kLanes<double> floats as doubles, for sums that float32 would round away.
DT_INLINE Vec<double> load_double(const float* p) {
#if defined(DT_LEVEL_v4) // g++ 12 converts halves of what it is given
    return _mm512_maskz_cvtps_pd(__mmask8(-1), _mm256_loadu_ps(p));
#elif defined(DT_LEVEL_v3)
    return _mm256_cvtps_pd(_mm_loadu_ps(p));
#else
    HalfVec<float> v;
    memcpy(&v, p, sizeof v);
    return __builtin_convertvector(v, Vec<double>);
#endif
}
DT_INLINE Vec<double> load_double(const double* p) { return load(p); }
DT_INLINE void store_double(float* p, Vec<double> v) {
#if defined(DT_LEVEL_v4)
    _mm256_storeu_ps(p, _mm512_maskz_cvtpd_ps(__mmask8(-1), v));
#elif defined(DT_LEVEL_v3)
    _mm_storeu_ps(p, _mm256_cvtpd_ps(v));
#else
    const HalfVec<float> h = __builtin_convertvector(v, HalfVec<float>);
    memcpy(p, &h, sizeof h);
#endif
}
DT_INLINE void store_double(double* p, Vec<double> v) { store(p, v); }

// The halves of a vector, and a vector of halves.
template <int first, int... I>
DT_INLINE HalfVec<float> some_lanes(Vec<float> v, std::integer_sequence<int, I...>) {
    return __builtin_shufflevector(v, v, (first + I)...);
}
DT_INLINE HalfVec<float> lower_half(Vec<float> v) {
    return some_lanes<0>(v, std::make_integer_sequence<int, kLanes<float> / 2>{});
}
DT_INLINE HalfVec<float> upper_half(Vec<float> v) {
    return some_lanes<kLanes<float> / 2>(v, std::make_integer_sequence<int, kLanes<float> / 2>{});
}
template <int... I>
DT_INLINE Vec<float> all_lanes(HalfVec<float> a, HalfVec<float> b, std::integer_sequence<int, I...>) {
    return __builtin_shufflevector(a, b, I...);
}
DT_INLINE Vec<float> join(HalfVec<float> lower, HalfVec<float> upper) {
    return all_lanes(lower, upper, std::make_integer_sequence<int, kLanes<float>>{});
}

// --- Arithmetic. a * b + c is one rounding where the level has FMA (v3, v4), two elsewhere ---

template <class V> DT_INLINE V fma(V a, V b, V c) { return a * b + c; }

template <class V> DT_INLINE V select(Mask<Lane<V>> mask, V yes, V no) { return mask ? yes : no; }

// True for float, double and vectors of them.
template <class V> inline constexpr bool kFloating = false;
template <> inline constexpr bool kFloating<float> = true;
template <> inline constexpr bool kFloating<double> = true;
template <> inline constexpr bool kFloating<Vec<float>> = true;
template <> inline constexpr bool kFloating<Vec<double>> = true;

// min and max of two vectors or two scalars of one type, b when either is NaN: one instruction, which g++
// does not find by itself for vectors. For values known to be numbers and for clamps, where clamp(NaN) is
// NaN.
template <class V> DT_INLINE V max_or_second(V a, V b) { return a > b ? a : b; }
template <class V> DT_INLINE V min_or_second(V a, V b) { return a < b ? a : b; }
#if defined(DT_LEVEL_v4)
// With a full mask: g++ 12 warns of an uninitialised register where there is none.
#define DT_MIN_MAX(name, instruction)                                                                        \
    DT_INLINE Vec<float> name(Vec<float> a, Vec<float> b) {                                                  \
        return _mm512_mask_##instruction##_ps(a, __mmask16(-1), a, b);                                       \
    }                                                                                                        \
    DT_INLINE Vec<double> name(Vec<double> a, Vec<double> b) {                                               \
        return _mm512_mask_##instruction##_pd(a, __mmask8(-1), a, b);                                        \
    }
#elif defined(DT_LEVEL_v3)
#define DT_MIN_MAX(name, instruction)                                                                        \
    DT_INLINE Vec<float> name(Vec<float> a, Vec<float> b) { return _mm256_##instruction##_ps(a, b); }        \
    DT_INLINE Vec<double> name(Vec<double> a, Vec<double> b) { return _mm256_##instruction##_pd(a, b); }
#elif defined(__SSE2__)
#define DT_MIN_MAX(name, instruction)                                                                        \
    DT_INLINE Vec<float> name(Vec<float> a, Vec<float> b) { return _mm_##instruction##_ps(a, b); }           \
    DT_INLINE Vec<double> name(Vec<double> a, Vec<double> b) { return _mm_##instruction##_pd(a, b); }
#else
#define DT_MIN_MAX(name, instruction)
#endif
DT_MIN_MAX(max_or_second, max)
DT_MIN_MAX(min_or_second, min)
#undef DT_MIN_MAX
// NaN when either is NaN.
template <class V> DT_INLINE V max(V a, V b) {
    if constexpr (kFloating<V>)
        return a != a ? a : max_or_second(a, b);
    else
        return a > b ? a : b;
}
template <class V> DT_INLINE V min(V a, V b) {
    if constexpr (kFloating<V>)
        return a != a ? a : min_or_second(a, b);
    else
        return a < b ? a : b;
}
template <class V> DT_INLINE V clamp(V x, V low, V high) {
    return min_or_second(high, max_or_second(low, x));
}

// Bit tricks on the sign, so that -0.0 and NaN come out right.
DT_INLINE Vec<float> abs(Vec<float> x) { return (Vec<float>)((Vec<int32_t>)x & 0x7fffffff); }
DT_INLINE Vec<double> abs(Vec<double> x) { return (Vec<double>)((Vec<int64_t>)x & INT64_MAX); }
DT_INLINE float abs(float x) { return __builtin_fabsf(x); }
DT_INLINE double abs(double x) { return __builtin_fabs(x); }
// |magnitude| with the sign of sign.
DT_INLINE Vec<float> copysign(Vec<float> magnitude, Vec<float> sign) {
    return (Vec<float>)(((Vec<int32_t>)magnitude & 0x7fffffff) | ((Vec<int32_t>)sign & INT32_MIN));
}
DT_INLINE Vec<double> copysign(Vec<double> magnitude, Vec<double> sign) {
    return (Vec<double>)(((Vec<int64_t>)magnitude & INT64_MAX) | ((Vec<int64_t>)sign & INT64_MIN));
}

DT_INLINE float sqrt(float x) { return __builtin_sqrtf(x); }
DT_INLINE double sqrt(double x) { return __builtin_sqrt(x); }
template <class V>
    requires(sizeof(V) == kVectorBytes)
DT_INLINE V sqrt(V x) { // the loop becomes one instruction
    for (int i = 0; i < kLanes<Lane<V>>; ++i) x[i] = sqrt(x[i]);
    return x;
}

// --- Across lanes, always in the same order: lanes a distance of N/2 apart, then N/4, ... 1 ---

template <int distance, class V, int... I> DT_INLINE V swap_lanes(V v, std::integer_sequence<int, I...>) {
    return __builtin_shufflevector(v, v, (I ^ distance)...);
}
template <class V, class F> DT_INLINE Lane<V> reduce(V v, F combine) {
    constexpr int n = kLanes<Lane<V>>;
    using Lanes = std::make_integer_sequence<int, n>;
    if constexpr (n >= 16) v = combine(v, swap_lanes<8>(v, Lanes{}));
    if constexpr (n >= 8) v = combine(v, swap_lanes<4>(v, Lanes{}));
    if constexpr (n >= 4) v = combine(v, swap_lanes<2>(v, Lanes{}));
    return combine(v, swap_lanes<1>(v, Lanes{}))[0];
}
template <class V> DT_INLINE Lane<V> sum(V v) {
    return reduce(v, [](V a, V b) DT_INLINE_LAMBDA { return a + b; });
}
template <class V> DT_INLINE Lane<V> horizontal_max(V v) { // NaN when any lane is
    return reduce(v, [](V a, V b) DT_INLINE_LAMBDA { return max(a, b); });
}
// True when any lane of the mask is set.
template <class M> DT_INLINE bool any(M mask) {
#if defined(DT_LEVEL_v4)
    return _mm512_test_epi32_mask((__m512i)mask, (__m512i)mask) != 0;
#elif defined(DT_LEVEL_v3)
    return !_mm256_testz_si256((__m256i)mask, (__m256i)mask);
#endif
    return reduce(mask, [](M a, M b) DT_INLINE_LAMBDA { return a | b; }) != 0;
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
