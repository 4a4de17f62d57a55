// Convolutions of 3 x 3, stride 1, by Winograd's algorithm: the tiles of a block are transformed, 36 matrix
// products follow, one per point, and their results are transformed back.
#include "kernels/cpu/conv_parts.h"
#include "kernels/cpu/gemm_core.h"
#include "kernels/cpu/winograd.h"

namespace dt::cpu::DT_LEVEL {
namespace {

using V = Vec<float>;
constexpr int64_t kPoints = kWinogradProducts, kTile = kWinogradTile, kPanel = kTileCols<float>;
// Up to so many weights their transform stays in the caches near the cores: then each task takes a few tiles
// through all stages. Above, all tasks share a large block of tiles, stage by stage, so that a weight once
// read meets many tiles. The gradient of the weight also sums in a transform of that size, hence sooner.
constexpr int64_t kPrivateWeights = 128 * 128, kPrivateGradientWeights = 64 * 64;
// Elements of a task's transformed tiles: few enough for L2; for the gradient many more than of its sums.
constexpr int64_t kPrivateElements = 160 << 10, kPrivateGradient = 320 << 10;
constexpr int64_t kSharedTransforms = 64 << 10; // tiles times channels, in and out, of a shared block
constexpr int64_t kWeightBlock = 64 << 10;      // channels times filters that are transformed at a time

// The tiles of all images, numbered, over an image of (in_h, in_w) and one of (out_h, out_w) that begins at
// (-pad_top, -pad_left) of it.
struct TileGrid {
    int64_t in_h, in_w, channels, out_h, out_w, filters, pad_top, pad_left;
    int64_t down = ceil_div(out_h, kTile), across = ceil_div(out_w, kTile);

