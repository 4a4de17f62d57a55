#include "ops/unary.h"

#include <cmath>

#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/pair.h"
#include "ops/unary_tools.h"

namespace dt::ops {
namespace {

void check_numbers(const char* op, const Tensor& x) {
    if (x.dtype() == DType::boolean) type_error({op, ": not defined for bool; convert with astype()"});
}

Tensor floating_input(const Tensor& x) {
    if (is_floating(x.dtype())) return x;
    return plain::convert(x, DType::float32);
}

// A function whose gradient is made of other ops: f(g, x, y) is the gradient by x.
template <class F> Tensor composed(const char* name, UnaryOp op, const Tensor& given, F f) {
    const Tensor x = floating_input(given);
    Tensor y = run_unary(op, x);
    if (recording({&given}))
        record(name, y, {&given}, [x = Saved(x), y = Saved(y), f](Backward& back) {
            back.give(0, f(operand(back.grad()), x, y));
        });
    return y;
}

Operand multiply_number(const Operand& x, double factor) { return operand(multiply(x, operand(factor))); }
Operand add_number(const Operand& x, double term) { return operand(add(x, operand(term))); }
Tensor one_minus_square(const Tensor& x) { return subtract(operand(1.0), operand(square(x))); }

} // namespace

Tensor as_floating(const Tensor& x) { return floating_input(x); }

Tensor run_unary(UnaryOp op, const Tensor& x, const Parameters& parameters) {
    Tensor y = empty_like(x);
    if (y.size()) {
        LongWork work(1.0 * static_cast<double>(y.size()));
        kernels().elementwise.unary(op, x.dtype(), loop_over(x.shape(), {&y, &x}), parameters.values);
    }
    return y;
}

Tensor run_binary(BinaryOp op, const Tensor& a, const Tensor& b, const Parameters& parameters) {
    Tensor y = empty_like(a);
    if (y.size())
        kernels().elementwise.binary(op, a.dtype(), loop_over(a.shape(), {&y, &a, &b}), parameters.values);
    return y;
}

Tensor unary(const UnaryRule& rule, const Tensor& given, const Parameters& parameters) {
    const Tensor x = floating_input(given);
    Tensor y = run_unary(rule.op, x, parameters);
    if (recording({&given}))
        record(rule.name, y, {&given},
               [op = rule.grad, saved = Saved(rule.from == From::input ? x : y), parameters](Backward& back) {
                   back.give(0, run_binary(op, back.grad(), saved.get(), parameters));
               });
    return y;
}

// --- Any number ---

Tensor negative(const Tensor& x) {
    check_numbers("negative", x);
    Tensor y = run_unary(UnaryOp::negative, x);
    if (recording({&x}))
        record("negative", y, {&x}, [](Backward& back) { back.give(0, negative(back.grad())); });
    return y;
}

Tensor absolute(const Tensor& x) {
    check_numbers("abs", x);
    if (!is_floating(x.dtype())) return run_unary(UnaryOp::absolute, x);
    return unary({"abs", UnaryOp::absolute, BinaryOp::absolute_grad, From::input}, x);
}

Tensor square(const Tensor& x) {
    check_numbers("square", x);
    if (!is_floating(x.dtype())) return run_unary(UnaryOp::square, x);
    return unary({"square", UnaryOp::square, BinaryOp::square_grad, From::input}, x);
}

namespace {

// Functions of steps: their slope is 0 wherever there is one.
Tensor stepped(const char* name, UnaryOp op, const Tensor& x) {
    check_numbers(name, x);
    if (!is_floating(x.dtype()) && op != UnaryOp::sign) return plain::clone(x);
    Tensor y = run_unary(op, x);
    if (recording({&x}))
        record(name, y, {&x},
               [](Backward& back) { back.give(0, plain::zeros(back.grad().shape(), back.grad().dtype())); });
    return y;
}

} // namespace

Tensor sign(const Tensor& x) { return stepped("sign", UnaryOp::sign, x); }
Tensor floor(const Tensor& x) { return stepped("floor", UnaryOp::floor, x); }
Tensor ceil(const Tensor& x) { return stepped("ceil", UnaryOp::ceil, x); }
Tensor round(const Tensor& x) { return stepped("round", UnaryOp::round, x); }
Tensor trunc(const Tensor& x) { return stepped("trunc", UnaryOp::trunc, x); }

Tensor invert(const Tensor& x) {
    if (is_floating(x.dtype()))
        type_error({"bitwise_invert: defined for bool and integers only, got ", x.dtype()});
    return run_unary(UnaryOp::invert, x);
}

namespace {

// A limit beyond the range of an integer dtype limits nothing, or is out of reach.
Operand integer_limit(const char* argument, const Operand& limit, DType dtype) {
    if (limit.is_tensor() || is_floating(dtype) || limit.scalar.kind == DType::float64) return limit;
    const int64_t low = dtype == DType::uint8 ? 0 : dtype == DType::int32 ? INT32_MIN : INT64_MIN;
    const int64_t high = dtype == DType::uint8 ? 255 : dtype == DType::int32 ? INT32_MAX : INT64_MAX;
    const bool is_min = argument[1] == 'i';
    if (is_min ? limit.scalar.integer > high : limit.scalar.integer < low)
        value_error({"clip: ", argument, " is ", limit.scalar.integer, ", out of range for ", dtype});
    Scalar s = limit.scalar;
    s.integer = std::clamp(s.integer, low, high);
    s.real = static_cast<double>(s.integer);
    return {{}, s};
}

} // namespace

Tensor clip(const Tensor& x, const std::optional<Operand>& min, const std::optional<Operand>& max) {
    if (!min && !max) value_error({"clip: give min, max or both"});
    check_numbers("clip", x);
    const bool numbers = (!min || !min->is_tensor()) && (!max || !max->is_tensor());
    if (numbers && is_floating(x.dtype())) {
        const double low = min ? min->scalar.real : -INFINITY, high = max ? max->scalar.real : INFINITY;
        if (low > high) value_error({"clip: min is ", low, ", greater than max, which is ", high});
        if (std::isnan(low) || std::isnan(high)) value_error({"clip: a limit is NaN"});
        return unary({"clip", UnaryOp::clip, BinaryOp::clip_grad, From::input}, x, {{low, high}});
    }
    Tensor y = min ? maximum({x, {}}, integer_limit("min", *min, x.dtype())) : x;
    return max ? minimum({y, {}}, integer_limit("max", *max, x.dtype())) : y;
}

// --- Floats ---

#define DT_BY_OUTPUT(name)                                                                                   \
    Tensor name(const Tensor& x) {                                                                           \
        return unary({#name, UnaryOp::name, BinaryOp::name##_grad, From::output}, x);                        \
    }
#define DT_BY_INPUT(name)                                                                                    \
    Tensor name(const Tensor& x) {                                                                           \
        return unary({#name, UnaryOp::name, BinaryOp::name##_grad, From::input}, x);                         \
    }
#define DT_COMPOSED(name, gradient)                                                                          \
    Tensor name(const Tensor& given) {                                                                       \
        return composed(#name, UnaryOp::name, given,                                                         \
                        [](const Operand& g, [[maybe_unused]] const Saved& x,                                \
                           [[maybe_unused]] const Saved& y) { return gradient; });                           \
    }
#define DT_X operand(x.get())
#define DT_Y operand(y.get())

DT_BY_OUTPUT(sqrt)
DT_BY_OUTPUT(rsqrt)
DT_BY_OUTPUT(reciprocal)
DT_BY_OUTPUT(tanh)
DT_BY_OUTPUT(sigmoid)
DT_BY_INPUT(erf)
DT_COMPOSED(exp, multiply(g, DT_Y))
DT_COMPOSED(exp2, multiply(multiply_number(g, M_LN2), DT_Y))
DT_COMPOSED(expm1, multiply(g, add_number(DT_Y, 1)))
DT_COMPOSED(log, divide(g, DT_X))
DT_COMPOSED(log1p, divide(g, add_number(DT_X, 1)))
DT_COMPOSED(log2, divide(multiply_number(g, 1 / M_LN2), DT_X))
DT_COMPOSED(log10, divide(multiply_number(g, 1 / M_LN10), DT_X))
DT_COMPOSED(sin, multiply(g, operand(cos(x.get()))))
DT_COMPOSED(cos, negative(multiply(g, operand(sin(x.get())))))
DT_COMPOSED(tan, multiply(g, add_number(operand(square(y.get())), 1)))
DT_COMPOSED(asin, multiply(g, operand(rsqrt(one_minus_square(x.get())))))
DT_COMPOSED(acos, negative(multiply(g, operand(rsqrt(one_minus_square(x.get()))))))
DT_COMPOSED(atan, divide(g, add_number(operand(square(x.get())), 1)))
DT_COMPOSED(sinh, multiply(g, operand(cosh(x.get()))))
DT_COMPOSED(cosh, multiply(g, operand(sinh(x.get()))))
DT_COMPOSED(asinh, multiply(g, operand(rsqrt(add(operand(square(x.get())), operand(1.0))))))
DT_COMPOSED(acosh, multiply(g, operand(rsqrt(add(operand(square(x.get())), operand(-1.0))))))
DT_COMPOSED(atanh, divide(g, operand(one_minus_square(x.get()))))

Tensor power(const Tensor& x, double exponent) {
    return unary({"pow", UnaryOp::power, BinaryOp::power_grad, From::input}, x, {{exponent, 0}});
}

// --- In place ---

namespace {

template <class F> Tensor in_place(const char* op, const Tensor& x, F f) {
    autograd::check_in_place(op, x);
    Tensor y = f(recording({&x}) ? clone(x) : x); // what backward needs must outlive the write
    if (y.dtype() != x.dtype())
        type_error({op, ": the result has dtype ", y.dtype(), ", but the tensor changed in place has dtype ",
                    x.dtype()});
    plain::copy(x, y);
    autograd::record_in_place(op, x, y);
    return x;
}

} // namespace

#define DT_IN_PLACE(name)                                                                                    \
    Tensor name##_(const Tensor& x) { return in_place(#name "_", x, name); }
DT_IN_PLACE(negative)
DT_IN_PLACE(absolute)
DT_IN_PLACE(square)
DT_IN_PLACE(reciprocal)
DT_IN_PLACE(sqrt)
DT_IN_PLACE(rsqrt)
DT_IN_PLACE(exp)
DT_IN_PLACE(log)
DT_IN_PLACE(tanh)
DT_IN_PLACE(sigmoid)
DT_IN_PLACE(floor)
DT_IN_PLACE(ceil)
DT_IN_PLACE(round)
DT_IN_PLACE(trunc)

Tensor clip_(const Tensor& x, const std::optional<Operand>& min, const std::optional<Operand>& max) {
    // The gradient of a limit needs what x was before it is overwritten.
    const auto records = [](const std::optional<Operand>& limit) {
        return limit && limit->is_tensor() && recording({&limit->tensor});
    };
    const bool keeps = records(min) || records(max);
    return in_place("clip_", x, [&](const Tensor& t) { return clip(keeps ? clone(t) : t, min, max); });
}

} // namespace dt::ops
