#pragma once
#include <optional>
#include <string>

#include "core/tensor.h"

namespace dt::ops {

// Images (batch, height, width, channels), uint8 or float32, to another size, as Pillow's resize does it;
// sample i from boxes[i] = (left, top, right, bottom), mirrored where flips[i]. Records no gradient.
Tensor resize_images(const Tensor& images, const Dims& size, const std::string& interpolation, bool antialias,
                     const std::optional<Tensor>& boxes, const std::optional<Tensor>& flips);

} // namespace dt::ops
