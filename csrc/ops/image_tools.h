#pragma once
#include "ops/window.h"

// What the ops on batches of images share.
namespace dt::ops {

// The images, contiguous: TypeError unless uint8 or float32, ValueError unless (batch, height, width,
// channels) with at least one pixel.
Tensor read_images(const char* op, const Tensor& images);
// Height and width of the result.
Pair read_size(const char* op, const Dims& size);
// Numbers for each sample as contiguous float64 of that shape, all finite.
Tensor read_numbers(const char* op, const char* argument, const Tensor& t, const Dims& shape);
// The position of `name` among the names; ValueError with all of them where it is not there.
int read_choice(const char* op, const char* argument, const std::string& name,
                std::initializer_list<const char*> names);

} // namespace dt::ops
