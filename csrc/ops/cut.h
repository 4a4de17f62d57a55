#pragma once
#include <optional>
#include <string>

#include "core/tensor.h"

namespace dt::ops {

// Windows of images (n, height, width, channels), uint8 or float32, or of those that `rows` chooses; see
// kernels/cut.h. It records no gradient.
Tensor cut_images(const Tensor& images, const Tensor& corners, const Dims& size,
                  const std::optional<Tensor>& flips, const std::string& fill_mode, double fill_value,
                  const std::optional<Tensor>& rows);

} // namespace dt::ops
