// Convolutions of every kind of shape that a kernel may treat by itself, by the definition in
// csrc/kernels/conv.h.
#include "kernels/conv.h"

#include "check.h"
#include "reference.h"

namespace dt::check {
namespace {

std::string describe(const ConvShape& s) {
    return "x (" + text(s.batch) + ", " + text(s.in_h) + ", " + text(s.in_w) + ", " + text(s.in_channels) +
           "), y (" + text(s.out_h) + ", " + text(s.out_w) + ", " + text(s.out_channels) + "), kernel " +
           text(s.kernel_h) + "x" + text(s.kernel_w) + ", stride " + text(s.stride_h) + "x" +
           text(s.stride_w) + ", padding " + text(s.pad_top) + " " + text(s.pad_left) + ", dilation " +
           text(s.dilation_h) + "x" + text(s.dilation_w) + ", groups " + text(s.groups);
}

// Calls body(x index, weight index) for every product that goes into y[n, i, j, o].
template <class F>
void products_of_output(const ConvShape& s, int64_t n, int64_t i, int64_t j, int64_t o, const F& body) {
    const int64_t channels = s.in_channels / s.groups, group = o / (s.out_channels / s.groups);
    for (int64_t r = 0; r < s.kernel_h; ++r)
        for (int64_t q = 0; q < s.kernel_w; ++q) {
            const int64_t row = i * s.stride_h - s.pad_top + r * s.dilation_h;
            const int64_t col = j * s.stride_w - s.pad_left + q * s.dilation_w;
            if (row < 0 || row >= s.in_h || col < 0 || col >= s.in_w) continue;
            for (int64_t ch = 0; ch < channels; ++ch)
                body(((n * s.in_h + row) * s.in_w + col) * s.in_channels + group * channels + ch,
                     ((o * s.kernel_h + r) * s.kernel_w + q) * channels + ch);
        }
}
// body(y index, x index, weight index) for every product there is.
template <class F> void all_products(const ConvShape& s, const F& body) {
    for (int64_t y = 0; y < s.batch * s.out_h * s.out_w * s.out_channels; ++y)
        products_of_output(s, y / s.out_channels / s.out_w / s.out_h, y / s.out_channels / s.out_w % s.out_h,
                           y / s.out_channels % s.out_w, y % s.out_channels,
                           [&](int64_t x, int64_t w) { body(y, x, w); });
}

// Transforms (Winograd) lose more than plain sums, and what they lose depends on neighbouring terms.
double roundings(const ConvShape& s) {
    return 16 + 2 * std::sqrt(double(s.kernel_h * s.kernel_w * (s.in_channels + s.out_channels) / s.groups));
}

// T is the dtype of images and weights; bias and gradient of the weight are float32 beside a half format.
template <class T>
void check_shape(Checks& c, const ConvKernels<Beside<T>>& kernels, ConvShape s, bool bias,
                 Activation activation) {
    using R = Beside<T>;
    s.format = dtype_of<T>;
    const int64_t x_size = s.batch * s.in_h * s.in_w * s.in_channels;
    const int64_t y_size = s.batch * s.out_h * s.out_w * s.out_channels;
    const int64_t w_size = s.out_channels * s.kernel_h * s.kernel_w * (s.in_channels / s.groups);
    const Array<T> x = c.uniform_array<T>(x_size), w = c.uniform_array<T>(w_size),
                   dy = c.uniform_array<T>(y_size);
    const Array<R> out_bias = c.uniform_array<R>(s.out_channels), in_bias = c.uniform_array<R>(s.in_channels);
    const std::string shape = describe(s) + (bias ? ", bias" : "") + ", activation " + text(int(activation));

    std::vector<Sum> y_want(static_cast<size_t>(y_size)), dx_want(static_cast<size_t>(x_size)),
        dw_want(static_cast<size_t>(w_size));
    all_products(s, [&](int64_t yi, int64_t xi, int64_t wi) {
        y_want[size_t(yi)].add(x.at(xi) * w.at(wi));
        dx_want[size_t(xi)].add(dy.at(yi) * w.at(wi));
        dw_want[size_t(wi)].add(dy.at(yi) * x.at(xi));
    });
    for (int64_t i = 0; bias && i < y_size; ++i) y_want[size_t(i)].add(out_bias.at(i % s.out_channels));
    for (int64_t i = 0; bias && i < x_size; ++i) dx_want[size_t(i)].add(in_bias.at(i % s.in_channels));

    c.at("forward, ", shape);
    Array<T> y(y_size);
    c.call(kernels.forward, s, x.data(), w.data(), bias ? out_bias.data() : nullptr, activation, y.data());
    c.expect("y", y, roundings(s), [&](int64_t i) { return activated(activation, y_want[size_t(i)]); });

    c.at("backward_data, ", shape);
    Array<T> dx(x_size);
    c.call(kernels.backward_data, s, dy.data(), w.data(), bias ? in_bias.data() : nullptr, activation,
           dx.data());
    c.expect("dx", dx, roundings(s), [&](int64_t i) { return activated(activation, dx_want[size_t(i)]); });

    if (!bias && activation == Activation::none) { // dx_want is the plain gradient
        c.at("add_data, ", shape);
        const Array<T> given = c.uniform_array<T>(x_size);
        Array<T> sum = given;
        const bool added = c.call(kernels.add_data, s, dy.data(), w.data(), sum.data());
        c.expect("sum", sum, added ? roundings(s) : 0, [&](int64_t i) {
            Sum want;
            if (added) want = dx_want[size_t(i)];
            want.add(given.at(i));
            return want;
        });
    }

    c.at("backward_weight, ", shape);
    Array<R> dw(w_size);
    c.call(kernels.backward_weight, s, x.data(), dy.data(), dw.data());
    c.expect("dw", dw, 16 + 2 * std::sqrt(double(s.batch * s.out_h * s.out_w)),
             [&](int64_t i) { return dw_want[size_t(i)]; });
}

struct Geometry {
    int64_t kernel_h, kernel_w, stride, padding, dilation;
};

ConvShape make(int64_t batch, int64_t h, int64_t w, int64_t in, int64_t out, const Geometry& g,
               int64_t groups) {
    ConvShape s;
    s.batch = batch, s.in_h = h, s.in_w = w, s.in_channels = in, s.out_channels = out;
    s.kernel_h = g.kernel_h, s.kernel_w = g.kernel_w, s.stride_h = s.stride_w = g.stride;
    s.pad_top = s.pad_left = g.padding, s.dilation_h = s.dilation_w = g.dilation, s.groups = groups;
    s.out_h = std::max<int64_t>(1, (h + 2 * g.padding - g.dilation * (g.kernel_h - 1) - 1) / g.stride + 1);
    s.out_w = std::max<int64_t>(1, (w + 2 * g.padding - g.dilation * (g.kernel_w - 1) - 1) / g.stride + 1);
    return s;
}

template <class T> void check_all(Checks& c, const ConvKernels<Beside<T>>& kernels) {
    const Geometry geometries[] = {{1, 1, 1, 0, 1}, {1, 1, 2, 0, 1}, {3, 3, 1, 1, 1}, {3, 3, 1, 0, 1},
                                   {3, 3, 2, 1, 1}, {3, 3, 1, 2, 2}, {5, 5, 1, 2, 1}, {7, 7, 2, 3, 1},
                                   {1, 3, 1, 1, 1}, {2, 3, 3, 0, 1}, {4, 4, 4, 0, 1}, {3, 1, 2, 2, 3}};
    struct Channels {
        int64_t in, out, groups;
    };
    const Channels channels[] = {{1, 1, 1}, {3, 5, 1},    {4, 8, 1},   {17, 9, 1},  {6, 4, 2},  {5, 5, 5},
                                 {4, 8, 4}, {33, 33, 33}, {18, 18, 9}, {20, 20, 5}, {24, 24, 3}};
    int number = 0;
    const auto activations = enumerators<Activation>();
    for (const Geometry& g : geometries)
        for (const Channels& ch : channels) {
            ++number;
            check_shape<T>(c, kernels, make(2, 9, 8, ch.in, ch.out, g, ch.groups), number % 2 == 0,
                           activations[size_t(number) % activations.size()].first);
        }
    const Geometry three{3, 3, 1, 1, 1};
    for (int64_t h : {1, 2, 4, 5, 13}) // borders of tiles of outputs
        for (int64_t w : {1, 3, 6, 7, 17})
            check_shape<T>(c, kernels, make(1, h, w, 16, 16, three, 1), true, Activation::none);
    check_shape<T>(c, kernels, make(0, 5, 5, 3, 4, three, 1), true, Activation::none);
    for (const Geometry& g : geometries) // ways that can add to a gradient
        for (int64_t w : {4, 19})
            check_shape<T>(c, kernels, make(2, 9, w, 17, 18, g, 1), false, Activation::none);
    check_shape<T>(c, kernels, make(16, 6, 6, 16, 16, three, 1), false, Activation::none);
    // Above what one thread does alone.
    check_shape<T>(c, kernels, make(3, 20, 21, 16, 32, three, 1), true, Activation::relu);
    check_shape<T>(c, kernels, make(2, 16, 16, 32, 33, {1, 1, 1, 0, 1}, 1), true, Activation::none);
    check_shape<T>(c, kernels, make(1, 160, 162, 45, 37, {1, 1, 1, 0, 1}, 1), true, Activation::relu);
    check_shape<T>(c, kernels, make(2, 33, 30, 3, 24, {5, 5, 2, 2, 1}, 1), false, Activation::none);
    check_shape<T>(c, kernels, make(3, 40, 40, 40, 40, three, 40), true, Activation::relu);
}

} // namespace

void check_conv(Checks& c) {
    check_all<float>(c, c.table.conv.f32);
    check_all<double>(c, c.table.conv.f64);
    check_all<float16_t>(c, c.table.conv.f32);
    check_all<bfloat16_t>(c, c.table.conv.f32);
}

} // namespace dt::check
