#pragma once
// What a reduction does with values, apart from how they are found. An op over values T has
//   Lane: the running value of a block; init(), and step(lane, x) on scalars or vectors, the order within a
//   block is free Acc:  the running value of everything; absorb() takes a block, merge() another Acc, always
//   in the same order store(): the result
// or, where a block is not a plain running value (argmax, variance), only Acc, rows(), merge() and store().
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
    static void store(const Acc& acc, const Finish& f) { store_float(f, acc.value() / f.divisor); }
};
struct Sum : FloatSum {
    template <class A> static DT_INLINE A step(A acc, A x) { return acc + x; }
};
struct SumSquare : FloatSum {
    template <class A> static DT_INLINE A step(A acc, A x) { return acc + x * x; }
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
    static void store(Acc acc, const Finish& f) { store_float(f, acc); }
};
// Unsigned, so that it wraps around.
struct IntegerSum : PlainAcc<uint64_t> {
    static Lane init() { return 0; }
    template <class T> static DT_INLINE Lane step(Lane acc, T x) { return acc + uint64_t(int64_t(x)); }
    static void absorb(Acc& acc, Lane x) { acc += x; }
    static void merge(Acc& acc, Acc x) { acc += x; }
    static void store(Acc acc, const Finish& f) { store_int64(f, int64_t(acc)); }
};
struct IntegerProduct : PlainAcc<uint64_t> {
    static Lane init() { return 1; }
    template <class T> static DT_INLINE Lane step(Lane acc, T x) { return acc * uint64_t(int64_t(x)); }
    static void absorb(Acc& acc, Lane x) { acc *= x; }
    static void merge(Acc& acc, Acc x) { acc *= x; }
    static void store(Acc acc, const Finish& f) { store_int64(f, int64_t(acc)); }
};
struct Count : PlainAcc<int64_t> {
    static Lane init() { return 0; }
    template <class T> static DT_INLINE Lane step(Lane acc, T x) { return acc + (x != 0); }
    static void absorb(Acc& acc, Lane x) { acc += x; }
    static void merge(Acc& acc, Acc x) { acc += x; }
    static void store(Acc acc, const Finish& f) { store_int64(f, acc); }
};
struct Any : Count {
    static void store(Acc acc, const Finish& f) { store_bool(f, acc > 0); }
};
struct All : Count {
    static void store(Acc acc, const Finish& f) { store_bool(f, acc == f.count); }
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
    static void store(T acc, const Finish& f) { store_same(f, acc); }
};

// --- Blocks of contiguous values ---

DT_INLINE Vec<float> load_as(const float* p, float) { return load(p); }
DT_INLINE Vec<double> load_as(const double* p, double) { return load(p); }
DT_INLINE Vec<double> load_as(const float* p, double) { return load_double(p); }

// Floats: four vectors of running values, joined pairwise, so that the additions of one do not wait for
// another.
template <class Op, class T> typename Op::Lane block_of_floats(const T* x, int64_t n) {
    using L = typename Op::Lane;
    constexpr int lanes = kLanes<L>;
    Vec<L> acc[4];
    for (auto& a : acc) a = broadcast(Op::init());
    int64_t i = 0;
    for (; i + 4 * lanes <= n; i += 4 * lanes) {
        acc[0] = Op::step(acc[0], load_as(x + i, L(0)));
        acc[1] = Op::step(acc[1], load_as(x + i + lanes, L(0)));
        acc[2] = Op::step(acc[2], load_as(x + i + 2 * lanes, L(0)));
        acc[3] = Op::step(acc[3], load_as(x + i + 3 * lanes, L(0)));
    }
    for (; i + lanes <= n; i += lanes) acc[0] = Op::step(acc[0], load_as(x + i, L(0)));
    const Vec<L> all = Op::combine(Op::combine(acc[0], acc[1]), Op::combine(acc[2], acc[3]));
    L r = reduce(all, [](Vec<L> a, Vec<L> b) DT_INLINE_LAMBDA { return Op::combine(a, b); });
    for (; i < n; ++i) r = Op::step(r, L(x[i]));
    return r;
}

template <class Op, class T> typename Op::Lane block_of(const T* x, int64_t n) {
    typename Op::Lane r = Op::init();
    for (int64_t i = 0; i < n; ++i) r = Op::step(r, x[i]);
    return r;
}

constexpr int64_t kSumBlock = 2048; // values of one float64 block sum

