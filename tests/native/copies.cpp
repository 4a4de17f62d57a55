// Conversions between all dtypes, copies between all kinds of strides, fills, ranges.
#include <limits>

#include "elementwise.h"
#include "kernels/elementwise.h"

namespace dt::check {
namespace {

template <class T> Array<T> convertible(Checks& c, int64_t n) {
    Array<T> a(n);
    const double special[] = {0,
                              -0.0,
                              0.5,
                              -0.5,
                              1e-7,
                              6e-8,
                              255,
                              256,
                              255.5,
                              -1,
                              -0.999,
                              65504,
                              65519,
                              65520,
                              1e-40,
                              3e9,
                              -3e9,
                              0x1p31,
                              0x1p63,
                              -0x1p31,
                              -0x1p63,
                              0x1.fffffep30,
                              9e18,
                              -9e18,
                              1e19,
                              -1e19,
                              1e30,
                              1e300,
                              NAN,
                              INFINITY,
                              -INFINITY,
                              2.5,
                              0x1p-14,
                              0x1.ffcp-15,
                              0x1.004p0,
                              0x1.00cp0,
                              0x1.0020000001p0,
                              0x1.01p0,
                              0x1.03p0,
                              0x1.0100001p0};
    for (int64_t i = 0; i < n; ++i)
        if constexpr (kFloat<T>)
            a[i] = rounded<T>(i % 2 ? special[i / 2 % 40] : c.uniform(-300, 300));
        else if constexpr (dtype_of<T> == DType::boolean)
            a[i] = {uint8_t(c.whole(0, 2))};
        else
            a[i] = T(c.whole(-(1 << 20), 1 << 20)); // exact in float32
    return a;
}

template <class To, class From> To converted(From x) {
    if constexpr (dtype_of<To> == DType::boolean) {
        return {uint8_t(value(x) != 0)};
    } else if constexpr (kFloat<To>) {
        return rounded<To>(value(x));
    } else if constexpr (kFloat<From>) {
        const double v = value(x);
        if (std::isnan(v)) return 0;
        if (v >= static_cast<double>(std::numeric_limits<To>::max())) return std::numeric_limits<To>::max();
        if (v <= static_cast<double>(std::numeric_limits<To>::min())) return std::numeric_limits<To>::min();
        return static_cast<To>(std::trunc(v));
    } else if constexpr (dtype_of<From> == DType::boolean) {
        return To(x.value != 0);
    } else {
        return static_cast<To>(x); // wraps around
    }
}

void check_conversions(Checks& c) {
    for_dtypes([&]<class From>(From) {
        for_dtypes([&]<class To>(To) {
            for (int64_t n : {int64_t(0), int64_t(1), int64_t(17), int64_t(200), kLargeSize}) {
                c.at("convert from ", name(dtype_of<From>), ", size ", n);
                const Array<From> x = convertible<From>(c, n);
                Array<To> out(n);
                c.call(c.table.elementwise.convert, dtype_of<From>, dtype_of<To>,
                       plain_loop(n, {side(out), side(x)}));
                c.expect_exactly("out", out, [&](int64_t i) { return converted<To>(x[i]); });
            }
        });
    });
}

// Strides of an array of `shape` in memory order `order`, outermost first.
Dims strides_in_order(const Dims& shape, const Dims& order, int64_t item) {
    Dims strides(shape.rank(), 0);
    for (int i = shape.rank() - 1; i >= 0; --i) {
        strides[int(order[i])] = item;
        item *= shape[int(order[i])];
    }
    return strides;
}

// out[i0][i1][i2] = in[...] + in2[...] (or a copy of in) with every layout: permuted, reversed, repeated.
template <class T>
void check_layout(Checks& c, const Dims& shape, const Dims& order, int flipped, int repeated) {
    const int64_t n = shape.product(), item = sizeof(T);
    const Array<T> x = convertible<T>(c, n);
    Dims to = strides_in_order(shape, {0, 1, 2}, item), from = strides_in_order(shape, order, item);
    int64_t start = 0;
    if (repeated >= 0) from[repeated] = 0;
    if (flipped >= 0) {
        start = (shape[flipped] - 1) * from[flipped];
        from[flipped] = -from[flipped];
    }
    const auto source = [&](int64_t i) {
        const int64_t i2 = i % shape[2], i1 = i / shape[2] % shape[1], i0 = i / shape[2] / shape[1];
        return x[(start + i0 * from[0] + i1 * from[1] + i2 * from[2]) / item];
    };
    Loop loop;
    loop.operands = 2;
    loop.shape = shape;
    loop.strides[0] = to;
    loop.strides[1] = from;
    loop.data[1] = const_cast<T*>(x.data()) + start / item;
    const std::string layout = "shape " + to_string(shape) + ", input in order " + to_string(order) +
                               ", axis " + text(flipped) + " reversed, axis " + text(repeated) + " repeated";
    c.at("copy, ", layout);
    Array<T> out(n);
    loop.data[0] = out.data();
    c.call(c.table.elementwise.convert, dtype_of<T>, dtype_of<T>, loop);
    c.expect_exactly("out", out, source);

    c.at("logical_not, ", layout); // a loop that computes
    Array<Boolean> zero(n);
    loop.data[0] = zero.data();
    for (int d = 0; d < 3; ++d) loop.strides[0][d] = to[d] / item;
    c.call(c.table.elementwise.predicate, PredicateOp::logical_not, dtype_of<T>, loop);
    c.expect_exactly("out", zero, [&](int64_t i) { return Boolean{value(source(i)) == 0}; });
}

void check_layouts(Checks& c) {
    const Dims shapes[] = {{3, 5, 4}, {2, 300, 3}, {40, 33, 65}, {7, 1, 70}, {90, 3, 290}};
    const Dims orders[] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {2, 1, 0}, {1, 2, 0}, {2, 0, 1}};
    for_dtypes([&]<class T>(T) {
        for (const Dims& shape : shapes)
            for (const Dims& order : orders) {
                check_layout<T>(c, shape, order, -1, -1);
                if (shape.product() > 20000) continue;
                for (int axis = 0; axis < 3; ++axis) {
                    check_layout<T>(c, shape, order, axis, -1);
                    check_layout<T>(c, shape, order, -1, axis);
                }
            }
    });
}

// Every second element only: the others stay.
void check_fill(Checks& c) {
    for_dtypes([&]<class T>(T) {
        for (int64_t n : {int64_t(0), int64_t(1), int64_t(33), kLargeSize}) {
            const double real = 0.1;
            const int64_t integer = dtype_of<T> == DType::boolean ? 1 : 77;
            const T want = kFloat<T> ? rounded<T>(real) : rounded<T>(static_cast<double>(integer));
            c.at("fill, size ", n);
            Array<T> out(n), apart(2 * n);
            c.call(c.table.elementwise.fill, dtype_of<T>, plain_loop(n, {side(out)}), real, integer);
            c.expect_exactly("out", out, [&](int64_t) { return want; });
            for (int64_t i = 0; i < 2 * n; ++i) apart[i] = rounded<T>(0);
            c.at("fill every second of ", n);
            c.call(c.table.elementwise.fill, dtype_of<T>,
                   plain_loop(n, {{apart.data(), 2 * int64_t(sizeof(T))}}), real, integer);
            c.expect_exactly("out", apart, [&](int64_t i) { return i % 2 ? rounded<T>(0) : want; });
        }
    });
}

void check_arange(Checks& c) {
    for_dtypes([&]<class T>(T) {
        for (int64_t n : {int64_t(0), int64_t(1), int64_t(33), kLargeSize}) {
            if (dtype_of<T> == DType::boolean && n > 2) continue;
            c.at("arange, size ", n);
            Array<T> out(n);
            const double start = -3, step = 0.25;
            const int64_t first = dtype_of<T> == DType::boolean ? 0 : 5,
                          difference = dtype_of<T> == DType::boolean ? 1 : 3;
            c.call(c.table.elementwise.arange, dtype_of<T>, n, out.data(), start, step, first, difference);
            c.expect_exactly("out", out, [&](int64_t i) {
                if constexpr (kFloat<T>)
                    return rounded<T>(start + static_cast<double>(i) * step);
                else if constexpr (dtype_of<T> == DType::boolean)
                    return Boolean{i == 1};
                else
                    return T(first + i * difference);
            });
        }
    });
}

} // namespace

void check_copies(Checks& c) {
    check_conversions(c);
    check_layouts(c);
    check_fill(c);
    check_arange(c);
}

} // namespace dt::check
