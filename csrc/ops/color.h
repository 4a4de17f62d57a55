#pragma once
#include <string>

#include "ops/checks.h"

// Pointwise changes and small filters of images (n, height, width, channels), uint8 or float32. `max_value`
// is the white of float32 images, whose values lie in [0, max_value]; of uint8 it is 255. No gradients.
namespace dt::ops {

Tensor transform_colors(const Tensor& images, const Tensor& steps, double max_value);
Tensor image_histograms(const Tensor& images, double max_value);
Tensor lookup_images(const Tensor& images, const Tensor& tables, double max_value);
// Without max_value float32 images are not cut.
Tensor noise_images(const Tensor& images, const std::string& kind, const Tensor& keys, const Tensor& amounts,
                    const std::optional<double>& max_value);
Tensor filter_images(const Tensor& images, const Tensor& down, const Tensor& across, const Optional& centre,
                     bool keep_border, const std::optional<double>& max_value);
Tensor erase_images(const Tensor& images, const Tensor& boxes, const Optional& values, const Optional& keys,
                    double max_value);
Tensor normalize_images(const Tensor& images, const Tensor& scale, const Tensor& shift);

} // namespace dt::ops
