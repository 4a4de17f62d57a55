#pragma once
#include <cstdint>

namespace dt {

// Between pixels: the nearest one, linear, or cubic (Keys, 1981, a = -0.5).
enum class Interpolation { nearest, bilinear, bicubic, count };

// What lies outside an image of n pixels a b c d along an axis; the names are those of scipy.ndimage.
enum class Fill {
    constant,      // k k k k | a b c d | k k k k   the value, without mixing, wherever a place is outside
    nearest,       // a a a a | a b c d | d d d d
    reflect,       // d c b a | a b c d | d c b a
    mirror,        //   d c b | a b c d | c b a
    wrap,          // places repeat after n - 1 pixels: the last pixel is also the first
    grid_wrap,     // a b c d | a b c d | a b c d
    grid_constant, // as constant, but at the edge pixels and value are mixed
    count
};

// Images (batch, in_h, in_w, channels) to output (batch, out_h, out_w, channels), both contiguous. The pixel
// in column x and row y of an output shows the place (x', y') of its image: (x' w, y' w, w) = matrix (x, y,
// 1) with matrices (batch, 3, 3); where there are none, (x, y) + field[y, x] with field (batch, out_h, out_w,
// 2). Places beyond 2^30 pixels count as being there, those that are no numbers as being at -2^30.
struct WarpArgs {
    int64_t batch = 0, in_h = 1, in_w = 1, channels = 1, out_h = 1, out_w = 1;
    const void* images = nullptr;
    void* output = nullptr;
    const double* matrices = nullptr;
    const float* field = nullptr;
    Interpolation interpolation = Interpolation::bilinear;
    Fill fill = Fill::constant;
    float fill_value = 0;
};

// Results have the same bits on every ISA level.
struct Warp {
    void (*u8)(const WarpArgs& args); // rounded to nearest
    void (*f32)(const WarpArgs& args);
};

} // namespace dt
