#pragma once
// bfloat16 packed as pairs: see Pair in gemm_micro.h.
#include "kernels/cpu/gemm_micro.h"
#include "kernels/cpu/gemm_pack.h"

namespace dt::cpu::DT_LEVEL {
namespace {

// Pairs in which the depth of a product is packed; the last ones are filled with zeros.
#if defined(DT_LEVEL_amx)
constexpr int64_t kPairDepth = 16; // a tile is so deep
#else
constexpr int64_t kPairDepth = 1;
#endif
constexpr int64_t pairs_of(int64_t depth) { return round_up((depth + 1) / 2, kPairDepth); }

DT_INLINE Vec<Pair> load_pairs(const bfloat16_t* p) {
    Vec<Pair> v;
    memcpy(&v, p, sizeof v);
    return v;
}
// The first n bfloat16, at most two vectors' lanes; zeros behind them.
DT_INLINE Vec<Pair> load_pairs_tail(const bfloat16_t* p, int64_t n) {
    return (Vec<Pair>)_mm512_maskz_loadu_epi16(__mmask32((uint64_t{1} << n) - 1), p);
}
DT_INLINE Halves load_halves(const bfloat16_t* p) {
    Halves h;
    memcpy(&h, p, sizeof h);
    return h;
}
// The first n <= kLanes values of two rows as pairs; without `high` zeros take its place.
DT_INLINE Vec<Pair> join_rows(const bfloat16_t* low, const bfloat16_t* high, int64_t n) {
    const __mmask16 mask = __mmask16((1u << n) - 1);
    const Vec<Pair> first = widen((Halves)_mm256_maskz_loadu_epi16(mask, low)) >> 16;
    return high ? first | widen((Halves)_mm256_maskz_loadu_epi16(mask, high)) : first;
}

// A matrix of bfloat16 seen from one of its sides, as Strided sees it: item i at depth p is data[i * step + p
// * depth_step] for p < depth. Its interface counts pairs.
struct Pairs {
    const bfloat16_t* data;
    int64_t step, depth_step, depth;

    // Items whose pairs lie in memory as they are multiplied.
    bool readable() const {
        return kPairDepth == 1 && depth_step == 1 && step % 2 == 0 && depth % 2 == 0 &&
               reinterpret_cast<uintptr_t>(data) % sizeof(Pair) == 0;
    }
    const Pair* at(int64_t item, int64_t p) const { return reinterpret_cast<const Pair*>(address(item, p)); }
    // The lower (0) or upper (1) of the rows that pairs at depth p join; depth_step pairs further are those
    // of the next p.
    const Pair* row_at(int64_t item, int64_t p, int64_t upper) const {
        return reinterpret_cast<const Pair*>(address(item, p) + upper * depth_step);
    }
    int64_t item_step() const { return step / 2; }
    int64_t unit_step() const { return 1; }
    bool along() const { return step == 1; }
    bool converts_rows() const { return false; }
    void convert_rows(Pair*, int64_t, int64_t, int64_t, int64_t, int64_t) const {}
    void fetch(int64_t first, int64_t end, int64_t p) const {
        for (int64_t q = 2 * p; q < min(2 * p + 2, depth); ++q)
            for (int64_t i = first; i < end; i += 32) __builtin_prefetch(data + i + q * depth_step);
    }

    int64_t lines(int64_t count) const { return 2 * (count / 32 + 2); } // of both elements of a pair
    const Pair* line(int64_t first, int64_t count, int64_t p, int64_t i) const {
        return row_at(first + min(i / 2 * 32, count - 1), p, i % 2);
    }

    // to[p * width + i] = pair p0 + p of item first + i, for i < count and p < pairs; zeros for count <= i <
    // width and behind the depth.
    void pack(Pair* to, int64_t width, int64_t first, int64_t count, int64_t p0, int64_t pairs) const {
        const int64_t filled = clamp((depth + 1) / 2 - p0, int64_t{0}, pairs);
        if (depth_step == 1 && step != 1) {
            for (int64_t i = 0; i < count; i += kLanes<Pair>)
                pack_items(to + i, width, first + i, min(count - i, int64_t{kLanes<Pair>}), p0, filled,
                           i == 0 ? kLanes<Pair> : width - i);
        } else if (step == 1) {
            for (int64_t p = 0; p < filled; ++p) {
                const int64_t room = p + 1 < filled ? width * (filled - p) : width;
                pack_row(to + p * width, first, count, p0 + p, room);
            }
        } else {
            for (int64_t p = 0; p < filled; ++p)
                for (int64_t i = 0; i < count; ++i) to[p * width + i] = pair(first + i, p0 + p);
        }
        for (int64_t p = filled; p < pairs; ++p) fill_row(to + p * width, Pair(0), count);
        if (count < width)
            for (int64_t p = 0; p < pairs; ++p) fill_row(to + p * width + count, Pair(0), width - count);
    }

