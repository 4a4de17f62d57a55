#pragma once
// What the sources of the convolution family share.
#include "kernels/conv.h"
#include "kernels/cpu/common.h"

namespace dt::cpu::DT_LEVEL {

Gemm gemm(); // in gemm.cpp

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

namespace {

// A convolution that is a plain product of (pixels, in_channels) with the weight.
inline bool is_pointwise(const ConvShape& s) {
    return s.kernel_h == 1 && s.kernel_w == 1 && s.stride_h == 1 && s.stride_w == 1 && s.pad_top == 0 &&
           s.pad_left == 0 && s.in_h == s.out_h && s.in_w == s.out_w && s.groups == 1;
}
inline bool is_depthwise(const ConvShape& s) {
    return s.groups > 1 && s.groups == s.in_channels && s.groups == s.out_channels;
}
inline void multiply(const GemmArgs& args, float) { gemm().f32(args); }
inline void multiply(const GemmArgs& args, double) { gemm().f64(args); }

} // namespace
} // namespace dt::cpu::DT_LEVEL
