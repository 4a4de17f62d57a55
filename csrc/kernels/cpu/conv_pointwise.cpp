// 1 x 1 convolutions: products of a matrix of pixels with the weight. Where the pixels are many and the
// weight is small, they pass by once, fetched from memory while those before them are multiplied, and the
// weight stays in L2.
#include "kernels/cpu/conv_parts.h"
#include "kernels/cpu/gemm_core.h"
#include "kernels/cpu/lanes.h"

namespace dt::cpu::DT_LEVEL {
namespace {

constexpr int64_t kPassingBytes = 8 << 20;   // of both images: less than that is in the caches anyhow
constexpr int64_t kStayingBytes = 512 << 10; // of the weight: more does not stay in L2
constexpr int64_t kTaskWork = 1 << 22;       // multiplications of a task

// `rows` pixels of `depth` channels, which become `cols` channels.
template <class T> struct Pixels {
    int64_t rows, depth, cols;
    const T* bias;
    Activation activation;
    bool accumulate = false;
    int64_t bytes() const { return rows * (depth + cols) * int64_t(sizeof(T)); }
};

// A panel of pixels and one of the weight fit into L1 together; the weight fits into L2.
template <class T> bool passes(const Pixels<T>& p) {
    return p.bytes() >= kPassingBytes && p.depth * p.cols * int64_t(sizeof(T)) <= kStayingBytes &&
           p.depth * int64_t(sizeof(T)) <= 2048 && p.depth >= 24 && p.cols > kLanes<T>;
}

// Memory that is read next, of which each tile fetches a part: a line for each of its depths.
template <class T> struct Fetch {
    const T* data;
    int64_t left; // elements
    Fetch(const T* data_, int64_t elements) : data(data_), left(elements) {}
    bool next(Tile<T>& tile) {
        constexpr int64_t line = 64 / sizeof(T);
        const bool some = left > 0;
        tile.ahead = some ? data : nullptr;
        tile.ahead_step = line;
        data += tile.depth * line;
        left -= tile.depth * line;
        return some;
    }
};

// out (rows, cols) = activation([out +] in (rows, depth) weight + bias). By panel of pixels, in it by panel
// of the weight: `in` is read and `out` written in the order of memory.
template <class T> void multiply_pixels(const Pixels<T>& p, const T* in, const Strided<T>& weight, T* out) {
    count_path(Path::conv_pixels);
    T* packed = scratch<T>(Scratch::conv_weight, p.depth * round_up(p.cols, kLanes<T>));
    parallel(
        ceil_div(p.cols, kTileCols<T>), grain_for(p.depth * kTileCols<T>), [&](int64_t begin, int64_t end) {
            for (int64_t j = begin * kTileCols<T>; j < min(end * kTileCols<T>, p.cols); j += kTileCols<T>)
                pack_columns(weight, packed + j * p.depth, j, min(kTileCols<T>, p.cols - j), 0, p.depth);
        });
    const RowPanels panels(p.rows);
    const bool streams =
        !p.accumulate && p.activation <= Activation::relu && can_stream(out, p.rows * p.cols, p.cols);
    const int64_t grain = max(int64_t{1}, kTaskWork / (kTileRows * p.depth * p.cols));
    parallel(panels.panels, grain, [&](int64_t begin, int64_t end) {
        Tile<T> tile;
        tile.depth = tile.a_row = p.depth;
        tile.a_depth = 1;
        tile.c_row = p.cols;
        tile.accumulate = p.accumulate;
        tile.activation = p.activation;
        tile.streams = streams;
        for (int64_t r = begin; r < end; ++r) {
            const int64_t i = panels.start(r), next = panels.start(r + 1);
            tile.rows = next - i;
            tile.a = in + i * p.depth;
            Fetch<T> fetch(in + next * p.depth, min(tile.rows, p.rows - next) * p.depth);
            for (int64_t j = 0; j < p.cols; j += kTileCols<T>) {
                tile.cols = min(kTileCols<T>, p.cols - j);
                tile.b = packed + j * p.depth;
                tile.b_row = round_up(tile.cols, kLanes<T>);
                tile.c = out + i * p.cols + j;
                tile.bias = p.bias ? p.bias + j : nullptr;
                fetch.next(tile);
                compute_tile(tile);
            }
        }
        if (streams) finish_streaming();
    });
}

// `weight` as Strided sees it.
template <class T> struct Weight {
    Image<T> data;
    int64_t step, depth_step;
};

template <class T>
void multiply_rows(const Pixels<T>& p, const Image<T>& in, const Weight<T>& weight, const Image<T>& out) {
    if (!in.rounds() && passes(p))
        return multiply_pixels(p, in.exact(), {weight.data.exact(), weight.step, weight.depth_step},
                               out.exact());
    count_path(Path::conv_product);
    GemmArgs g{.m = p.rows,
               .n = p.cols,
               .k = p.depth,
               .a = in.at,
               .a_row = p.depth,
               .b = weight.data.at,
               .b_row = weight.depth_step,
               .b_col = weight.step,
               .c = out.at,
               .c_row = p.cols,
               .accumulate = p.accumulate,
               .bias = p.bias,
               .activation = p.activation,
               .c_float32 = in.rounds() && !out.rounds()};
    multiply(g, in.rounding, T());
}

// --- The gradient of the weight: dy' x, a sum over pixels ---

constexpr int64_t kBlockPixels = 128; // x and dy of so many stay in L2, and of the next ones beside them

// sums (filters, channels) [+]= dy' x for `rows` pixels; `more` pixels come next.
template <class T>
void add_block(const ConvShape& s, const T* x, const T* dy, int64_t rows, int64_t more, bool first, T* sums) {
    const RowPanels panels(s.out_channels);
    Fetch<T> next_x(x + rows * s.in_channels, more * s.in_channels);
    Fetch<T> next_dy(dy + rows * s.out_channels, more * s.out_channels);
    Tile<T> tile;
    tile.depth = rows;
    tile.a_row = 1;
    tile.a_depth = s.out_channels;
    tile.b_row = tile.c_row = s.in_channels;
    tile.accumulate = !first;
    for (int64_t j = 0; j < s.in_channels; j += kTileCols<T>) {
        tile.cols = min(kTileCols<T>, s.in_channels - j);
        tile.b = x + j;
        for (int64_t r = 0; r < panels.panels; ++r) {
            const int64_t i = panels.start(r);
            tile.rows = panels.start(r + 1) - i;
            tile.a = dy + i;
            tile.c = sums + i * s.in_channels + j;
            if (!next_x.next(tile)) next_dy.next(tile);
            compute_tile(tile);
        }
    }
}

// Both images are read where they are, in the order of memory.
template <class T> void pixels_gradient(const ConvShape& s, int64_t rows, const T* x, const T* dy, T* dw) {
    count_path(Path::conv_weight_pixels);
    const int64_t size = s.in_channels * s.out_channels, blocks = ceil_div(rows, kBlockPixels);
    const int64_t parts = even_parts(blocks, kMaxParts);
    T* sums = scratch<T>(Scratch::gemm_partial, parts * size);
    parallel(parts, 1, [&](int64_t part, int64_t) {
        const int64_t begin = blocks * part / parts, end = blocks * (part + 1) / parts;
        for (int64_t b = begin; b < end; ++b) {
            const int64_t i = rows * b / blocks, next = rows * (b + 1) / blocks;
            const int64_t more = b + 1 < end ? rows * (b + 2) / blocks - next : 0;
            add_block(s, x + i * s.in_channels, dy + i * s.out_channels, next - i, more, b == begin,
                      sums + part * size);
        }
    });
    sum_parts(sums, parts, size);
    copy_row(dw, sums, size);
}

// dw [+]= dy' x.
template <class T>
void add_gradient(const ConvShape& s, int64_t rows, const Image<T>& x, const Image<T>& dy, bool accumulate,
                  T* dw) {
    const int64_t bytes = rows * (s.in_channels + s.out_channels) * int64_t(sizeof(T));
    const int64_t size = s.in_channels * s.out_channels * int64_t(sizeof(T));
    if (!accumulate && !x.rounds() && bytes >= kPassingBytes && size <= kStayingBytes / 2 &&
        s.in_channels > kLanes<T> && (kMasksB || s.in_channels % kLanes<T> == 0))
        return pixels_gradient(s, rows, x.exact(), dy.exact(), dw);
    count_path(Path::conv_weight_product);
    GemmArgs g{.m = s.out_channels,
               .n = s.in_channels,
               .k = rows,
               .a = dy.at,
               .a_row = 1,
               .a_col = s.out_channels,
               .b = x.at,
               .b_row = s.in_channels,
               .c = dw,
               .c_row = s.in_channels,
               .accumulate = accumulate,
               .c_float32 = x.rounds()};
    multiply(g, x.rounding, T());
}

// --- With a stride: the pixels that take part stand side by side for the product, some images at a time ---

// A window over the whole image is 1 x 1 over a pixel that has all values of the image as its channels.
ConvShape flattened(ConvShape s) {
    if (s.in_h != s.kernel_h || s.in_w != s.kernel_w || s.out_h != 1 || s.out_w != 1 || s.dilation_h != 1 ||
        s.dilation_w != 1 || s.groups != 1)
        return s;
    s.in_channels *= s.kernel_h * s.kernel_w;
    s.in_h = s.in_w = s.kernel_h = s.kernel_w = 1;
    return s;
}

// No padding, one group, every window inside the image.
bool is_one_by_one(const ConvShape& s) {
    return s.kernel_h == 1 && s.kernel_w == 1 && s.pad_top == 0 && s.pad_left == 0 && s.groups == 1 &&
           (s.out_h - 1) * s.stride_h < s.in_h && (s.out_w - 1) * s.stride_w < s.in_w;
}

// Calls body(first image, images, room for their pixels of `channels`).
template <class T, class F> void for_images(const ConvShape& s, int64_t channels, const F& body) {
    const int64_t pixels = s.out_h * s.out_w;
    const int64_t images =
        clamp((int64_t{1} << 20) / max(int64_t{1}, pixels * channels), int64_t{1}, s.batch);
    T* room = scratch<T>(Scratch::conv_input, images * pixels * channels);
    for (int64_t n = 0; n < s.batch; n += images) body(n, min(images, s.batch - n), room);
}

template <class T>
void gather_pixels(const ConvShape& s, const Image<T>& x, int64_t first, int64_t images, const Image<T>& to) {
    const int64_t channels = s.in_channels;
    const size_t bytes = size_t(channels) * (x.rounds() ? 2 : sizeof(T));
    parallel(images * s.out_h, grain_for(s.out_w * channels), [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
            const int64_t y = row % s.out_h * s.stride_h;
            const Image<T> from = x + ((first + row / s.out_h) * s.in_h + y) * s.in_w * channels;
            for (int64_t v = 0; v < s.out_w; ++v)
                memcpy((to + (row * s.out_w + v) * channels).at, (from + v * s.stride_w * channels).at,
                       bytes);
        }
    });
}

// The reverse: zeros between the pixels.
template <class T>
void spread_pixels(const ConvShape& s, const T* from, int64_t first, int64_t images, bool streams,
                   const Image<T>& dx) {
    const int64_t channels = s.in_channels;
    const auto write = [=](const Image<T>& place, const T* pixel) DT_INLINE_LAMBDA {
        with_stored(place, [=](auto* to) DT_INLINE_LAMBDA {
            for_vectors<T>(channels, [=](int64_t c, auto part) DT_INLINE_LAMBDA {
                const Vec<T> v = pixel ? load(pixel + c, part) : zero<T>();
                if (streams)
                    stream(to + c, v, part);
                else
                    store(to + c, v, part);
            });
        });
    };
    parallel(images * s.in_h, grain_for(s.in_w * channels), [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
            const int64_t y = row % s.in_h, u = y / s.stride_h;
            const bool taken = y % s.stride_h == 0 && u < s.out_h;
            const T* pixels = from + (row / s.in_h * s.out_h + u) * s.out_w * channels;
            const Image<T> to = dx + (first * s.in_h + row) * s.in_w * channels;
            for (int64_t x = 0; x < s.in_w; ++x) {
                const int64_t v = x / s.stride_w;
                const bool hit = taken && x % s.stride_w == 0 && v < s.out_w;
                write(to + x * channels, hit ? pixels + v * channels : nullptr);
            }
        }
        if (streams) finish_streaming();
    });
}