    // The order of AMX: by 16 pairs of depth, in it by item, `items` of them, each a run of 16 pairs. Zeros
    // for count <= i < items and behind the depth. Both `items` and `pairs` are multiples of 16.
    void pack_tiles(Pair* to, int64_t items, int64_t first, int64_t count, int64_t p0, int64_t pairs) const {
        constexpr int n = kLanes<Pair>;
        for (int64_t p = 0; p < pairs; p += n)
            for (int64_t i = 0; i < items; i += n, to += n * n) {
                const int64_t here = clamp(count - i, int64_t{0}, int64_t{n});
                Vec<Pair> v[n];
                if (step == 1 && depth_step != 1) {
#pragma GCC unroll 16
                    for (int q = 0; q < n; ++q) v[q] = across(first + i, p0 + p + q, here);
                    transpose_step<1>(v);
                } else {
#pragma GCC unroll 16
                    for (int q = 0; q < n; ++q) v[q] = q < here ? down(first + i + q, p0 + p) : zero<Pair>();
                }
#pragma GCC unroll 16
                for (int q = 0; q < n; ++q) store(to + q * n, v[q]);
            }
    }

  private:
    const bfloat16_t* address(int64_t item, int64_t p) const {
        return data + item * step + 2 * p * depth_step;
    }
    Pair pair(int64_t item, int64_t p) const {
        const bfloat16_t* low = address(item, p);
        if (2 * p >= depth) return 0;
        return Pair(low->bits) | (2 * p + 1 < depth ? Pair(low[depth_step].bits) << 16 : 0);
    }
    // Pair p of `count` items from `first` on, which lie side by side.
    DT_INLINE Vec<Pair> across(int64_t first, int64_t p, int64_t count) const {
        if (2 * p >= depth) return zero<Pair>();
        const bfloat16_t* low = data + first + 2 * p * depth_step;
        return join_rows(low, 2 * p + 1 < depth ? low + depth_step : nullptr, count);
    }
    // A vector of an item's pairs from p on.
    DT_INLINE Vec<Pair> down(int64_t item, int64_t p) const {
        const int64_t left = depth - 2 * p;
        const bfloat16_t* from = address(item, p);
        if (left <= 0) return zero<Pair>();
        if (depth_step == 1) return left >= 2 * kLanes<Pair> ? load_pairs(from) : load_pairs_tail(from, left);
        Vec<Pair> v{};
        for (int64_t q = 0; q < kLanes<Pair> && 2 * q < left; ++q) v[q] = pair(item, p + q);
        return v;
    }
    // A row of pack() in whole vectors as far as `room` goes; `count` of its pairs are items.
    DT_INLINE void pack_row(Pair* to, int64_t first, int64_t count, int64_t p, int64_t room) const {
        const bfloat16_t *low = address(first, p), *high = 2 * p + 1 < depth ? low + depth_step : nullptr;
        int64_t i = 0;
        if (high)
            for (; i + kLanes<Pair> <= count; i += kLanes<Pair>)
                store(to + i, widen(load_halves(low + i)) >> 16 | widen(load_halves(high + i)));
        for (; i < count; i += kLanes<Pair>) {
            const int64_t left = min(count - i, int64_t{kLanes<Pair>});
            const Vec<Pair> v = join_rows(low + i, high ? high + i : nullptr, left);
            store_upto(to + i, v, room - i >= kLanes<Pair> ? kLanes<Pair> : left);
        }
    }
    void pack_items(Pair* to, int64_t width, int64_t first, int64_t count, int64_t p0, int64_t pairs,
                    int64_t room) const {
        constexpr int n = kLanes<Pair>;
        for (int64_t p = 0; p < pairs; p += n) {
            Vec<Pair> v[n];
#pragma GCC unroll 16
            for (int i = 0; i < n; ++i) v[i] = i < count ? down(first + i, p0 + p) : zero<Pair>();
            transpose_step<1>(v);
            Pair* row = to + p * width;
            if (room >= n && (pairs - p - n + 1) * width >= n) { // spills into rows that follow
#pragma GCC unroll 16
                for (int i = 0; i < n; ++i) store(row + i * width, v[i]);
            } else {
                const int64_t rows = min(pairs - p, int64_t{n});
                for (int64_t i = 0; i < rows; ++i) store_upto(row + i * width, v[i], count);
            }
        }
    }
};

} // namespace
} // namespace dt::cpu::DT_LEVEL