// An op with step() over values T, as the drivers see it.
template <class Op_, class T> struct Stepped {
    using Op = Op_;
    using Acc = typename Op::Acc;
    using Value = T;
    static constexpr bool has_columns = true;
    static Acc init() {
        if constexpr (requires { Acc{}.high; })
            return Acc{};
        else
            return Op::init();
    }
    static void rows(Acc& acc, const T* x, int64_t n, int64_t) {
        for (int64_t i = 0; i < n; i += kSumBlock) {
            const int64_t m = n - i < kSumBlock ? n - i : kSumBlock;
            if constexpr (kFloating<T> && kFloating<typename Op::Lane>)
                Op::absorb(acc, block_of_floats<Op>(x + i, m));
            else
                Op::absorb(acc, block_of<Op>(x + i, m));
        }
    }
    static void merge(Acc& acc, const Acc& other) { Op::merge(acc, other); }
    static void store(const Acc& acc, const Finish& f) { Op::store(acc, f); }
};

template <class T, bool largest> struct Position {
    using Value = T;
    struct Acc {
        T value;
        int64_t index; // -1: none yet
    };
    static constexpr bool has_columns = false;
    static Acc init() { return {T(0), -1}; }
    static bool better(T a, T b) { return (largest ? a > b : a < b) || (a != a && b == b); }
    static void rows(Acc& acc, const T* x, int64_t n, int64_t first) {
        for (int64_t i = 0; i < n; i += kSumBlock) { // few blocks hold a new best, and need a search
            const int64_t m = n - i < kSumBlock ? n - i : kSumBlock;
            T best;
            if constexpr (kFloating<T>)
                best = block_of_floats<Extreme<T, largest>>(x + i, m);
            else
                best = block_of<Extreme<T, largest>>(x + i, m);
            if (acc.index < 0 || better(best, acc.value)) acc = {best, first + i + find(x + i, best)};
        }
    }
    // The first place of a value that is there; NaN is any NaN.
    static int64_t find(const T* x, T value) {
        int64_t i = 0;
        while (!(x[i] == value || (value != value && x[i] != x[i]))) ++i;
        return i;
    }
    static void merge(Acc& acc, const Acc& other) {
        if (acc.index < 0 || (other.index >= 0 && better(other.value, acc.value))) acc = other;
    }
    static void store(const Acc& acc, const Finish& f) { store_int64(f, acc.index); }
};

// Mean and squared deviations of short blocks, in two passes within the cache, joined by the formula of Chan,
// Golub and LeVeque (1979).
template <class T> struct Variance {
    using Value = T;
    struct Acc {
        double count, mean, squares;
    };
    static constexpr bool has_columns = false;
    static Acc init() { return {0, 0, 0}; }
    static void rows(Acc& acc, const T* x, int64_t n, int64_t) {
        constexpr int lanes = kLanes<double>;
        for (int64_t i = 0; i < n; i += kSumBlock) {
            const int64_t m = n - i < kSumBlock ? n - i : kSumBlock;
            const T* p = x + i;
            const double mean = block_of_floats<Sum>(p, m) / double(m);
            Vec<double> squares[2] = {}, sums[2] = {};
            int64_t j = 0;
            for (; j + 2 * lanes <= m; j += 2 * lanes)
                for (int k = 0; k < 2; ++k) {
                    const Vec<double> d = load_as(p + j + k * lanes, 0.0) - mean;
                    sums[k] += d;
                    squares[k] += d * d;
                }
            double s = sum(sums[0] + sums[1]), q = sum(squares[0] + squares[1]);
            for (; j < m; ++j) {
                const double d = double(p[j]) - mean;
                s += d;
                q += d * d;
            }
            const double rest = s / double(m); // what the mean lacked after rounding
            merge(acc, {double(m), mean + rest, q - s * rest});
        }
    }
    static void merge(Acc& acc, const Acc& o) {
        if (o.count == 0) return;
        const double n = acc.count + o.count, d = o.mean - acc.mean;
        acc.squares += o.squares + d * d * (acc.count / n) * o.count;
        acc.mean += d * (o.count / n);
        acc.count = n;
    }
    static void store(const Acc& acc, const Finish& f) {
        store_float(f, f.divisor > 0   ? acc.squares / f.divisor
                       : acc.count > 0 ? acc.squares / 0.0
                                       : __builtin_nan(""));
    }
};

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
