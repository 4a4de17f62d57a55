#pragma once
// Vectors of bytes and of 16-bit words, in which images of uint8 are computed.
#include "kernels/cpu/vec.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {
namespace {

typedef uint8_t Bytes __attribute__((vector_size(kVectorBytes)));
typedef int16_t Words __attribute__((vector_size(kVectorBytes)));
typedef uint16_t UnsignedWords __attribute__((vector_size(kVectorBytes)));

constexpr uint8_t kNoByte = 128;

// gathered: in every 16 bytes of the result 16, or 8 and then 0, from `offset` elements behind an address of
// their own.
// pick: byte i of the result is byte pattern[i] of the same 16 bytes of v; 0 where that is kNoByte.
// scaled: (a * b + 2^14) >> 15, word by word.
// pair_sums: the sums of the products of two words each.
// low_product: the products of the lower 32 bits.
#if defined(__SSE2__)
template <int bytes, class T> DT_INLINE __m128i load_bytes(const T* p) {
    const __m128i* from = reinterpret_cast<const __m128i*>(p);
    return bytes == 16 ? _mm_loadu_si128(from) : _mm_loadl_epi64(from);
}
#endif
#if defined(DT_LEVEL_v4)
template <int bytes, class T> DT_INLINE Bytes gathered(const T* const* from, int64_t offset) {
    const auto two = [&](int i) DT_INLINE_LAMBDA {
        return _mm256_inserti128_si256(_mm256_castsi128_si256(load_bytes<bytes>(from[i] + offset)),
                                       load_bytes<bytes>(from[i + 1] + offset), 1);
    };
    return (Bytes)_mm512_maskz_inserti64x4(__mmask8(-1), _mm512_castsi256_si512(two(0)), two(2), 1);
}
DT_INLINE Bytes pick(Bytes v, Bytes pattern) {
    return (Bytes)_mm512_shuffle_epi8((__m512i)v, (__m512i)pattern);
}
DT_INLINE Words scaled(Words a, Words b) { return (Words)_mm512_mulhrs_epi16((__m512i)a, (__m512i)b); }
DT_INLINE Vec<int32_t> pair_sums(Words a, Words b) {
    return (Vec<int32_t>)_mm512_madd_epi16((__m512i)a, (__m512i)b);
}
DT_INLINE Vec<int64_t> low_product(Vec<int64_t> a, Vec<int64_t> b) {
    return (Vec<int64_t>)_mm512_maskz_mul_epu32(__mmask8(-1), (__m512i)a, (__m512i)b);
}
#elif defined(DT_LEVEL_v3)
template <int bytes, class T> DT_INLINE Bytes gathered(const T* const* from, int64_t offset) {
    return (Bytes)_mm256_inserti128_si256(_mm256_castsi128_si256(load_bytes<bytes>(from[0] + offset)),
                                          load_bytes<bytes>(from[1] + offset), 1);
}
DT_INLINE Bytes pick(Bytes v, Bytes pattern) {
    return (Bytes)_mm256_shuffle_epi8((__m256i)v, (__m256i)pattern);
}
DT_INLINE Words scaled(Words a, Words b) { return (Words)_mm256_mulhrs_epi16((__m256i)a, (__m256i)b); }
DT_INLINE Vec<int32_t> pair_sums(Words a, Words b) {
    return (Vec<int32_t>)_mm256_madd_epi16((__m256i)a, (__m256i)b);
}
DT_INLINE Vec<int64_t> low_product(Vec<int64_t> a, Vec<int64_t> b) {
    return (Vec<int64_t>)_mm256_mul_epu32((__m256i)a, (__m256i)b);
}
#elif defined(__SSSE3__)
template <int bytes, class T> DT_INLINE Bytes gathered(const T* const* from, int64_t offset) {
    return (Bytes)load_bytes<bytes>(from[0] + offset);
}
DT_INLINE Bytes pick(Bytes v, Bytes pattern) { return (Bytes)_mm_shuffle_epi8((__m128i)v, (__m128i)pattern); }
DT_INLINE Words scaled(Words a, Words b) { return (Words)_mm_mulhrs_epi16((__m128i)a, (__m128i)b); }
DT_INLINE Vec<int32_t> pair_sums(Words a, Words b) {
    return (Vec<int32_t>)_mm_madd_epi16((__m128i)a, (__m128i)b);
}
DT_INLINE Vec<int64_t> low_product(Vec<int64_t> a, Vec<int64_t> b) {
    return (Vec<int64_t>)_mm_mul_epu32((__m128i)a, (__m128i)b);
}
#else
template <int bytes, class T> DT_INLINE Bytes gathered(const T* const* from, int64_t offset) {
    Bytes v{};
    for (int i = 0; i < kVectorBytes / 16; ++i)
        memcpy(reinterpret_cast<char*>(&v) + 16 * i, from[i] + offset, bytes);
    return v;
}
DT_INLINE Bytes pick(Bytes v, Bytes pattern) {
    Bytes result{};
    for (int i = 0; i < kVectorBytes; ++i)
        result[i] = pattern[i] == kNoByte ? 0 : v[i / 16 * 16 + pattern[i]];
    return result;
}
DT_INLINE Words scaled(Words a, Words b) {
    for (int i = 0; i < kVectorBytes / 2; ++i) a[i] = int16_t((int32_t(a[i]) * b[i] + (1 << 14)) >> 15);
    return a;
}
DT_INLINE Vec<int32_t> pair_sums(Words a, Words b) {
    Vec<int32_t> sums;
    for (int i = 0; i < kLanes<int32_t>; ++i)
        sums[i] = int32_t(a[2 * i]) * b[2 * i] + int32_t(a[2 * i + 1]) * b[2 * i + 1];
    return sums;
}
DT_INLINE Vec<int64_t> low_product(Vec<int64_t> a, Vec<int64_t> b) {
    return (a & 0xffffffff) * (b & 0xffffffff);
}
#endif

// As many bytes as a vector has lanes of 32 bits: as these, and back, clipped.
typedef uint8_t LaneBytes __attribute__((vector_size(kVectorBytes / 4)));

DT_INLINE Vec<int32_t> load_bytes_as_whole(const uint8_t* p) {
#if defined(DT_LEVEL_v4)
    return (Vec<int32_t>)_mm512_maskz_cvtepu8_epi32(__mmask16(-1), load_bytes<16>(p));
#elif defined(DT_LEVEL_v3)
    return (Vec<int32_t>)_mm256_cvtepu8_epi32(load_bytes<8>(p));
#else
    LaneBytes bytes;
    memcpy(&bytes, p, sizeof bytes);
    return __builtin_convertvector(bytes, Vec<int32_t>);
#endif
}
DT_INLINE void store_clipped(uint8_t* to, Vec<int32_t> v) {
#if defined(DT_LEVEL_v4)
    const Vec<int32_t> positive = max(v, Vec<int32_t>{});
    _mm_storeu_si128((__m128i*)to, _mm512_maskz_cvtusepi32_epi8(__mmask16(-1), (__m512i)positive));
#elif defined(DT_LEVEL_v3)
    const __m128i words =
        _mm_packus_epi32(_mm256_castsi256_si128((__m256i)v), _mm256_extracti128_si256((__m256i)v, 1));
    _mm_storel_epi64((__m128i*)to, _mm_packus_epi16(words, words));
#else
    const LaneBytes bytes =
        __builtin_convertvector(min(max(v, Vec<int32_t>{}), broadcast(int32_t{255})), LaneBytes);
    memcpy(to, &bytes, sizeof bytes);
#endif
}

// Writes pixels of up to four channels that lie four lanes apart, clipped; up to 16 bytes behind `to` may
// become anything.
struct StorePixels {
    int64_t channels;
    Bytes pattern;

