#include "kernels/gemm.h"
#include "core/paths.h"

#include "kernels/cpu/gemm_core.h"

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

// Both operands have their depth adjacent: `few` items x[i * x_step + p] against `count` items y[j * y_step +
// p]. The result for (i, j) goes to c[i * ci + j * cj]; its bias is bias[i * bi + j * bj]. Of ci and cj one
// is 1.
template <class T> struct Dots {
    const T* x;
    int64_t x_step;
    const T* y;
    int64_t y_step;
    int64_t k;
    T* c;
    int64_t ci, cj;
    const T* bias;
    int64_t bi, bj;
    bool accumulate;
    Activation activation;

    template <int few, int group> void block(int64_t j) const {
        Vec<T> sum[few][group] = {};
        int64_t p = 0;
        const auto step = [&](auto read) DT_INLINE_LAMBDA {
            Vec<T> yv[group];
#pragma GCC unroll 8
            for (int g = 0; g < group; ++g) yv[g] = read(y + (j + g) * y_step + p);
#pragma GCC unroll 16
            for (int i = 0; i < few; ++i) {
                const Vec<T> xv = read(x + i * x_step + p);
#pragma GCC unroll 8
                for (int g = 0; g < group; ++g) sum[i][g] = fma(xv, yv[g], sum[i][g]);
            }
        };
        for (; p + kLanes<T> <= k; p += kLanes<T>) step([](const T* q) DT_INLINE_LAMBDA { return load(q); });
        if (p < k) step([left = k - p](const T* q) DT_INLINE_LAMBDA { return load_tail(q, left); });
        if (cj == 1) {
            for (int i = 0; i < few; ++i)
                put(sum[i], c + i * ci + j, bias ? bias + i * bi + j * bj : nullptr, bj);
            return;
        }
        for (int g = 0; g < group; ++g) {
            Vec<T> run[few];
#pragma GCC unroll 16
            for (int i = 0; i < few; ++i) run[i] = sum[i][g];
            put(run, c + (j + g) * cj, bias ? bias + (j + g) * bj : nullptr, bi);
        }
    }
    // Neighbours of C: the sums of vectors.
    template <int n> DT_INLINE void put(const Vec<T> (&v)[n], T* to, const T* b, int64_t b_step) const {
        constexpr int most = kLanes<T> < 8 ? kLanes<T> : 8, whole = n / most * most, rest = n - whole;
#pragma GCC unroll 8
        for (int i = 0; i < whole; i += most)
            put_sums<most, most>(v + i, to + i, b ? b + i * b_step : b, b_step);
        constexpr int width = rest > 4 ? 8 : rest > 2 ? 4 : rest;
        if constexpr (rest > 0)
            put_sums<rest, width>(v + whole, to + whole, b ? b + whole * b_step : b, b_step);
    }
    template <int n, int width>
    DT_INLINE void put_sums(const Vec<T>* v, T* to, const T* b, int64_t b_step) const {
        Vec<T> part[width];
#pragma GCC unroll 8
        for (int i = 0; i < width; ++i) part[i] = i < n ? v[i] : zero<T>();
        Vec<T> total = sums_of<1>(part);
        if (accumulate) total += load_upto(to, n);
        if (b) total += b_step ? load_upto(b, n) : broadcast(*b);
        if (activation != Activation::none) total = activate(total, activation);
        store_upto(to, total, n);
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
    void run(int64_t few, int64_t count) const {
        parallel(count, round_up(grain_for(k * (few + 4) / 16), 8), [&](int64_t begin, int64_t end) {
            range(few, begin, end, std::make_integer_sequence<int, kMostFew>{});
        });
    }
};

// True where dot products of `few` with `count` items cost less than tiles: they need no packing, and fill
// their vectors whatever the number of items, but each result is a sum across lanes at last.
template <class T> bool prefers_dots(int64_t few, int64_t count, int64_t k) {
    if (few <= kFewRows) return true;
    if (few > kMostFew) return false;
    const double dots = double(few) * (double(ceil_div(k, kLanes<T>)) / 2 + 4);
    const double tiles =
        double(k) * (0.5 * double(ceil_div(few, kLanes<T>)) + 0.5 * double(few) / double(count));
    return dots < tiles;
}

// sums[j] += sum over p < rows of x[p * x_step] * b[p * b_step + j], for j < n.
template <int rows, class T>
void add_rows(const T* x, int64_t x_step, const T* b, int64_t b_step, int64_t n, T* sums) {
    Vec<T> xv[rows];
    for (int p = 0; p < rows; ++p) xv[p] = broadcast(x[p * x_step]);
    const auto step = [&](auto read, int64_t j) DT_INLINE_LAMBDA {
        Vec<T> even = load(sums + j), odd = zero<T>();
#pragma GCC unroll 8
        for (int p = 0; p < rows; p += 2) {
            even = fma(xv[p], read(b + p * b_step + j), even);
            if (p + 1 < rows) odd = fma(xv[p + 1], read(b + (p + 1) * b_step + j), odd);
        }
        store(sums + j, even + odd);
    };
    int64_t j = 0;
    for (; j + kLanes<T> <= n; j += kLanes<T>) step([](const T* q) DT_INLINE_LAMBDA { return load(q); }, j);
    if (j < n) step([left = n - j](const T* q) DT_INLINE_LAMBDA { return load_tail(q, left); }, j);
}

// One row: c[j] = sum over p of x[p * x_step] * b[p * b_step + j]. A task reads runs of rows of B, eight at a
// time; its sums stay in L1.
template <class T>
void one_row(const T* x, int64_t x_step, const T* b, int64_t b_step, int64_t n, int64_t k,
             const Output<T>& out) {
    constexpr int64_t most = 1024;
    const int64_t wanted = max(grain_for(k / 4), max(ceil_div(n, 16), int64_t{256}));
    parallel(n, min(most, round_up(wanted, kLanes<T>)), [&](int64_t begin, int64_t end) {
        for (int64_t at = begin; at < end; at += most) { // a single block may be longer
            const int64_t count = min(most, end - at);
            T sums[most] = {};
            int64_t p = 0;
            for (; p + 8 <= k; p += 8)
                add_rows<8>(x + p * x_step, x_step, b + p * b_step + at, b_step, count, sums);
            for (; p < k; ++p) add_rows<1>(x + p * x_step, x_step, b + p * b_step + at, b_step, count, sums);
            for (int64_t j = 0; j < count; j += kLanes<T>) {
                const int64_t left = count - j;
                Vec<T> y = load(sums + j);
                if (out.accumulate) y += load_upto(out.c + at + j, left);
                if (out.bias) y += load_upto(out.bias + at + j, left);
                if (out.activation != Activation::none) y = activate(y, out.activation);
                store_upto(out.c + at + j, y, left);
            }
        }
    });
}

// The shapes that a tile of C would fill badly. False: none of them.
template <class T>
bool skinny(const Strided<T>& a, const Strided<T>& b, int64_t m, int64_t n, int64_t k, const Output<T>& out) {
    const bool a_along = a.depth_step == 1, b_along = b.depth_step == 1;
    if (a_along && b_along && k > 1 && prefers_dots<T>(min(m, n), max(m, n), k)) {
        count_path(Path::gemm_dots);
        if (m <= n)
            Dots<T>{a.data, a.step, b.data,         b.step,        k, out.c, out.row, 1, out.bias,
                    0,      1,      out.accumulate, out.activation}
                .run(m, n);
        else
            Dots<T>{b.data, b.step, a.data,         a.step,        k, out.c, 1, out.row, out.bias,
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
        T* x = scratch<T>(Scratch::gemm_b, n * k);
        for (int64_t p = 0; p < k; ++p)
            for (int64_t j = 0; j < n; ++j) x[j * k + p] = *b.at(j, p);
        Dots<T>{x, k, a.data, a.step, k, out.c, 1, out.row, out.bias, 1, 0, out.accumulate, out.activation}
            .run(n, m);
        return true;
    }
    return false;
}

// True where items `step` apart would evict each other from L1, all being in a few sets of it.
template <class T> bool crowded(int64_t step) { return step * int64_t(sizeof(T)) % 2048 == 0; }

// Reading an operand in place is as quick as packed where its lines are neither crowded nor far apart.
template <class T> Source source_of_a(const Strided<T>& a, int64_t m, int64_t n, int64_t k) {
    if (m * k * int64_t(sizeof(T)) <= 16384) return Source::direct;
    if (a.depth_step == 1) return crowded<T>(a.step) && n > kTileCols<T> ? Source::packed : Source::direct;
    return a.step == 1 && n <= 4 * kTileCols<T> ? Source::direct : Source::packed;
}
constexpr int64_t kNearBytes = 2 << 20; // what L2 holds, more or less
template <class T> Source source_of_b(const Strided<T>& b, int64_t m, int64_t n, int64_t k) {
    if (b.step != 1) return Source::packed;
    if (m <= kTileRows || k * b.depth_step * int64_t(sizeof(T)) <= 32768) return Source::direct;
    return m <= 128 && n * k * int64_t(sizeof(T)) <= kNearBytes && !crowded<T>(b.depth_step) ? Source::direct
                                                                                             : Source::packed;
}

template <class T>
void run_plan(const Strided<T>& a, const Strided<T>& b, int64_t m, int64_t n, int64_t k,
              const Output<T>& out) {
    const Source a_from = source_of_a(a, m, n, k), b_from = source_of_b(b, m, n, k);
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
template <class T>
bool change_places(const Strided<T>& a, const Strided<T>& b, int64_t m, int64_t n, int64_t k) {
    if (b.depth_step != 1 || b.step == 1) return false;
    const auto cost = [k](int64_t rows, int64_t cols, bool packs) {
        return double(rows) * double(ceil_div(cols, kLanes<T>)) * double(k) / 2 +
               (packs ? double(cols) * double(k) / 4 : 0.0);
    };
    return cost(n, m, a.step != 1) + double(m) * double(n) / 4 < cost(m, n, true);
}

template <class T>
void product(const Strided<T>& a, const Strided<T>& b, int64_t m, int64_t n, int64_t k,
             const Output<T>& out) {
    if (skinny(a, b, m, n, k, out)) return;
    if (change_places(a, b, m, n, k)) {
        count_path(Path::gemm_turned);
        Output<T> turned = out;
        turned.turned = true;
        return run_plan(b, a, n, m, k, turned);
    }
    run_plan(a, b, m, n, k, out);
}

template <class T> void run(const GemmArgs& args) {
    int64_t batch = args.batch, m = args.m;
    if (batch <= 0 || m <= 0 || args.n <= 0) return;
    if (args.k <= 0 && args.accumulate && !args.bias && args.activation == Activation::none) return;
    if (batch > 1 && args.b_batch == 0 && args.a_batch == m * args.a_row && args.c_batch == m * args.c_row) {
        m *= batch; // a batch of rows against one matrix is one matrix
        batch = 1;
    }
    const auto item = [&](int64_t i) {
        const Strided<T> a{static_cast<const T*>(args.a) + i * args.a_batch, args.a_row, args.a_col};
        const Strided<T> b{static_cast<const T*>(args.b) + i * args.b_batch, args.b_col, args.b_row};
        product(a, b, m, args.n, max(args.k, int64_t{0}),
                Output<T>{static_cast<T*>(args.c) + i * args.c_batch, args.c_row, args.accumulate,
                          static_cast<const T*>(args.bias), args.activation});
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

Gemm gemm() { return {run<float>, run<double>}; }

} // namespace dt::cpu::DT_LEVEL
