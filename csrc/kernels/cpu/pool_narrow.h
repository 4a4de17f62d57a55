#pragma once
// Pools of images with fewer channels than a vector holds: the channels of one pixel would leave most of it
// empty, so a whole row of an image is one run of elements here. Forward, a run is reduced over the window's
// rows, then over its columns at every element (for all strides at once), and the outputs are picked out.
// Backward, the gradients of a row of outputs are spread out to a run, from which the window's rows are made.
#include "kernels/cpu/half.h"
#include "kernels/cpu/pool_window.h"

namespace dt::cpu::DT_LEVEL {
namespace {

// A row widened by the columns beyond its edges that windows reach.
struct Run {
    int64_t left, inside, outputs; // elements: before the row; of it; from the first output to the last
    int64_t step, size;            // from output to output; in memory, a vector of slack included
    template <class T> static Run of(const PoolShape& s, T) {
        Run run;
        const int64_t width = (s.out_w - 1) * s.stride_w + s.kernel_w;
        run.left = s.pad_left * s.channels;
        run.inside = clamp(width - s.pad_left, int64_t{0}, s.in_w) * s.channels;
        run.step = s.stride_w * s.channels;
        run.outputs = (s.out_w - 1) * run.step + s.channels;
        run.size = round_up(max(width, s.pad_left + s.in_w) * s.channels, kLanes<T>) + kLanes<T>;
        return run;
    }
};

template <class T> bool is_narrow(const PoolShape& s) {
    return !s.adaptive && s.dilation_h == 1 && s.dilation_w == 1 && s.channels < kLanes<T> &&
           s.channels * s.stride_w <= 2 * kLanes<T> && s.pad_left <= s.in_w && s.kernel_w <= 2 * s.in_w;
}

inline bool windows_apart(const PoolShape& s) {
    return !s.adaptive && s.dilation_h == 1 && s.dilation_w == 1 && s.stride_h >= s.kernel_h &&
           s.stride_w >= s.kernel_w;
}

// Calls pick(j, count) for the outputs of a row; count elements may be written at output j: a whole vector's,
// as long as those of the row suffice, for what is too much is overwritten by the next output.
template <class T, class F> DT_INLINE void for_picks(const PoolShape& s, const F& pick) {
    for (int64_t j = 0; j < s.out_w; ++j)
        pick(j, (s.out_w - j) * s.channels >= kLanes<T> ? int64_t{kLanes<T>} : s.channels);
}

template <class S> void max_forward_narrow(const PoolShape& s, const S* x, S* y, void* index) {
    using T = Arithmetic<S>;
    using M = Mask<T>;
    using I = Lane<M>;
    const Run run = Run::of(s, T());
    const bool bytes = pool_index_bytes(s.kernel_h, s.kernel_w) == 1;
    const int64_t row = s.in_w * s.channels;
    parallel(s.batch * s.out_h, grain_for(row * (s.kernel_h + 2 * s.kernel_w) / 4),
             [&](int64_t begin, int64_t end) {
                 T* value = scratch<T>(Scratch::kernel, 4 * run.size);
                 T* best = value + run.size;
                 I* place = reinterpret_cast<I*>(best + run.size);
                 I* best_place = place + run.size;
                 for (int64_t e = 0; e < run.size; ++e) { // beyond the edges: what never wins
                     value[e] = -T(__builtin_inf());
                     place[e] = I(1) << 30;
                 }
                 for (int64_t item = begin; item < end; ++item) {
                     const int64_t image = item / s.out_h;
                     const Window h = row_window(s, item % s.out_h);
                     const S* from = x + (image * s.in_h + h.place(h.first)) * row;
                     for (int64_t e = 0; e < run.inside; e += kLanes<T>) {
                         const int64_t left = run.inside - e;
                         Vec<T> top = broadcast(-T(__builtin_inf()));
                         M at = M{} + I(h.first * s.kernel_w);
                         for (int64_t r = h.first; r < h.last; ++r) {
                             const Vec<T> v = load_upto(from + (r - h.first) * row + e, left);
                             const M better = (v > top) | ((v != v) & (top == top));
                             top = select(better, v, top);
                             at = better ? M{} + I(r * s.kernel_w) : at;
                         }
                         store_upto(value + run.left + e, top, left);
                         store_upto<I>(place + run.left + e, at, left);
                     }
                     for (int64_t e = 0; e < run.outputs; e += kLanes<T>) {
                         Vec<T> top = load(value + e);
                         M at = load<I>(place + e);
                         for (int64_t q = 1; q < s.kernel_w; ++q) {
                             const Vec<T> v = load(value + e + q * s.channels);
                             const M p = load<I>(place + e + q * s.channels) + I(q);
                             // Among equals the first one in the window, which may stand in a later column.
                             const M equal = (v == top) | ((v != v) & (top != top));
                             const M better = (v > top) | ((v != v) & (top == top)) | (equal & (p < at));
                             top = select(better, v, top);
                             at = better ? p : at;
                         }
                         store(best + e, top);
                         store<I>(best_place + e, at);
                     }
                     const int64_t to = item * s.out_w * s.channels;
                     for_picks<T>(s, [&](int64_t j, int64_t count) DT_INLINE_LAMBDA {
                         store_upto(y + to + j * s.channels, load(best + j * run.step), count);
                         if (!index) return;
                         const M at = load<I>(best_place + j * run.step);
                         if (bytes)
                             store_places<T>(static_cast<uint8_t*>(index) + to + j * s.channels, at, count);
                         else
                             store_places<T>(static_cast<int32_t*>(index) + to + j * s.channels, at, count);
                     });
                 }
             });
}

// One over the divisor of the window (h, output column j); `whole` is that of a window inside the image.
template <class T> DT_INLINE T column_factor(const PoolShape& s, const Window& h, int64_t j, T whole) {
    const int64_t start = j * s.stride_w - s.pad_left;
    if (h.count() == s.kernel_h && start >= 0 && start + s.kernel_w <= s.in_w) return whole;
    return average_factor<T>(s, h, col_window(s, j));
}
template <class T> T whole_factor(const PoolShape& s) {
    return T(1) / T(s.divisor > 0 ? s.divisor : s.kernel_h * s.kernel_w);
}

template <class S> void average_forward_narrow(const PoolShape& s, const S* x, S* y) {
    using T = Arithmetic<S>;
    const Run run = Run::of(s, T());
    const int64_t row = s.in_w * s.channels;
    const T whole = whole_factor<T>(s);
    parallel(s.batch * s.out_h, grain_for(row * (s.kernel_h + s.kernel_w) / 4),
             [&](int64_t begin, int64_t end) {
                 T* value = scratch<T>(Scratch::kernel, 2 * run.size);
                 T* total = value + run.size;
                 for (int64_t e = 0; e < run.size; ++e) value[e] = 0;
                 for (int64_t item = begin; item < end; ++item) {
                     const Window h = row_window(s, item % s.out_h);
                     const S* from = x + (item / s.out_h * s.in_h + h.place(h.first)) * row;
                     for (int64_t e = 0; e < run.inside; e += kLanes<T>) {
                         const int64_t left = run.inside - e;
                         Vec<T> sum = zero<T>();
                         for (int64_t r = 0; r < h.count(); ++r) sum += load_upto(from + r * row + e, left);
                         store_upto(value + run.left + e, sum, left);
                     }
                     for (int64_t e = 0; e < run.outputs; e += kLanes<T>) {
                         Vec<T> sum = load(value + e);
                         for (int64_t q = 1; q < s.kernel_w; ++q) sum += load(value + e + q * s.channels);
                         store(total + e, sum);
                     }
                     S* to = y + item * s.out_w * s.channels;
                     for_picks<T>(s, [&](int64_t j, int64_t count) DT_INLINE_LAMBDA {
                         store_upto(to + j * s.channels,
                                    load(total + j * run.step) * column_factor(s, h, j, whole), count);
                     });
                 }
             });
}

// Calls body(image) for all images in parallel; rows that no window covers are set to 0 before.
template <class S, class F> void for_covered_images(const PoolShape& s, S* dx, const F& body) {
    const int64_t size = s.in_h * s.in_w * s.channels;
    const bool covered = s.pad_top == 0 && s.stride_h == s.kernel_h && s.out_h * s.kernel_h >= s.in_h;
    parallel(s.batch, grain_for(size), [&](int64_t begin, int64_t end) {
        for (int64_t image = begin; image < end; ++image) {
            if (!covered) memset(dx + image * size, 0, size_t(size) * sizeof(S));
            body(image);
        }
    });
}

// Calls put(j, q, element) for the elements of the run that output j reaches with column q of its window,
// from left to right.
template <class F> DT_INLINE void for_columns(const PoolShape& s, const F& put) {
    for (int64_t j = 0; j < s.out_w; ++j) {
        const int64_t start = j * s.stride_w - s.pad_left;
        const int64_t first = max(int64_t{0}, -start), last = min(s.kernel_w, s.in_w - start);
        for (int64_t q = first; q < last; ++q) put(j, q, (start + q) * s.channels);
    }
}

// For windows that do not overlap.
template <class S> void max_backward_narrow(const PoolShape& s, const S* dy, const uint8_t* index, S* dx) {
    using T = Arithmetic<S>;
    using M = Mask<T>;
    using I = Lane<M>;
    const int64_t row = s.in_w * s.channels, out_row = s.out_w * s.channels;
    const int64_t size = round_up(max(row, out_row), kLanes<T>) + kLanes<T>;
    for_covered_images(s, dx, [&](int64_t image) {
        T* spread = scratch<T>(Scratch::kernel, 3 * size);
        I* spread_place = reinterpret_cast<I*>(spread + size);
        I* place = spread_place + size;
        for (int64_t e = 0; e < 3 * size; ++e) spread[e] = 0;
        for (int64_t i = 0; i < s.out_h; ++i) {
            const Window h = row_window(s, i);
            const int64_t at = (image * s.out_h + i) * out_row;
            for (int64_t e = 0; e < out_row; e += kLanes<T>)
                store<I>(place + e, load_places<T>(index + at + e, out_row - e));
            for_columns(s, [&](int64_t j, int64_t q, int64_t e) DT_INLINE_LAMBDA {
                store(spread + e, load_tail(dy + at + j * s.channels, s.channels));
                store<I>(spread_place + e, load<I>(place + j * s.channels) - I(q));
            });
            for (int64_t r = h.first; r < h.last; ++r) {
                S* to = dx + (image * s.in_h + h.place(r)) * row;
                for (int64_t e = 0; e < row; e += kLanes<T>) {
                    const M here = load<I>(spread_place + e) == I(r * s.kernel_w);
                    store_upto(to + e, select(here, load(spread + e), zero<T>()), row - e);
                }
            }
        }
    });
}

// For windows that do not overlap.
template <class S> void average_backward_narrow(const PoolShape& s, const S* dy, S* dx) {
    using T = Arithmetic<S>;
    const int64_t row = s.in_w * s.channels, size = round_up(row, kLanes<T>) + kLanes<T>;
    const T whole = whole_factor<T>(s);
    for_covered_images(s, dx, [&](int64_t image) {
        T* spread = scratch<T>(Scratch::kernel, size);
        for (int64_t e = 0; e < size; ++e) spread[e] = 0;
        for (int64_t i = 0; i < s.out_h; ++i) {
            const Window h = row_window(s, i);
            const S* from = dy + (image * s.out_h + i) * s.out_w * s.channels;
            for_columns(s, [&](int64_t j, int64_t, int64_t e) DT_INLINE_LAMBDA {
                store(spread + e,
                      load_tail(from + j * s.channels, s.channels) * column_factor(s, h, j, whole));
            });
            for (int64_t r = h.first; r < h.last; ++r) {
                S* to = dx + (image * s.in_h + h.place(r)) * row;
                for (int64_t e = 0; e < row; e += kLanes<T>) store_upto(to + e, load(spread + e), row - e);
            }
        }
    });
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
