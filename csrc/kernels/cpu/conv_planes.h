#pragma once
// Convolutions with few filters, which would leave most lanes of a vector empty: here the lanes are
// neighbouring outputs of a row. A band of rows of the input is laid out in planes, one for each channel and
// each remainder of the column modulo the stride, so that the vector that a tap reads is adjacent in memory.
#include "kernels/cpu/correlation.h"

namespace dt::cpu::DT_LEVEL {
namespace {

template <class T> inline constexpr int kHalfLanes = kLanes<T> / 2;
constexpr int kAccumulators = kTileRows * kTileVectors - 4; // vectors of sums that stay in registers

template <class T, int... I>
DT_INLINE Vec<T> join(const T* low, const T* high, std::integer_sequence<int, I...>) {
    HalfVec<T> a, b;
    memcpy(&a, low, sizeof a);
    memcpy(&b, high, sizeof b);
    return __builtin_shufflevector(a, b, I...);
}
template <int first, class T, int... I>
DT_INLINE void store_half(T* to, Vec<T> v, std::integer_sequence<int, I...>) {
    const HalfVec<T> half = __builtin_shufflevector(v, v, (first + I)...);
    memcpy(to, &half, sizeof half);
}

// Whether lanes along a row are better used than lanes along the filters would be.
template <class T> bool suits_planes(int64_t filters, int64_t out_w) {
    return filters <= kHalfLanes<T> && out_w * kLanes<T> > filters * round_up(out_w, kLanes<T>);
}

// The elements of a row take turns among `period` planes, each `columns` wide, a whole number of vectors.
template <class T> struct Planes {
    int64_t period, columns;

    int64_t row() const { return period * columns; }
    int64_t elements(int64_t rows) const { return rows * row(); }
    int64_t buffer() const { return row() + kHalfLanes<T>; } // for a row before it is split

    void split(const T* from, T* to) const {
        constexpr int half = kHalfLanes<T>;
        using All = std::make_integer_sequence<int, kLanes<T>>;
        for (int64_t g = 0; g < columns; g += kLanes<T>)
            for (int64_t b = 0; b < period; b += half) {
                Vec<T> v[half];
#pragma GCC unroll 8
                for (int i = 0; i < half; ++i)
                    v[i] = join(from + (g + i) * period + b, from + (g + half + i) * period + b, All{});
                transpose_step<1>(v); // each half of the lanes by itself
#pragma GCC unroll 8
                for (int q = 0; q < half; ++q)
                    if (b + q < period) store(to + (b + q) * columns + g, v[q]);
            }
    }
};

// How a correlation reads its input by planes.
template <class T> struct PlaneBands {
    Correlation<T> c, pixels; // `pixels` copies rows with zeros outside
    Planes<T> planes;
    int64_t vectors, band_rows, bands;

    explicit PlaneBands(const Correlation<T>& correlation) : c(correlation), pixels(correlation) {
        vectors = ceil_div(c.w.out, kLanes<T>);
        const int64_t beyond = (c.w.taps - 1) * c.w.dilation / c.w.stride;
        planes = {c.w.stride * c.channels, round_up(vectors * kLanes<T> + beyond, kLanes<T>)};
        pixels.h = {c.h.in, c.h.in, 1, 1, 1, 0};
        pixels.w = {c.w.in, planes.columns * c.w.stride, 1, 1, 1, c.w.origin};
        // Bands so high that few rows are laid out twice, but so small that they stay in L2.
        constexpr int64_t most = (int64_t{1} << 19) / int64_t(sizeof(T));
        const int64_t wanted =
            max(kParallelWork / max(int64_t{1}, row_work()), 4 * (c.h.reach(1) / c.h.stride));
        band_rows = clamp(wanted, int64_t{1}, c.h.out);
        while (band_rows > 1 && planes.elements(c.h.reach(band_rows)) > most) --band_rows;
        bands = ceil_div(c.h.out, band_rows);
    }

    int64_t row_work() const { return vectors * kLanes<T> * c.depth() * c.filters; }
    int64_t items() const { return c.batch * bands; }
    int64_t buffer() const { return planes.buffer() + planes.elements(c.h.reach(band_rows)); }

    // Where tap t of a channel is read, from where the first of a vector of outputs is.
    int64_t offset(int64_t t, int64_t channel) const {
        const int64_t at = t % c.w.taps * c.w.dilation;
        return t / c.w.taps * c.h.dilation * planes.row() +
               (at % c.w.stride * c.channels + channel) * planes.columns + at / c.w.stride;
    }

    // What output rows [u0, u0 + rows) read; `work` holds buffer() elements. Returns where the planes begin.
    const T* read(int64_t image, int64_t u0, int64_t rows, T* work) const {
        T* to = work + planes.buffer();
        for (int64_t r = 0; r < c.h.reach(rows); ++r) {
            T* row = planes.period == 1 ? to + r * planes.row() : work;
            copy_band(pixels, image, u0 * c.h.stride + c.h.origin + r, 0, 1, row, c.channels);
            if (planes.period > 1) planes.split(work, to + r * planes.row());
        }
        return to;
    }
};

// `count` outputs of one row, filter by filter, to where they lie pixel by pixel.
template <int filters, class T>
DT_INLINE void store_outputs(const Vec<T> (&sum)[filters], T* to, int64_t pixel, int64_t count) {
    if (filters == 1 && pixel == 1) return store_upto(to, sum[0], count);
    constexpr int half = kHalfLanes<T>;
    using Half = std::make_integer_sequence<int, half>;
    Vec<T> v[half];
#pragma GCC unroll 8
    for (int i = 0; i < half; ++i) v[i] = i < filters ? sum[i < filters ? i : 0] : zero<T>();
    transpose_step<1>(v); // output i is now in the lower half of v[i], output half + i in the upper half
    const int64_t end =
        pixel == filters ? count * filters - half : -1; // of places where half a vector may go
    const auto put = [&](int i, auto first) DT_INLINE_LAMBDA {
        const int64_t output = i + first, at = output * pixel;
        if (at <= end) { // what is too much is overwritten by the next one
            store_half<first>(to + at, v[i], Half{});
        } else if (output < count) {
            alignas(64) T values[half];
            store_half<first>(values, v[i], Half{});
            for (int f = 0; f < filters; ++f) to[at + f] = values[f];
        }
    };
#pragma GCC unroll 8
    for (int i = 0; i < half; ++i) put(i, std::integral_constant<int, 0>{});
#pragma GCC unroll 8
    for (int i = 0; i < half; ++i) put(i, std::integral_constant<int, half>{});
}

// Some vectors of outputs that are computed together: where they read, where they go, how many outputs each
// is.
template <class T> struct PlaneTile {
    const int64_t* offsets;
    int64_t depth;
    const T* weight; // (depth, weight_step)
    int64_t weight_step;
    const T* bias;
    Activation activation;
    int64_t pixel;
    const T* from[8];
    T* to[8];
    int64_t count[8];
};

template <int filters> constexpr int plane_vectors() {
    return kAccumulators / filters > 8 ? 8 : kAccumulators / filters < 1 ? 1 : kAccumulators / filters;
}

template <class T, int filters> void plane_kernel(const PlaneTile<T>& t) {
    constexpr int vectors = plane_vectors<filters>();
    Vec<T> sum[vectors][filters] = {};
    for (int64_t p = 0; p < t.depth; ++p) {
        const int64_t at = t.offsets[p];
        const T* weight = t.weight + p * t.weight_step;
        Vec<T> x[vectors];
#pragma GCC unroll 8
        for (int j = 0; j < vectors; ++j) x[j] = load(t.from[j] + at);
#pragma GCC unroll 8
        for (int f = 0; f < filters; ++f) {
            const Vec<T> w = broadcast(weight[f]);
#pragma GCC unroll 8
            for (int j = 0; j < vectors; ++j) sum[j][f] = fma(w, x[j], sum[j][f]);
        }
    }
    // As in compute_tile: relu costs no more than nothing, the others pass once more over what was stored.
    const Vec<T> low = broadcast(t.activation == Activation::relu ? T(0) : -T(__builtin_inf()));
#pragma GCC unroll 8
    for (int f = 0; f < filters; ++f) {
        const Vec<T> bias = broadcast(t.bias ? t.bias[f] : T(0));
#pragma GCC unroll 8
        for (int j = 0; j < vectors; ++j) sum[j][f] = max_or_second(low, sum[j][f] + bias);
    }
#pragma GCC unroll 8
    for (int j = 0; j < vectors; ++j) store_outputs(sum[j], t.to[j], t.pixel, t.count[j]);
    if (t.activation > Activation::relu)
        for (int j = 0; j < vectors; ++j)
            if (j == 0 || t.to[j] != t.to[j - 1])
                for (int64_t i = 0; i < t.count[j]; ++i)
                    activate_row(t.to[j] + i * t.pixel, filters, t.activation);
}

template <class T> struct PlaneKernel {
    void (*run)(const PlaneTile<T>&);
    int vectors;
};
template <class T, int... I>
PlaneKernel<T> plane_kernel_for(int64_t filters, std::integer_sequence<int, I...>) {
    constexpr PlaneKernel<T> kernels[] = {{plane_kernel<T, I + 1>, plane_vectors<I + 1>()}...};
    return kernels[filters - 1];
}

template <class T> void correlate_planes(const Correlation<T>& c) {
    count_path(Path::conv_planes);
    const PlaneBands<T> bands(c);
    const auto kernel = plane_kernel_for<T>(c.filters, std::make_integer_sequence<int, kHalfLanes<T>>{});
    int64_t* offsets = scratch<int64_t>(Scratch::kernel, c.depth());
    for (int64_t p = 0; p < c.depth(); ++p) offsets[p] = bands.offset(p / c.channels, p % c.channels);
    const int64_t grain =
        max(int64_t{1}, kParallelWork / 2 / max(int64_t{1}, bands.band_rows * bands.row_work()));
    parallel(bands.items(), grain, [&](int64_t begin, int64_t end) {
        T* work = scratch<T>(Scratch::conv_input, bands.buffer());
        PlaneTile<T> tile{offsets,
                          c.depth(),
                          c.weight,
                          round_up(c.filters, kLanes<T>),
                          c.bias,
                          c.activation,
                          c.out.rounds() ? c.filters : c.out_pixel,
                          {},
                          {},
                          {}};
        Image<T> to[8];
        alignas(64) T own[8 * kLanes<T> * kHalfLanes<T>]; // the outputs before they are rounded
        for (int64_t item = begin; item < end; ++item) {
            const int64_t image = item / bands.bands, u0 = item % bands.bands * bands.band_rows;
            const int64_t rows = min(bands.band_rows, c.h.out - u0), places = rows * bands.vectors;
            const T* planes = bands.read(image, u0, rows, work);
            const Image<T> out = c.out + (image * c.out_image + u0 * c.out_row);
            for (int64_t i = 0; i < places; i += kernel.vectors) {
                for (int j = 0; j < kernel.vectors; ++j) {
                    const int64_t place =
                        min(i + j, places - 1); // the last one again where there is no other
                    const int64_t u = place / bands.vectors, v = place % bands.vectors * kLanes<T>;
                    tile.from[j] = planes + u * c.h.stride * bands.planes.row() + v;
                    to[j] = out + (u * c.out_row + v * c.out_pixel);
                    tile.to[j] = out.rounds() ? own + j * kLanes<T> * c.filters : to[j].exact();
                    tile.count[j] = min(int64_t{kLanes<T>}, c.w.out - v);
                }
                kernel.run(tile);
                if (out.rounds())
                    for (int j = 0; j < kernel.vectors; ++j)
                        write_pixels(to[j], c.out_pixel, tile.to[j], c.filters, tile.count[j]);
            }
        }
    });
}

// The correlation in the way that suits it.
template <class T> void correlate(const Correlation<T>& c) {
    if (c.batch <= 0 || c.h.out <= 0 || c.w.out <= 0 || c.filters <= 0) return;
    if (c.depth() > 0 && suits_planes<T>(c.filters, c.w.out))
        correlate_planes(c);
    else if (c.w.out * 2 < kTileRows && c.depth() > 0)
        correlate_patches(c);
    else
        correlate_rows(c);
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
