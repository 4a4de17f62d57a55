#include "ops/margin.h"

#include <limits>

#include "ops/cross_entropy.h"
#include "ops/reduction.h"

namespace dt::ops {
namespace {

struct Settings {
    Tensor labels;
    int64_t power;
    double margin;
    Tensor class_weight;  // contiguous, or undefined
    Tensor sample_weight; // one per row, or undefined
    Reduction reduction;
    Tensor divisor; // of the sum of the losses; undefined: 1
};

MultiMarginArgs arguments(const Settings& s, const Tensor& input) {
    MultiMarginArgs args;
    args.rows = s.labels.size();
    args.classes = input.shape().back();
    args.input = input.data();
    args.labels = s.labels.data<int64_t>();
    args.power = static_cast<int>(s.power);
    args.margin = s.margin;
    args.class_weight = data_of(s.class_weight);
    return args;
}

void backward_of(Backward& b, const Settings& s, const Tensor& input) {
    const Tensor grad = plain::contiguous(b.grad());
    Tensor input_grad = empty_like(input);
    MultiMarginArgs args = arguments(s, input);
    args.row_grad = grad.data();
    args.row_grad_stride = s.reduction == Reduction::none;
    args.sample_weight = data_of(s.sample_weight);
    args.divisor = data_of(s.divisor);
    args.input_grad = input_grad.data();
    if (args.rows) kernels().loss.multi_margin_backward[precision(input)](args);
    b.give(0, input_grad);
}

Settings read_settings(const char* op, const Tensor& input, const Tensor& target, int64_t p, double margin,
                       const Optional& weight, const std::string& reduction, const Optional& sample_weight) {
    check_class_scores(op, input);
    if (p != 1 && p != 2) value_error({op, ": p is ", p, ", expected 1 or 2"});
    const double largest = std::numeric_limits<double>::max();
    check_between(op, "margin", margin, -largest, largest);
    Settings s{{}, p, margin, {}, {}, read_reduction(op, reduction), {}};
    if (weight) {
        check_parameter(op, "weight", *weight, input, {input.shape().back()}, " (one value per class)");
        check_constant(op, "weight", *weight);
        s.class_weight = prepared(*weight);
    }
    s.labels = read_labels(op, target, input, nullptr);
    const Dims& shape = s.labels.shape();
    s.sample_weight = expand_sample_weight(read_sample_weight(op, sample_weight, shape, input), shape);
    return s;
}

} // namespace

Tensor multi_margin_loss(const Tensor& input, const Tensor& target, int64_t p, double margin,
                         const Optional& weight, const std::string& reduction,
                         const Optional& sample_weight) {
    const char* op = "multi_margin_loss";
    Settings s = read_settings(op, input, target, p, margin, weight, reduction, sample_weight);
    const Tensor x = plain::contiguous(input);
    Tensor losses = Tensor::empty(s.labels.shape(), computing_dtype(x.dtype()));
    MultiMarginArgs args = arguments(s, x);
    args.losses = losses.data();
    if (args.rows) {
        LongWork work(0.3 * static_cast<double>(x.size()));
        kernels().loss.multi_margin_forward[precision(x)](args);
    }
    if (s.reduction == Reduction::mean) s.divisor = mean_divisor(losses, {}, s.sample_weight);
    Tensor out = reduce_rows(losses, s.sample_weight, s.reduction, s.divisor);
    if (recording({&input})) {
        Unchanged weights{s.class_weight, s.sample_weight};
        record(op, out, {&input},
               [s = std::move(s), weights = std::move(weights), x = Saved(x)](Backward& b) {
                   weights.check();
                   backward_of(b, s, x.get());
               });
    }
    return out;
}

} // namespace dt::ops
