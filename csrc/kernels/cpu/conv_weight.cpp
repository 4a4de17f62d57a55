// The gradient of a convolution's weight, computed transposed, (taps x channels, filters): the taps are the
// rows of a tile, read from the image where they are, the filters its columns, read from dy, and the depth
// runs over all outputs.
#include "kernels/cpu/conv_parts.h"
#include "kernels/cpu/correlation.h"
#include "kernels/cpu/depthwise.h"

namespace dt::cpu::DT_LEVEL {
namespace {

constexpr int64_t kPartialElements = 4 << 20; // of all parts together
constexpr int64_t kPartElements = 128 << 10;  // a larger sum would not stay in L2 beside an item
constexpr int64_t kUnitPanels = 8;            // of rows of the weight that a task takes at a time

// The images are worked through in items that stay in L2: several small images, or some output rows of a
// large one.
struct Items {
    int64_t images, band_rows, bands, count; // per item; bands per image; items altogether
    Items(int64_t batch, int64_t out_h, int64_t row_elements, int64_t budget) {
        band_rows = clamp(budget / max(int64_t{1}, row_elements), int64_t{1}, out_h);
        bands = ceil_div(out_h, band_rows);
        band_rows = ceil_div(out_h, bands); // a small last item would cost as much as the others
        images = bands > 1 ? 1 : clamp(budget / max(int64_t{1}, row_elements * out_h), int64_t{1}, batch);
        images = ceil_div(batch, ceil_div(batch, images));
        count = bands > 1 ? batch * bands : ceil_div(batch, images);
    }
    int64_t image(int64_t item) const { return bands > 1 ? item / bands : item * images; }
    int64_t row(int64_t item) const { return bands > 1 ? item % bands * band_rows : 0; }
};

template <class T> struct WeightGradient {
    Correlation<T> c; // the forward correlation, of which only the reading side counts
    Image<T> dy;
    int64_t dy_pixel, filters;
    bool copied;
    int64_t pixel;     // elements between pixels of a band
    int64_t run, runs; // adjacent taps x channels, and how many such runs a window has

    int64_t depth() const { return c.depth(); }
    int64_t band_row() const { return copied ? c.w.reach(c.w.out) * pixel : c.w.in * c.in_pixel; }
    int64_t band_elements(int64_t rows) const { return c.h.reach(rows) * band_row(); }

    // One item, ready to be read: where its images and its part of dy lie.
    struct View {
        int64_t images, rows;
        const T* in;
        int64_t in_image;
        const T* dy;
        int64_t dy_pixel, dy_panel;
    };

    // What the tiles of an item fetch into L2 for the next one, evenly: its part of dy.
    struct Ahead {
        const T* at = nullptr;
        int64_t left = 0, step = 0;
        void next(Tile<T>& tile) {
            tile.ahead = left > 0 ? at : nullptr;
            tile.ahead_step = step;
            const int64_t fetched = tile.outer * tile.segments * tile.depth * step;
            at += fetched;
            left -= fetched;
        }
    };
    Ahead look_ahead(const Items& items, int64_t item, const View& view) const {
        if (dy_pixel != filters || dy.rounds()) return {}; // a group's filters, with others between them
        const int64_t tiles = runs * RowPanels(run).panels * ceil_div(filters, kTileCols<T>);
        return {dy_of(items, item).exact(), view.images * view.rows * c.w.out * filters,
                ceil_div(filters, tiles)};
    }
    Image<T> dy_of(const Items& items, int64_t item) const {
        return dy + (items.image(item) * c.h.out + items.row(item)) * c.w.out * dy_pixel;
    }

    // Copies what an item reads where it cannot be read in place: windows that leave the image, and dy of
    // many filters, which is laid out in panels.
    View prepare(const Items& items, int64_t item, T* copy, T* panels) const {
        View view{};
        const int64_t image = items.image(item), u0 = items.row(item);
        view.images = min(items.images, c.batch - image);
        view.rows = min(items.band_rows, c.h.out - u0);
        const int64_t tall = c.h.reach(view.rows), outputs = view.images * view.rows * c.w.out;
        if (copied) {
            view.in_image = band_elements(view.rows);
            view.in = copy;
            parallel(view.images * tall, grain_for(band_row()), [&](int64_t begin, int64_t end) {
                for (int64_t i = begin; i < end; ++i)
                    copy_band(c, image + i / tall, u0, i % tall, i % tall + 1,
                              copy + i / tall * view.in_image, pixel);
            });
        } else {
            view.in_image = c.in_image();
            view.in = c.in.exact() + image * view.in_image +
                      ((u0 * c.h.stride + c.h.origin) * c.w.in + c.w.origin) * c.in_pixel;
        }
        const Image<T> given = dy_of(items, item);
        view.dy_pixel = dy_pixel;
        view.dy_panel = kTileCols<T>;
        if (panels) {
            view.dy_pixel = min(kTileCols<T>, round_up(filters, kLanes<T>));
            view.dy_panel = outputs * view.dy_pixel;
            const bool dense = filters == dy_pixel && filters == view.dy_pixel; // a run of memory
            parallel(outputs, grain_for(filters), [&](int64_t begin, int64_t end) {
                with_stored(given, [&](const auto* from) DT_INLINE_LAMBDA {
                    if (dense)
                        return copy_row(panels + begin * dy_pixel, from + begin * dy_pixel,
                                        (end - begin) * dy_pixel);
                    for (int64_t i = begin; i < end; ++i)
                        for (int64_t j = 0; j < filters; j += kTileCols<T>)
                            copy_row(panels + j / kTileCols<T> * view.dy_panel + i * view.dy_pixel,
                                     from + i * dy_pixel + j, min(kTileCols<T>, filters - j));
                });
            });
            view.dy = panels;
        } else {
            view.dy = given.exact();
        }
        return view;
    }

    // Adds what panels [i0, i1) of one run of taps and one item contribute to sum (depth, filters). Meanwhile
    // the tiles fetch `ahead`.
    void add_run(const View& view, int64_t r, int64_t i0, int64_t i1, bool first, Ahead& ahead,
                 T* sum) const {
        const int64_t per_row = runs / c.h.taps;
        const T* base =
            view.in + r / per_row * c.h.dilation * band_row() + r % per_row * c.w.dilation * pixel;
        const RowPanels panels(run);
        Tile<T> tile;
        tile.outer = view.images;
        tile.a_outer = view.in_image;
        tile.segments = view.rows;
        tile.a_segment = c.h.stride * band_row();
        tile.depth = c.w.out;
        tile.a_depth = c.w.stride * pixel;
        tile.a_row = 1;
        tile.b_row = view.dy_pixel;
        tile.c_row = filters;
        tile.accumulate = !first;
        for (int64_t j = 0; j < filters; j += kTileCols<T>) {
            tile.cols = min(kTileCols<T>, filters - j);
            tile.b = view.dy + j / kTileCols<T> * view.dy_panel;
            for (int64_t i = i0; i < i1; ++i) {
                const int64_t at = panels.start(i);
                tile.rows = panels.start(i + 1) - at;
                tile.a = base + at;
                tile.c = sum + (r * run + at) * filters + j;
                ahead.next(tile);
                compute_tile(tile);
            }
        }
    }

    int64_t copy_elements(const Items& items) const {
        return copied ? items.images * band_elements(items.band_rows) : 0;
    }
    int64_t panel_elements(const Items& items) const {
        if (!dy.rounds() && filters <= kTileCols<T> && (kMasksB || filters % kLanes<T> == 0)) return 0;
        return items.images * items.band_rows * c.w.out * round_up(filters, kTileCols<T>);
    }
};

template <class T> void weight_gradient(const WeightGradient<T>& w, T* dw) {
    const int64_t depth = w.depth(), size = depth * w.filters;
    const double work = double(w.c.batch) * double(w.c.h.out * w.c.w.out) * double(size);
    const int64_t row_elements = w.c.h.stride * w.band_row() + w.c.w.out * w.filters;
    // Large weights: all threads share the items and divide the weight. Small ones: they divide the items.
    const int64_t panels = RowPanels(w.run).panels;
    const bool divide_weight = size > kPartElements && w.runs * panels >= 16;
    // The sums pass through the caches once for each item.
    const Items items(w.c.batch, w.c.h.out, row_elements,
                      divide_weight ? clamp(size, int64_t{1} << 18, int64_t{1} << 20) : int64_t{1} << 16);
    count_path(divide_weight ? Path::conv_weight_divided : Path::conv_weight_parts);
    const int64_t copy = w.copy_elements(items), panel = w.panel_elements(items);
    T* sum;
    if (divide_weight) {
        sum = scratch<T>(Scratch::gemm_partial, size);
        T* copies = scratch<T>(Scratch::conv_input, copy + panel);
        for (int64_t item = 0; item < items.count; ++item) {
            const auto view = w.prepare(items, item, copies, panel ? copies + copy : nullptr);
            const int64_t units = ceil_div(panels, kUnitPanels);
            parallel(w.runs * units, 1, [&](int64_t begin, int64_t end) {
                typename WeightGradient<T>::Ahead ahead;
                for (int64_t u = begin; u < end; ++u)
                    w.add_run(view, u / units, u % units * kUnitPanels,
                              min(panels, (u % units + 1) * kUnitPanels), item == 0, ahead, sum);
            });
        }
    } else {
        const int64_t fitting = max(int64_t{1}, kPartialElements / size);
        const int64_t wanted = clamp(int64_t(work / kParallelWork), int64_t{1}, min(kMaxParts, fitting));
        const int64_t parts = even_parts(items.count, wanted);
        sum = scratch<T>(Scratch::gemm_partial, parts * size);
        parallel(parts, 1, [&](int64_t part, int64_t) {
            const int64_t begin = items.count * part / parts, end = items.count * (part + 1) / parts;
            T* copies = scratch<T>(Scratch::conv_input, copy + panel);
            for (int64_t item = begin; item < end; ++item) {
                const auto view = w.prepare(items, item, copies, panel ? copies + copy : nullptr);
                typename WeightGradient<T>::Ahead ahead;
                if (item + 1 < end) ahead = w.look_ahead(items, item + 1, view);
                for (int64_t r = 0; r < w.runs; ++r)
                    w.add_run(view, r, 0, panels, item == begin, ahead, sum + part * size);
            }
        });
        sum_parts(sum, parts, size);
    }
    parallel(w.filters, round_up(grain_for(depth), kLanes<T>), [&](int64_t begin, int64_t end) { // transposes
        Strided<T>{sum, w.filters, 1}.pack(dw + begin * depth, depth, 0, depth, begin, end - begin);
    });
}

// Few filters leave most lanes of a vector empty. Then neighbouring outputs of a row, `folded` of them, take
// their places: as the channels of one output, whose window is as wide as theirs together.
template <class T> int64_t folded_outputs(const ConvShape& s) {
    int64_t n = 1;
    if (s.groups != 1 || s.dilation_w != 1 || s.kernel_w <= s.stride_w) return n;
    while (s.out_channels * 2 * n <= kLanes<T> && s.out_w % (2 * n) == 0 && s.out_w / n >= kTileRows) n *= 2;
    return n;
}
inline ConvShape fold(ConvShape s, int64_t n) {
    s.out_w /= n;
    s.out_channels *= n;
    s.kernel_w += (n - 1) * s.stride_w;
    s.stride_w *= n;
    return s;
}
// Where row r of the window of filter f stands in the folded weight, for neighbour q.
inline int64_t folded_row(const ConvShape& s, int64_t n, int64_t q, int64_t f, int64_t r) {
    const int64_t wide = s.kernel_w + (n - 1) * s.stride_w;
    return (((q * s.out_channels + f) * s.kernel_h + r) * wide + q * s.stride_w) * s.in_channels;
}

template <class T> void backward_weight(const ConvShape& s, const Image<T>& x, const Image<T>& dy, T* dw);

// With n neighbouring outputs folded into one; the gradient of each weight comes in n parts.
template <class T>
void folded_gradient(const ConvShape& s, int64_t n, const Image<T>& x, const Image<T>& dy, T* dw) {
    count_path(Path::conv_weight_folded);
    const ConvShape folded = fold(s, n);
    const int64_t row = s.kernel_w * s.in_channels;
    T* wide = scratch<T>(Scratch::kernel, folded.out_channels * s.kernel_h * folded.kernel_w * s.in_channels);
    backward_weight(folded, x, dy, wide);
    for (int64_t f = 0; f < s.out_channels; ++f)
        for (int64_t r = 0; r < s.kernel_h; ++r)
            for (int64_t i = 0; i < row; ++i) {
                T sum = wide[folded_row(s, n, 0, f, r) + i];
                for (int64_t q = 1; q < n; ++q) sum += wide[folded_row(s, n, q, f, r) + i];
                dw[(f * s.kernel_h + r) * row + i] = sum;
            }
}

template <class T> void backward_weight(const ConvShape& s, const Image<T>& x, const Image<T>& dy, T* dw) {
    const int64_t channels = s.in_channels / s.groups, filters = s.out_channels / s.groups;
    const int64_t size = s.kernel_h * s.kernel_w * channels * s.out_channels;
    if (s.batch <= 0 || s.out_h <= 0 || s.out_w <= 0) return fill_row(dw, T(0), size);
    if (conv_pointwise<T>().backward_weight(s, x, dy, dw)) return;
    if constexpr (sizeof(T) == 4)
        if (conv_winograd().backward_weight(s, x, dy, dw)) return;
    if (const int64_t n = folded_outputs<T>(s); n > 1) return folded_gradient(s, n, x, dy, dw);
    const int64_t narrow = narrow_groups<T>(s);
    Correlation<T> c{s.batch,
                     {s.in_h, s.out_h, s.kernel_h, s.stride_h, s.dilation_h, -s.pad_top},
                     {s.in_w, s.out_w, s.kernel_w, s.stride_w, s.dilation_w, -s.pad_left},
                     x,
                     s.in_channels,
                     narrow ? s.in_channels : channels,
                     {},
                     0,
                     0,
                     0,
                     filters};
    if (narrow) return depthwise_gradient(c, narrow, dy, dw);
    const bool copied = x.rounds() || c.h.leaves() || c.w.leaves();
    const int64_t pixel = copied ? c.channels : c.in_pixel;
    const bool joined = c.w.dilation == 1 && pixel == c.channels;
    WeightGradient<T> w{c,
                        dy,
                        s.out_channels,
                        filters,
                        copied,
                        pixel,
                        joined ? c.w.taps * c.channels : c.channels,
                        joined ? c.h.taps : c.h.taps * c.w.taps};
    for (int64_t g = 0; g < s.groups; ++g) {
        w.c.in = x + g * channels;
        w.dy = dy + g * filters;
        weight_gradient(w, dw + g * filters * c.depth());
    }
}

} // namespace

template <> void conv_backward_weight(const ConvShape& s, const void* x, const void* dy, float* dw) {
    backward_weight(s, image_of<float>(s, x), image_of<float>(s, dy), dw);
}
template <> void conv_backward_weight(const ConvShape& s, const void* x, const void* dy, double* dw) {
    backward_weight(s, image_of<double>(s, x), image_of<double>(s, dy), dw);
}

} // namespace dt::cpu::DT_LEVEL