    explicit StorePixels(int64_t channels_) : channels(channels_) {
#if defined(DT_LEVEL_v4)
        for (int i = 0; i < kVectorBytes; ++i)
            pattern[i] = i < 4 * channels ? uint8_t(i / channels * 4 + i % channels) : kNoByte;
#else
        for (int i = 0; i < kVectorBytes; ++i) pattern[i] = i % 16 < 4 ? uint8_t(i % 16 * 4) : kNoByte;
#endif
    }
    DT_INLINE void operator()(uint8_t* to, Vec<int32_t> v) const {
#if defined(DT_LEVEL_v4)
        const Vec<int32_t> positive = max(v, Vec<int32_t>{});
        const __m128i bytes = _mm512_maskz_cvtusepi32_epi8(__mmask16(-1), (__m512i)positive);
        _mm_storeu_si128((__m128i*)to, _mm_shuffle_epi8(bytes, load_bytes<16>(&pattern)));
#else
        const Bytes bytes = pick((Bytes)min(max(v, Vec<int32_t>{}), broadcast(int32_t{255})), pattern);
#pragma GCC unroll 4
        for (int64_t lane = 0; lane < kVectorBytes / 16; ++lane)
            memcpy(to + lane * channels, reinterpret_cast<const char*>(&bytes) + 16 * lane, 4);
#endif
    }
};

// Four values as float32, and back: rounded to nearest and clipped for uint8 (NaN is 0). Of the results only
// the first n are written where n is below four.
typedef float Four __attribute__((vector_size(16)));
typedef int32_t FourWhole __attribute__((vector_size(16)));

DT_INLINE Four load_four(const float* p) {
    Four v;
    memcpy(&v, p, sizeof v);
    return v;
}
DT_INLINE Four load_four(const uint8_t* p) {
#if defined(__SSE4_1__)
    int32_t bytes;
    memcpy(&bytes, p, sizeof bytes);
    return (Four)_mm_cvtepi32_ps(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(bytes)));
#else
    return Four{float(p[0]), float(p[1]), float(p[2]), float(p[3])};
#endif
}
template <class T> DT_INLINE void store_some(T* to, const T* values, int64_t n) {
    if (n >= 4)
        memcpy(to, values, 4 * sizeof(T));
    else
        for (int64_t i = 0; i < n; ++i) to[i] = values[i];
}
DT_INLINE void store_four(float* to, Four v, int64_t n) {
    float values[4];
    memcpy(values, &v, sizeof v);
    store_some(to, values, n);
}
DT_INLINE void store_four(uint8_t* to, Four v, int64_t n) {
    v = v > 0 ? v : Four{};
    v = v < 255 ? v : Four{} + 255;
    const FourWhole whole = __builtin_convertvector(v + 0.5f, FourWhole);
#if defined(__SSE4_1__)
    const __m128i words = _mm_packus_epi32((__m128i)whole, (__m128i)whole);
    const int32_t packed = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));
    uint8_t bytes[4];
    memcpy(bytes, &packed, sizeof bytes);
#else
    const uint8_t bytes[4] = {uint8_t(whole[0]), uint8_t(whole[1]), uint8_t(whole[2]), uint8_t(whole[3])};
#endif
    store_some(to, bytes, n);
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
