#pragma once
#include <cstdint>

#include "kernels/precision.h"
#include "kernels/random.h"

namespace dt {

// Which elements are kept: those whose 32-bit number is at least p 2^32. Its highest byte is byte e % 4 of
// word e / 4 of the source, for element e; the other three are the upper ones of word e of dropout_details(),
// which matter for one element in 256.
inline constexpr int kDropoutGroup = 256; // elements that 64 words decide
constexpr RandomSource dropout_details(RandomSource source) {
    source.stream ^= uint64_t{1} << 63;
    return source;
}

// output = input / (1 - p) where the element is kept, else 0. The backward is the same call on the gradient
// with the same source: nothing is stored. p = 1 keeps nothing.
struct Dropout {
    void (*apply[kPrecisions])(const RandomSource& source, int64_t n, double p, const void* input,
                               void* output);
};

} // namespace dt
