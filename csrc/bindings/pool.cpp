#include "ops/pool.h"

#include "bindings/families.h"
#include "bindings/op.h"

namespace dt::bindings {

template <> struct Convert<ops::OutputSize> {
    static constexpr const char* type = "int | Sequence[int | None] | None";
    static ops::OutputSize load(PyObject* o, const Where& where) {
        ops::OutputSize size;
        if (PyTuple_Check(o) || PyList_Check(o)) {
            const py::tuple items(py::reinterpret_borrow<py::object>(o)); // an __index__ may change the list
            const Py_ssize_t n = PyTuple_GET_SIZE(items.ptr());
            if (n > kMaxRank)
                value_error({where.op, ": ", where.arg, " has too many entries: ", static_cast<int64_t>(n)});
            for (Py_ssize_t i = 0; i < n; ++i)
                size.sizes.push(entry(PyTuple_GET_ITEM(items.ptr(), i), o, where));
        } else {
            size.sizes.push(entry(o, o, where));
        }
        return size;
    }

  private:
    static int64_t entry(PyObject* o, PyObject* whole, const Where& where) {
        int64_t value;
        if (o == Py_None) return ops::kSameSize;
        if (!read_integer(o, value)) wrong_type(where, "an int, or a pair of ints and None", whole);
        if (value < 0) value_error({where.op, ": ", where.arg, " must not be negative, got ", value});
        return value;
    }
};

namespace {

constexpr const char* kMax1d = R"(The largest value of every window of a sequence, channel by channel.

A NaN in a window is its largest value. Among equals, the gradient goes to the first.

Args:
    input: (batch, length, channels), or (length, channels).
    kernel_size: Length of the window.
    stride: Step between two windows; kernel_size if None.
    padding: Places added at both ends, which never win; at most half of kernel_size.
    dilation: Distance of the window's elements.
    ceil_mode: Whether a last window may reach over the end.

Returns:
    Tensor (batch, (length + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1, channels).

Raises:
    ValueError: where a number is out of range or a window does not fit.
    TypeError: for dtypes that are not floating-point.

Example:
    >>> drivetrain.nn.functional.max_pool1d(drivetrain.ones((2, 10, 3)), 2).shape
    (2, 5, 3)
)";

constexpr const char* kMax2d = R"(The largest value of every window of an image, channel by channel.

A NaN in a window is its largest value. Among equals, the gradient goes to the first.

Args:
    input: (batch, height, width, channels), or (height, width, channels).
    kernel_size: Height and width of the window, one number for both or a pair; so are the next three.
    stride: Step between two windows; kernel_size if None.
    padding: Places added on every side, which never win; at most half of kernel_size.
    dilation: Distance of the window's elements.
    ceil_mode: Whether a last window may reach over the edge.

Returns:
    Tensor (batch, height', width', channels), with
    height' = (height + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1, and width' alike.

Raises:
    ValueError: where a number is out of range or a window does not fit.
    TypeError: for dtypes that are not floating-point.

Example:
    >>> drivetrain.nn.functional.max_pool2d(drivetrain.ones((2, 28, 28, 6)), 2).shape
    (2, 14, 14, 6)
)";

constexpr const char* kAverage1d = R"(The mean of every window of a sequence, channel by channel.

Args:
    input: (batch, length, channels), or (length, channels).
    kernel_size: Length of the window.
    stride: Step between two windows; kernel_size if None.
    padding: Zeros added at both ends; at most half of kernel_size.
    ceil_mode: Whether a last window may reach over the end.
    count_include_pad: Whether those zeros count in the mean.

Returns:
    Tensor (batch, (length + 2 padding - kernel_size) // stride + 1, channels).

Raises:
    ValueError: where a number is out of range or a window does not fit.
    TypeError: for dtypes that are not floating-point.

Example:
    >>> drivetrain.nn.functional.avg_pool1d(drivetrain.ones((2, 10, 3)), 2).shape
    (2, 5, 3)
)";

constexpr const char* kAverage2d = R"(The mean of every window of an image, channel by channel.

Args:
    input: (batch, height, width, channels), or (height, width, channels).
    kernel_size: Height and width of the window, one number for both or a pair; so are the next two.
    stride: Step between two windows; kernel_size if None.
    padding: Zeros added on every side; at most half of kernel_size.
    ceil_mode: Whether a last window may reach over the edge.
    count_include_pad: Whether those zeros count in the mean.
    divisor_override: What the sum of a window is divided by, instead of its size.

Returns:
    Tensor (batch, height', width', channels), with height' = (height + 2 padding - kernel_size) // stride + 1,
    and width' alike.

Raises:
    ValueError: where a number is out of range or a window does not fit.
    TypeError: for dtypes that are not floating-point.

Example:
    >>> drivetrain.nn.functional.avg_pool2d(drivetrain.ones((2, 28, 28, 6)), 2).shape
    (2, 14, 14, 6)
)";

constexpr const char* kAdaptiveAverage1d =
    R"(Means over windows of a sequence, chosen so that the output has the given length.

