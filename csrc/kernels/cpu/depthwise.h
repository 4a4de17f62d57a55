#pragma once
// Convolutions whose groups are single channels (depthwise) or 2, 4 or 8 of them: lanes lie along the
// channels of all groups, and memory is read and written in its order. Taps outside the image are left out.
#include "kernels/cpu/conv_parts.h"
#include "kernels/cpu/correlation.h"

namespace dt::cpu::DT_LEVEL {
namespace {

// Calls body(c, v) for each channel c of a group, with each lane of v that of its own group of `width` lanes.
template <int width, int c, class V, int... I>
DT_INLINE V spread_channel(V v, std::integer_sequence<int, I...>) {
    return __builtin_shufflevector(v, v, (I / width * width + c)...);
}
template <class V, class F, int... C>
DT_INLINE void for_channels(V v, const F& body, std::integer_sequence<int, C...>) {
    using Lanes = std::make_integer_sequence<int, kLanes<Lane<V>>>;
    (body(C, spread_channel<int(sizeof...(C)), C>(v, Lanes{})), ...);
}
template <int width> using Channels = std::make_integer_sequence<int, width>;

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

// The correlation for `rows` rows of outputs of which copy_band has copied all that they read.
template <class T> Correlation<T> exact_band(const Correlation<T>& c, const T* band, int64_t rows) {
    Correlation<T> exact = c;
    exact.in = {const_cast<T*>(band)};
    exact.h.in = c.h.reach(rows);
    exact.h.out = rows;
    exact.w.in = c.w.reach(c.w.out);
    exact.h.origin = exact.w.origin = 0;
    return exact;
}

// `count` neighbouring outputs, which share the weights that they load; `whole` vectors of channels or `left`
// ones. `from` is where the window of the first one begins.
template <int width, int count, bool whole, class T>
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
            Vec<T> weight[width];
            const T* x = from + r * row + s * col;
#pragma GCC unroll 8
            for (int i = 0; i < width; ++i)
                weight[i] = read(c.weight + ((r * wide + s) * width + i) * channels + ch);
#pragma GCC unroll 8
            for (int g = 0; g < count; ++g)
                for_channels(
                    read(x + g * step),
                    [&](int i, Vec<T> v) DT_INLINE_LAMBDA { sum[g] = fma(v, weight[i], sum[g]); },
                    Channels<width>{});
        }
    // relu costs one instruction and `none` the same one; the others pass once more over what is in L1.
    const Vec<T> low = broadcast(c.activation == Activation::relu ? T(0) : -T(__builtin_inf()));
#pragma GCC unroll 8
    for (int g = 0; g < count; ++g) {
        const Vec<T> y = max_or_second(low, sum[g]);
        if (whole && streams)
            stream(to + g * c.out_pixel, y, Whole{});
        else if (whole)
            store(to + g * c.out_pixel, y);
        else
            store_tail(to + g * c.out_pixel, y, left);
    }
}

// All channels of `count` outputs: memory is read and written in its order.
template <int width, int count, class T>
DT_INLINE void depthwise_pixels(const Correlation<T>& c, const T* from, Taps rows, Taps cols, bool streams,
                                T* to) {
    int64_t ch = 0;
    for (; ch + kLanes<T> <= c.channels; ch += kLanes<T>)
        depthwise_outputs<width, count, true>(c, from + ch, rows, cols, ch, kLanes<T>, streams, to + ch);
    if (ch < c.channels)
        depthwise_outputs<width, count, false>(c, from + ch, rows, cols, ch, c.channels - ch, false, to + ch);
    if (c.activation > Activation::relu)
        for (int g = 0; g < count; ++g) activate_row(to + g * c.out_pixel, c.channels, c.activation);
}

