#pragma once
#include <cstdint>

#include "core/dtype.h"
#include "kernels/gemm.h" // Activation

namespace dt {

// The geometry of a 2d convolution; conv1d has height 1. Everything is contiguous:
//   x (batch, in_h, in_w, in_channels), weight (out_channels, kernel_h, kernel_w, in_channels / groups),
//   y (batch, out_h, out_w, out_channels).
// y[n, i, j, o] = bias[o] + sum over (r, s, c) of
//   x[n, i * stride_h - pad_top + r * dilation_h, j * stride_w - pad_left + s * dilation_w, c] * weight[o, r,
//   s, c],
// with x read as 0 outside. The padding at the bottom and the right follows from out_h and out_w: any size is
// legal. A transposed convolution is `backward_data` with the roles turned: its input is dy, its output dx,
// its weight (in_channels of the transposed, k..., out_channels / groups) has the layout of the weight here
// as it stands.
struct ConvShape {
    int64_t batch = 0;
    int64_t in_h = 1, in_w = 1, in_channels = 1;
    int64_t out_h = 1, out_w = 1, out_channels = 1;
    int64_t kernel_h = 1, kernel_w = 1;
    int64_t stride_h = 1, stride_w = 1;
    int64_t pad_top = 0, pad_left = 0;
    int64_t dilation_h = 1, dilation_w = 1;
    int64_t groups = 1;            // divides in_channels and out_channels
    DType format = DType::float32; // of images and weight where that is a half format; else they are of T
};

// Every element of the output is written; an empty batch writes nothing (and zeros to dw).
// The bits depend on the shape only, not on the number of threads. Half formats are converted to float32 a
// few rows at a time, multiplied and summed in that, and the results rounded once.
template <class T> struct ConvKernels {
    // y = activation(conv(x, weight) + bias); bias (out_channels) may be null.
    void (*forward)(const ConvShape& shape, const void* x, const void* weight, const T* bias,
                    Activation activation, void* y);
    // dx = activation(gradient of x + bias); bias (in_channels) is for transposed convolutions and else null.
    void (*backward_data)(const ConvShape& shape, const void* dy, const void* weight, const T* bias,
                          Activation activation, void* dx);
    // dx += the gradient of x; false, with nothing done, where the way that suits the shape cannot add.
    bool (*add_data)(const ConvShape& shape, const void* dy, const void* weight, void* dx);
    void (*backward_weight)(const ConvShape& shape, const void* x, const void* dy, T* dw);
};

struct Conv {
    ConvKernels<float> f32;
    ConvKernels<double> f64;
};

} // namespace dt
