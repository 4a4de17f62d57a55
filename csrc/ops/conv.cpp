#include "ops/conv.h"
#include "kernels/conv_products.h"
#include "ops/gemm.h"

namespace dt::ops {
namespace {

// One call: what was given, and the geometry that follows. `shape` is that of the convolution whose forward
// pass (or, transposed, whose gradient by the input) the op is.
struct Convolution {
    const char* op;
    Tensor input, weight, bias; // what it computes with; bias may be undefined
    Factors given;              // the same before autocast: what the gradients are for
    bool transposed = false;
    Activation activation = Activation::none;
    Image image; // of the input
    Pair kernel, stride, dilation;
    int64_t groups = 1;
    int64_t outputs = 0; // channels of the result
    ConvShape shape;

    int axes() const { return image.axes; }
};

const char* layout(int axes) { return axes == 2 ? "NHWC" : "NLC"; }
// What brings an array in PyTorch's layout into ours.
const char* permutation(int axes, bool batched) {
    if (axes == 2) return batched ? "permute_dims((0, 2, 3, 1))" : "permute_dims((1, 2, 0))";
    return batched ? "permute_dims((0, 2, 1))" : "permute_dims((1, 0))";
}

// What may be wrong where the channels do not fit: an input or a weight in PyTorch's layout.
std::string layout_hint(const Convolution& c, int64_t expected) {
    const int axes = c.axes();
    const int64_t first = c.input.shape(c.input.rank() - axes - 1); // the channels of NCHW
    const int64_t second = c.weight.shape(1) * c.groups; // the channels of a weight (out, in / groups, k...)
    const std::string wrong_input =
        join({"the shape looks like ", axes == 2 ? "NCHW" : "NCL", "; drivetrain uses ", layout(axes),
              ": input.", permutation(axes, c.image.batched)});
    const std::string wrong_weight =
        join({"weight looks like PyTorch's layout; drivetrain uses ",
              axes == 2 ? "(out, height, width, in / groups)" : "(out, length, in / groups)", ": weight.",
              permutation(axes, true)});
    // A square kernel at the end, to tell (8, 1, 5, 5) from the (8, 3, 3, 1) of a simple mistake.
    const bool square = axes == 1 || c.weight.shape(2) == c.weight.shape(3);
    if (first == expected) return "; " + wrong_input;
    if (c.transposed || !square) return "";
    if (c.image.channels == second) return "; " + wrong_weight;
    if (first == second) return "; " + wrong_input + "; " + wrong_weight;
    return "";
}

void check_channels(const Convolution& c) {
    const int64_t expected = c.transposed ? c.weight.shape(0) : c.weight.shape().back() * c.groups;
    if (c.image.channels == expected) return;
    const std::string groups = c.groups == 1 ? "" : join({" with groups ", c.groups});
    value_error({c.op, ": input has ", c.image.channels, " channels (shape ", c.input.shape(), ", ",
                 layout(c.axes()), "), but weight ", c.weight.shape(), groups, " expects ", expected,
                 layout_hint(c, expected)});
}

void check_weight(const Convolution& c, int axes) {
    const char* normal = axes == 2 ? "(out, height, width, in / groups)" : "(out, length, in / groups)";
    const char* turned = axes == 2 ? "(in, height, width, out / groups)" : "(in, length, out / groups)";
    check_rank(c.op, "weight", c.weight, axes + 2, c.transposed ? turned : normal);
    if (c.weight.size() == 0)
        value_error({c.op, ": weight must have no axis of size 0, got shape ", c.weight.shape()});
    for (int64_t size : c.weight.shape())
        if (size > kLargestSize) value_error({c.op, ": weight is too large (shape ", c.weight.shape(), ")"});
    if (c.groups < 1) value_error({c.op, ": groups must be at least 1, got ", c.groups});
    if (c.weight.shape(0) % c.groups)
        value_error({c.op, ": the ", c.weight.shape(0), c.transposed ? " input" : " output",
                     " channels of weight ", c.weight.shape(), " cannot be divided into ", c.groups,
                     " groups"});
}

void check_bias(const Convolution& c) {
    if (!c.bias.defined()) return;
    check_bias_dtype(c.op, c.bias, c.weight);
    if (c.bias.shape() == Dims{c.outputs}) return;
    value_error({c.op, ": bias has shape ", c.bias.shape(), ", but weight ", c.weight.shape(), " expects ",
                 Dims{c.outputs}});
}

// The arguments that both directions read alike.
Convolution read_common(const char* op, const Tensor& input, const Tensor& weight,
                        const std::optional<Tensor>& bias, const Dims& stride, const Dims& dilation,
                        int64_t groups, int axes, bool transposed) {
    Convolution c;
    c.op = op;
    const Factors used = autocast_factors(input, weight);
    c.input = used.input, c.weight = used.weight, c.bias = bias.value_or(Tensor());
    c.given = {input, weight};
    c.transposed = transposed;
    c.groups = groups;
    check_weight(c, axes);
    c.image = read_image(op, input, axes);
    check_floating(op, "weight", weight);
    check_same_dtype(op, "input", c.input, "weight", c.weight);
    check_channels(c);
    c.outputs = transposed ? weight.shape().back() * groups : weight.shape(0);
    check_bias(c);
    c.kernel = {axes == 2 ? weight.shape(1) : 1, weight.shape(axes)};
    c.stride = read_pair(op, "stride", stride, axes, 1, 1);
    c.dilation = read_pair(op, "dilation", dilation, axes, 1, 1);
    ConvShape& s = c.shape;
    s.batch = c.image.batch;
    s.kernel_h = c.kernel.h, s.kernel_w = c.kernel.w;
    s.stride_h = c.stride.h, s.stride_w = c.stride.w;
    s.dilation_h = c.dilation.h, s.dilation_w = c.dilation.w;
    s.groups = groups;
    s.format = c.input.dtype();
    return c;
}

// Padding before and after the input.
struct Sides {
    Pair before, after;
};

Sides read_padding(const Convolution& c, const Padding& padding) {
    if (!padding.same) {
        const Pair sizes = read_pair(c.op, "padding", padding.sizes, c.axes(), 0, 0);
        return {sizes, sizes};
    }
    if (c.stride.h != 1 || c.stride.w != 1)
        value_error({c.op, ": padding=\"same\" is not supported for strided convolutions, got stride ",
                     to_dims(c.stride, c.axes())});
    // An odd one comes last, as in PyTorch.
    const Pair total = {extent(c.kernel.h, c.dilation.h) - 1, extent(c.kernel.w, c.dilation.w) - 1};
    const Pair before = {total.h / 2, total.w / 2};
    return {before, {total.h - before.h, total.w - before.w}};
}

void set_geometry(Convolution& c, const Padding& padding) {
    const Sides sides = read_padding(c, padding);
    const Pair padded = {c.image.h + sides.before.h + sides.after.h,
                         c.image.w + sides.before.w + sides.after.w};
    const Pair reach = {extent(c.kernel.h, c.dilation.h), extent(c.kernel.w, c.dilation.w)};
    if (reach.h > padded.h || reach.w > padded.w)
        value_error({c.op, ": the kernel reaches over ", to_dims(reach, c.axes()), " elements (weight ",
                     c.weight.shape(), ", dilation ", to_dims(c.dilation, c.axes()),
                     "), but the padded input has only ", to_dims(padded, c.axes()), " (shape ",
                     c.input.shape(), ", ", layout(c.axes()), ")"});
    ConvShape& s = c.shape;
    s.in_h = c.image.h, s.in_w = c.image.w, s.in_channels = c.image.channels;
    s.out_h = (padded.h - reach.h) / c.stride.h + 1, s.out_w = (padded.w - reach.w) / c.stride.w + 1;
    s.out_channels = c.outputs;
    s.pad_top = sides.before.h, s.pad_left = sides.before.w;
}

void set_transposed_geometry(Convolution& c, const Dims& padding_, const Dims& output_padding_) {
    const Pair padding = read_pair(c.op, "padding", padding_, c.axes(), 0, 0);
    const Pair extra = read_pair(c.op, "output_padding", output_padding_, c.axes(), 0, 0);
    if (extra.h >= std::max(c.stride.h, c.dilation.h) || extra.w >= std::max(c.stride.w, c.dilation.w))
        value_error({c.op, ": output_padding must be smaller than stride or dilation, got ", output_padding_,
                     " with stride ", to_dims(c.stride, c.axes()), " and dilation ",
                     to_dims(c.dilation, c.axes())});
    ConvShape& s = c.shape;
    s.out_h = c.image.h, s.out_w = c.image.w, s.out_channels = c.image.channels;
    s.in_h = (c.image.h - 1) * c.stride.h - 2 * padding.h + extent(c.kernel.h, c.dilation.h) + extra.h;
    s.in_w = (c.image.w - 1) * c.stride.w - 2 * padding.w + extent(c.kernel.w, c.dilation.w) + extra.w;
    s.in_channels = c.outputs;
    s.pad_top = padding.h, s.pad_left = padding.w;
    if (s.in_h < 1 || s.in_w < 1)
        value_error({c.op, ": the output would have size ", to_dims({s.in_h, s.in_w}, c.axes()), " (input ",
                     c.input.shape(), ", weight ", c.weight.shape(), ", padding ", to_dims(padding, c.axes()),
                     ")"});
}

// Nanoseconds of one pass, at a modest 50 GFLOP/s: for LongWork.
double conv_time(const ConvShape& s) {
    return 0.04 * double(s.batch) * double(s.out_h) * double(s.out_w) * double(s.out_channels) *
           double(s.kernel_h) * double(s.kernel_w) * double(s.in_channels / s.groups);
}

// Calls f(kernels, a value of the element's type).
template <class F> void with_kernels(DType dtype, const F& f) {
    if (dtype == DType::float64)
        f(kernels().conv.f64, double());
    else
        f(kernels().conv.f32, float());
}

// `from` (of the smaller or the larger image, transposed) to `to`.
void run_data(const ConvShape& s, bool transposed, const Tensor& from, const Tensor& weight,
              const Tensor& bias, Activation activation, const Tensor& to) {
    LongWork work(conv_time(s));
    with_kernels(to.dtype(), [&](const auto& kernels, auto zero) {
        using T = decltype(zero);
        const T* b = bias.defined() ? bias.data<T>() : nullptr;
        if constexpr (sizeof(T) == 4)
            if (transposed
                    ? conv_products_data(s, from.data(), weight.data(), b, activation, false, to.data())
                    : conv_products(s, from.data(), weight.data(), b, activation, to.data()))
                return;
        (transposed ? kernels.backward_data : kernels.forward)(s, from.data(), weight.data(), b, activation,
                                                               to.data());
    });
}

// Adds the input's gradient to what has flowed there so far; false where there is nothing, or it cannot be
// added to.
bool add_data(const ConvShape& s, const Tensor& grad, const Tensor& weight, const Tensor& sum) {
    if (!sum.defined() || sum.dtype() != grad.dtype() || !sum.size()) return false;
    LongWork work(conv_time(s));
    if (conv_products_data(s, grad.data(), weight.data(), nullptr, Activation::none, true, sum.data()))
        return true;
    bool added = false;
    with_kernels(sum.dtype(), [&](const auto& kernels, auto) {
        added = kernels.add_data(s, grad.data(), weight.data(), sum.data());
    });
    return added;
}

void run_weight(const ConvShape& s, const Tensor& x, const Tensor& grad, const Tensor& to) {
    LongWork work(conv_time(s));
    with_kernels(to.dtype(), [&](const auto& kernels, auto zero) {
        using T = decltype(zero);
        if constexpr (sizeof(T) == 4)
            if (conv_products_weight(s, x.data(), grad.data(), to.data<T>())) return;
        kernels.backward_weight(s, x.data(), grad.data(), to.data<T>());
    });
}

// Products of half formats that need no other kernel: a pixel's channels times one matrix.
bool is_half_product(const Convolution& c) {
    const ConvShape& s = c.shape;
    return is_half(c.input.dtype()) && !c.transposed && c.groups == 1 && s.kernel_h * s.kernel_w == 1 &&
           s.stride_h * s.stride_w == 1 && s.in_h == s.out_h && s.in_w == s.out_w;
}
Tensor matrix_of(const Tensor& weight) { // (out, 1, 1, in) as (out, in)
    const Tensor dense = plain::contiguous(weight);
    const int64_t channels = weight.shape().back();
    return dense.alias({weight.shape(0), channels}, {channels, 1}, dense.offset());
}
Tensor shaped(const Tensor& dense, const Dims& shape) {
    return dense.alias(shape, contiguous_strides(shape), dense.offset());
}

Tensor apply_half_product(const Convolution& c) {
    const Tensor x = plain::contiguous(c.input), weight = matrix_of(c.weight);
    const Tensor bias = c.bias.defined() ? plain::contiguous(plain::convert(c.bias, DType::float32)) : c.bias;
    const Tensor out = linear_rows(x, weight, bias, c.activation);
    const auto& [input, kernel] = c.given;
    if (!recording({&input, &kernel, &c.bias})) return out;
    const bool for_input = autograd::requires_grad(input), for_weight = autograd::requires_grad(kernel);
    record(
        c.op, out, {&input, &kernel, &c.bias},
        [x = for_weight ? Saved(x) : Saved(), weight = for_input ? Saved(c.weight) : Saved(),
         y = c.activation == Activation::none ? Saved() : Saved(out), input_shape = input.shape(),
         weight_shape = kernel.shape(), input_dtype = input.dtype(), weight_dtype = kernel.dtype(),
         bias_dtype = c.bias.defined() ? c.bias.dtype() : kernel.dtype()](Backward& back) {
            const DType computing = back.grad().dtype();
            const LayerGradient layer = layer_gradient(back, y, computing, back.needs(2));
            if (back.needs(0))
                back.give(0, plain::convert(linear_input_gradient(layer.before, matrix_of(weight.get()),
                                                                  input_shape,
                                                                  gradient_dtype(computing, input_dtype)),
                                            input_dtype));
            if (back.needs(1)) {
                const Tensor g =
                    linear_weight_gradient(layer.before, x.get(), {weight_shape[0], weight_shape.back()},
                                           gradient_dtype(computing, weight_dtype));
                back.give(1, plain::convert(shaped(g, weight_shape), weight_dtype));
            }
            if (back.needs(2)) back.give(2, plain::convert(layer.bias, bias_dtype));
        },
        2 * conv_time(c.shape));
    return out;
}

void record_backward(const Convolution& c, const Tensor& x, const Tensor& weight, const Tensor& out) {
    // Each factor is needed for the other's gradient only.
    const auto& [input, kernel] = c.given;
    const bool for_input = autograd::requires_grad(input), for_weight = autograd::requires_grad(kernel);
    record(
        c.op, out, {&input, &kernel, &c.bias},
        [x = for_weight ? Saved(x) : Saved(), weight = for_input ? Saved(weight) : Saved(),
         y = c.activation == Activation::none ? Saved() : Saved(out), s = c.shape, transposed = c.transposed,
         input_shape = input.shape(), weight_shape = kernel.shape(), input_dtype = input.dtype(),
         weight_dtype = kernel.dtype(),
         bias_dtype = c.bias.defined() ? c.bias.dtype() : kernel.dtype()](Backward& back) {
            const DType computing = back.grad().dtype();
            const LayerGradient layer = layer_gradient(back, y, computing, back.needs(2));
            const Tensor& grad = layer.before;
            if (back.needs(0)) {
                const Tensor w = weight.get();
                if (transposed || !add_data(s, grad, w, back.waiting(0))) {
                    Tensor g = Tensor::empty(input_shape, computing);
                    if (g.size()) run_data(s, !transposed, grad, w, Tensor(), Activation::none, g);
                    back.give(0, plain::convert(g, input_dtype));
                }
            }
            if (back.needs(1)) {
                const Tensor from = x.get();
                Tensor g = Tensor::empty(weight_shape, computing_dtype(computing));
                run_weight(s, transposed ? grad : from, transposed ? from : grad, g);
                back.give(1, plain::convert(g, weight_dtype));
            }
            if (back.needs(2)) back.give(2, plain::convert(layer.bias, bias_dtype));
        },
        2 * conv_time(c.shape));
}

Tensor apply(const Convolution& c) {
    if (is_half_product(c)) return apply_half_product(c);
    const ConvShape& s = c.shape;
    const Pair size = c.transposed ? Pair{s.in_h, s.in_w} : Pair{s.out_h, s.out_w};
    const Tensor x = plain::contiguous(c.input), weight = plain::contiguous(c.weight);
    Tensor out = Tensor::empty(shape_like(c.image, size, c.outputs), x.dtype(), x.device(), c.op);
    if (out.size()) run_data(s, c.transposed, x, weight, prepared(c.bias), c.activation, out);
    if (recording({&c.given.input, &c.given.weight, &c.bias})) record_backward(c, x, weight, out);
    return out;
}

Tensor conv(const char* op, int axes, const Tensor& input, const Tensor& weight,
            const std::optional<Tensor>& bias, const Dims& stride, const Padding& padding,
            const Dims& dilation, int64_t groups, Activation activation) {
    Convolution c = read_common(op, input, weight, bias, stride, dilation, groups, axes, false);
    c.activation = activation;
    set_geometry(c, padding);
    return apply(c);
}

Tensor conv_transpose(const char* op, int axes, const Tensor& input, const Tensor& weight,
                      const std::optional<Tensor>& bias, const Dims& stride, const Dims& padding,
                      const Dims& output_padding, int64_t groups, const Dims& dilation) {
    Convolution c = read_common(op, input, weight, bias, stride, dilation, groups, axes, true);
    set_transposed_geometry(c, padding, output_padding);
    return apply(c);
}

} // namespace

Tensor conv1d(const Tensor& input, const Tensor& weight, const std::optional<Tensor>& bias,
              const Dims& stride, const Padding& padding, const Dims& dilation, int64_t groups,
              Activation activation) {
    return conv("conv1d", 1, input, weight, bias, stride, padding, dilation, groups, activation);
}

Tensor conv2d(const Tensor& input, const Tensor& weight, const std::optional<Tensor>& bias,
              const Dims& stride, const Padding& padding, const Dims& dilation, int64_t groups,
              Activation activation) {
    return conv("conv2d", 2, input, weight, bias, stride, padding, dilation, groups, activation);
}

Tensor conv_transpose1d(const Tensor& input, const Tensor& weight, const std::optional<Tensor>& bias,
                        const Dims& stride, const Dims& padding, const Dims& output_padding, int64_t groups,
                        const Dims& dilation) {
    return conv_transpose("conv_transpose1d", 1, input, weight, bias, stride, padding, output_padding, groups,
                          dilation);
}

Tensor conv_transpose2d(const Tensor& input, const Tensor& weight, const std::optional<Tensor>& bias,
                        const Dims& stride, const Dims& padding, const Dims& output_padding, int64_t groups,
                        const Dims& dilation) {
    return conv_transpose("conv_transpose2d", 2, input, weight, bias, stride, padding, output_padding, groups,
                          dilation);
}

} // namespace dt::ops