// `frame` and `line` say where the row of outputs lies in the image, and so which taps are left out: c and u
// themselves, or what they were cut from.
template <int width, class T>
void depthwise_row(const Correlation<T>& c, int64_t image, int64_t u, const Correlation<T>& frame,
                   int64_t line, bool streams) {
    const int64_t y = u * c.h.stride + c.h.origin, step = c.w.stride * c.in_pixel;
    const T* from = c.in.exact() + image * c.in_image() + (y * c.w.in + c.w.origin) * c.in_pixel;
    T* to = c.out.exact() + image * c.out_image + u * c.out_row;
    const Taps rows(frame.h, line * c.h.stride + frame.h.origin);
    const auto [inner, outer] = inside(frame.w);
    for (int64_t v = 0; v < c.w.out;) {
        const Taps cols(frame.w, v * c.w.stride + frame.w.origin);
        if (v >= inner && v + 8 <= outer) {
            depthwise_pixels<width, 8>(c, from + v * step, rows, cols, streams, to + v * c.out_pixel);
            v += 8;
        } else if (v >= inner && v + 2 <= outer) {
            depthwise_pixels<width, 2>(c, from + v * step, rows, cols, streams, to + v * c.out_pixel);
            v += 2;
        } else {
            depthwise_pixels<width, 1>(c, from + v * step, rows, cols, streams, to + v * c.out_pixel);
            v += 1;
        }
    }
}

// --- bfloat16: read and written where it lies, two vectors of channels at a time, the even and the odd ---

struct Pair {};

// As depthwise_outputs: a pair, of which weight and bias lie as even_and_odd() leaves them, or a vector.
template <int count, class P>
DT_INLINE void depthwise_halves(const Correlation<float>& c, const bfloat16_t* from, Taps rows, Taps cols,
                                int64_t ch, P part, bfloat16_t* to) {
    constexpr int vectors = __is_same(P, Pair) ? 2 : 1;
    const auto read = [part](const auto* p, Vec<float>* v) DT_INLINE_LAMBDA {
        if constexpr (vectors == 1)
            v[0] = load(p, part);
        else if constexpr (__is_same(decltype(p), const float*))
            v[0] = load(p), v[1] = load(p + kLanes<float>);
        else
            load_any_pair(p, v);
    };
    const int64_t step = c.w.stride * c.in_pixel, row = c.h.dilation * c.w.in * c.in_pixel;
    const int64_t col = c.w.dilation * c.in_pixel;
    Vec<float> sum[count][vectors], bias[vectors] = {};
    if (c.bias) read(c.bias + ch, bias);
#pragma GCC unroll 4
    for (int g = 0; g < count; ++g) {
        for (int i = 0; i < vectors; ++i) sum[g][i] = bias[i];
        __builtin_prefetch(from + c.h.taps * row + g * step);
    }
    for (int64_t r = rows.first; r < rows.last; ++r)
        for (int64_t s = cols.first; s < cols.last; ++s) {
            Vec<float> weight[vectors];
            read(c.weight + (r * c.w.taps + s) * c.channels + ch, weight);
#pragma GCC unroll 4
            for (int g = 0; g < count; ++g) {
                Vec<float> x[vectors];
                read(from + r * row + s * col + g * step, x);
                for (int i = 0; i < vectors; ++i) sum[g][i] = fma(x[i], weight[i], sum[g][i]);
            }
        }
    const Vec<float> low = broadcast(c.activation == Activation::relu ? 0.0f : -__builtin_inff());
#pragma GCC unroll 4
    for (int g = 0; g < count; ++g) {
        bfloat16_t* at = to + g * c.out_pixel;
        for (int i = 0; i < vectors; ++i) sum[g][i] = max_or_second(low, sum[g][i]);
        if constexpr (vectors == 1)
            store(at, sum[g][0], part);
        else
            store_any_pair(at, sum[g][0], sum[g][1]);
    }
}

// In each row of channels the even ones of a pair come before its odd ones; `to` is another place.
inline void even_and_odd(const float* from, int64_t rows, int64_t channels, float* to) {
    constexpr int w = kLanes<float>;
    for (int64_t r = 0; r < rows; ++r, from += channels, to += channels) {
        int64_t ch = 0;
        for (; ch + 2 * w <= channels; ch += 2 * w)
            for (int i = 0; i < 2 * w; ++i) to[ch + i % 2 * w + i / 2] = from[ch + i];
        copy_row(to + ch, from + ch, channels - ch);
    }
}

