#include "ops/conv.h"

#include "bindings/families.h"
#include "bindings/op.h"

namespace dt::bindings {

template <> struct Convert<ops::Padding> {
    static constexpr const char* type = "int | Sequence[int] | str";
    static ops::Padding load(PyObject* o, const Where& where) {
        if (!PyUnicode_Check(o)) {
            ops::Padding padding;
            padding.sizes = {};
            if (!read_dims(o, padding.sizes, where))
                wrong_type(where, "an int, a sequence of ints, \"same\" or \"valid\"", o);
            return padding;
        }
        const std::string text = Convert<std::string>::load(o, where);
        if (text != "same" && text != "valid")
            value_error(
                {where.op, ": ", where.arg, " must be \"same\", \"valid\" or sizes, got \"", text, "\""});
        return {{0}, text == "same"};
    }
};

namespace {

using Bias = std::optional<Tensor>;

template <auto F, Activation A>
Tensor activated(const Tensor& input, const Tensor& weight, const Bias& bias, const Dims& stride,
                 const ops::Padding& padding, const Dims& dilation, int64_t groups) {
    return F(input, weight, bias, stride, padding, dilation, groups, A);
}

std::vector<Arg> conv_arguments() {
    return {"input"_a,       "weight"_a,       "bias"_a = py::none(), "stride"_a = 1,
            "padding"_a = 0, "dilation"_a = 1, "groups"_a = 1};
}
std::vector<Arg> transposed_arguments() {
    return {"input"_a,      "weight"_a,      "bias"_a = py::none(),
            "stride"_a = 1, "padding"_a = 0, "output_padding"_a = 0,
            "groups"_a = 1, "dilation"_a = 1};
}

constexpr const char* kConv1d =
    R"(Convolution over sequences, channels last (cross-correlation, as in every framework).

Args:
    input: (batch, length, in), or (length, in).
    weight: (out, kernel length, in / groups), of the same dtype.
    bias: (out,), or None.
    stride: Step between two windows.
    padding: Zeros added at both ends; "valid" adds none, "same" as many as keep the length (an odd one at the
        end; stride 1 only).
    dilation: Distance of the kernel's elements.
    groups: Parts into which the channels fall; each is convolved by itself.

Returns:
    Tensor (batch, (length + 2 padding - dilation (kernel - 1) - 1) // stride + 1, out). float16 and bfloat16 are
    summed in float32.

Raises:
    ValueError: where shapes do not fit or a number is out of range.
    TypeError: where the dtypes differ or are not floating-point.

Example:
    >>> x, w = drivetrain.ones((2, 10, 3)), drivetrain.ones((4, 5, 3))
    >>> drivetrain.nn.functional.conv1d(x, w, padding="same").shape
    (2, 10, 4)
)";

constexpr const char* kConv2d =
    R"(Convolution over images, channels last (cross-correlation, as in every framework).

Args:
    input: (batch, height, width, in), or (height, width, in).
    weight: (out, kernel height, kernel width, in / groups), of the same dtype.
    bias: (out,), or None.
    stride: Step between two windows, one number or a pair (height, width).
    padding: Zeros added on every side, one number or a pair; "valid" adds none, "same" as many as keep the size
        (odd ones below and on the right; stride 1 only).
    dilation: Distance of the kernel's elements, one number or a pair.
    groups: Parts into which the channels fall; each is convolved by itself. in: depthwise.

Returns:
    Tensor (batch, height', width', out), with
    height' = (height + 2 padding - dilation (kernel - 1) - 1) // stride + 1, and width' alike. float16 and
    bfloat16 are summed in float32.

Raises:
    ValueError: where shapes do not fit or a number is out of range.
    TypeError: where the dtypes differ or are not floating-point.

Example:
    >>> x, w = drivetrain.ones((2, 28, 28, 1)), drivetrain.ones((6, 5, 5, 1))
    >>> drivetrain.nn.functional.conv2d(x, w, padding=2).shape
    (2, 28, 28, 6)
)";

constexpr const char* kTransposed1d =
    R"(Transposed convolution: what the gradient of conv1d does to a sequence.

Args:
    input: (batch, length, in), or (length, in).
    weight: (in, kernel length, out / groups), of the same dtype.
    bias: (out,), or None.
    stride: Step between the places at which the kernel is added.
    padding: Elements cut off at both ends.
    output_padding: Elements added at the end; smaller than stride or dilation.
    groups: Parts into which the channels fall; each is convolved by itself.
    dilation: Distance of the kernel's elements.

Returns:
    Tensor (batch, (length - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1, out).

Raises:
    ValueError: where shapes do not fit or a number is out of range.
    TypeError: where the dtypes differ or are not floating-point.

Example:
    >>> x, w = drivetrain.ones((2, 5, 3)), drivetrain.ones((3, 2, 4))
    >>> drivetrain.nn.functional.conv_transpose1d(x, w, stride=2).shape
    (2, 10, 4)
)";

constexpr const char* kTransposed2d = R"(Transposed convolution: what the gradient of conv2d does to an image.

Args:
    input: (batch, height, width, in), or (height, width, in).
    weight: (in, kernel height, kernel width, out / groups), of the same dtype.
    bias: (out,), or None.
    stride: Step between the places at which the kernel is added, one number or a pair (height, width).
    padding: Rows and columns cut off on every side, one number or a pair.
    output_padding: Rows and columns added below and on the right; smaller than stride or dilation.
    groups: Parts into which the channels fall; each is convolved by itself.
    dilation: Distance of the kernel's elements, one number or a pair.

Returns:
    Tensor (batch, height', width', out), with
    height' = (height - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1, and width' alike.

Raises:
    ValueError: where shapes do not fit or a number is out of range.
    TypeError: where the dtypes differ or are not floating-point.

Example:
    >>> x, w = drivetrain.ones((1, 7, 7, 8)), drivetrain.ones((8, 2, 2, 4))
    >>> drivetrain.nn.functional.conv_transpose2d(x, w, stride=2).shape
    (1, 14, 14, 4)
)";

} // namespace

void bind_conv(py::module_& m) {
    op<&activated<&ops::conv1d, Activation::none>>(m, "conv1d", kConv1d, conv_arguments());
    op<&activated<&ops::conv2d, Activation::none>>(m, "conv2d", kConv2d, conv_arguments());
    op<&activated<&ops::conv1d, Activation::relu>>(m, "_conv1d_relu", "relu(conv1d(...)) in one pass.",
                                                   conv_arguments(), "conv1d");
    op<&activated<&ops::conv2d, Activation::relu>>(m, "_conv2d_relu", "relu(conv2d(...)) in one pass.",
                                                   conv_arguments(), "conv2d");
    op<&ops::conv_transpose1d>(m, "conv_transpose1d", kTransposed1d, transposed_arguments());
    op<&ops::conv_transpose2d>(m, "conv_transpose2d", kTransposed2d, transposed_arguments());
}

} // namespace dt::bindings
