#pragma once
#include <cstdint>

namespace dt {

// How the pixels of one axis are mixed: output i of sample s is the sum of weight[(s out + i) taps + k] times
// pixel first[s out + i] + k, for k below count[s out + i]. Samples may share one table.
struct ResizeAxis {
    int64_t in = 1, out = 1, taps = 1;
    const int32_t *first = nullptr, *count = nullptr;
    const float* weight = nullptr;
    // Where they are not null, used for uint8 of up to 4 channels in place of `weight`: weights times
    // 2^shift[s]; taps is a multiple of 4, and 0 stands in what is left over.
    const int16_t* fixed = nullptr;
    const int32_t* shift = nullptr;
};

inline constexpr int kMostShift = 20;          // sums of 255 times weights stay within 31 bits
inline constexpr int64_t kMostFixedTaps = 256; // more are too small for 16 bits

// Images (batch, rows.in, columns.in, channels) to output (batch, rows.out, columns.out, channels).
struct ResizeArgs {
    int64_t batch = 0, channels = 1;
    const void* images = nullptr;
    void* output = nullptr;
    ResizeAxis rows, columns;
    bool shared = true; // one table for all samples
};

struct Resize {
    void (*u8)(const ResizeArgs& args); // rounded to nearest; the same bits on every ISA level
    void (*f32)(const ResizeArgs& args);
};

} // namespace dt
