#pragma once
// float16 and bfloat16 as storage of float32 values: load() and store() for them, and whole arrays. Values
// are rounded to nearest even. NaN stays NaN, quiet, with the sign and the upper bits it had; every level
// gives the same bits, whether an instruction or arithmetic converts.
#include "core/dtype.h"
#include "kernels/cpu/lanes.h"
#include "kernels/precision.h"

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

// Whether values are converted by so much arithmetic that whole arrays of them (convert_array) are cheaper.
#if defined(DT_LEVEL_v3) || defined(DT_LEVEL_v4)
template <class S> inline constexpr bool kCostly = false;
#else
template <class S> inline constexpr bool kCostly = __is_same(S, float16_t);
#endif

// --- Single values, as bits ---

DT_INLINE float from_bfloat16(uint16_t h) { return __builtin_bit_cast(float, uint32_t(h) << 16); }
DT_INLINE uint16_t to_bfloat16(float x) {
    const uint32_t u = __builtin_bit_cast(uint32_t, x);
    const uint32_t rounded = u + 0x7fff + ((u >> 16) & 1);
    return uint16_t((x == x ? rounded : u | 0x400000) >> 16);
}

#if defined(DT_LEVEL_v3) || defined(DT_LEVEL_v4)
DT_INLINE float from_float16(uint16_t h) { return _cvtsh_ss(h); }
DT_INLINE uint16_t to_float16(float x) { return _cvtss_sh(x, _MM_FROUND_TO_NEAREST_INT); }
#else
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
#endif

template <class S> DT_INLINE Arithmetic<S> value_of(S x) { return x; }
template <> DT_INLINE float value_of(float16_t x) { return from_float16(x.bits); }
template <> DT_INLINE float value_of(bfloat16_t x) { return from_bfloat16(x.bits); }

// --- One vector: as many halves as a vector has floats ---

typedef uint16_t Halves __attribute__((vector_size(kVectorBytes / 2)));

