#include "ops/loss.h"

#include <limits>

#include "ops/reduction.h"

namespace dt::ops {
namespace {

constexpr double kLargest = std::numeric_limits<double>::max();

struct Settings {
    LossKind kind;
    double parameter = 1;
    Tensor positive_weight; // contiguous, or undefined
    SampleWeight weight;
    Reduction reduction = Reduction::mean;
    Tensor divisor; // of the sum; undefined: 1
};

LossArgs arguments(const Settings& s, const Tensor& input, const Tensor& target) {
    LossArgs args;
    args.kind = s.kind;
    args.n = input.size();
    args.input = input.data();
    args.target = target.data();
    args.input_dtype = input.dtype();
    args.target_dtype = target.dtype();
    args.parameter = s.parameter;
    args.positive_weight = data_of(s.positive_weight);
    args.positive_weight_size = s.positive_weight.defined() ? s.positive_weight.size() : 1;
    args.sample_weight = data_of(s.weight.tensor);
    args.weight_repeat = s.weight.repeat;
    args.divisor = data_of(s.divisor);
    return args;
}

void backward_of(Backward& b, const Settings& s, const Tensor& input, const Tensor& target) {
    const Tensor grad = plain::contiguous(b.grad());
    Tensor grads[2];
    for (int i : {0, 1})
        if (b.needs(i)) grads[i] = empty_like(i == 0 ? input : target);
    LossArgs args = arguments(s, input, target);
    args.output_grad = grad.data();
    args.output_grad_stride = s.reduction == Reduction::none;
    args.input_grad = data_of(grads[0]);
    args.target_grad = data_of(grads[1]);
    if (args.n) kernels().loss.backward[precision(grad)](args);
    for (int i : {0, 1})
        if (grads[i].defined()) b.give(i, grads[i]);
}

// The mean is sum(weight * loss) / sum(weight), where every loss has the weight of its sample.
Tensor divisor_of(const Settings& s, const Tensor& input) {
    if (s.reduction == Reduction::none || s.reduction == Reduction::sum) return Tensor();
    double share = 1; // of the losses that count
    if (s.reduction == Reduction::batch_mean && input.rank() && input.size())
        share = static_cast<double>(input.shape(0)) / static_cast<double>(input.size());
    if (!s.weight.tensor.defined())
        return plain::full({}, computing_dtype(input.dtype()), share * static_cast<double>(input.size()));
    return weighted_sum(s.weight.tensor, {}, {}, share * static_cast<double>(s.weight.repeat), {});
}

void check_pair(const char* op, const Tensor& input, const Tensor& target) {
    check_floating(op, "input", input);
    if (computing_dtype(input.dtype()) != DType::float32 || computing_dtype(target.dtype()) != DType::float32)
        check_same_dtype(op, "input", input, "target", target);
    if (input.shape() != target.shape())
        value_error({op, ": input has shape ", input.shape(), ", but target has shape ", target.shape()});
}

Tensor apply(const char* op, const Tensor& input, const Tensor& target, const Optional& sample_weight,
             Settings s) {
    s.weight = read_sample_weight(op, sample_weight, input.shape(), input);
    s.divisor = divisor_of(s, input);
    const Tensor x = plain::contiguous(input), t = plain::contiguous(target);
    const bool each = s.reduction == Reduction::none;
    Tensor out = Tensor::empty(each ? input.shape() : Dims{}, computing_dtype(input.dtype()));
    LossArgs args = arguments(s, x, t);
    Tensor memory;
    if (each) {
        args.losses = out.data();
    } else {
        memory = scratch(kernels().loss.scratch(args.n));
        args.total = out.data();
        args.scratch = memory.data<double>();
    }
    if (!each || args.n) {
        LongWork work(static_cast<double>(args.n));
        kernels().loss.forward[precision(out)](args);
    }
    if (recording({&input, &target})) {
        Unchanged weights{s.positive_weight, s.weight.tensor};
        record(
            op, out, {&input, &target},
            [s = std::move(s), weights = std::move(weights), x = Saved(x), t = Saved(t)](Backward& b) {
                weights.check();
                backward_of(b, s, x.get(), t.get());
            },
            static_cast<double>(args.n));
    }
    return out;
}

} // namespace

Tensor mse_loss(const Tensor& input, const Tensor& target, const std::string& reduction,
                const Optional& sample_weight) {
    check_pair("mse_loss", input, target);
    return apply("mse_loss", input, target, sample_weight,
                 {LossKind::mse, 1, {}, {}, read_reduction("mse_loss", reduction), {}});
}

Tensor l1_loss(const Tensor& input, const Tensor& target, const std::string& reduction,
               const Optional& sample_weight) {
    check_pair("l1_loss", input, target);
    return apply("l1_loss", input, target, sample_weight,
                 {LossKind::l1, 1, {}, {}, read_reduction("l1_loss", reduction), {}});
}

Tensor huber_loss(const Tensor& input, const Tensor& target, const std::string& reduction, double delta,
                  const Optional& sample_weight) {
    check_pair("huber_loss", input, target);
    if (!(delta > 0 && delta <= kLargest))
        value_error({"huber_loss: delta is ", delta, ", expected a number above 0"});
    return apply("huber_loss", input, target, sample_weight,
                 {LossKind::huber, delta, {}, {}, read_reduction("huber_loss", reduction), {}});
}

Tensor smooth_l1_loss(const Tensor& input, const Tensor& target, const std::string& reduction, double beta,
                      const Optional& sample_weight) {
    check_pair("smooth_l1_loss", input, target);
    check_between("smooth_l1_loss", "beta", beta, 0, kLargest);
    return apply("smooth_l1_loss", input, target, sample_weight,
                 {LossKind::smooth_l1, beta, {}, {}, read_reduction("smooth_l1_loss", reduction), {}});
}

Tensor binary_cross_entropy(const Tensor& input, const Tensor& target, const std::string& reduction,
                            const Optional& sample_weight) {
    const char* op = "binary_cross_entropy";
    check_pair(op, input, target);
    return apply(op, input, target, sample_weight,
                 {LossKind::bce, 1, {}, {}, read_reduction(op, reduction), {}});
}

Tensor binary_cross_entropy_with_logits(const Tensor& input, const Tensor& target,
                                        const std::string& reduction, const Optional& pos_weight,
                                        const Optional& sample_weight) {
    const char* op = "binary_cross_entropy_with_logits";
    check_pair(op, input, target);
    Settings s{LossKind::bce_with_logits, 1, {}, {}, read_reduction(op, reduction), {}};
    if (pos_weight) {
        const Tensor& p = *pos_weight;
        check_beside(op, "pos_weight", p, input);
        check_constant(op, "pos_weight", p);
        if (p.size() != 1 && (p.rank() != 1 || input.rank() == 0 || p.size() != input.shape().back()))
            value_error({op, ": pos_weight has shape ", p.shape(),
                         ", expected one value, or one for each index of ", "the last axis of input (shape ",
                         input.shape(), ")"});
        s.positive_weight = prepared(p);
    }
    return apply(op, input, target, sample_weight, std::move(s));
}

Tensor hinge_loss(const Tensor& input, const Tensor& target, double margin, const std::string& reduction,
                  const Optional& sample_weight) {
    check_pair("hinge_loss", input, target);
    check_between("hinge_loss", "margin", margin, -kLargest, kLargest);
    return apply("hinge_loss", input, target, sample_weight,
                 {LossKind::hinge, margin, {}, {}, read_reduction("hinge_loss", reduction), {}});
}

Tensor kl_div(const Tensor& input, const Tensor& target, const std::string& reduction, bool log_target,
              const Optional& sample_weight) {
    check_pair("kl_div", input, target);
    return apply("kl_div", input, target, sample_weight,
                 {log_target ? LossKind::kl_div_log_target : LossKind::kl_div,
                  1,
                  {},
                  {},
                  read_reduction("kl_div", reduction, true),
                  {}});
}

Tensor cosine_margin_loss(const char* op, const Tensor& cosine, const Tensor& target, double margin,
                          const std::string& reduction, const Optional& sample_weight) {
    return apply(op, cosine, target, sample_weight,
                 {LossKind::cosine_margin, margin, {}, {}, read_reduction(op, reduction), {}});
}

} // namespace dt::ops
