#include "kernels/epilogue.h"

#include "kernels/cpu/lanes.h"

namespace dt::cpu::DT_LEVEL {
namespace {

// A block is so many columns of so many rows: its sums are short, whatever the sizes.
constexpr int64_t kBlockCols = 1024, kLeastRows = 16, kMostRows = 256, kBlockElements = 16384;

// Rows [begin, end) of `vectors` neighbouring vectors of columns from column j.
template <int vectors, class T, class P>
DT_INLINE void pass(const EpilogueGradArgs& args, int64_t begin, int64_t end, int64_t j, T* sums, P part) {
    const T* grad = static_cast<const T*>(args.grad) + j;
    const T* y = args.y ? static_cast<const T*>(args.y) + j : nullptr;
    T* before = args.before ? static_cast<T*>(args.before) + j : nullptr;
    Vec<T> total[vectors] = {};
    for (int64_t at = begin * args.cols; at < end * args.cols; at += args.cols) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors; ++v) {
            const int64_t i = at + v * kLanes<T>;
            Vec<T> g = load(grad + i, part);
            if (y) g = select(load(y + i, part) <= zero<T>(), zero<T>(), g);
            if (before) store(before + i, g, part);
            total[v] += g;
        }
    }
    if (sums)
        for (int v = 0; v < vectors; ++v) store(sums + j + v * kLanes<T>, total[v], part);
}

template <class T>
void block(const EpilogueGradArgs& args, int64_t begin, int64_t end, int64_t j, int64_t stop, T* sums) {
    for (; j + 4 * kLanes<T> <= stop; j += 4 * kLanes<T>) pass<4>(args, begin, end, j, sums, Whole{});
    for (; j + kLanes<T> <= stop; j += kLanes<T>) pass<1>(args, begin, end, j, sums, Whole{});
    if (j < stop) pass<1>(args, begin, end, j, sums, Part{stop - j});
}

template <class T> void gradient(const EpilogueGradArgs& args) {
    const int64_t rows = args.rows, cols = args.cols, width = cols < kBlockCols ? cols : kBlockCols;
    if (cols <= 0) return;
    const int64_t height = clamp(kBlockElements / width, kLeastRows, kMostRows);
    const int64_t down = rows > height ? ceil_div(rows, height) : 1, across = ceil_div(cols, width);
    T* sums = static_cast<T*>(args.sums);
    T* partial = sums && down > 1 ? scratch<T>(Scratch::kernel, down * cols) : sums;
    parallel(down * across, ceil_div(kBlockElements, width * height), [&](int64_t first, int64_t last) {
        for (int64_t task = first; task < last; ++task) {
            const int64_t r = task / across, j = task % across * width;
            block(args, r * height, min(rows, (r + 1) * height), j, min(cols, j + width),
                  partial ? partial + r * cols : nullptr);
        }
    });
    if (partial == sums) return;
    for_vectors<T>(cols, [&](int64_t j, auto part) DT_INLINE_LAMBDA {
        Vec<T> total = load(partial + j, part);
        for (int64_t r = 1; r < down; ++r) total += load(partial + r * cols + j, part);
        store(sums + j, total, part);
    });
}

} // namespace

Epilogue epilogue() { return {{gradient<float>, gradient<double>}}; }

} // namespace dt::cpu::DT_LEVEL
