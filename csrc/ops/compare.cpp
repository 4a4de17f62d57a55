#include "ops/compare.h"

#include "ops/elementwise.h"
#include "ops/pair.h"
#include "ops/reduce.h"
#include "ops/unary.h"

namespace dt::ops {
namespace {

// An integer beyond the dtype's range, or a fraction beside integers, compares by value: in float64.
bool fits(const Scalar& s, DType dtype) {
    if (dtype == DType::uint8) return s.integer >= 0 && s.integer <= 255;
    if (dtype == DType::int32) return s.integer >= INT32_MIN && s.integer <= INT32_MAX;
    return true;
}
Operand comparable(const Operand& x, const Operand& other) {
    if (!x.is_tensor() || other.is_tensor() || is_floating(x.tensor.dtype())) return x;
    if (other.scalar.kind != DType::float64 && fits(other.scalar, x.tensor.dtype())) return x;
    return operand(plain::convert(x.tensor, DType::float64));
}

Tensor compare(const char* name, CompareOp op, const Operand& x1, const Operand& x2) {
    const Pair p = make_pair(name, comparable(x1, x2), comparable(x2, x1), Kinds::any);
    Tensor out = Tensor::empty(p.shape, DType::boolean);
    if (out.size()) {
        LongWork work(0.3 * static_cast<double>(out.size()));
        kernels().elementwise.compare(op, p.dtype, p.loop(out));
    }
    return out;
}

Tensor predicate(PredicateOp op, const Tensor& x) {
    Tensor out = Tensor::empty(x.shape(), DType::boolean);
    if (out.size()) kernels().elementwise.predicate(op, x.dtype(), loop_over(x.shape(), {&out, &x}));
    return out;
}

Tensor select(const Tensor& condition, const Tensor& a, const Tensor& b, const Dims& shape) {
    Tensor out = Tensor::empty(shape, a.dtype());
    if (out.size()) kernels().elementwise.where(a.dtype(), loop_over(shape, {&out, &condition, &a, &b}));
    return out;
}

Tensor condition_of(const char* op, const Operand& condition) {
    const Tensor c =
        condition.is_tensor() ? condition.tensor : scalar_tensor(op, condition.scalar, DType::boolean);
    if (c.dtype() != DType::boolean) type_error({op, ": condition must have dtype bool, got ", c.dtype()});
    return c;
}

} // namespace

Tensor equal(const Operand& x1, const Operand& x2) { return compare("equal", CompareOp::equal, x1, x2); }
Tensor not_equal(const Operand& x1, const Operand& x2) {
    return compare("not_equal", CompareOp::not_equal, x1, x2);
}
Tensor less(const Operand& x1, const Operand& x2) { return compare("less", CompareOp::less, x1, x2); }
Tensor less_equal(const Operand& x1, const Operand& x2) {
    return compare("less_equal", CompareOp::less_equal, x1, x2);
}
Tensor greater(const Operand& x1, const Operand& x2) {
    return compare("greater", CompareOp::greater, x1, x2);
}
Tensor greater_equal(const Operand& x1, const Operand& x2) {
    return compare("greater_equal", CompareOp::greater_equal, x1, x2);
}

Tensor isnan(const Tensor& x) { return predicate(PredicateOp::is_nan, x); }
Tensor isinf(const Tensor& x) { return predicate(PredicateOp::is_inf, x); }
Tensor isfinite(const Tensor& x) { return predicate(PredicateOp::is_finite, x); }
Tensor logical_not(const Tensor& x) { return predicate(PredicateOp::logical_not, x); }

Tensor where(const Operand& condition, const Operand& x1, const Operand& x2) {
    const Tensor c = condition_of("where", condition);
    const DType dtype =
        !x1.is_tensor() && !x2.is_tensor()
            ? (x1.scalar.kind == DType::float64 || x2.scalar.kind == DType::float64 ? DType::float32
               : x1.scalar.kind == DType::int64 || x2.scalar.kind == DType::int64   ? DType::int64
                                                                                    : DType::boolean)
            : promote("where", x1, x2);
    const Tensor a =
        x1.is_tensor() ? plain::convert(x1.tensor, dtype) : scalar_tensor("where", x1.scalar, dtype);
    const Tensor b =
        x2.is_tensor() ? plain::convert(x2.tensor, dtype) : scalar_tensor("where", x2.scalar, dtype);
    const Dims shape = broadcast_shapes("where", c.shape(), broadcast_shapes("where", a.shape(), b.shape()));
    Tensor out = select(c, a, b, shape);
    if (recording({&x1.tensor, &x2.tensor}))
        record("where", out, {&x1.tensor, &x2.tensor},
               [c = Saved(c), a_shape = a.shape(), b_shape = b.shape(),
                a_dtype = x1.is_tensor() ? x1.tensor.dtype() : dtype,
                b_dtype = x2.is_tensor() ? x2.tensor.dtype() : dtype](Backward& back) {
                   const Tensor &g = back.grad(), zero = plain::zeros({}, g.dtype());
                   if (back.needs(0))
                       back.give(0, grad_for(select(c.get(), g, zero, g.shape()), a_shape, a_dtype));
                   if (back.needs(1))
                       back.give(1, grad_for(select(c.get(), zero, g, g.shape()), b_shape, b_dtype));
               });
    return out;
}

Tensor masked_fill(const Tensor& x, const Tensor& mask, const Scalar& value) {
    if (mask.dtype() != DType::boolean)
        type_error({"masked_fill: mask must have dtype bool, got ", mask.dtype()});
    if (value.kind == DType::float64 && !is_floating(x.dtype()))
        type_error({"masked_fill: a fraction does not fit into ", x.dtype(), "; convert with astype()"});
    check_half_range("masked_fill", "value", value, x.dtype());
    return where(operand(mask), operand(scalar_tensor("masked_fill", value, x.dtype())), operand(x));
}

Tensor isclose(const Operand& x1, const Operand& x2, double rtol, double atol, bool equal_nan) {
    autograd::GradMode off(false);
    const Pair p = make_pair("isclose", x1, x2, Kinds::any);
    const DType dtype = floating_of(p.dtype);
    const auto wide = [&](const Tensor& t, const Scalar& s) {
        return t.defined() ? plain::convert(t, is_half(dtype) ? DType::float32 : dtype)
                           : scalar_tensor("isclose", s, is_half(dtype) ? DType::float32 : dtype);
    };
    const Tensor a = wide(p.a, p.a_scalar), b = wide(p.b, p.b_scalar);
    const Tensor bound = add(operand(multiply(operand(absolute(b)), operand(rtol))), operand(atol));
    Tensor close = less_equal(operand(absolute(subtract(operand(a), operand(b)))), operand(bound));
    close = logical_and(operand(close), operand(isfinite(b)));
    close = logical_or(operand(close), operand(equal(operand(a), operand(b))));
    if (equal_nan)
        close = logical_or(operand(close), operand(logical_and(operand(isnan(a)), operand(isnan(b)))));
    return close;
}

bool allclose(const Operand& x1, const Operand& x2, double rtol, double atol, bool equal_nan) {
    return *all(isclose(x1, x2, rtol, atol, equal_nan), std::nullopt, false).data<bool>();
}

bool array_equal(const Tensor& x1, const Tensor& x2) {
    if (!(x1.shape() == x2.shape())) return false;
    return *all(equal(operand(x1), operand(x2)), std::nullopt, false).data<bool>();
}

} // namespace dt::ops
