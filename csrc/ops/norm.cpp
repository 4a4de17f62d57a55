#include "ops/norm.h"

#include <limits>

namespace dt::ops {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// How an input looks to the group norm kernel: (samples, spatial, channels).
struct View {
    int64_t samples, spatial, channels, groups;
};

// Everything one of the channel norms works with.
struct ChannelNorm {
    const char* op;
    Tensor input, weight, bias;       // weight and bias may be undefined
    Tensor running_mean, running_var; // the user's own, or undefined
    View view;
    double momentum = 0, eps = 0;
    bool fixed_statistics = false; // running_mean and running_var are the statistics
    Tensor residual{};             // added at last, or undefined; then ReLU
    bool relu = false;
};

View whole_batch(const Tensor& input) {
    const int64_t channels = input.shape().back();
    return {1, channels ? input.size() / channels : 0, channels, channels};
}

View per_sample(const Tensor& input, int64_t groups) {
    const int64_t samples = input.shape(0), channels = input.shape().back();
    return {samples, samples && channels ? input.size() / samples / channels : 0, channels, groups};
}

void check_channel_norm(const char* op, const Tensor& input, int least_rank, const char* layout) {
    check_floating(op, "input", input);
    if (input.rank() < least_rank)
        value_error({op, ": input must have at least ", least_rank, " dimensions ", layout, ", got ",
                     input.rank(), " (shape ", input.shape(), ")"});
}

// How the message about a wrong parameter ends; with a hint where its size is that of the second axis of
// input, where PyTorch has the channels.
std::string per_channel(const ChannelNorm& n) {
    std::string text = " (one value per channel, the last axis of input " + to_string(n.input.shape()) + ")";
    const int rank = n.input.rank();
    if (rank != 3 && rank != 4) return text;
    for (const Tensor* t : {&n.weight, &n.bias, &n.running_mean, &n.running_var})
        if (t->defined() && t->rank() == 1 && t->size() == n.input.shape(1) && t->size() != n.view.channels)
            return text + "; the shape looks like " +
                   (rank == 4 ? "NCHW; drivetrain uses NHWC: input.permute_dims((0, 2, 3, 1))"
                              : "NCL; drivetrain uses NLC: input.permute_dims((0, 2, 1))");
    return text;
}

void check_channel_parameters(const ChannelNorm& n) {
    const Dims shape = {n.view.channels};
    bool fits = true;
    for (const Tensor* t : {&n.weight, &n.bias, &n.running_mean, &n.running_var})
        fits &= !t->defined() || t->shape() == shape;
    const std::string why = fits ? "" : per_channel(n);
    check_parameter(n.op, "weight", n.weight, n.input, shape, why.c_str());
    check_parameter(n.op, "bias", n.bias, n.input, shape, why.c_str());
    check_parameter(n.op, "running_mean", n.running_mean, n.input, shape, why.c_str());
    check_parameter(n.op, "running_var", n.running_var, n.input, shape, why.c_str());
    check_constant(n.op, "running_mean", n.running_mean);
    check_constant(n.op, "running_var", n.running_var);
    check_between(n.op, "eps", n.eps, 0, kInfinity);
    if (n.fixed_statistics) return;
    check_between(n.op, "momentum", n.momentum, 0, 1);
    if (n.running_mean.defined()) autograd::check_in_place(n.op, n.running_mean);
    if (n.running_var.defined()) autograd::check_in_place(n.op, n.running_var);
}

void check_residual(const ChannelNorm& n) {
    if (!n.residual.defined()) return;
    if (n.residual.shape() != n.input.shape())
        value_error({n.op, ": residual has shape ", n.residual.shape(), ", expected that of input ",
                     n.input.shape()});
    if (n.residual.dtype() != n.input.dtype())
        type_error(
            {n.op, ": residual has dtype ", n.residual.dtype(), ", but input has dtype ", n.input.dtype()});
}

double nanoseconds(const Tensor& t) { return 0.5 * static_cast<double>(t.size()); }

struct Like {
    Dims shape;
    DType dtype;
};
// Undefined tensors are like nothing that is asked for.
Like like(const Tensor& t) { return t.defined() ? Like{t.shape(), t.dtype()} : Like{{}, DType::float32}; }

// The gradients of empty tensors, and those of the parameters beside them, are 0.
void give_zeros(Backward& b, std::initializer_list<Like> gradients) {
    int i = 0;
    for (const Like& g : gradients) {
        if (b.needs(i)) b.give(i, plain::zeros(g.shape, g.dtype));
        ++i;
    }
}

GroupNormArgs forward_args(const ChannelNorm& n, const Tensor& out, const Tensor& mean, const Tensor& inverse,
                           const Tensor& memory) {
    GroupNormArgs args;
    args.samples = n.view.samples;
    args.spatial = n.view.spatial;
    args.channels = n.view.channels;
    args.groups = n.view.groups;
    args.input = n.input.data();
    args.weight = data_of(n.weight);
    args.bias = data_of(n.bias);
    args.output = out.data();
    args.epsilon = n.eps;
    args.residual = data_of(n.residual);
    args.relu = n.relu;
    args.mean = mean.data();
    args.inverse_std = inverse.data();
    args.scratch = memory.data<double>();
    return args;
}

// What the backward of a channel norm keeps. The normalised values are computed again from the input; what
// a fused ReLU let pass is one bit for each.
struct Kept {
    View view;
    Saved input, weight;
    Tensor mean, inverse, relu_bits; // relu_bits: where ReLU was fused
    bool fixed_statistics;
    DType weight_dtype, bias_dtype;
};

void backward_of(Backward& b, const Kept& kept) {
    const bool owned = b.owns_grad();
    const Tensor grad = plain::contiguous(b.grad());
    const Tensor &input = kept.input.get(), &weight = kept.weight.get();
    const bool relu = kept.relu_bits.defined();
    const View& view = kept.view;
    GroupNormGradArgs args;
    args.samples = view.samples;
    args.spatial = view.spatial;
    args.channels = view.channels;
    args.groups = view.groups;
    args.input = input.data();
    args.weight = data_of(weight);
    args.relu_bits = data_of(kept.relu_bits);
    args.mean = kept.mean.data();
    args.inverse_std = kept.inverse.data();
    args.output_grad = grad.data();
    args.fixed_statistics = kept.fixed_statistics;
    Tensor grads[4];
    if (b.needs(3)) grads[3] = !relu ? b.grad() : owned ? grad : empty_like(input);
    // The gradient's own memory takes one result, where nobody else looks at it.
    if (b.needs(0)) grads[0] = owned && !grads[3].defined() ? grad : empty_like(input);
    for (int i : {1, 2})
        if (b.needs(i)) grads[i] = Tensor::empty({view.channels}, kept.mean.dtype());
    args.input_grad = data_of(grads[0]);
    args.weight_grad = data_of(grads[1]);
    args.bias_grad = data_of(grads[2]);
    args.residual_grad = relu ? data_of(grads[3]) : nullptr;
    const auto& norm = kernels().norm;
    const Tensor memory = scratch(norm.group_scratch(view.samples, view.spatial, view.channels, view.groups));
    args.scratch = memory.data<double>();
    norm.group_backward[precision(input)](args);
    const DType dtypes[] = {input.dtype(), kept.weight_dtype, kept.bias_dtype, grad.dtype()};
    for (int i : {0, 1, 2, 3})
        if (grads[i].defined()) b.give(i, plain::convert(grads[i], dtypes[i]));
}

// The running statistics are updated where they lie; a copy stands in for one that kernels do not read.
struct Running {
    Tensor own, worked_on;
    explicit Running(const Tensor& t) : own(t), worked_on(prepared(t)) {}
    void finish(const char* op) {
        if (!own.defined()) return;
        if (own.impl() != worked_on.impl()) plain::copy(own, worked_on);
        autograd::record_in_place(op, own, Tensor());
    }
};

Tensor apply(ChannelNorm n) {
    check_channel_parameters(n);
    const Tensor source = n.input, weight = n.weight, bias = n.bias, residual = n.residual;
    Tensor out = empty_like(n.input);
    const bool records = recording({&source, &weight, &bias, &residual});
    if (!out.size()) {
        if (records)
            record(n.op, out, {&source, &weight, &bias, &residual},
                   [x = like(out), w = like(weight), c = like(bias), r = like(residual)](Backward& b) {
                       give_zeros(b, {x, w, c, r});
                   });
        return out;
    }
    n.input = plain::contiguous(n.input);
    n.weight = prepared(n.weight);
    n.bias = prepared(n.bias);
    if (n.residual.defined()) n.residual = plain::contiguous(n.residual);
    Tensor mean = Tensor::empty({n.view.samples * n.view.groups}, computing_dtype(out.dtype())),
           inverse = empty_like(mean);
    const auto& norm = kernels().norm;
    const View& v = n.view;
    const Tensor memory = scratch(norm.group_scratch(v.samples, v.spatial, v.channels, v.groups));
    GroupNormArgs args = forward_args(n, out, mean, inverse, memory);
    Tensor relu_bits;
    if (records && n.relu)
        relu_bits =
            Tensor::empty({norm.relu_bytes(v.samples, v.spatial, v.channels, v.groups)}, DType::uint8);
    args.relu_bits = data_of(relu_bits);
    const int p = precision(out);
    if (n.fixed_statistics) {
        plain::copy(mean, n.running_mean);
        const Tensor variance = prepared(n.running_var);
        norm.inverse_std[precision(mean)](v.channels, variance.data(), n.eps, inverse.data());
        LongWork work(nanoseconds(out));
        norm.group_apply[p](args);
    } else {
        Running running_mean(n.running_mean), running_var(n.running_var);
        args.running_mean = data_of(running_mean.worked_on);
        args.running_variance = data_of(running_var.worked_on);
        args.momentum = n.momentum;
        {
            LongWork work(nanoseconds(out));
            norm.group_forward[p](args);
        }
        running_mean.finish(n.op);
        running_var.finish(n.op);
    }
    if (records)
        record(n.op, out, {&source, &weight, &bias, &residual},
               [kept = Kept{v, Saved(n.input), Saved(n.weight), mean, inverse, relu_bits, n.fixed_statistics,
                            like(weight).dtype, like(bias).dtype}](Backward& b) { backward_of(b, kept); });
    return out;
}

Dims last_dims(const Tensor& t, int count) {
    Dims dims;
    for (int i = t.rank() - count; i < t.rank(); ++i) dims.push(t.shape(i));
    return dims;
}

void layer_backward(Backward& b, const Tensor& input, const Tensor& weight, const Tensor& mean,
                    const Tensor& inverse, const Like& weight_like, const Like& bias_like) {
    const Tensor grad = plain::contiguous(b.grad());
    LayerNormGradArgs args;
    args.rows = inverse.size();
    args.size = input.size() / args.rows;
    args.centred = mean.defined();
    args.input = input.data();
    args.weight = data_of(weight);
    args.mean = data_of(mean);
    args.inverse_std = inverse.data();
    args.output_grad = grad.data();
    Tensor grads[3];
    if (b.needs(0)) grads[0] = empty_like(input);
    for (int i : {1, 2})
        if (b.needs(i)) grads[i] = Tensor::empty((i == 1 ? weight_like : bias_like).shape, inverse.dtype());
    args.input_grad = data_of(grads[0]);
    args.weight_grad = data_of(grads[1]);
    args.bias_grad = data_of(grads[2]);
    Tensor memory;
    if (b.needs(1) || b.needs(2)) {
        memory = scratch(kernels().norm.layer.scratch(args.rows, args.size));
        args.scratch = memory.data<double>();
    }
    kernels().norm.layer.backward[precision(input)](args);
    const DType dtypes[] = {input.dtype(), weight_like.dtype, bias_like.dtype};
    for (int i : {0, 1, 2})
        if (grads[i].defined()) b.give(i, plain::convert(grads[i], dtypes[i]));
}

// Of each row of the last axes; RMS norm where it is not `centred`.
Tensor row_norm(const char* op, const Tensor& input, const Dims& normalized_shape, const Tensor& w,
                const Tensor& b, double eps, bool centred) {
    check_floating(op, "input", input);
    const int count = normalized_shape.rank();
    if (count == 0) value_error({op, ": normalized_shape must name at least one axis"});
    if (count > input.rank() || last_dims(input, count) != normalized_shape)
        value_error({op, ": input has shape ", input.shape(), ", whose last axes must be normalized_shape ",
                     normalized_shape});
    check_parameter(op, "weight", w, input, normalized_shape, " (normalized_shape)");
    check_parameter(op, "bias", b, input, normalized_shape, " (normalized_shape)");
    check_between(op, "eps", eps, 0, kInfinity);
    Tensor out = empty_like(input);
    const bool records = recording({&input, &w, &b});
    if (!out.size()) {
        if (records)
            record(op, out, {&input, &w, &b},
                   [x = like(out), w = like(w), b = like(b)](Backward& g) { give_zeros(g, {x, w, b}); });
        return out;
    }
    const Tensor x = plain::contiguous(input), weights = prepared(w), biases = prepared(b);
    LayerNormArgs args;
    args.size = normalized_shape.product();
    args.rows = x.size() / args.size;
    args.centred = centred;
    Tensor inverse = Tensor::empty({args.rows}, computing_dtype(x.dtype())), mean;
    if (centred) mean = empty_like(inverse);
    args.input = x.data();
    args.weight = data_of(weights);
    args.bias = data_of(biases);
    args.output = out.data();
    args.epsilon = eps;
    args.mean = data_of(mean);
    args.inverse_std = inverse.data();
    {
        LongWork work(nanoseconds(out));
        kernels().norm.layer.forward[precision(x)](args);
    }
    if (records)
        record(op, out, {&input, &w, &b},
               [x = Saved(x), weights = Saved(weights), mean, inverse, w = like(w), b = like(b)](
                   Backward& g) { layer_backward(g, x.get(), weights.get(), mean, inverse, w, b); });
    return out;
}

} // namespace

