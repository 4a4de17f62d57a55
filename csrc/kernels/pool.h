#pragma once
#include <cstdint>

#include "core/dtype.h"

namespace dt {

// Pooling of x (batch, in_h, in_w, channels) to y (batch, out_h, out_w, channels), both contiguous; 1d has
// height 1. The window of output (i, j) starts at row i * stride_h - pad_top, column j * stride_w - pad_left,
// with rows dilation_h apart; positions outside x do not exist. Each window should meet x in at least one
// position: one that does not gives -infinity (max) or 0 (average).
//
// Adaptive pools: window i of an axis reaches from floor(i * in / out) to ceil((i + 1) * in / out). Their
// kernel_h and kernel_w are an upper bound of the windows' sizes; stride, padding, dilation and divisor do
// not count.
struct PoolShape {
    int64_t batch = 0, channels = 1;
    int64_t in_h = 1, in_w = 1, out_h = 1, out_w = 1;
    int64_t kernel_h = 1, kernel_w = 1;
    int64_t stride_h = 1, stride_w = 1;
    int64_t pad_top = 0, pad_left = 0;
    int64_t dilation_h = 1, dilation_w = 1; // of max pooling
    bool adaptive = false;
    // Of average pooling: the divisor is the number of positions in x, or for count_include_pad those in x
    // widened by the padding (pad_bottom and pad_right are needed for that alone). A divisor above 0 replaces
    // both.
    bool count_include_pad = false;
    int64_t pad_bottom = 0, pad_right = 0;
    int64_t divisor = 0;
};

// Bytes of one index of max pooling: the place r * kernel_w + s of the maximum in its window.
inline constexpr int pool_index_bytes(int64_t kernel_h, int64_t kernel_w) {
    return kernel_h * kernel_w <= 256 ? 1 : 4;
}

template <class T> struct PoolKernels {
    // The first maximum wins; a NaN in the window is the maximum. `index` (shape of y, uint8 or int32 as
    // pool_index_bytes says) may be null where no gradient is needed.
    void (*max_forward)(const PoolShape& shape, const T* x, T* y, void* index);
    void (*max_backward)(const PoolShape& shape, const T* dy, const void* index, T* dx);
    void (*average_forward)(const PoolShape& shape, const T* x, T* y);
    void (*average_backward)(const PoolShape& shape, const T* dy, T* dx);
};

// Half formats are computed in float32.
struct Pool {
    PoolKernels<float> f32;
    PoolKernels<double> f64;
    PoolKernels<float16_t> f16;
    PoolKernels<bfloat16_t> bf16;
};

} // namespace dt