    struct Place {
        int64_t image, u, v; // the first output
    };
    Place place(int64_t tile) const {
        const int64_t at = tile % (down * across);
        return {tile / (down * across), at / across * kTile, at % across * kTile};
    }
};

// Pixels [top, top + n) x [left, left + n) of an image, zeros outside.
template <int n> struct Patch {
    Image<float> data; // of the first pixel, which may lie outside
    int64_t row, pixel, r0, r1, c0, c1;

    Patch(const Image<float>& image, int64_t h, int64_t w, int64_t channels, int64_t top, int64_t left,
          int64_t first_channel = 0)
        : data(image + ((top * w + left) * channels + first_channel)), row(w * channels), pixel(channels),
          r0(clamp(-top, int64_t{0}, int64_t{n})), r1(clamp(h - top, r0, int64_t{n})),
          c0(clamp(-left, int64_t{0}, int64_t{n})), c1(clamp(w - left, c0, int64_t{n})) {}
    bool inside() const { return r0 == 0 && c0 == 0 && r1 == n && c1 == n; }

    DT_INLINE void read_inside(const float* from, V* to) const {
#pragma GCC unroll 6
        for (int r = 0; r < n; ++r)
#pragma GCC unroll 6
            for (int c = 0; c < n; ++c) to[r * n + c] = load(from + r * row + c * pixel);
        // The next patch begins kTile pixels further on; its lower rows are new to the caches.
#pragma GCC unroll 4
        for (int r = n - kTile; r < n; ++r)
#pragma GCC unroll 4
            for (int c = n; c < n + kTile; ++c) __builtin_prefetch(from + r * row + c * pixel);
    }
    // Any patch, of whatever it is stored in.
    __attribute__((noinline)) void read(int64_t ch, int64_t left, V* to) const {
        with_stored(data, [=, this](const auto* from) DT_INLINE_LAMBDA {
            V* line = to;
            from += ch;
            const bool whole = c0 == 0 && c1 == n && left >= kLanes<float>;
#pragma GCC unroll 1
            for (int r = 0; r < n; ++r, from += row, line += n)
                if (r < r0 || r >= r1) {
                    for (int c = 0; c < n; ++c) line[c] = V{};
                } else if (whole) {
#pragma GCC unroll 6
                    for (int c = 0; c < n; ++c) line[c] = load(from + c * pixel);
                } else {
#pragma GCC unroll 1
                    for (int c = 0; c < n; ++c)
                        line[c] = c0 <= c && c < c1 ? load_upto(from + c * pixel, left) : V{};
                }
        });
    }
};

// to[point * step + channel] = the transform of a patch, for whole vectors of channels.
template <int n> void transform_patch(const Patch<n>& patch, int64_t channels, float* to, int64_t step) {
    const auto transform = [&](const V* x, int64_t ch) DT_INLINE_LAMBDA {
        if constexpr (n == kTile)
            winograd::gradient(x, to + ch, step);
        else
            winograd::input(x, to + ch, step);
    };
    V x[n * n];
    int64_t ch = 0;
    if (patch.inside() && !patch.data.rounds())
        for (const float* from = patch.data.exact(); ch + kLanes<float> <= channels; ch += kLanes<float>) {
            patch.read_inside(from + ch, x);
            transform(x, ch);
        }
    for (; ch < channels; ch += kLanes<float>) {
        patch.read(ch, channels - ch, x);
        transform(x, ch);
    }
}

// Transformed tiles: element (point, tile, channel). Rows are padded so that neither neighbours nor the
// points of one tile share sets of the cache.
struct Transformed {
    int64_t tiles, row, step;
    float* data = nullptr;
    Transformed(int64_t tiles_, int64_t channels)
        : tiles(tiles_), row(round_up(channels, kLanes<float>) + kLanes<float>),
          step(tiles * row + kLanes<float>) {}
    int64_t elements() const { return kPoints * step; }
    float* at(int64_t point, int64_t tile, int64_t channel) const {
        return data + point * step + tile * row + channel;
    }
};

// Blocks of about `some` tiles, without a small one at the end: it would read the whole weight for little.
int64_t even_blocks(int64_t tiles, int64_t some) {
    return ceil_div(tiles, max(int64_t{1}, (tiles + some / 2) / some));
}

int64_t tile_grain(int64_t channels) { return grain_for(channels * kPoints / 8); }

void transform_inputs(const TileGrid& g, const Image<float>& x, int64_t first, const Transformed& to) {
    parallel(to.tiles, tile_grain(g.channels), [&](int64_t begin, int64_t end) {
        for (int64_t t = begin; t < end; ++t) {
            const TileGrid::Place at = g.place(first + t);
            const Patch<6> patch(x + at.image * g.in_h * g.in_w * g.channels, g.in_h, g.in_w, g.channels,
                                 at.u - g.pad_top, at.v - g.pad_left);
            transform_patch(patch, g.channels, to.at(0, t, 0), to.step);
        }
    });
}

// One correlation, forward or from dy to dx.
struct Winograd {
    TileGrid grid;
    Image<float> x, weight;
    bool turned; // weight is (channels, 3, 3, filters) and its taps run backwards
    const float* bias;
    Activation activation;
    bool accumulate; // adds to y
    Image<float> y;
    bool streams = false;         // y is so large that it is written past the caches
    float* transformed = nullptr; // weight: element (point, panel, channel, filter in panel)

    int64_t weight_step(int64_t filters) const {
        return grid.channels * round_up(filters, kLanes<float>) + kLanes<float>;
    }

