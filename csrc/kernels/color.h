#pragma once
#include <cstdint>

namespace dt {

// Images (samples, height, width, channels), contiguous. Results are cut to [low, high]: 0 and 255 for uint8.
struct ImageBatch {
    int64_t samples = 0, height = 1, width = 1, channels = 1;
    float low = 0, high = 255;
};

// What a pixel goes through, one step after the other without rounding between them, each cut to the range. A
// step is kColorNumbers floats, the kind and then what it needs:
//   matrix    3 rows of 4: new red = m[0] red + m[1] green + m[2] blue + m[3], then green and blue
//   contrast  a factor: mean + factor (value - mean), with the mean of the grey values before the step
//   hue       turns in [0, 1), by which the hue of HSV is moved
// Images of 3 channels, or of 4, of which the last stays; of others every value is a grey one, for which a
// matrix is m[0] value + m[3], and a hue nothing.
enum class ColorStep { none, matrix, contrast, hue, count };
inline constexpr int64_t kColorNumbers = 13;

enum class Noise { gaussian, speckle, salt_and_pepper, count };
inline constexpr int64_t kMaxTaps = 255;

// [0] reads uint8, [1] float32.
struct Color {
    // `steps` is (samples, count, kColorNumbers); of each sample's at most one is contrast.
    void (*transform[2])(const ImageBatch& batch, const void* x, const float* steps, int64_t count, void* y);
    // Adds to counts (samples, channels, 256); float32 is rounded to 256 levels of [0, high] first.
    void (*histogram[2])(const ImageBatch& batch, const void* x, int64_t* counts);
    // Through tables (samples, 1 or channels, 256); float32 is rounded to 256 levels, and so is what comes
    // out.
    void (*lookup[2])(const ImageBatch& batch, const void* x, const uint8_t* tables, int64_t per_sample,
                      void* y);
    // Each sample draws from the Philox stream of its key. `amounts` is (samples, 2): mean and standard
    // deviation, of speckle as a factor of the value; the share of pixels, and of salt among them.
    void (*noise[2])(const ImageBatch& batch, Noise kind, const void* x, const int64_t* keys,
                     const float* amounts, void* y);
    // centre x + the sum of taps, down (samples, down_count) and then across (samples, across_count), both
    // counts odd; the image is mirrored at its border, whose pixels stay as they are with keep_border.
    void (*filter[2])(const ImageBatch& batch, const void* x, const float* down, int64_t down_count,
                      const float* across, int64_t across_count, const float* centre, bool keep_border,
                      void* y);
    // In place: boxes (samples, count, 4) of x0, y0, x1, y1 within the image become `values` (channels), or
    // with keys uniform numbers of [low, high].
    void (*erase[2])(const ImageBatch& batch, const int64_t* boxes, int64_t count, const float* values,
                     const int64_t* keys, void* y);
    // x scale + shift, by channel; those of sample i begin at i stride. Not cut.
    void (*normalize[2])(const ImageBatch& batch, const void* x, const float* scale, const float* shift,
                         int64_t stride, float* y);
};

} // namespace dt
