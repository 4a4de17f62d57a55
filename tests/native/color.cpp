#include "kernels/color.h"

#include <algorithm>

#include "check.h"
#include "philox.h"

namespace dt::check {
namespace {

const ImageBatch kBatches[] = {{1, 1, 1, 1},  {2, 3, 5, 3},   {1, 4, 4, 4},     {3, 2, 9, 2},
                               {1, 7, 33, 8}, {2, 40, 31, 3}, {1, 1030, 17, 1}, {1, 190, 120, 3}};

double cut(const ImageBatch& b, double v) { return std::min(std::max(v, double(b.low)), double(b.high)); }

// A uint8 result may round the other way where it is close to a half.
template <class T, class F>
void expect_values(Checks& c, const char* what, const Array<T>& got, double roundings, const F& want) {
    if constexpr (kFloat<T>) {
        c.expect(what, got, roundings, want);
    } else {
        c.expect_exactly(what, got, [&](int64_t i) {
            const double exact = Want(want(i)).value, rounded = std::nearbyint(exact);
            return std::fabs(exact - double(got[i])) < 0.501 ? int64_t(got[i]) : int64_t(rounded);
        });
    }
}

double hue_of(double r, double g, double b) {
    const double value = std::max({r, g, b}), chroma = value - std::min({r, g, b});
    if (chroma == 0) return 0;
    return value == r ? (g - b) / chroma : value == g ? (b - r) / chroma + 2 : (r - g) / chroma + 4;
}

void turn(double* p, double turns) {
    const double hue = hue_of(p[0], p[1], p[2]) + 6 * turns, value = std::max({p[0], p[1], p[2]}),
                 chroma = value - std::min({p[0], p[1], p[2]});
    const double from[3] = {5, 3, 1};
    for (int k = 0; k < 3; ++k) {
        const double at = std::fmod(hue + from[k], 6);
        p[k] = value - chroma * std::clamp(std::min(at, 4 - at), 0.0, 1.0);
    }
}

// The steps of one sample, on its values as doubles.
void walk(const ImageBatch& b, const float* steps, int64_t count, std::vector<double>& x) {
    const bool colored = b.channels == 3 || b.channels == 4;
    const int64_t stride = colored ? b.channels : 1, n = int64_t(x.size()) / stride, most = colored ? 3 : 1;
    for (int64_t s = 0; s < count; ++s) {
        const float* m = steps + s * kColorNumbers + 1;
        const auto kind = ColorStep(int(m[-1]));
        double mean = 0;
        for (int64_t i = 0; i < n; ++i) {
            const double* p = &x[size_t(i * stride)];
            mean += (colored ? 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2] : p[0]) / double(n);
        }
        for (int64_t i = 0; i < n; ++i) {
            double* p = &x[size_t(i * stride)];
            double old[3] = {p[0], colored ? p[1] : 0, colored ? p[2] : 0};
            if (kind == ColorStep::matrix)
                for (int64_t k = 0; k < most; ++k)
                    p[k] = colored ? m[4 * k] * old[0] + m[4 * k + 1] * old[1] + m[4 * k + 2] * old[2] +
                                         m[4 * k + 3]
                                   : m[0] * old[0] + m[3];
            if (kind == ColorStep::contrast)
                for (int64_t k = 0; k < most; ++k) p[k] = mean + m[0] * (old[k] - mean);
            if (kind == ColorStep::hue && colored) turn(p, m[0]);
            if (kind != ColorStep::none)
                for (int64_t k = 0; k < most; ++k) p[k] = cut(b, p[k]);
        }
    }
}

template <class T> void check_transform(Checks& c, const ImageBatch& b, int which, const Array<T>& x) {
    const int64_t size = b.height * b.width * b.channels;
    for (int64_t count : {int64_t(0), int64_t(1), int64_t(4)}) {
        Array<float> steps = c.uniform_array<float>(b.samples * count * kColorNumbers, 0, 0.6);
        for (int64_t i = 0; i < b.samples * count; ++i)
            steps[i * kColorNumbers] = float((i + i / std::max(count, int64_t(1))) % 4);
        Array<T> y(x.size());
        c.call(c.table.color.transform[which], b, x.data(), steps.data(), count, y.data());
        std::vector<double> want;
        for (int64_t i = 0; i < b.samples; ++i) {
            std::vector<double> values;
            for (int64_t j = 0; j < size; ++j) values.push_back(x.at(i * size + j));
            walk(b, steps.data() + i * count * kColorNumbers, count, values);
            want.insert(want.end(), values.begin(), values.end());
        }
        expect_values(c, "transformed", y, 64, [&](int64_t i) { return Want(want[size_t(i)], b.high); });
    }
}

template <class T> int64_t level(const ImageBatch& b, const Array<T>& x, int64_t i) {
    return int64_t(std::nearbyint(sizeof(T) == 1 ? x.at(i) : float(x.at(i)) * (255 / b.high)));
}

template <class T> void check_tables(Checks& c, const ImageBatch& b, int which, const Array<T>& x) {
    const int64_t size = b.height * b.width * b.channels;
    Array<int64_t> counts(b.samples * b.channels * 256);
    for (int64_t i = 0; i < counts.size(); ++i) counts[i] = i % 3;
    c.call(c.table.color.histogram[which], b, x.data(), counts.data());
    std::vector<int64_t> want(size_t(counts.size()));
    for (size_t i = 0; i < want.size(); ++i) want[i] = int64_t(i) % 3;
    for (int64_t i = 0; i < x.size(); ++i)
        ++want[size_t((i / size * b.channels + i % b.channels) * 256 + level(b, x, i))];
    c.expect_exactly("counts", counts, [&](int64_t i) { return want[size_t(i)]; });

    for (int64_t each : {int64_t(1), b.channels}) {
        Array<uint8_t> tables(b.samples * each * 256);
        for (int64_t i = 0; i < tables.size(); ++i) tables[i] = uint8_t(c.whole(0, 256));
        Array<T> y(x.size());
        c.call(c.table.color.lookup[which], b, x.data(), tables.data(), each, y.data());
        expect_values(c, "looked up", y, 4, [&](int64_t i) {
            const double found = tables.at((i / size * each + i % each) * 256 + level(b, x, i));
            return Want(sizeof(T) == 1 ? found : found * double(b.high) / 255);
        });
    }

    for (int64_t stride : {int64_t(0), b.channels}) {
        const int64_t rows = stride ? b.samples : 1;
        const Array<float> scale = c.uniform_array<float>(rows * b.channels),
                           shift = c.uniform_array<float>(rows * b.channels);
        Array<float> y(x.size());
        c.call(c.table.color.normalize[which], b, x.data(), scale.data(), shift.data(), stride, y.data());
        c.expect("normalized", y, 4, [&](int64_t i) {
            const int64_t at = i / size * stride + i % b.channels;
            return Want(x.at(i) * scale.at(at) + shift.at(at), std::fabs(x.at(i)) + 1);
        });
    }
}

double uniform_of(int64_t key, int64_t i) { return (word({uint64_t(key), 0, 0}, i) >> 8) * 0x1p-24; }

template <class T> void check_noise(Checks& c, const ImageBatch& b, int which, const Array<T>& x) {
    const int64_t size = b.height * b.width * b.channels;
    const Array<int64_t> keys = c.whole_array(b.samples, 0, int64_t(1) << 53);
    for (const auto& [kind, name] : enumerators<Noise>()) {
        c.at("noise ", name, ", samples ", b.samples, ", size ", size, ", type ", which);
        const Array<float> amounts = c.uniform_array<float>(2 * b.samples, 0, 1);
        Array<T> y(x.size());
        c.call(c.table.color.noise[which], b, kind, x.data(), keys.data(), amounts.data(), y.data());
        // The normal numbers are those of the family `random`, which has checks of its own.
        std::vector<float> drawn(static_cast<size_t>(x.size()));
        for (int64_t i = 0; i < b.samples; ++i)
            c.call(c.table.random.normal[0], RandomSource{uint64_t(keys[i]), 0, 0}, size,
                   double(amounts[2 * i]), double(amounts[2 * i + 1]),
                   static_cast<void*>(drawn.data() + i * size));
        expect_values(c, "noisy", y, 8, [&](int64_t i) -> Want {
            const int64_t sample = i / size;
            const double v = x.at(i), more = drawn[size_t(i)];
            if (kind == Noise::gaussian) return {cut(b, v + more), 600};
            if (kind == Noise::speckle) return {cut(b, v + v * more), 600};
            const double u = uniform_of(keys[sample], i % size / b.channels);
            return u < double(amounts[2 * sample] * amounts[2 * sample + 1]) ? b.high
                   : u < double(amounts[2 * sample])                         ? b.low
                                                                             : v;
        });
    }
}

int64_t mirror(int64_t i, int64_t n) {
    while (i < 0 || i >= n) i = n == 1 ? 0 : i < 0 ? -i : 2 * (n - 1) - i;
    return i;
}

template <class T> void check_filter(Checks& c, const ImageBatch& b, int which, const Array<T>& x) {
    for (const auto& [rows, columns, keep] :
         {std::array<int64_t, 3>{1, 1, 0}, {3, 3, 1}, {5, 1, 0}, {7, 13, 0}}) {
        const Array<float> down = c.uniform_array<float>(b.samples * rows, -0.2, 1.6 / double(rows)),
                           across = c.uniform_array<float>(b.samples * columns, -0.2, 1.6 / double(columns)),
                           centre = c.uniform_array<float>(b.samples);
        Array<T> y(x.size());
        c.call(c.table.color.filter[which], b, x.data(), down.data(), rows, across.data(), columns,
               centre.data(), keep != 0, y.data());
        expect_values(
            c, "filtered", y, double(8 + rows + columns),
            [&, r = rows, k = columns, kept = keep](int64_t i) -> Want {
                const int64_t channel = i % b.channels, column = i / b.channels % b.width,
                              row = i / b.channels / b.width % b.height,
                              sample = i / b.channels / b.width / b.height;
                if (kept && (row == 0 || row == b.height - 1 || column == 0 || column == b.width - 1))
                    return x.at(i);
                Sum sum;
                sum.add(centre.at(sample) * x.at(i));
                for (int64_t s = 0; s < r; ++s)
                    for (int64_t t = 0; t < k; ++t) {
                        const int64_t from_row = mirror(row + s - r / 2, b.height),
                                      from_column = mirror(column + t - k / 2, b.width);
                        sum.add(down.at(sample * r + s) * across.at(sample * k + t) *
                                x.at(((sample * b.height + from_row) * b.width + from_column) * b.channels +
                                     channel));
                    }
                return {cut(b, sum.value), sum.size + 1};
            });
    }
}

template <class T> void check_erase(Checks& c, const ImageBatch& b, int which, const Array<T>& x) {
    const int64_t size = b.height * b.width * b.channels, count = 2;
    Array<int64_t> boxes(b.samples * count * 4);
    for (int64_t i = 0; i < b.samples * count; ++i)
        for (int64_t k = 0; k < 2; ++k) {
            const int64_t n = k ? b.height : b.width, from = c.whole(0, n + 1);
            boxes[4 * i + k] = from;
            boxes[4 * i + 2 + k] = c.whole(from, n + 1);
        }
    const Array<float> values = c.uniform_array<float>(b.channels, 0, 255);
    const Array<int64_t> keys = c.whole_array(b.samples, 0, int64_t(1) << 53);
    for (const bool random : {false, true}) {
        Array<T> y(x);
        c.call(c.table.color.erase[which], b, boxes.data(), count, values.data(),
               random ? keys.data() : nullptr, y.data());
        expect_values(c, "erased", y, 8, [&](int64_t i) -> Want {
            const int64_t sample = i / size, column = i / b.channels % b.width,
                          row = i / b.channels / b.width % b.height;
            for (int64_t k = 0; k < count; ++k) {
                const int64_t* box = boxes.data() + (sample * count + k) * 4;
                if (column >= box[0] && row >= box[1] && column < box[2] && row < box[3])
                    return random ? b.low + (b.high - b.low) * uniform_of(keys[sample], i % size)
                                  : values.at(i % b.channels);
            }
            return x.at(i);
        });
    }
}

template <class T> void check_images(Checks& c, const ImageBatch& b, int which) {
    c.at("samples ", b.samples, ", height ", b.height, ", width ", b.width, ", channels ", b.channels,
         ", type ", which);
    Array<T> x(b.samples * b.height * b.width * b.channels);
    for (int64_t i = 0; i < x.size(); ++i) x[i] = kFloat<T> ? T(c.uniform(0, 255)) : T(c.whole(0, 256));
    check_transform(c, b, which, x);
    check_tables(c, b, which, x);
    check_filter(c, b, which, x);
    check_erase(c, b, which, x);
    check_noise(c, b, which, x);
}

} // namespace

void check_color(Checks& c) {
    for (const ImageBatch& b : kBatches) {
        check_images<uint8_t>(c, b, 0);
        check_images<float>(c, b, 1);
    }
}

} // namespace dt::check
