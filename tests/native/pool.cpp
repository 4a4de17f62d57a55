// Pools by the definition in csrc/kernels/pool.h.
#include "kernels/pool.h"

#include "check.h"

namespace dt::check {
namespace {

std::string describe(const PoolShape& s) {
    return "x (" + text(s.batch) + ", " + text(s.in_h) + ", " + text(s.in_w) + ", " + text(s.channels) +
           "), y " + text(s.out_h) + "x" + text(s.out_w) + ", kernel " + text(s.kernel_h) + "x" +
           text(s.kernel_w) + ", stride " + text(s.stride_h) + "x" + text(s.stride_w) + ", padding " +
           text(s.pad_top) + " " + text(s.pad_left) + ", dilation " + text(s.dilation_h) +
           (s.adaptive ? ", adaptive" : "");
}

struct Place {
    int64_t row, col, tap; // tap: r * kernel_w + q
};
// The positions of x in the window of output (i, j), row by row.
std::vector<Place> window(const PoolShape& s, int64_t i, int64_t j) {
    std::vector<Place> places;
    if (s.adaptive) {
        const int64_t top = i * s.in_h / s.out_h, left = j * s.in_w / s.out_w;
        for (int64_t y = top; y * s.out_h < (i + 1) * s.in_h; ++y)
            for (int64_t x = left; x * s.out_w < (j + 1) * s.in_w; ++x)
                places.push_back({y, x, (y - top) * s.kernel_w + x - left});
        return places;
    }
    for (int64_t r = 0; r < s.kernel_h; ++r)
        for (int64_t q = 0; q < s.kernel_w; ++q) {
            const int64_t y = i * s.stride_h - s.pad_top + r * s.dilation_h;
            const int64_t x = j * s.stride_w - s.pad_left + q * s.dilation_w;
            if (y >= 0 && y < s.in_h && x >= 0 && x < s.in_w) places.push_back({y, x, r * s.kernel_w + q});
        }
    return places;
}

int64_t divisor_of(const PoolShape& s, int64_t i, int64_t j) {
    const int64_t inside = int64_t(window(s, i, j).size());
    if (s.adaptive) return inside;
    if (s.divisor > 0) return s.divisor;
    if (!s.count_include_pad) return inside;
    int64_t count = 0; // positions in x widened by the padding
    for (int64_t r = 0; r < s.kernel_h; ++r)
        for (int64_t q = 0; q < s.kernel_w; ++q)
            count += i * s.stride_h - s.pad_top + r < s.in_h + s.pad_bottom &&
                     j * s.stride_w - s.pad_left + q < s.in_w + s.pad_right;
    return count;
}

// body(output, its row, its column, start of its image in x, channel)
template <class F> void for_outputs(const PoolShape& s, const F& body) {
    for (int64_t at = 0; at < s.batch * s.out_h * s.out_w * s.channels; ++at) {
        const int64_t channel = at % s.channels, j = at / s.channels % s.out_w;
        const int64_t i = at / s.channels / s.out_w % s.out_h, image = at / s.channels / s.out_w / s.out_h;
        body(at, i, j, image * s.in_h * s.in_w * s.channels, channel);
    }
}

template <class T, class I> void check_max(Checks& c, const PoolKernels<T>& kernels, const PoolShape& s) {
    const int64_t x_size = s.batch * s.in_h * s.in_w * s.channels,
                  y_size = s.batch * s.out_h * s.out_w * s.channels;
    Array<T> x(x_size);
    for (int64_t i = 0; i < x_size; ++i)
        x[i] = rounded<T>(i % 37 == 30 ? NAN : double(c.whole(-6, 7))); // equal ones, NaN
    const Array<T> dy = c.uniform_array<T>(y_size);
    c.at("max, ", describe(s));
    std::vector<double> largest(size_t(y_size), -INFINITY);
    std::vector<int64_t> places(static_cast<size_t>(y_size));
    std::vector<Sum> grads(static_cast<size_t>(x_size));
    for_outputs(s, [&](int64_t at, int64_t i, int64_t j, int64_t image, int64_t channel) {
        double best = -INFINITY;
        int64_t from = -1;
        for (const Place& p : window(s, i, j)) {
            const int64_t candidate = image + (p.row * s.in_w + p.col) * s.channels + channel;
            const double v = x.at(candidate);
            if (from >= 0 && !(v > best || (std::isnan(v) && !std::isnan(best)))) continue;
            best = v, from = candidate, places[size_t(at)] = p.tap;
        }
        largest[size_t(at)] = best;
        if (from >= 0) grads[size_t(from)].add(dy.at(at));
    });
    Array<T> y(y_size), without_index(y_size), dx(x_size);
    Array<I> index(y_size);
    c.call(kernels.max_forward, s, x.data(), y.data(), index.data());
    c.expect_exactly("y", y, [&](int64_t i) { return rounded<T>(largest[size_t(i)]); });
    c.expect_exactly("index", index, [&](int64_t i) { return I(places[size_t(i)]); });
    c.call(kernels.max_forward, s, x.data(), without_index.data(), nullptr);
    c.expect_exactly("y, no index wanted", without_index,
                     [&](int64_t i) { return rounded<T>(largest[size_t(i)]); });
    c.call(kernels.max_backward, s, dy.data(), index.data(), dx.data());
    c.expect("dx", dx, 8, [&](int64_t i) { return grads[size_t(i)]; });
}

template <class T> void check_average(Checks& c, const PoolKernels<T>& kernels, const PoolShape& s) {
    const int64_t x_size = s.batch * s.in_h * s.in_w * s.channels,
                  y_size = s.batch * s.out_h * s.out_w * s.channels;
    const Array<T> x = c.uniform_array<T>(x_size), dy = c.uniform_array<T>(y_size);
    c.at("average, ", describe(s), s.count_include_pad ? ", with padding" : "", ", divisor ", s.divisor);
    std::vector<Sum> sums(static_cast<size_t>(y_size)), grads(static_cast<size_t>(x_size));
    for_outputs(s, [&](int64_t at, int64_t i, int64_t j, int64_t image, int64_t channel) {
        const double divisor = double(divisor_of(s, i, j));
        for (const Place& p : window(s, i, j)) {
            const int64_t from = image + (p.row * s.in_w + p.col) * s.channels + channel;
            sums[size_t(at)].add(x.at(from) / divisor);
            grads[size_t(from)].add(dy.at(at) / divisor);
        }
    });
    Array<T> y(y_size), dx(x_size);
    c.call(kernels.average_forward, s, x.data(), y.data());
    c.expect("y", y, 8, [&](int64_t i) { return sums[size_t(i)]; });
    c.call(kernels.average_backward, s, dy.data(), dx.data());
    c.expect("dx", dx, 8, [&](int64_t i) { return grads[size_t(i)]; });
}

struct Geometry {
    int64_t kernel, stride, padding, dilation;
};
PoolShape make(int64_t batch, int64_t h, int64_t w, int64_t channels, const Geometry& g) {
    PoolShape s;
    s.batch = batch, s.in_h = h, s.in_w = w, s.channels = channels;
    s.kernel_h = s.kernel_w = g.kernel, s.stride_h = s.stride_w = g.stride;
    s.pad_top = s.pad_left = s.pad_bottom = s.pad_right = g.padding, s.dilation_h = s.dilation_w = g.dilation;
    s.out_h = (h + 2 * g.padding - g.dilation * (g.kernel - 1) - 1) / g.stride + 1;
    s.out_w = (w + 2 * g.padding - g.dilation * (g.kernel - 1) - 1) / g.stride + 1;
    return s;
}

template <class T> void check_shape(Checks& c, const PoolKernels<T>& kernels, PoolShape s, int variant) {
    if (pool_index_bytes(s.kernel_h, s.kernel_w) == 1)
        check_max<T, uint8_t>(c, kernels, s);
    else
        check_max<T, int32_t>(c, kernels, s);
    if (s.dilation_h != 1) return;
    s.count_include_pad = variant % 3 == 1;
    s.divisor = variant % 3 == 2 ? 5 : 0;
    check_average(c, kernels, s);
}

template <class T> void check_all(Checks& c, const PoolKernels<T>& kernels) {
    int variant = 0;
    for (const Geometry& g :
         {Geometry{2, 2, 0, 1}, Geometry{3, 2, 1, 1}, Geometry{3, 1, 1, 1}, Geometry{2, 3, 0, 1},
          Geometry{3, 3, 1, 1}, Geometry{1, 1, 0, 1}, Geometry{3, 2, 1, 2}, Geometry{7, 7, 0, 1}})
        for (int64_t channels : {1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33})
            for (int64_t w : {9, 20}) check_shape(c, kernels, make(2, 11, w, channels, g), variant++);
    check_shape(c, kernels, make(1, 17, 18, 3, {17, 1, 0, 1}), 0); // an index of four bytes
    check_shape(c, kernels, make(1, 17, 18, 20, {17, 1, 8, 1}), 1);
    check_shape(c, kernels, make(0, 6, 6, 3, {2, 2, 0, 1}), 0);
    check_shape(c, kernels, make(5, 40, 40, 40, {2, 2, 0, 1}), 0); // several blocks
    check_shape(c, kernels, make(9, 30, 44, 4, {2, 2, 0, 1}), 0);
    check_shape(c, kernels, make(9, 30, 44, 6, {3, 1, 1, 1}), 0);
    for (int64_t out : {1, 2, 3, 5})
        for (int64_t channels : {1, 3, 8, 17}) {
            PoolShape s;
            s.batch = 2, s.in_h = 7, s.in_w = 10, s.channels = channels, s.out_h = out, s.out_w = out + 1;
            s.kernel_h = 7, s.kernel_w = 10, s.adaptive = true;
            check_shape(c, kernels, s, 0);
        }
}

} // namespace

void check_pool(Checks& c) {
    check_all(c, c.table.pool.f32);
    check_all(c, c.table.pool.f64);
    check_all(c, c.table.pool.f16);
    check_all(c, c.table.pool.bf16);
}

} // namespace dt::check
