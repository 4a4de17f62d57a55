#include "ops/resize.h"

#include <cmath>
#include <vector>

#include "core/parallel.h"
#include "ops/image_tools.h"

namespace dt::ops {
namespace {

enum class Filter { nearest, box, bilinear, bicubic, lanczos };

// How far a filter reaches to each side, in pixels of the image whose pixels are larger.
double reach_of(Filter filter) {
    switch (filter) {
    case Filter::nearest:
        return 0;
    case Filter::box:
        return 0.5;
    case Filter::bilinear:
        return 1;
    case Filter::bicubic:
        return 2;
    case Filter::lanczos:
        return 3;
    }
    return 0;
}

double sinc(double x) {
    constexpr double kPi = 3.14159265358979323846;
    return x == 0 ? 1 : std::sin(kPi * x) / (kPi * x);
}

double weight_of(Filter filter, double x) {
    const double d = std::fabs(x);
    switch (filter) {
    case Filter::nearest:
        return 1;
    case Filter::box:
        return x > -0.5 && x <= 0.5 ? 1 : 0;
    case Filter::bilinear:
        return d < 1 ? 1 - d : 0;
    case Filter::bicubic: // Keys (1981), a = -0.5
        return d < 1 ? (1.5 * d - 2.5) * d * d + 1 : d < 2 ? ((-0.5 * d + 2.5) * d - 4) * d + 2 : 0;
    case Filter::lanczos:
        return d < 3 ? sinc(x) * sinc(x / 3) : 0;
    }
    return 0;
}

// The tables of one axis, for `tables` samples.
struct Table {
    ResizeAxis axis;
    std::vector<int32_t> first, count, shift;
    std::vector<float> weight;
    std::vector<int16_t> fixed;
};

struct Side { // of a sample's box
    double from, to;
    bool flipped;
};

// Weights for output i: normalised, beginning at pixel `first`; gives how many.
int64_t find_weights(Filter filter, bool antialias, const Side& side, int64_t in, int64_t out, int64_t i,
                     double* weights, int32_t& first) {
    const double scale = (side.to - side.from) / static_cast<double>(out);
    const double wide = antialias && scale > 1 ? scale : 1, reach = reach_of(filter) * wide;
    const double centre = side.from + (static_cast<double>(i) + 0.5) * scale;
    const int64_t low = std::max<int64_t>(0, static_cast<int64_t>(centre - reach + 0.5));
    const int64_t high = std::min(in, static_cast<int64_t>(centre + reach + 0.5));
    const double narrow = 1 / wide;
    double sum = 0;
    for (int64_t k = low; k < high; ++k)
        sum += weights[k - low] = weight_of(filter, (static_cast<double>(k) - centre + 0.5) * narrow);
    if (sum == 0) { // a box so narrow, at the end of the image, that rounding leaves no pixel to the filter
        first = static_cast<int32_t>(std::min(in - 1, static_cast<int64_t>(centre)));
        weights[0] = 1;
        return 1;
    }
    for (int64_t k = 0; k < high - low; ++k) weights[k] *= 1 / sum;
    first = static_cast<int32_t>(low);
    return high - low;
}

// The pixel in which the centre of output i lies. Pillow adds up steps, so that between two pixels rounding
// decides: the sum is the same here.
int64_t find_nearest(double& centre, double step, int64_t in, double* weight, int32_t& first) {
    first = static_cast<int32_t>(std::min(centre, static_cast<double>(in - 1)));
    centre += step;
    weight[0] = 1;
    return 1;
}

// One sample's part of a table; `number` is its place there.
void fill_table(Table& table, Filter filter, bool antialias, const Side& side, int64_t number) {
    const int64_t out = table.axis.out, taps = table.axis.taps, start = number * out;
    std::vector<double> weights(static_cast<size_t>(out * taps));
    const double step = (side.to - side.from) / static_cast<double>(out);
    double largest = 0, centre = side.from + step * 0.5;
    for (int64_t i = 0; i < out; ++i) {
        const size_t at = static_cast<size_t>(start + (side.flipped ? out - 1 - i : i));
        double* w = weights.data() + (static_cast<int64_t>(at) - start) * taps;
        table.count[at] = static_cast<int32_t>(
            filter == Filter::nearest
                ? find_nearest(centre, step, table.axis.in, w, table.first[at])
                : find_weights(filter, antialias, side, table.axis.in, out, i, w, table.first[at]));
        for (int64_t k = 0; k < table.count[at]; ++k) largest = std::max(largest, std::fabs(w[k]));
    }
    if (!table.shift.empty()) {
        int shift = kMostShift;
        while (std::ldexp(largest, shift) > 32766) --shift;
        table.shift[static_cast<size_t>(number)] = shift;
        const double factor = std::ldexp(1.0, shift);
        for (int64_t i = 0; i < out; ++i)
            for (int64_t k = 0; k < table.count[static_cast<size_t>(start + i)]; ++k)
                table.fixed[static_cast<size_t>((start + i) * taps + k)] =
                    static_cast<int16_t>(std::lrint(weights[static_cast<size_t>(i * taps + k)] * factor));
    } else {
        for (size_t i = 0; i < weights.size(); ++i)
            table.weight[static_cast<size_t>(start * taps) + i] = static_cast<float>(weights[i]);
    }
}

int64_t count_taps(Filter filter, bool antialias, const std::vector<Side>& sides, int64_t in, int64_t out) {
    double widest = 1;
    for (const Side& side : sides)
        if (antialias) widest = std::max(widest, (side.to - side.from) / static_cast<double>(out));
    const int64_t most = 2 * static_cast<int64_t>(std::ceil(reach_of(filter) * widest)) + 1;
    return (std::min(most, in) + 3) / 4 * 4;
}

Table make_table(Filter filter, bool antialias, const std::vector<Side>& sides, int64_t in, int64_t out,
                 int64_t taps, bool fixed) {
    Table t;
    t.axis.in = in, t.axis.out = out, t.axis.taps = taps;
    const size_t outputs = sides.size() * static_cast<size_t>(out), all = outputs * static_cast<size_t>(taps);
    t.first.resize(outputs), t.count.resize(outputs);
    if (fixed)
        t.shift.resize(sides.size()), t.fixed.resize(all);
    else
        t.weight.resize(all);
    const auto fill = [&](int64_t begin, int64_t end) {
        for (int64_t s = begin; s < end; ++s)
            fill_table(t, filter, antialias, sides[static_cast<size_t>(s)], s);
    };
    parallel_for(
        static_cast<int64_t>(sides.size()), 4,
        [](void* context, int64_t begin, int64_t end) {
            (*static_cast<decltype(fill)*>(context))(begin, end);
        },
        const_cast<void*>(static_cast<const void*>(&fill)));
    t.axis.first = t.first.data(), t.axis.count = t.count.data();
    t.axis.weight = fixed ? nullptr : t.weight.data();
    t.axis.fixed = fixed ? t.fixed.data() : nullptr;
    t.axis.shift = fixed ? t.shift.data() : nullptr;
    return t;
}

void check_box(const char* op, const double* box, int64_t i, const Tensor& images) {
    const double w = static_cast<double>(images.shape(2)), h = static_cast<double>(images.shape(1));
    if (!(0 <= box[0] && box[0] < box[2] && box[2] <= w && 0 <= box[1] && box[1] < box[3] && box[3] <= h))
        value_error({op, ": box ", i, " is (", box[0], ", ", box[1], ", ", box[2], ", ", box[3],
                     "), expected 0 <= left < right <= ", images.shape(2),
                     " and 0 <= top < bottom <= ", images.shape(1), " (images ", images.shape(), ")"});
}

} // namespace

Tensor resize_images(const Tensor& images_, const Dims& size, const std::string& interpolation,
                     bool antialias, const std::optional<Tensor>& boxes_,
                     const std::optional<Tensor>& flips_) {
    const char* op = "resize_images";
    const Filter filter = Filter(read_choice(op, "interpolation", interpolation,
                                             {"nearest", "box", "bilinear", "bicubic", "lanczos"}));
    const Tensor images = read_images(op, images_);
    const Pair to = read_size(op, size);
    const int64_t n = images.shape(0), h = images.shape(1), w = images.shape(2), channels = images.shape(3);
    Tensor boxes, flips;
    if (boxes_) boxes = read_numbers(op, "boxes", *boxes_, {n, 4});
    if (flips_) {
        if (flips_->dtype() != DType::boolean)
            type_error({op, ": flips has dtype ", flips_->dtype(), ", expected bool"});
        check_shape(op, "flips", *flips_, {n});
        flips = plain::contiguous(*flips_);
    }
    std::vector<Side> across, down;
    for (int64_t i = 0; i < (boxes_ || flips_ ? n : 1); ++i) {
        const double whole[4] = {0, 0, static_cast<double>(w), static_cast<double>(h)};
        const double* box = boxes_ ? boxes.data<double>() + 4 * i : whole;
        check_box(op, box, i, images);
        across.push_back({box[0], box[2], flips_ && flips.data<uint8_t>()[i]});
        down.push_back({box[1], box[3], false});
    }
    Tensor out = Tensor::empty({n, to.h, to.w, channels}, images.dtype(), images.device(), op);
    if (!out.size()) return out;
    const int64_t column_taps = count_taps(filter, antialias, across, w, to.w),
                  row_taps = count_taps(filter, antialias, down, h, to.h);
    const bool fixed = images.dtype() == DType::uint8 && channels <= 4 && column_taps <= kMostFixedTaps &&
                       row_taps <= kMostFixedTaps;
    LongWork work(static_cast<double>(out.size()) * static_cast<double>(column_taps + row_taps));
    const Table columns = make_table(filter, antialias, across, w, to.w, column_taps, fixed);
    const Table rows = make_table(filter, antialias, down, h, to.h, row_taps, fixed);
    ResizeArgs a;
    a.batch = n, a.channels = channels, a.images = images.data(), a.output = out.data();
    a.rows = rows.axis, a.columns = columns.axis, a.shared = across.size() == 1;
    const Resize& resize = kernels().resize;
    (images.dtype() == DType::uint8 ? resize.u8 : resize.f32)(a);
    return out;
}

} // namespace dt::ops
