#pragma once
#include <cstdint>

#include "kernels/warp.h"

namespace dt {

// Windows of images (.., in_h, in_w) of pixels of some bytes: output (batch, out_h, out_w) shows the window
// whose first pixel is in column corners[i][0] and row corners[i][1] of image rows[i] (i where there are no
// rows), mirrored left to right (flips[i] & 1) and top to bottom (flips[i] & 2). Pixels beside the image are
// those of `fill`, or `fill_pixel`.
struct CutArgs {
    int64_t batch = 0, in_h = 1, in_w = 1, bytes = 1, out_h = 1, out_w = 1;
    const void* images = nullptr;
    void* output = nullptr;
    const int64_t* corners = nullptr;
    const int64_t* rows = nullptr;
    const uint8_t* flips = nullptr; // null: none
    Fill fill = Fill::grid_constant;
    const void* fill_pixel = nullptr;
};

struct Cut {
    void (*cut)(const CutArgs& args);
};

} // namespace dt
