#include "ops/pair.h"

#include <cmath>
#include <limits>

namespace dt::ops {
namespace {

DType promote_number(const Scalar& s, DType dtype) {
    if (s.kind == DType::float64 && !is_floating(dtype)) return DType::float32;
    if (s.kind == DType::int64 && dtype == DType::boolean) return DType::int64;
    return dtype;
}

void check_kind(const char* op, DType dtype, Kinds kinds) {
    if (kinds == Kinds::numbers && dtype == DType::boolean)
        type_error({op, ": not defined for bool; use logical_and, logical_or or logical_xor, or convert with "
                        "astype()"});
    if (kinds == Kinds::bits && is_floating(dtype))
        type_error({op, ": defined for bool and integers only, got ", dtype});
}

Loop number_loop(void* out) {
    Loop loop;
    loop.operands = 1;
    loop.data[0] = out;
    return loop;
}

} // namespace

DType promote(const char* op, const Operand& x1, const Operand& x2) {
    if (x1.is_tensor() && x2.is_tensor()) return promote(x1.tensor.dtype(), x2.tensor.dtype());
    if (x1.is_tensor()) return promote_number(x2.scalar, x1.tensor.dtype());
    if (x2.is_tensor()) return promote_number(x1.scalar, x2.tensor.dtype());
    type_error({op, ": at least one of the operands must be a Tensor"});
}

void write_scalar(const char* op, const Scalar& s, DType dtype, void* out) {
    if (is_integer(dtype) && s.kind == DType::float64 && !(std::abs(s.real) < 0x1p63))
        value_error({op, ": the number ", s.real, " is out of range for ", dtype});
    const auto check = [&](int64_t low, int64_t high) {
        if (s.integer < low || s.integer > high)
            value_error({op, ": the integer ", s.integer, " is out of range for ", dtype});
    };
    switch (dtype) {
    case DType::boolean:
        *static_cast<bool*>(out) = s.real != 0;
        return;
    case DType::uint8:
        check(0, 255);
        *static_cast<uint8_t*>(out) = static_cast<uint8_t>(s.integer);
        return;
    case DType::int32:
        check(std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max());
        *static_cast<int32_t*>(out) = static_cast<int32_t>(s.integer);
        return;
    case DType::int64:
        *static_cast<int64_t*>(out) = s.integer;
        return;
    case DType::float32:
        *static_cast<float*>(out) = static_cast<float>(s.real);
        return;
    case DType::float64:
        *static_cast<double*>(out) = s.real;
        return;
    default:
        kernels().elementwise.fill(dtype, number_loop(out), s.real, 0);
    }
}

void check_half_range(const char* op, const char* argument, const Scalar& s, DType dtype) {
    const double largest = dtype == DType::float16 ? 65504.0 : 0x1.fep127;
    if (is_half(dtype) && std::isfinite(s.real) && std::abs(s.real) > largest)
        value_error({op, ": ", argument, " is ", s.real, ", beyond the range of ", dtype, ", -", largest,
                     " to ", largest});
}
Tensor scalar_tensor(const char* op, const Scalar& s, DType dtype) {
    Tensor t = Tensor::empty({}, dtype);
    write_scalar(op, s, dtype, t.data());
    return t;
}

Pair make_pair(const char* op, const Operand& x1, const Operand& x2, Kinds kinds) {
    Pair p;
    p.dtype = promote(op, x1, x2);
    if (kinds == Kinds::floats) p.dtype = floating_of(p.dtype);
    if (kinds == Kinds::bools) p.dtype = DType::boolean;
    check_kind(op, p.dtype, kinds);
    p.a_given = x1.tensor;
    p.b_given = x2.tensor;
    p.a_scalar = x1.scalar;
    p.b_scalar = x2.scalar;
    if (x1.is_tensor())
        p.a = plain::convert(x1.tensor, p.dtype);
    else
        write_scalar(op, x1.scalar, p.dtype, p.a_value);
    if (x2.is_tensor())
        p.b = plain::convert(x2.tensor, p.dtype);
    else
        write_scalar(op, x2.scalar, p.dtype, p.b_value);
    if (!p.a.defined())
        p.shape = p.b.shape();
    else if (!p.b.defined() || p.a.shape() == p.b.shape())
        p.shape = p.a.shape();
    else
        p.shape = broadcast_shapes(op, p.a.shape(), p.b.shape());
    return p;
}

Loop Pair::loop(const Tensor& out) const {
    Loop loop = loop_over(shape, {&out});
    const int64_t item = static_cast<int64_t>(item_size(dtype));
    const auto add = [&](const Tensor& t, const char* value) {
        Dims& strides = loop.strides[loop.operands];
        if (t.defined()) {
            strides = broadcast_strides(t, shape);
            for (int64_t& s : strides) s *= item;
            loop.data[loop.operands++] = t.data();
        } else {
            strides = Dims(shape.rank(), 0);
            loop.data[loop.operands++] = const_cast<char*>(value);
        }
    };
    add(a, a_value);
    add(b, b_value);
    return loop;
}

bool broadcasts_to(const Dims& from, const Dims& to) {
    const int shift = to.rank() - from.rank();
    for (int i = 0; i < from.rank(); ++i)
        if (shift < 0 || (from[i] != 1 && from[i] != to[i + shift])) return false;
    return true;
}

Tensor grad_for(const Tensor& grad, const Dims& shape, DType dtype) {
    return plain::convert(sum_to(grad, shape), dtype);
}

} // namespace dt::ops