    // Filters [j0, j0 + filters) to `to`.
    void transform_weight(int64_t j0, int64_t filters, float* to) const {
        constexpr int64_t lanes = kLanes<float>;
        const int64_t step = weight_step(filters), blocks = ceil_div(filters, lanes);
        const int64_t vectors = ceil_div(grid.channels, lanes);
        const auto panel = [&](int64_t j) { return to + j / kPanel * kPanel * grid.channels + j % kPanel; };
        const auto width = [&](int64_t j) {
            return round_up(min(kPanel, filters - j / kPanel * kPanel), lanes);
        };
        const auto transform = [&](const Image<float>& from, int64_t tap_step, int64_t j, int64_t k) {
            V w[9];
            const int64_t left = turned ? filters - j : lanes;
            for (int t = 0; t < 9; ++t) w[t] = (from + t * tap_step).read(left);
            winograd::weight(w, panel(j) + k * width(j), step);
        };
        if (turned) // lanes lie along the filters
            return parallel(grid.channels, grain_for(9 * filters), [&](int64_t begin, int64_t end) {
                for (int64_t k = begin; k < end; ++k)
                    for (int64_t j = 0; j < filters; j += lanes)
                        transform(weight + ((k * 9 + 8) * grid.filters + j0 + j), -grid.filters, j, k);
            });
        parallel(blocks * vectors, 8, [&](int64_t begin, int64_t end) {
            float square[9 * lanes * lanes]; // (tap, channel, filter)
            for (int64_t i = begin; i < end; ++i) {
                const int64_t j = i / vectors * lanes, k = i % vectors * lanes;
                const int64_t count = min(lanes, filters - j), depth = min(lanes, grid.channels - k);
                with_stored(weight + ((j0 + j) * 9 * grid.channels + k), [&](const auto* from) {
                    for (int64_t t = 0; t < 9; ++t)
                        convert_transposed(square + t * lanes * lanes, lanes, from + t * grid.channels,
                                           9 * grid.channels, count, depth);
                    for (int64_t row = 0; row < 9 * count; ++row) // of the next block
                        __builtin_prefetch(from + row * grid.channels + lanes);
                });
                for (int64_t c = 0; c < depth; ++c) transform({square + c * lanes}, lanes * lanes, j, k + c);
            }
        });
    }

    // One panel of filters times all tiles, of one point.
    void multiply_panel(const Transformed& in, int64_t p, const float* panel, int64_t j, int64_t cols,
                        const Transformed& out) const {
        const DepthBlocks blocks = depth_blocks<float>(grid.channels);
        const RowPanels rows(in.tiles);
        Tile<float> tile;
        tile.a_row = in.row;
        tile.a_depth = 1;
        tile.c_row = out.row;
        tile.cols = cols;
        tile.b_row = round_up(cols, kLanes<float>);
        for (int64_t k = 0; k < grid.channels; k += blocks.size) {
            tile.depth = min(blocks.size, grid.channels - k);
            tile.accumulate = k > 0;
            tile.b = panel + k * tile.b_row;
            for (int64_t r = 0; r < rows.panels; ++r) {
                const int64_t at = rows.start(r);
                tile.rows = rows.start(r + 1) - at;
                tile.a = in.at(p, at, k);
                tile.c = out.at(p, at, j);
                compute_tile(tile);
            }
        }
    }

    // Filters [j0, j0 + filters) of the tiles.
    void transform_outputs(const Transformed& from, int64_t first, int64_t j0, int64_t filters) const {
        parallel(from.tiles, tile_grain(filters), [&](int64_t begin, int64_t end) {
            V out[kTile * kTile];
            for (int64_t t = begin; t < end; ++t) {
                const TileGrid::Place at = grid.place(first + t);
                const int64_t rows = min(kTile, grid.out_h - at.u), cols = min(kTile, grid.out_w - at.v);
                const Image<float> to =
                    y + (((at.image * grid.out_h + at.u) * grid.out_w + at.v) * grid.filters + j0);
                for (int64_t j = 0; j < filters; j += kLanes<float>) {
                    const int64_t left = filters - j;
                    winograd::output(from.at(0, t, j), from.step, out);
                    const V add = bias ? load_upto(bias + j0 + j, left) : V{};
                    for (int64_t r = 0; r < rows; ++r)
                        for (int64_t c = 0; c < cols; ++c) {
                            const Image<float> pixel = to + ((r * grid.out_w + c) * grid.filters + j);
                            V value = finish(out[r * kTile + c] + add);
                            if (accumulate) value += pixel.read(left);
                            if (streams)
                                stream(pixel.exact(), value, Whole{});
                            else
                                pixel.write(value, left);
                        }
                }
            }
            if (streams) finish_streaming();
        });
    }
    DT_INLINE V finish(V value) const {
        return activation == Activation::none ? value : activate(value, activation);
    }

