#include "ops/activation.h"

#include "bindings/docs.h"
#include "bindings/families.h"
#include "bindings/in_place.h"

namespace dt::bindings {
namespace {

std::string doc(const char* summary, const char* example) {
    return to_text(elementwise(Takes::floats, summary, example));
}
// With one argument beside x.
std::string doc(const char* summary, const char* argument, const char* example) {
    Doc d = elementwise(Takes::floats, summary, example);
    const std::string args = std::string(d.args) + "\n" + argument;
    d.args = args.c_str();
    return to_text(d);
}

} // namespace

void bind_activation(py::module_& m) {
    const std::string relu = doc("max(x, 0).", ">>> dt.relu(dt.tensor([-1.0, 2.0]))\ntensor([0., 2.])");
    op<&ops::relu>(m, "relu", relu, {"x"_a});
    method<&ops::relu>("relu", relu);
    method<&InPlace<&ops::relu_>::call>("relu_", in_place_doc("relu"));
    op<&ops::relu6>(m, "relu6",
                    doc("x limited to [0, 6] (Howard et al., 2017).",
                        ">>> dt.relu6(dt.tensor([-1.0, 8.0]))\ntensor([0., 6.])"),
                    {"x"_a});
    op<&ops::leaky_relu>(m, "leaky_relu",
                         doc("x where it is positive, else negative_slope * x (Maas et al., 2013).",
                             "negative_slope: A number.",
                             ">>> dt.leaky_relu(dt.tensor([-1.0, 2.0]), 0.5)\ntensor([-0.5,  2. ])"),
                         {"x"_a, "negative_slope"_a = 0.01});
    op<&ops::prelu>(m, "prelu",
                    doc("x where it is positive, else weight * x (He et al., 2015).",
                        "weight: Tensor (1,), or (channels,) for the last axis; of the dtype of x.",
                        ">>> dt.prelu(dt.tensor([-1.0, 2.0]), dt.tensor([0.25]))\ntensor([-0.25,  2.  ])"),
                    {"x"_a, "weight"_a});
    op<&ops::elu>(m, "elu",
                  doc("x where it is positive, else alpha * (exp(x) - 1) (Clevert et al., 2016).",
                      "alpha: A number.", ">>> dt.elu(dt.tensor([-1000.0, 2.0]))\ntensor([-1.,  2.])"),
                  {"x"_a, "alpha"_a = 1.0});
    op<&ops::selu>(m, "selu",
                   doc("The self-normalising scaled elu (Klambauer et al., 2017).",
                       ">>> dt.selu(dt.tensor([0.0, 1.0]))\ntensor([0.      , 1.050701])"),
                   {"x"_a});
    op<&ops::gelu>(
        m, "gelu",
        doc("x times the probability that a normal variable is below x (Hendrycks and Gimpel, 2016).",
            "approximate: 'none' for the exact function, 'tanh' for the paper's approximation.",
            ">>> dt.gelu(dt.tensor([0.0]))\ntensor([0.])"),
        {"x"_a, "approximate"_a = "none"});
    op<&ops::silu>(m, "silu",
                   doc("x * sigmoid(x), also known as swish (Elfwing et al., 2018).",
                       ">>> dt.silu(dt.tensor([0.0]))\ntensor([0.])"),
                   {"x"_a});
    op<&ops::mish>(m, "mish",
                   doc("x * tanh(softplus(x)) (Misra, 2019).", ">>> dt.mish(dt.tensor([0.0]))\ntensor([0.])"),
                   {"x"_a});
    op<&ops::softplus>(
        m, "softplus",
        doc("log(1 + exp(beta * x)) / beta, a smooth relu (Dugas et al., 2001).",
            "beta: A number above 0.\nthreshold: Where beta * x is above it, x itself is the result.",
            ">>> dt.softplus(dt.tensor([100.0]))\ntensor([100.])"),
        {"x"_a, "beta"_a = 1.0, "threshold"_a = 20.0});
    op<&ops::softsign>(
        m, "softsign",
        doc("x / (1 + abs(x)).", ">>> dt.softsign(dt.tensor([-1.0, 3.0]))\ntensor([-0.5 ,  0.75])"), {"x"_a});
    op<&ops::hardswish>(m, "hardswish",
                        doc("x * relu6(x + 3) / 6 (Howard et al., 2019).",
                            ">>> dt.hardswish(dt.tensor([-4.0, 1.5]))\ntensor([-0.   ,  1.125])"),
                        {"x"_a});
    op<&ops::hardsigmoid>(
        m, "hardsigmoid",
        doc("relu6(x + 3) / 6.", ">>> dt.hardsigmoid(dt.tensor([-4.0, 0.0]))\ntensor([0. , 0.5])"), {"x"_a});
    op<&ops::hardtanh>(m, "hardtanh",
                       doc("x limited to [min, max].", "min, max: Numbers, min at most max.",
                           ">>> dt.hardtanh(dt.tensor([-2.0, 0.5]))\ntensor([-1. ,  0.5])"),
                       {"x"_a, "min"_a = -1.0, "max"_a = 1.0});
    op<&ops::log_sigmoid>(m, "log_sigmoid",
                          doc("log(sigmoid(x)) without underflow.",
                              ">>> dt.log_sigmoid(dt.tensor([-1000.0]))\ntensor([-1000.])"),
                          {"x"_a});
}

} // namespace dt::bindings
