#include "kernels/pool.h"

#include "kernels/cpu/half.h"
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/pool_narrow.h"

namespace dt::cpu::DT_LEVEL {
namespace {

// Calls body(image, row) for all output rows in parallel.
template <class F> void for_output_rows(const PoolShape& s, const F& body) {
    const int64_t work = s.out_w * s.channels * s.kernel_h * s.kernel_w / 4;
    parallel(s.batch * s.out_h, grain_for(work), [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) body(r / s.out_h, r % s.out_h);
    });
}

// Vectors of channels that go through a window together, as many as leave the registers room.
constexpr int kTogether = kVectorBytes == 64 ? 4 : 2;
// The next windows of a row: their lines come in pieces too short for the hardware to see a stream.
constexpr int64_t kPrefetch = 2048;

// body(c, count, part) for the channels: `count` vectors at once, a constant.
template <int n> struct Count {
    static constexpr int value = n;
};
template <class T, class F> DT_INLINE void for_channels(int64_t channels, const F& body) {
    int64_t c = 0;
    for (; c + kTogether * kLanes<T> <= channels; c += kTogether * kLanes<T>)
        body(c, Count<kTogether>(), Whole{});
    for (; c + kLanes<T> <= channels; c += kLanes<T>) body(c, Count<1>(), Whole{});
    if (c < channels) body(c, Count<1>(), Part{channels - c});
}

template <class T, int n> struct Maximum {
    Vec<T> value[n];
    Mask<T> place[n];
};

// The first maxima of a window. In a hurry it takes numbers only: NaN and infinity turn the sum of 0 * v into
// NaN, and then the window is gone through again, where a NaN is greater than all others.
template <class S, int n>
DT_INLINE Maximum<Arithmetic<S>, n> window_max(const PoolShape& s, const Window& h, const Window& w,
                                               const S* from, auto part) {
    using T = Arithmetic<S>;
    using M = Mask<T>;
    auto search = [&](auto better) DT_INLINE_LAMBDA {
        Vec<T> value[n]; // a struct would live in memory
        M place[n];
        for (int k = 0; k < n; ++k) {
            value[k] = broadcast(-T(__builtin_inf()));
            place[k] = M{} + Lane<M>(h.first * s.kernel_w + w.first);
        }
        for (int64_t r = h.first; r < h.last; ++r) {
            const S* row = from + (h.place(r) * s.in_w + w.place(w.first)) * s.channels;
            Lane<M> tap = Lane<M>(r * s.kernel_w + w.first);
            for (int64_t q = w.first; q < w.last; ++q, ++tap, row += w.step * s.channels)
                for (int k = 0; k < n; ++k) {
                    const Vec<T> v = load(row + k * kLanes<T>, part);
                    const M mask = better(v, value[k], k);
                    value[k] = select(mask, v, value[k]);
                    place[k] = mask ? M{} + tap : place[k];
                }
        }
        Maximum<T, n> best;
        for (int k = 0; k < n; ++k) best.value[k] = value[k], best.place[k] = place[k];
        return best;
    };
    for (int64_t r = max(h.first, s.kernel_h - s.stride_h); r < h.last; ++r) { // what no window had before
        const S* row = from + (h.place(r) * s.in_w + w.place(w.first)) * s.channels;
        for (int64_t q = 0; q < s.stride_w; ++q, row += s.channels)
            for (int k = 0; k < n; ++k)
                __builtin_prefetch(row + k * kLanes<T> + kPrefetch / int64_t(sizeof(S)));
    }
    Vec<T> check[n] = {};
    const Maximum<T, n> best = search([&](Vec<T> v, Vec<T> top, int k) DT_INLINE_LAMBDA {
        check[k] += v * T(0);
        return v > top;
    });
    for (int k = 1; k < n; ++k) check[0] += check[k];
    if (!any(check[0] != check[0])) return best;
    // Greater, or the first NaN: nothing is greater than it afterwards.
    return search([](Vec<T> v, Vec<T> top, int)
                      DT_INLINE_LAMBDA { return (v > top) | ((v != v) & (top == top)); });
}

template <class S> void max_forward(const PoolShape& s, const S* x, S* y, void* index) {
    using T = Arithmetic<S>;
    if (is_narrow<T>(s)) return max_forward_narrow(s, x, y, index);
    const bool bytes = pool_index_bytes(s.kernel_h, s.kernel_w) == 1;
    for_output_rows(s, [&](int64_t image, int64_t i) {
        const Window h = row_window(s, i);
        const S* from = x + image * s.in_h * s.in_w * s.channels;
        for (int64_t j = 0; j < s.out_w; ++j) {
            const Window w = col_window(s, j);
            for_channels<T>(s.channels, [&](int64_t c, auto count, auto part) DT_INLINE_LAMBDA {
                constexpr int n = decltype(count)::value;
                const Maximum<T, n> best = window_max<S, n>(s, h, w, from + c, part);
                int64_t to = ((image * s.out_h + i) * s.out_w + j) * s.channels + c;
                for (int k = 0; k < n; ++k, to += kLanes<T>) {
                    store(y + to, best.value[k], part);
                    if (index && bytes)
                        store_places<T>(static_cast<uint8_t*>(index) + to, best.place[k], lanes_of<T>(part));
                    else if (index)
                        store_places<T>(static_cast<int32_t*>(index) + to, best.place[k], lanes_of<T>(part));
                }
            });
        }
    });
}

// Windows side by side from the first place on: each place belongs to one at most.
bool side_by_side(const PoolShape& s) {
    return !s.adaptive && s.dilation_h == 1 && s.dilation_w == 1 && s.pad_top == 0 && s.pad_left == 0 &&
           (s.stride_h == s.kernel_h || s.out_h == 1) && (s.stride_w == s.kernel_w || s.out_w == 1);
}

// dx for such windows, without a way over the tile below: the average where there is no index.
template <bool average, class S> void spread(const PoolShape& s, const S* dy, const uint8_t* index, S* dx) {
    using T = Arithmetic<S>;
    using P = Lane<Mask<T>>;
    const int64_t channels = s.channels, row = s.in_w * channels, wide = s.kernel_w;
    const bool streaming = can_stream(dx, s.batch * s.in_h * row, channels);
    const T whole = whole_factor<T>(s);
    parallel(s.batch * s.out_h, grain_for(s.kernel_h * row), [&](int64_t begin, int64_t end) {
        for (int64_t item = begin; item < end; ++item) {
            const Window h = row_window(s, item % s.out_h);
            S* const top = dx + (item / s.out_h * s.in_h + h.start) * row;
            const int64_t high = h.count(), covered = min(s.out_w * wide, s.in_w) * channels;
            for (int64_t j = 0; j < s.out_w; ++j) {
                const int64_t taps = min(wide, s.in_w - j * wide), at = (item * s.out_w + j) * channels;
                const T factor = average ? column_factor(s, h, j, whole) : T(1);
                S* const corner = top + j * wide * channels;
                for_channels<T>(channels, [&](int64_t c, auto count, auto part) DT_INLINE_LAMBDA {
                    constexpr int n = decltype(count)::value;
                    Vec<T> g[n];
                    Mask<T> place[n];
                    for (int k = 0; k < n; ++k) {
                        const int64_t from = at + c + k * kLanes<T>;
                        g[k] = load(dy + from, part) * factor;
                        if constexpr (!average) place[k] = load_places<T>(index + from, lanes_of<T>(part));
                    }
                    S* line = corner + c;
                    for (int64_t t = 0; t < high; ++t, line += row) {
                        S* to = line;
                        P tap = P(t * wide);
                        for (int64_t left = taps; left > 0; --left, ++tap, to += channels)
                            for (int k = 0; k < n; ++k) {
                                Vec<T> v = g[k];
                                if constexpr (!average) v = select(place[k] == tap, v, Vec<T>{});
                                streaming ? stream(to + k * kLanes<T>, v, part)
                                          : store(to + k * kLanes<T>, v, part);
                            }
                    }
                });
            }
            for (int64_t t = 0; t < high && covered < row; ++t)
                memset(top + t * row + covered, 0, size_t(row - covered) * sizeof(S));
            if (item % s.out_h == s.out_h - 1 && h.start + high < s.in_h)
                memset(top + high * row, 0, size_t((s.in_h - h.start - high) * row) * sizeof(S));
        }
        if (streaming) finish_streaming();
    });
}

constexpr int64_t kTile = 4096; // elements of a gradient that are summed in the L1 cache

// dx = what the windows give to their places, each written once. `give(to, step, at, n, h, w, t, q, count)`
// adds the part of the output with window (h, w) and the first channel at dy[at] to n channels of `count`
// neighbours in a row of the input, the first one at `to`, which is the place (t, q) of its window, the
// others `step` elements apart.
template <class S, class F> void give_back(const PoolShape& s, S* dx, const F& give) {
    using T = Arithmetic<S>;
    const bool streaming = can_stream(dx, s.batch * s.in_h * s.in_w * s.channels, s.channels);
    const int64_t depth = min(s.channels, kTile / 4), width = max(int64_t{1}, kTile / max(depth, int64_t{1}));
    parallel(s.batch * s.in_h, grain_for(2 * s.in_w * s.channels), [&](int64_t begin, int64_t end) {
        alignas(64) T tile[kTile];
        for (int64_t row = begin; row < end; ++row) {
            const int64_t image = row / s.in_h, y = row % s.in_h;
            const Holders rows = holding_rows(s, y, y);
            for (int64_t c = 0; c < s.channels; c += depth) {
                const int64_t n = min(depth, s.channels - c);
                for (int64_t x = 0; x < s.in_w; x += width) {
                    const int64_t here = min(width, s.in_w - x);
                    memset(tile, 0, size_t(here * n) * sizeof(T));
                    const Holders cols = holding_cols(s, x, x + here - 1);
                    for (int64_t i = rows.first; i <= rows.last; ++i) {
                        const Window h = row_window(s, i);
                        const int64_t t = h.steps(y - h.start);
                        if (h.place(t) != y) continue; // between the rows of a dilated window
                        int64_t at = ((image * s.out_h + i) * s.out_w + cols.first) * s.channels + c;
                        for (int64_t j = cols.first; j <= cols.last; ++j, at += s.channels) {
                            const Window w = col_window(s, j);
                            const int64_t q = x > w.start ? w.steps(x - w.start) : w.first;
                            const int64_t last = min(w.last, w.steps(x + here - w.start));
                            give(tile + (w.place(q) - x) * n, w.step * n, at, n, h, w, t, q, last - q);
                        }
                    }
                    S* to = dx + (row * s.in_w + x) * s.channels + c;
                    for (int64_t k = 0; k < (n == s.channels ? 1 : here); ++k)
                        for_vectors<T>(n == s.channels ? here * n : n,
                                       [&](int64_t e, auto part) DT_INLINE_LAMBDA {
                                           const Vec<T> v = load(tile + k * n + e, part);
                                           streaming ? stream(to + k * s.channels + e, v, part)
                                                     : store(to + k * s.channels + e, v, part);
                                       });
                }
            }
        }
        if (streaming) finish_streaming();
    });
}

template <class S, class I> void give_max(const PoolShape& s, const S* dy, const I* index, S* dx) {
    using T = Arithmetic<S>;
    using P = Lane<Mask<T>>;
    give_back(s, dx,
              [&](T* to, int64_t step, int64_t at, int64_t channels, const Window&, const Window&, int64_t t,
                  int64_t q, int64_t count) DT_INLINE_LAMBDA {
                  for_channels<T>(channels, [&](int64_t c, auto together, auto part) DT_INLINE_LAMBDA {
                      constexpr int n = decltype(together)::value;
                      Vec<T> g[n];
                      Mask<T> place[n];
                      for (int k = 0; k < n; ++k) {
                          g[k] = load(dy + at + c + k * kLanes<T>, part);
                          __builtin_prefetch(dy + at + c + k * kLanes<T> + kPrefetch / int64_t(sizeof(S)));
                          place[k] = load_places<T>(index + at + c + k * kLanes<T>, lanes_of<T>(part));
                      }
                      T* p = to + c;
                      P tap = P(t * s.kernel_w + q);
                      for (int64_t left = count; left > 0; --left, ++tap, p += step)
                          for (int k = 0; k < n; ++k) {
                              const Vec<T> v = load(p + k * kLanes<T>, part);
                              store(p + k * kLanes<T>, select(place[k] == tap, v + g[k], v), part);
                          }
                  });
              });
}

template <class S> void max_backward(const PoolShape& s, const S* dy, const void* index, S* dx) {
    const bool bytes = pool_index_bytes(s.kernel_h, s.kernel_w) == 1;
    const uint8_t* places = static_cast<const uint8_t*>(index);
    if (bytes && windows_apart(s) && s.channels < kLanes<Arithmetic<S>>)
        return max_backward_narrow(s, dy, places, dx);
    if (bytes && side_by_side(s)) return spread<false>(s, dy, places, dx);
    bytes ? give_max(s, dy, places, dx) : give_max(s, dy, static_cast<const int32_t*>(index), dx);
}

PoolShape without_dilation(PoolShape s) {
    s.dilation_h = s.dilation_w = 1;
    return s;
}

template <class S> void average_forward(const PoolShape& shape, const S* x, S* y) {
    using T = Arithmetic<S>;
    const PoolShape s = without_dilation(shape);
    if (is_narrow<T>(s)) return average_forward_narrow(s, x, y);
    for_output_rows(s, [&](int64_t image, int64_t i) {
        const Window h = row_window(s, i);
        for (int64_t j = 0; j < s.out_w; ++j) {
            const Window w = col_window(s, j);
            const T factor = average_factor<T>(s, h, w);
            S* to = y + ((image * s.out_h + i) * s.out_w + j) * s.channels;
            for_channels<T>(s.channels, [&](int64_t c, auto count, auto part) DT_INLINE_LAMBDA {
                constexpr int n = decltype(count)::value;
                Vec<T> total[n] = {};
                for (int64_t r = h.first; r < h.last;
                     ++r) { // row sums first: fewer roundings in a global pool
                    Vec<T> row[n] = {};
                    const S* from =
                        x + ((image * s.in_h + h.place(r)) * s.in_w + w.place(w.first)) * s.channels + c;
                    for (int64_t q = 0; q < w.count(); ++q, from += s.channels)
                        for (int k = 0; k < n; ++k) {
                            row[k] += load(from + k * kLanes<T>, part);
                            __builtin_prefetch(from + k * kLanes<T> + kPrefetch / int64_t(sizeof(S)));
                        }
                    for (int k = 0; k < n; ++k) total[k] += row[k];
                }
                for (int k = 0; k < n; ++k) store(to + c + k * kLanes<T>, total[k] * factor, part);
            });
        }
    });
}

template <class S> void average_backward(const PoolShape& shape, const S* dy, S* dx) {
    using T = Arithmetic<S>;
    const PoolShape s = without_dilation(shape);
    if (windows_apart(s) && s.channels < kLanes<T>) return average_backward_narrow(s, dy, dx);
    if (side_by_side(s)) return spread<true>(s, dy, nullptr, dx);
    const T whole = whole_factor<T>(s);
    give_back(s, dx,
              [&](T* to, int64_t step, int64_t at, int64_t channels, const Window& h, const Window& w,
                  int64_t, int64_t, int64_t count) DT_INLINE_LAMBDA {
                  const bool inside = !s.adaptive && h.count() == s.kernel_h && w.count() == s.kernel_w;
                  const T factor = inside ? whole : average_factor<T>(s, h, w);
                  for_channels<T>(channels, [&](int64_t c, auto together, auto part) DT_INLINE_LAMBDA {
                      constexpr int n = decltype(together)::value;
                      Vec<T> g[n];
                      for (int k = 0; k < n; ++k) g[k] = load(dy + at + c + k * kLanes<T>, part) * factor;
                      T* p = to + c;
                      for (int64_t left = count; left > 0; --left, p += step)
                          for (int k = 0; k < n; ++k)
                              store(p + k * kLanes<T>, load(p + k * kLanes<T>, part) + g[k], part);
                  });
              });
}

template <class S> PoolKernels<S> kernels_of() {
    return {max_forward<S>, max_backward<S>, average_forward<S>, average_backward<S>};
}

} // namespace

Pool pool() {
    return {kernels_of<float>(), kernels_of<double>(), kernels_of<float16_t>(), kernels_of<bfloat16_t>()};
}

} // namespace dt::cpu::DT_LEVEL
