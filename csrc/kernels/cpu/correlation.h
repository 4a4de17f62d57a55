#pragma once
// The engine of the convolutions: out(u, v) = sum over taps (r, s) of in(u * stride + r * dilation + origin,
// ...) * w(r, s), reading zeros outside. The forward pass is one correlation; the gradient of the input is
// one for stride 1 and one for each remainder modulo the stride otherwise. Windows are read where they lie,
// or from a copy of a few rows of one image with zeros round it: no matrix of patches is ever in memory.
#include "core/paths.h"
#include "kernels/cpu/conv_image.h"
#include "kernels/cpu/gemm_core.h"

namespace dt::cpu::DT_LEVEL {
namespace {

// One dimension of the window.
struct Axis {
    int64_t in, out, taps, stride, dilation, origin;
    int64_t reach(int64_t outputs) const { // positions that this many neighbouring outputs read
        return max(int64_t{0}, (outputs - 1) * stride + (taps - 1) * dilation + 1);
    }
    bool leaves() const { return out > 0 && taps > 0 && (origin < 0 || origin + reach(out) > in); }
};

template <class T> struct Correlation {
    int64_t batch;
    Axis h, w;
    Image<T> in;
    int64_t in_pixel, channels; // elements from pixel to pixel, and those of them that take part
    Image<T> out;               // out + image * out_image + u * out_row + v * out_pixel
    int64_t out_image, out_row, out_pixel, filters;
    const T* weight = nullptr; // panels of kTileCols filters, each [tap][channel][filter]; see pack_filters
    const T* bias = nullptr;
    Activation activation = Activation::none;
    bool accumulate = false; // adds to out, where correlate() goes by rows or patches

    int64_t depth() const { return h.taps * w.taps * channels; }
    int64_t in_image() const { return h.in * w.in * in_pixel; }
    // Whether tiles of kTileCols filters may be written past the caches: in whole lines, and for good.
    bool streams() const {
        constexpr int64_t line = 64 / int64_t(sizeof(T));
        return !accumulate && !out.rounds() && kTileCols<T> % line == 0 && filters % line == 0 &&
               activation <= Activation::relu && can_stream(out.exact(), batch * out_image, filters);
    }
};

// Where the rows of a band begin, whether in the image itself or in a copy.
template <class T> struct Band {
    const T* data;
    int64_t row, pixel;
};

// Copies the pixels that output rows [u0, u0 + rows) read to `to`, zeros for those outside the image; of the
// rows that this makes only [first, last).
template <class T>
void copy_band(const Correlation<T>& c, int64_t image, int64_t u0, int64_t first, int64_t last, T* to,
               int64_t pixel) {
    const int64_t wide = c.w.reach(c.w.out);
    const Image<T> from = c.in + image * c.in_image();
    const int64_t left = clamp(-c.w.origin, int64_t{0}, wide),
                  inside = clamp(c.w.in - c.w.origin, left, wide) - left;
    to += first * wide * pixel;
    for (int64_t r = first; r < last; ++r, to += wide * pixel) {
        const int64_t y = u0 * c.h.stride + c.h.origin + r;
        if (y < 0 || y >= c.h.in) {
            fill_row(to, T(0), wide * pixel);
            continue;
        }
        const Image<T> source = from + (y * c.w.in + max(c.w.origin, int64_t{0})) * c.in_pixel;
        fill_row(to, T(0), left * pixel);
        if (c.in_pixel == pixel)
            read_row(to + left * pixel, source, inside * pixel);
        else
            with_stored(source, [&](const auto* p) DT_INLINE_LAMBDA {
                for (int64_t x = 0; x < inside; ++x)
                    copy_row(to + (left + x) * pixel, p + x * c.in_pixel, c.channels);
            });
        fill_row(to + (left + inside) * pixel, T(0), (wide - left - inside) * pixel);
    }
}

// Calls body(image, u0, rows, band) for bands of output rows, in parallel; `work` is the cost of one output
// row.
template <class T, class F>
void for_bands(const Correlation<T>& c, bool copied, int64_t pixel, int64_t work, const F& body) {
    const int64_t target = kParallelWork / 2; // a band is a task, or several make one
    // Neighbouring bands copy the rows between them twice: several rows a band, as long as tasks abound.
    const int64_t least = copied ? clamp(c.batch * c.h.out / 64, int64_t{1}, int64_t{8}) : 1;
    const int64_t band_rows = clamp(target / max(int64_t{1}, work), min(least, c.h.out), c.h.out);
    const int64_t bands = ceil_div(c.h.out, band_rows);
    const int64_t grain = max(int64_t{1}, target / max(int64_t{1}, band_rows * work));
    parallel(c.batch * bands, grain, [&](int64_t begin, int64_t end) {
        T* copy = copied ? scratch<T>(Scratch::conv_input, c.h.reach(band_rows) * c.w.reach(c.w.out) * pixel)
                         : nullptr;
        for (int64_t item = begin; item < end; ++item) {
            const int64_t image = item / bands, u0 = item % bands * band_rows,
                          rows = min(band_rows, c.h.out - u0);
            Band<T> band{copy, c.w.reach(c.w.out) * pixel, pixel};
            if (copied)
                copy_band(c, image, u0, 0, c.h.reach(rows), copy, pixel);
            else
                band = {c.in.exact() + image * c.in_image() +
                            ((u0 * c.h.stride + c.h.origin) * c.w.in + c.w.origin) * c.in_pixel,
                        c.w.in * c.in_pixel, c.in_pixel};
            body(image, u0, rows, band);
        }
    });
}

// How a tile walks the taps of a window in a band: whole rows of it in one go where they are adjacent in
// memory.
template <class T> void set_walk(Tile<T>& tile, const Correlation<T>& c, const Band<T>& band) {
    if (c.w.dilation == 1 && band.pixel == c.channels) {
        tile.outer = 1;
        tile.segments = c.h.taps;
        tile.a_segment = c.h.dilation * band.row;
        tile.depth = c.w.taps * c.channels;
    } else {
        tile.outer = c.h.taps;
        tile.a_outer = c.h.dilation * band.row;
        tile.segments = c.w.taps;
        tile.a_segment = c.w.dilation * band.pixel;
        tile.depth = c.channels;
    }
    tile.a_depth = 1;
    tile.a_row = c.w.stride * band.pixel;
}

// compute_tile, whose result goes to `c`, rows tile.c_row apart.
template <class T> void compute_tile_to(const Tile<T>& tile, const Image<T>& c) {
    Tile<T> t = tile;
    if (!c.rounds()) {
        t.c = c.exact();
        return compute_tile(t);
    }
    alignas(64) T own[kTileRows * kTileCols<T>];
    t.c = own;
    const bool dense = tile.c_row == tile.cols; // one run of memory
    t.c_row = dense ? tile.cols : kTileCols<T>;
    fetch_rows(c, tile.c_row, t.rows);
    if (t.accumulate) read_rows(c, tile.c_row, own, t.c_row, t.rows, t.cols);
    compute_tile(t);
    if (dense)
        write_row(c, own, t.rows * t.cols);
    else
        write_rows(own, t.c_row, c, tile.c_row, t.rows, t.cols);
}

// Tiles of neighbouring outputs in one row times filters.
template <class T> void correlate_rows(const Correlation<T>& c) {
    count_path(Path::conv_rows);
    const int64_t step = c.w.stride * c.channels * int64_t(sizeof(T));
    const bool crowded = c.channels > 1 && step % 2048 == 0; // neighbours would evict each other from L1
    const bool copied = c.in.rounds() || c.h.leaves() || c.w.leaves() || (crowded && c.depth() > c.channels);
    const int64_t pixel = copied ? c.channels + (crowded ? kLanes<T> : 0) : c.in_pixel;
    const RowPanels panels(c.w.out);
    const bool streams = c.streams();
    for_bands(c, copied, pixel, c.w.out * c.depth() * c.filters,
              [&](int64_t image, int64_t u0, int64_t rows, const Band<T>& band) {
                  Tile<T> tile;
                  set_walk(tile, c, band);
                  tile.streams = streams;
                  tile.c_row = c.out_pixel;
                  tile.accumulate = c.accumulate;
                  tile.activation = c.activation;
                  for (int64_t j = 0; j < c.filters; j += kTileCols<T>) {
                      tile.cols = min(kTileCols<T>, c.filters - j);
                      tile.b = c.weight + j * c.depth();
                      tile.b_row = round_up(tile.cols, kLanes<T>);
                      tile.bias = c.bias ? c.bias + j : nullptr;
                      for (int64_t u = 0; u < rows; ++u)
                          for (int64_t i = 0; i < panels.panels; ++i) {
                              const int64_t v = panels.start(i);
                              tile.rows = panels.start(i + 1) - v;
                              tile.a = band.data + u * c.h.stride * band.row + v * tile.a_row;
                              compute_tile_to(tile, c.out + (image * c.out_image + (u0 + u) * c.out_row +
                                                             v * c.out_pixel + j));
                          }
                  }
                  if (streams) finish_streaming();
              });
}

// One window as a row of `depth` elements.
template <class T> void copy_patch(const Correlation<T>& c, int64_t image, int64_t u, int64_t v, T* to) {
    const Image<T> from = c.in + image * c.in_image();
    for (int64_t r = 0; r < c.h.taps; ++r) {
        const int64_t y = u * c.h.stride + r * c.h.dilation + c.h.origin;
        for (int64_t s = 0; s < c.w.taps; ++s, to += c.channels) {
            const int64_t x = v * c.w.stride + s * c.w.dilation + c.w.origin;
            if (y < 0 || y >= c.h.in || x < 0 || x >= c.w.in)
                fill_row(to, T(0), c.channels);
            else
                read_row(to, from + (y * c.w.in + x) * c.in_pixel, c.channels);
        }
    }
}

// Images so narrow that a row of outputs would leave most of a tile empty: windows of any outputs are copied
// side by side, a tile's worth at a time.
template <class T> void correlate_patches(const Correlation<T>& c) {
    count_path(Path::conv_patches);
    const int64_t outputs = c.batch * c.h.out * c.w.out, depth = c.depth(), row = depth + kLanes<T>;
    const int64_t tiles =
        clamp(kParallelWork / max(int64_t{1}, depth * c.filters * kTileRows), int64_t{1}, int64_t{8});
    parallel(outputs, tiles * kTileRows, [&](int64_t begin, int64_t end) {
        T* patches = scratch<T>(Scratch::conv_input, kTileRows * row);
        T* results = scratch<T>(Scratch::conv_partial, kTileRows * kTileCols<T>);
        const RowPanels panels(end - begin);
        for (int64_t i = 0; i < panels.panels; ++i) {
            const int64_t first = begin + panels.start(i), count = panels.start(i + 1) - panels.start(i);
            Image<T> to[kTileRows];
            for (int64_t q = 0; q < count; ++q) {
                const int64_t image = (first + q) / (c.h.out * c.w.out),
                              at = (first + q) % (c.h.out * c.w.out);
                copy_patch(c, image, at / c.w.out, at % c.w.out, patches + q * row);
                to[q] = c.out + (image * c.out_image + at / c.w.out * c.out_row + at % c.w.out * c.out_pixel);
            }
            Tile<T> tile;
            tile.depth = depth;
            tile.a = patches;
            tile.a_row = row;
            tile.a_depth = 1;
            tile.rows = count;
            tile.c = results;
            tile.c_row = kTileCols<T>;
            tile.activation = c.activation;
            for (int64_t j = 0; j < c.filters; j += kTileCols<T>) {
                tile.cols = min(kTileCols<T>, c.filters - j);
                tile.b = c.weight + j * depth;
                tile.b_row = round_up(tile.cols, kLanes<T>);
                tile.bias = c.bias ? c.bias + j : nullptr;
                compute_tile(tile);
                for (int64_t q = 0; q < count; ++q) {
                    const T* from = results + q * kTileCols<T>;
                    c.accumulate ? write_sum(to[q] + j, from, tile.cols)
                                 : write_row(to[q] + j, from, tile.cols);
                }
            }
        }
    });
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