inline void correlate_bfloat16(Correlation<float> c) {
    const int64_t taps = c.h.taps * c.w.taps;
    float* own = scratch<float>(Scratch::conv_partial, (taps + 1) * c.channels);
    even_and_odd(c.weight, taps, c.channels, own);
    c.weight = own;
    if (c.bias) {
        even_and_odd(c.bias, 1, c.channels, own + taps * c.channels);
        c.bias = own + taps * c.channels;
    }
    const int64_t step = c.w.stride * c.in_pixel;
    const auto [inner, outer] = inside(c.w);
    parallel(c.batch * c.h.out, grain_for(c.w.out * c.depth() / 4), [&](int64_t begin, int64_t end) {
        for (int64_t item = begin; item < end; ++item) {
            const int64_t u = item % c.h.out, image = item / c.h.out, y = u * c.h.stride + c.h.origin;
            const bfloat16_t* line = static_cast<const bfloat16_t*>(c.in.at) + image * c.in_image() +
                                     (y * c.w.in + c.w.origin) * c.in_pixel;
            bfloat16_t* results = static_cast<bfloat16_t*>(c.out.at) + image * c.out_image + u * c.out_row;
            const Taps rows(c.h, y);
            for (int64_t v = 0, count; v < c.w.out; v += count) {
                count = v >= inner && v + 4 <= outer ? 4 : 1;
                const Taps cols(c.w, v * c.w.stride + c.w.origin);
                const bfloat16_t* from = line + v * step;
                bfloat16_t* to = results + v * c.out_pixel;
                const auto run = [&](int64_t ch, auto part) DT_INLINE_LAMBDA {
                    if (count == 4)
                        depthwise_halves<4>(c, from + ch, rows, cols, ch, part, to + ch);
                    else
                        depthwise_halves<1>(c, from + ch, rows, cols, ch, part, to + ch);
                };
                int64_t ch = 0;
                for (; ch + 2 * kLanes<float> <= c.channels; ch += 2 * kLanes<float>) run(ch, Pair{});
                for_vectors<float>(c.channels - ch,
                                   [&](int64_t i, auto part) DT_INLINE_LAMBDA { run(ch + i, part); });
            }
        }
    });
}

template <int width, class T> void correlate_groups(const Correlation<T>& c) {
    count_path(width == 1 ? Path::conv_depthwise : Path::conv_groups);
    if constexpr (width == 1 && sizeof(T) == 4)
        if (c.in.rounding == Rounding::to_bfloat16 && c.activation <= Activation::relu)
            return correlate_bfloat16(c);
    if (c.in.rounds()) return correlate_rounded<width>(c);
    const bool streams =
        c.activation <= Activation::relu && can_stream(c.out.exact(), c.batch * c.out_image, c.channels);
    parallel(c.batch * c.h.out, grain_for(c.w.out * c.depth() * width / 4), [&](int64_t begin, int64_t end) {
        for (int64_t item = begin; item < end; ++item)
            depthwise_row<width>(c, item / c.h.out, item % c.h.out, c, item % c.h.out, streams);
        if (streams) finish_streaming();
    });
}

// The same of a half format: a band of rows is converted, with zeros round it, and correlated as an image.
template <int width, class T> void correlate_rounded(const Correlation<T>& c) {
    for_bands(c, true, c.in_pixel, c.w.out * c.depth() * width,
              [&](int64_t image, int64_t u0, int64_t rows, const Band<T>& band) {
                  Correlation<T> exact = exact_band(c, band.data, rows);
                  T* row = scratch<T>(Scratch::conv_partial, c.w.out * c.channels);
                  exact.out = {row};
                  exact.out_row = 0;
                  exact.out_pixel = c.channels;
                  for (int64_t u = 0; u < rows; ++u) {
                      depthwise_row<width>(exact, 0, u, c, u0 + u, false);
                      write_pixels(c.out + (image * c.out_image + (u0 + u) * c.out_row), c.out_pixel, row,
                                   c.channels, c.w.out);
                  }
              });
}

// Groups of `width` channels: weight is [tap][channel of the group][filter], `filters` equals `channels`,
// both of all groups.
template <class T> void correlate_depthwise(const Correlation<T>& c, int64_t width) {
    switch (width) {
    case 2:
        return correlate_groups<2>(c);
    case 4:
        if constexpr (kLanes<T> > 4) return correlate_groups<4>(c);
        return;
    case 8:
        if constexpr (kLanes<T> > 8) return correlate_groups<8>(c);
        return;
    default:
        return correlate_groups<1>(c);
    }
}

// --- The gradient of the weight: per channel and tap, the sum over outputs of dy times what the tap read ---

// What the next row of outputs will read: lines so far apart that the processor does not see them coming.
template <class T> struct Ahead {
    const T* data;
    int64_t step; // from output to output
};

