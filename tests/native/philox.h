#pragma once
// Philox 4x32-10 as in the paper, one word at a time, and the numbers made of the words.
#include "kernels/random.h"

namespace dt::check {

// Word number i of a source: each 64 words come from 16 counters, word j is output j / 16 of counter j % 16.
inline uint32_t word(const RandomSource& source, int64_t i) {
    const int64_t group = i / 64, j = i % 64;
    uint32_t counter[4], key[2] = {uint32_t(source.seed), uint32_t(source.seed >> 32)};
    const uint64_t number = uint64_t(group) * 16 + uint64_t(j % 16);
    counter[0] = uint32_t(number), counter[1] = uint32_t(number >> 32);
    counter[2] = uint32_t(source.stream), counter[3] = uint32_t(source.stream >> 32);
    for (int round = 0; round < 10; ++round) {
        const uint64_t a = uint64_t(0xD2511F53) * counter[0], b = uint64_t(0xCD9E8D57) * counter[2];
        const uint32_t next[4] = {uint32_t(b >> 32) ^ counter[1] ^ key[0], uint32_t(b),
                                  uint32_t(a >> 32) ^ counter[3] ^ key[1], uint32_t(a)};
        for (int k = 0; k < 4; ++k) counter[k] = next[k];
        key[0] += 0x9E3779B9, key[1] += 0xBB67AE85;
    }
    return counter[j / 16];
}

// float64 and integers take two words: number j of a group of 32 takes words j % 16 and j % 16 + 16 of half j
// / 16.
inline uint64_t wide_word(const RandomSource& source, int64_t i) {
    const int64_t low = i / 32 * 64 + i % 32 / 16 * 32 + i % 16;
    return uint64_t(word(source, low + 16)) << 32 | word(source, low);
}

} // namespace dt::check