Tensor batch_norm(const Tensor& input, const Optional& running_mean, const Optional& running_var,
                  const Optional& weight, const Optional& bias, bool training, double momentum, double eps,
                  const Optional& residual, const std::optional<std::string>& activation) {
    const char* op = "batch_norm";
    check_channel_norm(op, input, 2, "(batch, ..., channels)");
    ChannelNorm n{op,
                  input,
                  given(weight),
                  given(bias),
                  given(running_mean),
                  given(running_var),
                  whole_batch(input),
                  momentum,
                  eps,
                  !training,
                  given(residual),
                  activation.has_value()};
    if (activation && *activation != "relu")
        value_error({op, ": activation is '", *activation, "', expected 'relu' or None"});
    check_residual(n);
    if (!training && (!running_mean || !running_var))
        value_error({op, ": running_mean and running_var must be given where training is False"});
    if (training && n.view.channels && n.view.spatial < 2)
        value_error({op, ": training needs more than one value per channel, got input of shape ",
                     input.shape(), "; call eval() first, or leave out a last batch of one sample"});
    return apply(std::move(n));
}

Tensor instance_norm(const Tensor& input, const Optional& running_mean, const Optional& running_var,
                     const Optional& weight, const Optional& bias, bool use_input_stats, double momentum,
                     double eps) {
    const char* op = "instance_norm";
    check_channel_norm(op, input, 3, "(batch, ..., channels)");
    const View view = use_input_stats ? per_sample(input, input.shape().back()) : whole_batch(input);
    ChannelNorm n{op,   input,    given(weight), given(bias),     given(running_mean), given(running_var),
                  view, momentum, eps,           !use_input_stats};
    if (!use_input_stats && (!running_mean || !running_var))
        value_error({op, ": running_mean and running_var must be given where use_input_stats is False"});
    if (use_input_stats && input.size() && view.spatial < 2)
        value_error(
            {op, ": needs more than one spatial position per channel, got input of shape ", input.shape()});
    return apply(std::move(n));
}

