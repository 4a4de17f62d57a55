#include "kernels/conv.h"

#include "kernels/conv_phase.h"
#include "kernels/cpu/conv_parts.h"
#include "kernels/cpu/conv_planes.h"
#include "kernels/cpu/depthwise.h"

namespace dt::cpu::DT_LEVEL {
namespace {

// Packs `rows` rows of the filters into panels of `depth` of them, from `row` on.
template <class T>
void pack_filters(const Strided<T>& from, int64_t filters, int64_t rows, T* packed, int64_t depth,
                  int64_t row) {
    parallel(
        ceil_div(filters, kTileCols<T>), grain_for(rows * kTileCols<T>), [&](int64_t begin, int64_t end) {
            for (int64_t j = begin * kTileCols<T>; j < min(end * kTileCols<T>, filters); j += kTileCols<T>) {
                const int64_t cols = min(kTileCols<T>, filters - j);
                pack_columns(from, packed + j * depth + row * round_up(cols, kLanes<T>), j, cols, 0, rows);
            }
        });
}

template <class T>
void forward(const ConvShape& s, const void* x_, const void* weight_, const T* bias, Activation activation,
             void* y_) {
    if (s.batch <= 0) return;
    const Image<T> x = image_of<T>(s, x_), stored = image_of<T>(s, weight_), y = image_of<T>(s, y_);
    if (conv_pointwise<T>().forward(s, x, stored, bias, activation, y)) return;
    if constexpr (sizeof(T) == 4)
        if (conv_winograd().forward(s, x, stored, bias, activation, y)) return;
    const int64_t channels = s.in_channels / s.groups, filters = s.out_channels / s.groups;
    const int64_t taps = s.kernel_h * s.kernel_w, depth = taps * channels;
    const int64_t row = s.out_w * s.out_channels;
    const T* weight = exact_weight<T>(s, weight_);
    Correlation<T> c{s.batch,
                     {s.in_h, s.out_h, s.kernel_h, s.stride_h, s.dilation_h, -s.pad_top},
                     {s.in_w, s.out_w, s.kernel_w, s.stride_w, s.dilation_w, -s.pad_left},
                     x,
                     s.in_channels,
                     channels,
                     y,
                     s.out_h * row,
                     row,
                     s.out_channels,
                     filters};
    c.activation = activation;
    if (const int64_t width = narrow_groups<T>(s)) {
        T* packed = scratch<T>(Scratch::conv_weight, depth * s.in_channels);
        Strided<T>{weight, depth, 1}.pack(packed, s.in_channels, 0, s.in_channels, 0, depth);
        c.channels = c.filters = s.in_channels;
        c.weight = packed;
        c.bias = bias;
        return correlate_depthwise(c, width);
    }
    T* packed = scratch<T>(Scratch::conv_weight, depth * round_up(filters, kLanes<T>));
    c.weight = packed;
    for (int64_t g = 0; g < s.groups; ++g) {
        const Strided<T> from{weight + g * filters * depth, depth, 1};
        pack_filters(from, filters, depth, packed, depth, 0);
        c.in = x + g * channels;
        c.out = y + g * filters;
        c.bias = bias ? bias + g * filters : nullptr;
        correlate(c);
    }
}

// False, with nothing done, where `accumulate` asks for what no way that suits the shape can do.
template <class T>
bool data_gradient(const ConvShape& s, const void* dy_, const void* weight_, const T* bias,
                   Activation activation, bool accumulate, void* dx_) {
    if (s.batch <= 0) return true;
    const Image<T> dy = image_of<T>(s, dy_), stored = image_of<T>(s, weight_), dx = image_of<T>(s, dx_);
    if (conv_pointwise<T>().backward_data(s, dy, stored, bias, activation, accumulate, dx)) return true;
    if constexpr (sizeof(T) == 4)
        if (conv_winograd().backward_data(s, dy, stored, bias, activation, accumulate, dx)) return true;
    const int64_t narrow = narrow_groups<T>(s);
    if (accumulate && (narrow || s.in_channels / s.groups < kLanes<T>)) return false;
    if (!narrow && conv_scatter<T>().backward_data(s, dy, stored, bias, activation, accumulate, dx))
        return true;
    // The correlations lead from dy to dx.
    const int64_t channels = s.out_channels / s.groups, filters = s.in_channels / s.groups;
    const int64_t taps = s.kernel_h * s.kernel_w, row = s.in_w * s.in_channels;
    const T* weight = exact_weight<T>(s, weight_);
    T* packed = scratch<T>(Scratch::conv_weight,
                           taps * max(narrow * s.in_channels, channels * round_up(filters, kLanes<T>)));
    const int64_t phases_h = min(s.stride_h, s.in_h), phases_w = min(s.stride_w, s.in_w);
    for (int64_t i = 0; i < phases_h * phases_w; ++i) {
        const Phase h = make_phase(i / phases_w, s.in_h, s.kernel_h, s.stride_h, s.pad_top, s.dilation_h);
        const Phase w = make_phase(i % phases_w, s.in_w, s.kernel_w, s.stride_w, s.pad_left, s.dilation_w);
        Correlation<T> c{s.batch,
                         {s.out_h, h.count, w.taps ? h.taps : 0, 1, h.dilation, h.origin},
                         {s.out_w, w.count, h.taps ? w.taps : 0, 1, w.dilation, w.origin},
                         dy,
                         s.out_channels,
                         channels,
                         dx,
                         s.in_h * row,
                         s.stride_h * row,
                         s.stride_w * s.in_channels,
                         filters};
        if (accumulate && c.depth() == 0) continue;
        c.weight = packed;
        c.activation = activation;
        c.accumulate = accumulate;
        const Image<T> corner = dx + (h.start * row + w.start * s.in_channels);
        for (int64_t g = 0; g < (narrow ? 1 : s.groups); ++g) {
            for (int64_t t = 0; t < c.h.taps * c.w.taps; ++t) { // the weight of this phase's taps
                const int64_t tap = h.tap(t / c.w.taps) * s.kernel_w + w.tap(t % c.w.taps);
                if (narrow) {
                    for (int64_t i = 0; i < narrow;
                         ++i) // lanes lie along the channels of x, i is one of dy's
                        for (int64_t ch = 0; ch < s.in_channels; ++ch)
                            packed[(t * narrow + i) * s.in_channels + ch] =
                                weight[((ch / narrow * narrow + i) * taps + tap) * narrow + ch % narrow];
                    continue;
                }
                const Strided<T> from{weight + (g * channels * taps + tap) * filters, 1, taps * filters};
                pack_filters(from, filters, channels, packed, c.depth(), t * channels);
            }
            c.in = dy + g * channels;
            c.out = corner + g * filters;
            c.bias = bias ? bias + g * filters : nullptr;
            if (!narrow) {
                correlate(c);
                continue;
            }
            c.channels = c.filters = s.in_channels;
            correlate_depthwise(c, narrow);
        }
    }
    return true;
}

template <class T>
void backward_data(const ConvShape& s, const void* dy, const void* weight, const T* bias,
                   Activation activation, void* dx) {
    data_gradient<T>(s, dy, weight, bias, activation, false, dx);
}
template <class T> bool add_data(const ConvShape& s, const void* dy, const void* weight, void* dx) {
    return data_gradient<T>(s, dy, weight, nullptr, Activation::none, true, dx);
}

} // namespace

Conv conv() {
    return {{forward<float>, backward_data<float>, add_data<float>, conv_backward_weight<float>},
            {forward<double>, backward_data<double>, add_data<double>, conv_backward_weight<double>}};
}

} // namespace dt::cpu::DT_LEVEL
