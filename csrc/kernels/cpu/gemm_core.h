#pragma once
// Blocking and parallel plans of matrix products. The operands are templates (Strided for plain matrices,
// others in the convolutions), so that what they pack may be computed on the way.
//
// All block sizes and the choice of a plan depend on the sizes only: the bits of C are the same for any
// thread count.
#include "kernels/cpu/epilogue.h"
#include "kernels/cpu/gemm_micro.h"
#include "kernels/cpu/gemm_pack.h"

namespace dt::cpu::DT_LEVEL {
namespace {

template <class T> inline constexpr int64_t kTileCols = kTileVectors * kLanes<T>;
// A panel of B, kDepth deep, fills two thirds of a 48 KB L1 cache and lives there while the rows of A pass.
template <class T> inline constexpr int64_t kDepth = sizeof(T) == 4 ? 256 : 224;
constexpr int64_t kBlockRows = 8 * kTileRows;
// Elements of a packed operand that all threads share; beyond it the product is cut into pieces.
template <class T> inline constexpr int64_t kSharedElements = (int64_t{8} << 20) / int64_t(sizeof(T));
constexpr int64_t kParallelWork =
    1 << 19; // multiplications from which a second thread pays (about 4 microseconds)

enum class Source {
    direct,
    packed,
    shared
}; // where compute_tile reads an operand: in place, packed by the task or by all

// How the depth is cut: `blocks` of `size`, the last one shorter.
struct DepthBlocks {
    int64_t size, blocks;
};
template <class T> DepthBlocks depth_blocks(int64_t k) {
    const int64_t blocks = max(int64_t{1}, ceil_div(k, kDepth<T>));
    const int64_t size = max(int64_t{1}, round_up(ceil_div(k, blocks), 8));
    return {size, max(int64_t{1}, ceil_div(k, size))};
}

// Panels of A have equal numbers of rows as nearly as can be: 32 rows are 11 + 11 + 10 and not 14 + 14 + 4.
struct RowPanels {
    int64_t rows, panels;
    explicit RowPanels(int64_t m) : rows(m), panels(ceil_div(m, kTileRows)) {}
    int64_t start(int64_t i) const { return rows * i / panels; }
};

template <class T> struct Output {
    T* c;
    int64_t row;
    bool accumulate = false;
    const T* bias = nullptr;
    Activation activation = Activation::none;
};

// The part of a product that one task computes: rows [i0, i1), columns [j0, j1), depth [p0, p1).
struct Range {
    int64_t i0, i1, j0, j1, p0, p1;
};

// Packed operands of all tasks, laid out by depth block, in it by panel.
template <class T> struct Shared {
    const T* a = nullptr; // rows [a0, a0 + a_rows)
    int64_t a0 = 0, a_rows = 0;
    const T* b = nullptr; // columns from b0, padded to b_cols
    int64_t b0 = 0, b_cols = 0;
    int64_t p0 = 0; // depth from here
};

template <class T, class B>
void pack_columns(const B& b, T* to, int64_t j0, int64_t cols, int64_t p0, int64_t depth) {
    b.pack(to, round_up(cols, kLanes<T>), j0, cols, p0, depth);
}

template <class T, class A>
void pack_rows(const A& a, T* to, int64_t i0, int64_t rows, int64_t p0, int64_t depth) {
    const RowPanels panels(rows);
    for (int64_t r = 0; r < panels.panels; ++r) {
        const int64_t at = panels.start(r), count = panels.start(r + 1) - at;
        a.pack(to + at * depth, count, i0 + at, count, p0, depth);
    }
}

// One task: by depth block, by panel of B, by panel of A. first and last: of the whole depth of the product.
template <class T, class A, class B>
void compute_range(const A& a, Source a_from, const B& b, Source b_from, const Shared<T>& shared,
                   const Range& range, const DepthBlocks& blocks, bool first, bool last,
                   const Output<T>& out) {
    const int64_t rows = range.i1 - range.i0;
    const RowPanels panels(a_from == Source::shared ? shared.a_rows : rows);
    const int64_t i0 = a_from == Source::shared ? shared.a0 : range.i0;
    T* a_packed = a_from == Source::packed ? scratch<T>(Scratch::gemm_a, rows * blocks.size) : nullptr;
    T* b_packed =
        b_from == Source::packed ? scratch<T>(Scratch::gemm_b, kTileCols<T> * blocks.size) : nullptr;
    Tile<T> tile;
    tile.c_row = out.row;
    for (int64_t p = range.p0; p == range.p0 || p < range.p1; p += blocks.size) {
        const int64_t depth = min(blocks.size, range.p1 - p);
        if (a_from == Source::packed) pack_rows(a, a_packed, range.i0, rows, p, depth);
        const T* a_panels = a_from == Source::shared ? shared.a + (p - shared.p0) * shared.a_rows : a_packed;
        const bool final = last && p + blocks.size >= range.p1;
        tile.depth = depth;
        tile.accumulate = out.accumulate || !first || p > range.p0;
        tile.activation = final ? out.activation : Activation::none;
        for (int64_t j = range.j0; j < range.j1; j += kTileCols<T>) {
            tile.cols = min(kTileCols<T>, range.j1 - j);
            tile.bias = final && out.bias ? out.bias + j : nullptr;
            tile.b_row = round_up(tile.cols, kLanes<T>);
            if (b_from == Source::shared) {
                tile.b = shared.b + (p - shared.p0) * shared.b_cols + (j - shared.b0) * depth;
            } else {
                bool direct = false;
                if constexpr (B::addressable) {
                    direct = b_from == Source::direct && (kMasksB || tile.cols % kLanes<T> == 0);
                    if (direct) {
                        tile.b = b.at(j, p);
                        tile.b_row = b.depth_step;
                    }
                }
                if (!direct) {
                    if (!b_packed) b_packed = scratch<T>(Scratch::gemm_b, kTileCols<T> * blocks.size);
                    pack_columns(b, b_packed, j, tile.cols, p, depth);
                    tile.b = b_packed;
                }
            }
            for (int64_t r = 0; r < panels.panels; ++r) {
                const int64_t at = panels.start(r);
                tile.rows = panels.start(r + 1) - at;
                tile.c = out.c + (i0 + at) * out.row + j;
                tile.a = a_panels + at * depth;
                tile.a_row = 1;
                tile.a_depth = tile.rows;
                if constexpr (A::addressable) {
                    if (a_from == Source::direct) {
                        tile.a = a.at(i0 + at, p);
                        tile.a_row = a.step;
                        tile.a_depth = a.depth_step;
                    }
                }
                compute_tile(tile);
            }
        }
    }
}

// Many rows: B is packed once for all, each task packs (or reads in place) a block of rows of A.
template <class T, class A, class B>
void product_by_rows(const A& a, Source a_from, const B& b, int64_t m, int64_t n, int64_t k,
                     const Output<T>& out) {
    const DepthBlocks blocks = depth_blocks<T>(k);
    const int64_t piece_cols = min(round_up(n, kTileCols<T>), int64_t{1024});
    const int64_t piece_depth = max(int64_t{1}, kSharedElements<T> / piece_cols / blocks.size) * blocks.size;
    const int64_t least =
        max(int64_t{1}, kParallelWork / max(int64_t{1}, min(n, piece_cols) * min(k, piece_depth)));
    const int64_t block_rows = min(kBlockRows, round_up(max(ceil_div(m, 24), least), kTileRows));
    for (int64_t j0 = 0; j0 < n; j0 += piece_cols)
        for (int64_t p0 = 0; p0 == 0 || p0 < k; p0 += piece_depth) {
            const int64_t j1 = min(n, j0 + piece_cols), p1 = min(k, p0 + piece_depth);
            const int64_t width = round_up(j1 - j0, kLanes<T>);
            T* packed = scratch<T>(Scratch::gemm_shared, width * (p1 - p0));
            const int64_t col_panels = ceil_div(j1 - j0, kTileCols<T>);
            const int64_t units = col_panels * ceil_div(p1 - p0, blocks.size);
            parallel(units, grain_for(kTileCols<T> * blocks.size), [&](int64_t begin, int64_t end) {
                for (int64_t u = begin; u < end; ++u) {
                    const int64_t p = p0 + u / col_panels * blocks.size,
                                  j = j0 + u % col_panels * kTileCols<T>;
                    const int64_t depth = min(blocks.size, p1 - p);
                    pack_columns(b, packed + (p - p0) * width + (j - j0) * depth, j,
                                 min(kTileCols<T>, j1 - j), p, depth);
                }
            });
            const Shared<T> shared{nullptr, 0, 0, packed, j0, width, p0};
            parallel(m, block_rows, [&](int64_t i0, int64_t i1) {
                compute_range(a, a_from, b, Source::shared, shared, Range{i0, i1, j0, j1, p0, p1}, blocks,
                              p0 == 0, p1 == k, out);
            });
        }
}

// Many columns: A is packed once for all, each task packs (or reads in place) a block of columns of B.
template <class T, class A, class B>
void product_by_cols(const A& a, const B& b, Source b_from, int64_t m, int64_t n, int64_t k,
                     const Output<T>& out) {
    const DepthBlocks blocks = depth_blocks<T>(k);
    const int64_t piece_rows = min(m, 64 * int64_t{kTileRows});
    const int64_t piece_depth = max(int64_t{1}, kSharedElements<T> / piece_rows / blocks.size) * blocks.size;
    const int64_t least = max(int64_t{1}, kParallelWork / max(int64_t{1}, piece_rows * min(k, piece_depth)));
    const int64_t block_cols = min(8 * kTileCols<T>, round_up(max(ceil_div(n, 24), least), kTileCols<T>));
    for (int64_t i0 = 0; i0 < m; i0 += piece_rows)
        for (int64_t p0 = 0; p0 == 0 || p0 < k; p0 += piece_depth) {
            const int64_t i1 = min(m, i0 + piece_rows), p1 = min(k, p0 + piece_depth);
            const int64_t rows = i1 - i0;
            T* packed = scratch<T>(Scratch::gemm_shared, rows * (p1 - p0));
            const RowPanels panels(rows);
            const int64_t units = panels.panels * ceil_div(p1 - p0, blocks.size);
            parallel(units, grain_for(kTileRows * blocks.size), [&](int64_t begin, int64_t end) {
                for (int64_t u = begin; u < end; ++u) {
                    const int64_t p = p0 + u / panels.panels * blocks.size, r = u % panels.panels;
                    const int64_t depth = min(blocks.size, p1 - p), at = panels.start(r);
                    const int64_t count = panels.start(r + 1) - at;
                    a.pack(packed + (p - p0) * rows + at * depth, count, i0 + at, count, p, depth);
                }
            });
            const Shared<T> shared{packed, i0, rows, nullptr, 0, 0, p0};
            parallel(n, block_cols, [&](int64_t j0, int64_t j1) {
                compute_range(a, Source::shared, b, b_from, shared, Range{i0, i1, j0, j1, p0, p1}, blocks,
                              p0 == 0, p1 == k, out);
            });
        }
}

// c = activation([c +] the sum over `parts` of partial[part] + bias), part by part in order.
template <class T>
void add_partials(const T* partial, int64_t parts, int64_t m, int64_t n, const Output<T>& out) {
    parallel(m, grain_for(n * parts), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            T* c = out.c + i * out.row;
            for (int64_t j = 0; j < n; j += kLanes<T>) {
                const int64_t left = n - j;
                Vec<T> total = out.accumulate ? load_upto(c + j, left) : zero<T>();
                for (int64_t part = 0; part < parts; ++part)
                    total += load_upto(partial + (part * m + i) * n + j, left);
                if (out.bias) total += load_upto(out.bias + j, left);
                if (out.activation != Activation::none) total = activate(total, out.activation);
                store_upto(c + j, total, left);
            }
        }
    });
}

