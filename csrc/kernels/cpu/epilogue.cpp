#include "kernels/epilogue.h"

#include "kernels/cpu/half.h"

namespace dt::cpu::DT_LEVEL {
namespace {

// A block is so many columns of so many rows: its sums are short, whatever the sizes.
constexpr int64_t kBlockCols = 1024, kLeastRows = 16, kMostRows = 256, kBlockElements = 16384;

// Rows [begin, end) of `vectors` neighbouring vectors of columns from column j.
template <int vectors, class S, class R, class P>
DT_INLINE void pass(const EpilogueGradArgs& args, int64_t begin, int64_t end, int64_t j, R* sums, P part) {
    const S* grad = static_cast<const S*>(args.grad) + j;
    const S* y = args.y ? static_cast<const S*>(args.y) + j : nullptr;
    S* before = args.before ? static_cast<S*>(args.before) + j : nullptr;
    Vec<R> total[vectors] = {};
    for (int64_t at = begin * args.cols; at < end * args.cols; at += args.cols) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors; ++v) {
            const int64_t i = at + v * kLanes<R>;
            Vec<R> g = load(grad + i, part);
            if (y) g = select(load(y + i, part) <= zero<R>(), zero<R>(), g);
            if (before) store(before + i, g, part);
            total[v] += g;
        }
    }
    if (sums)
        for (int v = 0; v < vectors; ++v) store(sums + j + v * kLanes<R>, total[v], part);
}

template <class S, class R>
void block(const EpilogueGradArgs& args, int64_t begin, int64_t end, int64_t j, int64_t stop, R* sums) {
    for (; j + 4 * kLanes<R> <= stop; j += 4 * kLanes<R>) pass<4, S>(args, begin, end, j, sums, Whole{});
    for (; j + kLanes<R> <= stop; j += kLanes<R>) pass<1, S>(args, begin, end, j, sums, Whole{});
    if (j < stop) pass<1, S>(args, begin, end, j, sums, Part{stop - j});
}

template <class S> void wide_gradient(const EpilogueGradArgs& args) {
    using T = Arithmetic<S>;
    const int64_t rows = args.rows, cols = args.cols, width = cols < kBlockCols ? cols : kBlockCols;
    if (cols <= 0) return;
    const int64_t height = clamp(kBlockElements / width, kLeastRows, kMostRows);
    const int64_t down = rows > height ? ceil_div(rows, height) : 1, across = ceil_div(cols, width);
    T* sums = static_cast<T*>(args.sums);
    T* partial = sums && down > 1 ? scratch<T>(Scratch::kernel, down * cols) : sums;
    parallel(down * across, ceil_div(kBlockElements, width * height), [&](int64_t first, int64_t last) {
        for (int64_t task = first; task < last; ++task) {
            const int64_t r = task / across, j = task % across * width;
            block<S>(args, r * height, min(rows, (r + 1) * height), j, min(cols, j + width),
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

// Columns so few that they leave most lanes empty: as many rows as a vector has lanes count as one.
template <class S> void narrow_gradient(const EpilogueGradArgs& args) {
    using T = Arithmetic<S>;
    constexpr int64_t n = kLanes<T>;
    const int64_t cols = args.cols, whole = args.rows / n, done = whole * n * cols;
    T sums[n * n / 2] = {}, rest_sums[n / 2] = {};
    EpilogueGradArgs wide = args, rest = args;
    wide.rows = whole, wide.cols = cols * n;
    rest.rows = args.rows - whole * n;
    rest.grad = static_cast<const S*>(args.grad) + done;
    if (args.y) rest.y = static_cast<const S*>(args.y) + done;
    if (args.before) rest.before = static_cast<S*>(args.before) + done;
    if (args.sums) wide.sums = sums, rest.sums = rest_sums;
    wide_gradient<S>(wide);
    wide_gradient<S>(rest);
    for (int64_t j = 0; j < cols && args.sums; ++j) {
        T total = rest_sums[j];
        for (int64_t i = j; i < cols * n; i += cols) total += sums[i];
        static_cast<T*>(args.sums)[j] = total;
    }
}

template <class S> void gradient(const EpilogueGradArgs& args) {
    constexpr int64_t n = kLanes<Arithmetic<S>>;
    if (args.cols * 2 <= n && args.rows >= 64 * n)
        narrow_gradient<S>(args);
    else
        wide_gradient<S>(args);
}

} // namespace

Epilogue epilogue() {
    return {{gradient<float>, gradient<double>, gradient<float16_t>, gradient<bfloat16_t>}};
}

} // namespace dt::cpu::DT_LEVEL