Tensor group_norm(const Tensor& input, int64_t num_groups, const Optional& weight, const Optional& bias,
                  double eps) {
    const char* op = "group_norm";
    check_channel_norm(op, input, 2, "(batch, ..., channels)");
    const int64_t channels = input.shape().back();
    if (num_groups < 1 || channels % num_groups)
        value_error({op, ": input has ", channels, " channels (shape ", input.shape(),
                     ", channels last), which num_groups (", num_groups, ") does not divide"});
    return apply(
        {op, input, given(weight), given(bias), {}, {}, per_sample(input, num_groups), 0, eps, false});
}

Tensor layer_norm(const Tensor& input, const Dims& normalized_shape, const Optional& weight,
                  const Optional& bias, double eps) {
    return row_norm("layer_norm", input, normalized_shape, given(weight), given(bias), eps, true);
}

Tensor rms_norm(const Tensor& input, const Dims& normalized_shape, const Optional& weight,
                const std::optional<double>& eps) {
    const double least = computing_dtype(input.dtype()) == DType::float64
                             ? std::numeric_limits<double>::epsilon()
                             : std::numeric_limits<float>::epsilon();
    return row_norm("rms_norm", input, normalized_shape, given(weight), Tensor(), eps.value_or(least), false);
}

} // namespace dt::ops