// Few rows and columns, great depth: tasks take parts of the depth, their sums are added in order.
template <class T, class A, class B>
void product_by_depth(const A& a, Source a_from, const B& b, Source b_from, int64_t m, int64_t n, int64_t k,
                      const Output<T>& out) {
    const int64_t least = max(kDepth<T>, ceil_div(kParallelWork, m * n));
    const int64_t part_depth = round_up(max(ceil_div(k, 16), least), 8);
    const int64_t parts = ceil_div(k, part_depth);
    if (parts == 1) {
        compute_range(a, a_from, b, b_from, Shared<T>{}, Range{0, m, 0, n, 0, k}, depth_blocks<T>(k), true,
                      true, out);
        return;
    }
    T* partial = scratch<T>(Scratch::gemm_partial, parts * m * n);
    const DepthBlocks blocks = depth_blocks<T>(part_depth);
    parallel(k, part_depth, [&](int64_t p0, int64_t p1) {
        const Output<T> part{partial + p0 / part_depth * m * n, n};
        compute_range(a, a_from, b, b_from, Shared<T>{}, Range{0, m, 0, n, p0, p1}, blocks, true, true, part);
    });
    add_partials(partial, parts, m, n, out);
}

// Which plan suits a product of this size; `serial` is one task on the calling thread.
enum class Plan { serial, rows, cols, depth };
template <class T> Plan choose_plan(int64_t m, int64_t n, int64_t k) {
    if (double(m) * double(n) * double(k) < 2.0 * kParallelWork) return Plan::serial;
    const int64_t row_tasks = ceil_div(m, 2 * kTileRows), col_tasks = ceil_div(n, kTileCols<T>);
    const bool narrow =
        k >= 16 * max(m, n) && m * n <= 1 << 17; // reading a few columns of long rows wastes bandwidth
    if ((max(row_tasks, col_tasks) < 8 || narrow) && k >= 4 * kDepth<T>) return Plan::depth;
    return row_tasks >= col_tasks ? Plan::rows : Plan::cols;
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