// `taps` neighbours in each of `tall` rows of the window over `count` neighbouring outputs, added to
// to[((row * the window's width + tap) * width + channel of the group) * channels].
template <int width, int tall, int taps, class T, class Count>
DT_INLINE void depthwise_sums(const Correlation<T>& c, const T* x, const T* dy, int64_t count, Count part,
                              Ahead<T> ahead, T* to) {
    const int64_t step = c.w.stride * c.in_pixel, tap = c.w.dilation * c.in_pixel, channels = c.channels;
    const int64_t row = c.h.dilation * c.w.in * c.in_pixel;
    constexpr int turns = tall * width == 1 ? 2 : 1; // enough sums for the additions to overlap
    Vec<T> sum[turns][tall][taps][width] = {};
    const auto add = [&](Vec<T>(&sums)[tall][taps][width], int64_t v) DT_INLINE_LAMBDA {
        const Vec<T> g = load(dy + v * channels, part);
        __builtin_prefetch(ahead.data + v * ahead.step);
        if constexpr (tall > 1) __builtin_prefetch(dy + (c.w.out + v) * channels);
#pragma GCC unroll 4
        for (int r = 0; r < tall; ++r)
#pragma GCC unroll 4
            for (int t = 0; t < taps; ++t)
                for_channels(
                    load(x + r * row + v * step + t * tap, part),
                    [&](int i, Vec<T> value)
                        DT_INLINE_LAMBDA { sums[r][t][i] = fma(value, g, sums[r][t][i]); },
                    Channels<width>{});
    };
    int64_t v = 0;
    for (; v + turns <= count; v += turns) {
        add(sum[0], v);
        if constexpr (turns == 2) add(sum[1], v + 1);
    }
    if (v < count) add(sum[0], v);
    for (int r = 0; r < tall; ++r)
        for (int t = 0; t < taps; ++t)
            for (int i = 0; i < width; ++i) {
                T* at = to + ((r * c.w.taps + t) * width + i) * channels;
                Vec<T> total = sum[0][r][t][i];
                if constexpr (turns == 2) total += sum[1][r][t][i];
                store(at, load(at, part) + total, part);
            }
}

// Taps [cols.first, cols.last) of `tall` rows of the window, all channels.
template <int width, int tall, class T>
void depthwise_taps(const Correlation<T>& c, const T* x, const T* dy, int64_t count, Taps cols,
                    Ahead<T> ahead, T* to) {
    constexpr int most = width == 8 ? 1 : width == 4 || tall > 1 ? 3 : 4; // taps whose sums stay in registers
    for_vectors<T>(c.channels, [&](int64_t ch, auto part) DT_INLINE_LAMBDA {
        for (int64_t s = cols.first; s < cols.last; s += most) {
            const T* from = x + s * c.w.dilation * c.in_pixel + ch;
            T* at = to + s * width * c.channels + ch;
            const Ahead<T> fetch{ahead.data + ch, ahead.step};
            switch (min(int64_t{most}, cols.last - s)) {
            case 1:
                depthwise_sums<width, tall, 1>(c, from, dy + ch, count, part, fetch, at);
                break;
            case 2:
                if constexpr (most >= 2)
                    depthwise_sums<width, tall, 2>(c, from, dy + ch, count, part, fetch, at);
                break;
            case 3:
                if constexpr (most >= 3)
                    depthwise_sums<width, tall, 3>(c, from, dy + ch, count, part, fetch, at);
                break;
            default:
                if constexpr (most >= 4)
                    depthwise_sums<width, tall, 4>(c, from, dy + ch, count, part, fetch, at);
            }
        }
    });
}

