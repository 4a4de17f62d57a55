#include "ops/common.h"

namespace dt::ops {

Loop loop_over(const Dims& shape, std::initializer_list<const Tensor*> operands) {
    Loop loop;
    loop.shape = shape;
    for (const Tensor* t : operands) {
        Dims& strides = loop.strides[loop.operands];
        strides = broadcast_strides(*t, shape);
        for (int64_t& s : strides) s *= static_cast<int64_t>(item_size(t->dtype()));
        loop.data[loop.operands++] = t->data();
    }
    return loop;
}

Tensor empty_like(const Tensor& t) { return Tensor::empty(t.shape(), t.dtype(), t.device()); }

Tensor sum_to(const Tensor& grad, const Dims& shape) {
    if (grad.shape() == shape) return grad;
    const int shift = grad.rank() - shape.rank();
    const auto item = static_cast<int64_t>(item_size(grad.dtype()));
    Tensor out = Tensor::empty(shape, grad.dtype(), grad.device());
    if (out.size() == 0) return out;
    Reduction args;
    args.in = grad.data();
    args.out = out.data();
    for (int i = 0; i < grad.rank(); ++i) {
        const bool kept = i >= shift && shape[i - shift] == grad.shape(i);
        (kept ? args.kept : args.reduced).push(grad.shape(i));
        (kept ? args.kept_in : args.reduced_in).push(grad.strides()[i] * item);
        if (kept) args.kept_out.push(out.strides()[i - shift] * item);
    }
    const double divisor = 1;
    kernels().reduce.reduce(ReduceOp::sum, grad.dtype(), args, &divisor);
    return out;
}

LayerGradient layer_gradient(const Backward& back, const Saved& y, DType computing, bool for_bias) {
    const Tensor& given = back.grad();
    const bool as_wanted = given.dtype() == computing && given.is_contiguous();
    const bool ours = !as_wanted || back.owns_grad();
    LayerGradient result{as_wanted ? given : plain::contiguous(plain::convert(given, computing)), {}};
    EpilogueGradArgs args;
    args.cols = given.shape().back();
    args.rows = args.cols ? given.size() / args.cols : 0;
    args.grad = result.before.data();
    Tensor from, to;
    if (y) {
        from = plain::contiguous(plain::convert(y.get(), computing));
        to = ours ? result.before : empty_like(result.before);
        args.y = from.data();
        args.before = to.data();
    }
    if (for_bias) {
        result.bias = Tensor::empty({args.cols}, is_half(computing) ? DType::float32 : computing);
        args.sums = result.bias.data();
    }
    if (y || for_bias) kernels().epilogue.gradient[precision(computing)](args);
    if (y) result.before = std::move(to);
    return result;
}

Factors autocast_factors(const Tensor& input, const Tensor& weight) {
    if (!autograd::autocasts({&input, &weight})) return {input, weight};
    return {autograd::autocast(input), autograd::autocast_weight(weight)};
}

void check_floating(const char* op, const char* argument, const Tensor& t) {
    if (!is_floating(t.dtype()))
        type_error({op, ": ", argument, " must have a floating-point dtype, got ", t.dtype()});
}

void check_same_dtype(const char* op, const char* a_name, const Tensor& a, const char* b_name,
                      const Tensor& b) {
    if (a.dtype() != b.dtype())
        type_error({op, ": ", a_name, " has dtype ", a.dtype(), ", but ", b_name, " has dtype ", b.dtype(),
                    "; convert one of them with astype()"});
}

void check_bias_dtype(const char* op, const Tensor& bias, const Tensor& weight) {
    if (is_half(weight.dtype()) && bias.dtype() == DType::float32) return;
    check_same_dtype(op, "bias", bias, "weight", weight);
}

void check_rank(const char* op, const char* argument, const Tensor& t, int rank, const char* layout) {
    if (t.rank() != rank)
        value_error({op, ": ", argument, " must have ", rank, " dimensions ", layout, ", got ", t.rank(),
                     " (shape ", t.shape(), ")"});
}

} // namespace dt::ops
