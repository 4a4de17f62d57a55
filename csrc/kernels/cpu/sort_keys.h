#pragma once
// Unsigned keys sorted in place by vectors: quicksort that packs both sides of a pivot with masks (Bramas,
// 2017) down to what a bitonic network sorts in registers (Batcher, 1968). Equal keys are alike, so the
// result does not depend on how the work is cut.
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/mask_bits.h"
#include "kernels/cpu/sort.h"
#include "kernels/cpu/transpose.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {
namespace {

// Keys alone, or each with a tag that goes where its key goes. Keys with tags are below the largest number:
// it stands behind the end of what fills no vector.
template <class K, bool tagged> struct Lot {
    K* keys;
    K* tags = nullptr;
    Lot operator+(int64_t n) const { return {keys + n, tagged ? tags + n : nullptr}; }
};
template <class K, bool tagged> struct Group {
    Vec<K> key;
};
template <class K> struct Group<K, true> {
    Vec<K> key, tag;
};

template <class K, bool tagged>
inline constexpr int64_t kNetwork = (tagged ? 8 : 16) * kLanes<K>; // keys that a network sorts

// --- Networks of `vectors` groups ---

// Where a lane of `sense` has the smaller key and the others have the larger one, they stay; else they take
// those of `other`. Equal keys change places.
template <uint32_t sense, class K> DT_INLINE Group<K, true> ordered(Group<K, true> v, Group<K, true> other) {
#if defined(DT_LEVEL_v4)
    static_assert(sizeof(K) == 8);
    const __mmask8 keep = _mm512_mask_cmplt_epu64_mask(__mmask8(sense), (__m512i)v.key, (__m512i)other.key) |
                          _mm512_mask_cmpgt_epu64_mask(__mmask8(~sense), (__m512i)v.key, (__m512i)other.key);
    return {(Vec<K>)_mm512_mask_mov_epi64((__m512i)other.key, keep, (__m512i)v.key),
            (Vec<K>)_mm512_mask_mov_epi64((__m512i)other.tag, keep, (__m512i)v.tag)};
#else
    Mask<K> small{};
    for (int i = 0; i < kLanes<K>; ++i) small[i] = sense >> i & 1 ? -1 : 0;
    const Mask<K> keep = ((v.key < other.key) & small) | ((v.key > other.key) & ~small);
    return {select(keep, v.key, other.key), select(keep, v.tag, other.tag)};
#endif
}

// Compares lanes a distance `j` apart, runs of `k` in turn ascending and descending; `base` is the index of
// the vector's first lane.
template <int k, int j, int base, class K, bool tagged, int... I>
DT_INLINE Group<K, tagged> exchange_lanes(Group<K, tagged> v, std::integer_sequence<int, I...> lanes) {
    if constexpr (tagged) {
        constexpr uint32_t sense = (0 | ... | uint32_t((((I & j) == 0) == (((base + I) & k) == 0)) << I));
        return ordered<sense>(v, {swap_lanes<j>(v.key, lanes), swap_lanes<j>(v.tag, lanes)});
    } else {
        const Vec<K> other = swap_lanes<j>(v.key, lanes), low = v.key < other ? v.key : other;
#if defined(DT_LEVEL_v4)
        constexpr uint32_t high = (0 | ... | uint32_t((((I & j) == 0) != (((base + I) & k) == 0)) << I));
        if constexpr (sizeof(K) == 4)
            return {
                (Vec<K>)_mm512_mask_max_epu32((__m512i)low, __mmask16(high), (__m512i)v.key, (__m512i)other)};
        else
            return {
                (Vec<K>)_mm512_mask_max_epu64((__m512i)low, __mmask8(high), (__m512i)v.key, (__m512i)other)};
#else
        const Vec<K> high = v.key < other ? other : v.key;
        constexpr int n = sizeof...(I);
        return {
            __builtin_shufflevector(low, high, (((I & j) == 0) == (((base + I) & k) == 0) ? I : n + I)...)};
#endif
    }
}

template <class K, bool tagged> DT_INLINE void order(Group<K, tagged>& low, Group<K, tagged>& high) {
    const Group<K, tagged> a = low, b = high;
    low.key = a.key < b.key ? a.key : b.key;
    high.key = a.key < b.key ? b.key : a.key;
    if constexpr (tagged) {
        low.tag = a.key < b.key ? a.tag : b.tag;
        high.tag = a.key < b.key ? b.tag : a.tag;
    }
}

template <int k, int j, int vectors, class K, bool tagged, int... I>
DT_INLINE void exchange(Group<K, tagged>* v, std::integer_sequence<int, I...>) {
    constexpr int n = kLanes<K>;
    const auto at = [&](auto index) DT_INLINE_LAMBDA {
        constexpr int i = decltype(index)::value;
        if constexpr (j < n) {
            v[i] = exchange_lanes<k, j, i * n>(v[i], std::make_integer_sequence<int, n>());
        } else if constexpr ((i & (j / n)) == 0) {
            constexpr int partner = i | (j / n);
            if constexpr ((i * n & k) == 0)
                order(v[i], v[partner]);
            else
                order(v[partner], v[i]);
        }
    };
    (at(std::integral_constant<int, I>()), ...);
    if constexpr (j > 1) exchange<k, j / 2, vectors>(v, std::make_integer_sequence<int, vectors>());
}

template <int vectors, int k, class K, bool tagged> DT_INLINE void merge_runs(Group<K, tagged>* v) {
    if constexpr (k <= vectors * kLanes<K>) {
        exchange<k, k / 2, vectors>(v, std::make_integer_sequence<int, vectors>());
        merge_runs<vectors, 2 * k>(v);
    }
}

// Batcher's odd-even merge sort of n entries, as pairs to be ordered.
template <int n> struct Comparators {
    int count = 0, low[n * n] = {}, high[n * n] = {};
    constexpr Comparators() {
        for (int p = 1; p < n; p *= 2)
            for (int k = p; k >= 1; k /= 2)
                for (int j = k % p; j + k < n; j += 2 * k)
                    for (int i = j; i < j + k && i + k < n; ++i)
                        if (i / (2 * p) == (i + k) / (2 * p)) {
                            low[count] = i;
                            high[count++] = i + k;
                        }
    }
};

// Every lane for itself, over all vectors.
template <int vectors, class K, bool tagged, int... I>
DT_INLINE void sort_columns(Group<K, tagged>* v, std::integer_sequence<int, I...>) {
    constexpr Comparators<vectors> pairs;
    (order(v[pairs.low[I]], v[pairs.high[I]]), ...);
}

// Columns become runs: those of lane i the groups from i * vectors / lanes on.
template <int vectors, class K> DT_INLINE void turn_columns(Vec<K>* v) {
    constexpr int lanes = kLanes<K>, squares = vectors / lanes;
    Vec<K> turned[vectors];
#pragma GCC unroll 16
    for (int s = 0; s < squares; ++s) {
        transpose_rows<1>(v + s * lanes);
#pragma GCC unroll 16
        for (int i = 0; i < lanes; ++i) turned[i * squares + s] = v[s * lanes + i];
    }
#pragma GCC unroll 16
    for (int i = 0; i < vectors; ++i) v[i] = turned[i];
}

// Where the vectors make squares, columns are sorted first: what is across vectors needs no shuffles.
template <int vectors, class K, bool tagged> DT_INLINE void network(Group<K, tagged>* v) {
    constexpr int lanes = kLanes<K>;
    if constexpr (vectors % lanes != 0) {
        merge_runs<vectors, 2>(v);
    } else {
        const Vec<K> descending = (Vec<K>)-(iota<K>() & K(1)); // of every other run, by its complement
#pragma GCC unroll 16
        for (int i = 0; i < vectors; ++i) v[i].key ^= descending;
        sort_columns<vectors>(v, std::make_integer_sequence<int, Comparators<vectors>().count>());
        Vec<K> keys[vectors];
#pragma GCC unroll 16
        for (int i = 0; i < vectors; ++i) keys[i] = v[i].key ^ descending;
        turn_columns<vectors, K>(keys);
#pragma GCC unroll 16
        for (int i = 0; i < vectors; ++i) v[i].key = keys[i];
        if constexpr (tagged) {
#pragma GCC unroll 16
            for (int i = 0; i < vectors; ++i) keys[i] = v[i].tag;
            turn_columns<vectors, K>(keys);
#pragma GCC unroll 16
            for (int i = 0; i < vectors; ++i) v[i].tag = keys[i];
        }
        merge_runs<vectors, 2 * vectors>(v);
    }
}

template <int vectors, class K, bool tagged> void sort_vectors(Lot<K, tagged> lot, int64_t n) {
    constexpr int lanes = kLanes<K>;
    Group<K, tagged> v[vectors];
    for (int i = 0; i < vectors; ++i) {
        const int64_t left = n - i * lanes;
        const auto part = [&](const K* p) DT_INLINE_LAMBDA {
            return left >= lanes ? load(p + i * lanes)
                   : left <= 0   ? ~Vec<K>{}
                                 : select(first_lanes<K>(left), load_tail(p + i * lanes, left), ~Vec<K>{});
        };
        v[i].key = part(lot.keys);
        if constexpr (tagged) v[i].tag = part(lot.tags);
    }
    network<vectors>(v);
    for (int i = 0; i < vectors; ++i)
        if (const int64_t left = n - i * lanes; left > 0) {
            store_upto(lot.keys + i * lanes, v[i].key, left);
            if constexpr (tagged) store_upto(lot.tags + i * lanes, v[i].tag, left);
        }
}

template <int vectors, class K, bool tagged> void sort_few(Lot<K, tagged> lot, int64_t n) {
    if constexpr (vectors * kLanes<K> < kNetwork<K, tagged>)
        if (n > vectors * kLanes<K>) return sort_few<2 * vectors>(lot, n);
    sort_vectors<vectors>(lot, n);
}

template <class V, int... I> DT_INLINE V reversed(V v, std::integer_sequence<int, I...>) {
    return __builtin_shufflevector(v, v, (int(sizeof...(I)) - 1 - I)...);
}

// Up to twice as many as a network sorts: two of them, merged.
template <class K, bool tagged> void sort_twice(Lot<K, tagged> lot, int64_t n) {
    constexpr int64_t half = kNetwork<K, tagged>;
    constexpr int lanes = kLanes<K>, vectors = half / lanes;
    using Lanes = std::make_integer_sequence<int, lanes>;
    sort_vectors<vectors>(lot, half);
    sort_vectors<vectors>(lot + half, n - half);
    const auto padded = [&](const K* p, int i) DT_INLINE_LAMBDA {
        const int64_t left = n - half - i * lanes;
        return left >= lanes ? load(p + half + i * lanes)
               : left <= 0   ? ~Vec<K>{}
                             : select(first_lanes<K>(left), load_tail(p + half + i * lanes, left), ~Vec<K>{});
    };
    Group<K, tagged> low[vectors], high[vectors];
#pragma GCC unroll 16
    for (int i = 0; i < vectors; ++i) {
        low[i].key = load(lot.keys + i * lanes);
        high[i].key = reversed(padded(lot.keys, vectors - 1 - i), Lanes());
        if constexpr (tagged) {
            low[i].tag = load(lot.tags + i * lanes);
            high[i].tag = reversed(padded(lot.tags, vectors - 1 - i), Lanes());
        }
        order(low[i], high[i]);
    }
    using All = std::make_integer_sequence<int, vectors>;
    exchange<2 * half, half / 2, vectors>(low, All());
#pragma GCC unroll 16
    for (int i = 0; i < vectors; ++i) {
        store(lot.keys + i * lanes, low[i].key);
        if constexpr (tagged) store(lot.tags + i * lanes, low[i].tag);
    }
    exchange<2 * half, half / 2, vectors>(high, All());
    for (int i = 0; i < vectors; ++i)
        if (const int64_t left = n - half - i * lanes; left > 0) {
            store_upto(lot.keys + half + i * lanes, high[i].key, left);
            if constexpr (tagged) store_upto(lot.tags + half + i * lanes, high[i].tag, left);
        }
}

// --- Quicksort ---

// Moves the keys below the pivot, or not above it, to the front, and returns their number. `spare` has room
// for n keys and a vector.
template <bool equal_too, class K, bool tagged>
int64_t partition(Lot<K, tagged> lot, int64_t n, K pivot, Lot<K, tagged> spare) {
    constexpr int lanes = kLanes<K>;
    const Vec<K> p = broadcast(pivot);
    int64_t low = 0, high = 0;
    const auto bits_of = [&](int64_t i, auto part) DT_INLINE_LAMBDA {
        const Vec<K> v = load(lot.keys + i, part);
        return mask_bits<K>(equal_too ? v <= p : v < p);
    };
    const auto move = [&](K* from, K* other, int64_t i, uint32_t bits, uint32_t rest) DT_INLINE_LAMBDA {
        const Vec<K> v = load(from + i);
        store(from + low, compress<K>(v, bits)); // not beyond what was read
        store(other + high, compress<K>(v, rest));
    };
    int64_t i = 0;
    for (; i + lanes <= n; i += lanes) {
        const uint32_t bits = bits_of(i, Whole{});
        const int count = __builtin_popcount(bits);
        move(lot.keys, spare.keys, i, bits, ~bits);
        if constexpr (tagged) move(lot.tags, spare.tags, i, bits, ~bits);
        low += count;
        high += lanes - count;
    }
    if (i < n) {
        const Part part{n - i};
        const uint32_t here = (1u << (n - i)) - 1, bits = bits_of(i, part) & here;
        const int count = __builtin_popcount(bits);
        const auto move_rest = [&](K* from, K* other) DT_INLINE_LAMBDA {
            const Vec<K> v = load(from + i, part);
            store_tail(from + low, compress<K>(v, bits), count);
            store(other + high, compress<K>(v, ~bits & here));
        };
        move_rest(lot.keys, spare.keys);
        if constexpr (tagged) move_rest(lot.tags, spare.tags);
        low += count;
        high += n - i - count;
    }
    memcpy(lot.keys + low, spare.keys, size_t(high) * sizeof(K));
    if constexpr (tagged) memcpy(lot.tags + low, spare.tags, size_t(high) * sizeof(K));
    return low;
}

// For what no pivot cuts well.
template <class K, bool tagged> void heap_sort(Lot<K, tagged> lot, int64_t n) {
    const auto move = [&](int64_t to, int64_t from) {
        lot.keys[to] = lot.keys[from];
        if constexpr (tagged) lot.tags[to] = lot.tags[from];
    };
    const auto sink = [&](int64_t at, int64_t size) {
        const K key = lot.keys[at], tag = tagged ? lot.tags[at] : K(0);
        for (int64_t child; (child = 2 * at + 1) < size; at = child) {
            if (child + 1 < size && lot.keys[child] < lot.keys[child + 1]) ++child;
            if (lot.keys[child] <= key) break;
            move(at, child);
        }
        lot.keys[at] = key;
        if constexpr (tagged) lot.tags[at] = tag;
    };
    for (int64_t i = n / 2 - 1; i >= 0; --i) sink(i, n);
    for (int64_t i = n - 1; i > 0; --i) {
        const K last = lot.keys[i], tag = tagged ? lot.tags[i] : K(0);
        move(i, 0);
        lot.keys[0] = last;
        if constexpr (tagged) lot.tags[0] = tag;
        sink(0, i);
    }
}

// Cuts keys in two: [0, first) and [second, n), what lies between is in its place.
struct Cut {
    int64_t first, second;
};
template <class K, bool tagged> Cut cut(Lot<K, tagged> lot, int64_t n, Lot<K, tagged> spare) {
    constexpr int most = 4 * kLanes<K>;
    K sample[most];
    const int count = n < 64 * most ? kLanes<K> : most;
    for (int i = 0; i < count; ++i) sample[i] = lot.keys[i * (n / count) + n / count / 2];
    sort_few<1>(Lot<K, false>{sample}, count);
    const K pivot = sample[count / 2];
    const int64_t below = partition<false>(lot, n, pivot, spare);
    if (below > 0) return {below, below};
    return {0, partition<true>(lot, n, pivot, spare)};
}

template <class K, bool tagged>
void quicksort(Lot<K, tagged> lot, int64_t n, Lot<K, tagged> spare, int depth) {
    while (n > 2 * kNetwork<K, tagged>) {
        if (depth-- == 0) return heap_sort(lot, n);
        const Cut c = cut(lot, n, spare);
        if (c.first < n - c.second) {
            quicksort(lot, c.first, spare, depth);
            lot = lot + c.second;
            n -= c.second;
        } else {
            quicksort(lot + c.second, n - c.second, spare, depth);
            n = c.first;
        }
    }
    if (n > kNetwork<K, tagged>)
        sort_twice(lot, n);
    else if (n > 1)
        sort_few<1>(lot, n);
}

// Keys of few values, as a sample says, are counted and written anew. False where others turn up.
template <class K> bool sort_by_counting(K* keys, int64_t n) {
    constexpr int most = 8, samples = 64, lanes = kLanes<K>;
    constexpr int64_t chunk = 64 * lanes;
    if (n < 16 * samples) return false;
    K values[most];
    int64_t counts[most] = {};
    int found = 0;
    const auto find = [&](K key) {
        int k = 0;
        while (k < found && values[k] != key) ++k;
        return k;
    };
    for (int i = 0; i < samples; ++i) {
        const K key = keys[i * (n / samples)];
        const int k = find(key);
        if (k == most) return false;
        values[k] = key;
        found = max(found, k + 1);
    }
    for (int k = found; k < most; ++k) values[k] = values[0];
    int64_t i = 0;
    for (; i + chunk <= n; i += chunk) {
        Mask<K> seen[most] = {};
        for (int64_t j = i; j < i + chunk; j += lanes)
            for (int k = 0; k < most; ++k) seen[k] -= load(keys + j) == broadcast(values[k]);
        int64_t known = 0;
        for (int k = 0; k < found; ++k) {
            const int64_t total =
                reduce(seen[k], [](Mask<K> a, Mask<K> b) DT_INLINE_LAMBDA { return a + b; });
            counts[k] += total;
            known += total;
        }
        if (known < chunk) return false;
    }
    for (; i < n; ++i) {
        const int k = find(keys[i]);
        if (k == found) return false;
        ++counts[k];
    }
    for (; found > 0; --found) {
        int k = 0;
        for (int other = 1; other < found; ++other)
            if (values[other] < values[k]) k = other;
        for (const K* end = keys + counts[k]; keys < end; ++keys) *keys = values[k];
        values[k] = values[found - 1];
        counts[k] = counts[found - 1];
    }
    return true;
}

constexpr int depth_for(int64_t n) { return 2 * (64 - __builtin_clzll(uint64_t(n) | 1)) + 8; }

// Large arrays are cut into pieces for the threads first. `spare` has room for spare_keys(n).
template <class K, bool tagged> void sort_lot(Lot<K, tagged> lot, int64_t n, Lot<K, tagged> spare) {
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
        const Cut c = cut(lot + p.begin, p.size, spare);
        // In the order of memory: a piece's number says where its part of `spare` begins.
        for (int i = count++; i > largest + 1; --i) pieces[i] = pieces[i - 1];
        pieces[largest + 1] = {p.begin + c.second, p.size - c.second};
        p.size = c.first;
    }
    parallel(count, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
            quicksort(lot + pieces[i].begin, pieces[i].size, spare + (pieces[i].begin + i * 16),
                      depth_for(pieces[i].size));
    });
}

template <class K> void sort_plain(K* keys, int64_t n, K* spare) {
    if (!sort_by_counting(keys, n)) sort_lot(Lot<K, false>{keys}, n, Lot<K, false>{spare});
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
