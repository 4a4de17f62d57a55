#pragma once
#include <cstdint>

namespace dt {

// Where a run of random numbers comes from. Value number `begin + i` of (seed, stream) is the same whoever
// draws it, and in however many pieces. The bits are those of Philox 4x32-10 (Salmon et al., "Parallel random
// numbers: as easy as 1, 2, 3", 2011) with the seed as key and (counter, stream) as counter. Each 64 words
// come from 16 counters: word j of them is output j / 16 of counter j % 16, which suits vectors of every
// width.
struct RandomSource {
    uint64_t seed = 0, stream = 0;
    int64_t begin = 0;
};

// [0] writes float32, [1] float64. float32 takes one word a value, float64 and integers take two.
struct Random {
    void (*uniform[2])(const RandomSource& source, int64_t n, double low, double high,
                       void* output); // in [low, high)
    void (*normal[2])(const RandomSource& source, int64_t n, double mean, double std, void* output);
    // 1 with the probability given for each value, or with the one probability where the stride is 0; else 0.
    // False where a probability is none.
    bool (*bernoulli[2])(const RandomSource& source, int64_t n, const void* probability, int64_t stride,
                         void* output);
    void (*integers)(const RandomSource& source, int64_t n, int64_t low, int64_t high,
                     int64_t* output);                                           // in [low, high)
    void (*permutation)(const RandomSource& source, int64_t n, int64_t* output); // of 0 .. n-1
};

} // namespace dt
