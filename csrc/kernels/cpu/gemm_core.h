#pragma once
// Matrix products as gemm_plan.h cuts them. T is what the innermost loop multiplies. The operands are
// templates, so that what they hold may be converted to T while it is packed; depths and sizes count T.
#include "kernels/cpu/epilogue.h"
#include "kernels/cpu/gemm_pack.h"
#include "kernels/cpu/gemm_plan.h"
#include "kernels/cpu/gemm_target.h"

namespace dt::cpu::DT_LEVEL {
namespace {

template <class T> struct Output {
    Target<SumOf<T>> c;
    int64_t row;
    bool accumulate = false;
    const SumOf<T>* bias = nullptr;
    Activation activation = Activation::none;
    bool turned = false; // the operands changed places: item (i, j) goes to c[j * row + i], with bias[i]
    // The sums of all of C, as dense rows, where C is rounded and its depth is cut into pieces.
    SumOf<T>* sums = nullptr;
    int64_t sums_row = 0;
};

// Packed columns of B that all tasks share: from column j0 and depth p0, by depth block, in it by panel.
template <class T> struct Shared {
    const T* b = nullptr;
    int64_t j0 = 0, cols = 0; // padded to whole vectors
    int64_t p0 = 0;
};

// The part of a product that one task computes: panels [r0, r1) of rows, columns [j0, j1), depth [p0, p1).
struct Block {
    RowPanels panels;
    int64_t r0, r1, j0, j1, p0, p1;
};

template <class T, class B>
void pack_columns(const B& b, T* to, int64_t j0, int64_t cols, int64_t p0, int64_t depth) {
    b.pack(to, round_up(cols, kLanes<T>), j0, cols, p0, depth);
}

// Packs panels [r0, r1) of rows of A, one behind the other.
template <class T, class A>
void pack_panels(const A& a, const RowPanels& panels, int64_t r0, int64_t r1, int64_t p0, int64_t depth,
                 T* to) {
    // Where the items of one depth lie along memory: a few depths for all panels.
    const bool along = a.along() && kPanelRows == 1;
    const int64_t top = panels.start(r0), run = along ? 8 : depth;
    for (int64_t p = 0; p < depth; p += run) {
        if (along)
            for (int64_t q = p + run; q < min(depth, p + 2 * run); ++q)
                a.fetch(top, panels.start(r1), p0 + q);
        for (int64_t r = r0; r < r1; ++r) {
            const int64_t at = panels.start(r), count = panels.start(r + 1) - at;
#if defined(DT_LEVEL_amx)
            a.pack_tiles(to + (at - top) * depth, round_up(count, 16), at, count, p0, depth);
#else
            a.pack(to + (at - top) * depth + p * count, count, at, count, p0 + p, min(run, depth - p));
#endif
        }
    }
}

// Items that are converted as rows, without a turn, lie so many elements apart: they must not share sets of
// L1. 0: panels are packed.
template <class T, class A> int64_t row_step(const A& a, int64_t depth) {
    return a.converts_rows() ? round_up(depth, 16) + 16 : 0;
}

// Puts a tile that was computed turned, item (i, j) at sums[i * kTileCols + j], into C at (j, i).
template <class T> void store_turned(const SumOf<T>* sums, const Tile<T>& tile) {
    using R = SumOf<T>;
    constexpr int n = kLanes<R>;
    const Vec<R> low = broadcast(tile.activation == Activation::relu ? R(0) : -R(__builtin_inf()));
    for (int64_t i = 0; i < tile.rows; i += n) {
        const int64_t count = min(tile.rows - i, int64_t{n});
        const Vec<R> bias = tile.bias ? load_upto(tile.bias + i, count) : zero<R>();
        for (int64_t j = 0; j < tile.cols; j += n) {
            Vec<R> v[n];
#pragma GCC unroll 16
            for (int r = 0; r < n; ++r) v[r] = load(sums + (i + r) * kTileCols<T> + j);
            transpose_step<1>(v);
            R* to = tile.c + j * tile.c_row + i;
#pragma GCC unroll 16
            for (int q = 0; q < n; ++q, to += tile.c_row) {
                if (j + q >= tile.cols) break;
                Vec<R> y = v[q];
                if (tile.accumulate) y += load_upto(to, count);
                if (tile.bias) y += bias;
                store_upto(to, max_or_second(low, y), count);
            }
        }
    }
    if (tile.activation > Activation::relu)
        for (int64_t j = 0; j < tile.cols; ++j)
            activate_row(tile.c + j * tile.c_row, tile.rows, tile.activation);
}

// compute_tile, whose result goes to C turned where `turned` is set.
template <class T> void compute_tile_to(const Tile<T>& tile, bool turned) {
    if (!turned) return compute_tile(tile);
    alignas(64) SumOf<T> sums[round_up(kTileRows, kLanes<T>) * kTileCols<T>];
    for (int64_t j = 0; j < tile.cols; ++j) __builtin_prefetch(tile.c + j * tile.c_row, 1);
    Tile<T> plain = tile;
    plain.c = sums;
    plain.c_row = kTileCols<T>;
    plain.accumulate = false;
    plain.bias = nullptr;
    plain.activation = Activation::none;
    compute_tile(plain);
    store_turned(sums, tile);
}

// One task: by depth block, by panel of B, by panel of A. first and last: of the whole depth of the product.
template <class T, class A, class B> struct BlockTask {
    const A& a;
    Source a_from;
    const B& b;
    Source b_from;
    const Shared<T>& shared;
    const Block& block;
    const DepthBlocks& blocks;
    bool first, last;
    const Output<T>& out;
    T *a_packed = nullptr, *b_packed = nullptr;
    int64_t a_row = 0;        // of a_packed, where it holds rows
    SumOf<T>* sums = nullptr; // of the block, where C is rounded and its depth is cut
    int64_t fetched = 0;      // lines of the rows that are packed next
    Tile<T> tile = {};

    bool in_place(int64_t cols) const { // B can be read where it is
        return b.readable() && (b_from == Source::direct || b.step == 1) &&
               (kMasksB || cols % kLanes<T> == 0);
    }
    const T* shared_panel(int64_t j, int64_t p) const {
        return shared.b + (p - shared.p0) * shared.cols + (j - shared.j0) * min(blocks.size, block.p1 - p);
    }
    // Sets the tile's B to the panel of columns from j on, depth p.
    void take_panel(int64_t j, int64_t p) {
        tile.cols = min(kTileCols<T>, block.j1 - j);
        tile.b_row = round_up(tile.cols, kLanes<T>);
        tile.b = b_packed;
        if (b_from == Source::shared) {
            tile.b = shared_panel(j, p);
            return;
        }
        if (in_place(tile.cols)) {
            tile.b = b.at(j, p);
            tile.b_row = b.depth_step;
            // The first tile packs for those that follow.
            if (b_from == Source::packed && block.r1 - block.r0 > 1) tile.copy = b_packed;
            return;
        }
        if (!b_packed) tile.b = b_packed = scratch<T>(Scratch::gemm_b, kTileCols<T> * blocks.size);
        pack_columns(b, b_packed, j, tile.cols, p, tile.depth);
    }
    // Columns of B that are used by one panel of A after the other, as far as they go.
    int64_t group_cols() const { return b_from == Source::packed ? kTileCols<T> : kGroupCols; }
    // The last tile along a panel of A that lies in memory as one run fetches the panel behind it. The first
    // tiles along a panel of B fetch the one behind it, a line of each of its rows per tile.
    void fetch_ahead(int64_t r, int64_t j, int64_t p) {
        constexpr int64_t line = 64 / sizeof(T);
        tile.ahead = nullptr;
        const int64_t left = min(block.j0 + group_cols(), block.j1) - j;
        if (a_from == Source::direct && left > 0 && left <= kTileCols<T> && a.item_step() == tile.depth) {
            tile.ahead = a.at(block.panels.start(block.r0 + r + 1), p);
            tile.ahead_step = line;
            return;
        }
        if (r * line >= kTileCols<T>) return fetch_rows(p + blocks.size);
        j += kTileCols<T>;
        if (j >= block.j1) {
            j = block.j0;
            p += blocks.size;
        }
        if (p >= block.p1) return;
        if (b_from == Source::shared) {
            tile.ahead = shared_panel(j, p) + r * line;
            tile.ahead_step = round_up(min(kTileCols<T>, block.j1 - j), kLanes<T>);
        } else if (b_from == Source::direct && b.readable()) {
            tile.ahead = b.at(j, p) + r * line;
            tile.ahead_step = b.depth_step;
        } else if constexpr (!kFloating<T>) {
            // What the task will pack: narrow panels of long rows, which no processor fetches by itself.
            if (r < 2 && b.step == 1) {
                tile.ahead = b.row_at(j, p, r);
                tile.ahead_step = b.depth_step;
            }
        }
    }
    // Other tiles fetch what is packed for the next depth block, where each depth lies on a page of its own.
    void fetch_rows(int64_t p) {
        if (a_from != Source::packed || !a.along() || p >= block.p1 || fetched >= a.lines(block_rows()))
            return;
        tile.ahead = a.line(block.panels.start(block.r0), block_rows(), p, fetched++);
        tile.ahead_step = a.depth_step;
    }
    // A tile whose item (0, 0) goes to (row, col) of a C that is rounded once, after the last of its depth.
    void compute_rounded(int64_t row, int64_t col, bool starts, bool final) {
        using R = SumOf<T>;
        alignas(64) R own[round_up(kTileRows, kLanes<R>) * kTileCols<T>];
        const int64_t rows = out.turned ? tile.cols : tile.rows, cols = out.turned ? tile.rows : tile.cols;
        if (out.sums) {
            tile.c = out.sums + row * out.sums_row + col;
            tile.c_row = out.sums_row;
        } else if (sums) {
            const int64_t i = block.panels.start(block.r0), j = block.j0;
            tile.c_row = sums_row();
            tile.c = sums + (row - (out.turned ? j : i)) * tile.c_row + col - (out.turned ? i : j);
        } else {
            tile.c = own;
            tile.c_row = round_up(cols, kLanes<R>);
        }
        const Target<R> c = out.c + (row * out.row + col);
        for (int64_t i = 0; i < rows; ++i) __builtin_prefetch((c + i * out.row).at, 1);
        if (starts && out.accumulate) read_rows(c, out.row, tile.c, tile.c_row, rows, cols);
        compute_tile_to(tile, out.turned);
        if (final) write_rows(tile.c, tile.c_row, c, out.row, rows, cols);
    }
    int64_t block_rows() const { return block.panels.start(block.r1) - block.panels.start(block.r0); }
    int64_t sums_row() const { return out.turned ? block_rows() : block.j1 - block.j0; }
    void compute_panels(int64_t r0, int64_t r1, int64_t j, int64_t p, bool final) {
        const int64_t top = block.panels.start(block.r0);
        for (int64_t r = r0; r < r1; ++r) {
            const int64_t i = block.panels.start(r);
            tile.rows = block.panels.start(r + 1) - i;
            tile.a = a_packed + (i - top) * (a_row ? a_row : tile.depth);
            tile.a_row = a_row ? a_row : 1;
            tile.a_depth = a_row ? 1 : tile.rows;
            if (a_from == Source::direct) {
                tile.a = a.at(i, p);
                tile.a_row = a.item_step();
                tile.a_depth = a.unit_step();
            }
            fetch_ahead(r - block.r0, j, p);
            tile.bias = final && out.bias ? out.bias + (out.turned ? i : j) : nullptr;
            const int64_t row = out.turned ? j : i, col = out.turned ? i : j; // in C
            if (out.c.rounding == Rounding::none) {
                tile.c = out.c.exact() + row * out.row + col;
                compute_tile_to(tile, out.turned);
            } else {
                compute_rounded(row, col, first && p == block.p0, final);
            }
            if (tile.copy) {
                tile.b = tile.copy;
                tile.b_row = round_up(tile.cols, kLanes<T>);
                tile.copy = nullptr;
            }
        }
    }
    void run() {
        [[maybe_unused]] const TileUse use;
        const RowPanels& panels = block.panels;
        if (a_from == Source::packed) {
            a_row = row_step<T>(a, blocks.size);
            a_packed = scratch<T>(Scratch::gemm_a,
                                  round_up(block_rows(), kPanelRows) * (a_row ? a_row : blocks.size));
        }
        if (out.c.rounding != Rounding::none && !out.sums && block.p1 - block.p0 > blocks.size)
            sums = scratch<SumOf<T>>(Scratch::gemm_sums, block_rows() * (block.j1 - block.j0));
        if (b_from == Source::packed) b_packed = scratch<T>(Scratch::gemm_b, kTileCols<T> * blocks.size);
        tile.c_row = out.row;
        for (int64_t p = block.p0; p == block.p0 || p < block.p1; p += blocks.size) {
            tile.depth = min(blocks.size, block.p1 - p);
            fetched = 0;
            if (a_row)
                a.convert_rows(a_packed, a_row, panels.start(block.r0), block_rows(), p, tile.depth);
            else if (a_from == Source::packed)
                pack_panels(a, panels, block.r0, block.r1, p, tile.depth, a_packed);
            const bool final = last && p + blocks.size >= block.p1;
            tile.accumulate = out.accumulate || !first || p > block.p0;
            tile.activation = final ? out.activation : Activation::none;
            // A panel of B that the task packs is used up at once. Else C is walked along its rows.
            const int64_t group = group_cols(), rows = b_from == Source::packed ? block.r1 - block.r0 : 1;
            for (int64_t g = block.j0; g < block.j1; g += group)
                for (int64_t r = block.r0; r < block.r1; r += rows)
                    for (int64_t j = g; j < min(g + group, block.j1); j += kTileCols<T>) {
                        take_panel(j, p);
                        compute_panels(r, r + rows, j, p, final);
                    }
        }
    }
};
template <class T, class A, class B>
void compute_block(const A& a, Source a_from, const B& b, Source b_from, const Shared<T>& shared,
                   const Block& block, const DepthBlocks& blocks, bool first, bool last,
                   const Output<T>& out) {
    BlockTask<T, A, B>{a, a_from, b, b_from, shared, block, blocks, first, last, out}.run();
}

// A piece of B that all tasks share: columns [j0, j1), depth [p0, p1), in panels by depth block.
struct Piece {
    int64_t j0, j1, p0, p1;
    int64_t panels(int64_t cols) const { return ceil_div(j1 - j0, cols); }
};

// Packs panels [begin, end) of a piece, counted by depth block.
template <class T, class B>
void pack_piece(const B& b, const Piece& piece, const DepthBlocks& blocks, T* to, int64_t begin,
                int64_t end) {
    const int64_t panels = piece.panels(kTileCols<T>), width = round_up(piece.j1 - piece.j0, kLanes<T>);
    for (int64_t u = begin; u < end; ++u) {
        const int64_t p = u / panels * blocks.size, depth = min(blocks.size, piece.p1 - piece.p0 - p);
        const int64_t j = u % panels * kTileCols<T>, cols = min(kTileCols<T>, piece.j1 - piece.j0 - j);
        pack_columns(b, to + p * width + j * depth, piece.j0 + j, cols, piece.p0 + p, depth);
    }
}

// A grid of tasks, each a block of rows of A times a block of columns of B. A task packs its part of A
// itself. What many tasks read of B, and several of a B that must be turned, is packed once for all, in
// pieces that the last cache holds: while one piece is multiplied the next one is packed.
template <class T, class A, class B>
void product_by_blocks(const A& a, Source a_from, const B& b, Source b_from, int64_t m, int64_t n, int64_t k,
                       const Output<T>& out) {
    const DepthBlocks blocks = depth_blocks<T>(k, most_depth<T>(a_from, n));
    const bool packs = b_from == Source::packed, copies = b.readable() && b.step == 1;
    // Few rows: a task packs columns of its own, rather than to fetch from another core what was packed
    // there.
    const bool alone = packs && !b.readable() && m <= min(n, kAloneRows) && n > kTileCols<T>;
    // Equal pieces: 1152 columns are 576 + 576 and not 1024 + 128.
    int64_t piece_cols = packs && !alone ? round_up(ceil_div(n, ceil_div(n, kPieceCols)), kTileCols<T>) : n;
    Grid grid = choose_grid<T>(m, min(n, piece_cols), k);
    // A B that needs no turn is copied by the first tiles of each task, at less cost where that are few.
    const bool many = grid.row_blocks > kFewCopies && padded_work<T>(m, n, k) >= kSharedWork;
    if (alone) { // not too many tasks: each packs A, too
        grid = {
            1, min(ceil_div(n, kTileCols<T>), clamp(n / 128, int64_t{2}, grid.row_blocks * grid.col_blocks))};
    } else if (packs && (copies ? many : grid.row_blocks > 1)) {
        b_from = Source::shared;
    } else if (copies) {
        piece_cols = n;
        grid = choose_grid<T>(m, n, k);
    }
    // Packing A for each of several narrow blocks would cost more than it brings.
    if (a.readable() && grid.col_blocks * 8 * kTileCols<T> > piece_cols && grid.col_blocks > 1)
        a_from = Source::direct;
    const bool shares = b_from == Source::shared;
    const int64_t piece_depth =
        shares ? max(int64_t{1}, kSharedElements<T> / piece_cols / blocks.size) * blocks.size
               : max(k, int64_t{1});
    const int64_t depth_pieces = max(int64_t{1}, ceil_div(k, piece_depth)),
                  pieces = ceil_div(n, piece_cols) * depth_pieces;
    const auto pack_units = [&](const Piece& piece) {
        return piece.panels(kTileCols<T>) * ceil_div(piece.p1 - piece.p0, blocks.size);
    };
    const auto piece_at = [&](int64_t i) {
        const int64_t j = i / depth_pieces * piece_cols, p = i % depth_pieces * piece_depth;
        return Piece{j, min(n, j + piece_cols), p, min(k, p + piece_depth)};
    };
    const int64_t buffer = piece_cols * min(piece_depth, round_up(k, 8));
    Output<T> target = out;
    if (out.c.rounding != Rounding::none && depth_pieces > 1) {
        target.sums_row = out.turned ? m : n;
        target.sums = scratch<SumOf<T>>(Scratch::gemm_sums, m * n);
    }
    T* packed = shares ? scratch<T>(Scratch::gemm_shared, buffer * min(pieces, int64_t{2})) : nullptr;
    if (shares) {
        const Piece piece = piece_at(0);
        const int64_t units = pack_units(piece);
        parallel(units, grain_for((piece.j1 - piece.j0) * (piece.p1 - piece.p0) / units),
                 [&](int64_t begin, int64_t end) { pack_piece(b, piece, blocks, packed, begin, end); });
    }
    const RowPanels panels = row_panels<T>(m, n);
    for (int64_t i = 0; i < pieces; ++i) {
        const Piece piece = piece_at(i), next = i + 1 < pieces ? piece_at(i + 1) : Piece{};
        const int64_t units = shares && i + 1 < pieces ? pack_units(next) : 0;
        T* next_packed = packed + (i + 1) % 2 * buffer;
        const int64_t col_panels = piece.panels(kTileCols<T>), cols = min(grid.col_blocks, col_panels);
        const int64_t tasks = grid.row_blocks * cols;
        const Shared<T> shared{packed + i % 2 * buffer, piece.j0, round_up(piece.j1 - piece.j0, kLanes<T>),
                               piece.p0};
        parallel(tasks, 1, [&](int64_t begin, int64_t end) {
            for (int64_t task = begin; task < end; ++task) {
                // Packing waits for memory, multiplying does not: neighbours do it at different times.
                const int64_t first = units * task / tasks, last = units * (task + 1) / tasks;
                if (task % 2 == 0) pack_piece(b, next, blocks, next_packed, first, last);
                const int64_t r = task % grid.row_blocks, c = task / grid.row_blocks; // one B for neighbours
                const Block block{panels,
                                  grid.first_row(r, panels.panels),
                                  grid.first_row(r + 1, panels.panels),
                                  piece.j0 + col_panels * c / cols * kTileCols<T>,
                                  min(piece.j1, piece.j0 + col_panels * (c + 1) / cols * kTileCols<T>),
                                  piece.p0,
                                  piece.p1};
                compute_block(a, a_from, b, b_from, shared, block, blocks, piece.p0 == 0, piece.p1 == k,
                              target);
                if (task % 2 == 1) pack_piece(b, next, blocks, next_packed, first, last);
            }
        });
    }
}

// The whole product on the calling thread.
template <class T, class A, class B>
void product_serially(const A& a, Source a_from, const B& b, Source b_from, int64_t m, int64_t n, int64_t k,
                      const Output<T>& out) {
    const RowPanels panels = row_panels<T>(m, n);
    compute_block(a, a_from, b, b_from, Shared<T>{}, Block{panels, 0, panels.panels, 0, n, 0, k},
                  depth_blocks<T>(k, most_depth<T>(a_from, n)), true, true, out);
}

// c = activation([c +] the sum over `parts` of partial[part] + bias), part by part in order.
template <class T>
void add_partials(const SumOf<T>* partial, int64_t parts, int64_t m, int64_t n, const Output<T>& out) {
    parallel(m, grain_for(n * parts), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            for (int64_t j = 0; j < n; j += kLanes<SumOf<T>>) {
                const int64_t left = n - j;
                const Target<SumOf<T>> c = out.c + (i * out.row + j);
                Vec<SumOf<T>> total = out.accumulate ? c.read(left) : zero<SumOf<T>>();
                for (int64_t part = 0; part < parts; ++part)
                    total += load_upto(partial + (part * m + i) * n + j, left);
                if (out.bias) total += load_upto(out.bias + j, left);
                if (out.activation != Activation::none) total = activate(total, out.activation);
                c.write(total, left);
            }
        }
    });
}

