#pragma once
// Reductions whose blocks are no plain running values: positions of extremes, and variances.
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/mask_bits.h"
#include "kernels/cpu/reduce_ops.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

namespace dt::cpu::DT_LEVEL {
namespace {

template <class T, bool largest> struct Position {
    using Value = T;
    using Top = Extreme<T, largest>;
    struct Acc {
        T value;
        int64_t index; // -1: none yet
    };
    static Acc init() { return {T(0), -1}; }
    static DT_INLINE bool better(T a, T b) { return (largest ? a > b : a < b) | (int(a != a) & int(b == b)); }
    static void merge(Acc& acc, const Acc& other) {
        if (acc.index >= 0 && (other.index < 0 || better(acc.value, other.value))) return;
        if (acc.index < 0 || better(other.value, acc.value) || other.index < acc.index) acc = other;
    }
    // Every `step`-th row was seen, from `first` on.
    static void unfold(Acc& acc, int64_t first, int64_t step) { acc.index = first + acc.index * step; }
    static void write(const Acc& acc, const Finish& f) { store_int64(f, acc.index); }

    template <class S>
    [[gnu::noinline, gnu::noclone]] static void rows(Acc& acc, const S* x, int64_t n, int64_t first) {
        for (int64_t i = 0; i < n; i += kSumBlock) { // few blocks hold a new best, and need a search
            const int64_t m = n - i < kSumBlock ? n - i : kSumBlock;
            if constexpr (sizeof(T) > 1)
                if (m <= kShort) {
                    int64_t at;
                    short_rows<S>(1, m, reinterpret_cast<const char*>(x + i), 0, &at, 0);
                    const T best = value_of(x[i + at]);
                    if (acc.index < 0 || better(best, acc.value)) acc = {best, first + i + at};
                    return;
                }
            const T best = top_of(x + i, m);
            if (acc.index < 0 || better(best, acc.value)) acc = {best, first + i + find(x + i, m, best)};
        }
    }

    // The places of the best of rows of so few values that they stay in registers.
    static constexpr int kMaxVectors = 8 * kLanes<T> <= 64 ? 8 : 4;
    static constexpr int64_t kShort = sizeof(T) > 1 ? kMaxVectors * kLanes<T> : 0;
    template <class S>
    [[gnu::noinline, gnu::noclone]] static void short_rows(int64_t rows, int64_t n, const char* x,
                                                           int64_t step, int64_t* place, int64_t place_step) {
        if constexpr (kShort > 0) {
            const auto run = [&](auto vectors) DT_INLINE_LAMBDA {
                for (int64_t r = 0; r < rows; ++r, x += step, place += place_step)
                    short_row<vectors>(reinterpret_cast<const S*>(x), n, *place);
            };
            constexpr int lanes = kLanes<T>;
            n <= lanes       ? run(std::integral_constant<int, 1>())
            : n <= 2 * lanes ? run(std::integral_constant<int, 2>())
            : n <= 4 * lanes ? run(std::integral_constant<int, 4>())
                             : run(std::integral_constant<int, kMaxVectors>());
        }
    }

    template <int n, class V, class Pick> static DT_INLINE V joined(V* v, const Pick& pick) {
#pragma GCC unroll 16
        for (int k = 0; k < n / 2; ++k) v[k] = pick(v[k], v[k + n / 2]);
        if constexpr (n > 1) return joined<n / 2>(v, pick);
        return v[0];
    }

    // One of them. No branch looks at numbers. The last vectors overlap what came before.
    template <int vectors, class S> static DT_INLINE void short_row(const S* x, int64_t n, int64_t& place) {
        constexpr int lanes = kLanes<T>;
        const auto pick = [](Vec<T> a, Vec<T> b) DT_INLINE_LAMBDA {
            return largest ? max_or_second(a, b) : min_or_second(a, b);
        };
        const auto at = [n](int k) DT_INLINE_LAMBDA {
            return vectors == 1 || (k + 1) * lanes <= n ? int64_t(k * lanes) : n - lanes;
        };
        Vec<T> v[vectors], top[vectors];
#pragma GCC unroll 16
        for (int k = 0; k < vectors; ++k)
            top[k] = v[k] = vectors > 1 ? load(x + at(k)) : fill_rest(load_upto(x, n), Top::init(), Part{n});
        if constexpr (kFloating<T>) {
            uint32_t strange = 0;
#pragma GCC unroll 16
            for (int k = 0; k < vectors; k += 2) strange |= unordered_bits(v[k], v[(k + 1) % vectors]);
            if (strange) {
                place = find(x, n, T(__builtin_nan("")));
                return;
            }
        }
        const T best = reduce(joined<vectors>(top, pick), pick);
        uint64_t here = 0;
#pragma GCC unroll 16
        for (int k = 0; k < vectors; ++k) here |= uint64_t(equal_bits(v[k], broadcast(best))) << at(k);
        place = __builtin_ctzll(here);
    }

    // The extreme of n > kShort values, NaN if any is. Numbers are compared without a thought for NaN, which
    // would show in their sum.
    template <class S> static T top_of(const S* x, int64_t n) {
        if constexpr (sizeof(T) == 1) {
            return block_of<Top>(x, n);
        } else {
            constexpr int lanes = kLanes<T>;
            const auto pick = [](Vec<T> v, Vec<T> top) DT_INLINE_LAMBDA {
                return largest ? max_or_second(v, top) : min_or_second(v, top);
            };
            Vec<T> top[4], total[4] = {};
            for (auto& t : top) t = broadcast(Top::init());
            int64_t i = 0;
            for (; i + 4 * lanes <= n; i += 4 * lanes)
#pragma GCC unroll 16
                for (int k = 0; k < 4; ++k) {
                    const Vec<T> v = load(x + i + k * lanes);
                    top[k] = pick(v, top[k]);
                    if constexpr (kFloating<T>) total[k] += v;
                }
            for (; i < n; i += lanes) { // the last vector may overlap what came before
                const Vec<T> v = load(x + (i + lanes <= n ? i : n - lanes));
                top[0] = pick(v, top[0]);
                if constexpr (kFloating<T>) total[0] += v;
            }
            top[0] = pick(pick(top[0], top[1]), pick(top[2], top[3]));
            if constexpr (kFloating<T>) {
                total[0] = (total[0] + total[1]) + (total[2] + total[3]);
                if (mask_bits<T>(total[0] != total[0])) return block_of_floats<Top>(x, n);
            }
            return reduce(top[0], pick);
        }
    }

    // The first place of a value that is there; NaN is any NaN, and only it is looked for in short rows.
    template <class S> static int64_t find(const S* x, int64_t n, T value) {
        if constexpr (sizeof(T) == 1) {
            return static_cast<const S*>(memchr(x, value, size_t(n))) - x;
        } else {
            int64_t at = 0;
            if (value != value) {
                while (at + 1 < n && value_of(x[at]) == value_of(x[at])) ++at;
                return at;
            }
            constexpr int64_t lanes = kLanes<T>, step = 4 * lanes;
            for (int64_t i = 0; i < n; i += step) {
                uint64_t here = 0;
                at = i + step <= n ? i : n - step;
#pragma GCC unroll 16
                for (int k = 0; k < 4; ++k)
                    here |= uint64_t(equal_bits(load(x + at + k * lanes), broadcast(value))) << (k * lanes);
                if (here) return at + __builtin_ctzll(here);
            }
            return at;
        }
    }

    // Columns side by side, with the best value and the row it came from kept for each.
    template <class Row>
    [[gnu::noinline, gnu::noclone]] static void columns(Acc* acc, int64_t columns, int64_t begin, int64_t end,
                                                        const Row& row) {
        constexpr int64_t block_rows = sizeof(T) == 1 ? 256 : 4096;
        using S = typename Row::Storage;
        T best[kStrip];
        Place place[kStrip];
        for (int64_t i = begin; i < end; i += block_rows) {
            const int64_t stop = end - i < block_rows ? end : i + block_rows;
            const S* first = row(i);
            for (int64_t c = 0; c < columns; ++c) {
                best[c] = value_of(first[c]);
                place[c] = 0;
            }
            for (int64_t r = i + 1; r < stop; r += 4) {
                const S* x[4];
                const int64_t rows = stop - r < 4 ? stop - r : 4;
                for (int64_t k = 0; k < rows; ++k) x[k] = row(r + k);
                if (rows == 4)
                    pick_rows<4>(best, place, columns, x, r - i);
                else
                    for (int64_t k = 0; k < rows; ++k) pick_rows<1>(best, place, columns, x + k, r - i + k);
            }
            for (int64_t c = 0; c < columns; ++c) merge(acc[c], {best[c], i + int64_t(place[c])});
        }
    }

  private:
    template <class U, bool byte> struct PlaceOf {
        using type = uint8_t;
    };
    template <class U> struct PlaceOf<U, false> {
        using type = Lane<Mask<U>>;
    };
    using Place = typename PlaceOf<T, sizeof(T) == 1>::type; // as wide as T

    template <int rows, class S>
    static DT_INLINE void pick_rows(T* __restrict best, Place* __restrict place, int64_t columns,
                                    const S* const* x, int64_t first) {
        int64_t c = 0;
        if constexpr (sizeof(T) > 1) {
            const auto pick = [&](auto run) DT_INLINE_LAMBDA {
                Vec<T> top = load(best + c);
                Mask<T> at = load(place + c);
#pragma GCC unroll 16
                for (int k = 0; k < rows; ++k) {
                    const Vec<T> v = load(x[k] + c, run);
                    Mask<T> here = largest ? v > top : v < top;
                    if constexpr (kFloating<T>) here |= (v != v) & (top == top);
                    top = here ? v : top;
                    at = here ? Mask<T>{} + Place(first + k) : at;
                }
                store(best + c, top);
                store(place + c, at);
            };
            for (; c + kLanes<T> <= columns; c += kLanes<T>) pick(Whole{});
            if (kVectorBytes > 16 && c < columns) return pick(Part{columns - c});
        }
        for (; c < columns; ++c) {
            T top = best[c];
            Place at = place[c];
#pragma GCC unroll 16
            for (int k = 0; k < rows; ++k) {
                const T v = value_of(x[k][c]);
                const bool here = better(v, top);
                top = here ? v : top;
                at = here ? Place(first + k) : at;
            }
            best[c] = top;
            place[c] = at;
        }
    }
};

// Mean and squared deviations of short blocks, in two passes within the cache, joined by the formula of Chan,
// Golub and LeVeque (1979).
template <class T> struct Variance {
    using Value = T;
    struct Acc {
        double count, mean, squares;
    };
    static Acc init() { return {0, 0, 0}; }
    template <class S>
    [[gnu::noinline, gnu::noclone]] static void rows(Acc& acc, const S* x, int64_t n, int64_t) {
        constexpr int lanes = kLanes<double>;
        for (int64_t i = 0; i < n; i += kSumBlock) {
            const int64_t m = n - i < kSumBlock ? n - i : kSumBlock;
            const S* p = x + i;
            const double mean = block_of_floats<Sum>(p, m) / double(m);
            Vec<double> squares[2] = {}, sums[2] = {};
            int64_t j = 0;
            for (; j + 2 * lanes <= m; j += 2 * lanes) {
                Vec<double> a, b;
                load_two(p + j, 0.0, a, b);
                a -= mean;
                b -= mean;
                sums[0] += a;
                sums[1] += b;
                squares[0] += a * a;
                squares[1] += b * b;
            }
            double s = sum(sums[0] + sums[1]), q = sum(squares[0] + squares[1]);
            for (; j < m; ++j) {
                const double d = double(value_of(p[j])) - mean;
                s += d;
                q += d * d;
            }
            const double rest = s / double(m); // what the mean lacked after rounding
            merge(acc, {double(m), mean + rest, q - s * rest});
        }
    }
    static DT_INLINE void merge(Acc& acc, const Acc& o) {
        if (o.count == 0) return;
        const double n = acc.count + o.count, d = o.mean - acc.mean;
        acc.squares += o.squares + d * d * (acc.count / n) * o.count;
        acc.mean += d * (o.count / n);
        acc.count = n;
    }
    static void write(const Acc& acc, const Finish& f) {
        store_float(f, f.divisor > 0   ? acc.squares / f.divisor
                       : acc.count > 0 ? acc.squares / 0.0
                                       : __builtin_nan(""));
    }

    // Columns side by side, the same way, so many rows at a time as the cache holds.
    template <class Row>
    [[gnu::noinline, gnu::noclone]] static void columns(Acc* acc, int64_t columns, int64_t begin, int64_t end,
                                                        const Row& row) {
        constexpr int64_t block_rows = 16;
        float floats[block_rows][kStrip];
        double mean[kStrip], squares[kStrip];
        for (int64_t i = begin; i < end; i += block_rows) {
            const int64_t m = end - i < block_rows ? end - i : block_rows;
            decltype(row_of_floats(row, 0, 0, floats[0])) x[block_rows];
            for (int64_t k = 0; k < m; ++k) x[k] = row_of_floats(row, i + k, columns, floats[k]);
            const double share = 1 / double(m);
            const auto two_passes = [&](int64_t c, auto rows) DT_INLINE_LAMBDA {
                const int64_t n = decltype(rows)::value ? decltype(rows)::value : m;
                Vec<double> total{}, rest{}, q{};
#pragma GCC unroll 16
                for (int64_t k = 0; k < n; ++k) total += load_as(x[k] + c, 0.0);
                total *= share;
#pragma GCC unroll 16
                for (int64_t k = 0; k < n; ++k) {
                    const Vec<double> d = load_as(x[k] + c, 0.0) - total;
                    rest += d;
                    q += d * d;
                }
                store(mean + c, total + rest * share);
                store(squares + c, q - rest * rest * share);
            };
            int64_t c = 0;
            for (; c + kLanes<double> <= columns; c += kLanes<double>)
                m == block_rows ? two_passes(c, Rows<block_rows>()) : two_passes(c, Rows<0>());
            for (; c < columns; ++c) {
                double total = 0, rest = 0, q = 0;
                for (int64_t k = 0; k < m; ++k) total += double(x[k][c]);
                total *= share;
                for (int64_t k = 0; k < m; ++k) {
                    const double d = double(x[k][c]) - total;
                    rest += d;
                    q += d * d;
                }
                mean[c] = total + rest * share;
                squares[c] = q - rest * rest * share;
            }
            const double before = acc[0].count, n = before + double(m), share_new = double(m) / n,
                         weight = before * share_new;
            for (int64_t k = 0; k < columns; ++k) {
                const double d = mean[k] - acc[k].mean;
                acc[k].squares += squares[k] + d * d * weight;
                acc[k].mean += d * share_new;
                acc[k].count = n;
            }
        }
    }

  private:
    template <int64_t n> struct Rows {
        static constexpr int64_t value = n;
    };
};

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
