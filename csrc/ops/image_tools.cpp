#include "ops/image_tools.h"

#include <cmath>

namespace dt::ops {

Tensor read_images(const char* op, const Tensor& images) {
    if (images.dtype() != DType::uint8 && images.dtype() != DType::float32)
        type_error({op, ": images has dtype ", images.dtype(), ", expected uint8 or float32"});
    check_rank(op, "images", images, 4, "(batch, height, width, channels)");
    check_constant(op, "images", images);
    for (int axis : {1, 2})
        if (images.shape(axis) < 1 || images.shape(axis) > kLargestSize)
            value_error({op, ": images have shape ", images.shape(), ", expected 1 to ", kLargestSize,
                         " pixels along height and width"});
    return plain::contiguous(images);
}

Pair read_size(const char* op, const Dims& size) { return read_pair(op, "size", size, 2, 1, 1); }

Tensor read_numbers(const char* op, const char* argument, const Tensor& t, const Dims& shape) {
    if (t.dtype() != DType::float64 && t.dtype() != DType::float32)
        type_error({op, ": ", argument, " has dtype ", t.dtype(), ", expected float64 or float32"});
    check_shape(op, argument, t, shape);
    check_constant(op, argument, t);
    const Tensor numbers = plain::contiguous(plain::convert(t, DType::float64));
    for (int64_t i = 0; i < numbers.size(); ++i)
        if (!std::isfinite(numbers.data<double>()[i]))
            value_error({op, ": ", argument, " contains ", numbers.data<double>()[i], " for sample ",
                         i / (numbers.size() / shape[0]), ", expected finite numbers"});
    return numbers;
}

int read_choice(const char* op, const char* argument, const std::string& name,
                std::initializer_list<const char*> names) {
    int i = 0;
    std::string known;
    for (const char* candidate : names) {
        if (name == candidate) return i;
        known += (i++ ? ", '" : "'") + std::string(candidate) + "'";
    }
    value_error({op, ": unknown ", argument, " '", name, "', expected one of ", known});
}

} // namespace dt::ops
