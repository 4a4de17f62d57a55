#pragma once
// What a reduction does with values, apart from how they are found. An op over values T has
//   Lane: the running value of a block; init(), and step(lane, x) on scalars or vectors, the order within a
//   block is free Acc:  the running value of everything; absorb() takes a block, merge() another Acc, always
//   in the same order write(): the result
// or, where a block is not a plain running value (argmax, variance), only Acc, rows(), columns(), merge() and
// write().
#include "kernels/cpu/common.h"
#include "kernels/cpu/half.h"
#include "kernels/reduce.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

namespace dt::cpu::DT_LEVEL {
namespace {

struct Finish {
    DType dtype; // of the input
    double divisor;
    int64_t count; // values reduced
    void* out;
};

inline void store_float(const Finish& f, double x) {
    switch (f.dtype) {
    case DType::float16:
        *static_cast<uint16_t*>(f.out) = to_float16(float(x));
        break;
    case DType::bfloat16:
        *static_cast<uint16_t*>(f.out) = to_bfloat16(float(x));
        break;
    case DType::float32:
        *static_cast<float*>(f.out) = float(x);
        break;
    default:
        *static_cast<double*>(f.out) = x;
    }
}
inline void store_int64(const Finish& f, int64_t x) { *static_cast<int64_t*>(f.out) = x; }
inline void store_bool(const Finish& f, bool x) { *static_cast<uint8_t*>(f.out) = x; }
template <class T> void store_same(const Finish& f, T x) {
    if constexpr (kFloating<T>)
        store_float(f, double(x));
    else
        *static_cast<T*>(f.out) = x;
}

// A sum of doubles that carries what rounding lost (Neumaier, 1974).
struct Compensated {
    double high = 0, low = 0;
    void add(double x) {
        const double t = high + x;
        low += __builtin_fabs(high) >= __builtin_fabs(x) ? (high - t) + x : (x - t) + high;
        high = t;
    }
    double value() const { return __builtin_isfinite(high) ? high + low : high; }
};

// Floats are summed in double: float32 loses nothing, float64 little, as blocks are short and their sums
// compensated.
struct FloatSum {
    using Lane = double;
    using Acc = Compensated;
    static Lane init() { return 0; }
    static void absorb(Acc& acc, Lane x) { acc.add(x); }
    static void merge(Acc& acc, const Acc& other) {
        acc.add(other.high);
        acc.low += other.low;
    }
    static DT_INLINE Lane combine(Lane a, Lane b) { return a + b; }
    static DT_INLINE Vec<double> combine(Vec<double> a, Vec<double> b) { return a + b; }
    static void write(const Acc& acc, const Finish& f) { store_float(f, acc.value() / f.divisor); }
};
struct Sum : FloatSum {
    template <class A> static DT_INLINE A step(A acc, A x) { return acc + x; }
};
struct Norm : FloatSum {
    template <class A> static DT_INLINE A step(A acc, A x) { return acc + x * x; }
    static void write(const Acc& acc, const Finish& f) { store_float(f, __builtin_sqrt(acc.value())); }
};
struct SumAbsolute : FloatSum {
    template <class A> static DT_INLINE A step(A acc, A x) { return acc + abs(x); }
};

template <class L> struct PlainAcc {
    using Lane = L;
    using Acc = L;
};
struct FloatProduct : PlainAcc<double> {
    static Lane init() { return 1; }
    template <class A> static DT_INLINE A step(A acc, A x) { return acc * x; }
    template <class A> static DT_INLINE A combine(A a, A b) { return a * b; }
    static void absorb(Acc& acc, Lane x) { acc *= x; }
    static void merge(Acc& acc, const Acc& x) { acc *= x; }
    static void write(Acc acc, const Finish& f) { store_float(f, acc); }
};
// Unsigned, so that it wraps around.
struct IntegerSum : PlainAcc<uint64_t> {
    static Lane init() { return 0; }
    template <class T> static DT_INLINE Lane step(Lane acc, T x) { return acc + uint64_t(int64_t(x)); }
    static void absorb(Acc& acc, Lane x) { acc += x; }
    static void merge(Acc& acc, Acc x) { acc += x; }
    static void write(Acc acc, const Finish& f) { store_int64(f, int64_t(acc)); }
};
struct IntegerProduct : PlainAcc<uint64_t> {
    static Lane init() { return 1; }
    template <class T> static DT_INLINE Lane step(Lane acc, T x) { return acc * uint64_t(int64_t(x)); }
    static void absorb(Acc& acc, Lane x) { acc *= x; }
    static void merge(Acc& acc, Acc x) { acc *= x; }
    static void write(Acc acc, const Finish& f) { store_int64(f, int64_t(acc)); }
};
// Unsigned and as wide as T, so that as many lanes fill a vector.
template <int bytes> struct UnsignedOf {
    using type = uint64_t;
};
template <> struct UnsignedOf<1> {
    using type = uint8_t;
};
template <> struct UnsignedOf<4> {
    using type = uint32_t;
};
struct Count : PlainAcc<int64_t> {
    static Lane init() { return 0; }
    template <class T> static DT_INLINE Lane step(Lane acc, T x) { return acc + (x != 0); }
    static void absorb(Acc& acc, Lane x) { acc += x; }
    static void merge(Acc& acc, Acc x) { acc += x; }
    static void write(Acc acc, const Finish& f) { store_int64(f, acc); }
};
// Whether a value is (any) or is not (all) different from 0: `found` decides, whatever else comes.
template <class T, bool all> struct Decision : PlainAcc<typename UnsignedOf<sizeof(T)>::type> {
    using Lane = typename UnsignedOf<sizeof(T)>::type;
    static Lane init() { return 0; }
    template <class U> static DT_INLINE Lane step(Lane found, U x) { return found | Lane((x == 0) == all); }
    static void absorb(Lane& acc, Lane x) { acc |= x; }
    static void merge(Lane& acc, Lane x) { acc |= x; }
    static bool decided(Lane acc) { return acc != 0; }
    static void write(Lane acc, const Finish& f) { store_bool(f, (acc != 0) != all); }
};

template <class T> constexpr T lowest_of() {
    if constexpr (kFloating<T>)
        return T(-__builtin_inf());
    else if constexpr (T(-1) > T(0))
        return 0;
    else
        return T(uint64_t{1} << (8 * sizeof(T) - 1));
}
template <class T> constexpr T highest_of() {
    if constexpr (kFloating<T>)
        return T(__builtin_inf());
    else
        return T(~lowest_of<T>());
}
template <class T, bool largest> struct Extreme : PlainAcc<T> {
    static T init() { return largest ? lowest_of<T>() : highest_of<T>(); }
    template <class A> static DT_INLINE A combine(A a, A b) { return largest ? max(a, b) : min(a, b); }
    template <class A> static DT_INLINE A step(A acc, A x) { return combine(acc, x); }
    static void absorb(T& acc, T x) { acc = combine(acc, x); }
    static void merge(T& acc, T x) { acc = combine(acc, x); }
    static void write(T acc, const Finish& f) { store_same(f, acc); }
};

// --- Blocks of contiguous values ---

DT_INLINE Vec<float> load_as(const float* p, float) { return load(p); }
DT_INLINE Vec<double> load_as(const double* p, double) { return load(p); }
DT_INLINE Vec<double> load_as(const float* p, double) { return load_double(p); }
template <class S>
    requires(kHalf<S>)
DT_INLINE Vec<float> load_as(const S* p, float) {
    return load(p);
}
template <class S>
    requires(kHalf<S>)
DT_INLINE Vec<double> load_as(const S* p, double) {
    return load_double(p);
}

// Two vectors from p on, in any order.
template <class S, class L> DT_INLINE void load_two(const S* p, L, Vec<L>& a, Vec<L>& b) {
    a = load_as(p, L(0));
    b = load_as(p + kLanes<L>, L(0));
}
template <class S>
    requires(kHalf<S>)
DT_INLINE void load_two(const S* p, double, Vec<double>& a, Vec<double>& b) {
#if defined(DT_LEVEL_v4)
    if constexpr (__is_same(S, bfloat16_t)) { // neighbours are the halves of floats, which saves shuffles
        const __m256i h = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
        const __m256i odd = _mm256_and_si256(h, _mm256_set1_epi32(int(0xffff0000)));
        a = _mm512_maskz_cvtps_pd(__mmask8(-1), (__m256)_mm256_slli_epi32(h, 16));
        b = _mm512_maskz_cvtps_pd(__mmask8(-1), (__m256)odd);
    } else {
        a = load_double(p);
        b = load_double(p + kLanes<double>);
    }
#else
    const Vec<float> v = load(p);
    float floats[kLanes<float>];
    store(floats, v);
    a = load_double(floats);
    b = load_double(floats + kLanes<double>);
#endif
}

// Whether columns of halves are added up in vectors of doubles two at a time, as load_two finds them; and
// where column c of them is then: bfloat16 comes as the even and the odd ones of 16.
#if defined(DT_LEVEL_v4)
template <class S, class L> inline constexpr bool kInPairs = kHalf<S> && __is_same(L, double);
#else
template <class S, class L> inline constexpr bool kInPairs = false;
#endif
template <class S, class L> DT_INLINE int64_t place_in_pairs(int64_t c, [[maybe_unused]] int64_t columns) {
    if constexpr (kInPairs<S, L> && __is_same(S, bfloat16_t)) {
        constexpr int64_t w = kLanes<L>;
        if (c < columns / (2 * w) * (2 * w)) return c / (2 * w) * (2 * w) + c % 2 * w + c % (2 * w) / 2;
    }
    return c;
}

// Row r of columns, of a half format converted into `buffer`.
template <class Row>
DT_INLINE auto row_of_floats(const Row& row, int64_t r, int64_t columns, [[maybe_unused]] float* buffer) {
    using S = typename Row::Storage;
    if constexpr (kHalf<S>) {
        halves_to_floats(__is_same(S, float16_t) ? DType::float16 : DType::bfloat16, columns, row(r), buffer);
        return static_cast<const float*>(buffer);
    } else {
        return row(r);
    }
}

// What step() takes of one value. An integer lane asks a half only whether it is 0, which its bits tell.
template <class L, class S> DT_INLINE auto operand(S x) {
    if constexpr (kFloating<L>)
        return L(value_of(x));
    else if constexpr (kHalf<S>)
        return uint32_t(x.bits & 0x7fff);
    else
        return x;
}

// Floats: four vectors of running values, joined pairwise, so that the additions of one do not wait for
// another.
template <class Op, class S> typename Op::Lane block_of_floats(const S* x, int64_t n) {
    using L = typename Op::Lane;
    constexpr int lanes = kLanes<L>;
    Vec<L> acc[4];
    for (auto& a : acc) a = broadcast(Op::init());
    int64_t i = 0;
    for (; i + 4 * lanes <= n; i += 4 * lanes) {
        Vec<L> a, b, c, d;
        load_two(x + i, L(0), a, b);
        load_two(x + i + 2 * lanes, L(0), c, d);
        acc[0] = Op::step(acc[0], a);
        acc[1] = Op::step(acc[1], b);
        acc[2] = Op::step(acc[2], c);
        acc[3] = Op::step(acc[3], d);
    }
    for (; i + lanes <= n; i += lanes) acc[0] = Op::step(acc[0], load_as(x + i, L(0)));
    const Vec<L> all = Op::combine(Op::combine(acc[0], acc[1]), Op::combine(acc[2], acc[3]));
    L r = reduce(all, [](Vec<L> a, Vec<L> b) DT_INLINE_LAMBDA { return Op::combine(a, b); });
    for (; i < n; ++i) r = Op::step(r, operand<L>(x[i]));
    return r;
}

template <class Op, class S> typename Op::Lane block_of(const S* x, int64_t n) {
    typename Op::Lane r = Op::init();
    for (int64_t i = 0; i < n; ++i) r = Op::step(r, operand<typename Op::Lane>(x[i]));
    return r;
}

// Bytes that are not 0, counted in bytes: n is at most 2048.
inline int64_t count_bytes(const uint8_t* x, int64_t n) {
    typedef uint8_t Bytes __attribute__((vector_size(kVectorBytes)));
    Bytes counts{}, v;
    int64_t i = 0;
    for (; i + kVectorBytes <= n; i += kVectorBytes) {
        memcpy(&v, x + i, sizeof v);
        counts -= (Bytes)(v != 0);
    }
    int64_t total = 0;
    for (int k = 0; k < kVectorBytes; ++k) total += counts[k];
    for (; i < n; ++i) total += x[i] != 0;
    return total;
}

constexpr int64_t kSumBlock = 2048; // values of one float64 block sum
constexpr int64_t kStrip = 1024;    // columns with running values in the L1 cache, read a page in a row

// An op with step() over values T, as the drivers see it. Values are read as they are stored: S is T, or a
// half format where T is float.
template <class Op_, class T> struct Stepped {
    using Op = Op_;
    using Acc = typename Op::Acc;
    using Value = T;
    static Acc init() {
        if constexpr (requires { Acc{}.high; })
            return Acc{};
        else
            return Op::init();
    }
    static constexpr bool kReadsBits = !kFloating<typename Op::Lane>; // of half formats, either alike
    template <class S>
    [[gnu::noinline, gnu::noclone]] static void rows(Acc& acc, const S* x, int64_t n, int64_t) {
        for (int64_t i = 0; i < n; i += kSumBlock) {
            const int64_t m = n - i < kSumBlock ? n - i : kSumBlock;
            if constexpr (kFloating<typename Op::Lane>)
                Op::absorb(acc, block_of_floats<Op>(x + i, m));
            else if constexpr (__is_same(Op, Count) && sizeof(T) == 1)
                Op::absorb(acc, count_bytes(x + i, m));
            else
                Op::absorb(acc, block_of<Op>(x + i, m));
            if constexpr (requires { Op::decided(acc); })
                if (Op::decided(acc)) return;
        }
    }
    static bool decided(const Acc& acc)
        requires requires { Op::decided(acc); }
    {
        return Op::decided(acc);
    }
    // Columns that lie side by side, added up row by row; `row` finds one. `block` holds the running values
    // of 64 rows.
    template <class Row>
    [[gnu::noinline, gnu::noclone]] static void columns(Acc* acc, int64_t columns, int64_t begin, int64_t end,
                                                        const Row& row) {
        constexpr int64_t block_rows = 64;
        using L = typename Op::Lane;
        using S = typename Row::Storage;
        L block[kStrip];
        float floats[4][kStrip];
        const auto read = [&](int64_t r, [[maybe_unused]] float* buffer) DT_INLINE_LAMBDA {
            if constexpr (__is_same(L, double) && !kInPairs<S, L>)
                return row_of_floats(row, r, columns, buffer);
            else
                return row(r);
        };
        for (int64_t i = begin; i < end; i += block_rows) {
            const int64_t stop = end - i < block_rows ? end : i + block_rows;
            for (int64_t c = 0; c < columns; ++c) block[c] = Op::init();
            for (int64_t r = i; r < stop; r += 4) {
                decltype(read(r, floats[0])) x[4];
                const int64_t rows = stop - r < 4 ? stop - r : 4;
                for (int64_t k = 0; k < rows; ++k) x[k] = read(r + k, floats[k]);
                if (rows == 4)
                    add_rows<4>(block, columns, x);
                else
                    for (int64_t k = 0; k < rows; ++k) add_rows<1>(block, columns, x + k);
            }
            for (int64_t c = 0; c < columns; ++c) Op::absorb(acc[c], block[place_in_pairs<S, L>(c, columns)]);
        }
    }
    static void merge(Acc& acc, const Acc& other) { Op::merge(acc, other); }
    static void write(const Acc& acc, const Finish& f) { Op::write(acc, f); }

  private:
    // block[c] = step(block[c], x[0][c]), then x[1][c], ...
    template <int rows, class S>
    static DT_INLINE void add_rows(typename Op::Lane* __restrict block, int64_t columns, const S* const* x) {
        using L = typename Op::Lane;
        int64_t c = 0;
        if constexpr (kInPairs<S, L>)
            for (; c + 2 * kLanes<L> <= columns; c += 2 * kLanes<L>) {
                Vec<L> v = load(block + c), w = load(block + c + kLanes<L>);
                if constexpr (rows == 4)
                    for (int k = 0; k < rows; ++k) __builtin_prefetch(x[k] + c + 4 * (x[1] - x[0]));
#pragma GCC unroll 16
                for (int k = 0; k < rows; ++k) {
                    Vec<L> a, b;
                    load_two(x[k] + c, L(0), a, b);
                    v = Op::step(v, a), w = Op::step(w, b);
                }
                store(block + c, v), store(block + c + kLanes<L>, w);
            }
        else if constexpr (kFloating<L>)
            for (; c + kLanes<L> <= columns; c += kLanes<L>) {
                Vec<L> v = load(block + c);
                if constexpr (rows == 4)
                    for (int k = 0; k < rows; ++k) __builtin_prefetch(x[k] + c + 4 * (x[1] - x[0]));
#pragma GCC unroll 16
                for (int k = 0; k < rows; ++k) v = Op::step(v, load_as(x[k] + c, L(0)));
                store(block + c, v);
            }
        for (; c < columns; ++c)
#pragma GCC unroll 16
            for (int k = 0; k < rows; ++k) block[c] = Op::step(block[c], operand<L>(x[k][c]));
    }
};

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
