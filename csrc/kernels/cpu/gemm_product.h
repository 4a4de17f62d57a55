#pragma once
// Products of matrices stored as S, multiplied as T: which way each goes.
#include "core/paths.h"
#include "kernels/cpu/gemm_core.h"
#if defined(DT_MULTIPLIES_PAIRS)
#include "kernels/cpu/gemm_pairs.h"
#endif

namespace dt::cpu::DT_LEVEL {
namespace {

// A product of one row or few: vectors of A against matrices of B.
constexpr int64_t kFewRows = 4;

// Registers for the sums of a block of dot products, beside `group` vectors of y and one of x.
constexpr int kDotsRegisters = kTileRows >= 10 ? 30 : 15; // of 32 or 16
constexpr int kMostFew = kTileRows >= 10 ? 12 : 6;
constexpr int dots_group(int few) {
    const int group = kDotsRegisters / (few + 1);
    return group > 8 ? 8 : group;
}

// The sums of n vectors, a power of two and at most kLanes, in the first n lanes. They are joined two by two.
template <int distance, class V, int n> DT_INLINE V sums_of(V (&v)[n]) {
    using Lanes = std::make_integer_sequence<int, kLanes<Lane<V>>>;
    if constexpr (distance >= kLanes<Lane<V>>) {
        return v[0];
    } else {
        if constexpr (distance >= n) {
            v[0] += swap_lanes<distance>(v[0], Lanes{});
        } else {
#pragma GCC unroll 16
            for (int i = 0; i < n; i += 2 * distance) {
                exchange<distance>(v[i], v[i + distance], Lanes{});
                v[i] += v[i + distance];
            }
        }
        return sums_of<distance * 2>(v);
    }
}

// What dot products read at a time of values stored as S.
template <class S> struct Factors {
    using V = Vec<Arithmetic<S>>;
    static constexpr int64_t count = kLanes<Arithmetic<S>>;
    static DT_INLINE V read(const S* p) { return load(p); }
    static DT_INLINE V read_tail(const S* p, int64_t n) { return load_tail(p, n); }
};
#if defined(__AVX512BF16__)
template <> struct Factors<bfloat16_t> {
    using V = Vec<Pair>;
    static constexpr int64_t count = 2 * kLanes<Pair>;
    static DT_INLINE V read(const bfloat16_t* p) { return load_pairs(p); }
    static DT_INLINE V read_tail(const bfloat16_t* p, int64_t n) { return load_pairs_tail(p, n); }
};
#endif

// Both operands have their depth adjacent: `few` items x[i * x_step + p] against `count` items y[j * y_step +
// p]. The result for (i, j) goes to c[i * ci + j * cj]; its bias is bias[i * bi + j * bj]. Of ci and cj one
// is 1.
template <class S> struct Dots {
    using R = Arithmetic<S>;
    const S* x;
    int64_t x_step;
    const S* y;
    int64_t y_step;
    int64_t k;
    Target<R> c;
    int64_t ci, cj;
    const R* bias;
    int64_t bi, bj;
    bool accumulate;
    Activation activation;

    template <int few, int group> void block(int64_t j) const {
        Vec<R> sum[few][group] = {};
        int64_t p = 0;
        const auto step = [&](auto read) DT_INLINE_LAMBDA {
            typename Factors<S>::V yv[group];
#pragma GCC unroll 8
            for (int g = 0; g < group; ++g) yv[g] = read(y + (j + g) * y_step + p);
#pragma GCC unroll 16
            for (int i = 0; i < few; ++i) {
                const typename Factors<S>::V xv = read(x + i * x_step + p);
#pragma GCC unroll 8
                for (int g = 0; g < group; ++g) sum[i][g] = multiply_add(xv, yv[g], sum[i][g]);
            }
        };
        for (; p + Factors<S>::count <= k; p += Factors<S>::count)
            step([](const S* q) DT_INLINE_LAMBDA { return Factors<S>::read(q); });
        if (p < k)
            step([left = k - p](const S* q) DT_INLINE_LAMBDA { return Factors<S>::read_tail(q, left); });
        Vec<R> done[few * group]; // the sums stay in registers until here
#pragma GCC unroll 16
        for (int i = 0; i < few; ++i)
#pragma GCC unroll 8
            for (int g = 0; g < group; ++g) done[i * group + g] = sum[i][g];
        put_block(done, few, group, j);
    }
    // One function for blocks of all sizes: it is as large as the sums themselves.
    [[gnu::noinline]] void put_block(const Vec<R>* sum, int few, int group, int64_t j) const {
        if (cj == 1)
            for (int i = 0; i < few; ++i)
                put(sum + i * group, 1, group, c + (i * ci + j), bias ? bias + i * bi + j * bj : nullptr, bj);
        else
            for (int g = 0; g < group; ++g)
                put(sum + g, group, few, c + (j + g) * cj, bias ? bias + (j + g) * bj : nullptr, bi);
    }
    // n neighbours of C: the sums of the vectors v[i * step].
    DT_INLINE void put(const Vec<R>* v, int step, int n, const Target<R>& to, const R* b,
                       int64_t b_step) const {
        constexpr int most = kLanes<R> < 8 ? kLanes<R> : 8;
        const auto sums = [&](int i, auto width, int count) DT_INLINE_LAMBDA {
            put_sums<width>(v + i * step, step, count, to + i, b ? b + i * b_step : b, b_step);
        };
        constexpr std::integral_constant<int, most> all;
        constexpr std::integral_constant<int, kLanes<R> == 2 ? 2 : 4> four;
        constexpr std::integral_constant<int, 2> two;
        int i = 0;
        for (; i + most <= n; i += most) sums(i, all, most);
        switch (const int rest = n - i) {
        case 0:
            return;
        case 1:
            return sums(i, std::integral_constant<int, 1>(), 1);
        case 2:
            return sums(i, two, 2);
        case 3:
            return sums(i, four, 3);
        case 4:
            return sums(i, four, 4);
        default:
            return sums(i, all, rest);
        }
    }
    template <int width>
    DT_INLINE void put_sums(const Vec<R>* v, int step, int n, const Target<R>& to, const R* b,
                            int64_t b_step) const {
        Vec<R> part[width];
#pragma GCC unroll 8
        for (int i = 0; i < width; ++i) part[i] = i < n ? v[i * step] : zero<R>();
        Vec<R> total = sums_of<1>(part);
        if (accumulate) total += to.read(n);
        if (b) total += b_step ? load_upto(b, n) : broadcast(*b);
        if (activation != Activation::none) total = activate(total, activation);
        to.write(total, n);
    }
    template <int few> void range(int64_t begin, int64_t end) const {
        constexpr int group = dots_group(few);
        for (; begin + group <= end; begin += group) block<few, group>(begin);
        for (; begin < end; ++begin) block<few, 1>(begin);
    }
    template <int... I>
    void range(int64_t few, int64_t begin, int64_t end, std::integer_sequence<int, I...>) const {
        constexpr void (Dots::* ranges[])(int64_t, int64_t) const = {&Dots::range<I + 1>...};
        (this->*ranges[few - 1])(begin, end);
    }
    // x is read count / group times: where its vectors would cross cache lines, a copy is read.
    void run(int64_t few, int64_t count) {
        constexpr int64_t line = 64 / sizeof(S);
        if (few > kFewRows && count >= 4 * few && few * k <= 8192 &&
            (reinterpret_cast<uintptr_t>(x) % 64 || x_step % line)) {
            const int64_t step = round_up(k, line);
            S* copy = scratch<S>(Scratch::gemm_b, few * step);
            for (int64_t i = 0; i < few; ++i) memcpy(copy + i * step, x + i * x_step, size_t(k) * sizeof(S));
            x = copy;
            x_step = step;
        }
        run_parts(few, count);
    }
    void run_parts(int64_t few, int64_t count) const {
        parallel(count, round_up(grain_for(k * (few + 4) / 16), 8), [&](int64_t begin, int64_t end) {
            range(few, begin, end, std::make_integer_sequence<int, kMostFew>{});
        });
    }
};

// True where dot products of `few` with `count` items cost less than tiles: they need no packing, and fill
// their vectors whatever the number of items, but each result is a sum across lanes at last.
template <class S> bool prefers_dots(int64_t few, int64_t count, int64_t k) {
    if (few <= kFewRows) return true;
    if (few > kMostFew) return false;
    constexpr int64_t lanes = kLanes<Arithmetic<S>>;
    const double dots = double(few) * (double(ceil_div(k, Factors<S>::count)) / 2 + 4);
    const double units = double(ceil_div(k * lanes, Factors<S>::count)); // of depth in tiles
    const double tiles = units * (0.5 * double(ceil_div(few, lanes)) + 0.5 * double(few) / double(count));
    return dots < tiles;
}

// sums[j] += sum over p < rows of x[p * x_step] * b[p * b_step + j], for j < n.
template <int rows, class S>
void add_rows(const S* x, int64_t x_step, const S* b, int64_t b_step, int64_t n, Arithmetic<S>* sums) {
    using R = Arithmetic<S>;
    Vec<R> xv[rows];
    for (int p = 0; p < rows; ++p) xv[p] = broadcast(value_of(x[p * x_step]));
    const auto step = [&](auto read, int64_t j) DT_INLINE_LAMBDA {
        Vec<R> even = load(sums + j), odd = zero<R>();
#pragma GCC unroll 8
        for (int p = 0; p < rows; p += 2) {
            even = fma(xv[p], read(b + p * b_step + j), even);
            if (p + 1 < rows) odd = fma(xv[p + 1], read(b + (p + 1) * b_step + j), odd);
        }
        store(sums + j, even + odd);
    };
    int64_t j = 0;
    for (; j + kLanes<R> <= n; j += kLanes<R>) step([](const S* q) DT_INLINE_LAMBDA { return load(q); }, j);
    if (j < n) step([left = n - j](const S* q) DT_INLINE_LAMBDA { return load_tail(q, left); }, j);
}

// One row: c[j] = sum over p of x[p * x_step] * b[p * b_step + j]. A task reads runs of rows of B, eight at a
// time; its sums stay in L1.
template <class S, class T>
void one_row(const S* x, int64_t x_step, const S* b, int64_t b_step, int64_t n, int64_t k,
             const Output<T>& out) {
    using R = Arithmetic<S>;
    constexpr int64_t most = 1024;
    const int64_t wanted = max(grain_for(k / 4), max(ceil_div(n, 16), int64_t{256}));
    parallel(n, min(most, round_up(wanted, kLanes<R>)), [&](int64_t begin, int64_t end) {
        for (int64_t at = begin; at < end; at += most) { // a single block may be longer
            const int64_t count = min(most, end - at);
            R sums[most] = {};
            int64_t p = 0;
            for (; p + 8 <= k; p += 8)
                add_rows<8>(x + p * x_step, x_step, b + p * b_step + at, b_step, count, sums);
            for (; p < k; ++p) add_rows<1>(x + p * x_step, x_step, b + p * b_step + at, b_step, count, sums);
            for (int64_t j = 0; j < count; j += kLanes<R>) {
                const int64_t left = count - j;
                Vec<R> y = load(sums + j);
                const Target<R> c = out.c + (at + j);
                if (out.accumulate) y += c.read(left);
                if (out.bias) y += load_upto(out.bias + at + j, left);
                if (out.activation != Activation::none) y = activate(y, out.activation);
                c.write(y, left);
            }
        }
    });
}

// The shapes that a tile of C would fill badly. False: none of them.
template <class R, class S, class T>
bool skinny(const Strided<R, S>& a, const Strided<R, S>& b, int64_t m, int64_t n, int64_t k,
            const Output<T>& out) {
    const bool a_along = a.depth_step == 1, b_along = b.depth_step == 1;
    if (a_along && b_along && k > 1 && prefers_dots<S>(min(m, n), max(m, n), k)) {
        count_path(Path::gemm_dots);
        if (m <= n)
            Dots<S>{a.data, a.step, b.data,         b.step,        k, out.c, out.row, 1, out.bias,
                    0,      1,      out.accumulate, out.activation}
                .run(m, n);
        else
            Dots<S>{b.data, b.step, a.data,         a.step,        k, out.c, 1, out.row, out.bias,
                    1,      0,      out.accumulate, out.activation}
                .run(n, m);
        return true;
    }
    if (m > kFewRows && n > kFewRows) return false;
    if (m == 1 && b.step == 1) {
        count_path(Path::gemm_one_row);
        one_row(a.data, a.depth_step, b.data, b.depth_step, n, k, out);
        return true;
    }
    if (n == 1 && a.step == 1 && out.row == 1 && !out.bias) { // the same for a column, turned
        count_path(Path::gemm_one_row);
        one_row(b.data, b.depth_step, a.data, a.depth_step, m, k, out);
        return true;
    }
    if (n <= kFewRows && a_along && k > 1) { // columns of B that are not adjacent are made so
        count_path(Path::gemm_dots);
        S* x = scratch<S>(Scratch::gemm_b, n * k);
        for (int64_t p = 0; p < k; ++p)
            for (int64_t j = 0; j < n; ++j) x[j * k + p] = b.data[j * b.step + p * b.depth_step];
        Dots<S>{x, k, a.data, a.step, k, out.c, 1, out.row, out.bias, 1, 0, out.accumulate, out.activation}
            .run(n, m);
        return true;
    }
    return false;
}

// True where items `step` apart would evict each other from L1, all being in a few sets of it: the rows of a
// panel of B at 2 KB, those of A, which are fewer, at 4 KB.
template <class T> bool crowded(int64_t step, int64_t bytes) {
    return step * int64_t(sizeof(T)) % bytes == 0;
}

// Reading an operand in place is as quick as packed where its lines are neither crowded nor far apart.
template <class T, class A> Source source_of_a(const A& a, int64_t m, int64_t n, int64_t k) {
    if (!a.readable()) return Source::packed;
    if (m * k * int64_t(sizeof(T)) <= 16384) return Source::direct;
    if (a.depth_step == 1)
        return crowded<T>(a.item_step(), 4096) && n > kTileCols<T> ? Source::packed : Source::direct;
    return a.step == 1 && n <= 4 * kTileCols<T> ? Source::direct : Source::packed;
}
constexpr int64_t kNearBytes = 2 << 20; // what L2 holds, more or less
template <class T, class B> Source source_of_b(const B& b, int64_t m, int64_t n, int64_t k) {
    if (b.step != 1 || !b.readable()) return Source::packed;
    if (m <= kTileRows || k * b.depth_step * int64_t(sizeof(T)) <= 32768) return Source::direct;
    return m <= 128 && n * k * int64_t(sizeof(T)) <= kNearBytes && !crowded<T>(b.depth_step, 2048)
               ? Source::direct
               : Source::packed;
}

template <class T, class A, class B>
void run_plan(const A& a, const B& b, int64_t m, int64_t n, int64_t k, const Output<T>& out) {
    const Source a_from = source_of_a<T>(a, m, n, k), b_from = source_of_b<T>(b, m, n, k);
    switch (choose_plan<T>(m, n, k)) {
    case Plan::serial:
        count_path(Path::gemm_serial);
        return product_serially(a, a_from, b, b_from, m, n, k, out);
    case Plan::blocks:
        count_path(Path::gemm_blocks);
        return product_by_blocks(a, a_from, b, b_from, m, n, k, out);
    case Plan::depth:
        count_path(Path::gemm_depth);
        return product_by_depth(a, a_from, b, b_from, m, n, k, out);
    }
}

// Where both operands have their depth adjacent, the one that is B is packed with its depth turned. Changing
// places pays where that is the larger one, and costs a turn of C on the way to memory.
template <class T, class A> bool change_places(const A& a, const A& b, int64_t m, int64_t n, int64_t k) {
    if (b.depth_step != 1 || b.step == 1) return false;
    const auto cost = [k](int64_t rows, int64_t cols, bool packs) {
        return double(rows) * double(ceil_div(cols, kLanes<T>)) * double(k) / 2 +
               (packs ? double(cols) * double(k) / 4 : 0.0);
    };
    return cost(n, m, a.step != 1) + double(m) * double(n) / 4 < cost(m, n, true);
}

template <class A, class T>
void plan(const A& a, const A& b, int64_t m, int64_t n, int64_t k, const Output<T>& out) {
    if (!change_places<T>(a, b, m, n, k)) return run_plan<T>(a, b, m, n, k, out);
    count_path(Path::gemm_turned);
    Output<T> turned = out;
    turned.turned = true;
    run_plan<T>(b, a, n, m, k, turned);
}

// An operand as it is multiplied, and its depth in units of that.
template <class T, class R, class S> auto operand_of(const Strided<R, S>& a, [[maybe_unused]] int64_t k) {
#if defined(DT_MULTIPLIES_PAIRS)
    if constexpr (!kFloating<T>)
        return Pairs{a.data, a.step, a.depth_step, k};
    else
#endif
        return a;
}
template <class T> int64_t units_of(int64_t k) {
#if defined(DT_MULTIPLIES_PAIRS)
    if constexpr (!kFloating<T>) return pairs_of(k);
#endif
    return k;
}

// An operand of a half format as dense float32.
template <class S>
Strided<float> converted(const Strided<float, S>& from, int64_t items, int64_t depth, float* to) {
    const bool along = from.along();
    const int64_t rows = along ? depth : items, cols = along ? items : depth;
    const int64_t row_step = along ? from.depth_step : from.step, step = along ? 1 : from.depth_step;
    if (step == 1)
        copy_rows(from.data, row_step, to, cols, rows, cols);
    else
        for (int64_t i = 0; i < rows; ++i)
            for (int64_t j = 0; j < cols; ++j)
                to[i * cols + j] = value_of(from.data[i * row_step + j * step]);
    return along ? Strided<float>{to, 1, cols} : Strided<float>{to, cols, 1};
}

template <class T, class R, class S>
void product(const Strided<R, S>& a, const Strided<R, S>& b, int64_t m, int64_t n, int64_t k,
             const Output<T>& out) {
    if (skinny(a, b, m, n, k, out)) return;
    if constexpr (kHalf<S> && kFloating<T>)
        if (choose_plan<T>(m, n, k) == Plan::serial) { // too small for packing and rounding by panels
            float* to = scratch<float>(Scratch::kernel, (m + n) * k + m * n);
            const Strided<float> left = converted(a, m, k, to), right = converted(b, n, k, to + m * k);
            if (out.c.rounding == Rounding::none) return plan(left, right, m, n, k, out);
            Output<T> exact = out;
            float* sums = to + (m + n) * k;
            exact.c = {sums};
            exact.row = n;
            if (out.accumulate) read_rows(out.c, out.row, sums, n, m, n);
            plan(left, right, m, n, k, exact);
            return write_rows(sums, n, out.c, out.row, m, n);
        }
    const auto left = operand_of<T>(a, k), right = operand_of<T>(b, k);
    plan(left, right, m, n, units_of<T>(k), out);
}

template <class T, class S> void run(const GemmArgs& args) {
    using R = Arithmetic<S>;
    const Rounding rounding = args.c_float32 ? Rounding::none : kRoundingOf<S>;
    int64_t batch = args.batch, m = args.m;
    if (batch <= 0 || m <= 0 || args.n <= 0) return;
    if (args.k <= 0 && args.accumulate && !args.bias && args.activation == Activation::none) return;
    if (batch > 1 && args.b_batch == 0 && args.a_batch == m * args.a_row && args.c_batch == m * args.c_row) {
        m *= batch; // a batch of rows against one matrix is one matrix
        batch = 1;
    }
    const auto item = [&](int64_t i) {
        const Strided<R, S> a{static_cast<const S*>(args.a) + i * args.a_batch, args.a_row, args.a_col};
        const Strided<R, S> b{static_cast<const S*>(args.b) + i * args.b_batch, args.b_col, args.b_row};
        product(a, b, m, args.n, max(args.k, int64_t{0}),
                Output<T>{Target<R>{args.c, rounding} + i * args.c_batch, args.c_row, args.accumulate,
                          static_cast<const R*>(args.bias), args.activation});
    };
    const double work = double(m) * double(args.n) * double(args.k);
    if (batch == 1 || work > 16.0 * kParallelWork) { // each product has enough work for all threads
        for (int64_t i = 0; i < batch; ++i) item(i);
        return;
    }
    const int64_t grain = max(int64_t{1}, kParallelWork / max(int64_t{1}, int64_t(work) + 256));
    parallel(batch, grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) item(i);
    });
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
