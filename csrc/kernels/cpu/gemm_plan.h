#pragma once
// How a matrix product is cut: block sizes, panels, tasks, and which plan suits it. T is what the innermost
// loop multiplies; depths and sizes count T.
//
// All of it depends on the sizes only: the bits of C are the same for any thread count.
#include "kernels/cpu/gemm_micro.h"

namespace dt::cpu::DT_LEVEL {
namespace {

template <class T> inline constexpr int64_t kTileCols = kTileVectors * kLanes<T>;
// A panel of A, kDepth deep, stays in L1 (28 of 48 KB) while panels of B, 64 KB each, come from L2. The tiles
// of AMX are higher.
template <class T> inline constexpr int64_t kDepth = sizeof(T) == 4 && kTileRows < 32 ? 512 : 256;
// A task packs this many rows of A, which stay in L2, and uses them for this many columns. Where rows of
// pairs lie along memory each piece that is read for them is half as long: it takes more of them to keep
// memory busy.
template <class T> inline constexpr int64_t kBlockRows = kFloating<T> || kTileRows >= 32 ? 128 : 256;
constexpr int64_t kBlockCols = 1024;
constexpr int64_t kAloneRows = 512; // a task may have that many, where operands are packed by each task
constexpr int64_t kGroupCols = 256; // columns of B that are used again while L2 holds them: half of 1 MB
constexpr int64_t kTasks = 16;      // into which a product is cut where each has enough work
// From so many tasks and multiplications on (a few milliseconds) a B that needs no turn is packed for all.
constexpr int64_t kFewCopies = 4;
constexpr double kSharedWork = 1 << 29;
constexpr int64_t kPieceCols = 1024; // columns of B that are packed for all tasks at a time
// Elements of a packed operand that all threads share; beyond it the product is cut into pieces.
template <class T> inline constexpr int64_t kSharedElements = (int64_t{4} << 20) / int64_t(sizeof(T));
// Multiplications from which a second thread pays: about 4 microseconds.
constexpr int64_t kParallelWork = 1 << 19;

// Where compute_tile reads an operand: in place, packed by the task or by all.
enum class Source { direct, packed, shared };

// How the depth is cut: `blocks` of `size`, the last one shorter.
struct DepthBlocks {
    int64_t size, blocks;
};
template <class T> DepthBlocks depth_blocks(int64_t k, int64_t most = kDepth<T>) {
    const int64_t blocks = max(int64_t{1}, ceil_div(k, most));
    const int64_t size = max(int64_t{1}, round_up(ceil_div(k, blocks), 16));
    return {size, max(int64_t{1}, ceil_div(k, size))};
}

// Few columns use a panel of A but twice: where it lies in memory its rows are better read to the end.
template <class T> int64_t most_depth(Source a_from, int64_t n) {
    return a_from == Source::direct && n <= 2 * kTileCols<T> ? 2 * kDepth<T> : kDepth<T>;
}

// Panels of A begin at multiples of this row, where that is more than 1: AMX has whole tiles.
#if defined(DT_LEVEL_amx)
constexpr int64_t kPanelRows = kTileRows;
#else
constexpr int64_t kPanelRows = 1;
#endif

// Panels of A have equal numbers of rows as nearly as can be: 32 rows are 11 + 11 + 10 and not 14 + 14 + 4.
struct RowPanels {
    int64_t rows, panels;
    explicit RowPanels(int64_t m, int64_t most = kTileRows) : rows(m), panels(ceil_div(m, most)) {}
    int64_t start(int64_t i) const { return kPanelRows > 1 ? min(rows, i * kPanelRows) : rows * i / panels; }
};

// Ten rows of A that share sets of L1 fit there, fourteen do not; with one vector of columns ten suffice.
template <class T> RowPanels row_panels(int64_t m, int64_t n) {
    return RowPanels(m, n <= kLanes<T> && kTileRows > 10 && kPanelRows == 1 ? 10 : kTileRows);
}

// Multiplications of a product, those of vectors that are not full included.
template <class T> double padded_work(int64_t m, int64_t n, int64_t k) {
    return double(m) * double(round_up(n, kLanes<T>)) * double(k);
}

// How a product is cut into tasks: blocks of panels of rows times blocks of panels of columns.
struct Grid {
    int64_t row_blocks, col_blocks;
    // The last blocks are the smallest, down to a sixth of the first: threads of unequal speed end together.
    // Few blocks do not bear it, very many do not need it.
    int64_t first_row(int64_t block, int64_t rows) const {
        if (row_blocks < kTasks / 2 || row_blocks > 4 * kTasks) return rows * block / row_blocks;
        return rows * block * (7 * row_blocks - 3 * block) / (4 * row_blocks * row_blocks);
    }
};
template <class T> Grid choose_grid(int64_t m, int64_t n, int64_t k) {
    const int64_t row_panels = ceil_div(m, kTileRows), col_panels = ceil_div(n, kTileCols<T>);
    int64_t rows = ceil_div(row_panels, ceil_div(kBlockRows<T>, kTileRows));
    int64_t cols = ceil_div(col_panels, kBlockCols / kTileCols<T>);
    const double work = padded_work<T>(m, n, k);
    while (rows * cols < kTasks && work >= double(kParallelWork) * double(rows * cols)) {
        if (row_panels >= 2 * rows && (m / rows * 2 >= n / cols || col_panels < 2 * cols))
            rows *= 2;
        else if (col_panels >= 2 * cols)
            cols *= 2;
        else
            break;
    }
    if (rows * cols % 2 == 1) { // two threads share evenly
        if (rows > 1 && rows < row_panels)
            ++rows;
        else if (cols > 1 && cols < col_panels)
            ++cols;
    }
    return {rows, cols};
}

// Which plan suits a product of this size; `serial` is one task on the calling thread.
enum class Plan { serial, blocks, depth };
template <class T> Plan choose_plan(int64_t m, int64_t n, int64_t k) {
    if (padded_work<T>(m, n, k) < double(kParallelWork / 2)) return Plan::serial;
    const int64_t row_tasks = ceil_div(m, 2 * kTileRows), col_tasks = ceil_div(n, kTileCols<T>);
    const bool narrow =
        k >= 16 * max(m, n) && m * n <= 1 << 17; // reading a few columns of long rows wastes bandwidth
    return (max(row_tasks, col_tasks) < 8 || narrow) && k >= 4 * kDepth<T> ? Plan::depth : Plan::blocks;
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
