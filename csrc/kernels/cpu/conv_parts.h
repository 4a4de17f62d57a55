#pragma once
// What the sources of the convolution family share.
#include "core/paths.h"
#include "kernels/conv.h"
#include "kernels/cpu/common.h"
#include "kernels/cpu/conv_image.h"
#include "kernels/cpu/gemm_micro.h"
#include "kernels/cpu/lanes.h"

namespace dt::cpu::DT_LEVEL {

Gemm gemm(); // in gemm.cpp

// A way to convolve that has a source of its own. The functions are those of ConvKernels, but return false,
// with nothing written, where the shape does not suit them. `accumulate`: the gradient is added to dx.
template <class T> struct ConvWay {
    bool (*forward)(const ConvShape& shape, const Image<T>& x, const Image<T>& weight, const T* bias,
                    Activation activation, const Image<T>& y);
    bool (*backward_data)(const ConvShape& shape, const Image<T>& dy, const Image<T>& weight, const T* bias,
                          Activation activation, bool accumulate, const Image<T>& dx);
    bool (*backward_weight)(const ConvShape& shape, const Image<T>& x, const Image<T>& dy, T* dw);
};
template <class T> ConvWay<T> conv_pointwise(); // conv_pointwise.cpp: 1 x 1
template <> ConvWay<float> conv_pointwise();
template <> ConvWay<double> conv_pointwise();
template <class T> ConvWay<T> conv_scatter(); // conv_scatter.cpp: backward_data to few channels
template <> ConvWay<float> conv_scatter();
template <> ConvWay<double> conv_scatter();
ConvWay<float> conv_winograd(); // conv_winograd.cpp: 3 x 3; not for float64, which is asked for its precision

// In conv_weight.cpp.
template <class T> void conv_backward_weight(const ConvShape& shape, const void* x, const void* dy, T* dw);
template <> void conv_backward_weight(const ConvShape& shape, const void* x, const void* dy, float* dw);
template <> void conv_backward_weight(const ConvShape& shape, const void* x, const void* dy, double* dw);

namespace {

// A convolution that is a plain product of (pixels, in_channels) with the weight.
inline bool is_pointwise(const ConvShape& s) {
    return s.kernel_h == 1 && s.kernel_w == 1 && s.stride_h == 1 && s.stride_w == 1 && s.pad_top == 0 &&
           s.pad_left == 0 && s.in_h == s.out_h && s.in_w == s.out_w && s.groups == 1;
}
// The channels of a group where depthwise.h treats it: one, or a few that fill a part of a vector; else 0.
template <class T> int64_t narrow_groups(const ConvShape& s) {
    const int64_t width = s.in_channels / s.groups;
    if (s.groups == 1 || s.in_channels != s.out_channels) return 0;
    return width == 1 || (width < kLanes<T> && (width == 2 || width == 4 || width == 8)) ? width : 0;
}
inline void multiply(const GemmArgs& args, Rounding stored, float) {
    const Gemm table = gemm();
    (stored == Rounding::to_float16    ? table.f16
     : stored == Rounding::to_bfloat16 ? table.bf16
                                       : table.f32)(args);
}
inline void multiply(const GemmArgs& args, Rounding, double) { gemm().f64(args); }

// Sums that tasks compute in parts of their own: no more than this, added in order.
constexpr int64_t kMaxParts = 16;

// Into how many parts `items` are cut, of as equal sizes as can be: an even number, for two threads.
inline int64_t even_parts(int64_t items, int64_t most) {
    const int64_t parts = min(items, most);
    return parts > 1 ? parts / 2 * 2 : 1;
}

// Sums parts 1, 2, ... into part 0, in order.
template <class T> void sum_parts(T* partial, int64_t parts, int64_t elements) {
    if (parts == 1) return;
    parallel(elements, grain_for(parts), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i += kLanes<T>) {
            const int64_t left = end - i;
            Vec<T> total = load_upto(partial + i, left);
            for (int64_t part = 1; part < parts; ++part)
                total += load_upto(partial + part * elements + i, left);
            store_upto(partial + i, total, left);
        }
    });
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
