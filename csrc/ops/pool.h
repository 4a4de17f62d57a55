#pragma once
#include <optional>

#include "core/tensor.h"

namespace dt::ops {

// Windows over sequences (batch, length, channels) and images (batch, height, width, channels), channel by
// channel; `stride` none: that of the kernel.
Tensor max_pool1d(const Tensor& input, const Dims& kernel_size, const std::optional<Dims>& stride,
                  const Dims& padding, const Dims& dilation, bool ceil_mode);
Tensor max_pool2d(const Tensor& input, const Dims& kernel_size, const std::optional<Dims>& stride,
                  const Dims& padding, const Dims& dilation, bool ceil_mode);
Tensor avg_pool1d(const Tensor& input, const Dims& kernel_size, const std::optional<Dims>& stride,
                  const Dims& padding, bool ceil_mode, bool count_include_pad);
Tensor avg_pool2d(const Tensor& input, const Dims& kernel_size, const std::optional<Dims>& stride,
                  const Dims& padding, bool ceil_mode, bool count_include_pad,
                  const std::optional<int64_t>& divisor_override);

// The size of an adaptive pool's output, one for every axis or one for each; kSameSize keeps the input's.
struct OutputSize {
    Dims sizes;
};
inline constexpr int64_t kSameSize = -1;

Tensor adaptive_avg_pool1d(const Tensor& input, const OutputSize& output_size);
Tensor adaptive_avg_pool2d(const Tensor& input, const OutputSize& output_size);
Tensor adaptive_max_pool1d(const Tensor& input, const OutputSize& output_size);
Tensor adaptive_max_pool2d(const Tensor& input, const OutputSize& output_size);

// (batch, spatial..., channels) to (batch, channels), or with axes of size 1 between.
Tensor global_avg_pool(const Tensor& input, bool keepdims);
Tensor global_max_pool(const Tensor& input, bool keepdims);

} // namespace dt::ops
