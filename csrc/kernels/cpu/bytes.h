#pragma once
// uint8 values in vectors of float: load_values and store_values read and write either type. Bytes round to
// nearest, ties to even; what is stored to them must lie within 0 and 255.
#include "kernels/cpu/lanes.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {
namespace {

template <class Length> DT_INLINE Vec<float> load_values(const float* p, Length part) {
    return load(p, part);
}
template <class Length> DT_INLINE void store_values(float* p, Vec<float> v, Length part) {
    store(p, v, part);
}

DT_INLINE Vec<float> load_values(const uint8_t* p, Whole) {
#if defined(DT_LEVEL_v4)
    const __m512i whole =
        _mm512_maskz_cvtepu8_epi32(__mmask16(-1), _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    return (Vec<float>)_mm512_maskz_cvtepi32_ps(__mmask16(-1), whole);
#elif defined(DT_LEVEL_v3)
    const __m256i whole = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
    return (Vec<float>)_mm256_cvtepi32_ps(whole);
#else
    typedef uint8_t Few __attribute__((vector_size(4)));
    Few few;
    memcpy(&few, p, sizeof few);
    return __builtin_convertvector(few, Vec<float>);
#endif
}
DT_INLINE void store_values(uint8_t* p, Vec<float> v, Whole) {
    // In [2^23, 2^24) floats are whole numbers: the sum is rounded, and its last bits are the byte.
    const Vec<int32_t> bits = (Vec<int32_t>)(v + 0x1p23f) & 0xff;
#if defined(DT_LEVEL_v4)
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_maskz_cvtepi32_epi8(__mmask16(-1), (__m512i)bits));
#elif defined(DT_LEVEL_v3)
    const __m128i words =
        _mm_packus_epi32(_mm256_castsi256_si128((__m256i)bits), _mm256_extracti128_si256((__m256i)bits, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(words, words));
#else
    typedef uint8_t Few __attribute__((vector_size(4)));
    const Few few = __builtin_convertvector(bits, Few);
    memcpy(p, &few, sizeof few);
#endif
}

[[gnu::noinline]] Vec<float> load_values(const uint8_t* p, Part part) {
    uint8_t whole[kLanes<float>] = {};
    for (int64_t i = 0; i < part.n; ++i) whole[i] = p[i];
    return load_values(whole, Whole{});
}
[[gnu::noinline]] void store_values(uint8_t* p, Vec<float> v, Part part) {
    uint8_t whole[kLanes<float>];
    store_values(whole, v, Whole{});
    for (int64_t i = 0; i < part.n; ++i) p[i] = whole[i];
}

// One value. NaN becomes 0 of uint8.
DT_INLINE void store_value(float* p, float v) { *p = v; }
DT_INLINE void store_value(uint8_t* p, float v) {
    *p = v > 0 ? v < 255 ? uint8_t(int(v + 0x1p23f - 0x1p23f)) : uint8_t(255) : uint8_t(0);
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
