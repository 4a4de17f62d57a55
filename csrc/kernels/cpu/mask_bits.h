#pragma once
// Masks as bits, one for each lane, the first lane lowest: for searches and for packing what a mask chooses.
#include "kernels/cpu/vec.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {
namespace {

// A vector of 1, 2, 4, ...
template <class T> DT_INLINE Mask<T> lane_bits() {
    Mask<T> bits{};
    for (int i = 0; i < kLanes<T>; ++i) bits[i] = 1 << i;
    return bits;
}

template <class T> DT_INLINE uint32_t mask_bits(Mask<T> mask) {
#if defined(DT_LEVEL_v4)
    if constexpr (sizeof(T) == 4)
        return _mm512_movepi32_mask((__m512i)mask);
    else
        return _mm512_movepi64_mask((__m512i)mask);
#elif defined(DT_LEVEL_v3)
    if constexpr (sizeof(T) == 4)
        return uint32_t(_mm256_movemask_ps((__m256)mask));
    else
        return uint32_t(_mm256_movemask_pd((__m256d)mask));
#elif defined(__SSE2__)
    if constexpr (sizeof(T) == 4)
        return uint32_t(_mm_movemask_ps((__m128)mask));
    else
        return uint32_t(_mm_movemask_pd((__m128d)mask));
#else
    return uint32_t(
        reduce(mask & lane_bits<T>(), [](Mask<T> a, Mask<T> b) DT_INLINE_LAMBDA { return a | b; }));
#endif
}

// mask_bits(a == b), and of which lanes a or b is NaN.
template <class V> DT_INLINE uint32_t equal_bits(V a, V b) { return mask_bits<Lane<V>>(a == b); }
template <class V> DT_INLINE uint32_t unordered_bits(V a, V b) {
    return mask_bits<Lane<V>>((a != a) | (b != b));
}
#if defined(DT_LEVEL_v4) // g++ 12 makes a vector of the bits and bits of the vector
DT_INLINE uint32_t equal_bits(Vec<float> a, Vec<float> b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
DT_INLINE uint32_t equal_bits(Vec<double> a, Vec<double> b) { return _mm512_cmp_pd_mask(a, b, _CMP_EQ_OQ); }
DT_INLINE uint32_t equal_bits(Vec<int32_t> a, Vec<int32_t> b) {
    return _mm512_cmpeq_epi32_mask((__m512i)a, (__m512i)b);
}
DT_INLINE uint32_t equal_bits(Vec<int64_t> a, Vec<int64_t> b) {
    return _mm512_cmpeq_epi64_mask((__m512i)a, (__m512i)b);
}
DT_INLINE uint32_t unordered_bits(Vec<float> a, Vec<float> b) {
    return _mm512_cmp_ps_mask(a, b, _CMP_UNORD_Q);
}
DT_INLINE uint32_t unordered_bits(Vec<double> a, Vec<double> b) {
    return _mm512_cmp_pd_mask(a, b, _CMP_UNORD_Q);
}
#endif

// The lanes chosen by `bits` side by side.
template <class K> DT_INLINE Vec<K> compress(Vec<K> v, uint32_t bits) {
#if defined(DT_LEVEL_v4)
    if constexpr (sizeof(K) == 4)
        return (Vec<K>)_mm512_maskz_compress_epi32(__mmask16(bits), (__m512i)v);
    else
        return (Vec<K>)_mm512_maskz_compress_epi64(__mmask8(bits), (__m512i)v);
#else
    Vec<K> packed{};
    K chosen[kLanes<K> + 1];
    int count = 0;
    for (int i = 0; i < kLanes<K>; ++i) {
        chosen[count] = v[i];
        count += bits >> i & 1;
    }
    memcpy(&packed, chosen, sizeof packed);
    return packed;
#endif
}

// Which of 64 bytes are not 0.
DT_INLINE uint64_t bytes_set(const uint8_t* p) {
#if defined(DT_LEVEL_v4)
    const __m512i v = _mm512_loadu_si512(p);
    return _mm512_test_epi8_mask(v, v);
#elif defined(__SSE2__)
    uint64_t zero = 0;
    for (int i = 0; i < 4; ++i) {
        const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 16 * i));
        zero |= uint64_t(uint32_t(_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_setzero_si128())))) << (16 * i);
    }
    return ~zero;
#else
    uint64_t bits = 0;
    for (int i = 0; i < 64; ++i) bits |= uint64_t(p[i] != 0) << i;
    return bits;
#endif
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
