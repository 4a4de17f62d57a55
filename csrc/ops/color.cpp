#include "ops/color.h"

#include <cmath>
#include <limits>

namespace dt::ops {
namespace {

// One call: contiguous images, and what kernels want to know of them.
struct Images {
    Tensor data;
    ImageBatch batch;
    int kernel; // 0: uint8, 1: float32

    bool empty() const { return data.size() == 0; }
};

constexpr double kInfinite = std::numeric_limits<double>::infinity();

Images read_images(const char* op, const Tensor& images, const std::optional<double>& max_value) {
    if (images.dtype() != DType::uint8 && images.dtype() != DType::float32)
        type_error({op, ": images must be uint8 or float32, got ", images.dtype()});
    check_rank(op, "images", images, 4, "(n, height, width, channels)");
    check_constant(op, "images", images);
    if (max_value && !(*max_value > 0 && *max_value < std::numeric_limits<float>::max()))
        value_error({op, ": max_value is ", *max_value, ", expected a positive number"});
    Images found{plain::contiguous(images), {}, images.dtype() == DType::float32};
    ImageBatch& b = found.batch;
    b.samples = images.shape(0), b.height = images.shape(1);
    b.width = images.shape(2), b.channels = images.shape(3);
    if (found.kernel) {
        b.high = static_cast<float>(max_value ? *max_value : kInfinite);
        b.low = max_value ? 0 : -b.high;
    }
    return found;
}

// A float32 argument of this shape, whose values are finite.
Tensor read_numbers(const char* op, const char* argument, const Tensor& t, const Dims& shape) {
    if (t.dtype() != DType::float32) type_error({op, ": ", argument, " must be float32, got ", t.dtype()});
    check_shape(op, argument, t, shape);
    Tensor own = plain::contiguous(t);
    for (int64_t i = 0; i < own.size(); ++i)
        if (!std::isfinite(own.data<float>()[i]))
            value_error({op, ": ", argument, " contains ", static_cast<double>(own.data<float>()[i])});
    return own;
}

void check_steps(const char* op, const Tensor& steps) {
    const float* step = steps.data<float>();
    for (int64_t i = 0; i < steps.shape(0); ++i) {
        int contrasts = 0;
        for (int64_t k = 0; k < steps.shape(1); ++k, step += kColorNumbers) {
            const bool known = step[0] >= 0 && step[0] < static_cast<float>(ColorStep::count);
            if (!known || step[0] != std::floor(step[0]))
                value_error({op, ": steps has the kind ", static_cast<double>(step[0]), ", expected 0 to 3"});
            const auto kind = static_cast<ColorStep>(static_cast<int>(step[0]));
            contrasts += kind == ColorStep::contrast;
            if (kind == ColorStep::hue && !(step[1] >= 0 && step[1] < 1))
                value_error({op, ": steps turns the hue by ", static_cast<double>(step[1]),
                             ", expected a number in [0, 1)"});
        }
        if (contrasts > 1)
            value_error(
                {op, ": steps has ", contrasts, " steps of contrast for sample ", i, ", expected one"});
    }
}

Tensor read_taps(const char* op, const char* argument, const Tensor& t, int64_t samples) {
    check_rank(op, argument, t, 2, "(n, taps)");
    const int64_t count = t.shape(1);
    if (count < 1 || count > kMaxTaps || count % 2 == 0)
        value_error({op, ": ", argument, " has ", count, " taps, expected an odd number up to ", kMaxTaps});
    return read_numbers(op, argument, t, {samples, count});
}

Tensor read_keys(const char* op, const Tensor& keys, int64_t samples) {
    check_shape(op, "keys", keys, {samples});
    return own_indices(op, "keys", keys);
}

Noise read_noise(const char* op, const std::string& kind) {
    if (kind == "gaussian") return Noise::gaussian;
    if (kind == "speckle") return Noise::speckle;
    if (kind == "salt_and_pepper") return Noise::salt_and_pepper;
    value_error({op, ": kind is '", kind, "', expected 'gaussian', 'speckle' or 'salt_and_pepper'"});
}

} // namespace

Tensor transform_colors(const Tensor& images, const Tensor& steps, double max_value) {
    const char* op = "transform_colors";
    const Images in = read_images(op, images, max_value);
    check_rank(op, "steps", steps, 3, "(n, steps, 13)");
    const Tensor rows = read_numbers(op, "steps", steps, {in.batch.samples, steps.shape(1), kColorNumbers});
    check_steps(op, rows);
    Tensor out = empty_like(in.data);
    LongWork work(static_cast<double>(out.size()) * static_cast<double>(1 + rows.shape(1)));
    if (!in.empty())
        kernels().color.transform[in.kernel](in.batch, in.data.data(), rows.data<float>(), rows.shape(1),
                                             out.data());
    return out;
}

Tensor image_histograms(const Tensor& images, double max_value) {
    const char* op = "image_histograms";
    const Images in = read_images(op, images, max_value);
    Tensor counts = Tensor::empty({in.batch.samples, in.batch.channels, 256}, DType::int64, Device::cpu, op);
    std::fill_n(counts.data<int64_t>(), counts.size(), 0);
    LongWork work(static_cast<double>(in.data.size()));
    if (!in.empty()) kernels().color.histogram[in.kernel](in.batch, in.data.data(), counts.data<int64_t>());
    return counts;
}

Tensor lookup_images(const Tensor& images, const Tensor& tables, double max_value) {
    const char* op = "lookup_images";
    const Images in = read_images(op, images, max_value);
    if (tables.dtype() != DType::uint8) type_error({op, ": tables must be uint8, got ", tables.dtype()});
    check_rank(op, "tables", tables, 3, "(n, channels, 256)");
    const int64_t each = tables.shape(1);
    if (each != 1) check_shape(op, "tables", tables, {in.batch.samples, in.batch.channels, 256});
    check_shape(op, "tables", tables, {in.batch.samples, each, 256});
    const Tensor levels = plain::contiguous(tables);
    Tensor out = empty_like(in.data);
    LongWork work(static_cast<double>(out.size()));
    if (!in.empty())
        kernels().color.lookup[in.kernel](in.batch, in.data.data(), levels.data<uint8_t>(), each, out.data());
    return out;
}

Tensor noise_images(const Tensor& images, const std::string& kind, const Tensor& keys, const Tensor& amounts,
                    const std::optional<double>& max_value) {
    const char* op = "noise_images";
    const Images in = read_images(op, images, max_value);
    const Noise noise = read_noise(op, kind);
    if (noise == Noise::salt_and_pepper && !max_value)
        value_error({op, ": max_value is None, but salt has to know what white is"});
    const int64_t n = in.batch.samples;
    const Tensor streams = read_keys(op, keys, n), numbers = read_numbers(op, "amounts", amounts, {n, 2});
    for (int64_t i = 0; i < n; ++i) {
        const float first = numbers.data<float>()[2 * i], second = numbers.data<float>()[2 * i + 1];
        if (noise != Noise::salt_and_pepper && second < 0)
            value_error({op, ": amounts has the standard deviation ", static_cast<double>(second),
                         ", expected 0 or more"});
        if (noise == Noise::salt_and_pepper && !(first >= 0 && first <= 1 && second >= 0 && second <= 1))
            value_error({op, ": amounts has the shares ", static_cast<double>(first), " and ",
                         static_cast<double>(second), ", expected 0 to 1"});
    }
    Tensor out = empty_like(in.data);
    LongWork work(5 * static_cast<double>(out.size()));
    if (!in.empty())
        kernels().color.noise[in.kernel](in.batch, noise, in.data.data(), streams.data<int64_t>(),
                                         numbers.data<float>(), out.data());
    return out;
}

Tensor filter_images(const Tensor& images, const Tensor& down, const Tensor& across, const Optional& centre,
                     bool keep_border, const std::optional<double>& max_value) {
    const char* op = "filter_images";
    const Images in = read_images(op, images, max_value);
    const int64_t n = in.batch.samples;
    const Tensor rows = read_taps(op, "down", down, n), columns = read_taps(op, "across", across, n);
    Tensor middle;
    if (centre) {
        middle = read_numbers(op, "centre", *centre, {n});
    } else {
        middle = Tensor::empty({n}, DType::float32);
        std::fill_n(middle.data<float>(), n, 0.0f);
    }
    Tensor out = empty_like(in.data);
    LongWork work(0.2 * static_cast<double>(out.size()) *
                  static_cast<double>(4 + rows.shape(1) + columns.shape(1)));
    if (!in.empty())
        kernels().color.filter[in.kernel](in.batch, in.data.data(), rows.data<float>(), rows.shape(1),
                                          columns.data<float>(), columns.shape(1), middle.data<float>(),
                                          keep_border, out.data());
    return out;
}

Tensor erase_images(const Tensor& images, const Tensor& boxes, const Optional& values, const Optional& keys,
                    double max_value) {
    const char* op = "erase_images";
    const Images in = read_images(op, images, max_value);
    const ImageBatch& b = in.batch;
    check_rank(op, "boxes", boxes, 3, "(n, boxes, 4)");
    check_shape(op, "boxes", boxes, {b.samples, boxes.shape(1), 4});
    if (values.has_value() == keys.has_value())
        value_error({op, ": give either values or keys, the latter for random values"});
    const Tensor corners = own_indices(op, "boxes", boxes);
    const int64_t* box = corners.data<int64_t>();
    for (int64_t i = 0; i < corners.size(); i += 4, box += 4)
        if (box[0] < 0 || box[1] < 0 || box[2] > b.width || box[3] > b.height || box[0] > box[2] ||
            box[1] > box[3])
            value_error({op, ": boxes contains ", Dims{box[0], box[1], box[2], box[3]},
                         ", expected x0 <= x1 and y0 <= y1 within images of shape ", images.shape()});
    const Tensor fill = values ? read_numbers(op, "values", *values, {b.channels}) : Tensor();
    const Tensor streams = keys ? read_keys(op, *keys, b.samples) : Tensor();
    const Tensor out = plain::clone(in.data);
    LongWork work(static_cast<double>(out.size()));
    if (!in.empty())
        kernels().color.erase[in.kernel](b, corners.data<int64_t>(), boxes.shape(1),
                                         static_cast<const float*>(data_of(fill)),
                                         static_cast<const int64_t*>(data_of(streams)), out.data());
    return out;
}

Tensor normalize_images(const Tensor& images, const Tensor& scale, const Tensor& shift) {
    const char* op = "normalize_images";
    const Images in = read_images(op, images, std::nullopt);
    const int64_t channels = in.batch.channels;
    const Dims one{channels}, each{in.batch.samples, channels};
    const Dims& shape = scale.rank() == 2 ? each : one;
    const Tensor factors = read_numbers(op, "scale", scale, shape),
                 terms = read_numbers(op, "shift", shift, shape);
    Tensor out = Tensor::empty(in.data.shape(), DType::float32, Device::cpu, op);
    LongWork work(0.5 * static_cast<double>(out.size()));
    if (!in.empty())
        kernels().color.normalize[in.kernel](in.batch, in.data.data(), factors.data<float>(),
                                             terms.data<float>(), scale.rank() == 2 ? channels : 0,
                                             out.data<float>());
    return out;
}

} // namespace dt::ops
