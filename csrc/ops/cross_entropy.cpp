#include "ops/cross_entropy.h"

#include <utility>

#include "ops/reduction.h"

namespace dt::ops {
namespace {

Dims without_last(const Dims& shape) {
    Dims d = shape;
    d.erase(d.rank() - 1);
    return d;
}

// (N, C, H, W) beside labels (N, H, W): the classes stand where PyTorch has them.
bool classes_second(const Dims& input, const Dims& target) {
    if (input.rank() < 3) return false;
    Dims d = input;
    d.erase(1);
    return d == target;
}

struct Settings {
    bool log_probabilities = false;
    Tensor labels, probabilities; // one of the two; contiguous
    Tensor class_weight;          // contiguous, or undefined
    double label_smoothing = 0;
    int64_t ignore_index = -100;
    Tensor sample_weight; // one per row, or undefined
    Reduction reduction = Reduction::mean;
    Tensor normalisers, divisor; // made by the forward
};

CrossEntropyArgs arguments(const Settings& s, const Tensor& logits) {
    CrossEntropyArgs args;
    args.classes = logits.shape().back();
    args.rows = args.classes ? logits.size() / args.classes : 0;
    args.logits = logits.data();
    args.log_probabilities = s.log_probabilities;
    args.labels = static_cast<const int64_t*>(data_of(s.labels));
    args.probabilities = data_of(s.probabilities);
    args.class_weight = data_of(s.class_weight);
    args.label_smoothing = s.label_smoothing;
    args.ignore_index = s.ignore_index;
    args.normalisers = data_of(s.normalisers);
    return args;
}

void set_grads(CrossEntropyArgs& args, const Settings& s, const Tensor& loss_grad,
               const Tensor& logits_grad) {
    args.row_grad = loss_grad.data();
    args.row_grad_stride = s.reduction == Reduction::none;
    args.sample_weight = data_of(s.sample_weight);
    args.divisor = data_of(s.divisor);
    args.logits_grad = logits_grad.data();
}

double value_of(const Tensor& t) {
    return t.dtype() == DType::float64 ? *t.data<double>() : static_cast<double>(*t.data<float>());
}

// `ready` is the gradient where that of the loss is 1, as in loss.backward(); or undefined. It is given away:
// a second walk over the graph computes it again.
void backward_of(Backward& b, const Settings& s, const Tensor& logits, Tensor& ready) {
    const Tensor grad = plain::contiguous(b.grad());
    const bool done = ready.defined() && value_of(grad) == 1;
    Tensor logits_grad = ready.defined() ? std::exchange(ready, Tensor()) : empty_like(logits);
    CrossEntropyArgs args = arguments(s, logits);
    set_grads(args, s, grad, logits_grad);
    if (args.rows && !done) kernels().softmax.cross_entropy_backward[precision(logits)](args);
    b.give(0, std::move(logits_grad));
}

Tensor apply(const char* op, const Tensor& input, Settings s) {
    const Tensor x = plain::contiguous(input);
    const bool records = recording({&input});
    const DType computing = computing_dtype(x.dtype());
    Tensor losses = Tensor::empty(without_last(input.shape()), computing);
    const Tensor row_weights = empty_like(losses);
    if (!s.log_probabilities) s.normalisers = Tensor::empty({2 * losses.size()}, computing);
    CrossEntropyArgs args = arguments(s, x);
    args.losses = losses.data();
    args.row_weights = row_weights.data();
    kernels().softmax.cross_entropy_weights[precision(computing)](args);
    if (s.reduction == Reduction::mean) {
        s.divisor = mean_divisor(losses, row_weights, s.sample_weight);
        // A batch of nothing but padding has the loss 0, not 0 / 0.
        if (args.rows && value_of(s.divisor) == 0) s.divisor = plain::full({}, computing, 1);
    }
    Tensor one, ready;
    if (records && !s.log_probabilities && s.reduction != Reduction::none) {
        // While the logits are in the cache, their gradient is cheap; most losses are the end of the graph.
        one = plain::full({}, computing, 1);
        ready = empty_like(x);
        set_grads(args, s, one, ready);
    }
    if (args.rows) {
        LongWork work(static_cast<double>(x.size()));
        kernels().softmax.cross_entropy_forward[precision(x)](args);
    }
    Tensor out = reduce_rows(losses, s.sample_weight, s.reduction, s.divisor);
    if (records) {
        Unchanged others{s.probabilities, s.class_weight, s.sample_weight};
        record(
            op, out, {&input},
            [s = std::move(s), others = std::move(others), x = Saved(x),
             ready = std::move(ready)](Backward& b) mutable {
                others.check();
                backward_of(b, s, x.get(), ready);
            },
            static_cast<double>(x.size()));
    }
    return out;
}

// The checks and settings that cross_entropy and nll_loss have in common.
Settings read_settings(const char* op, const Tensor& input, const Optional& weight, int64_t ignore_index,
                       const std::string& reduction, const Optional& sample_weight) {
    Settings s;
    if (weight) {
        check_parameter(op, "weight", *weight, input, {input.shape().back()}, " (one value per class)");
        check_constant(op, "weight", *weight);
        s.class_weight = prepared(*weight);
    }
    s.ignore_index = ignore_index;
    s.reduction = read_reduction(op, reduction);
    const Dims shape = without_last(input.shape());
    s.sample_weight = expand_sample_weight(read_sample_weight(op, sample_weight, shape, input), shape);
    return s;
}

} // namespace

void check_class_scores(const char* op, const Tensor& input) {
    check_floating(op, "input", input);
    if (input.rank() == 0) value_error({op, ": input must have the classes on its last axis, got a scalar"});
    if (input.shape().back() == 0)
        value_error({op, ": input has 0 classes (shape ", input.shape(), ", classes last)"});
}

Tensor read_labels(const char* op, const Tensor& target, const Tensor& input, const int64_t* ignore_index) {
    const int64_t classes = input.shape().back();
    const Tensor labels = own_indices(op, "target", target, "; convert labels with astype(int64)");
    if (target.shape() != without_last(input.shape()))
        value_error({op, ": target has shape ", target.shape(), ", expected ", without_last(input.shape()),
                     " for input of shape ", input.shape(), " (classes last)",
                     classes_second(input.shape(), target.shape())
                         ? "; the classes look to be the second axis of input: move them to the end"
                         : ""});
    const int64_t* values = labels.data<int64_t>();
    const int64_t at = kernels().embedding.first_outside(labels.size(), values, 0, classes,
                                                         ignore_index ? *ignore_index : 0);
    if (at >= 0)
        value_error({op, ": target contains class ", values[at], ", but input has ", classes,
                     " classes (shape ", input.shape(), ")"});
    return labels;
}

Tensor cross_entropy(const Tensor& input, const Tensor& target, const Optional& weight, int64_t ignore_index,
                     const std::string& reduction, double label_smoothing, const Optional& sample_weight) {
    const char* op = "cross_entropy";
    check_class_scores(op, input);
    Settings s = read_settings(op, input, weight, ignore_index, reduction, sample_weight);
    check_between(op, "label_smoothing", label_smoothing, 0, 1);
    s.label_smoothing = label_smoothing;
    if (!is_floating(target.dtype())) {
        s.labels = read_labels(op, target, input, &s.ignore_index);
        return apply(op, input, std::move(s));
    }
    if (target.shape() != input.shape())
        value_error(
            {op, ": target has dtype ", target.dtype(), " and shape ", target.shape(),
             "; labels must have an integer dtype (convert them with astype(int64)), and probabilities ",
             "the shape of input ", input.shape()});
    check_beside(op, "target", target, input);
    check_constant(op, "target", target);
    s.probabilities = prepared(target);
    return apply(op, input, std::move(s));
}

Tensor nll_loss(const Tensor& input, const Tensor& target, const Optional& weight, int64_t ignore_index,
                const std::string& reduction, const Optional& sample_weight) {
    const char* op = "nll_loss";
    check_class_scores(op, input);
    Settings s = read_settings(op, input, weight, ignore_index, reduction, sample_weight);
    s.log_probabilities = true;
    s.labels = read_labels(op, target, input, &s.ignore_index);
    return apply(op, input, std::move(s));
}

} // namespace dt::ops
