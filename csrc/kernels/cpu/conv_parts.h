#pragma once
// What the sources of the convolution family share.
#include "core/paths.h"
#include "kernels/conv.h"
#include "kernels/cpu/common.h"
#include "kernels/cpu/gemm_micro.h"
#include "kernels/cpu/lanes.h"

namespace dt::cpu::DT_LEVEL {

Gemm gemm(); // in gemm.cpp

// In conv_pointwise.cpp, for 1 x 1. False, with nothing written, where the shape is another one.
bool conv_pointwise(const ConvShape& shape, const float* x, const float* weight, const float* bias,
                    Activation activation, float* y);
bool conv_pointwise(const ConvShape& shape, const double* x, const double* weight, const double* bias,
                    Activation activation, double* y);
bool conv_pointwise_data(const ConvShape& shape, const float* dy, const float* weight, const float* bias,
                         Activation activation, float* dx);
bool conv_pointwise_data(const ConvShape& shape, const double* dy, const double* weight, const double* bias,
                         Activation activation, double* dx);
bool conv_pointwise_weight(const ConvShape& shape, const float* x, const float* dy, float* dw);
bool conv_pointwise_weight(const ConvShape& shape, const double* x, const double* dy, double* dw);

// In conv_scatter.cpp. False, with nothing written, where gathering suits the shape better.
bool conv_scatter(const ConvShape& shape, const float* dy, const float* weight, const float* bias,
                  Activation activation, float* dx);
bool conv_scatter(const ConvShape& shape, const double* dy, const double* weight, const double* bias,
                  Activation activation, double* dx);

// In conv_weight.cpp.
void conv_backward_weight(const ConvShape& shape, const float* x, const float* dy, float* dw);
void conv_backward_weight(const ConvShape& shape, const double* x, const double* dy, double* dw);
void conv_backward_bias(int64_t rows, int64_t channels, const float* dy, float* db);
void conv_backward_bias(int64_t rows, int64_t channels, const double* dy, double* db);

// In conv_winograd.cpp. False, with nothing written, where the shape does not suit the algorithm, and always
// in float64, which is asked for its precision.
bool conv_winograd(const ConvShape& shape, const float* x, const float* weight, const float* bias,
                   Activation activation, float* y);
bool conv_winograd_data(const ConvShape& shape, const float* dy, const float* weight, const float* bias,
                        Activation activation, float* dx);
bool conv_winograd_weight(const ConvShape& shape, const float* x, const float* dy, float* dw);
bool conv_winograd(const ConvShape& shape, const double* x, const double* weight, const double* bias,
                   Activation activation, double* y);
bool conv_winograd_data(const ConvShape& shape, const double* dy, const double* weight, const double* bias,
                        Activation activation, double* dx);
bool conv_winograd_weight(const ConvShape& shape, const double* x, const double* dy, double* dw);

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
inline void multiply(const GemmArgs& args, float) { gemm().f32(args); }
inline void multiply(const GemmArgs& args, double) { gemm().f64(args); }

// Sums that tasks compute in parts of their own: no more than this, added in order.
constexpr int64_t kMaxParts = 16;

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
