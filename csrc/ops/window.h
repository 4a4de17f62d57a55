#pragma once
#include "ops/checks.h"

// What convolutions and pools share: reading the arguments of a window that slides over one or two spatial
// axes, and the sizes that follow from them.
namespace dt::ops {

// One number per spatial axis; a sequence has height 1.
struct Pair {
    int64_t h = 1, w = 1;
};

// The padding of a convolution: sizes, or "same".
struct Padding {
    Dims sizes = {0};
    bool same = false;
};

// An input (batch, height, width, channels) or (batch, length, channels), possibly without the batch.
struct Image {
    int64_t batch = 1, h = 1, w = 1, channels = 1;
    int axes = 2; // spatial ones
    bool batched = true;
};

// Larger sizes, strides and dilations than this are refused, so that their products fit into 64 bits.
inline constexpr int64_t kLargestSize = int64_t{1} << 30;

// One number for every axis, or one for each; a sequence's height gets `height`.
Pair read_pair(const char* op, const char* argument, const Dims& given, int axes, int64_t least,
               int64_t height);
Image read_image(const char* op, const Tensor& input, int axes);
// The shape of a result that belongs to `image`.
Dims shape_like(const Image& image, Pair size, int64_t channels);
Dims to_dims(Pair pair, int axes); // for messages

// Elements from the first to the last that a window of `kernel` elements touches.
inline int64_t extent(int64_t kernel, int64_t dilation) { return (kernel - 1) * dilation + 1; }

} // namespace dt::ops
