#include "elementwise.h"

#include "kernels/elementwise.h"

namespace dt::check {

void check_elementwise(Checks& c) {
    check_unary(c);
    check_binary(c);
    check_ternary(c);
    check_compare(c);
    check_copies(c);
}

void check_compare(Checks& c) {
    const auto compare = [](CompareOp op, auto a, auto b) -> bool {
        switch (op) {
        case CompareOp::equal:
            return a == b;
        case CompareOp::not_equal:
            return a != b;
        case CompareOp::less:
            return a < b;
        case CompareOp::less_equal:
            return a <= b;
        case CompareOp::greater:
            return a > b;
        case CompareOp::greater_equal:
            return a >= b;
        case CompareOp::logical_and:
            return a != 0 && b != 0;
        case CompareOp::logical_or:
            return a != 0 || b != 0;
        case CompareOp::logical_xor:
            return (a != 0) != (b != 0);
        case CompareOp::count:
            break;
        }
        return false;
    };
    const auto predicate = [](PredicateOp op, double x) -> bool {
        switch (op) {
        case PredicateOp::is_nan:
            return std::isnan(x);
        case PredicateOp::is_finite:
            return std::isfinite(x);
        case PredicateOp::is_inf:
            return std::isinf(x);
        case PredicateOp::logical_not:
            return x == 0;
        case PredicateOp::count:
            break;
        }
        return false;
    };
    const auto comparable = [](auto x) { // int64 does not fit a double
        if constexpr (std::is_same_v<decltype(x), int64_t>)
            return x;
        else
            return value(x);
    };
    for_dtypes([&]<class T>(T) {
        for (int64_t n : {int64_t(0), int64_t(1), int64_t(17), int64_t(100), kLargeSize}) {
            const Array<T> a = mixed<T>(c, n);
            Array<T> b = mixed<T>(c, n);
            for (int64_t i = 0; i < n; i += 5) b[i] = a[i];
            for (const auto& [op, name] : enumerators<CompareOp>()) {
                c.at("compare ", name, ", size ", n);
                Array<Boolean> out(n);
                c.call(c.table.elementwise.compare, op, dtype_of<T>,
                       plain_loop(n, {side(out), side(a), side(b)}));
                c.expect_exactly(dt::name(dtype_of<T>), out, [&, op = op](int64_t i) {
                    return Boolean{compare(op, comparable(a[i]), comparable(b[i]))};
                });
            }
            for (const auto& [op, name] : enumerators<PredicateOp>()) {
                c.at("predicate ", name, ", size ", n);
                Array<Boolean> out(n);
                c.call(c.table.elementwise.predicate, op, dtype_of<T>, plain_loop(n, {side(out), side(a)}));
                c.expect_exactly(dt::name(dtype_of<T>), out,
                                 [&, op = op](int64_t i) { return Boolean{predicate(op, a.at(i))}; });
            }
            c.at("where, size ", n);
            const Array<Boolean> condition = mixed<Boolean>(c, n);
            Array<T> out(n);
            c.call(c.table.elementwise.where, dtype_of<T>,
                   plain_loop(n, {side(out), side(condition), side(a), side(b)}));
            c.expect_exactly("out", out, [&](int64_t i) { return condition[i].value ? a[i] : b[i]; });
        }
    });
}

} // namespace dt::check
