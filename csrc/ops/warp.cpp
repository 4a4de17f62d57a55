#include "ops/warp.h"

#include "ops/image_tools.h"

namespace dt::ops {
namespace {

struct Look { // how pixels are looked up
    Interpolation interpolation;
    Fill fill;
    float value;
};

Look read_look(const char* op, const std::string& interpolation, const std::string& fill_mode,
               double fill_value) {
    const int between = read_choice(op, "interpolation", interpolation, {"nearest", "bilinear", "bicubic"});
    const int fill =
        read_choice(op, "fill_mode", fill_mode,
                    {"constant", "nearest", "reflect", "mirror", "wrap", "grid-wrap", "grid-constant"});
    return {Interpolation(between), Fill(fill), static_cast<float>(fill_value)};
}

Tensor warped(const char* op, const Tensor& images, Pair size, const Look& look, const double* matrices,
              const float* field) {
    WarpArgs a;
    a.batch = images.shape(0), a.in_h = images.shape(1), a.in_w = images.shape(2);
    a.channels = images.shape(3), a.out_h = size.h, a.out_w = size.w;
    Tensor out = Tensor::empty({a.batch, a.out_h, a.out_w, a.channels}, images.dtype(), images.device(), op);
    if (!out.size()) return out;
    a.images = images.data(), a.output = out.data(), a.matrices = matrices, a.field = field;
    a.interpolation = look.interpolation, a.fill = look.fill, a.fill_value = look.value;
    LongWork work(4.0 * static_cast<double>(out.size()));
    const Warp& warp = kernels().warp;
    (images.dtype() == DType::uint8 ? warp.u8 : warp.f32)(a);
    return out;
}

} // namespace

Tensor warp_images(const Tensor& images, const Tensor& matrices, const Dims& size,
                   const std::string& interpolation, const std::string& fill_mode, double fill_value) {
    const char* op = "warp_images";
    const Look look = read_look(op, interpolation, fill_mode, fill_value);
    const Tensor from = read_images(op, images);
    const Pair to = read_size(op, size);
    const Tensor numbers = read_numbers(op, "matrices", matrices, {from.shape(0), 3, 3});
    return warped(op, from, to, look, numbers.data<double>(), nullptr);
}

Tensor displace_images(const Tensor& images, const Tensor& field, const std::string& interpolation,
                       const std::string& fill_mode, double fill_value) {
    const char* op = "displace_images";
    const Look look = read_look(op, interpolation, fill_mode, fill_value);
    const Tensor from = read_images(op, images);
    if (field.dtype() != DType::float32)
        type_error({op, ": field has dtype ", field.dtype(), ", expected float32"});
    check_rank(op, "field", field, 4, "(batch, height, width, 2)");
    check_shape(op, "field", field, {from.shape(0), field.shape(1), field.shape(2), 2});
    check_constant(op, "field", field);
    const Pair to = read_size(op, {field.shape(1), field.shape(2)});
    const Tensor moves = plain::contiguous(field);
    return warped(op, from, to, look, nullptr, moves.data<float>());
}

} // namespace dt::ops
