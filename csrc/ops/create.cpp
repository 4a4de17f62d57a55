#include "ops/create.h"

#include <cmath>

#include "ops/elementwise.h"
#include "ops/pair.h"

namespace dt::ops {
namespace {

Tensor filled(const char* op, const Dims& shape, DType dtype, const Scalar& value, bool requires_grad) {
    alignas(8) char checked[8];
    write_scalar(op, value, dtype, checked);
    check_half_range(op, "fill_value", value, dtype);
    Tensor t = Tensor::empty(shape, dtype, Device::cpu, op);
    if (t.size())
        kernels().elementwise.fill(dtype, loop_over(shape, {&t}), value.real,
                                   dtype == DType::boolean ? value.real != 0 : value.integer);
    if (requires_grad) autograd::set_requires_grad(t, true);
    return t;
}

constexpr Scalar kZero{DType::int64, 0, 0}, kOne{DType::int64, 1, 1};

DType natural_dtype(const Scalar& s) { return s.kind == DType::float64 ? DType::float32 : s.kind; }

} // namespace

Tensor empty(const Dims& shape, const DType& dtype, bool requires_grad) {
    Tensor t = Tensor::empty(shape, dtype);
    if (requires_grad) autograd::set_requires_grad(t, true);
    return t;
}
Tensor zeros(const Dims& shape, const DType& dtype, bool requires_grad) {
    return filled("zeros", shape, dtype, kZero, requires_grad);
}
Tensor ones(const Dims& shape, const DType& dtype, bool requires_grad) {
    return filled("ones", shape, dtype, kOne, requires_grad);
}
Tensor full(const Dims& shape, const Scalar& fill_value, const std::optional<DType>& dtype,
            bool requires_grad) {
    return filled("full", shape, dtype.value_or(natural_dtype(fill_value)), fill_value, requires_grad);
}
Tensor empty_like(const Tensor& x, const std::optional<DType>& dtype, bool requires_grad) {
    return empty(x.shape(), dtype.value_or(x.dtype()), requires_grad);
}
Tensor zeros_like(const Tensor& x, const std::optional<DType>& dtype, bool requires_grad) {
    return filled("zeros_like", x.shape(), dtype.value_or(x.dtype()), kZero, requires_grad);
}
Tensor ones_like(const Tensor& x, const std::optional<DType>& dtype, bool requires_grad) {
    return filled("ones_like", x.shape(), dtype.value_or(x.dtype()), kOne, requires_grad);
}
Tensor full_like(const Tensor& x, const Scalar& value, const std::optional<DType>& dtype,
                 bool requires_grad) {
    return filled("full_like", x.shape(), dtype.value_or(x.dtype()), value, requires_grad);
}

namespace {

// ValueError where an integer dtype cannot hold the first or the last of n numbers.
void check_ends(const Scalar& start, const Scalar& step, int64_t n, bool whole, DType dtype) {
    Scalar last{DType::float64, 0, start.real + static_cast<double>(n - 1) * step.real};
    if (whole)
        last = {DType::int64,
                static_cast<int64_t>(start.integer + static_cast<__int128>(n - 1) * step.integer), last.real};
    else if (std::abs(last.real) < 0x1p63)
        last.integer = static_cast<int64_t>(last.real);
    alignas(8) char checked[8];
    write_scalar("arange", start, dtype, checked);
    write_scalar("arange", last, dtype, checked);
}

} // namespace

Tensor arange(const Scalar& first, const std::optional<Scalar>& second, const Scalar& step,
              const std::optional<DType>& given) {
    const Scalar start = second ? first : kZero, stop = second ? *second : first;
    const bool whole =
        start.kind != DType::float64 && stop.kind != DType::float64 && step.kind != DType::float64;
    const DType dtype = given.value_or(whole ? DType::int64 : DType::float32);
    if (dtype == DType::boolean) type_error({"arange: dtype must be a number's, got bool"});
    if (step.real == 0) value_error({"arange: step must not be 0"});
    const double exact = std::ceil((stop.real - start.real) / step.real);
    if (!(std::abs(exact) < 9e18))
        value_error({"arange: the range from ", start.real, " to ", stop.real, " in steps of ", step.real,
                     " has no finite size"});
    int64_t n = exact > 0 ? static_cast<int64_t>(exact) : 0;
    if (whole) { // beyond 2^53 doubles are not exact
        const __int128 span = static_cast<__int128>(stop.integer) - start.integer, s = step.integer;
        const __int128 count = s > 0 ? (span + s - 1) / s : (span + s + 1) / s;
        n = (s > 0) == (span > 0) && span != 0 ? static_cast<int64_t>(count) : 0;
    }
    if (n > 0) check_ends(start, step, n, whole, dtype);
    Tensor out = Tensor::empty({n}, dtype, Device::cpu, "arange");
    const bool truncates = !is_floating(dtype) && !whole; // the steps of whole numbers are those of Python
    if (truncates) {
        Tensor real = arange(first, second, step, DType::float64);
        plain::copy(out, real);
    } else if (n) {
        kernels().elementwise.arange(dtype, n, out.data(), start.real, step.real, start.integer,
                                     step.integer);
    }
    return out;
}

Tensor linspace(const Scalar& start, const Scalar& stop, int64_t num, bool endpoint, const DType& dtype) {
    if (num < 0) value_error({"linspace: num is ", num, ", expected 0 or more"});
    if (!is_floating(dtype)) type_error({"linspace: dtype must be a floating-point one, got ", dtype});
    if (!std::isfinite(start.real) || !std::isfinite(stop.real))
        value_error({"linspace: start and stop must be finite, got ", start.real, " and ", stop.real});
    const int64_t intervals = endpoint ? num - 1 : num;
    Tensor out = Tensor::empty({num}, DType::float64, Device::cpu, "linspace");
    const double step = intervals > 0 ? (stop.real - start.real) / static_cast<double>(intervals) : 0;
    if (num) kernels().elementwise.arange(DType::float64, num, out.data(), start.real, step, 0, 0);
    if (endpoint && num > 1) out.data<double>()[num - 1] = stop.real;
    return plain::convert(out, dtype);
}

Tensor eye(int64_t n_rows, const std::optional<int64_t>& n_cols, int64_t k, const DType& dtype) {
    const int64_t columns = n_cols.value_or(n_rows);
    Tensor out = zeros({n_rows, columns}, dtype, false);
    const int64_t first_row = std::max<int64_t>(-k, 0), first_column = std::max<int64_t>(k, 0);
    const int64_t n = std::min(n_rows - first_row, columns - first_column);
    if (n > 0) assign("eye", out.alias({n}, {columns + 1}, first_row * columns + first_column), {{}, kOne});
    return out;
}

Tensor fill_(const Tensor& x, const Scalar& value) { return assign("fill_", x, {{}, value}); }
Tensor zero_(const Tensor& x) { return assign("zero_", x, {{}, kZero}); }

} // namespace dt::ops
