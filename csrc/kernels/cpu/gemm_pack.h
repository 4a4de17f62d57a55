#pragma once
// Copies a piece of an operand into the order in which compute_tile reads it.
#include "kernels/cpu/half.h"

namespace dt::cpu::DT_LEVEL {

// to[p * width + i] = from[i * step + p] for i < count <= kLanes, p < depth. `room` elements of a row of `to`
// may be written; what stands behind the first `count` of them is left undefined. In gemm_micro.cpp.
void pack_transposed(float* to, int64_t width, const float* from, int64_t step, int64_t count, int64_t depth,
                     int64_t room = 0);
void pack_transposed(double* to, int64_t width, const double* from, int64_t step, int64_t count,
                     int64_t depth, int64_t room = 0);

namespace {

// Swaps the lane bit `distance` with the vector bit of the same weight, for all vectors.
template <int distance, class V, int... I>
DT_INLINE void exchange(V& low, V& high, std::integer_sequence<int, I...>) {
    constexpr int n = kLanes<Lane<V>>;
    const V a = low, b = high;
    low = __builtin_shufflevector(a, b, (I & distance ? n + (I ^ distance) : I)...);
    high = __builtin_shufflevector(a, b, (I & distance ? n + I : (I ^ distance))...);
}
// Of fewer vectors than a vector has lanes each run of n lanes is transposed by itself.
template <int distance, class V, int n> DT_INLINE void transpose_step(V (&v)[n]) {
    if constexpr (distance < n) {
#pragma GCC unroll 16
        for (int i = 0; i < n; ++i)
            if (!(i & distance))
                exchange<distance>(v[i], v[i + distance], std::make_integer_sequence<int, kLanes<Lane<V>>>{});
        transpose_step<distance * 2>(v);
    }
}

// The same for values converted from S to T.
template <class T, class S>
void convert_transposed(T* to, int64_t width, const S* from, int64_t step, int64_t count, int64_t depth,
                        int64_t room = 0) {
    constexpr int n = kLanes<T>;
    int64_t p = 0;
    for (; p + n <= depth; p += n) {
        Vec<T> v[n];
#pragma GCC unroll 16
        for (int i = 0; i < n; ++i) v[i] = i < count ? load(from + i * step + p) : zero<T>();
        transpose_step<1>(v);
        T* row = to + p * width;
        if (room >= n && (depth - p - n + 1) * width >= n) {
#pragma GCC unroll 16
            for (int i = 0; i < n; ++i) store(row + i * width, v[i]);
        } else {
            for (int i = 0; i < n; ++i) store_upto(row + i * width, v[i], count);
        }
    }
    if (p == depth) return;
    const int64_t left = depth - p;
    Vec<T> v[n] = {};
    for (int i = 0; i < count; ++i) v[i] = load_tail(from + i * step + p, left);
    transpose_step<1>(v);
    for (int i = 0; i < left; ++i) store_upto(to + (p + i) * width, v[i], count);
}

template <class T, class S> DT_INLINE void copy_row(T* to, const S* from, int64_t count) {
    constexpr int64_t n = kLanes<Arithmetic<T>>;
    int64_t i = 0;
    for (; i + n <= count; i += n) store(to + i, load(from + i));
    if (i < count) store_tail(to + i, load_tail(from + i, count - i), count - i);
}
template <class T> DT_INLINE void add_row(T* to, const T* from, int64_t count) {
    int64_t i = 0;
    for (; i + kLanes<T> <= count; i += kLanes<T>) store(to + i, load(to + i) + load(from + i));
    if (i < count)
        store_tail(to + i, load_tail(to + i, count - i) + load_tail(from + i, count - i), count - i);
}
template <class T> DT_INLINE void fill_row(T* to, T value, int64_t count) {
    for (int64_t i = 0; i < count; i += kLanes<T>) store_upto(to + i, broadcast(value), count - i);
}

// A matrix seen from one of its sides: item i (a row of A, a column of B) at depth p is data[i * step + p *
// depth_step], stored as S and multiplied as T.
template <class T, class S = T> struct Strided {
    const S* data;
    int64_t step, depth_step;

    bool readable() const { return sizeof(S) == sizeof(T); } // items can also be read where they are
    const T* at(int64_t item, int64_t p) const {
        return reinterpret_cast<const T*>(data + item * step + p * depth_step);
    }
    int64_t item_step() const { return step; }
    int64_t unit_step() const { return depth_step; }
    bool along() const { return step == 1; } // the items of one depth lie side by side
    void fetch(int64_t first, int64_t end, int64_t p) const {
        for (int64_t i = first; i < end; i += 64 / int64_t(sizeof(S)))
            __builtin_prefetch(data + i * step + p * depth_step);
    }

    // The cache lines that hold `count` items of one depth, where they lie side by side, and line i of them;
    // that of the next depth is depth_step further.
    int64_t lines(int64_t count) const { return readable() ? count * int64_t(sizeof(S)) / 64 + 2 : 0; }
    const T* line(int64_t first, int64_t count, int64_t p, int64_t i) const {
        return at(first + min(i * 64 / int64_t(sizeof(S)), count - 1), p);
    }

    bool converts_rows() const { return !readable() && depth_step == 1 && step != 1; }
    // to[i * row + p] = item first + i at depth p0 + p.
    void convert_rows(T* to, int64_t row, int64_t first, int64_t count, int64_t p0, int64_t depth) const {
        if constexpr (sizeof(S) != sizeof(T))
            for (int64_t i = 0; i < count; ++i) copy_row(to + i * row, data + (first + i) * step + p0, depth);
    }

    // to[p * width + i] = item first + i at depth p0 + p, for i < count and p < depth; zeros for count <= i <
    // width.
    void pack(T* to, int64_t width, int64_t first, int64_t count, int64_t p0, int64_t depth) const {
        const S* from = data + first * step + p0 * depth_step;
        if (depth_step == 1 && step != 1) {
            // A vector may run into the next row where that is written later: in the first column of vectors.
            for (int64_t i = 0; i < count; i += kLanes<T>) {
                const int64_t some = min(count - i, int64_t{kLanes<T>}),
                              room = i == 0 ? kLanes<T> : width - i;
                if constexpr (__is_same(S, T))
                    pack_transposed(to + i, width, from + i * step, step, some, depth, room);
                else
                    convert_transposed(to + i, width, from + i * step, step, some, depth, room);
            }
        } else if (step == 1) {
            int64_t p = 0;
            if (count < kLanes<T>) // as above
                for (; (depth - p) * width >= kLanes<T>; ++p)
                    store(to + p * width, load_tail(from + p * depth_step, count));
            for (; p < depth; ++p) copy_row(to + p * width, from + p * depth_step, count);
        } else {
            for (int64_t p = 0; p < depth; ++p)
                for (int64_t i = 0; i < count; ++i)
                    to[p * width + i] = value_of(from[i * step + p * depth_step]);
        }
        if (count < width)
            for (int64_t p = 0; p < depth; ++p) fill_row(to + p * width + count, T(0), width - count);
    }
};

} // namespace
} // namespace dt::cpu::DT_LEVEL
