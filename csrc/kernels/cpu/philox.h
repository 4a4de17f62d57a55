#pragma once
// Philox 4x32-10 on vectors of counters. A group is the 64 words of 16 neighbouring counters: word j of group
// g is output j / 16 of counter 16 g + j % 16, whatever the vector width.
#include "kernels/cpu/common.h"
#include "kernels/random.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

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

// Every 32-bit lane times `factor`: the high and the low half of the product.
DT_INLINE void multiply(Vec<uint32_t> x, uint32_t factor, Vec<uint32_t>& high, Vec<uint32_t>& low) {
    const WideVec f = uint64_t(factor) - WideVec{};
    const WideVec even = multiply_even((WideVec)x, f), odd = multiply_even((WideVec)x >> 32, f);
    high = (Vec<uint32_t>)((even >> 32) | (odd & 0xffffffff00000000u));
    low = (Vec<uint32_t>)((even & 0xffffffffu) | (odd << 32));
}

DT_INLINE void philox_group(const RandomSource& source, int64_t group, uint32_t* words) {
    using V = Vec<uint32_t>;
    const uint64_t first = uint64_t(group) * 16;
    for (int lane = 0; lane < 16; lane += kLanes<uint32_t>) {
        uint32_t k0 = uint32_t(source.seed), k1 = uint32_t(source.seed >> 32);
        V c0 = iota<uint32_t>() + (uint32_t(first) + lane), c1 = broadcast(uint32_t(first >> 32));
        V c2 = broadcast(uint32_t(source.stream)), c3 = broadcast(uint32_t(source.stream >> 32));
#pragma GCC unroll 10
        for (int round = 0; round < 10; ++round) {
            V high0, low0, high1, low1;
            multiply(c0, 0xD2511F53u, high0, low0);
            multiply(c2, 0xCD9E8D57u, high1, low1);
            c0 = high1 ^ c1 ^ k0;
            c1 = low1;
            c2 = high0 ^ c3 ^ k1;
            c3 = low0;
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        store(words + lane, c0);
        store(words + 16 + lane, c1);
        store(words + 32 + lane, c2);
        store(words + 48 + lane, c3);
    }
}

// Values [begin, begin + n) of a source of which each group gives `per_group`: make(words, first, values)
// turns the words of a group into its values, of which the first is number `first` of the run (it may be
// below 0 or run past the end).
template <int per_group, class T, class F>
DT_INLINE void fill_from_groups(const RandomSource& source, int64_t n, T* output, const F& make) {
    if (n <= 0) return;
    const int64_t first_group = source.begin / per_group, last_group = ceil_div(source.begin + n, per_group);
    parallel(last_group - first_group, grain_for(8 * per_group), [&](int64_t begin, int64_t end) {
        for (int64_t g = begin + first_group; g < end + first_group; ++g) {
            alignas(64) uint32_t words[kGroupWords];
            philox_group(source, g, words);
            const int64_t at = g * per_group - source.begin;
            if (at >= 0 && at + per_group <= n) {
                make(words, at, output + at);
            } else {
                alignas(64) T values[per_group];
                make(words, at, values);
                for (int j = 0; j < per_group; ++j)
                    if (at + j >= 0 && at + j < n) output[at + j] = values[j];
            }
        }
    });
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
