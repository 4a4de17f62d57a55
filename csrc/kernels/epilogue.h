#pragma once
#include <cstdint>

#include "kernels/precision.h"

namespace dt {

// The way back through what a layer does to its product: for y = relu(product + bias), `before` = grad where
// y > 0, else 0, and sums = the sums of its columns, the gradient of the bias. One pass over all.
struct EpilogueGradArgs {
    int64_t rows = 0, cols = 0;
    const void* grad = nullptr; // rows x cols, as y and before
    const void* y = nullptr;    // none: no relu, and before is grad
    void* before = nullptr;     // none where not wanted; may be grad's memory
    void* sums = nullptr;       // cols values; none where not wanted
};

// By precision(dtype). The sums of the half formats are float32.
struct Epilogue {
    void (*gradient[kPrecisions])(const EpilogueGradArgs& args);
};

} // namespace dt
