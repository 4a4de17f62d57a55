#pragma once
// Unsigned keys sorted in place by vectors: quicksort that packs both sides of a pivot with masks (Bramas,
// 2017) down to what a bitonic network sorts in registers (Batcher, 1968). Equal keys are alike, so the
// result does not depend on how the work is cut.
#include "kernels/cpu/common.h"
#include "kernels/cpu/mask_bits.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {
namespace {

template <class K> inline constexpr int64_t kNetwork = 16 * kLanes<K>; // keys that a network sorts
constexpr int kPieces = 16;                                            // that threads sort side by side

// --- Networks of `vectors` vectors ---

// Compares lanes a distance `j` apart, runs of `k` in turn ascending and descending; `base` is the index of
// the vector's first lane.
template <int k, int j, int base, class V, int... I>
DT_INLINE V exchange_lanes(V v, std::integer_sequence<int, I...> lanes) {
    const V other = swap_lanes<j>(v, lanes);
    const V low = v < other ? v : other, high = v < other ? other : v;
    constexpr int n = sizeof...(I);
    return __builtin_shufflevector(low, high, (((I & j) == 0) == (((base + I) & k) == 0) ? I : n + I)...);
}

template <int k, int j, int vectors, class V, int... I>
DT_INLINE void exchange(V* v, std::integer_sequence<int, I...>) {
    constexpr int n = kLanes<Lane<V>>;
    const auto at = [&](auto index) DT_INLINE_LAMBDA {
        constexpr int i = decltype(index)::value;
        if constexpr (j < n) {
            v[i] = exchange_lanes<k, j, i * n>(v[i], std::make_integer_sequence<int, n>());
        } else if constexpr ((i & (j / n)) == 0) {
            constexpr int partner = i | (j / n);
            const V a = v[i], b = v[partner], low = a < b ? a : b, high = a < b ? b : a;
            v[i] = (i * n & k) == 0 ? low : high;
            v[partner] = (i * n & k) == 0 ? high : low;
        }
    };
    (at(std::integral_constant<int, I>()), ...);
    if constexpr (j > 1) exchange<k, j / 2, vectors>(v, std::make_integer_sequence<int, vectors>());
}

template <int vectors, int k, class V> DT_INLINE void network(V* v) {
    if constexpr (k <= vectors * kLanes<Lane<V>>) {
        exchange<k, k / 2, vectors>(v, std::make_integer_sequence<int, vectors>());
        network<vectors, 2 * k>(v);
    }
}

template <int vectors, class K> void sort_vectors(K* keys, int64_t n) {
    Vec<K> v[vectors];
    for (int i = 0; i < vectors; ++i) {
        const int64_t left = n - i * kLanes<K>;
        v[i] = left >= kLanes<K> ? load(keys + i * kLanes<K>)
               : left <= 0 ? ~Vec<K>{}
                           : select(first_lanes<K>(left), load_tail(keys + i * kLanes<K>, left), ~Vec<K>{});
    }
    network<vectors, 2>(v);
    for (int i = 0; i < vectors; ++i)
        if (const int64_t left = n - i * kLanes<K>; left > 0) store_upto(keys + i * kLanes<K>, v[i], left);
}

template <int vectors, class K> void sort_few(K* keys, int64_t n) {
    if constexpr (vectors < 16)
        if (n > vectors * kLanes<K>) return sort_few<2 * vectors>(keys, n);
    sort_vectors<vectors>(keys, n);
}

// --- Quicksort ---

// Writes the lanes chosen by `bits` side by side; up to a whole vector is written.
template <class K> DT_INLINE Vec<K> compress(Vec<K> v, uint32_t bits) {
#if defined(DT_LEVEL_v4)
    if constexpr (sizeof(K) == 4)
        return (Vec<K>)_mm512_maskz_compress_epi32(__mmask16(bits), (__m512i)v);
    else
        return (Vec<K>)_mm512_maskz_compress_epi64(__mmask8(bits), (__m512i)v);
#else
    Vec<K> packed{};
    K chosen[kLanes<K> + 1];
    int count = 0;
    for (int i = 0; i < kLanes<K>; ++i) {
        chosen[count] = v[i];
        count += bits >> i & 1;
    }
    memcpy(&packed, chosen, sizeof packed);
    return packed;
#endif
}

// Moves the keys below the pivot, or not above it, to the front, and returns their number. `spare` has room
// for n keys and a vector.
template <bool equal_too, class K> int64_t partition(K* keys, int64_t n, K pivot, K* spare) {
    constexpr int lanes = kLanes<K>;
    const Vec<K> p = broadcast(pivot);
    K *low = keys, *high = spare;
    int64_t i = 0;
    for (; i + lanes <= n; i += lanes) {
        const Vec<K> v = load(keys + i);
        const uint32_t bits = mask_bits<K>(equal_too ? v <= p : v < p);
        const int count = __builtin_popcount(bits);
        store(low, compress<K>(v, bits)); // not beyond what was read
        store(high, compress<K>(v, ~bits));
        low += count;
        high += lanes - count;
    }
    if (i < n) {
        const uint32_t here = (1u << (n - i)) - 1;
        const Vec<K> v = load_tail(keys + i, n - i);
        const uint32_t bits = mask_bits<K>(equal_too ? v <= p : v < p) & here;
        const int count = __builtin_popcount(bits);
        store_tail(low, compress<K>(v, bits), count);
        store(high, compress<K>(v, ~bits & here));
        low += count;
        high += n - i - count;
    }
    memcpy(low, spare, size_t(high - spare) * sizeof(K));
    return low - keys;
}

// For what no pivot cuts well.
template <class K> void heap_sort(K* keys, int64_t n) {
    const auto sink = [&](int64_t at, int64_t size) {
        const K key = keys[at];
        for (int64_t child; (child = 2 * at + 1) < size; at = child) {
            if (child + 1 < size && keys[child] < keys[child + 1]) ++child;
            if (keys[child] <= key) break;
            keys[at] = keys[child];
        }
        keys[at] = key;
    };
    for (int64_t i = n / 2 - 1; i >= 0; --i) sink(i, n);
    for (int64_t i = n - 1; i > 0; --i) {
        const K last = keys[i];
        keys[i] = keys[0];
        keys[0] = last;
        sink(0, i);
    }
}

// Cuts keys in two: [0, first) and [second, n), what lies between is in its place.
struct Cut {
    int64_t first, second;
};
template <class K> Cut cut(K* keys, int64_t n, K* spare) {
    constexpr int lanes = kLanes<K>;
    K sample[lanes];
    for (int i = 0; i < lanes; ++i) sample[i] = keys[i * (n / lanes) + n / lanes / 2];
    sort_vectors<1>(sample, lanes);
    const K pivot = sample[lanes / 2];
    const int64_t below = partition<false>(keys, n, pivot, spare);
    if (below > 0) return {below, below};
    return {0, partition<true>(keys, n, pivot, spare)};
}

template <class K> void quicksort(K* keys, int64_t n, K* spare, int depth) {
    while (n > kNetwork<K>) {
        if (depth-- == 0) return heap_sort(keys, n);
        const Cut c = cut(keys, n, spare);
        if (c.first < n - c.second) {
            quicksort(keys, c.first, spare, depth);
            keys += c.second;
            n -= c.second;
        } else {
            quicksort(keys + c.second, n - c.second, spare, depth);
            n = c.first;
        }
    }
    if (n > 1) sort_few<1>(keys, n);
}

constexpr int64_t spare_keys(int64_t n) { return n + (kPieces + 1) * 16; }
constexpr int depth_for(int64_t n) { return 2 * (64 - __builtin_clzll(uint64_t(n) | 1)) + 8; }

// Large arrays are cut into pieces for the threads first. `spare` has room for spare_keys(n).
template <class K> void sort_keys(K* keys, int64_t n, K* spare) {
    constexpr int64_t enough = 16384;
    struct Piece {
        int64_t begin, size;
    } pieces[kPieces] = {{0, n}};
    int count = 1;
    while (count < kPieces) {
        int largest = 0;
        for (int i = 1; i < count; ++i)
            if (pieces[i].size > pieces[largest].size) largest = i;
        Piece& p = pieces[largest];
        if (p.size <= 2 * enough) break;
        const Cut c = cut(keys + p.begin, p.size, spare);
        // In the order of memory: a piece's number says where its part of `spare` begins.
        for (int i = count++; i > largest + 1; --i) pieces[i] = pieces[i - 1];
        pieces[largest + 1] = {p.begin + c.second, p.size - c.second};
        p.size = c.first;
    }
    parallel(count, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
            quicksort(keys + pieces[i].begin, pieces[i].size, spare + pieces[i].begin + i * 16,
                      depth_for(pieces[i].size));
    });
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