// The halves in the upper bits of a lane each.
DT_INLINE Vec<uint32_t> widen(Halves h) {
#if defined(DT_LEVEL_v4)
    typedef uint16_t Words __attribute__((vector_size(64)));
    Words place; // one shuffle, and zeros in the lower halves
    for (int i = 0; i < 32; ++i) place[i] = uint16_t(i / 2);
    return (Vec<uint32_t>)_mm512_maskz_permutexvar_epi16(0xaaaaaaaa, (__m512i)place,
                                                         _mm512_castsi256_si512((__m256i)h));
#elif defined(DT_LEVEL_v3)
    return (Vec<uint32_t>)_mm256_cvtepu16_epi32((__m128i)h) << 16;
#elif defined(__SSE2__)
    return (Vec<uint32_t>)_mm_unpacklo_epi16(__m128i{}, _mm_cvtsi64_si128(__builtin_bit_cast(int64_t, h)));
#else
    return __builtin_convertvector(h, Vec<uint32_t>) << 16;
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

// Rounded to bfloat16, which is the upper half of each lane.
DT_INLINE Vec<uint32_t> rounded_number(Vec<float> x) { // what is no NaN
    const Vec<uint32_t> u = (Vec<uint32_t>)x;
#if defined(DT_LEVEL_v4)
    const __m512i one = _mm512_set1_epi32(1), up = (__m512i)(u + 0x7fff);
    return (Vec<uint32_t>)_mm512_mask_add_epi32(up, _mm512_test_epi32_mask((__m512i)u, one << 16), up, one);
#else
    return u + 0x7fff + ((u >> 16) & 1);
#endif
}
DT_INLINE Vec<uint32_t> rounded(Vec<float> x) {
    const Vec<uint32_t> u = (Vec<uint32_t>)x, number = rounded_number(x);
#if defined(DT_LEVEL_v4)
    const __mmask16 nan = _mm512_cmp_ps_mask((__m512)x, (__m512)x, _CMP_UNORD_Q);
    return (Vec<uint32_t>)_mm512_mask_or_epi32((__m512i)number, nan, (__m512i)u, _mm512_set1_epi32(0x400000));
#else
    return x == x ? number : u | 0x400000;
#endif
}
#if defined(DT_LEVEL_v4)
// The instructions of AVX512-BF16 round as above but take subnormal numbers for 0. This level is compiled for
// CPUs without them too, hence assembly behind a question.
DT_INLINE bool rounds_quickly(Vec<float> x) {
    return __atomic_load_n(&bfloat16_instructions, __ATOMIC_RELAXED) &&
           !_mm512_fpclass_ps_mask((__m512)x, 0x20);
}
DT_INLINE bool rounds_quickly(Vec<float> x, Vec<float> y) {
    return __atomic_load_n(&bfloat16_instructions, __ATOMIC_RELAXED) &&
           _kortestz_mask16_u8(_mm512_fpclass_ps_mask((__m512)x, 0x20),
                               _mm512_fpclass_ps_mask((__m512)y, 0x20));
}
DT_INLINE Halves round_quickly(Vec<float> x) {
    Halves h;
    asm volatile("vcvtneps2bf16 %1, %0" : "=v"(h) : "v"(x));
    return h;
}
DT_INLINE __m512i round_quickly(Vec<float> low, Vec<float> high) {
    __m512i h;
    asm volatile("vcvtne2ps2bf16 %1, %2, %0" : "=v"(h) : "v"(low), "v"(high));
    return h;
}
#endif
template <> DT_INLINE Vec<float> to_floats<bfloat16_t>(Halves h) { return (Vec<float>)widen(h); }
template <> DT_INLINE Halves to_halves<bfloat16_t>(Vec<float> x) {
#if defined(DT_LEVEL_v4)
    if (rounds_quickly(x)) [[likely]]
        return round_quickly(x);
#endif
    return narrow(rounded(x) >> 16);
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
// As from_float16 and to_float16; the sign goes along with what is multiplied.
DT_INLINE Vec<float> finite_floats(Vec<uint32_t> high) {
    return (Vec<float>)(((Vec<int32_t>)high >> 3) & int32_t(0x8fffe000)) * 0x1p112f;
}
template <> DT_INLINE Vec<float> to_floats<float16_t>(Halves h) {
    const Vec<int32_t> u = (Vec<int32_t>)finite_floats(widen(h)), magnitude = u & 0x7fffffff;
    const Vec<int32_t> infinite = (magnitude >= 0x47800000) & 0x7f800000,
                       quiet = (magnitude > 0x47800000) & 0x400000;
    return (Vec<float>)(u | infinite | quiet);
}
// Without the sign, of what rounds to less than 65536.
DT_INLINE Vec<int32_t> finite_half(Vec<int32_t> magnitude) {
    const Vec<int32_t> normal = (magnitude - (0x38000000 - 0xfff) + ((magnitude >> 13) & 1)) >> 13;
    const Vec<int32_t> subnormal = (Vec<int32_t>)((Vec<float>)magnitude + 0.5f) - 0x3f000000;
    return magnitude < 0x38800000 ? subnormal : normal;
}
template <> DT_INLINE Halves to_halves<float16_t>(Vec<float> x) {
    const Vec<uint32_t> u = (Vec<uint32_t>)x;
    const Vec<int32_t> magnitude = (Vec<int32_t>)(u & 0x7fffffff);
    Vec<int32_t> h = finite_half(magnitude);
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
#if !defined(DT_LEVEL_v4)
// Up to four halves, in pieces that are loaded and stored whole.
DT_INLINE uint64_t load_four(const void* from, int64_t n) {
    const char* p = static_cast<const char*>(from);
    uint64_t four = 0;
    uint32_t two = 0;
    uint16_t one = 0;
    if (n >= 4) {
        memcpy(&four, p, 8);
        return four;
    }
    if (n & 1) memcpy(&one, p + 2 * (n - 1), 2);
    if (n >= 2) memcpy(&two, p, 4);
    return n == 3 ? uint64_t(one) << 32 | two : one | two;
}
DT_INLINE void store_four(void* to, uint64_t halves, int64_t n) {
    char* p = static_cast<char*>(to);
    if (n >= 4) return void(memcpy(p, &halves, 8));
    const uint32_t two = uint32_t(halves);
    const uint16_t one = uint16_t(n == 3 ? halves >> 32 : halves);
    if (n >= 2) memcpy(p, &two, 4);
    if (n & 1) memcpy(p + 2 * (n - 1), &one, 2);
}
#endif
template <class S>
    requires(kHalf<S>)
DT_INLINE Vec<float> load_tail(const S* p, int64_t n) {
#if defined(DT_LEVEL_v4)
    return to_floats<S>((Halves)_mm256_maskz_loadu_epi16(__mmask16((1u << n) - 1), p));
#elif defined(DT_LEVEL_v3)
    const int64_t low = int64_t(load_four(p, n)), high = n > 4 ? int64_t(load_four(p + 4, n - 4)) : 0;
    return to_floats<S>((Halves)_mm_set_epi64x(high, low));
#else
    return to_floats<S>(__builtin_bit_cast(Halves, load_four(p, n)));
#endif
}
template <class S>
    requires(kHalf<S>)
DT_INLINE void store_tail(S* p, Vec<float> v, int64_t n) {
    const Halves h = to_halves<S>(v);
#if defined(DT_LEVEL_v4)
    _mm256_mask_storeu_epi16(p, __mmask16((1u << n) - 1), (__m256i)h);
#elif defined(DT_LEVEL_v3)
    store_four(p, uint64_t(_mm_cvtsi128_si64((__m128i)h)), n);
    if (n > 4) store_four(p + 4, uint64_t(_mm_extract_epi64((__m128i)h, 1)), n - 4);
#else
    store_four(p, __builtin_bit_cast(uint64_t, h), n);
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

// Half a vector of them as doubles.
template <class S>
    requires(kHalf<S>)
DT_INLINE Vec<double> load_double(const S* p) {
#if defined(DT_LEVEL_v4)
    const __m128i h = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm512_maskz_cvtps_pd(__mmask8(-1), __is_same(S, float16_t)
                                                   ? _mm256_cvtph_ps(h)
                                                   : (__m256)_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16));
#else
    Halves h{};
    memcpy(&h, p, sizeof h / 2);
    float floats[kLanes<float>];
    store(floats, to_floats<S>(h));
    return load_double(floats);
#endif
}

// --- Arrays ---

// Whether either of two vectors holds a NaN.
DT_INLINE bool any_nan(Vec<float> x, Vec<float> y) {
#if defined(DT_LEVEL_v4)
    return _mm512_cmp_ps_mask((__m512)x, (__m512)y, _CMP_UNORD_Q) != 0;
#elif defined(DT_LEVEL_v3)
    return _mm256_movemask_ps(_mm256_cmp_ps((__m256)x, (__m256)y, _CMP_UNORD_Q)) != 0;
#elif defined(__SSE2__)
    return _mm_movemask_ps(_mm_cmpunord_ps((__m128)x, (__m128)y)) != 0;
#else
    return any((x != x) | (y != y));
#endif
}

// Two vectors at a time: one instruction packs the halves of both, and one comparison finds what is rare in
// either (NaN, and where float16 is arithmetic also infinity), which then goes the way of single vectors.
template <class S> DT_INLINE void load_pair(const S* p, Vec<float>* x) {
#if defined(__SSE4_1__) && !defined(DT_LEVEL_v3) && !defined(DT_LEVEL_v4)
    const __m128i h = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)), zero = _mm_setzero_si128();
    const __m128i low = _mm_unpacklo_epi16(zero, h), high = _mm_unpackhi_epi16(zero, h);
    if constexpr (__is_same(S, bfloat16_t)) {
        x[0] = (Vec<float>)low, x[1] = (Vec<float>)high;
        return;
    } else {
        const __m128i magnitude = _mm_and_si128(h, _mm_set1_epi16(0x7fff));
        if (!_mm_movemask_epi8(_mm_cmpgt_epi16(magnitude, _mm_set1_epi16(0x7bff)))) [[likely]] {
            x[0] = finite_floats((Vec<uint32_t>)low), x[1] = finite_floats((Vec<uint32_t>)high);
            return;
        }
    }
#endif
    x[0] = load(p), x[1] = load(p + kLanes<float>);
}
// `exact`: the values need no rounding.
template <class S, bool exact = false> DT_INLINE void store_pair(S* p, Vec<float> x, Vec<float> y) {
#if defined(DT_LEVEL_v4)
    if constexpr (__is_same(S, bfloat16_t)) {
        typedef uint16_t Pair __attribute__((vector_size(64)));
        Pair upper;
        for (int i = 0; i < 32; ++i) upper[i] = uint16_t(2 * i + 1);
        Vec<uint32_t> a = (Vec<uint32_t>)x, b = (Vec<uint32_t>)y;
        if constexpr (!exact) {
            if (rounds_quickly(x, y)) [[likely]]
                return _mm512_storeu_si512(p, round_quickly(x, y));
            a = rounded_number(x), b = rounded_number(y);
            if (any_nan(x, y)) [[unlikely]]
                a = rounded(x), b = rounded(y);
        }
        return _mm512_storeu_si512(p, _mm512_permutex2var_epi16((__m512i)a, (__m512i)upper, (__m512i)b));
    }
#elif defined(__SSE4_1__)
    const Vec<uint32_t> a = (Vec<uint32_t>)x, b = (Vec<uint32_t>)y;
    if constexpr (__is_same(S, bfloat16_t)) {
        const Vec<uint32_t> r = (a + 0x7fff + ((a >> 16) & 1)) >> 16,
                            s = (b + 0x7fff + ((b >> 16) & 1)) >> 16;
#if defined(DT_LEVEL_v3)
        if (!any_nan(x, y)) [[likely]] {
            const __m256i lanes = _mm256_packus_epi32((__m256i)r, (__m256i)s);
            return _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permute4x64_epi64(lanes, 0xd8));
        }
#else
        if (!any_nan(x, y)) [[likely]]
            return _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_packus_epi32((__m128i)r, (__m128i)s));
#endif
    }
