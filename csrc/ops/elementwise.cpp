#include "ops/elementwise.h"

#include "ops/checks.h"
#include "ops/copy.h"
#include "ops/pair.h"
#include "ops/unary.h"

namespace dt::ops {
namespace {

void run_into(const Tensor& out, const Pair& p, BinaryOp op) {
    if (out.size() == 0) return;
    LongWork work(0.3 * static_cast<double>(out.size()));
    kernels().elementwise.binary(op, p.dtype, p.loop(out), nullptr);
}

Tensor run(const Pair& p, BinaryOp op) {
    Tensor out = Tensor::empty(p.shape, p.dtype);
    run_into(out, p, op);
    return out;
}

Tensor kernel(BinaryOp op, const Tensor& a, const Tensor& b) {
    return run(make_pair("backward", {a, {}}, {b, {}}, Kinds::floats), op);
}
Tensor ternary(TernaryOp op, const Tensor& g, const Tensor& a, const Tensor& b) {
    Tensor out = empty_like(g);
    if (out.size())
        kernels().elementwise.ternary(op, g.dtype(), loop_over(g.shape(), {&out, &g, &a, &b}), nullptr);
    return out;
}

// What the backward functions need: the operands as the kernel saw them, and how to give a gradient to
// either.
struct Sides {
    Dims a_shape, b_shape;
    DType a_dtype = DType::float32, b_dtype = DType::float32;
    Scalar a_scalar, b_scalar;
    explicit Sides(const Pair& p) : a_scalar(p.a_scalar), b_scalar(p.b_scalar) {
        if (p.a_given.defined()) {
            a_shape = p.a_given.shape();
            a_dtype = p.a_given.dtype();
        }
        if (p.b_given.defined()) {
            b_shape = p.b_given.shape();
            b_dtype = p.b_given.dtype();
        }
    }
    void give_a(Backward& out, const Tensor& g) const { out.give(0, grad_for(g, a_shape, a_dtype)); }
    void give_b(Backward& out, const Tensor& g) const { out.give(1, grad_for(g, b_shape, b_dtype)); }
};
Operand saved_operand(const Saved& s, const Scalar& scalar) {
    return s ? Operand{s.get(), {}} : Operand{{}, scalar};
}

bool recording(const Pair& p) { return autograd::recording({&p.a_given, &p.b_given}); }
bool needs_grad(const Tensor& t) { return t.defined() && autograd::requires_grad(t); }

// Records an op whose gradients need both operands (and the result, where `y` says so).
template <class F> void record_pair(const char* op, const Tensor& out, const Pair& p, bool y, F f) {
    record(op, out, {&p.a_given, &p.b_given},
           [s = Sides(p), a = Saved(p.a), b = Saved(p.b), y = y ? Saved(out) : Saved(), f](Backward& back) {
               f(back, s, saved_operand(a, s.a_scalar), saved_operand(b, s.b_scalar), y);
           });
}

} // namespace

Tensor add(const Operand& x1, const Operand& x2) {
    const Pair p = make_pair("add", x1, x2, Kinds::numbers);
    Tensor out = run(p, BinaryOp::add);
    if (recording(p))
        record("add", out, {&x1.tensor, &x2.tensor}, [s = Sides(p)](Backward& back) {
            if (back.needs(0)) s.give_a(back, back.grad());
            if (back.needs(1)) s.give_b(back, back.grad());
        });
    return out;
}

Tensor subtract(const Operand& x1, const Operand& x2) {
    const Pair p = make_pair("subtract", x1, x2, Kinds::numbers);
    Tensor out = run(p, BinaryOp::subtract);
    if (recording(p))
        record("subtract", out, {&x1.tensor, &x2.tensor}, [s = Sides(p)](Backward& back) {
            if (back.needs(0)) s.give_a(back, back.grad());
            if (back.needs(1)) s.give_b(back, negative(sum_to(back.grad(), s.b_shape)));
        });
    return out;
}

Tensor multiply(const Operand& x1, const Operand& x2) {
    const Pair p = make_pair("multiply", x1, x2, Kinds::numbers);
    Tensor out = run(p, BinaryOp::multiply);
    if (recording(p)) {
        const Saved a = needs_grad(x2.tensor) ? Saved(p.a) : Saved(),
                    b = needs_grad(x1.tensor) ? Saved(p.b) : Saved();
        record("multiply", out, {&x1.tensor, &x2.tensor}, [s = Sides(p), a, b](Backward& back) {
            const Operand g = operand(back.grad());
            if (back.needs(0)) s.give_a(back, multiply(g, saved_operand(b, s.b_scalar)));
            if (back.needs(1)) s.give_b(back, multiply(g, saved_operand(a, s.a_scalar)));
        });
    }
    return out;
}

Tensor divide(const Operand& x1, const Operand& x2) {
    const Pair p = make_pair("divide", x1, x2, Kinds::floats);
    Tensor out = run(p, BinaryOp::divide);
    if (recording(p)) {
        const Saved y = needs_grad(x2.tensor) ? Saved(out) : Saved();
        record("divide", out, {&x1.tensor, &x2.tensor}, [s = Sides(p), b = Saved(p.b), y](Backward& back) {
            const Tensor g = divide(operand(back.grad()), saved_operand(b, s.b_scalar));
            if (back.needs(0)) s.give_a(back, g);
            if (back.needs(1)) s.give_b(back, negative(multiply(operand(g), operand(y.get()))));
        });
    }
    return out;
}

Tensor floor_divide(const Operand& x1, const Operand& x2) {
    const Pair p = make_pair("floor_divide", x1, x2, Kinds::numbers);
    Tensor out = run(p, BinaryOp::floor_divide);
    if (recording(p))
        record("floor_divide", out, {&x1.tensor, &x2.tensor}, [s = Sides(p)](Backward& back) {
            if (back.needs(0)) back.give(0, plain::zeros(s.a_shape, s.a_dtype));
            if (back.needs(1)) back.give(1, plain::zeros(s.b_shape, s.b_dtype));
        });
    return out;
}

Tensor remainder(const Operand& x1, const Operand& x2) {
    const Pair p = make_pair("remainder", x1, x2, Kinds::numbers);
    Tensor out = run(p, BinaryOp::remainder);
    if (recording(p))
        record_pair("remainder", out, p, false,
                    [](Backward& back, const Sides& s, const Operand& a, const Operand& b, const Saved&) {
                        if (back.needs(0)) s.give_a(back, back.grad());
                        if (back.needs(1))
                            s.give_b(back,
                                     negative(multiply(operand(back.grad()), operand(floor_divide(a, b)))));
                    });
    return out;
}

namespace {

// Of a quotient rounded to a half format, the whole part may be one too many.
Operand wide(const Operand& x) {
    return x.is_tensor() ? operand(plain::convert(x.tensor, computing_dtype(x.tensor.dtype()))) : x;
}

} // namespace

Tensor fmod(const Operand& x1, const Operand& x2) {
    const Pair p = make_pair("fmod", x1, x2, Kinds::floats);
    Tensor out = run(p, BinaryOp::fmod);
    if (recording(p))
        record_pair("fmod", out, p, false,
                    [](Backward& back, const Sides& s, const Operand& a, const Operand& b, const Saved&) {
                        if (back.needs(0)) s.give_a(back, back.grad());
                        if (back.needs(1))
                            s.give_b(back, negative(multiply(operand(back.grad()),
                                                             operand(trunc(divide(wide(a), wide(b)))))));
                    });
    return out;
}

namespace {

void check_integer_exponent(const Pair& p) {
    if (is_floating(p.dtype)) return;
    const bool negative_number = !p.b.defined() && p.b_scalar.integer < 0;
    bool negative_value = negative_number;
    if (p.b.defined() && p.b.size() && p.dtype != DType::uint8) {
        const Tensor b = plain::convert(plain::contiguous(p.b), DType::int64);
        for (int64_t i = 0; i < b.size() && !negative_value; ++i) negative_value = b.data<int64_t>()[i] < 0;
    }
    if (negative_value)
        value_error({"pow: integers cannot be raised to negative integer powers; convert to a float"});
}

// g y log(a), and 0 where a is 0: there y is 0 or constant, or the slope is infinite.
Tensor exponent_grad(const Tensor& g, const Operand& a, const Tensor& y) {
    const Tensor base = a.is_tensor() ? a.tensor : scalar_tensor("pow", a.scalar, y.dtype());
    const Tensor zero = scalar_tensor("pow", {}, y.dtype()),
                 product = multiply(operand(multiply(operand(g), operand(y))), operand(log(base)));
    Tensor is_zero = Tensor::empty(base.shape(), DType::boolean), out = empty_like(product);
    if (base.size())
        kernels().elementwise.predicate(PredicateOp::logical_not, base.dtype(),
                                        loop_over(base.shape(), {&is_zero, &base}));
    if (out.size())
        kernels().elementwise.where(out.dtype(), loop_over(out.shape(), {&out, &is_zero, &zero, &product}));
    return out;
}

} // namespace

Tensor pow(const Operand& x1, const Operand& x2) {
    if (x1.is_tensor() && !x2.is_tensor() && is_floating(x1.tensor.dtype()))
        return power(x1.tensor, x2.scalar.real);
    if (x1.is_tensor() && !x2.is_tensor() && is_integer(x1.tensor.dtype()) &&
        x2.scalar.kind != DType::float64 && x2.scalar.integer == 2)
        return square(x1.tensor);
    const Pair p = make_pair("pow", x1, x2, Kinds::numbers);
    check_integer_exponent(p);
    Tensor out = run(p, BinaryOp::power);
    if (recording(p))
        record_pair("pow", out, p, true,
                    [](Backward& back, const Sides& s, const Operand& a, const Operand& b, const Saved& y) {
                        const Operand g = operand(back.grad());
                        if (back.needs(0)) {
                            const Tensor slope =
                                multiply(b, operand(pow(a, operand(subtract(b, operand(1.0))))));
                            s.give_a(back, multiply(g, operand(slope)));
                        }
                        if (back.needs(1)) s.give_b(back, exponent_grad(back.grad(), a, y.get()));
                    });
    return out;
}

namespace {

Tensor extreme(const char* name, BinaryOp op, TernaryOp grad, const Operand& x1, const Operand& x2) {
    const Pair p = make_pair(name, x1, x2, Kinds::numbers);
    Tensor out = run(p, op);
    if (recording(p))
        record_pair(name, out, p, false,
                    [grad](Backward& back, const Sides& s, const Operand& a, const Operand& b, const Saved&) {
                        const Tensor& g = back.grad();
                        const Tensor x =
                            a.is_tensor() ? a.tensor : scalar_tensor("maximum", a.scalar, g.dtype());
                        const Tensor y =
                            b.is_tensor() ? b.tensor : scalar_tensor("maximum", b.scalar, g.dtype());
                        if (back.needs(0)) s.give_a(back, ternary(grad, g, x, y));
                        if (back.needs(1)) s.give_b(back, ternary(grad, g, y, x));
                    });
    return out;
}

} // namespace

Tensor maximum(const Operand& x1, const Operand& x2) {
    return extreme("maximum", BinaryOp::maximum, TernaryOp::maximum_grad, x1, x2);
}
Tensor minimum(const Operand& x1, const Operand& x2) {
    return extreme("minimum", BinaryOp::minimum, TernaryOp::minimum_grad, x1, x2);
}

Tensor atan2(const Operand& x1, const Operand& x2) {
    const Pair p = make_pair("atan2", x1, x2, Kinds::floats);
    Tensor out = run(p, BinaryOp::atan2);
    if (recording(p))
        record_pair("atan2", out, p, false,
                    [](Backward& back, const Sides& s, const Operand& a, const Operand& b, const Saved&) {
                        // One of a and b may be a number, and two numbers have no product here.
                        const Tensor g = divide(operand(back.grad()), operand(square(hypot(a, b))));
                        if (back.needs(0)) s.give_a(back, multiply(operand(g), b));
                        if (back.needs(1)) s.give_b(back, negative(multiply(operand(g), a)));
                    });
    return out;
}

Tensor hypot(const Operand& x1, const Operand& x2) {
    const Pair p = make_pair("hypot", x1, x2, Kinds::floats);
    Tensor out = run(p, BinaryOp::hypot);
    if (recording(p))
        record_pair("hypot", out, p, true,
                    [](Backward& back, const Sides& s, const Operand& a, const Operand& b, const Saved& y) {
                        const Tensor g = kernel(BinaryOp::divide, back.grad(), y.get());
                        if (back.needs(0)) s.give_a(back, multiply(operand(g), a));
                        if (back.needs(1)) s.give_b(back, multiply(operand(g), b));
                    });
    return out;
}

Tensor logaddexp(const Operand& x1, const Operand& x2) {
    const Pair p = make_pair("logaddexp", x1, x2, Kinds::floats);
    Tensor out = run(p, BinaryOp::logaddexp);
    if (recording(p))
        record_pair("logaddexp", out, p, true,
                    [](Backward& back, const Sides& s, const Operand& a, const Operand& b, const Saved& y) {
                        const Operand g = operand(back.grad()), top = operand(y.get());
                        if (back.needs(0)) s.give_a(back, multiply(g, operand(exp(subtract(a, top)))));
                        if (back.needs(1)) s.give_b(back, multiply(g, operand(exp(subtract(b, top)))));
                    });
    return out;
}

Tensor bitwise_and(const Operand& x1, const Operand& x2) {
    return run(make_pair("bitwise_and", x1, x2, Kinds::bits), BinaryOp::bitwise_and);
}
Tensor bitwise_or(const Operand& x1, const Operand& x2) {
    return run(make_pair("bitwise_or", x1, x2, Kinds::bits), BinaryOp::bitwise_or);
}
Tensor bitwise_xor(const Operand& x1, const Operand& x2) {
    return run(make_pair("bitwise_xor", x1, x2, Kinds::bits), BinaryOp::bitwise_xor);
}

namespace {

Tensor shift(const char* name, BinaryOp op, const Operand& x1, const Operand& x2) {
    const Pair p = make_pair(name, x1, x2, Kinds::bits);
    if (p.dtype == DType::boolean) type_error({name, ": defined for integers only, got bool"});
    return run(p, op);
}

} // namespace

Tensor bitwise_left_shift(const Operand& x1, const Operand& x2) {
    return shift("bitwise_left_shift", BinaryOp::left_shift, x1, x2);
}
Tensor bitwise_right_shift(const Operand& x1, const Operand& x2) {
    return shift("bitwise_right_shift", BinaryOp::right_shift, x1, x2);
}

namespace {

// Of two tensors of one dtype without making them bool first.
Tensor logical(const char* name, BinaryOp of_bools, CompareOp op, const Operand& x1, const Operand& x2) {
    if (!x1.is_tensor() || !x2.is_tensor() || x1.tensor.dtype() != x2.tensor.dtype())
        return run(make_pair(name, x1, x2, Kinds::bools), of_bools);
    const Pair p = make_pair(name, x1, x2, Kinds::any);
    Tensor out = Tensor::empty(p.shape, DType::boolean);
    if (out.size() == 0) return out;
    LongWork work(0.3 * static_cast<double>(out.size()));
    kernels().elementwise.compare(op, p.dtype, p.loop(out));
    return out;
}

} // namespace

Tensor logical_and(const Operand& x1, const Operand& x2) {
    return logical("logical_and", BinaryOp::bitwise_and, CompareOp::logical_and, x1, x2);
}
Tensor logical_or(const Operand& x1, const Operand& x2) {
    return logical("logical_or", BinaryOp::bitwise_or, CompareOp::logical_or, x1, x2);
}
Tensor logical_xor(const Operand& x1, const Operand& x2) {
    return logical("logical_xor", BinaryOp::bitwise_xor, CompareOp::logical_xor, x1, x2);
}

namespace {

// True where writing to `target` in the order of its elements could change elements of `x` before they are
// read.
bool tangled(const Tensor& target, const Tensor& x) {
    if (!x.defined() || !shares_memory(target, x)) return false;
    return !(target.data() == x.data() && item_size(target.dtype()) == item_size(x.dtype()) &&
             target.shape() == x.shape() && target.strides() == x.strides());
}

struct InPlace {
    const char* name;
    BinaryOp kernel;
    Kinds kinds;
    BinaryFunction function;
};

// The result goes straight into the target where the tape does not need the old values.
Tensor in_place(const InPlace& op, const Tensor& target, const Operand& x) {
    autograd::check_in_place(op.name, target);
    Pair p = make_pair(op.name, {target, {}}, x, op.kinds);
    if (p.dtype != target.dtype())
        type_error({op.name, ": the result has dtype ", p.dtype,
                    ", but the tensor changed in place has dtype ", target.dtype()});
    if (!(p.shape == target.shape()))
        value_error({op.name, ": the result has shape ", p.shape,
                     ", but the tensor changed in place has shape ", target.shape()});
    if (autograd::recording({&target, &x.tensor})) {
        const bool saves = op.kernel != BinaryOp::add && op.kernel != BinaryOp::subtract;
        const Tensor before = saves ? clone(target) : target; // what backward needs must outlive the write
        const bool shared = saves && x.is_tensor() && shares_memory(x.tensor, target);
        Tensor value = op.function({before, {}}, shared ? Operand{clone(x.tensor), {}} : x);
        plain::copy(target, value);
        autograd::record_in_place(op.name, target, value);
        return target;
    }
    if (op.kernel == BinaryOp::power) check_integer_exponent(p);
    if (tangled(target, p.b)) p.b = plain::clone(p.b);
    run_into(target, p, op.kernel);
    autograd::record_in_place(op.name, target, Tensor());
    return target;
}

} // namespace

#define DT_IN_PLACE(name, kinds, kernel)                                                                     \
    Tensor name##_(const Tensor& target, const Operand& x) {                                                 \
        return in_place({#name "_", BinaryOp::kernel, Kinds::kinds, name}, target, x);                       \
    }
DT_IN_PLACE(add, numbers, add)
DT_IN_PLACE(subtract, numbers, subtract)
DT_IN_PLACE(multiply, numbers, multiply)
DT_IN_PLACE(divide, floats, divide)
DT_IN_PLACE(floor_divide, numbers, floor_divide)
DT_IN_PLACE(remainder, numbers, remainder)
DT_IN_PLACE(pow, numbers, power)
DT_IN_PLACE(bitwise_and, bits, bitwise_and)
DT_IN_PLACE(bitwise_or, bits, bitwise_or)
DT_IN_PLACE(bitwise_xor, bits, bitwise_xor)
DT_IN_PLACE(bitwise_left_shift, bits, left_shift)
DT_IN_PLACE(bitwise_right_shift, bits, right_shift)

Tensor assign(const char* op, const Tensor& target, const Operand& value) {
    autograd::check_in_place(op, target);
    if (!value.is_tensor()) {
        Scalar s = value.scalar;
        alignas(8) char checked[8];
        write_scalar(op, s, target.dtype(), checked);
        check_half_range(op, "the value", s, target.dtype());
        if (target.size())
            kernels().elementwise.fill(target.dtype(), loop_over(target.shape(), {&target}), s.real,
                                       target.dtype() == DType::boolean ? s.real != 0 : s.integer);
        autograd::record_in_place(op, target, Tensor());
        return target;
    }
    const Tensor& x = value.tensor;
    Dims shape = x.shape(); // as in NumPy, leading axes of size 1 may be dropped
    while (shape.rank() > target.rank() && shape[0] == 1) shape.erase(0);
    Dims strides = x.strides();
    while (strides.rank() > shape.rank()) strides.erase(0);
    const Tensor seen = x.alias(shape, strides, x.offset());
    if (!broadcasts_to(seen.shape(), target.shape()))
        value_error({op, ": a value of shape ", x.shape(), " does not broadcast to shape ", target.shape()});
    const Tensor source = tangled(target, seen) ? plain::clone(seen) : seen;
    if (target.size())
        kernels().elementwise.convert(source.dtype(), target.dtype(),
                                      loop_over(target.shape(), {&target, &source}));
    if (!autograd::recording({&target, &x})) {
        autograd::record_in_place(op, target, Tensor());
        return target;
    }
    // The tape sees a source of the target's own shape and dtype.
    Tensor spread = Tensor::empty(target.shape(), target.dtype());
    plain::copy(spread, target);
    if (autograd::requires_grad(x))
        record(op, spread, {&x}, [given = x.shape(), shape, dtype = x.dtype()](Backward& back) {
            const Tensor g = plain::contiguous(grad_for(back.grad(), shape, dtype));
            back.give(0, g.alias(given, contiguous_strides(given), g.offset()));
        });
    autograd::record_in_place(op, target, spread);
    return target;
}

} // namespace dt::ops
