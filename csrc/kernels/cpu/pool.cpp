#include "kernels/pool.h"

#include "kernels/cpu/lanes.h"
#include "kernels/cpu/pool_narrow.h"

namespace dt::cpu::DT_LEVEL {
namespace {

// Calls body(image, row) for all output rows in parallel. The backward passes take whole images instead:
// windows overlap.
template <class F> void for_output_rows(const PoolShape& s, const F& body) {
    const int64_t work = s.out_w * s.channels * s.kernel_h * s.kernel_w / 4;
    parallel(s.batch * s.out_h, grain_for(work), [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) body(r / s.out_h, r % s.out_h);
    });
}

// Vectors of channels that go through a window together, as many as leave the registers room.
constexpr int kTogether = kVectorBytes == 64 ? 4 : 2;
// The next windows of a row: their lines come in pieces too short for the hardware to see a stream.
constexpr int64_t kPrefetch = 1024;

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
template <class T, int n>
DT_INLINE Maximum<T, n> window_max(const PoolShape& s, const Window& h, const Window& w, const T* from,
                                   auto part) {
    using M = Mask<T>;
    auto search = [&](auto better) DT_INLINE_LAMBDA {
        Maximum<T, n> best;
        for (int k = 0; k < n; ++k) {
            best.value[k] = broadcast(-T(__builtin_inf()));
            best.place[k] = M{} + Lane<M>(h.first * s.kernel_w + w.first);
        }
        for (int64_t r = h.first; r < h.last; ++r) {
            const T* row = from + (h.place(r) * s.in_w + w.place(w.first)) * s.channels;
            Lane<M> tap = Lane<M>(r * s.kernel_w + w.first);
            for (int64_t q = w.first; q < w.last; ++q, ++tap, row += w.step * s.channels)
                for (int k = 0; k < n; ++k) {
                    const Vec<T> v = load(row + k * kLanes<T>, part);
                    __builtin_prefetch(row + k * kLanes<T> + kPrefetch / int64_t(sizeof(T)));
                    const M mask = better(v, best.value[k], k);
                    best.value[k] = select(mask, v, best.value[k]);
                    best.place[k] = mask ? M{} + tap : best.place[k];
                }
        }
        return best;
    };
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

template <class T> void max_forward(const PoolShape& s, const T* x, T* y, void* index) {
    if (is_narrow<T>(s)) return max_forward_narrow(s, x, y, index);
    const bool bytes = pool_index_bytes(s.kernel_h, s.kernel_w) == 1;
    for_output_rows(s, [&](int64_t image, int64_t i) {
        const Window h = row_window(s, i);
        const T* from = x + image * s.in_h * s.in_w * s.channels;
        for (int64_t j = 0; j < s.out_w; ++j) {
            const Window w = col_window(s, j);
            for_channels<T>(s.channels, [&](int64_t c, auto count, auto part) DT_INLINE_LAMBDA {
                constexpr int n = decltype(count)::value;
                const Maximum<T, n> best = window_max<T, n>(s, h, w, from + c, part);
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

// Calls body(image) for images of a gradient that starts at 0.
template <class T, class F> void for_images(const PoolShape& s, T* dx, const F& body) {
    const int64_t size = s.in_h * s.in_w * s.channels;
    parallel(s.batch, grain_for(size), [&](int64_t begin, int64_t end) {
        for (int64_t image = begin; image < end; ++image) {
            memset(dx + image * size, 0, size_t(size) * sizeof(T));
            body(image);
        }
    });
}

template <class T, class I>
void scatter_max(const PoolShape& s, const T* dy, const I* index, T* dx, int64_t image) {
    T* to = dx + image * s.in_h * s.in_w * s.channels;
    for (int64_t i = 0; i < s.out_h; ++i) {
        const Window h = row_window(s, i);
        for (int64_t j = 0; j < s.out_w; ++j) {
            const Window w = col_window(s, j);
            const int64_t at = ((image * s.out_h + i) * s.out_w + j) * s.channels;
            for (int64_t c = 0; c < s.channels; ++c) {
                const int64_t place = index[at + c];
                const int64_t y = h.place(place / s.kernel_w), q = w.place(place % s.kernel_w);
                if (y < 0 || y >= s.in_h || q < 0 || q >= s.in_w) continue; // a window that meets nothing
                to[(y * s.in_w + q) * s.channels + c] += dy[at + c];
            }
        }
    }
}

// The outputs first .. last of one axis whose windows hold a place of the input, as the place moves on.
struct Cover {
    int64_t first = 0, last = -1, outputs, kernel, stride, pad;
    Cover(int64_t outputs, int64_t kernel, int64_t stride, int64_t pad)
        : outputs(outputs), kernel(kernel), stride(stride), pad(pad) {}
    void move_to(int64_t place) {
        while (last + 1 < outputs && (last + 1) * stride - pad <= place) ++last;
        while (first <= last && first * stride - pad + kernel <= place) ++first;
    }
    int64_t tap(int64_t output, int64_t place) const { return place + pad - output * stride; }
};

// Whether the gradient of an input is gathered from the windows that hold it: it is written once, and the
// rows of an image are independent.
constexpr int64_t kHolders = 64;
template <class T> bool gathers(const PoolShape& s) {
    return !s.adaptive && s.dilation_h == 1 && s.dilation_w == 1 && s.channels >= kLanes<T> &&
           ceil_div(s.kernel_h, s.stride_h) * ceil_div(s.kernel_w, s.stride_w) <= kHolders;
}

// An output whose window holds an input: its first element, and what share(i, j, tap) says of it: `tap` is
// the input's place in that window.
template <class Share> struct Holder {
    int64_t at;
    Share share;
};

// dx of every input = sum of term(element of dy, share, part) over the outputs whose windows hold it.
template <class T, class S, class F>
DT_INLINE void gather(const PoolShape& s, T* dx, const S& share, const F& term) {
    const bool streaming = can_stream(dx, s.batch * s.in_h * s.in_w * s.channels, s.channels);
    parallel(s.batch * s.in_h, grain_for(2 * s.in_w * s.channels), [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
            const int64_t image = r / s.in_h, y = r % s.in_h;
            Cover h(s.out_h, s.kernel_h, s.stride_h, s.pad_top),
                w(s.out_w, s.kernel_w, s.stride_w, s.pad_left);
            h.move_to(y);
            for (int64_t x = 0; x < s.in_w; ++x) {
                w.move_to(x);
                Holder<decltype(share(0, 0, 0))> holders[kHolders];
                int holding = 0;
                for (int64_t i = h.first; i <= h.last; ++i)
                    for (int64_t j = w.first; j <= w.last; ++j)
                        holders[holding++] = {((image * s.out_h + i) * s.out_w + j) * s.channels,
                                              share(i, j, h.tap(i, y) * s.kernel_w + w.tap(j, x))};
                T* to = dx + (r * s.in_w + x) * s.channels;
                // A constant where it is one of the common counts: a short loop of unknown length is
                // mispredicted.
                auto write = [&](auto count) DT_INLINE_LAMBDA {
                    for_vectors<T>(s.channels, [&](int64_t c, auto part) DT_INLINE_LAMBDA {
                        Vec<T> total{};
                        const int n = decltype(count)::value ? decltype(count)::value : holding;
                        for (int k = 0; k < n; ++k) total += term(holders[k].at + c, holders[k].share, part);
                        streaming ? stream(to + c, total, part) : store(to + c, total, part);
                    });
                };
                if (holding == 1)
                    write(Count<1>());
                else if (holding == 2)
                    write(Count<2>());
                else if (holding == 4)
                    write(Count<4>());
                else
                    write(Count<0>());
            }
        }
        if (streaming) finish_streaming();
    });
}

template <class T> void max_backward(const PoolShape& s, const T* dy, const void* index, T* dx) {
    const bool bytes = pool_index_bytes(s.kernel_h, s.kernel_w) == 1;
    const uint8_t* places = static_cast<const uint8_t*>(index);
    if (bytes && windows_apart(s) && s.channels < kLanes<T>) return max_backward_narrow(s, dy, places, dx);
    if (bytes && gathers<T>(s)) {
        using I = Lane<Mask<T>>;
        return gather(
            s, dx, [](int64_t, int64_t, int64_t tap) { return I(tap); },
            [&](int64_t at, I tap, auto part) DT_INLINE_LAMBDA {
                const Mask<T> place = load_places<T>(places + at, lanes_of<T>(part));
                return select(place == tap, load(dy + at, part), Vec<T>{});
            });
    }
    for_images(s, dx, [&](int64_t image) {
        if (bytes)
            scatter_max(s, dy, places, dx, image);
        else
            scatter_max(s, dy, static_cast<const int32_t*>(index), dx, image);
    });
}

PoolShape without_dilation(PoolShape s) {
    s.dilation_h = s.dilation_w = 1;
    return s;
}

template <class T> void average_forward(const PoolShape& shape, const T* x, T* y) {
    const PoolShape s = without_dilation(shape);
    if (is_narrow<T>(s)) return average_forward_narrow(s, x, y);
    for_output_rows(s, [&](int64_t image, int64_t i) {
        const Window h = row_window(s, i);
        for (int64_t j = 0; j < s.out_w; ++j) {
            const Window w = col_window(s, j);
            const T factor = average_factor<T>(s, h, w);
            T* to = y + ((image * s.out_h + i) * s.out_w + j) * s.channels;
            for_channels<T>(s.channels, [&](int64_t c, auto count, auto part) DT_INLINE_LAMBDA {
                constexpr int n = decltype(count)::value;
                Vec<T> total[n] = {};
                for (int64_t r = h.first; r < h.last;
                     ++r) { // row sums first: fewer roundings in a global pool
                    Vec<T> row[n] = {};
                    const T* from =
                        x + ((image * s.in_h + h.place(r)) * s.in_w + w.place(w.first)) * s.channels + c;
                    for (int64_t q = 0; q < w.count(); ++q, from += s.channels)
                        for (int k = 0; k < n; ++k) {
                            row[k] += load(from + k * kLanes<T>, part);
                            __builtin_prefetch(from + k * kLanes<T> + kPrefetch / int64_t(sizeof(T)));
                        }
                    for (int k = 0; k < n; ++k) total[k] += row[k];
                }
                for (int k = 0; k < n; ++k) store(to + c + k * kLanes<T>, total[k] * factor, part);
            });
        }
    });
}

template <class T> void average_backward(const PoolShape& shape, const T* dy, T* dx) {
    const PoolShape s = without_dilation(shape);
    if (windows_apart(s) && s.channels < kLanes<T>) return average_backward_narrow(s, dy, dx);
    if (gathers<T>(s)) {
        const T whole = whole_factor<T>(s);
        const int64_t in_h = s.in_h - s.kernel_h, in_w = s.in_w - s.kernel_w;
        auto share = [&](int64_t i, int64_t j, int64_t) {
            const int64_t top = i * s.stride_h - s.pad_top, left = j * s.stride_w - s.pad_left;
            if (top >= 0 && top <= in_h && left >= 0 && left <= in_w) return whole;
            return average_factor<T>(s, row_window(s, i), col_window(s, j));
        };
        return gather(s, dx, share, [&](int64_t at, T factor, auto part) DT_INLINE_LAMBDA {
            return load(dy + at, part) * factor;
        });
    }
    for_images(s, dx, [&](int64_t image) {
        for (int64_t i = 0; i < s.out_h; ++i) {
            const Window h = row_window(s, i);
            for (int64_t j = 0; j < s.out_w; ++j) {
                const Window w = col_window(s, j);
                const T factor = average_factor<T>(s, h, w);
                const T* from = dy + ((image * s.out_h + i) * s.out_w + j) * s.channels;
                for (int64_t c = 0; c < s.channels; c += kLanes<T>) {
                    const int64_t left = s.channels - c;
                    const Vec<T> g = load_upto(from + c, left) * factor;
                    for (int64_t r = h.first; r < h.last; ++r) {
                        T* to =
                            dx + ((image * s.in_h + h.place(r)) * s.in_w + w.place(w.first)) * s.channels + c;
                        for (int64_t q = 0; q < w.count(); ++q, to += s.channels)
                            store_upto(to, load_upto(to, left) + g, left);
                    }
                }
            }
        }
    });
}

template <class T> PoolKernels<T> kernels_of() {
    return {max_forward<T>, max_backward<T>, average_forward<T>, average_backward<T>};
}

} // namespace

Pool pool() { return {kernels_of<float>(), kernels_of<double>()}; }

} // namespace dt::cpu::DT_LEVEL