#if !defined(DT_LEVEL_v3)
    if constexpr (__is_same(S, float16_t)) {
        const __m128i ax = (__m128i)(a & 0x7fffffff), ay = (__m128i)(b & 0x7fffffff);
        const __m128i large = _mm_cmpgt_epi32(_mm_max_epi32(ax, ay), _mm_set1_epi32(0x477fefff));
        if (!_mm_movemask_epi8(large)) [[likely]] {
            const __m128i magnitude = _mm_packus_epi32((__m128i)finite_half((Vec<int32_t>)ax),
                                                       (__m128i)finite_half((Vec<int32_t>)ay));
            const __m128i negative =
                _mm_packs_epi32(_mm_srai_epi32((__m128i)a, 31), _mm_srai_epi32((__m128i)b, 31));
            const __m128i sign = _mm_and_si128(negative, _mm_set1_epi16(int16_t(0x8000)));
            return _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_or_si128(magnitude, sign));
        }
    }
#endif
#endif
    store(p, x);
    store(p + kLanes<float>, y);
}

// The same for who does not care which value is in which lane: a pair is 2 * kLanes<float> values, and its
// vectors are given back to store_any_pair in the order in which load_any_pair gave them. bfloat16 is cut
// into the even and the odd values, which are the upper half of a lane each but for a shift.
template <class S> DT_INLINE void load_any_pair(const S* p, Vec<float>* x) {
    if constexpr (__is_same(S, bfloat16_t)) {
        Vec<uint32_t> pairs;
        memcpy(&pairs, p, sizeof pairs);
        x[0] = (Vec<float>)(pairs << 16), x[1] = (Vec<float>)(pairs & 0xffff0000);
    } else {
        load_pair(p, x);
    }
}
template <class S, bool exact = false> DT_INLINE void store_any_pair(S* p, Vec<float> x, Vec<float> y) {
    if constexpr (__is_same(S, bfloat16_t)) {
        Vec<uint32_t> even = (Vec<uint32_t>)x, odd = (Vec<uint32_t>)y;
        if constexpr (!exact) {
#if defined(DT_LEVEL_v4)
            if (rounds_quickly(x, y)) [[likely]] {
                typedef uint16_t Pair __attribute__((vector_size(64)));
                Pair in_turn;
                for (int i = 0; i < 32; ++i) in_turn[i] = uint16_t(i / 2 + i % 2 * 16);
                return _mm512_storeu_si512(p,
                                           _mm512_permutexvar_epi16((__m512i)in_turn, round_quickly(x, y)));
            }
#endif
            even = rounded_number(x), odd = rounded_number(y);
            if (any_nan(x, y)) [[unlikely]]
                even = rounded(x), odd = rounded(y);
        }
        const Vec<uint32_t> pairs = (even >> 16) | (odd & 0xffff0000);
        memcpy(p, &pairs, sizeof pairs);
    } else {
        store_pair(p, x, y);
    }
}

