#include "ops/loss.h"

#include "bindings/docs.h"
#include "bindings/families.h"
#include "bindings/op.h"
#include "ops/cross_entropy.h"
#include "ops/margin.h"
#include "ops/similarity.h"

namespace dt::bindings {
namespace {

// What every loss takes and raises, around its own sentence, arguments and example.
std::string loss_doc(const char* summary, const std::string& args, const char* example) {
    const std::string all =
        args +
        "reduction: 'mean' (sum(w * loss) / sum(w), w the sample weights), 'sum' or 'none'.\n"
        "sample_weight: Tensor of the dtype of the losses and of their shape or that of their leading\n"
        "    axes, or None.";
    return to_text({summary, all.c_str(),
                    "Tensor: one number, or with reduction='none' the losses; float32 for halves.",
                    "ValueError: for wrong shapes and values.\nTypeError: for wrong dtypes.", example});
}

std::string pair_doc(const char* summary, const char* example, const std::string& args = "") {
    return loss_doc(
        summary,
        "input, target: Tensors of floats, of one shape and dtype; float32 and halves may mix.\n" + args,
        example);
}

Arg mean() { return "reduction"_a = "mean"; }
Arg sample_weight() { return keyword("sample_weight"_a = py::none()); }

void bind_distances(py::module_& m) {
    op<&ops::mse_loss>(m, "mse_loss",
                       pair_doc("(input - target)^2.",
                                ">>> dt.mse_loss(dt.tensor([1.0, 2.0]), dt.tensor([0.0, 0.0]))\ntensor(2.5)"),
                       {"input"_a, "target"_a, mean(), sample_weight()});
    op<&ops::l1_loss>(m, "l1_loss",
                      pair_doc("|input - target|.",
                               ">>> dt.l1_loss(dt.tensor([1.0, 2.0]), dt.tensor([0.0, 0.0]))\ntensor(1.5)"),
                      {"input"_a, "target"_a, mean(), sample_weight()});
    op<&ops::huber_loss>(
        m, "huber_loss",
        pair_doc(
            "d^2 / 2 where d = |input - target| is at most delta, delta (d - delta / 2) above (Huber, 1964).",
            ">>> dt.huber_loss(dt.tensor([1.0, 3.0]), dt.tensor([0.0, 0.0]))\ntensor(1.5)",
            "delta: A number above 0.\n"),
        {"input"_a, "target"_a, mean(), "delta"_a = 1.0, sample_weight()});
    op<&ops::smooth_l1_loss>(
        m, "smooth_l1_loss",
        pair_doc(
            "d^2 / (2 beta) where d = |input - target| is below beta, d - beta / 2 above (Girshick, 2015).",
            ">>> dt.smooth_l1_loss(dt.tensor([1.0, 3.0]), dt.tensor([0.0, 0.0]))\ntensor(1.5)",
            "beta: A number, 0 or more.\n"),
        {"input"_a, "target"_a, mean(), "beta"_a = 1.0, sample_weight()});
    op<&ops::hinge_loss>(
        m, "hinge_loss",
        pair_doc("max(0, margin - input * target), where target is -1 or 1.",
                 ">>> dt.hinge_loss(dt.tensor([0.5, 3.0]), dt.tensor([1.0, 1.0]))\ntensor(0.25)",
                 "margin: A number.\n"),
        {"input"_a, "target"_a, "margin"_a = 1.0, mean(), sample_weight()});
}

void bind_probabilities(py::module_& m) {
    op<&ops::binary_cross_entropy>(
        m, "binary_cross_entropy",
        pair_doc("-(target log(input) + (1 - target) log(1 - input)) of probabilities, each logarithm at "
                 "least -100.",
                 ">>> dt.binary_cross_entropy(dt.tensor([1.0, 0.0]), dt.tensor([1.0, 0.0]))\ntensor(0.)"),
        {"input"_a, "target"_a, mean(), sample_weight()});
    op<&ops::binary_cross_entropy_with_logits>(
        m, "binary_cross_entropy_with_logits",
        pair_doc(
            "binary_cross_entropy of sigmoid(input), computed without overflow.",
            ">>> dt.binary_cross_entropy_with_logits(dt.tensor([500.0]), dt.tensor([0.0]))\ntensor(500.)",
            "pos_weight: By which the part of the positive class is multiplied: Tensor of one value, or of "
            "one for\n"
            "    each index of the last axis; or None.\n"),
        {"input"_a, "target"_a, mean(), "pos_weight"_a = py::none(), sample_weight()});
    op<&ops::kl_div>(
        m, "kl_div",
        pair_doc(
            "target (log(target) - input), where input holds log-probabilities and target probabilities.\n\n"
            "reduction='batchmean' divides the sum by the size of the first axis: the divergence of Kullback "
            "and\n"
            "Leibler (1951) itself.",
            ">>> dt.kl_div(dt.tensor([[-1.0, -1.0]]), dt.tensor([[1.0, 0.0]]), 'batchmean')\ntensor(1.)",
            "log_target: Whether target holds log-probabilities too.\n"),
        {"input"_a, "target"_a, mean(), "log_target"_a = false, sample_weight()});
}

void bind_classes(py::module_& m) {
    const auto none = py::none();
    const std::string
        labels =
            "target: Integer labels (...), each in [0, classes) or ignore_index, which counts for nothing",
        weights =
            "weight: Tensor (classes,), the weight of each class, or None; 'mean' divides by the weights\n"
            "    of the labels too, and is 0 where nothing counts.\n";
    op<&ops::cross_entropy>(
        m, "cross_entropy",
        loss_doc("-log(softmax(input)) of the right class.",
                 "input: Logits (..., classes), of floats.\n" + labels +
                     ";\n    or probabilities of the shape and dtype of input, float32 beside halves too.\n" +
                     weights +
                     "ignore_index: A label.\nlabel_smoothing: The share of the target that is spread over "
                     "all classes\n"
                     "    (Szegedy et al., 2016).\n",
                 ">>> dt.cross_entropy(dt.tensor([[0.0, 0.0]]), dt.tensor([1]))\ntensor(0.6931472)"),
        {"input"_a, "target"_a, "weight"_a = none, "ignore_index"_a = -100, mean(), "label_smoothing"_a = 0.0,
         sample_weight()});
    op<&ops::nll_loss>(
        m, "nll_loss",
        loss_doc("-input of the right class, for log-probabilities as log_softmax gives them.",
                 "input: Tensor (..., classes), of floats.\n" + labels + ".\n" + weights +
                     "ignore_index: A label.\n",
                 ">>> dt.nll_loss(dt.tensor([[-1.0, -2.0]]), dt.tensor([1]))\ntensor(2.)"),
        {"input"_a, "target"_a, "weight"_a = none, "ignore_index"_a = -100, mean(), sample_weight()});
    op<&ops::multi_margin_loss>(
        m, "multi_margin_loss",
        loss_doc(
            "Multi-class hinge (Crammer and Singer, 2001, with p=1).\n\n"
            "The sum of max(0, margin - input[label] + input[c])^p over the other classes c, divided by "
            "their\n"
            "number plus one and multiplied by the label's weight.",
            "input: Scores (..., classes), of floats.\ntarget: Integer labels (...), each in [0, "
            "classes).\n"
            "p: 1 or 2.\nmargin: A number.\nweight: Tensor (classes,), the weight of each class, or None.\n",
            ">>> dt.multi_margin_loss(dt.tensor([[1.0, 0.5]]), dt.tensor([0]))\ntensor(0.25)"),
        {"input"_a, "target"_a, "p"_a = 1, "margin"_a = 1.0, "weight"_a = none, mean(), sample_weight()});
}

void bind_cosines(py::module_& m) {
    op<&ops::cosine_similarity>(
        m, "cosine_similarity",
        {"The cosine of the angle between vectors: x1 x2 / (max(|x1|, eps) max(|x2|, eps)).",
         "x1, x2: Tensors of floats of one dtype; equal sizes along axis, the other axes "
         "broadcast.\n"
         "axis: Of the vectors.\neps: A number, 0 or more.",
         "Tensor without axis.", "ValueError: for wrong shapes.\nTypeError: for wrong dtypes.",
         ">>> dt.cosine_similarity(dt.tensor([[1.0, 0.0]]), dt.tensor([[3.0, 4.0]])).tolist()\n"
         "[0.6000000238418579]"},
        {"x1"_a, "x2"_a, "axis"_a = -1, "eps"_a = 1e-8});
    op<&ops::cosine_embedding_loss>(
        m, "cosine_embedding_loss",
        loss_doc(
            "1 - cosine for pairs whose target is 1, max(0, cosine - margin) for those whose target is -1.",
            "input1, input2: Vectors (..., features) of floats, of one shape and dtype.\n"
            "target: Numbers (...); other than 1 and -1, the loss is 0.\nmargin: From -1 to 1.\n",
            ">>> x = dt.tensor([[1.0, 0.0]])\n>>> dt.cosine_embedding_loss(x, x, "
            "dt.tensor([-1]))\ntensor(1.)"),
        {"input1"_a, "input2"_a, "target"_a, "margin"_a = 0.0, mean(), sample_weight()});
}

} // namespace

void bind_loss(py::module_& m) {
    bind_classes(m);
    bind_probabilities(m);
    bind_distances(m);
    bind_cosines(m);
}

} // namespace dt::bindings
