#pragma once
#include <optional>

#include "core/tensor.h"
#include "kernels/gemm.h"
#include "ops/window.h"

namespace dt::ops {

// Cross-correlation over sequences (batch, length, channels) and images (batch, height, width, channels),
// with weight (out, k..., in / groups); `activation` is none or relu.
Tensor conv1d(const Tensor& input, const Tensor& weight, const std::optional<Tensor>& bias,
              const Dims& stride, const Padding& padding, const Dims& dilation, int64_t groups,
              Activation activation);
Tensor conv2d(const Tensor& input, const Tensor& weight, const std::optional<Tensor>& bias,
              const Dims& stride, const Padding& padding, const Dims& dilation, int64_t groups,
              Activation activation);
// The gradient of the convolution with the same weight (in, k..., out / groups) by its input.
Tensor conv_transpose1d(const Tensor& input, const Tensor& weight, const std::optional<Tensor>& bias,
                        const Dims& stride, const Dims& padding, const Dims& output_padding, int64_t groups,
                        const Dims& dilation);
Tensor conv_transpose2d(const Tensor& input, const Tensor& weight, const std::optional<Tensor>& bias,
                        const Dims& stride, const Dims& padding, const Dims& output_padding, int64_t groups,
                        const Dims& dilation);

} // namespace dt::ops
