#include "ops/activation.h"

#include "ops/copy.h"
#include "ops/unary_tools.h"

namespace dt::ops {
namespace {

Tensor activation(const UnaryRule& rule, const Tensor& x, const Parameters& parameters = {}) {
    check_floating(rule.name, "x", x);
    return unary(rule, x, parameters);
}

} // namespace

#define DT_ACTIVATION(name, from)                                                                            \
    Tensor name(const Tensor& x) {                                                                           \
        return activation({#name, UnaryOp::name, BinaryOp::name##_grad, From::from}, x);                     \
    }

DT_ACTIVATION(relu, output)
DT_ACTIVATION(relu6, input)
DT_ACTIVATION(selu, input)
DT_ACTIVATION(silu, input)
DT_ACTIVATION(mish, input)
DT_ACTIVATION(softsign, input)
DT_ACTIVATION(hardswish, input)
DT_ACTIVATION(hardsigmoid, input)
DT_ACTIVATION(log_sigmoid, input)

Tensor leaky_relu(const Tensor& x, double negative_slope) {
    return activation({"leaky_relu", UnaryOp::leaky_relu, BinaryOp::leaky_relu_grad, From::input}, x,
                      {{negative_slope, 0}});
}

Tensor elu(const Tensor& x, double alpha) {
    return activation({"elu", UnaryOp::elu, BinaryOp::elu_grad, From::input}, x, {{alpha, 0}});
}

Tensor gelu(const Tensor& x, const std::string& approximate) {
    if (approximate == "none")
        return activation({"gelu", UnaryOp::gelu, BinaryOp::gelu_grad, From::input}, x);
    if (approximate == "tanh")
        return activation({"gelu", UnaryOp::gelu_tanh, BinaryOp::gelu_tanh_grad, From::input}, x);
    value_error({"gelu: approximate is '", approximate, "', expected 'none' or 'tanh'"});
}

Tensor softplus(const Tensor& x, double beta, double threshold) {
    if (!(beta > 0)) value_error({"softplus: beta is ", beta, ", expected a positive number"});
    return activation({"softplus", UnaryOp::softplus, BinaryOp::softplus_grad, From::input}, x,
                      {{beta, threshold}});
}

Tensor hardtanh(const Tensor& x, double min, double max) {
    if (!(min <= max)) value_error({"hardtanh: min is ", min, ", greater than max, which is ", max});
    return activation({"hardtanh", UnaryOp::hardtanh, BinaryOp::hardtanh_grad, From::input}, x, {{min, max}});
}

// The weight has one value for all, or one for each channel (the last axis).
Tensor prelu(const Tensor& x, const Tensor& weight) {
    check_floating("prelu", "x", x);
    check_same_dtype("prelu", "x", x, "weight", weight);
    const int64_t channels = x.rank() ? x.shape(x.rank() - 1) : 1;
    if (weight.rank() > 1 || (weight.size() != 1 && weight.size() != channels))
        value_error({"prelu: weight has shape ", weight.shape(), ", expected (1,) or (", channels,
                     ",), one value for each channel of x (shape ", x.shape(), ")"});
    const Tensor w = weight.alias(weight.size() == 1 ? Dims{} : weight.shape(),
                                  weight.size() == 1 ? Dims{} : weight.strides(), weight.offset());
    Tensor y = run_binary(BinaryOp::prelu, x, w);
    if (recording({&x, &weight}))
        record("prelu", y, {&x, &weight},
               [x = Saved(x), w = Saved(w), shape = weight.shape()](Backward& back) {
                   const Tensor& g = back.grad();
                   if (back.needs(0)) {
                       Tensor dx = empty_like(g);
                       if (dx.size())
                           kernels().elementwise.ternary(TernaryOp::prelu_grad, g.dtype(),
                                                         loop_over(g.shape(), {&dx, &g, &x.get(), &w.get()}),
                                                         nullptr);
                       back.give(0, dx);
                   }
                   if (back.needs(1)) {
                       const Tensor dw = plain::contiguous(
                           sum_to(run_binary(BinaryOp::prelu_weight_grad, g, x.get()), w.get().shape()));
                       back.give(1, dw.alias(shape, contiguous_strides(shape), dw.offset()));
                   }
               });
    return y;
}

Tensor relu_(const Tensor& x) {
    autograd::check_in_place("relu_", x);
    const Tensor y = relu(recording({&x}) ? clone(x) : x);
    plain::copy(x, y);
    autograd::record_in_place("relu_", x, y);
    return x;
}

} // namespace dt::ops
