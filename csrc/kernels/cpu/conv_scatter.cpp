// Gradient of a convolution's input where that has few channels, which would leave most lanes of a gathering
// kernel empty. A row of dx is made at once: a product, whose depth runs over the filters and the rows of
// outputs that read the row, gives what each column of outputs contributes to its window, lanes along the
// window; the windows of neighbouring columns overlap and are then added up.
#include "kernels/cpu/conv_parts.h"
#include "kernels/cpu/correlation.h"

namespace dt::cpu::DT_LEVEL {
namespace {

inline int64_t common_divisor(int64_t a, int64_t b) { return b == 0 ? a : common_divisor(b, a % b); }

template <class T> struct Scatter {
    const ConvShape& s;
    Image<T> dy;
    const T* bias;
    Activation activation;
    Image<T> dx;
    int64_t channels = s.in_channels / s.groups, filters = s.out_channels / s.groups;
    int64_t cols = s.kernel_w * channels, padded = round_up(cols, kLanes<T>);
    int64_t wide = (s.out_w - 1) * s.stride_w + (s.kernel_w - 1) * s.dilation_w + 1;
    bool joined = s.dilation_w == 1 && s.groups == 1; // a row of the window is adjacent in a row of dx
    // Taps r, r + step, ... reach the same rows of dx, from rows of outputs `rise` apart.
    int64_t step = s.stride_h / common_divisor(s.stride_h, s.dilation_h);
    int64_t rise = s.dilation_h / common_divisor(s.stride_h, s.dilation_h);
    // What one column of outputs contributes to its window, with zeros on either side.
    int64_t margin = kLanes<T>, result = padded + 2 * margin;
    T* packed = nullptr; // group, panel of columns, taps r, r + step, ... for each r < step, filter, column

    int64_t dy_row() const { return s.out_w * s.out_channels; }
    int64_t taps_before(int64_t first) const { // taps of the classes in front of that of `first`
        int64_t count = 0;
        for (int64_t r = 0; r < first; ++r) count += ceil_div(s.kernel_h - r, step);
        return count;
    }
    const T* panel(int64_t g, int64_t j) const { return packed + (g * padded + j) * s.kernel_h * filters; }

    void pack(const T* weight) {
        packed = scratch<T>(Scratch::conv_weight, s.groups * s.kernel_h * filters * padded);
        for (int64_t g = 0; g < s.groups; ++g)
            for (int64_t j = 0; j < cols; j += kTileCols<T>) {
                const int64_t width = min(kTileCols<T>, cols - j),
                              size = filters * round_up(width, kLanes<T>);
                T* to = const_cast<T*>(panel(g, j));
                for (int64_t first = 0; first < min(step, s.kernel_h); ++first)
                    for (int64_t r = first; r < s.kernel_h; r += step, to += size)
                        pack_columns(
                            Strided<T>{weight + (g * filters * s.kernel_h + r) * cols, 1, s.kernel_h * cols},
                            to, j, width, 0, filters);
            }
    }

    // What all columns contribute to row y (with padding) of dx; false if nothing does. `image`: of dy.
    bool products(const T* image, int64_t y, int64_t g, T* results) const {
        int64_t first = 0; // the taps that reach the row: first + t * step, from row top - t * rise
        while (first < min(step, s.kernel_h) && (y - first * s.dilation_h) % s.stride_h != 0) ++first;
        if (first >= min(step, s.kernel_h)) return false;
        const int64_t taps = ceil_div(s.kernel_h - first, step);
        const int64_t top = (y - first * s.dilation_h) / s.stride_h; // exactly
        const int64_t begin = top < s.out_h ? 0 : ceil_div(top - s.out_h + 1, rise);
        const int64_t end = top < 0 ? 0 : min(taps, top / rise + 1);
        if (begin >= end) return false;
        const RowPanels panels(s.out_w);
        const int64_t row = dy_row();
        const T* from = image + (top - begin * rise) * row + g * filters;
        Tile<T> tile;
        tile.segments = end - begin;
        tile.a_segment = -rise * row;
        tile.depth = filters;
        tile.a_depth = 1;
        tile.a_row = s.out_channels;
        tile.c_row = result;
        for (int64_t j = 0; j < cols; j += kTileCols<T>) {
            tile.cols = tile.b_row = min(kTileCols<T>, padded - j);
            tile.b = panel(g, j) + (taps_before(first) + begin) * filters * tile.b_row;
            for (int64_t i = 0; i < panels.panels; ++i) {
                const int64_t v = panels.start(i);
                tile.rows = panels.start(i + 1) - v;
                tile.a = from + v * s.out_channels;
                tile.c = results + v * result + margin + j;
                compute_tile(tile);
            }
        }
        return true;
    }

    // to = the sum of the results, each at its place.
    void add_windows(const T* results, T* to) const {
        const int64_t pitch = s.stride_w * channels;
        int64_t first = 0; // column of outputs that reaches element e
        for (int64_t e = 0; e < wide * channels; e += kLanes<T>) {
            while (first * pitch + cols <= e && first < s.out_w) ++first;
            const int64_t last = min(s.out_w, ceil_div(e + kLanes<T>, pitch));
            Vec<T> sum = zero<T>();
            for (int64_t v = first; v < last; ++v) sum += load(results + v * result + margin + e - v * pitch);
            store(to + e, sum);
        }
    }
    // The same tap by tap, added to `to`.
    void add_taps(int64_t g, const T* results, T* to) const {
        for (int64_t v = 0; v < s.out_w; ++v)
            for (int64_t q = 0; q < s.kernel_w; ++q)
                add_row(to + (v * s.stride_w + q * s.dilation_w) * s.in_channels + g * channels,
                        results + v * result + margin + q * channels, channels);
    }

    // Row y of dx from the row `padded_row`, which is so much wider as the padding says.
    void copy_out(const T* padded_row, T* to) const {
        const int64_t begin = clamp(-s.pad_left, int64_t{0}, s.in_w), row = s.in_w * s.in_channels;
        const int64_t end = clamp(wide - s.pad_left, begin, s.in_w);
        fill_row(to, T(0), begin * s.in_channels);
        copy_row(to + begin * s.in_channels, padded_row + (begin + s.pad_left) * s.in_channels,
                 (end - begin) * s.in_channels);
        fill_row(to + end * s.in_channels, T(0), row - end * s.in_channels);
        if (bias)
            for (int64_t x = 0; x < s.in_w; ++x) add_row(to + x * s.in_channels, bias, s.in_channels);
        if (activation != Activation::none) activate_row(to, row, activation);
    }

    // Converts what rows [y0, y1] (with padding) of dx need of an image of dy; returns where that begins.
    const T* exact_rows(int64_t image, int64_t y0, int64_t y1) const {
        const int64_t first =
            min(max(int64_t{0}, y0 - (s.kernel_h - 1) * s.dilation_h) / s.stride_h, s.out_h);
        const int64_t count = min(y1 / s.stride_h + 1, s.out_h) - first;
        T* rows = scratch<T>(Scratch::conv_exact, max(int64_t{1}, count) * dy_row());
        if (count > 0) read_row(rows, dy + (image * s.out_h + first) * dy_row(), count * dy_row());
        return rows - first * dy_row();
    }

    void run() const {
        const int64_t size = round_up(wide * s.in_channels, kLanes<T>);
        const int64_t work = s.out_w * ceil_div(s.kernel_h, s.stride_h) * s.out_channels * padded;
        parallel(s.batch * s.in_h, max(2 * s.kernel_h, kParallelWork / 2 / work),
                 [&](int64_t begin, int64_t end) {
                     const int64_t out = s.in_w * s.in_channels;
                     T* row = scratch<T>(Scratch::conv_input, size + out);
                     const T* from = nullptr;
                     T* results = scratch<T>(Scratch::conv_partial, s.out_w * result);
                     fill_row(results, T(0), s.out_w * result);
                     for (int64_t item = begin; item < end; ++item) {
                         const int64_t image = item / s.in_h, y = item % s.in_h + s.pad_top;
                         if (!dy.rounds())
                             from = dy.exact() + image * s.out_h * dy_row();
                         else if (item == begin || item % s.in_h == 0)
                             from = exact_rows(image, y, min(y + end - 1 - item, s.in_h - 1 + s.pad_top));
                         bool filled = false;
                         for (int64_t g = 0; g < s.groups; ++g) {
                             if (!products(from, y, g, results)) break; // nor for the other groups
                             if (!joined && g == 0) fill_row(row, T(0), size);
                             if (joined)
                                 add_windows(results, row);
                             else
                                 add_taps(g, results, row);
                             filled = true;
                         }
                         if (!filled) fill_row(row, T(0), size);
                         T* to = dx.rounds() ? row + size : dx.exact() + item * out;
                         copy_out(row, to);
                         if (dx.rounds()) write_row(dx + item * out, to, out);
                     }
                 });
    }
};

// Where this is better than lanes along a row of dx (conv_planes.h): for each remainder modulo a stride those
// would lay out all of dy anew, and they multiply with the zeros round it. Compared are the vectors
// multiplied for one image and filter.
template <class T> bool suits(const ConvShape& s) {
    const int64_t channels = s.in_channels / s.groups;
    if (channels * 2 > kLanes<T> || s.out_h <= 0 || s.out_w <= 0) return false;
    if (s.stride_h > 1 || s.stride_w > 1) return true;
    const int64_t here = s.out_h * s.out_w * s.kernel_h * ceil_div(s.kernel_w * channels, kLanes<T>);
    return here < s.in_h * ceil_div(s.in_w, kLanes<T>) * s.kernel_h * s.kernel_w * channels;
}

template <class T>
bool scatter(const ConvShape& s, const Image<T>& dy, const Image<T>& weight, const T* bias,
             Activation activation, bool accumulate, const Image<T>& dx) {
    if (accumulate || !suits<T>(s)) return false;
    count_path(Path::conv_scatter);
    Scatter<T> scatter{s, dy, bias, activation, dx};
    scatter.pack(exact_weight<T>(s, weight.at));
    scatter.run();
    return true;
}

} // namespace

template <> ConvWay<float> conv_scatter() { return {nullptr, scatter, nullptr}; }
template <> ConvWay<double> conv_scatter() { return {nullptr, scatter, nullptr}; }

} // namespace dt::cpu::DT_LEVEL