// What one row of outputs, whose windows begin in row y of the image x, adds to the sums. `frame` and `line`
// as in depthwise_row.
template <int width, class T>
void add_gradient_row(const Correlation<T>& c, const T* x, int64_t y, const Correlation<T>& frame,
                      int64_t line, const T* g, T* sums) {
    constexpr int64_t kOutputs = 8; // at a time: what they read stays in L1 from one row of taps to the next
    const auto [inner, outer] = inside(frame.w);
    const Taps tall(frame.h, line * c.h.stride + frame.h.origin);
    x += (y * c.w.in + c.w.origin) * c.in_pixel;
    for (int64_t v = 0; v < c.w.out;) {
        const bool border = v < inner || v >= outer;
        const int64_t count = border ? 1 : min(kOutputs, outer - v);
        const Taps wide(frame.w, v * c.w.stride + frame.w.origin);
        int64_t r = tall.first;
        if constexpr (width == 1)
            for (; r + 3 <= tall.last; r += 3) {
                const T* from = x + (r * c.h.dilation * c.w.in + v * c.w.stride) * c.in_pixel;
                const int64_t fresh = (2 * c.h.dilation + c.h.stride) * c.w.in * c.in_pixel;
                depthwise_taps<width, 3>(c, from, g + v * c.channels, count, wide,
                                         Ahead<T>{from + fresh, c.w.stride * c.in_pixel},
                                         sums + r * c.w.taps * width * c.channels);
            }
        for (; r < tall.last; ++r) {
            const T* from = x + (r * c.h.dilation * c.w.in + v * c.w.stride) * c.in_pixel;
            const Ahead<T> ahead =
                r == tall.first ? Ahead<T>{g + (c.w.out + v) * c.channels, c.channels}
                                : Ahead<T>{from + c.h.stride * c.w.in * c.in_pixel, c.w.stride * c.in_pixel};
            depthwise_taps<width, 1>(c, from, g + v * c.channels, count, wide, ahead,
                                     sums + r * c.w.taps * width * c.channels);
        }
        v += count;
    }
}

// `rows` rows of outputs of a half format, within one image.
template <int width, class T>
void add_rounded_rows(const Correlation<T>& c, const Image<T>& dy, int64_t row, int64_t rows, T* sums) {
    const int64_t image = row / c.h.out, u0 = row % c.h.out, wide = c.w.reach(c.w.out);
    T* copy = scratch<T>(Scratch::conv_input, c.h.reach(rows) * wide * c.in_pixel);
    T* g = scratch<T>(Scratch::conv_partial, rows * c.w.out * c.channels);
    copy_band(c, image, u0, 0, c.h.reach(rows), copy, c.in_pixel);
    read_row(g, dy + row * c.w.out * c.channels, rows * c.w.out * c.channels);
    const Correlation<T> exact = exact_band(c, copy, rows);
    for (int64_t u = 0; u < rows; ++u)
        add_gradient_row<width>(exact, copy, u * c.h.stride, c, u0 + u, g + u * c.w.out * c.channels, sums);
}

template <int width, class T> void groups_gradient(const Correlation<T>& c, const Image<T>& dy, T* dw) {
    count_path(width == 1 ? Path::conv_weight_depthwise : Path::conv_weight_groups);
    constexpr int64_t kRounded = 8; // rows that are converted at a time
    const int64_t taps = c.h.taps * c.w.taps * width, size = taps * c.channels, rows = c.batch * c.h.out;
    const int64_t part_rows = max(ceil_div(rows, kMaxParts), grain_for(c.w.out * size / 8));
    const int64_t parts = ceil_div(rows, part_rows);
    T* partial = scratch<T>(Scratch::gemm_partial, parts * size);
    parallel(rows, part_rows, [&](int64_t begin, int64_t end) {
        T* sums = partial + begin / part_rows * size;
        fill_row(sums, T(0), size);
        for (int64_t row = begin, next; row < end; row = next) {
            next = row + 1;
            if (dy.rounds()) {
                next = min(min(end, row + kRounded), (row / c.h.out + 1) * c.h.out);
                add_rounded_rows<width>(c, dy, row, next - row, sums);
            } else {
                add_gradient_row<width>(c, c.in.exact() + row / c.h.out * c.in_image(),
                                        row % c.h.out * c.h.stride + c.h.origin, c, row % c.h.out,
                                        dy.exact() + row * c.w.out * c.channels, sums);
            }
        }
    });
    sum_parts(partial, parts, size);
    Strided<T>{partial, c.channels, 1}.pack(dw, taps, 0, taps, 0, c.channels);
}

// dy (batch, out_h, out_w, channels); dw (channels, taps, width).
template <class T>
void depthwise_gradient(const Correlation<T>& c, int64_t width, const Image<T>& dy, T* dw) {
    switch (width) {
    case 2:
        return groups_gradient<2>(c, dy, dw);
    case 4:
        if constexpr (kLanes<T> > 4) return groups_gradient<4>(c, dy, dw);
        return;
    case 8:
        if constexpr (kLanes<T> > 8) return groups_gradient<8>(c, dy, dw);
        return;
    default:
        return groups_gradient<1>(c, dy, dw);
    }
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
