// Resizing by the definition in csrc/kernels/resize.h: columns first, then rows.
#include "kernels/resize.h"

#include <algorithm>

#include "check.h"

namespace dt::check {
namespace {

// Tables with random weights, or of one pixel each.
struct Table {
    Array<int32_t> first, count, shift;
    Array<float> weight;
    Array<int16_t> fixed;
    ResizeAxis axis;

    Table(Checks& c, int64_t samples, int64_t in, int64_t out, int64_t taps)
        : first(samples * out), count(samples * out), shift(samples), weight(samples * out * taps),
          fixed(samples * out * taps) {
        for (int64_t s = 0; s < samples; ++s) shift[s] = int32_t(c.whole(12, 15));
        for (int64_t i = 0; i < samples * out; ++i) {
            count[i] = int32_t(c.whole(1, std::min(taps, in) + 1));
            first[i] = int32_t((in - count[i]) * (i % out) / std::max(out - 1, int64_t(1))); // never back
            if (i % out && first[i] < first[i - 1]) first[i] = first[i - 1];
            count[i] = int32_t(std::min(int64_t(count[i]), in - first[i]));
            for (int64_t k = 0; k < taps; ++k) {
                const double w = k < count[i] ? c.uniform(-0.3, 1) / double(count[i]) : 0;
                fixed[i * taps + k] = int16_t(w * double(1 << shift[i / out]));
                weight[i * taps + k] = float(w);
            }
        }
        axis = {in, out, taps, first.data(), count.data(), weight.data(), fixed.data(), shift.data()};
    }
    double factor(int64_t sample, int64_t i, int64_t k) const {
        const int64_t at = (sample * axis.out + i) * axis.taps + k;
        return axis.fixed ? std::ldexp(double(fixed[at]), -shift[sample]) : double(weight[at]);
    }
};

double clipped(double v) { return std::fmin(255, std::fmax(0, std::floor(v + 0.5))); }

template <class T>
void check_case(Checks& c, void (*const& resize)(const ResizeArgs&), ResizeArgs a, const Table& rows,
                const Table& columns) {
    const int64_t h = a.rows.in, w = a.columns.in, n = a.channels;
    Array<T> images(a.batch * h * w * n), out(a.batch * a.rows.out * a.columns.out * n);
    for (int64_t i = 0; i < images.size(); ++i) images[i] = T(c.whole(0, 256));
    a.images = images.data(), a.output = out.data();
    c.call(resize, a);
    // With weights in fixed point all is whole numbers; else what rounds up in one may round down in the
    // other.
    const double slack = kFloat<T> ? 0 : a.rows.fixed ? 0 : 1.01;
    const auto between = [&](int64_t sample, int64_t row, int64_t j, int64_t channel) { // its columns mixed
        const int64_t table = a.shared ? 0 : sample, at = table * a.columns.out + j;
        Sum sum;
        for (int64_t k = 0; k < columns.count[at]; ++k)
            sum.add(columns.factor(table, j, k) *
                    images.at(((sample * h + row) * w + columns.first[at] + k) * n + channel));
        return sum;
    };
    const auto want = [&](int64_t i) {
        const int64_t channel = i % n, j = i / n % a.columns.out, y = i / n / a.columns.out % a.rows.out;
        const int64_t sample = i / n / a.columns.out / a.rows.out, table = a.shared ? 0 : sample;
        const int64_t at = table * a.rows.out + y;
        Sum sum;
        for (int64_t k = 0; k < rows.count[at]; ++k) {
            const Sum line = between(sample, rows.first[at] + k, j, channel);
            const double v = kFloat<T> ? line.value : clipped(line.value), f = rows.factor(table, y, k);
            sum.add(f * v), sum.size += std::fabs(f) * (line.size - std::fabs(v));
        }
        return sum;
    };
    if constexpr (kFloat<T>)
        c.expect("output", out, 20 + double(a.rows.taps + a.columns.taps),
                 [&](int64_t i) { return want(i); });
    else
        c.expect_exactly("output", out, [&](int64_t i) {
            const double v = clipped(want(i).value);
            return std::fabs(out.at(i) - v) <= slack ? out[i] : T(v);
        });
}

void check_size(Checks& c, int64_t batch, int64_t in_h, int64_t in_w, int64_t out_h, int64_t out_w,
                int64_t taps, bool shared) {
    const int64_t tables = shared ? 1 : std::max(batch, int64_t(1));
    Table rows(c, tables, in_h, out_h, taps), columns(c, tables, in_w, out_w, taps + 4);
    for (int64_t channels : {1, 2, 3, 4, 5, 9}) {
        ResizeArgs a;
        a.batch = batch, a.channels = channels, a.shared = shared, a.rows = rows.axis,
        a.columns = columns.axis;
        c.at("images (", batch, ", ", in_h, ", ", in_w, ", ", channels, "), output ", out_h, "x", out_w,
             ", taps ", taps, shared ? ", one table" : "");
        if (channels <= 4) check_case<uint8_t>(c, c.table.resize.u8, a, rows, columns);
        for (Table* table : {&rows, &columns}) table->axis.fixed = nullptr, table->axis.shift = nullptr;
        a.rows = rows.axis, a.columns = columns.axis;
        check_case<uint8_t>(c, c.table.resize.u8, a, rows, columns);
        check_case<float>(c, c.table.resize.f32, a, rows, columns);
        for (Table* table : {&rows, &columns})
            table->axis.fixed = table->fixed.data(), table->axis.shift = table->shift.data();
    }
}

} // namespace

void check_resize(Checks& c) {
    for (bool shared : {true, false}) {
        check_size(c, 2, 9, 12, 5, 7, 4, shared);
        check_size(c, 2, 9, 12, 17, 33, 4, shared);
        check_size(c, 1, 40, 30, 3, 2, 24, shared);
        check_size(c, 2, 1, 1, 4, 5, 8, shared);
        check_size(c, 20, 12, 25, 40, 37, 8, shared); // a block for each image
    }
    check_size(c, 1, 50, 70, 130, 120, 4, true); // bands
    check_size(c, 0, 5, 5, 3, 3, 4, true);
}

} // namespace dt::check
