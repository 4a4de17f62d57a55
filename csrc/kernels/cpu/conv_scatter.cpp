// Gradient of a convolution's input where that has few channels, which would leave most lanes of a gathering
// kernel empty: a product gives what each output contributes to all that its window read, lanes along the
// window, and that is added to an image with room for the padding. One task owns an image and adds in a fixed
// order.
#include "kernels/cpu/conv_parts.h"
#include "kernels/cpu/correlation.h"

namespace dt::cpu::DT_LEVEL {
namespace {

template <class T> DT_INLINE void add_row(T* to, const T* from, int64_t count) {
    int64_t i = 0;
    for (; i + kLanes<T> <= count; i += kLanes<T>) store(to + i, load(to + i) + load(from + i));
    if (i < count)
        store_tail(to + i, load_tail(to + i, count - i) + load_tail(from + i, count - i), count - i);
}

template <class T> struct Scatter {
    const ConvShape& s;
    const T* dy;
    const T* weight; // packed panels, group after group
    const T* bias;
    Activation activation;
    T* dx;
    int64_t channels = s.in_channels / s.groups, filters = s.out_channels / s.groups;
    int64_t depth = s.kernel_h * s.kernel_w * channels, padded_depth = round_up(depth, kTileCols<T>);
    int64_t tall = (s.out_h - 1) * s.stride_h + (s.kernel_h - 1) * s.dilation_h + 1;
    int64_t wide = (s.out_w - 1) * s.stride_w + (s.kernel_w - 1) * s.dilation_w + 1;

    // results (out_w, padded_depth): the contributions of one row of outputs to one group.
    void products(int64_t image, int64_t u, int64_t g, T* results) const {
        const RowPanels panels(s.out_w);
        Tile<T> tile;
        tile.depth = filters;
        tile.a_depth = 1;
        tile.a_row = s.out_channels;
        tile.c_row = padded_depth;
        for (int64_t j = 0; j < depth; j += kTileCols<T>) {
            tile.cols = min(kTileCols<T>, depth - j);
            tile.b = weight + g * filters * padded_depth + j * filters;
            tile.b_row = round_up(tile.cols, kLanes<T>);
            for (int64_t i = 0; i < panels.panels; ++i) {
                const int64_t v = panels.start(i);
                tile.rows = panels.start(i + 1) - v;
                tile.a = dy + ((image * s.out_h + u) * s.out_w + v) * s.out_channels + g * filters;
                tile.c = results + v * padded_depth + j;
                compute_tile(tile);
            }
        }
    }

    void add(int64_t u, int64_t g, const T* results, T* padded) const {
        const bool joined = s.dilation_w == 1 && s.groups == 1; // a row of the window is adjacent
        const int64_t run = joined ? s.kernel_w * channels : channels, runs = joined ? 1 : s.kernel_w;
        for (int64_t v = 0; v < s.out_w; ++v)
            for (int64_t r = 0; r < s.kernel_h; ++r)
                for (int64_t q = 0; q < runs; ++q) {
                    const int64_t row = u * s.stride_h + r * s.dilation_h,
                                  col = v * s.stride_w + q * s.dilation_w;
                    add_row(padded + (row * wide + col) * s.in_channels + g * channels,
                            results + v * padded_depth + (r * runs + q) * run, run);
                }
    }

    void copy_out(int64_t image, const T* padded) const {
        const int64_t row = s.in_w * s.in_channels;
        for (int64_t y = 0; y < s.in_h; ++y) {
            T* to = dx + (image * s.in_h + y) * row;
            const int64_t from = y + s.pad_top, begin = clamp(-s.pad_left, int64_t{0}, s.in_w);
            const int64_t end = clamp(wide - s.pad_left, begin, s.in_w);
            if (from < 0 || from >= tall) {
                fill_row(to, T(0), row);
            } else {
                fill_row(to, T(0), begin * s.in_channels);
                copy_row(to + begin * s.in_channels,
                         padded + (from * wide + begin + s.pad_left) * s.in_channels,
                         (end - begin) * s.in_channels);
                fill_row(to + end * s.in_channels, T(0), (s.in_w - end) * s.in_channels);
            }
            if (bias)
                for (int64_t x = 0; x < s.in_w; ++x) add_row(to + x * s.in_channels, bias, s.in_channels);
            if (activation != Activation::none) activate_row(to, row, activation);
        }
    }

    void run() const {
        const int64_t size = tall * wide * s.in_channels;
        parallel(s.batch, grain_for(s.out_h * s.out_w * s.groups * depth), [&](int64_t begin, int64_t end) {
            T* padded = scratch<T>(Scratch::conv_input, size);
            T* results = scratch<T>(Scratch::conv_partial, s.out_w * padded_depth);
            for (int64_t image = begin; image < end; ++image) {
                fill_row(padded, T(0), size);
                for (int64_t u = 0; u < s.out_h; ++u)
                    for (int64_t g = 0; g < s.groups; ++g) {
                        products(image, u, g, results);
                        add(u, g, results, padded);
                    }
                copy_out(image, padded);
            }
        });
    }
};

template <class T>
bool scatter(const ConvShape& s, const T* dy, const T* weight, const T* bias, Activation activation, T* dx) {
    const int64_t channels = s.in_channels / s.groups, filters = s.out_channels / s.groups;
    const int64_t depth = s.kernel_h * s.kernel_w * channels, padded_depth = round_up(depth, kTileCols<T>);
    if (channels * 2 > kLanes<T> || depth < kLanes<T> || s.out_h <= 0 || s.out_w <= 0) return false;
    count_path(Path::conv_scatter);
    T* packed = scratch<T>(Scratch::conv_weight, s.groups * filters * padded_depth);
    for (int64_t g = 0; g < s.groups; ++g) {
        const Strided<T> from{weight + g * filters * depth, 1, depth};
        for (int64_t j = 0; j < depth; j += kTileCols<T>)
            pack_columns(from, packed + g * filters * padded_depth + j * filters, j,
                         min(kTileCols<T>, depth - j), 0, filters);
    }
    Scatter<T>{s, dy, packed, bias, activation, dx}.run();
    return true;
}

} // namespace

bool conv_scatter(const ConvShape& s, const float* dy, const float* weight, const float* bias,
                  Activation activation, float* dx) {
    return scatter(s, dy, weight, bias, activation, dx);
}
bool conv_scatter(const ConvShape& s, const double* dy, const double* weight, const double* bias,
                  Activation activation, double* dx) {
    return scatter(s, dy, weight, bias, activation, dx);
}

} // namespace dt::cpu::DT_LEVEL
