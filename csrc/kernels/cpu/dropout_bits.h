#pragma once
// Which elements dropout keeps; see kernels/dropout.h.
#include "kernels/cpu/philox.h"
#include "kernels/dropout.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {
namespace {

constexpr int kGroup = kDropoutGroup; // elements that one group of words decides

// Bit e % 64 of word e / 64 says whether element e is kept.
struct Kept {
    uint64_t bits[kGroup / 64];
};

#if defined(DT_LEVEL_v4)
DT_INLINE void compare_bytes(const uint32_t* words, uint8_t high, Kept& above, Kept& equal) {
    for (int i = 0; i < kGroup / 64; ++i) {
        const __m512i bytes = (__m512i)load(words + 16 * i), limit = _mm512_set1_epi8(char(high));
        above.bits[i] = _mm512_cmpgt_epu8_mask(bytes, limit);
        equal.bits[i] = _mm512_cmpeq_epu8_mask(bytes, limit);
    }
}
#elif defined(__SSE2__)
DT_INLINE void compare_bytes(const uint32_t* words, uint8_t high, Kept& above, Kept& equal) {
    const __m128i limit = _mm_set1_epi8(char(high));
    for (int i = 0; i < kGroup / 64; ++i) {
        above.bits[i] = equal.bits[i] = 0;
        for (int j = 0; j < 4; ++j) {
            const __m128i bytes = _mm_load_si128(reinterpret_cast<const __m128i*>(words + 16 * i + 4 * j));
            const auto bits = [&](__m128i mask) {
                return uint64_t(uint32_t(_mm_movemask_epi8(mask))) << (16 * j);
            };
            const uint64_t same = bits(_mm_cmpeq_epi8(bytes, limit));
            above.bits[i] |= bits(_mm_cmpeq_epi8(_mm_max_epu8(bytes, limit), bytes)) & ~same;
            equal.bits[i] |= same;
        }
    }
}
#else
DT_INLINE void compare_bytes(const uint32_t* words, uint8_t high, Kept& above, Kept& equal) {
    for (int i = 0; i < kGroup / 64; ++i) {
        above.bits[i] = equal.bits[i] = 0;
        for (int j = 0; j < 64; ++j) {
            const uint32_t byte = words[16 * i + j / 4] >> (8 * (j % 4)) & 255;
            above.bits[i] |= uint64_t(byte > high) << j;
            equal.bits[i] |= uint64_t(byte == high) << j;
        }
    }
}
#endif

// The elements of a group whose 32-bit numbers are at least the threshold. Nearly always the first byte says
// it; only where that is the threshold's own are the other three drawn, from a stream of their own.
DT_INLINE Kept kept_of_group(const RandomSource& source, int64_t group, uint32_t threshold) {
    alignas(64) uint32_t words[kGroupWords];
    philox_group(source, group, words);
    Kept above, equal;
    compare_bytes(words, uint8_t(threshold >> 24), above, equal);
    const uint32_t low = threshold & 0xffffff;
    for (int i = 0; i < kGroup / 64; ++i) {
        if (low == 0) {
            above.bits[i] |= equal.bits[i];
            continue;
        }
        for (uint64_t rest = equal.bits[i]; rest; rest &= rest - 1) {
            const int e = __builtin_ctzll(rest);
            const uint32_t more = philox_word(dropout_details(source), group * kGroup + 64 * i + e) >> 8;
            above.bits[i] |= uint64_t(more >= low) << e;
        }
    }
    return above;
}

template <class T> DT_INLINE Vec<T> keep(Vec<T> x, uint64_t bits, T scale) {
#if defined(DT_LEVEL_v4)
    if constexpr (sizeof(T) == 4)
        return (Vec<T>)_mm512_maskz_mul_ps(__mmask16(bits), (__m512)x, (__m512)broadcast(scale));
    else
        return (Vec<T>)_mm512_maskz_mul_pd(__mmask8(bits), (__m512d)x, (__m512d)broadcast(scale));
#else
    using I = Lane<Mask<T>>;
    const Mask<T> bit = I(1) << iota<I>();
    return select(Mask<T>((broadcast(I(bits)) & bit) != 0), x * scale, Vec<T>{});
#endif
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
