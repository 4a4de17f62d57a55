#include "ops/softmax.h"

#include "bindings/families.h"
#include "bindings/op.h"

namespace dt::bindings {
namespace {

constexpr const char* kSoftmax = R"(exp(input) / sum(exp(input)) along an axis, without overflow.

Args:
    input: Tensor of any shape, of floats.
    axis: An int.

Returns:
    Tensor of the shape and dtype of input.

Raises:
    IndexError: where axis is out of range.
    TypeError: for other dtypes.

Example:
    >>> dt.softmax(dt.tensor([0.0, 0.0]))
    tensor([0.5, 0.5])
)";

constexpr const char* kLogSoftmax =
    R"(log(softmax(input)) along an axis, without the detour through tiny probabilities.

Args:
    input: Tensor of any shape, of floats.
    axis: An int.

Returns:
    Tensor of the shape and dtype of input.

Raises:
    IndexError: where axis is out of range.
    TypeError: for other dtypes.

Example:
    >>> dt.log_softmax(dt.tensor([1000.0, 0.0]))
    tensor([    0., -1000.])
)";

} // namespace

void bind_softmax(py::module_& m) {
    op<&ops::softmax>(m, "softmax", kSoftmax, {"input"_a, "axis"_a = -1});
    op<&ops::log_softmax>(m, "log_softmax", kLogSoftmax, {"input"_a, "axis"_a = -1});
    method<&ops::softmax>("softmax", kSoftmax, {"axis"_a = -1});
    method<&ops::log_softmax>("log_softmax", kLogSoftmax, {"axis"_a = -1});
}

} // namespace dt::bindings