Window i reaches from floor(i length / output_size) to ceil((i + 1) length / output_size).

Args:
    input: (batch, length, channels), or (length, channels).
    output_size: Length of the output; None keeps the input's.

Returns:
    Tensor (batch, output_size, channels).

Example:
    >>> drivetrain.nn.functional.adaptive_avg_pool1d(drivetrain.ones((2, 10, 3)), 4).shape
    (2, 4, 3)
)";

constexpr const char* kAdaptiveAverage2d =
    R"(Means over windows of an image, chosen so that the output has the given size.

Window i of an axis reaches from floor(i size / output_size) to ceil((i + 1) size / output_size).

Args:
    input: (batch, height, width, channels), or (height, width, channels).
    output_size: Height and width of the output, one number for both or a pair; None keeps the input's.

Returns:
    Tensor (batch, height', width', channels).

Example:
    >>> drivetrain.nn.functional.adaptive_avg_pool2d(drivetrain.ones((2, 10, 9, 3)), (4, None)).shape
    (2, 4, 9, 3)
)";

constexpr const char* kAdaptiveMax1d =
    R"(Largest values of windows of a sequence, chosen so that the output has the given length.

Window i reaches from floor(i length / output_size) to ceil((i + 1) length / output_size).

Args:
    input: (batch, length, channels), or (length, channels).
    output_size: Length of the output; None keeps the input's.

Returns:
    Tensor (batch, output_size, channels).

Example:
    >>> drivetrain.nn.functional.adaptive_max_pool1d(drivetrain.ones((2, 10, 3)), 4).shape
    (2, 4, 3)
)";

constexpr const char* kAdaptiveMax2d =
    R"(Largest values of windows of an image, chosen so that the output has the given size.

Window i of an axis reaches from floor(i size / output_size) to ceil((i + 1) size / output_size).

Args:
    input: (batch, height, width, channels), or (height, width, channels).
    output_size: Height and width of the output, one number for both or a pair; None keeps the input's.

Returns:
    Tensor (batch, height', width', channels).

Example:
    >>> drivetrain.nn.functional.adaptive_max_pool2d(drivetrain.ones((2, 10, 9, 3)), (4, None)).shape
    (2, 4, 9, 3)
)";

constexpr const char* kGlobalAverage = R"(The mean of every channel over all places.

Args:
    input: (batch, ..., channels), with at least one axis between.
    keepdims: Whether those axes stay, with size 1.

Returns:
    Tensor (batch, channels).

Example:
    >>> drivetrain.nn.functional.global_avg_pool(drivetrain.ones((2, 7, 7, 32))).shape
    (2, 32)
)";

constexpr const char* kGlobalMax = R"(The largest value of every channel over all places.

Args:
    input: (batch, ..., channels), with at least one axis between.
    keepdims: Whether those axes stay, with size 1.

Returns:
    Tensor (batch, channels).

Example:
    >>> drivetrain.nn.functional.global_max_pool(drivetrain.ones((2, 7, 7, 32))).shape
    (2, 32)
)";

std::vector<Arg> max_arguments() {
    return {"input"_a,       "kernel_size"_a,  "stride"_a = py::none(),
            "padding"_a = 0, "dilation"_a = 1, "ceil_mode"_a = false};
}

} // namespace

void bind_pool(py::module_& m) {
    op<&ops::max_pool1d>(m, "max_pool1d", kMax1d, max_arguments());
    op<&ops::max_pool2d>(m, "max_pool2d", kMax2d, max_arguments());
    op<&ops::avg_pool1d>(m, "avg_pool1d", kAverage1d,
                         {"input"_a, "kernel_size"_a, "stride"_a = py::none(), "padding"_a = 0,
                          "ceil_mode"_a = false, "count_include_pad"_a = true});
    op<&ops::avg_pool2d>(m, "avg_pool2d", kAverage2d,
                         {"input"_a, "kernel_size"_a, "stride"_a = py::none(), "padding"_a = 0,
                          "ceil_mode"_a = false, "count_include_pad"_a = true,
                          "divisor_override"_a = py::none()});
    op<&ops::adaptive_avg_pool1d>(m, "adaptive_avg_pool1d", kAdaptiveAverage1d, {"input"_a, "output_size"_a});
    op<&ops::adaptive_avg_pool2d>(m, "adaptive_avg_pool2d", kAdaptiveAverage2d, {"input"_a, "output_size"_a});
    op<&ops::adaptive_max_pool1d>(m, "adaptive_max_pool1d", kAdaptiveMax1d, {"input"_a, "output_size"_a});
    op<&ops::adaptive_max_pool2d>(m, "adaptive_max_pool2d", kAdaptiveMax2d, {"input"_a, "output_size"_a});
    op<&ops::global_avg_pool>(m, "global_avg_pool", kGlobalAverage, {"input"_a, "keepdims"_a = false});
    op<&ops::global_max_pool>(m, "global_max_pool", kGlobalMax, {"input"_a, "keepdims"_a = false});
}

} // namespace dt::bindings