    // Tiles [first, end); `fresh`: the weight is transformed here, a block of filters at a time.
    void run_tiles(int64_t first, int64_t end, int64_t block, bool fresh) const {
        Transformed in(end - first, grid.channels), out(end - first, min(block, grid.filters));
        in.data = scratch<float>(Scratch::conv_input, in.elements());
        out.data = scratch<float>(Scratch::conv_partial, out.elements());
        transform_inputs(grid, x, first, in);
        for (int64_t j0 = 0; j0 < grid.filters; j0 += block) {
            const int64_t filters = min(block, grid.filters - j0), panels = ceil_div(filters, kPanel);
            if (fresh) transform_weight(j0, filters, transformed);
            const int64_t offset = fresh ? 0 : j0 * grid.channels;
            const int64_t step = weight_step(fresh ? filters : grid.filters);
            parallel(kPoints * panels, ceil_div(panels, 2), [&](int64_t begin, int64_t stop) {
                for (int64_t i = begin; i < stop; ++i) {
                    const int64_t p = i / panels, j = i % panels * kPanel;
                    multiply_panel(in, p, transformed + p * step + offset + j * grid.channels, j,
                                   min(kPanel, filters - j), out);
                }
            });
            transform_outputs(out, first, j0, filters);
        }
    }

    void run(int64_t batch) {
        const int64_t tiles = batch * grid.down * grid.across;
        streams = !accumulate && !y.rounds() &&
                  can_stream(y.exact(), batch * grid.out_h * grid.out_w * grid.filters, grid.filters);
        const int64_t work = grid.channels * grid.filters;
        if (work <= kPrivateWeights) {
            count_path(Path::conv_winograd);
            transformed = scratch<float>(Scratch::conv_weight, kPoints * weight_step(grid.filters));
            transform_weight(0, grid.filters, transformed);
            const int64_t panel =
                kPoints * kTileRows * (round_up(grid.channels, kLanes<float>) + kLanes<float>);
            const int64_t some = kTileRows * clamp(kPrivateElements / panel, int64_t{1}, int64_t{8});
            parallel(tiles, some, [&](int64_t begin, int64_t end) { run_tiles(begin, end, kPanel, false); });
            return;
        }
        const int64_t block =
            min(round_up(grid.filters, kPanel), max(kPanel, kWeightBlock / grid.channels / kPanel * kPanel));
        count_path(Path::conv_winograd_shared);
        const bool fresh = block < grid.filters;
        const int64_t some =
            even_blocks(tiles, max(int64_t{kTileRows}, kSharedTransforms / (grid.channels + block)));
        transformed = scratch<float>(Scratch::conv_weight, kPoints * weight_step(min(block, grid.filters)));
        if (!fresh) transform_weight(0, grid.filters, transformed);
        for (int64_t t = 0; t < tiles; t += some) run_tiles(t, min(tiles, t + some), block, fresh);
    }
};

// Where the algorithm pays: enough channels to fill vectors, and tiles that are not mostly outside.
bool suits(const ConvShape& s, int64_t out_h, int64_t out_w) {
    if (s.kernel_h != 3 || s.kernel_w != 3 || s.stride_h != 1 || s.stride_w != 1 || s.dilation_h != 1 ||
        s.dilation_w != 1 || s.groups != 1)
        return false;
    if (min(s.in_channels, s.out_channels) < kLanes<float>) return false;
    const int64_t tiles = s.batch * ceil_div(out_h, kTile) * ceil_div(out_w, kTile);
    return tiles >= 16 && tiles * kPoints * 3 <= s.batch * out_h * out_w * 9 * 2;
}

// The gradient of the weight.
struct WinogradGradient {
    TileGrid grid;
    Image<float> x, dy;

