#include "ops/loss.h"

#include "bindings/families.h"
#include "bindings/op.h"
#include "ops/cross_entropy.h"
#include "ops/margin.h"
#include "ops/similarity.h"

namespace dt::bindings {
namespace {

// What the documentation of every loss ends with.
std::string with_common(const char* text, const char* example) {
    return std::string(text) +
           "\n\nreduction: 'mean' (sum(w * loss) / sum(w), w the sample weights), 'sum' or 'none'. "
           "sample_weight: of\n"
           "input's dtype and of the shape of the losses or of their leading axes, or None. ValueError for "
           "wrong shapes\n"
           "and values, TypeError for wrong dtypes.\n\n" +
           example;
}

void bind_elementwise_losses(py::module_& m) {
    const auto none = py::none();
    op<&ops::mse_loss>(
        m, "mse_loss",
        with_common("(input - target)^2. Both have the same shape and dtype, float32 or float64.",
                    ">>> dt.mse_loss(dt.tensor([1.0, 2.0]), dt.tensor([0.0, 0.0])).item()\n2.5")
            .c_str(),
        {"input"_a, "target"_a, "reduction"_a = "mean", keyword("sample_weight"_a = none)});
    op<&ops::l1_loss>(m, "l1_loss",
                      with_common("|input - target|. Both have the same shape and dtype, float32 or float64.",
                                  ">>> dt.l1_loss(dt.tensor([1.0, 2.0]), dt.tensor([0.0, 0.0])).item()\n1.5")
                          .c_str(),
                      {"input"_a, "target"_a, "reduction"_a = "mean", keyword("sample_weight"_a = none)});
    op<&ops::huber_loss>(
        m, "huber_loss",
        with_common("d^2 / 2 where d = |input - target| is at most delta, delta (d - delta / 2) above "
                    "(Huber, 1964).\n"
                    "Both have the same shape and dtype, float32 or float64.",
                    ">>> dt.huber_loss(dt.tensor([1.0, 3.0]), dt.tensor([0.0, 0.0])).item()\n1.5")
            .c_str(),
        {"input"_a, "target"_a, "reduction"_a = "mean", "delta"_a = 1.0, keyword("sample_weight"_a = none)});
    op<&ops::smooth_l1_loss>(
        m, "smooth_l1_loss",
        with_common(
            "d^2 / (2 beta) where d = |input - target| is below beta, d - beta / 2 above (Girshick, 2015).\n"
            "Both have the same shape and dtype, float32 or float64.",
            ">>> dt.smooth_l1_loss(dt.tensor([1.0, 3.0]), dt.tensor([0.0, 0.0])).item()\n1.5")
            .c_str(),
        {"input"_a, "target"_a, "reduction"_a = "mean", "beta"_a = 1.0, keyword("sample_weight"_a = none)});
    op<&ops::binary_cross_entropy>(
        m, "binary_cross_entropy",
        with_common(
            "-(target log(input) + (1 - target) log(1 - input)) of probabilities, each logarithm at least\n"
            "-100. Both have the same shape and dtype, float32 or float64.",
            ">>> dt.binary_cross_entropy(dt.tensor([1.0, 0.0]), dt.tensor([1.0, 0.0])).item()\n0.0")
            .c_str(),
        {"input"_a, "target"_a, "reduction"_a = "mean", keyword("sample_weight"_a = none)});
    op<&ops::binary_cross_entropy_with_logits>(
        m, "binary_cross_entropy_with_logits",
        with_common(
            "binary_cross_entropy of sigmoid(input), computed without overflow. pos_weight multiplies the\n"
            "part of the positive class: one value, or one for each index of the last axis. input and "
            "target\n"
            "have the same shape and dtype, float32 or float64.",
            ">>> dt.binary_cross_entropy_with_logits(dt.tensor([500.0]), dt.tensor([0.0])).item()\n500.0")
            .c_str(),
        {"input"_a, "target"_a, "reduction"_a = "mean", "pos_weight"_a = none,
         keyword("sample_weight"_a = none)});
    op<&ops::hinge_loss>(
        m, "hinge_loss",
        with_common(
            "max(0, margin - input * target), where target is -1 or 1. Both have the same shape and dtype,\n"
            "float32 or float64.",
            ">>> dt.hinge_loss(dt.tensor([0.5, 3.0]), dt.tensor([1.0, 1.0])).item()\n0.25")
            .c_str(),
        {"input"_a, "target"_a, "margin"_a = 1.0, "reduction"_a = "mean", keyword("sample_weight"_a = none)});
    op<&ops::kl_div>(
        m, "kl_div",
        with_common(
            "target (log(target) - input), where input holds log-probabilities and target probabilities, or\n"
            "log-probabilities with log_target=True. Both have the same shape and dtype, float32 or "
            "float64.\n"
            "reduction='batchmean' divides the sum by the size of the first axis: the divergence itself.",
            ">>> dt.kl_div(dt.tensor([[-1.0, -1.0]]), dt.tensor([[1.0, 0.0]]), 'batchmean').item()\n1.0")
            .c_str(),
        {"input"_a, "target"_a, "reduction"_a = "mean", "log_target"_a = false,
         keyword("sample_weight"_a = none)});
}

} // namespace

void bind_loss(py::module_& m) {
    const auto none = py::none();
    op<&ops::cross_entropy>(
        m, "cross_entropy",
        with_common(
            "-log(softmax(input)) of the right class.\n\n"
            "input: logits (..., classes), float32 or float64. target: integer labels of shape (...), each "
            "in\n"
            "[0, classes) or ignore_index (which counts for nothing), or probabilities of input's shape and\n"
            "dtype. weight: (classes,), the weight of each class; with labels, 'mean' divides by the weights "
            "of\n"
            "the labels too. label_smoothing: the share of the target that is spread over all classes.",
            ">>> dt.cross_entropy(dt.tensor([[0.0, 0.0]]), dt.tensor([1])).item()\n0.6931471824645996")
            .c_str(),
        {"input"_a, "target"_a, "weight"_a = none, "ignore_index"_a = -100, "reduction"_a = "mean",
         "label_smoothing"_a = 0.0, keyword("sample_weight"_a = none)});
    op<&ops::nll_loss>(
        m, "nll_loss",
        with_common(
            "-input of the right class, for log-probabilities as log_softmax gives them.\n\n"
            "input: (..., classes), float32 or float64. target: integer labels of shape (...), each in\n"
            "[0, classes) or ignore_index (which counts for nothing). weight: (classes,); 'mean' divides by "
            "the\n"
            "weights of the labels too.",
            ">>> dt.nll_loss(dt.tensor([[-1.0, -2.0]]), dt.tensor([1])).item()\n2.0")
            .c_str(),
        {"input"_a, "target"_a, "weight"_a = none, "ignore_index"_a = -100, "reduction"_a = "mean",
         keyword("sample_weight"_a = none)});
    op<&ops::multi_margin_loss>(
        m, "multi_margin_loss",
        with_common("Multi-class hinge: the sum of max(0, margin - input[label] + input[c])^p over the other "
                    "classes c, divided by\n"
                    "their number plus one and multiplied by the label's weight (Crammer and Singer, 2001, "
                    "with p=1).\n\n"
                    "input: scores (..., classes), float32 or float64. target: integer labels of shape (...) "
                    "in [0, classes). p: 1 or\n"
                    "2. weight: (classes,) or None.",
                    ">>> dt.multi_margin_loss(dt.tensor([[1.0, 0.5]]), dt.tensor([0])).item()\n0.25")
            .c_str(),
        {"input"_a, "target"_a, "p"_a = 1, "margin"_a = 1.0, "weight"_a = none, "reduction"_a = "mean",
         keyword("sample_weight"_a = none)});
    op<&ops::cosine_similarity>(
        m, "cosine_similarity",
        "The cosine of the angle between vectors along `axis`: x1 x2 / (max(|x1|, eps) max(|x2|, eps)).\n\n"
        "x1, x2: same dtype, float32 or float64; equal sizes along axis, the other axes broadcast. The "
        "result lacks\n"
        "axis. ValueError for wrong shapes, TypeError for wrong dtypes.\n\n"
        ">>> dt.cosine_similarity(dt.tensor([[1.0, 0.0]]), dt.tensor([[3.0, 4.0]])).tolist()\n"
        "[0.6000000238418579]",
        {"x1"_a, "x2"_a, "axis"_a = -1, "eps"_a = 1e-8});
    op<&ops::cosine_embedding_loss>(m, "cosine_embedding_loss",
                                    with_common("1 - cosine for pairs whose target is 1, max(0, cosine - "
                                                "margin) for those whose target is -1 (0 for any\n"
                                                "other).\n\n"
                                                "input1, input2: vectors (..., features), same shape and "
                                                "dtype, float32 or float64. target: numbers of shape\n"
                                                "(...). margin: from -1 to 1.",
                                                ">>> x = dt.tensor([[1.0, 0.0]])\n>>> "
                                                "dt.cosine_embedding_loss(x, x, dt.tensor([-1])).item()\n1.0")
                                        .c_str(),
                                    {"input1"_a, "input2"_a, "target"_a, "margin"_a = 0.0,
                                     "reduction"_a = "mean", keyword("sample_weight"_a = none)});
    bind_elementwise_losses(m);
}

} // namespace dt::bindings
