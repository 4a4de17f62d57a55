#include "ops/checks.h"

#include <limits>

namespace dt::ops {

Tensor scratch(int64_t doubles) { return Tensor::empty({doubles}, DType::float64); }

void check_real(const char* op, const char* argument, const Tensor& t) {
    if (t.dtype() != DType::float32 && t.dtype() != DType::float64)
        type_error({op, ": ", argument, " must have dtype float32 or float64, got ", t.dtype()});
}

void check_beside(const char* op, const char* argument, const Tensor& t, const Tensor& input) {
    if (!is_half(input.dtype()) || t.dtype() != DType::float32)
        check_same_dtype(op, argument, t, "input", input);
}

void check_shape(const char* op, const char* argument, const Tensor& t, const Dims& shape, const char* why) {
    if (t.shape() != shape)
        value_error({op, ": ", argument, " has shape ", t.shape(), ", expected ", shape, why});
}

void check_parameter(const char* op, const char* argument, const Tensor& t, const Tensor& input,
                     const Dims& shape, const char* why) {
    if (!t.defined()) return;
    check_beside(op, argument, t, input);
    check_shape(op, argument, t, shape, why);
}

void check_constant(const char* op, const char* argument, const Tensor& t) {
    if (t.defined() && autograd::grad_enabled() && autograd::requires_grad(t))
        runtime_error({op, ": ", argument, " requires a gradient, which this op does not give; pass ",
                       argument, ".detach()"});
}

void check_between(const char* op, const char* argument, double value, double low, double high) {
    if (value >= low && value <= high) return;
    const double largest = std::numeric_limits<double>::max();
    if (high >= largest && low > -largest)
        value_error({op, ": ", argument, " is ", value, ", expected ", low, " or more"});
    if (high >= largest) value_error({op, ": ", argument, " is ", value, ", expected a finite number"});
    value_error({op, ": ", argument, " is ", value, ", expected a number from ", low, " to ", high});
}

Tensor own_indices(const char* op, const char* argument, const Tensor& t, const char* hint) {
    if (!is_integer(t.dtype()))
        type_error({op, ": ", argument, " must have an integer dtype, got ", t.dtype(), hint});
    const Tensor indices = plain::contiguous(plain::convert(t, DType::int64));
    return indices.data() == t.data() ? plain::clone(indices) : indices;
}

} // namespace dt::ops
