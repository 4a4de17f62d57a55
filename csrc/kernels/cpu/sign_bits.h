#pragma once
// One bit for each element of an array, set where it is above 0: what the backward of a fused ReLU needs to
// know. The format is the same on every ISA level: bit i % 8 of byte i / 8.
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/mask_bits.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {
namespace {

constexpr int64_t sign_bytes(int64_t n) { return n / 8 + 5; } // whole words are read and written

template <class T> DT_INLINE uint32_t bits_above_zero(Vec<T> v) {
#if defined(DT_LEVEL_v4) // mask_bits costs two instructions more
    if constexpr (sizeof(T) == 4)
        return _mm512_cmp_ps_mask((__m512)v, (__m512)Vec<T>{}, _CMP_GT_OQ);
    else
        return _mm512_cmp_pd_mask((__m512d)v, (__m512d)Vec<T>{}, _CMP_GT_OQ);
#else
    return mask_bits<T>(v > Vec<T>{});
#endif
}

// v where the bit is set, 0 elsewhere.
template <class T> DT_INLINE Vec<T> keep(uint32_t bits, Vec<T> v) {
#if defined(DT_LEVEL_v4)
    if constexpr (sizeof(T) == 4)
        return (Vec<T>)_mm512_maskz_mov_ps(__mmask16(bits), (__m512)v);
    else
        return (Vec<T>)_mm512_maskz_mov_pd(__mmask8(bits), (__m512d)v);
#else
    const Mask<T> lanes = lane_bits<T>();
    return (Vec<T>)((Mask<T>)v & ((broadcast(Lane<Mask<T>>(bits)) & lanes) == lanes));
#endif
}

// The bits of a vector's elements from i on. They are written in order: what stands behind is lost.
template <class T> DT_INLINE void put_bits(uint8_t* to, int64_t i, uint32_t bits) {
    uint8_t* at = to + i / 8;
    if (kLanes<T> % 8 == 0 && i % 8 == 0) {
        memcpy(at, &bits, kLanes<T> / 8);
        return;
    }
    uint32_t word;
    memcpy(&word, at, sizeof word);
    word = (word & ((1u << i % 8) - 1)) | bits << i % 8;
    memcpy(at, &word, sizeof word);
}
template <class T> DT_INLINE uint32_t get_bits(const uint8_t* from, int64_t i) {
    uint32_t word = 0;
    if (kLanes<T> % 8 == 0 && i % 8 == 0) {
        memcpy(&word, from + i / 8, kLanes<T> / 8);
        return word;
    }
    memcpy(&word, from + i / 8, sizeof word);
    return word >> i % 8;
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