// dx += the same.
template <class T>
void add_pixels(const ConvShape& s, const T* from, int64_t first, int64_t images, const Image<T>& dx) {
    const int64_t channels = s.in_channels;
    const int64_t cols = min(s.out_w, ceil_div(s.in_w, s.stride_w));
    parallel(images * s.out_h, grain_for(cols * channels), [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
            const int64_t y = row % s.out_h * s.stride_h;
            if (y >= s.in_h) continue;
            const Image<T> to = dx + ((first + row / s.out_h) * s.in_h + y) * s.in_w * channels;
            for (int64_t v = 0; v < cols; ++v)
                write_sum(to + v * s.stride_w * channels, from + (row * s.out_w + v) * channels, channels);
        }
    });
}

template <class T>
bool forward(const ConvShape& shape, const Image<T>& x, const Image<T>& weight, const T* bias,
             Activation activation, const Image<T>& y) {
    const ConvShape s = flattened(shape);
    if (!is_one_by_one(s)) return false;
    const Weight<T> by_filter{weight, s.in_channels, 1};
    const int64_t pixels = s.out_h * s.out_w;
    Pixels<T> p{s.batch * pixels, s.in_channels, s.out_channels, bias, activation};
    if (is_pointwise(s)) {
        multiply_rows(p, x, by_filter, y);
        return true;
    }
    count_path(Path::conv_gathered);
    for_images<T>(s, s.in_channels, [&](int64_t first, int64_t images, T* room) {
        const Image<T> gathered{room, x.rounding};
        gather_pixels(s, x, first, images, gathered);
        p.rows = images * pixels;
        multiply_rows(p, gathered, by_filter, y + first * pixels * s.out_channels);
    });
    return true;
}

