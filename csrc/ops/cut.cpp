#include "ops/cut.h"

#include <algorithm>
#include <vector>

#include "kernels/cut.h"
#include "ops/image_tools.h"

namespace dt::ops {
namespace {

constexpr int64_t kFarthest = int64_t{1} << 40;

// Integers of a shape, as a copy: what is checked must not change any more.
std::vector<int64_t> read_integers(const char* op, const char* argument, const Tensor& t) {
    if (t.dtype() != DType::int64)
        type_error({op, ": ", argument, " has dtype ", t.dtype(), ", expected int64"});
    const Tensor numbers = plain::contiguous(t);
    return {numbers.data<int64_t>(), numbers.data<int64_t>() + numbers.size()};
}

std::vector<int64_t> read_corners(const char* op, const Tensor& corners, int64_t batch) {
    check_shape(op, "corners", corners, {batch, 2});
    const std::vector<int64_t> own = read_integers(op, "corners", corners);
    for (const int64_t at : own)
        if (at > kFarthest || at < -kFarthest)
            value_error({op, ": corners contains ", at, ", expected places within 2**40 pixels"});
    return own;
}

std::vector<int64_t> read_rows(const char* op, const Tensor& rows, int64_t images) {
    check_rank(op, "rows", rows, 1, "(n,)");
    const std::vector<int64_t> own = read_integers(op, "rows", rows);
    for (const int64_t row : own)
        if (row < 0 || row >= images)
            value_error({op, ": rows contains ", row, ", expected 0 to ", images - 1});
    return own;
}

} // namespace

Tensor cut_images(const Tensor& images, const Tensor& corners, const Dims& size,
                  const std::optional<Tensor>& flips, const std::string& fill_mode, double fill_value,
                  const std::optional<Tensor>& rows) {
    const char* op = "cut_images";
    const Fill fills[] = {Fill::grid_constant, Fill::nearest, Fill::reflect, Fill::mirror, Fill::grid_wrap};
    CutArgs a;
    a.fill = fills[read_choice(op, "fill_mode", fill_mode,
                               {"constant", "nearest", "reflect", "mirror", "grid-wrap"})];
    const Tensor from = read_images(op, images);
    const Pair to = read_size(op, size);
    std::vector<int64_t> chosen;
    a.batch = from.shape(0);
    if (rows) {
        chosen = read_rows(op, *rows, from.shape(0));
        a.batch = int64_t(chosen.size()), a.rows = chosen.data();
    }
    const std::vector<int64_t> places = read_corners(op, corners, a.batch);
    Tensor turned;
    if (flips) {
        if (flips->dtype() != DType::uint8)
            type_error({op, ": flips has dtype ", flips->dtype(), ", expected uint8"});
        check_shape(op, "flips", *flips, {a.batch});
        turned = plain::contiguous(*flips);
        a.flips = turned.data<uint8_t>();
    }
    const int64_t item = from.dtype() == DType::uint8 ? 1 : 4, channels = from.shape(3);
    a.in_h = from.shape(1), a.in_w = from.shape(2), a.bytes = channels * item;
    a.out_h = to.h, a.out_w = to.w;
    Tensor out = Tensor::empty({a.batch, a.out_h, a.out_w, channels}, from.dtype(), from.device(), op);
    if (!out.size()) return out;
    std::vector<uint8_t> bytes(size_t(channels),
                               static_cast<uint8_t>(std::min(std::max(fill_value, 0.0), 255.0) + 0.5));
    std::vector<float> floats(size_t(channels), static_cast<float>(fill_value));
    a.fill_pixel = item == 1 ? static_cast<const void*>(bytes.data()) : floats.data();
    a.images = from.data(), a.output = out.data(), a.corners = places.data();
    LongWork work(0.25 * static_cast<double>(out.size() * item));
    kernels().cut.cut(a);
    return out;
}

} // namespace dt::ops
