#include "ops/reduce.h"

#include <cmath>

#include "ops/checks.h"
#include "ops/compare.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/pair.h"
#include "ops/unary.h"
#include "ops/unary_tools.h"

namespace dt::ops {
namespace {

// The axes of a reduction, and its result's shape with and without them.
struct Plan {
    Dims axes; // sorted
    Dims kept_shape, shape;
    int64_t length = 1;

    Plan(const char* op, const Tensor& x, const Axes& axis, bool keepdims) {
        bool reduced[kMaxRank] = {};
        for (int i = 0; axis && i < axis->rank(); ++i) {
            const int a = normalize_axis(op, (*axis)[i], x.rank());
            if (reduced[a]) value_error({op, ": axis ", (*axis)[i], " is given twice"});
            reduced[a] = true;
        }
        for (int i = 0; i < x.rank(); ++i) {
            const bool gone = !axis || reduced[i];
            if (gone) {
                axes.push(i);
                length *= x.shape(i);
            }
            kept_shape.push(gone ? 1 : x.shape(i));
            if (!gone || keepdims) shape.push(gone ? 1 : x.shape(i));
        }
    }
    // A result, or its gradient, with the reduced axes as size 1.
    Tensor kept(const Tensor& t) const {
        const Tensor c = plain::contiguous(t);
        return c.alias(kept_shape, contiguous_strides(kept_shape), c.offset());
    }
};

Reduction reduction(const Tensor& x, const Dims& axes, const Tensor& out) {
    Reduction r;
    const int64_t in_item = static_cast<int64_t>(item_size(x.dtype())),
                  out_item = static_cast<int64_t>(item_size(out.dtype()));
    for (int i = 0; i < x.rank(); ++i) {
        if (axes.contains(i)) {
            r.reduced.push(x.shape(i));
            r.reduced_in.push(x.strides()[i] * in_item);
        } else {
            r.kept.push(x.shape(i));
            r.kept_in.push(x.strides()[i] * in_item);
        }
    }
    const Dims strides = contiguous_strides(r.kept);
    for (int64_t s : strides) r.kept_out.push(s * out_item);
    r.in = x.data();
    r.out = out.data();
    return r;
}

Tensor run(ReduceOp op, const Tensor& x, const Dims& axes, const Dims& shape, DType dtype,
           double divisor = 1) {
    Tensor out = Tensor::empty(shape, dtype);
    LongWork work(0.5 * static_cast<double>(x.size()));
    if (out.size()) kernels().reduce.reduce(op, x.dtype(), reduction(x, axes, out), &divisor);
    return out;
}

// `t` (reduced axes of size 1) repeated to `shape`, as a view.
Tensor expand(const Tensor& t, const Dims& shape) {
    return t.alias(shape, broadcast_strides(t, shape), t.offset());
}

void check_not_empty(const char* op, const Tensor& x, const Plan& plan) {
    if (plan.length == 0 && !plan.shape.contains(0))
        value_error({op, ": nothing to reduce: x has shape ", x.shape(), ", empty along the reduced axes"});
}

DType sum_dtype(DType d) { return is_floating(d) ? d : DType::int64; }

// The reduced axes of `t` moved to the end, in memory order: rows x n.
struct Packed {
    Dims shape, strides; // `strides` of t itself
    Dims order;          // which axis of t stands where
    int64_t rows = 1, n = 1;
    Packed(const Tensor& t, const Dims& axes) {
        for (bool last : {false, true})
            for (int i = 0; i < t.rank(); ++i) {
                if (axes.contains(i) != last) continue;
                order.push(i);
                shape.push(t.shape(i));
                strides.push(t.strides()[i]);
                (last ? n : rows) *= t.shape(i);
            }
    }
};

// For every element the product of all others it is reduced with: running products from both sides, so that
// zeros do no harm.
Tensor products_of_others(const Tensor& t, const Dims& axes) {
    const Packed p(t, axes);
    const int64_t rows = p.rows, n = p.n, padded = n + 1;
    const Tensor flat = plain::contiguous(t.alias(p.shape, p.strides, t.offset()));
    Tensor others = Tensor::empty(p.shape, t.dtype());
    if (others.size()) {
        // before[i] = x[0] ... x[i - 1], after[i] = x[i + 1] ... x[n - 1]
        Tensor before = plain::full({rows, padded}, t.dtype(), 1),
               after = plain::full({rows, padded}, t.dtype(), 1);
        const Dims row_strides{padded, 1};
        plain::copy(before.alias({rows, n}, row_strides, 1), flat.alias({rows, n}, {n, 1}, flat.offset()));
        plain::copy(after.alias({rows, n}, row_strides, 0), flat.alias({rows, n}, {n, 1}, flat.offset()));
        const auto scan = kernels().reduce.scan;
        Tensor left = empty_like(before), right = empty_like(after);
        scan(ScanOp::prod, t.dtype(), rows, padded, 1, false, before.data(), left.data());
        scan(ScanOp::prod, t.dtype(), rows, padded, 1, true, after.data(), right.data());
        const Tensor product = multiply(operand(left.alias({rows, n}, row_strides, 0)),
                                        operand(right.alias({rows, n}, row_strides, 1)));
        plain::copy(others.alias({rows, n}, {n, 1}, 0), product);
    }
    Dims strides(t.rank(), 0);
    for (int i = 0; i < t.rank(); ++i) strides[static_cast<int>(p.order[i])] = others.strides()[i];
    return others.alias(t.shape(), strides, 0);
}

} // namespace

Tensor sum_over(const Tensor& x, const Dims& axes, bool keepdims) {
    const Plan plan("sum", x, axes, keepdims);
    return run(ReduceOp::sum, x, plan.axes, plan.shape, sum_dtype(x.dtype()));
}

Tensor sum(const Tensor& given, const Axes& axis, bool keepdims, const std::optional<DType>& dtype) {
    const Tensor x = dtype ? plain::convert(given, *dtype) : given;
    const Plan plan("sum", x, axis, keepdims);
    Tensor out = run(ReduceOp::sum, x, plan.axes, plan.shape, sum_dtype(x.dtype()));
    if (dtype && out.dtype() != *dtype) out = plain::convert(out, *dtype);
    if (recording({&given}))
        record("sum", out, {&given}, [plan, shape = x.shape(), from = given.dtype()](Backward& back) {
            back.give(0, plain::convert(expand(plan.kept(back.grad()), shape), from));
        });
    return out;
}

Tensor mean(const Tensor& given, const Axes& axis, bool keepdims) {
    const Tensor x = as_floating(given);
    const Plan plan("mean", x, axis, keepdims);
    const double n = static_cast<double>(plan.length);
    Tensor out = run(ReduceOp::sum, x, plan.axes, plan.shape, x.dtype(), n);
    if (recording({&x}))
        record("mean", out, {&x}, [plan, shape = x.shape(), n](Backward& back) {
            back.give(0, expand(plan.kept(divide(operand(back.grad()), operand(n))), shape));
        });
    return out;
}

Tensor prod(const Tensor& given, const Axes& axis, bool keepdims, const std::optional<DType>& dtype) {
    const Tensor x = dtype ? plain::convert(given, *dtype) : given;
    const Plan plan("prod", x, axis, keepdims);
    Tensor out = run(ReduceOp::prod, x, plan.axes, plan.shape, sum_dtype(x.dtype()));
    if (dtype && out.dtype() != *dtype) out = plain::convert(out, *dtype);
    if (recording({&given}))
        record("prod", out, {&given}, [plan, x = Saved(x), from = given.dtype()](Backward& back) {
            const Tensor others = products_of_others(x.get(), plan.axes);
            back.give(0, plain::convert(multiply(operand(expand(plan.kept(back.grad()), others.shape())),
                                                 operand(others)),
                                        from));
        });
    return out;
}

namespace {

Tensor variance(const char* op, const Tensor& given, const Axes& axis, double correction, bool keepdims) {
    const Tensor x = as_floating(given);
    const Plan plan(op, x, axis, keepdims);
    const double divisor = static_cast<double>(plan.length) - correction;
    Tensor out = run(ReduceOp::variance, x, plan.axes, plan.shape, x.dtype(), divisor);
    if (recording({&x}))
        record("var", out, {&x}, [plan, x = Saved(x), divisor](Backward& back) {
            const Tensor& t = x.get();
            const Tensor middle = run(ReduceOp::sum, t, plan.axes, plan.kept_shape, t.dtype(),
                                      static_cast<double>(plan.length));
            const Tensor g = multiply(operand(plan.kept(back.grad())), operand(2 / divisor));
            back.give(0, multiply(operand(subtract(operand(t), operand(middle))), operand(g)));
        });
    return out;
}

} // namespace

Tensor var(const Tensor& x, const Axes& axis, double correction, bool keepdims) {
    return variance("var", x, axis, correction, keepdims);
}

Tensor std_(const Tensor& x, const Axes& axis, double correction, bool keepdims) {
    if (is_half(x.dtype())) // rounded once
        return astype(std_(astype(x, DType::float32, false), axis, correction, keepdims), x.dtype(), false);
    return sqrt(variance("std", x, axis, correction, keepdims));
}

namespace {

// The gradient is shared equally among all elements that attain the extreme, as NumPy users of autograd
// expect.
Tensor extreme(const char* name, ReduceOp op, const Tensor& x, const Axes& axis, bool keepdims) {
    const Plan plan(name, x, axis, keepdims);
    check_not_empty(name, x, plan);
    Tensor out = run(op, x, plan.axes, plan.shape, x.dtype());
    if (recording({&x}))
        record(name, out, {&x}, [plan, x = Saved(x), y = Saved(out)](Backward& back) {
            const Tensor &t = x.get(), &g = back.grad();
            const Tensor top = expand(plan.kept(y.get()), t.shape());
            const Tensor chosen = equal(operand(t), operand(top));
            const Tensor count = count_nonzero(chosen, plan.axes, true);
            const Tensor share = divide(operand(plan.kept(g)), operand(plain::convert(count, g.dtype())));
            back.give(0, where(operand(chosen), operand(expand(share, t.shape())), operand(0.0)));
        });
    return out;
}

Tensor position(const char* name, ReduceOp op, const Tensor& x, const std::optional<int64_t>& axis,
                bool keepdims) {
    const Plan plan(name, x, axis ? Axes(Dims{*axis}) : Axes(), keepdims);
    check_not_empty(name, x, plan);
    return run(op, x, plan.axes, plan.shape, DType::int64);
}

Tensor run_over(const char* name, ReduceOp op, const Tensor& x, const Axes& axis, bool keepdims,
                DType dtype) {
    const Plan plan(name, x, axis, keepdims);
    return run(op, x, plan.axes, plan.shape, dtype);
}

} // namespace

Tensor max(const Tensor& x, const Axes& axis, bool keepdims) {
    return extreme("max", ReduceOp::max, x, axis, keepdims);
}
Tensor min(const Tensor& x, const Axes& axis, bool keepdims) {
    return extreme("min", ReduceOp::min, x, axis, keepdims);
}
Tensor any(const Tensor& x, const Axes& axis, bool keepdims) {
    return run_over("any", ReduceOp::any, x, axis, keepdims, DType::boolean);
}
Tensor all(const Tensor& x, const Axes& axis, bool keepdims) {
    return run_over("all", ReduceOp::all, x, axis, keepdims, DType::boolean);
}
Tensor count_nonzero(const Tensor& x, const Axes& axis, bool keepdims) {
    return run_over("count_nonzero", ReduceOp::count_nonzero, x, axis, keepdims, DType::int64);
}
Tensor argmax(const Tensor& x, const std::optional<int64_t>& axis, bool keepdims) {
    return position("argmax", ReduceOp::argmax, x, axis, keepdims);
}
Tensor argmin(const Tensor& x, const std::optional<int64_t>& axis, bool keepdims) {
    return position("argmin", ReduceOp::argmin, x, axis, keepdims);
}

Tensor logsumexp(const Tensor& given, const Axes& axis, bool keepdims) {
    const Tensor x = as_floating(given);
    if (is_half(x.dtype()))
        return astype(logsumexp(astype(x, DType::float32, false), axis, keepdims), x.dtype(), false);
    const Plan plan("logsumexp", x, axis, keepdims);
    check_not_empty("logsumexp", x, plan);
    Tensor out;
    {
        autograd::GradMode off(false);
        Tensor top = run(ReduceOp::max, x, plan.axes, plan.kept_shape, x.dtype());
        top = where(operand(isfinite(top)), operand(top), operand(0.0)); // infinities: nothing to shift by
        const Tensor total = sum_over(exp(subtract(operand(x), operand(top))), plan.axes, true);
        const Tensor y = add(operand(log(total)), operand(top));
        out = y.alias(plan.shape, contiguous_strides(plan.shape), y.offset());
    }
    if (recording({&x}))
        record("logsumexp", out, {&x}, [plan, x = Saved(x), y = Saved(out)](Backward& back) {
            const Tensor p = exp(subtract(operand(x.get()), operand(plan.kept(y.get()))));
            back.give(0, multiply(operand(p), operand(plan.kept(back.grad()))));
        });
    return out;
}

Tensor vector_norm(const Tensor& given, const Axes& axis, bool keepdims, double ord) {
    const Tensor x = as_floating(given);
    if (ord == 1) return sum(absolute(x), axis, keepdims, std::nullopt);
    if (std::isinf(ord) && ord > 0) return max(absolute(x), axis, keepdims);
    if (ord != 2) value_error({"vector_norm: ord is ", ord, ", expected 1, 2 or inf"});
    const Plan plan("vector_norm", x, axis, keepdims);
    Tensor out = run(ReduceOp::norm, x, plan.axes, plan.shape, x.dtype());
    if (recording({&x}))
        record("vector_norm", out, {&x}, [plan, x = Saved(x), y = Saved(out)](Backward& back) {
            // At 0 the gradient is 0, one of the subgradients.
            const Tensor norm = plan.kept(y.get());
            const Tensor safe =
                where(operand(equal(operand(norm), operand(0.0))), operand(1.0), operand(norm));
            const Tensor g = divide(operand(plan.kept(back.grad())), operand(safe));
            back.give(0, multiply(operand(x.get()), operand(g)));
        });
    return out;
}

namespace {

struct Rows {
    int64_t rows = 1, n = 1, inner = 1;
    Rows(const Dims& shape, int axis) {
        for (int i = 0; i < shape.rank(); ++i) (i < axis ? rows : i == axis ? n : inner) *= shape[i];
    }
};

Tensor scan(ScanOp op, const Tensor& x, int axis, bool reverse) {
    const Tensor c = plain::contiguous(x);
    Tensor out = Tensor::empty(x.shape(), sum_dtype(x.dtype()));
    const Rows r(x.shape(), axis);
    if (out.size()) kernels().reduce.scan(op, x.dtype(), r.rows, r.n, r.inner, reverse, c.data(), out.data());
    return out;
}

int scan_axis(const char* op, const Tensor& x, const std::optional<int64_t>& axis) {
    if (x.rank() == 0) value_error({op, ": x must have at least one dimension"});
    if (!axis && x.rank() != 1)
        value_error(
            {op, ": axis must be given for x with ", x.rank(), " dimensions (shape ", x.shape(), ")"});
    return normalize_axis(op, axis.value_or(0), x.rank());
}

} // namespace

Tensor cumulative_sum(const Tensor& x, const std::optional<int64_t>& axis) {
    const int a = scan_axis("cumulative_sum", x, axis);
    Tensor out = scan(ScanOp::sum, x, a, false);
    if (recording({&x}))
        record("cumulative_sum", out, {&x},
               [a](Backward& back) { back.give(0, scan(ScanOp::sum, back.grad(), a, true)); });
    return out;
}

} // namespace dt::ops
