#include "ops/gemm.h"

#include "bindings/families.h"
#include "bindings/op.h"

namespace dt::bindings {
namespace {

Tensor reversed_matmul(const Tensor& x2, const Tensor& x1) { return ops::matmul(x1, x2); }
Tensor linear_relu(const Tensor& input, const Tensor& weight, const std::optional<Tensor>& bias) {
    return ops::linear_activation(input, weight, bias, Activation::relu);
}

constexpr const char* kMatmul = R"(Matrix product, as numpy.matmul.

Args:
    x1: (..., m, k), or (k,) which counts as one row.
    x2: (..., k, n), or (k,) which counts as one column. The axes before the last two broadcast.

Returns:
    Tensor (..., m, n), without the axis that a vector stood for. float16 and bfloat16 are summed in float32.

Raises:
    ValueError: where the inner sizes differ or the stacks do not broadcast.
    TypeError: for integer and bool tensors.

Example:
    >>> a, b = drivetrain.ones((2, 3)), drivetrain.ones((3, 4))
    >>> drivetrain.matmul(a, b).shape
    (2, 4)
)";

constexpr const char* kLinear = R"(input times weight transposed, plus bias.

Args:
    input: (..., in).
    weight: (out, in), of the same dtype.
    bias: (out,), or None.

Returns:
    Tensor (..., out).

Raises:
    ValueError: where the shapes do not fit.
    TypeError: where the dtypes differ or are not floating-point.

Example:
    >>> x, w = drivetrain.ones((2, 3)), drivetrain.ones((4, 3))
    >>> drivetrain.nn.functional.linear(x, w).shape
    (2, 4)
)";

} // namespace

void bind_gemm(py::module_& m) {
    op<&ops::matmul>(m, "matmul", kMatmul, {"x1"_a, "x2"_a});
    method<&ops::matmul>("matmul", kMatmul, {"other"_a});
    method<&ops::matmul>("__matmul__", "self @ other", {"other"_a}, "matmul");
    method<&reversed_matmul>("__rmatmul__", "other @ self", {"other"_a}, "matmul");
    op<&ops::linear>(m, "linear", kLinear, {"input"_a, "weight"_a, "bias"_a = py::none()});
    op<&linear_relu>(m, "_linear_relu", "relu(linear(input, weight, bias)) in one pass.",
                     {"input"_a, "weight"_a, "bias"_a = py::none()}, "linear");
}

} // namespace dt::bindings
