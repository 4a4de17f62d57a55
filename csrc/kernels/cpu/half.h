#pragma once
// float16 and bfloat16 as storage of float32 values: load() and store() for them, and whole arrays. Values
// are rounded to nearest even. NaN stays NaN, quiet, with the sign and the upper bits it had; every level
// gives the same bits, whether an instruction or arithmetic converts.
#include "core/dtype.h"
#include "kernels/cpu/lanes.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {
namespace {

template <class S> inline constexpr bool kHalf = false;
template <> inline constexpr bool kHalf<float16_t> = true;
template <> inline constexpr bool kHalf<bfloat16_t> = true;

// What values stored as S are computed in.
template <class S> struct ArithmeticOf {
    using type = S;
};
template <> struct ArithmeticOf<float16_t> {
    using type = float;
};
template <> struct ArithmeticOf<bfloat16_t> {
    using type = float;
};
template <class S> using Arithmetic = typename ArithmeticOf<S>::type;

// --- Single values, as bits ---

DT_INLINE float from_bfloat16(uint16_t h) { return __builtin_bit_cast(float, uint32_t(h) << 16); }
DT_INLINE uint16_t to_bfloat16(float x) {
    const uint32_t u = __builtin_bit_cast(uint32_t, x);
    const uint32_t rounded = u + 0x7fff + ((u >> 16) & 1);
    return uint16_t((x == x ? rounded : u | 0x400000) >> 16);
}

// 2^112 moves the exponent's bias; a subnormal comes out exact because the multiplication normalises it.
DT_INLINE float from_float16(uint16_t h) {
    const uint32_t magnitude = uint32_t(h & 0x7fff) << 13;
    const float scaled = __builtin_bit_cast(float, magnitude) * 0x1p112f;
    const uint32_t special = magnitude > 0x0f800000    ? 0x7fc00000u
                             : magnitude == 0x0f800000 ? 0x7f800000u
                                                       : 0u;
    return __builtin_bit_cast(float,
                              __builtin_bit_cast(uint32_t, scaled) | special | uint32_t(h & 0x8000) << 16);
}
DT_INLINE uint16_t to_float16(float x) {
    const uint32_t u = __builtin_bit_cast(uint32_t, x), magnitude = u & 0x7fffffff;
    const uint32_t normal = (magnitude - 0x38000000u + 0xfff + ((magnitude >> 13) & 1)) >> 13;
    // Adding 0.5 leaves a subnormal's 10 bits at the bottom of the mantissa, rounded by the addition itself.
    const uint32_t subnormal =
        __builtin_bit_cast(uint32_t, __builtin_bit_cast(float, magnitude) + 0.5f) - 0x3f000000u;
    uint32_t h = magnitude < 0x38800000u ? subnormal : normal;
    h = magnitude >= 0x477ff000u ? 0x7c00u : h; // rounds to 65536 or more
    h = magnitude > 0x7f800000u ? 0x7e00u | (magnitude >> 13 & 0x3ff) : h;
    return uint16_t(h | ((u >> 16) & 0x8000));
}

// --- One vector: as many halves as a vector has floats ---

typedef uint16_t Halves __attribute__((vector_size(kVectorBytes / 2)));

DT_INLINE Vec<uint32_t> widen(Halves h) {
#if defined(DT_LEVEL_v4)
    return (Vec<uint32_t>)_mm512_maskz_cvtepu16_epi32(__mmask16(-1), (__m256i)h);
#elif defined(DT_LEVEL_v3)
    return (Vec<uint32_t>)_mm256_cvtepu16_epi32((__m128i)h);
#elif defined(__SSE4_1__)
    return (Vec<uint32_t>)_mm_cvtepu16_epi32(_mm_cvtsi64_si128(__builtin_bit_cast(int64_t, h)));
#else
    return __builtin_convertvector(h, Vec<uint32_t>);
#endif
}
DT_INLINE Halves narrow(Vec<uint32_t> v) { // of values below 65536
#if defined(DT_LEVEL_v4)
    return (Halves)_mm512_maskz_cvtepi32_epi16(__mmask16(-1), (__m512i)v);
#elif defined(DT_LEVEL_v3)
    return (Halves)_mm_packus_epi32(_mm256_castsi256_si128((__m256i)v),
                                    _mm256_extracti128_si256((__m256i)v, 1));
#elif defined(__SSE4_1__)
    return __builtin_bit_cast(Halves, _mm_cvtsi128_si64(_mm_packus_epi32((__m128i)v, (__m128i)v)));
#else
    return __builtin_convertvector(v, Halves);
#endif
}

template <class S> DT_INLINE Vec<float> to_floats(Halves h);
template <class S> DT_INLINE Halves to_halves(Vec<float> x);

template <> DT_INLINE Vec<float> to_floats<bfloat16_t>(Halves h) { return (Vec<float>)(widen(h) << 16); }
template <> DT_INLINE Halves to_halves<bfloat16_t>(Vec<float> x) {
    const Vec<uint32_t> u = (Vec<uint32_t>)x, rounded = u + 0x7fff + ((u >> 16) & 1);
    return narrow((x == x ? rounded : u | 0x400000) >> 16);
}

#if defined(DT_LEVEL_v4)
template <> DT_INLINE Vec<float> to_floats<float16_t>(Halves h) {
    return (Vec<float>)_mm512_maskz_cvtph_ps(__mmask16(-1), (__m256i)h);
}
template <> DT_INLINE Halves to_halves<float16_t>(Vec<float> x) {
    return (Halves)_mm512_maskz_cvtps_ph(__mmask16(-1), (__m512)x, _MM_FROUND_TO_NEAREST_INT);
}
#elif defined(DT_LEVEL_v3)
template <> DT_INLINE Vec<float> to_floats<float16_t>(Halves h) {
    return (Vec<float>)_mm256_cvtph_ps((__m128i)h);
}
template <> DT_INLINE Halves to_halves<float16_t>(Vec<float> x) {
    return (Halves)_mm256_cvtps_ph((__m256)x, _MM_FROUND_TO_NEAREST_INT);
}
#else
// As from_float16 and to_float16.
template <> DT_INLINE Vec<float> to_floats<float16_t>(Halves h) {
    const Vec<int32_t> u = (Vec<int32_t>)widen(h), magnitude = (u & 0x7fff) << 13;
    const Vec<int32_t> scaled = (Vec<int32_t>)((Vec<float>)magnitude * 0x1p112f);
    const Vec<int32_t> infinite = magnitude >= 0x0f800000 ? Vec<int32_t>{} + 0x7f800000 : Vec<int32_t>{},
                       quiet = magnitude > 0x0f800000 ? Vec<int32_t>{} + 0x400000 : Vec<int32_t>{};
    return (Vec<float>)(scaled | infinite | quiet | (u & 0x8000) << 16);
}
template <> DT_INLINE Halves to_halves<float16_t>(Vec<float> x) {
    const Vec<uint32_t> u = (Vec<uint32_t>)x;
    const Vec<int32_t> magnitude = (Vec<int32_t>)(u & 0x7fffffff);
    const Vec<int32_t> normal = (magnitude - 0x38000000 + 0xfff + ((magnitude >> 13) & 1)) >> 13;
    const Vec<int32_t> subnormal = (Vec<int32_t>)((Vec<float>)magnitude + 0.5f) - 0x3f000000;
    Vec<int32_t> h = magnitude < 0x38800000 ? subnormal : normal;
    h = magnitude >= 0x477ff000 ? Vec<int32_t>{} + 0x7c00 : h;
    h = magnitude > 0x7f800000 ? 0x7e00 | (magnitude >> 13 & 0x3ff) : h;
    return narrow((Vec<uint32_t>)h | (u >> 16 & 0x8000));
}
#endif

// --- Loads and stores, as vec.h and lanes.h have them for float ---

template <class S>
    requires(kHalf<S>)
DT_INLINE Vec<float> load(const S* p) {
    Halves h;
    memcpy(&h, p, sizeof h);
    return to_floats<S>(h);
}
template <class S>
    requires(kHalf<S>)
DT_INLINE void store(S* p, Vec<float> v) {
    const Halves h = to_halves<S>(v);
    memcpy(p, &h, sizeof h);
}
template <class S>
    requires(kHalf<S>)
DT_INLINE Vec<float> load_tail(const S* p, int64_t n) {
#if defined(DT_LEVEL_v4)
    return to_floats<S>((Halves)_mm256_maskz_loadu_epi16(__mmask16((1u << n) - 1), p));
#else
    Halves h{};
    for (int64_t i = 0; i < n; ++i) h[i] = p[i].bits;
    return to_floats<S>(h);
#endif
}
template <class S>
    requires(kHalf<S>)
DT_INLINE void store_tail(S* p, Vec<float> v, int64_t n) {
    const Halves h = to_halves<S>(v);
#if defined(DT_LEVEL_v4)
    _mm256_mask_storeu_epi16(p, __mmask16((1u << n) - 1), (__m256i)h);
#else
    for (int64_t i = 0; i < n; ++i) p[i].bits = h[i];
#endif
}
template <class S>
    requires(kHalf<S>)
DT_INLINE Vec<float> load_upto(const S* p, int64_t n) {
    return n >= kLanes<float> ? load(p) : load_tail(p, n);
}
template <class S>
    requires(kHalf<S>)
DT_INLINE void store_upto(S* p, Vec<float> v, int64_t n) {
    n >= kLanes<float> ? store(p, v) : store_tail(p, v, n);
}
template <class S>
    requires(kHalf<S>)
DT_INLINE Vec<float> load(const S* p, Whole) {
    return load(p);
}
template <class S>
    requires(kHalf<S>)
DT_INLINE Vec<float> load(const S* p, Part part) {
    return load_tail(p, part.n);
}
template <class S>
    requires(kHalf<S>)
DT_INLINE void store(S* p, Vec<float> v, Whole) {
    store(p, v);
}
template <class S>
    requires(kHalf<S>)
DT_INLINE void store(S* p, Vec<float> v, Part part) {
    store_tail(p, v, part.n);
}
template <class S>
    requires(kHalf<S>)
DT_INLINE void stream(S* p, Vec<float> v, Whole) {
    const Halves h = to_halves<S>(v);
#if defined(DT_LEVEL_v4)
    _mm256_stream_si256(reinterpret_cast<__m256i*>(p), (__m256i)h);
#elif defined(DT_LEVEL_v3)
    _mm_stream_si128(reinterpret_cast<__m128i*>(p), (__m128i)h);
#elif defined(__SSE2__)
    _mm_stream_si64(reinterpret_cast<long long*>(p), __builtin_bit_cast(long long, h));
#else
    memcpy(p, &h, sizeof h);
#endif
}
template <class S>
    requires(kHalf<S>)
DT_INLINE void stream(S* p, Vec<float> v, Part part) {
    store_tail(p, v, part.n);
}

// --- Arrays ---

template <class S> DT_INLINE void convert_array(int64_t n, const uint16_t* in, float* out) {
    const S* from = reinterpret_cast<const S*>(in);
    for_vectors<float>(n, [&](int64_t i, auto part)
                              DT_INLINE_LAMBDA { store(out + i, load(from + i, part), part); });
}
template <class S> DT_INLINE void convert_array(int64_t n, const float* in, uint16_t* out) {
    S* to = reinterpret_cast<S*>(out);
    for_vectors<float>(n, [&](int64_t i, auto part)
                              DT_INLINE_LAMBDA { store(to + i, load(in + i, part), part); });
}
inline void float16_to_float(int64_t n, const uint16_t* in, float* out) {
    convert_array<float16_t>(n, in, out);
}
inline void float_to_float16(int64_t n, const float* in, uint16_t* out) {
    convert_array<float16_t>(n, in, out);
}
inline void bfloat16_to_float(int64_t n, const uint16_t* in, float* out) {
    convert_array<bfloat16_t>(n, in, out);
}
inline void float_to_bfloat16(int64_t n, const float* in, uint16_t* out) {
    convert_array<bfloat16_t>(n, in, out);
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