    void transform_gradients(int64_t first, int64_t j0, int64_t filters, const Transformed& to) const {
        parallel(to.tiles, tile_grain(filters), [&](int64_t begin, int64_t end) {
            for (int64_t t = begin; t < end; ++t) {
                const TileGrid::Place at = grid.place(first + t);
                const Patch<4> patch(dy + at.image * grid.out_h * grid.out_w * grid.filters, grid.out_h,
                                     grid.out_w, grid.filters, at.u, at.v, j0);
                transform_patch(patch, filters, to.at(0, t, 0), to.step);
            }
        });
    }

    // sums(point, filter, channel) [+]= over the tiles, gradients(filter) times inputs(channel).
    void multiply_point(const Transformed& gradients, const Transformed& inputs, int64_t p, int64_t filters,
                        bool accumulate, const Transformed& sums) const {
        const DepthBlocks blocks = depth_blocks<float>(inputs.tiles);
        const RowPanels rows(filters);
        Tile<float> tile;
        tile.a_row = 1;
        tile.a_depth = gradients.row;
        tile.b_row = inputs.row;
        tile.c_row = sums.row;
        for (int64_t t = 0; t < inputs.tiles; t += blocks.size) {
            tile.depth = min(blocks.size, inputs.tiles - t);
            tile.accumulate = accumulate || t > 0;
            for (int64_t c = 0; c < grid.channels; c += kPanel) {
                tile.cols = min(kPanel, grid.channels - c);
                tile.b = inputs.at(p, t, c);
                for (int64_t r = 0; r < rows.panels; ++r) {
                    const int64_t at = rows.start(r);
                    tile.rows = rows.start(r + 1) - at;
                    tile.a = gradients.at(p, t, at);
                    tile.c = sums.at(p, at, c);
                    compute_tile(tile);
                }
            }
        }
    }

    // dw of filters [j0, j0 + filters) [+]= the transform of sums.
    void transform_sums(const Transformed& sums, int64_t filters, bool accumulate, float* dw) const {
        parallel(filters, grain_for(grid.channels * kPoints / 8), [&](int64_t begin, int64_t end) {
            V out[9];
            for (int64_t j = begin; j < end; ++j)
                for (int64_t c = 0; c < grid.channels; c += kLanes<float>) {
                    winograd::weight_gradient(sums.at(0, j, c), sums.step, out);
                    for (int64_t t = 0; t < 9; ++t) {
                        float* to = dw + (j * 9 + t) * grid.channels + c;
                        const int64_t left = grid.channels - c;
                        store_upto(to, accumulate ? load_upto(to, left) + out[t] : out[t], left);
                    }
                }
        });
    }

    void run_private(int64_t tiles, float* dw) const {
        count_path(Path::conv_weight_winograd);
        const int64_t size = grid.filters * 9 * grid.channels;
        const int64_t row = round_up(grid.channels, kLanes<float>) + round_up(grid.filters, kLanes<float>) +
                            2 * kLanes<float>;
        const int64_t some = clamp(kPrivateGradient / (kPoints * row), int64_t{16}, int64_t{256});
        const int64_t parts = even_parts(max(int64_t{1}, tiles / (2 * some)), kMaxParts);
        float* partial = parts > 1 ? scratch<float>(Scratch::gemm_partial, parts * size) : dw;
        parallel(parts, 1, [&](int64_t part, int64_t) {
            const int64_t begin = tiles * part / parts, end = tiles * (part + 1) / parts;
            const int64_t step = even_blocks(end - begin, some);
            Transformed sums(grid.filters, grid.channels);
            sums.data = scratch<float>(Scratch::conv_weight, sums.elements());
            for (int64_t t = begin; t < end; t += step) {
                const int64_t count = min(step, end - t);
                Transformed inputs(count, grid.channels), gradients(count, grid.filters);
                inputs.data = scratch<float>(Scratch::conv_input, inputs.elements());
                gradients.data = scratch<float>(Scratch::conv_partial, gradients.elements());
                transform_inputs(grid, x, t, inputs);
                transform_gradients(t, 0, grid.filters, gradients);
                for (int64_t p = 0; p < kPoints; ++p)
                    multiply_point(gradients, inputs, p, grid.filters, t > begin, sums);
            }
            transform_sums(sums, grid.filters, false, partial + part * size);
        });
        if (parts > 1) {
            sum_parts(partial, parts, size);
            copy_row(dw, partial, size);
        }
    }

