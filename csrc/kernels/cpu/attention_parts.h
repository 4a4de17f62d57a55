#pragma once
// What forward and backward of attention share. Scores are kept turned, as panels of [key][query], so that
// the lanes of a vector are queries: their largest and their sums need no step across lanes, and every
// product of a panel with another matrix reads it as it lies.
#include "kernels/attention.h"
#include "kernels/cpu/dropout_bits.h"
#include "kernels/cpu/gemm_pack.h"
#include "kernels/cpu/gemm_plan.h"
#if defined(DT_LEVEL_v4_bf16)
#include "kernels/cpu/gemm_pairs.h"
#endif
#include "kernels/cpu/math.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {
namespace {

template <class T>
inline constexpr int64_t kPanel = kTileCols<T>;     // queries of a panel: as many as a tile has columns
constexpr int64_t kMaskQueries = 32, kMaskKeys = 8; // what one group of dropout's random words decides
constexpr float kInfinity = __builtin_inff();

// Rows of one head as they are multiplied.
template <class T> struct Rows {
    const T* at;
    int64_t step;
    Rows from(int64_t row) const { return {at + row * step, step}; }
};

// Whether products multiply pairs of bfloat16, M, of which T are the sums; else M is T.
template <class M> inline constexpr bool kOfPairs = __is_same(M, Pair);

// c (rows x cols) = or += a b, of which a may lie in segments; see Tile.
template <class T> struct Product {
    const T* a;
    int64_t a_row, a_depth;
    Rows<T> b;
    int64_t rows, cols, depth;
    SumOf<T>* c;
    int64_t c_row;
    bool accumulate = false;
    int64_t segments = 1, a_segment = 0;

    [[gnu::noinline]] void run() const {
        Tile<T> tile;
        tile.segments = segments, tile.a_segment = a_segment, tile.depth = depth;
        tile.a_row = a_row, tile.a_depth = a_depth, tile.b_row = b.step;
        tile.c_row = c_row, tile.accumulate = accumulate;
        const RowPanels panels(rows);
        for (int64_t j = 0; j < cols; j += kTileCols<T>) {
            tile.cols = min(cols - j, kTileCols<T>);
            tile.b = b.at + j;
            for (int64_t r = 0; r < panels.panels; ++r) {
                const int64_t i = panels.start(r);
                tile.rows = panels.start(r + 1) - i;
                tile.a = a + i * a_row;
                tile.c = c + i * c_row + j;
                compute_tile(tile);
            }
        }
    }
};

// One block of working memory for all; the places are pointers to it.
template <class T, int n> void take(const int64_t (&sizes)[n], void* const (&places)[n]) {
    int64_t total = 0;
    for (int64_t size : sizes) total += round_up(size, 16);
    T* at = scratch<T>(Scratch::kernel, total);
    for (int i = 0; i < n; ++i) {
        memcpy(places[i], &at, sizeof at);
        at += round_up(sizes[i], 16);
    }
}

[[gnu::noinline]] inline Kept kept_weights(const RandomSource& source, int64_t group, uint32_t threshold) {
    return kept_of_group(source, group, threshold);
}

// Of one call: its arguments, and how they are stored.
template <class T> struct Problem {
    using V = Vec<T>;
    const AttentionArgs& args;
    DType stored;

    int64_t item() const { return is_half(stored) ? 2 : int64_t(sizeof(T)); }
    char* address(const HeadArray& x, int64_t b, int64_t h, int64_t t) const {
        return static_cast<char*>(x.data) + (b * x.batch + h * x.head + t * x.time) * item();
    }
    // Keys that a query may attend to for its place.
    int64_t visible(int64_t query) const {
        return args.causal ? clamp(query + 1 + args.keys - args.queries, int64_t{0}, args.keys) : args.keys;
    }
    static int64_t width(int64_t size) { return round_up(size, kLanes<T>); } // of a row of working memory

    [[gnu::noinline]] void read(const void* from, int64_t n, T* to) const {
        if constexpr (sizeof(T) == 4)
            if (is_half(stored)) return halves_to_floats(stored, n, from, to);
        copy_row(to, static_cast<const T*>(from), n);
    }
    [[gnu::noinline]] void write(const T* from, int64_t n, void* to) const {
        if constexpr (sizeof(T) == 4)
            if (is_half(stored)) return floats_to_halves(stored, n, from, to);
        copy_row(static_cast<T*>(to), from, n);
    }
    // Whether products read an array where it is: as T, without reading behind its end, and without rows that
    // evict each other from L1.
    bool in_place(const HeadArray& x, int64_t size) const {
        return !is_half(stored) && (kMasksB || size % kLanes<T> == 0) &&
               x.time * int64_t(sizeof(T)) % 4096 != 0;
    }
    // Elements of M for `count` copied rows.
    template <class M> int64_t copied(const HeadArray& x, int64_t size, int64_t count) const {
        if (kOfPairs<M>) return width(size) * ((count + 1) / 2) + (size + 1) / 2 * count;
        return in_place(x, size) ? 0 : width(size) * count;
    }
    // Rows [first, first + count) of a head, in `to` where they are not read in place.
    [[gnu::noinline]] Rows<T> rows(const HeadArray& x, int64_t size, int64_t b, int64_t h, int64_t first,
                                   int64_t count, T* to) const {
        if (in_place(x, size)) return {reinterpret_cast<const T*>(address(x, b, h, first)), x.time};
        for (int64_t i = 0; i < count; ++i) read(address(x, b, h, first + i), size, to + i * width(size));
        return {to, width(size)};
    }
    // The same scaled, always in `to`, with rows of zeros behind them up to whole panels.
    void scaled_rows(const HeadArray& x, int64_t size, int64_t b, int64_t h, int64_t first, int64_t count,
                     T scale, T* to) const {
        const int64_t step = width(size), padded = round_up(count, kPanel<T>);
        for (int64_t i = 0; i < count; ++i) {
            T* row = to + i * step;
            read(address(x, b, h, first + i), size, row);
            if (scale != T(1))
                for (int64_t j = 0; j < size; j += kLanes<T>)
                    store_upto(row + j, load_upto(row + j, size - j) * scale, size - j);
        }
        memset(to + count * step, 0, size_t((padded - count) * step) * sizeof(T));
    }
    // Rows as panels of [feature][row].
    [[gnu::noinline]] void turn(const T* rows, int64_t size, int64_t count, T* to) const {
        for (int64_t i = 0; i < count; i += kPanel<T>)
            Strided<T>{rows, width(size), 1}.pack(to + i * size, kPanel<T>, i, min(count - i, kPanel<T>), 0,
                                                  size);
    }

    // A panel of scores: `count` queries from q0 on (`cols` of them are computed) with keys [k0, k0 + keys).
    // Queries are scaled already, but for pairs.
    template <class M>
    [[gnu::noinline]] void score(int64_t b, int64_t h, int64_t q0, int64_t count, int64_t cols,
                                 const M* turned_queries, const Rows<M>& key, int64_t k0, int64_t keys, T* s,
                                 T* mask_memory) const {
        Product<M>{key.at, key.step, 1, {turned_queries, kPanel<T>}, keys, cols, depth_of<M>(args.size),
                   s,      kPanel<T>}
            .run();
        if constexpr (kOfPairs<M>)
            for (int64_t i = 0; i < keys * kPanel<T>; i += kLanes<T>)
                store(s + i, load(s + i) * T(args.scale));
        if (args.mask.kind != AttentionMask::Kind::none)
            add_mask(b, h, q0, count, cols, k0, keys, s, mask_memory);
        if (!args.causal) return;
        const int64_t all = q0 + 1 + args.keys - args.queries - k0; // keys that the first query sees
        for (int64_t k = max(int64_t{0}, all); k < keys; ++k)
            for (int64_t j = 0; j < cols; j += kLanes<T>) {
                T* at = s + k * kPanel<T> + j;
                const int64_t hidden = clamp(k + 1 - all - j, int64_t{0}, int64_t{kLanes<T>});
                store(at, select(first_lanes<T>(hidden), broadcast(T(-kInfinity)), load(at)));
            }
    }

    static int64_t mask_memory(int64_t keys) { return 2 * kPanel<T> * keys; }
    void add_mask(int64_t b, int64_t h, int64_t q0, int64_t count, int64_t cols, int64_t k0, int64_t keys,
                  T* s, T* memory) const {
        const AttentionMask& m = args.mask;
        const int64_t rows = m.query ? count : 1,
                      start = b * m.batch + h * m.head + q0 * m.query + k0 * m.key;
        for (int64_t i = 0; i < rows; ++i) {
            T* to = memory + i * keys;
            const int64_t first = start + i * m.query;
            if (m.kind == AttentionMask::Kind::boolean) {
                const uint8_t* from = static_cast<const uint8_t*>(m.data) + first;
                for (int64_t k = 0; k < keys; ++k) to[k] = from[k * m.key] ? T(0) : T(-kInfinity);
            } else {
                const T* from = static_cast<const T*>(m.data) + first;
                for (int64_t k = 0; k < keys; ++k) to[k] = from[k * m.key];
            }
        }
        T* turned = memory + kPanel<T> * keys;
        if (m.query) Strided<T>{memory, keys, 1}.pack(turned, kPanel<T>, 0, count, 0, keys);
        for (int64_t k = 0; k < keys; ++k)
            for (int64_t j = 0; j < cols; j += kLanes<T>) {
                T* at = s + k * kPanel<T> + j;
                store(at, load(at) + (m.query ? load(turned + k * kPanel<T> + j) : broadcast(memory[k])));
            }
    }

    // body(key, bits) for keys [k0, k0 + keys), counted from 0: bit i says whether dropout keeps the weight
    // of query q0 + i.
    template <class F>
    void for_kept(int64_t b, int64_t h, int64_t q0, int64_t k0, int64_t keys, const F& body) const {
        const uint32_t threshold = args.dropout < 1 ? uint32_t(args.dropout * 4294967296.0) : 0;
        const int64_t row = (b * args.heads + h) * ceil_div(args.queries, kMaskQueries) + q0 / kMaskQueries;
        const int64_t first = row * ceil_div(args.keys, kMaskKeys) + k0 / kMaskKeys;
        for (int64_t k = 0; k < keys; k += kMaskKeys) {
            const Kept kept = kept_weights(args.random, first + k / kMaskKeys, threshold);
            for (int64_t i = 0; i < min(kMaskKeys, keys - k); ++i)
                body(k + i, kept.bits[i / 2] >> (i % 2 * kMaskQueries + q0 % kMaskQueries));
        }
    }
    template <class M> static int64_t depth_of(int64_t n) { return kOfPairs<M> ? (n + 1) / 2 : n; }
    T kept_scale() const { return args.dropout < 1 ? T(1 / (1 - args.dropout)) : T(0); }
};

#if defined(DT_LEVEL_v4_bf16)
// Rounded, the even lanes from `low`.
DT_INLINE Vec<Pair> join_rounded(Vec<float> low, Vec<float> high) {
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23,
                                           7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    const __m512i both = (__m512i)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
    return (Vec<Pair>)_mm512_permutexvar_epi16(order, both);
}
// One behind the other.
DT_INLINE Vec<Pair> put_rounded(Vec<float> first, Vec<float> second) {
    return (Vec<Pair>)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first);
}
// Rows of scores as pairs of neighbouring rows; `to` may not be `from`.
[[gnu::noinline]] inline void join_keys(const float* from, int64_t keys, Pair* to) {
    constexpr int64_t row = kPanel<float>;
    for (int64_t k = 0; k < keys; k += 2, from += 2 * row, to += row)
        for (int64_t j = 0; j < row; j += kLanes<float>)
            store(to + j, join_rounded(load(from + j), k + 1 < keys ? load(from + row + j) : Vec<float>{}));
}

