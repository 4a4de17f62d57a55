#pragma once
#include <string>

#include "core/tensor.h"

namespace dt::ops {

// Images (batch, height, width, channels), uint8 or float32, seen through a matrix or a field of
// displacements; see kernels/warp.h. They record no gradient.
Tensor warp_images(const Tensor& images, const Tensor& matrices, const Dims& size,
                   const std::string& interpolation, const std::string& fill_mode, double fill_value);
Tensor displace_images(const Tensor& images, const Tensor& field, const std::string& interpolation,
                       const std::string& fill_mode, double fill_value);

} // namespace dt::ops