template <class S> DT_INLINE void convert_array(int64_t n, const uint16_t* in, float* out) {
    constexpr int w = kLanes<float>;
    const S* from = reinterpret_cast<const S*>(in);
    int64_t i = 0;
    for (; i + 2 * w <= n; i += 2 * w) {
        Vec<float> x[2];
        load_pair(from + i, x);
        store(out + i, x[0]);
        store(out + i + w, x[1]);
    }
    for_vectors<float>(n - i, [&](int64_t j, auto part)
                                  DT_INLINE_LAMBDA { store(out + i + j, load(from + i + j, part), part); });
}
template <class S> DT_INLINE void convert_array(int64_t n, const float* in, uint16_t* out) {
    constexpr int w = kLanes<float>;
    S* to = reinterpret_cast<S*>(out);
    int64_t i = 0;
    for (; i + 2 * w <= n; i += 2 * w) store_pair(to + i, load(in + i), load(in + i + w));
    for_vectors<float>(n - i, [&](int64_t j, auto part)
                                  DT_INLINE_LAMBDA { store(to + i + j, load(in + i + j, part), part); });
}
// Between float32 and a half format known only now.
[[gnu::noinline]] inline void halves_to_floats(DType from, int64_t n, const void* in, float* out) {
    const uint16_t* halves = static_cast<const uint16_t*>(in);
    from == DType::float16 ? convert_array<float16_t>(n, halves, out)
                           : convert_array<bfloat16_t>(n, halves, out);
}
[[gnu::noinline]] inline void floats_to_halves(DType to, int64_t n, const float* in, void* out) {
    uint16_t* halves = static_cast<uint16_t*>(out);
    to == DType::float16 ? convert_array<float16_t>(n, in, halves) : convert_array<bfloat16_t>(n, in, halves);
}

// A function template's instances in the order of precision().
#define DT_PRECISIONS(function) {function<float>, function<double>, function<float16_t>, function<bfloat16_t>}

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