// How pairs are read from arrays of bfloat16.
struct PairReader {
    const Problem<float>& p;

    const bfloat16_t* address(const HeadArray& x, int64_t b, int64_t h, int64_t t) const {
        return reinterpret_cast<const bfloat16_t*>(p.address(x, b, h, t));
    }
    static int64_t units(int64_t n) { return (n + 1) / 2; }
    // Rows, of which the features make the pairs; in place where they can be.
    Rows<Pair> rows(const HeadArray& x, int64_t size, int64_t b, int64_t h, int64_t first, int64_t count,
                    Pair* to) const {
        const Pairs all{address(x, b, h, first), x.time, 1, size};
        if (all.readable() && x.time % 2048 != 0) return {all.at(0, 0), all.item_step()};
        for (int64_t i = 0; i < count; ++i) {
            to[(i + 1) * units(size) - 1] = 0;
            memcpy(to + i * units(size), address(x, b, h, first + i), size_t(size) * sizeof(bfloat16_t));
        }
        return {to, units(size)};
    }
    // Panels of [pair of features][row].
    [[gnu::noinline]] void turn(const HeadArray& x, int64_t size, int64_t b, int64_t h, int64_t first,
                                int64_t count, Pair* to) const {
        for (int64_t i = 0; i < count; i += kPanel<float>)
            Pairs{address(x, b, h, first + i), x.time, 1, size}.pack(
                to + i * units(size), kPanel<float>, 0, min(count - i, kPanel<float>), 0, units(size));
    }
    // [pair of rows][feature], with zeros up to `rows`.
    [[gnu::noinline]] void join(const HeadArray& x, int64_t size, int64_t b, int64_t h, int64_t first,
                                int64_t count, int64_t rows, Pair* to) const {
        Pairs{address(x, b, h, first), 1, x.time, count}.pack(to, p.width(size), 0, size, 0, units(rows));
    }
};
#endif

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
