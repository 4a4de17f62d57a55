#pragma once
// The windows of a pool, and the places in them.
#include "kernels/cpu/common.h"
#include "kernels/pool.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

namespace dt::cpu::DT_LEVEL {
namespace {

// Windows first <= tap < last of one dimension that lie inside the input, for the output at `at`.
struct Window {
    int64_t start, first, last, step; // tap t stands at start + t * step
    Window(int64_t at, int64_t in, int64_t kernel, int64_t stride, int64_t pad, int64_t dilation)
        : start(at * stride - pad), step(dilation) {
        first = start < 0 ? min(kernel, ceil_div(-start, dilation)) : 0;
        last = start < in ? min(kernel, ceil_div(in - start, dilation)) : 0;
        if (last < first) last = first;
    }
    Window(int64_t at, int64_t in, int64_t out) // adaptive
        : start(at * in / out), first(0), last(ceil_div((at + 1) * in, out) - start), step(1) {}
    int64_t place(int64_t tap) const { return start + tap * step; }
    int64_t count() const { return last - first; }
};
Window row_window(const PoolShape& s, int64_t i) {
    if (s.adaptive) return {i, s.in_h, s.out_h};
    return {i, s.in_h, s.kernel_h, s.stride_h, s.pad_top, s.dilation_h};
}
Window col_window(const PoolShape& s, int64_t j) {
    if (s.adaptive) return {j, s.in_w, s.out_w};
    return {j, s.in_w, s.kernel_w, s.stride_w, s.pad_left, s.dilation_w};
}

// Places in a window are vectors of the masks' type, stored in one or four bytes each.
template <class T, class I> struct Narrow {
    typedef I type __attribute__((vector_size(sizeof(I) * kLanes<T>)));
};
template <class T, class I> DT_INLINE void store_places(I* to, Mask<T> place, int64_t count) {
    if (count >= kLanes<T>) {
        const auto narrow = __builtin_convertvector(place, typename Narrow<T, I>::type);
        memcpy(to, &narrow, sizeof narrow);
    } else {
        for (int64_t i = 0; i < count; ++i) to[i] = I(place[i]);
    }
}
template <class T, class I> DT_INLINE Mask<T> load_places(const I* from, int64_t count) {
    Mask<T> place{};
    if (count >= kLanes<T>) {
        typename Narrow<T, I>::type narrow;
        memcpy(&narrow, from, sizeof narrow);
        place = __builtin_convertvector(narrow, Mask<T>);
    } else {
        for (int64_t i = 0; i < count; ++i) place[i] = from[i];
    }
    return place;
}

// One over the divisor of the window (h, w).
template <class T> T average_factor(const PoolShape& s, const Window& h, const Window& w) {
    int64_t divisor = h.count() * w.count();
    if (s.adaptive) return T(1) / T(divisor);
    if (s.divisor > 0)
        divisor = s.divisor;
    else if (s.count_include_pad) // the window up to the edge of the padding
        divisor = min(s.kernel_h, s.in_h + s.pad_bottom - h.start) *
                  min(s.kernel_w, s.in_w + s.pad_right - w.start);
    return divisor > 0 ? T(1) / T(divisor) : T(0);
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
