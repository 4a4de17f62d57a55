#include "kernels/pool.h"

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

template <class T> void max_forward(const PoolShape& s, const T* x, T* y, void* index) {
    if (is_narrow<T>(s)) return max_forward_narrow(s, x, y, index);
    using M = Mask<T>;
    const bool bytes = pool_index_bytes(s.kernel_h, s.kernel_w) == 1;
    for_output_rows(s, [&](int64_t image, int64_t i) {
        const Window h = row_window(s, i);
        for (int64_t j = 0; j < s.out_w; ++j) {
            const Window w = col_window(s, j);
            const int64_t to = ((image * s.out_h + i) * s.out_w + j) * s.channels;
            for (int64_t c = 0; c < s.channels; c += kLanes<T>) {
                const int64_t left = s.channels - c;
                Vec<T> best = broadcast(-T(__builtin_inf()));
                M place = M{} + Lane<M>(h.first * s.kernel_w + w.first);
                for (int64_t r = h.first; r < h.last; ++r)
                    for (int64_t q = w.first; q < w.last; ++q) {
                        const T* from =
                            x + ((image * s.in_h + h.place(r)) * s.in_w + w.place(q)) * s.channels + c;
                        const Vec<T> v = load_upto(from, left);
                        // Greater, or the first NaN: nothing is greater than it afterwards.
                        const M better = (v > best) | ((v != v) & (best == best));
                        best = select(better, v, best);
                        place = better ? M{} + Lane<M>(r * s.kernel_w + q) : place;
                    }
                store_upto(y + to + c, best, left);
                if (index && bytes)
                    store_places<T>(static_cast<uint8_t*>(index) + to + c, place, left);
                else if (index)
                    store_places<T>(static_cast<int32_t*>(index) + to + c, place, left);
            }
        }
    });
}

// Calls body(image) for images and channel blocks of a gradient that starts at 0.
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

// Windows that do not overlap: every input belongs to at most one, which writes it, with one comparison per
// vector.
template <class T>
void gather_max(const PoolShape& s, const T* dy, const uint8_t* index, T* dx, int64_t image) {
    using M = Mask<T>;
    for (int64_t i = 0; i < s.out_h; ++i) {
        const Window h = row_window(s, i);
        for (int64_t j = 0; j < s.out_w; ++j) {
            const Window w = col_window(s, j);
            const int64_t at = ((image * s.out_h + i) * s.out_w + j) * s.channels;
            for (int64_t c = 0; c < s.channels; c += kLanes<T>) {
                const int64_t left = s.channels - c;
                const Vec<T> g = load_upto(dy + at + c, left);
                const M place = load_places<T>(index + at + c, left);
                for (int64_t r = h.first; r < h.last; ++r)
                    for (int64_t q = w.first; q < w.last; ++q) {
                        T* to = dx + ((image * s.in_h + h.place(r)) * s.in_w + w.place(q)) * s.channels + c;
                        store_upto(to, select(place == Lane<M>(r * s.kernel_w + q), g, zero<T>()), left);
                    }
            }
        }
    }
}

template <class T> void max_backward(const PoolShape& s, const T* dy, const void* index, T* dx) {
    const bool bytes = pool_index_bytes(s.kernel_h, s.kernel_w) == 1;
    const bool apart = windows_apart(s);
    if (bytes && apart && s.channels < kLanes<T>)
        return max_backward_narrow(s, dy, static_cast<const uint8_t*>(index), dx);
    for_images(s, dx, [&](int64_t image) {
        if (!bytes)
            scatter_max(s, dy, static_cast<const int32_t*>(index), dx, image);
        else if (apart)
            gather_max(s, dy, static_cast<const uint8_t*>(index), dx, image);
        else
            scatter_max(s, dy, static_cast<const uint8_t*>(index), dx, image);
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
            for (int64_t c = 0; c < s.channels; c += kLanes<T>) {
                const int64_t left = s.channels - c;
                Vec<T> total = zero<T>();
                for (int64_t r = h.first; r < h.last;
                     ++r) { // row sums first: fewer roundings in a global pool
                    Vec<T> row = zero<T>();
                    const T* from =
                        x + ((image * s.in_h + h.place(r)) * s.in_w + w.place(w.first)) * s.channels + c;
                    for (int64_t q = 0; q < w.count(); ++q) row += load_upto(from + q * s.channels, left);
                    total += row;
                }
                store_upto(to + c, total * factor, left);
            }
        }
    });
}

template <class T> void average_backward(const PoolShape& shape, const T* dy, T* dx) {
    const PoolShape s = without_dilation(shape);
    if (windows_apart(s) && s.channels < kLanes<T>) return average_backward_narrow(s, dy, dx);
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
