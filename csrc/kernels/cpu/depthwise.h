#pragma once
// Depthwise convolutions, each channel by itself: lanes lie along the channels, and memory is read and
// written in its order.
#include "kernels/cpu/conv_parts.h"
#include "kernels/cpu/correlation.h"

namespace dt::cpu::DT_LEVEL {
namespace {

// The taps of a window along one axis that lie inside the image, for a window that begins at `start`.
struct Taps {
    int64_t first, last;
    Taps(const Axis& axis, int64_t start)
        : first(start < 0 ? min(axis.taps, ceil_div(-start, axis.dilation)) : 0),
          last(start < axis.in ? min(axis.taps, ceil_div(axis.in - start, axis.dilation)) : 0) {}
};

// Windows of outputs [inner, outer) lie inside the image along the axis.
struct Inside {
    int64_t inner, outer;
};
inline Inside inside(const Axis& axis) {
    const int64_t inner = clamp(ceil_div(max(int64_t{0}, -axis.origin), axis.stride), int64_t{0}, axis.out);
    const int64_t room = axis.in - 1 - (axis.taps - 1) * axis.dilation - axis.origin;
    return {inner, room < 0 ? inner : clamp(room / axis.stride + 1, inner, axis.out)};
}

// `count` neighbouring outputs, which share the weights that they load; `whole` vectors of channels or `left`
// ones. `from` is where the window of the first one begins.
template <int count, bool whole, class T>
DT_INLINE void depthwise_outputs(const Correlation<T>& c, const T* from, Taps rows, Taps cols, int64_t ch,
                                 int64_t left, bool streams, T* to) {
    const auto read = [left](const T* p) DT_INLINE_LAMBDA { return whole ? load(p) : load_tail(p, left); };
    const int64_t step = c.w.stride * c.in_pixel, row = c.h.dilation * c.w.in * c.in_pixel;
    const int64_t col = c.w.dilation * c.in_pixel, channels = c.channels, wide = c.w.taps;
    Vec<T> sum[count];
    const Vec<T> bias = c.bias ? read(c.bias + ch) : zero<T>();
    for (int g = 0; g < count; ++g) {
        sum[g] = bias;
        __builtin_prefetch(from + c.h.taps * row +
                           g * step); // what the next row of outputs will be first to read
    }
    for (int64_t r = rows.first; r < rows.last; ++r)
        for (int64_t s = cols.first; s < cols.last; ++s) {
            const Vec<T> weight = read(c.weight + (r * wide + s) * channels + ch);
            const T* x = from + r * row + s * col;
#pragma GCC unroll 8
            for (int g = 0; g < count; ++g) sum[g] = fma(read(x + g * step), weight, sum[g]);
        }
    if (c.activation != Activation::none)
        for (int g = 0; g < count; ++g) sum[g] = activate(sum[g], c.activation);
#pragma GCC unroll 8
    for (int g = 0; g < count; ++g) {
        if (whole && streams)
            stream(to + g * c.out_pixel, sum[g], Whole{});
        else if (whole)
            store(to + g * c.out_pixel, sum[g]);
        else
            store_tail(to + g * c.out_pixel, sum[g], left);
    }
}

// All channels of `count` outputs: memory is read and written in its order.
template <int count, class T>
DT_INLINE void depthwise_pixels(const Correlation<T>& c, const T* from, Taps rows, Taps cols, bool streams,
                                T* to) {
    int64_t ch = 0;
    for (; ch + kLanes<T> <= c.channels; ch += kLanes<T>)
        depthwise_outputs<count, true>(c, from + ch, rows, cols, ch, kLanes<T>, streams, to + ch);
    if (ch < c.channels)
        depthwise_outputs<count, false>(c, from + ch, rows, cols, ch, c.channels - ch, false, to + ch);
}

template <class T> void depthwise_row(const Correlation<T>& c, int64_t image, int64_t u, bool streams) {
    const int64_t y = u * c.h.stride + c.h.origin, step = c.w.stride * c.in_pixel;
    const T* from = c.in + image * c.in_image() + (y * c.w.in + c.w.origin) * c.in_pixel;
    T* to = c.out + image * c.out_image + u * c.out_row;
    const Taps rows(c.h, y);
    const auto [inner, outer] = inside(c.w);
    for (int64_t v = 0; v < c.w.out;) {
        const Taps cols(c.w, v * c.w.stride + c.w.origin);
        if (v >= inner && v + 8 <= outer) {
            depthwise_pixels<8>(c, from + v * step, rows, cols, streams, to + v * c.out_pixel);
            v += 8;
        } else if (v >= inner && v + 2 <= outer) {
            depthwise_pixels<2>(c, from + v * step, rows, cols, streams, to + v * c.out_pixel);
            v += 2;
        } else {
            depthwise_pixels<1>(c, from + v * step, rows, cols, streams, to + v * c.out_pixel);
            v += 1;
        }
    }
}

// Each channel by itself: weight is [tap][channel], `filters` equals `channels`.
template <class T> void correlate_depthwise(const Correlation<T>& c) {
    count_path(Path::conv_depthwise);
    const bool streams = can_stream(c.out, c.batch * c.out_image, c.channels);
    parallel(c.batch * c.h.out, grain_for(c.w.out * c.depth() / 4), [&](int64_t begin, int64_t end) {
        for (int64_t item = begin; item < end; ++item)
            depthwise_row(c, item / c.h.out, item % c.h.out, streams);
        if (streams) finish_streaming();
    });
}

// --- The gradient of the weight: per channel and tap, the sum over outputs of dy times what the tap read ---

// What the next row of outputs will read: lines so far apart that the processor does not see them coming.
template <class T> struct Ahead {
    const T* data;
    int64_t step; // from output to output
};

// `taps` neighbours in a row of the window over `count` neighbouring outputs, added to to[tap * channels].
template <int taps, class T, class Count>
DT_INLINE void depthwise_sums(const Correlation<T>& c, const T* x, const T* dy, int64_t count, Count part,
                              Ahead<T> ahead, T* to) {
    const int64_t step = c.w.stride * c.in_pixel, tap = c.w.dilation * c.in_pixel, channels = c.channels;
    Vec<T> even[taps] = {}, odd[taps] = {};
    int64_t v = 0;
    for (; v + 2 <= count; v += 2) {
        const Vec<T> g0 = load(dy + v * channels, part), g1 = load(dy + (v + 1) * channels, part);
        __builtin_prefetch(ahead.data + v * ahead.step);
        __builtin_prefetch(ahead.data + (v + 1) * ahead.step);
#pragma GCC unroll 4
        for (int t = 0; t < taps; ++t) {
            even[t] = fma(load(x + v * step + t * tap, part), g0, even[t]);
            odd[t] = fma(load(x + (v + 1) * step + t * tap, part), g1, odd[t]);
        }
    }
    if (v < count) {
        const Vec<T> g0 = load(dy + v * channels, part);
        for (int t = 0; t < taps; ++t) even[t] = fma(load(x + v * step + t * tap, part), g0, even[t]);
    }
    for (int t = 0; t < taps; ++t)
        store(to + t * channels, load(to + t * channels, part) + (even[t] + odd[t]), part);
}

// Taps [cols.first, cols.last) of one row of the window, all channels.
template <class T>
void depthwise_taps(const Correlation<T>& c, const T* x, const T* dy, int64_t count, Taps cols,
                    Ahead<T> ahead, T* to) {
    for_vectors<T>(c.channels, [&](int64_t ch, auto part) DT_INLINE_LAMBDA {
        for (int64_t s = cols.first; s < cols.last; s += 4) {
            const T* from = x + s * c.w.dilation * c.in_pixel + ch;
            T* at = to + s * c.channels + ch;
            const Ahead<T> fetch{ahead.data + ch, ahead.step};
            switch (min(int64_t{4}, cols.last - s)) {
            case 1:
                depthwise_sums<1>(c, from, dy + ch, count, part, fetch, at);
                break;
            case 2:
                depthwise_sums<2>(c, from, dy + ch, count, part, fetch, at);
                break;
            case 3:
                depthwise_sums<3>(c, from, dy + ch, count, part, fetch, at);
                break;
            default:
                depthwise_sums<4>(c, from, dy + ch, count, part, fetch, at);
            }
        }
    });
}

// dy (batch, out_h, out_w, channels); dw (channels, taps).
template <class T> void depthwise_gradient(const Correlation<T>& c, const T* dy, T* dw) {
    count_path(Path::conv_weight_depthwise);
    constexpr int64_t kOutputs = 16; // at a time: what they read stays in L1 from one row of taps to the next
    const int64_t taps = c.h.taps * c.w.taps, size = taps * c.channels, rows = c.batch * c.h.out;
    const int64_t part_rows = max(ceil_div(rows, kMaxParts), grain_for(c.w.out * size / 8));
    const int64_t parts = ceil_div(rows, part_rows);
    T* partial = scratch<T>(Scratch::gemm_partial, parts * size);
    const auto [inner, outer] = inside(c.w);
    parallel(rows, part_rows, [&, inner = inner, outer = outer](int64_t begin, int64_t end) {
        T* sums = partial + begin / part_rows * size;
        fill_row(sums, T(0), size);
        for (int64_t row = begin; row < end; ++row) {
            const int64_t y = row % c.h.out * c.h.stride + c.h.origin;
            const T* x = c.in + row / c.h.out * c.in_image() + (y * c.w.in + c.w.origin) * c.in_pixel;
            const T* g = dy + row * c.w.out * c.channels;
            const Taps tall(c.h, y);
            for (int64_t v = 0; v < c.w.out;) {
                const bool border = v < inner || v >= outer;
                const int64_t count = border ? 1 : min(kOutputs, outer - v);
                const Taps wide(c.w, v * c.w.stride + c.w.origin);
                for (int64_t r = tall.first; r < tall.last; ++r) {
                    const T* from = x + (r * c.h.dilation * c.w.in + v * c.w.stride) * c.in_pixel;
                    const Ahead<T> ahead =
                        r == tall.first
                            ? Ahead<T>{g + (c.w.out + v) * c.channels, c.channels}
                            : Ahead<T>{from + c.h.stride * c.w.in * c.in_pixel, c.w.stride * c.in_pixel};
                    depthwise_taps(c, from, g + v * c.channels, count, wide, ahead,
                                   sums + r * c.w.taps * c.channels);
                }
                v += count;
            }
        }
    });
    sum_parts(partial, parts, size);
    Strided<T>{partial, c.channels, 1}.pack(dw, taps, 0, taps, 0, c.channels);
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