template <class T>
bool backward_data(const ConvShape& shape, const Image<T>& dy, const Image<T>& weight, const T* bias,
                   Activation activation, bool accumulate, const Image<T>& dx) {
    const ConvShape s = flattened(shape);
    if (bias && s.in_channels != shape.in_channels) return false; // it would have to be repeated
    if (!is_one_by_one(s)) return false;
    const Weight<T> by_channel{weight, 1, s.in_channels};
    const int64_t pixels = s.out_h * s.out_w;
    Pixels<T> p{s.batch * pixels, s.out_channels, s.in_channels, bias, activation};
    if (is_pointwise(s)) {
        p.accumulate = accumulate;
        multiply_rows(p, dy, by_channel, dx);
        return true;
    }
    if (bias || activation != Activation::none) return false; // what lies between would not be zero
    count_path(Path::conv_spread);
    const bool streams = !accumulate && !dx.rounds() &&
                         can_stream(dx.exact(), s.batch * s.in_h * s.in_w * s.in_channels, s.in_channels);
    for_images<T>(s, s.in_channels, [&](int64_t first, int64_t images, T* room) {
        p.rows = images * pixels;
        multiply_rows(p, dy + first * pixels * s.out_channels, by_channel, {room});
        if (accumulate)
            add_pixels(s, room, first, images, dx);
        else
            spread_pixels(s, room, first, images, streams, dx);
    });
    return true;
}

template <class T>
bool backward_weight(const ConvShape& shape, const Image<T>& x, const Image<T>& dy, T* dw) {
    const ConvShape s = flattened(shape);
    if (!is_one_by_one(s)) return false;
    const int64_t pixels = s.out_h * s.out_w;
    if (is_pointwise(s)) {
        add_gradient(s, s.batch * pixels, x, dy, false, dw);
        return true;
    }
    count_path(Path::conv_weight_gathered);
    for_images<T>(s, s.in_channels, [&](int64_t first, int64_t images, T* room) {
        const Image<T> gathered{room, x.rounding};
        gather_pixels(s, x, first, images, gathered);
        add_gradient(s, images * pixels, gathered, dy + first * pixels * s.out_channels, first > 0, dw);
    });
    return true;
}

} // namespace

template <> ConvWay<float> conv_pointwise() { return {forward, backward_data, backward_weight}; }
template <> ConvWay<double> conv_pointwise() { return {forward, backward_data, backward_weight}; }

} // namespace dt::cpu::DT_LEVEL
