#pragma once
// Philox 4x32-10 on vectors of counters. A group is the 64 words of 16 neighbouring counters: word j of group
// g is output j / 16 of counter 16 g + j % 16, whatever the vector width.
#include "kernels/cpu/lanes.h"
#include "kernels/random.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {
namespace {

constexpr int64_t kGroupWords = 64;

typedef uint64_t WideVec __attribute__((vector_size(kVectorBytes)));

// Products of the low halves of the 64-bit lanes, in full.
DT_INLINE WideVec multiply_even(WideVec a, WideVec b) {
#if defined(DT_LEVEL_v4)
    return (WideVec)_mm512_maskz_mul_epu32(__mmask8(-1), (__m512i)a, (__m512i)b);
#elif defined(DT_LEVEL_v3)
    return (WideVec)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
    return (WideVec)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
    return (a & 0xffffffffu) * (b & 0xffffffffu);
#endif
}

// The four words of counters in the 64-bit lanes: the low half of each holds the word, the high half
// anything, which the multiplication does not see.
struct PhiloxState {
    WideVec c0, c1, c2, c3;

    DT_INLINE void round(uint64_t k0, uint64_t k1) {
        const WideVec p0 = multiply_even(c0, uint64_t{0xD2511F53u} - WideVec{});
        const WideVec p1 = multiply_even(c2, uint64_t{0xCD9E8D57u} - WideVec{});
        c0 = (p1 >> 32) ^ c1 ^ k0;
        c1 = p1;
        c2 = (p0 >> 32) ^ c3 ^ k1;
        c3 = p0;
    }
};
DT_INLINE void store_words(uint32_t* words, WideVec even, WideVec odd) {
    const WideVec both = (even & 0xffffffffu) | (odd << 32);
    __builtin_memcpy(words, &both, sizeof both);
}

DT_INLINE void philox_group(const RandomSource& source, int64_t group, uint32_t* words) {
    const uint64_t first = uint64_t(group) * 16;
    for (int lane = 0; lane < 16; lane += kLanes<uint32_t>) {
        uint32_t k0 = uint32_t(source.seed), k1 = uint32_t(source.seed >> 32);
        PhiloxState even, odd; // counters first + lane + 0, 2, 4, ... and 1, 3, 5, ...
        even.c0 = 2 * iota<uint64_t>() + (first + uint64_t(lane)); // no carry: first is a multiple of 16
        odd.c0 = even.c0 + 1;
        even.c1 = odd.c1 = (first >> 32) - WideVec{};
        even.c2 = odd.c2 = uint64_t(uint32_t(source.stream)) - WideVec{};
        even.c3 = odd.c3 = (source.stream >> 32) - WideVec{};
#pragma GCC unroll 10
        for (int round = 0; round < 10; ++round) {
            even.round(k0, k1);
            odd.round(k0, k1);
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        store_words(words + lane, even.c0, odd.c0);
        store_words(words + 16 + lane, even.c1, odd.c1);
        store_words(words + 32 + lane, even.c2, odd.c2);
        store_words(words + 48 + lane, even.c3, odd.c3);
    }
}

// Word number i of a source whose run begins at 0, by itself.
inline uint32_t philox_word(const RandomSource& source, int64_t i) {
    const uint64_t counter = uint64_t(i) / 64 * 16 + uint64_t(i) % 16;
    uint32_t c[4] = {uint32_t(counter), uint32_t(counter >> 32), uint32_t(source.stream),
                     uint32_t(source.stream >> 32)};
    uint32_t k0 = uint32_t(source.seed), k1 = uint32_t(source.seed >> 32);
    for (int round = 0; round < 10; ++round) {
        const uint64_t p0 = uint64_t{0xD2511F53u} * c[0], p1 = uint64_t{0xCD9E8D57u} * c[2];
        c[0] = uint32_t(p1 >> 32) ^ c[1] ^ k0;
        c[1] = uint32_t(p1);
        c[2] = uint32_t(p0 >> 32) ^ c[3] ^ k1;
        c[3] = uint32_t(p0);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return c[uint64_t(i) % 64 / 16];
}

// Values [begin, begin + n) of a source of which each group gives `per_group`: make(words, first, values)
// turns the words of a group into its values, of which the first is number `first` of the run (it may be
// below 0 or run past the end).
template <int per_group, class T, class F>
DT_INLINE void fill_from_groups(const RandomSource& source, int64_t n, T* output, const F& make) {
    if (n <= 0) return;
    const int64_t first_group = source.begin / per_group, last_group = ceil_div(source.begin + n, per_group);
    const bool streaming = source.begin % per_group == 0 && can_stream(output, n, per_group);
    parallel(last_group - first_group, grain_for(8 * per_group), [&](int64_t begin, int64_t end) {
        for (int64_t g = begin + first_group; g < end + first_group; ++g) {
            alignas(64) uint32_t words[kGroupWords];
            philox_group(source, g, words);
            const int64_t at = g * per_group - source.begin;
            alignas(64) T values[per_group];
            if (at < 0 || at + per_group > n) {
                make(words, at, values);
                for (int j = 0; j < per_group; ++j)
                    if (at + j >= 0 && at + j < n) output[at + j] = values[j];
            } else if (streaming) {
                make(words, at, values);
                for (int j = 0; j < per_group; j += kLanes<T>)
                    stream(output + at + j, load(values + j), Whole{});
            } else {
                make(words, at, output + at);
            }
        }
        if (streaming) finish_streaming();
    });
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
