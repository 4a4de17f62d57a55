#include "kernels/reduce.h"

#include "check.h"

namespace dt::check {
namespace {

// A (rows, length, inner) array that keeps rows and inner, in a given order of memory.
struct Shape {
    int64_t rows, length, inner;
    bool reversed = false; // memory runs backwards along the reduced axis
    int64_t size() const { return rows * length * inner; }
    int64_t kept() const { return rows * inner; }
};

template <class T> struct Input {
    Array<T> x;
    Shape s;
    int64_t place(int64_t kept, int64_t k) const {
        return (kept / s.inner * s.length + (s.reversed ? s.length - 1 - k : k)) * s.inner + kept % s.inner;
    }
    double at(int64_t kept, int64_t k) const { return x.at(place(kept, k)); }
};

template <class T> Reduction reduction(const Input<T>& in, void* out, int64_t out_item) {
    const Shape& s = in.s;
    const int64_t item = sizeof(T), step = s.inner * item;
    Reduction r;
    r.kept = {s.rows, s.inner};
    r.kept_in = {s.length * step, item};
    r.kept_out = {s.inner * out_item, out_item};
    r.reduced = {s.length};
    r.reduced_in = {s.reversed ? -step : step};
    r.in = in.x.data() + (s.reversed && s.length > 0 ? (s.length - 1) * s.inner : 0);
    r.out = out;
    return r;
}

template <class T> bool is_nan(T x) { return std::isnan(value(x)); }

// The first of the largest (or smallest), NaN before all.
template <class T> int64_t extreme(const Input<T>& in, int64_t kept, bool largest) {
    int64_t best = 0;
    for (int64_t k = 1; k < in.s.length; ++k) {
        const T a = in.x[in.place(kept, k)], b = in.x[in.place(kept, best)];
        if constexpr (std::is_same_v<T, int64_t>) { // does not fit a double
            if (largest ? a > b : a < b) best = k;
        } else if (!is_nan(b) && (is_nan(a) || (largest ? value(a) > value(b) : value(a) < value(b)))) {
            best = k;
        }
    }
    return best;
}

enum class Result { same, floating, integer, boolean, undefined };
// What an op makes of T.
template <class T> Result result_of(ReduceOp op) {
    switch (op) {
    case ReduceOp::sum:
    case ReduceOp::prod:
        return kFloat<T> ? Result::floating : Result::integer;
    case ReduceOp::max:
    case ReduceOp::min:
        return Result::same;
    case ReduceOp::any:
    case ReduceOp::all:
        return Result::boolean;
    case ReduceOp::argmax:
    case ReduceOp::argmin:
    case ReduceOp::count_nonzero:
        return Result::integer;
    case ReduceOp::norm:
    case ReduceOp::sum_absolute:
    case ReduceOp::variance:
        return kFloat<T> ? Result::floating : Result::undefined;
    case ReduceOp::count:
        break;
    }
    return Result::undefined;
}

template <class T> Want float_result(ReduceOp op, const Input<T>& in, int64_t kept, double divisor) {
    Sum sum;
    double product = 1;
    const int64_t n = in.s.length;
    for (int64_t k = 0; k < n; ++k) {
        const double x = in.at(kept, k);
        product *= x;
        if (op == ReduceOp::sum) sum.add(x / divisor);
        if (op == ReduceOp::norm) sum.add(x * x);
        if (op == ReduceOp::sum_absolute) sum.add(std::fabs(x) / divisor);
    }
    if (op == ReduceOp::prod) return product;
    if (op == ReduceOp::norm) return std::sqrt(sum.value);
    if (op != ReduceOp::variance) return sum;
    if (n == 0) return NAN;
    double mean = 0, squares = 0;
    for (int64_t k = 0; k < n; ++k) mean += in.at(kept, k) / double(n);
    for (int64_t k = 0; k < n; ++k) squares += (in.at(kept, k) - mean) * (in.at(kept, k) - mean);
    return divisor > 0 ? squares / divisor : squares / 0.0;
}

template <class T> int64_t integer_result(ReduceOp op, const Input<T>& in, int64_t kept) {
    uint64_t sum = 0, product = 1;
    int64_t count = 0;
    if (op == ReduceOp::argmax || op == ReduceOp::argmin) return extreme(in, kept, op == ReduceOp::argmax);
    for (int64_t k = 0; k < in.s.length; ++k) {
        count += in.at(kept, k) != 0;
        if constexpr (dtype_of<T> == DType::boolean) {
            sum += in.x[in.place(kept, k)].value;
            product *= in.x[in.place(kept, k)].value;
        } else if constexpr (!kFloat<T>) {
            sum += static_cast<uint64_t>(int64_t(in.x[in.place(kept, k)]));
            product *= static_cast<uint64_t>(int64_t(in.x[in.place(kept, k)]));
        }
    }
    return op == ReduceOp::count_nonzero ? count : int64_t(op == ReduceOp::sum ? sum : product);
}

template <class T> Input<T> input_for(Checks& c, ReduceOp op, const Shape& s) {
    Input<T> in{Array<T>(s.size()), s};
    for (int64_t i = 0; i < s.size(); ++i) {
        if constexpr (dtype_of<T> == DType::boolean)
            in.x[i] = {uint8_t(c.whole(0, 8) != 0)};
        else if constexpr (!kFloat<T>)
            in.x[i] = i % 4 ? T(c.whole(-3, 4)) : T(c.random());
        else if (op == ReduceOp::prod)
            in.x[i] = rounded<T>((i % 2 ? -1 : 1) * c.uniform(0.9, 1.1));
        else if (op == ReduceOp::variance || op == ReduceOp::sum || op == ReduceOp::norm ||
                 op == ReduceOp::sum_absolute)
            in.x[i] = rounded<T>(c.uniform(-1, 2));
        else
            in.x[i] = rounded<T>(i % 97 == 53 ? NAN : double(c.whole(-3, 4)));
    }
    if (op == ReduceOp::all || op == ReduceOp::any) // rows of all ones and of all zeros
        for (int64_t kept = 0; kept < s.kept(); ++kept)
            for (int64_t k = 0; kept % 3 < 2 && k < s.length; ++k)
                in.x[in.place(kept, k)] = rounded<T>(double(kept % 3));
    return in;
}

template <class T> void check_op(Checks& c, ReduceOp op, const std::string& name, const Shape& s) {
    const bool needs_values =
        op == ReduceOp::max || op == ReduceOp::min || op == ReduceOp::argmax || op == ReduceOp::argmin;
    if (s.length == 0 && needs_values) return;
    const Input<T> in = input_for<T>(c, op, s);
    const double divisor = op == ReduceOp::variance ? double(s.length) - 0.5 : 4;
    const double* params = &divisor;
    c.at(name, " of (", s.rows, ", ", s.length, ", ", s.inner, ")", s.reversed ? ", reversed" : "");
    const auto reduce = [&]<class Out>(Array<Out>& out) {
        c.call(c.table.reduce.reduce, op, dtype_of<T>, reduction(in, out.data(), sizeof(Out)), params);
    };
    switch (result_of<T>(op)) {
    case Result::floating: {
        Array<T> out(s.kept());
        reduce(out);
        const double some = op == ReduceOp::prod ? 2 + 2 * double(s.length) : 4 + std::sqrt(double(s.length));
        return c.expect("out", out, some, [&](int64_t i) { return float_result(op, in, i, divisor); });
    }
    case Result::same: {
        Array<T> out(s.kept());
        reduce(out);
        return c.expect_exactly(
            "out", out, [&](int64_t i) { return in.x[in.place(i, extreme(in, i, op == ReduceOp::max))]; });
    }
    case Result::integer: {
        Array<int64_t> out(s.kept());
        reduce(out);
        return c.expect_exactly("out", out, [&](int64_t i) { return integer_result(op, in, i); });
    }
    case Result::boolean: {
        Array<Boolean> out(s.kept());
        reduce(out);
        return c.expect_exactly("out", out, [&](int64_t i) {
            int64_t nonzero = 0;
            for (int64_t k = 0; k < s.length; ++k) nonzero += in.at(i, k) != 0;
            return Boolean{op == ReduceOp::any ? nonzero > 0 : nonzero == s.length};
        });
    }
    case Result::undefined: {
        Array<uint8_t> out(8 * s.kept());
        reduce(out);
        return c.expect_exactly("not defined: nothing written", out, [](int64_t) { return uint8_t(0xA5); });
    }
    }
}

template <class T> void check_scan(Checks& c, ScanOp op, const std::string& name, const Shape& s) {
    c.at("scan ", name, " of (", s.rows, ", ", s.length, ", ", s.inner, ")", s.reversed ? ", reversed" : "");
    const Input<T> in = input_for<T>(c, op == ScanOp::prod ? ReduceOp::prod : ReduceOp::sum, s);
    const auto run = [&]<class Out>(Array<Out>& out) {
        c.call(c.table.reduce.scan, op, dtype_of<T>, s.rows, s.length, s.inner, s.reversed, in.x.data(),
               out.data());
    };
    if constexpr (kFloat<T>) {
        std::vector<Want> want(size_t(s.size()), Want(0));
        for (int64_t kept = 0; kept < s.kept(); ++kept) {
            Sum sum;
            double product = 1;
            for (int64_t k = 0; k < s.length; ++k) {
                sum.add(in.at(kept, k));
                product *= in.at(kept, k);
                want[size_t(in.place(kept, k))] = op == ScanOp::sum ? Want(sum) : Want(product);
            }
        }
        Array<T> out(s.size());
        run(out);
        c.expect("out", out, 2 + 2 * double(s.length), [&](int64_t i) { return want[size_t(i)]; });
    } else {
        std::vector<int64_t> want(size_t(s.size()));
        for (int64_t kept = 0; kept < s.kept(); ++kept) {
            uint64_t result = op == ScanOp::prod;
            for (int64_t k = 0; k < s.length; ++k) {
                uint64_t x;
                if constexpr (dtype_of<T> == DType::boolean)
                    x = in.x[in.place(kept, k)].value;
                else
                    x = static_cast<uint64_t>(int64_t(in.x[in.place(kept, k)]));
                result = op == ScanOp::prod ? result * x : result + x;
                want[size_t(in.place(kept, k))] = int64_t(result);
            }
        }
        Array<int64_t> out(s.size());
        run(out);
        c.expect_exactly("out", out, [&](int64_t i) { return want[size_t(i)]; });
    }
}

} // namespace

void check_reduce(Checks& c) {
    const Shape shapes[] = {{1, 0, 1},       {3, 0, 5},    {1, 1, 1},   {1, 2, 1},         {1, 7, 1},
                            {2, 8, 1},       {3, 17, 1},   {5, 100, 1}, {1, 33, 3},        {2, 65, 9},
                            {2, 5, 33},      {1, 70, 300}, {4, 3, 16},  {0, 4, 3},         {1, 2049, 1},
                            {1, 300, 3},     {1, 900, 10}, {20, 60, 1}, {2, 600, 2, true}, {3, 40, 1, true},
                            {2, 9, 20, true}};
    // Above one block, cut along what is kept and along what is reduced.
    const Shape large[] = {{1, kLargeSize, 1}, {40, 1000, 1}, {1, 1001, 70}, {1, 15000, 5}};
    for_dtypes([&]<class T>(T) {
        for (const auto& [op, name] : enumerators<ReduceOp>()) {
            for (const Shape& s : shapes) check_op<T>(c, op, name, s);
            if (is_half(dtype_of<T>) && op == ReduceOp::prod) continue; // products of many leave the range
            for (const Shape& s : large) check_op<T>(c, op, name, s);
        }
        for (const auto& [op, name] : enumerators<ScanOp>())
            for (bool reversed : {false, true}) {
                for (Shape s :
                     {Shape{1, 0, 1}, Shape{1, 1, 1}, Shape{3, 17, 1}, Shape{2, 9, 70}, Shape{50, 300, 3}}) {
                    s.reversed = reversed;
                    check_scan<T>(c, op, name, s);
                }
            }
    });
}

} // namespace dt::check
