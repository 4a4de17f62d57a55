#pragma once
#include <cstdint>

#include "kernels/random.h"

namespace dt {

// output = input / (1 - p) where word i of the source is kept, else 0. The backward is the same call on the
// gradient with the same source: nothing is stored. p = 1 keeps nothing.
struct Dropout {
    void (*apply[2])(const RandomSource& source, int64_t n, double p, const void* input, void* output);
};

} // namespace dt