    void run_shared(int64_t tiles, float* dw) const {
        count_path(Path::conv_weight_winograd_shared);
        const int64_t block =
            min(round_up(grid.filters, kPanel), max(kPanel, kWeightBlock / grid.channels / kPanel * kPanel));
        const int64_t some =
            even_blocks(tiles, max(int64_t{16}, kSharedTransforms / (grid.channels + block)));
        const int64_t most = min(block, grid.filters);
        for (int64_t t = 0; t < tiles; t += some) {
            const int64_t count = min(some, tiles - t);
            Transformed inputs(count, grid.channels), gradients(count, most), sums(most, grid.channels);
            inputs.data = scratch<float>(Scratch::conv_input, inputs.elements());
            gradients.data = scratch<float>(Scratch::conv_partial, gradients.elements());
            sums.data = scratch<float>(Scratch::conv_weight, sums.elements());
            transform_inputs(grid, x, t, inputs);
            for (int64_t j0 = 0; j0 < grid.filters; j0 += block) {
                const int64_t filters = min(block, grid.filters - j0);
                transform_gradients(t, j0, filters, gradients);
                parallel(kPoints, 1, [&](int64_t p, int64_t) {
                    multiply_point(gradients, inputs, p, filters, false, sums);
                });
                transform_sums(sums, filters, t > 0, dw + j0 * 9 * grid.channels);
            }
        }
    }
};

bool forward(const ConvShape& s, const Image<float>& x, const Image<float>& weight, const float* bias,
             Activation activation, const Image<float>& y) {
    if (!suits(s, s.out_h, s.out_w)) return false;
    const TileGrid grid{s.in_h,  s.in_w,         s.in_channels, s.out_h,
                        s.out_w, s.out_channels, s.pad_top,     s.pad_left};
    Winograd{grid, x, weight, false, bias, activation, false, y}.run(s.batch);
    return true;
}
bool backward_data(const ConvShape& s, const Image<float>& dy, const Image<float>& weight, const float* bias,
                   Activation activation, bool accumulate, const Image<float>& dx) {
    if (!suits(s, s.in_h, s.in_w)) return false;
    const TileGrid grid{s.out_h, s.out_w,       s.out_channels, s.in_h,
                        s.in_w,  s.in_channels, 2 - s.pad_top,  2 - s.pad_left};
    Winograd{grid, dy, weight, true, bias, activation, accumulate, dx}.run(s.batch);
    return true;
}

bool backward_weight(const ConvShape& s, const Image<float>& x, const Image<float>& dy, float* dw) {
    if (!suits(s, s.out_h, s.out_w)) return false;
    const TileGrid grid{s.in_h,  s.in_w,         s.in_channels, s.out_h,
                        s.out_w, s.out_channels, s.pad_top,     s.pad_left};
    const WinogradGradient gradient{grid, x, dy};
    const int64_t tiles = s.batch * grid.down * grid.across;
    if (grid.channels * grid.filters <= kPrivateGradientWeights)
        gradient.run_private(tiles, dw);
    else
        gradient.run_shared(tiles, dw);
    return true;
}

} // namespace

ConvWay<float> conv_winograd() { return {forward, backward_data, backward_weight}; }

} // namespace dt::cpu::DT_LEVEL
