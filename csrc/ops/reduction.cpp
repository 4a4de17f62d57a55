#include "ops/reduction.h"

namespace dt::ops {

Reduction read_reduction(const char* op, const std::string& text, bool batch_mean_allowed) {
    if (text == "mean") return Reduction::mean;
    if (text == "sum") return Reduction::sum;
    if (text == "none") return Reduction::none;
    if (text == "batchmean" && batch_mean_allowed) return Reduction::batch_mean;
    value_error({op, ": reduction is '", text, "', expected ",
                 batch_mean_allowed ? "'none', 'mean', 'batchmean' or 'sum'" : "'none', 'mean' or 'sum'"});
}

SampleWeight read_sample_weight(const char* op, const Optional& weight, const Dims& loss_shape,
                                const Tensor& input) {
    SampleWeight result;
    if (!weight) return result;
    const Tensor& t = *weight;
    check_beside(op, "sample_weight", t, input);
    check_constant(op, "sample_weight", t);
    bool leading = t.rank() <= loss_shape.rank();
    for (int i = 0; leading && i < t.rank(); ++i) leading = t.shape(i) == loss_shape[i];
    if (!leading)
        value_error({op, ": sample_weight has shape ", t.shape(),
                     ", expected that of the losses or of their leading axes: ", loss_shape});
    for (int i = t.rank(); i < loss_shape.rank(); ++i) result.repeat *= loss_shape[i];
    result.tensor = prepared(t);
    return result;
}

Tensor expand_sample_weight(const SampleWeight& weight, const Dims& loss_shape) {
    if (!weight.tensor.defined() || weight.repeat == 1) return weight.tensor;
    Dims strides = weight.tensor.strides();
    while (strides.rank() < loss_shape.rank()) strides.push(0);
    return plain::contiguous(weight.tensor.alias(loss_shape, strides, weight.tensor.offset()));
}

Tensor weighted_sum(const Tensor& values, const Tensor& weights, const Tensor& other, double factor,
                    const Tensor& divisor) {
    const Tensor& any = values.defined() ? values : weights.defined() ? weights : other;
    Tensor total = Tensor::empty({}, any.dtype());
    const Tensor memory = scratch(kernels().loss.scratch(any.size()));
    WeightedSumArgs args;
    args.n = any.size();
    args.values = data_of(values);
    args.weights = data_of(weights);
    args.other_weights = data_of(other);
    args.divisor = data_of(divisor);
    args.total = total.data();
    args.factor = factor;
    args.scratch = memory.data<double>();
    kernels().loss.weighted_sum[precision(any)](args);
    return total;
}

Tensor mean_divisor(const Tensor& losses, const Tensor& row_weights, const Tensor& sample_weight) {
    if (row_weights.defined() || sample_weight.defined())
        return weighted_sum({}, row_weights, sample_weight, 1, {});
    return plain::full({}, losses.dtype(), static_cast<double>(losses.size()));
}

Tensor reduce_rows(const Tensor& losses, const Tensor& sample_weight, Reduction reduction,
                   const Tensor& divisor) {
    if (reduction == Reduction::none) {
        if (sample_weight.defined() && losses.size())
            kernels().elementwise.binary(BinaryOp::multiply, losses.dtype(),
                                         loop_over(losses.shape(), {&losses, &losses, &sample_weight}),
                                         nullptr);
        return losses;
    }
    return weighted_sum(losses, sample_weight, {}, 1, divisor);
}

} // namespace dt::ops