// Few rows and columns, great depth: tasks take parts of the depth, their sums are added in order.
template <class T, class A, class B>
void product_by_depth(const A& a, Source a_from, const B& b, Source b_from, int64_t m, int64_t n, int64_t k,
                      const Output<T>& out) {
    const int64_t least = max(kDepth<T>, ceil_div(kParallelWork, m * n));
    int64_t part_depth = round_up(max(ceil_div(k, 16), least), 16), parts = ceil_div(k, part_depth);
    if (parts > 1) part_depth = round_up(ceil_div(k, round_up(parts, 2)), 16); // two threads share evenly
    parts = ceil_div(k, part_depth);
    if (parts == 1) return product_serially(a, a_from, b, b_from, m, n, k, out);
    SumOf<T>* partial = scratch<SumOf<T>>(Scratch::gemm_partial, parts * m * n);
    const DepthBlocks blocks = depth_blocks<T>(part_depth);
    const RowPanels panels(m);
    const int64_t c_rows = out.turned ? n : m, c_cols = out.turned ? m : n;
    parallel(k, part_depth, [&](int64_t p0, int64_t p1) {
        Output<T> part{{partial + p0 / part_depth * m * n}, c_cols};
        part.turned = out.turned;
        compute_block(a, a_from, b, b_from, Shared<T>{}, Block{panels, 0, panels.panels, 0, n, p0, p1},
                      blocks, true, true, part);
    });
    add_partials(partial, parts, c_rows, c_cols, out);
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
