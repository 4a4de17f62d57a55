#include "ops/pool.h"

#include "ops/window.h"

namespace dt::ops {
namespace {

// One call: the input, the windows, and the shape of the result.
struct Pooling {
    const char* op;
    Tensor input;
    PoolShape shape;
    Dims result;
};

// Outputs along an axis of `size` elements; with ceil_mode the last window may begin in the input and end
// behind it.
int64_t outputs(int64_t size, int64_t padding, int64_t reach, int64_t stride, bool ceil_mode) {
    const int64_t free = size + 2 * padding - reach;
    if (free < 0 && (!ceil_mode || free <= -stride)) return 0;
    int64_t count = (free + (ceil_mode ? stride - 1 : 0)) / stride + 1;
    if (ceil_mode && (count - 1) * stride >= size + padding) --count;
    return count;
}

void check_padding(const char* op, Pair padding, Pair kernel, int axes) {
    if (padding.h > kernel.h / 2 || padding.w > kernel.w / 2)
        value_error({op, ": padding must be at most half of kernel_size, got ", to_dims(padding, axes),
                     " with ", to_dims(kernel, axes)});
}

Pooling read_windows(const char* op, const Tensor& input, int axes, const Dims& kernel_size,
                     const std::optional<Dims>& stride_, const Dims& padding_, const Dims& dilation_,
                     bool ceil_mode) {
    check_floating(op, "input", input);
    const Image image = read_image(op, input, axes);
    const Pair kernel = read_pair(op, "kernel_size", kernel_size, axes, 1, 1);
    const Pair stride = stride_ ? read_pair(op, "stride", *stride_, axes, 1, 1) : kernel;
    const Pair padding = read_pair(op, "padding", padding_, axes, 0, 0);
    const Pair dilation = read_pair(op, "dilation", dilation_, axes, 1, 1);
    const Pair reach = {extent(kernel.h, dilation.h), extent(kernel.w, dilation.w)};
    check_padding(op, padding, kernel, axes);
    const Pair size = {outputs(image.h, padding.h, reach.h, stride.h, ceil_mode),
                       outputs(image.w, padding.w, reach.w, stride.w, ceil_mode)};
    if (size.h < 1 || size.w < 1)
        value_error({op, ": the window reaches over ", to_dims(reach, axes),
                     " elements, but the padded input has only ",
                     to_dims({image.h + 2 * padding.h, image.w + 2 * padding.w}, axes), " (shape ",
                     input.shape(), ", ", axes == 2 ? "NHWC" : "NLC", ")"});
    Pooling p{op, input, {}, shape_like(image, size, image.channels)};
    PoolShape& s = p.shape;
    s.batch = image.batch, s.channels = image.channels;
    s.in_h = image.h, s.in_w = image.w, s.out_h = size.h, s.out_w = size.w;
    s.kernel_h = kernel.h, s.kernel_w = kernel.w;
    s.stride_h = stride.h, s.stride_w = stride.w;
    s.pad_top = s.pad_bottom = padding.h, s.pad_left = s.pad_right = padding.w;
    s.dilation_h = dilation.h, s.dilation_w = dilation.w;
    return p;
}

// Nanoseconds of one pass over the windows: for LongWork.
double pool_time(const PoolShape& s) {
    return 0.3 * double(s.batch) * double(s.out_h) * double(s.out_w) * double(s.channels) *
           double(s.kernel_h) * double(s.kernel_w);
}

// Calls f(kernels, a value of the element's type).
template <class F> void with_kernels(const PoolShape& shape, DType dtype, const F& f) {
    LongWork work(pool_time(shape));
    const Pool& pool = kernels().pool;
    if (dtype == DType::float64)
        f(pool.f64, double());
    else if (dtype == DType::float16)
        f(pool.f16, float16_t());
    else if (dtype == DType::bfloat16)
        f(pool.bf16, bfloat16_t());
    else
        f(pool.f32, float());
}

Tensor pool_max(const Pooling& p) {
    if (double(p.shape.kernel_h) * double(p.shape.kernel_w) > 2147483647.0) // places in it are 32-bit
        value_error({p.op, ": windows have at most 2147483647 elements, got ",
                     Dims{p.shape.kernel_h, p.shape.kernel_w}});
    const Tensor x = plain::contiguous(p.input);
    const bool records = recording({&p.input});
    const DType bytes =
        pool_index_bytes(p.shape.kernel_h, p.shape.kernel_w) == 1 ? DType::uint8 : DType::int32;
    Tensor y = Tensor::empty(p.result, x.dtype(), x.device(), p.op);
    const Tensor index = records ? Tensor::empty(p.result, bytes) : Tensor();
    if (y.size())
        with_kernels(p.shape, y.dtype(), [&](const auto& kernels, auto zero) {
            using T = decltype(zero);
            kernels.max_forward(p.shape, x.data<T>(), y.data<T>(), records ? index.data() : nullptr);
        });
    if (records)
        record(
            p.op, y, {&p.input},
            [index = Saved(index), shape = p.shape, input_shape = p.input.shape()](Backward& back) {
                const Tensor grad = plain::contiguous(back.grad());
                Tensor g = Tensor::empty(input_shape, grad.dtype());
                if (g.size())
                    with_kernels(shape, g.dtype(), [&](const auto& kernels, auto zero) {
                        using T = decltype(zero);
                        kernels.max_backward(shape, grad.data<T>(), index.get().data(), g.data<T>());
                    });
                back.give(0, g);
            },
            pool_time(p.shape));
    return y;
}

Tensor pool_average(const Pooling& p) {
    const Tensor x = plain::contiguous(p.input);
    Tensor y = Tensor::empty(p.result, x.dtype(), x.device(), p.op);
    if (y.size())
        with_kernels(p.shape, y.dtype(), [&](const auto& kernels, auto zero) {
            using T = decltype(zero);
            kernels.average_forward(p.shape, x.data<T>(), y.data<T>());
        });
    if (recording({&p.input}))
        record(
            p.op, y, {&p.input},
            [shape = p.shape, input_shape = p.input.shape()](Backward& back) {
                const Tensor grad = plain::contiguous(back.grad());
                Tensor g = Tensor::empty(input_shape, grad.dtype());
                if (g.size())
                    with_kernels(shape, g.dtype(), [&](const auto& kernels, auto zero) {
                        using T = decltype(zero);
                        kernels.average_backward(shape, grad.data<T>(), g.data<T>());
                    });
                back.give(0, g);
            },
            pool_time(p.shape));
    return y;
}

Pooling read_average(const char* op, const Tensor& input, int axes, const Dims& kernel_size,
                     const std::optional<Dims>& stride, const Dims& padding, bool ceil_mode,
                     bool count_include_pad) {
    Pooling p = read_windows(op, input, axes, kernel_size, stride, padding, {1}, ceil_mode);
    p.shape.count_include_pad = count_include_pad;
    return p;
}

Pooling read_adaptive(const char* op, const Tensor& input, int axes, const OutputSize& output_size) {
    check_floating(op, "input", input);
    const Image image = read_image(op, input, axes);
    Pair size = read_pair(op, "output_size", output_size.sizes, axes, kSameSize, 1);
    if (size.h == kSameSize) size.h = image.h;
    if (size.w == kSameSize) size.w = image.w;
    Pooling p{op, input, {}, shape_like(image, size, image.channels)};
    PoolShape& s = p.shape;
    s.batch = image.batch, s.channels = image.channels;
    s.in_h = image.h, s.in_w = image.w, s.out_h = size.h, s.out_w = size.w;
    if (size.h == 0 || size.w == 0) return p;
    s.kernel_h = s.stride_h = image.h / size.h, s.kernel_w = s.stride_w = image.w / size.w;
    if (image.h % size.h == 0 && image.w % size.w == 0) return p; // windows side by side
    s.adaptive = true;
    s.kernel_h = std::min(image.h, s.kernel_h + 2), s.kernel_w = std::min(image.w, s.kernel_w + 2);
    return p;
}

Pooling read_global(const char* op, const Tensor& input, bool keepdims) {
    check_floating(op, "input", input);
    if (input.rank() < 3)
        value_error({op, ": input must have at least 3 dimensions (batch, ..., channels), got ", input.rank(),
                     " (shape ", input.shape(), ")"});
    Pooling p{op, input, {}, {input.shape(0)}};
    PoolShape& s = p.shape;
    s.batch = input.shape(0), s.channels = input.shape().back();
    for (int axis = 1; axis < input.rank() - 1; ++axis) {
        if (input.shape(axis) == 0)
            value_error({op, ": input has no elements along a spatial axis (shape ", input.shape(), ")"});
        s.in_w *= input.shape(axis);
        if (keepdims) p.result.push(1);
    }
    s.kernel_w = s.in_w;
    p.result.push(s.channels);
    return p;
}

} // namespace

Tensor max_pool1d(const Tensor& input, const Dims& kernel_size, const std::optional<Dims>& stride,
                  const Dims& padding, const Dims& dilation, bool ceil_mode) {
    return pool_max(read_windows("max_pool1d", input, 1, kernel_size, stride, padding, dilation, ceil_mode));
}

Tensor max_pool2d(const Tensor& input, const Dims& kernel_size, const std::optional<Dims>& stride,
                  const Dims& padding, const Dims& dilation, bool ceil_mode) {
    return pool_max(read_windows("max_pool2d", input, 2, kernel_size, stride, padding, dilation, ceil_mode));
}

Tensor avg_pool1d(const Tensor& input, const Dims& kernel_size, const std::optional<Dims>& stride,
                  const Dims& padding, bool ceil_mode, bool count_include_pad) {
    return pool_average(
        read_average("avg_pool1d", input, 1, kernel_size, stride, padding, ceil_mode, count_include_pad));
}

Tensor avg_pool2d(const Tensor& input, const Dims& kernel_size, const std::optional<Dims>& stride,
                  const Dims& padding, bool ceil_mode, bool count_include_pad,
                  const std::optional<int64_t>& divisor_override) {
    Pooling p =
        read_average("avg_pool2d", input, 2, kernel_size, stride, padding, ceil_mode, count_include_pad);
    p.shape.divisor = divisor_override.value_or(0);
    if (divisor_override && *divisor_override < 1)
        value_error({p.op, ": divisor_override must be at least 1 or None, got ", *divisor_override});
    return pool_average(p);
}

Tensor adaptive_avg_pool1d(const Tensor& input, const OutputSize& output_size) {
    return pool_average(read_adaptive("adaptive_avg_pool1d", input, 1, output_size));
}

Tensor adaptive_avg_pool2d(const Tensor& input, const OutputSize& output_size) {
    return pool_average(read_adaptive("adaptive_avg_pool2d", input, 2, output_size));
}

Tensor adaptive_max_pool1d(const Tensor& input, const OutputSize& output_size) {
    return pool_max(read_adaptive("adaptive_max_pool1d", input, 1, output_size));
}

Tensor adaptive_max_pool2d(const Tensor& input, const OutputSize& output_size) {
    return pool_max(read_adaptive("adaptive_max_pool2d", input, 2, output_size));
}

Tensor global_avg_pool(const Tensor& input, bool keepdims) {
    return pool_average(read_global("global_avg_pool", input, keepdims));
}

Tensor global_max_pool(const Tensor& input, bool keepdims) {
    return pool_max(read_global("global_max_pool", input, keepdims));
}

} // namespace dt::ops
