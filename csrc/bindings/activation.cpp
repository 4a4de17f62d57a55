#include "ops/activation.h"

#include "bindings/families.h"
#include "bindings/in_place.h"

namespace dt::bindings {

void bind_activation(py::module_& m) {
    op<&ops::relu>(m, "relu", "max(x, 0).", {"x"_a});
    op<&ops::relu6>(m, "relu6", "x limited to [0, 6].", {"x"_a});
    op<&ops::leaky_relu>(m, "leaky_relu", "x where it is positive, else negative_slope * x.",
                         {"x"_a, "negative_slope"_a = 0.01});
    op<&ops::prelu>(m, "prelu",
                    "x where it is positive, else weight * x; one weight, or one for each channel.",
                    {"x"_a, "weight"_a});
    op<&ops::elu>(m, "elu", "x where it is positive, else alpha * (exp(x) - 1) (Clevert et al., 2016).",
                  {"x"_a, "alpha"_a = 1.0});
    op<&ops::selu>(m, "selu", "The self-normalising scaled elu (Klambauer et al., 2017).", {"x"_a});
    op<&ops::gelu>(m, "gelu",
                   "x times the probability that a normal variable is below x (Hendrycks and Gimpel, 2016); "
                   "`approximate` is 'none' or 'tanh'.",
                   {"x"_a, "approximate"_a = "none"});
    op<&ops::silu>(m, "silu", "x * sigmoid(x), also known as swish (Elfwing et al., 2018).", {"x"_a});
    op<&ops::mish>(m, "mish", "x * tanh(softplus(x)) (Misra, 2019).", {"x"_a});
    op<&ops::softplus>(m, "softplus", "log(1 + exp(beta * x)) / beta; x itself where beta * x > threshold.",
                       {"x"_a, "beta"_a = 1.0, "threshold"_a = 20.0});
    op<&ops::softsign>(m, "softsign", "x / (1 + abs(x)).", {"x"_a});
    op<&ops::hardswish>(m, "hardswish", "x * relu6(x + 3) / 6 (Howard et al., 2019).", {"x"_a});
    op<&ops::hardsigmoid>(m, "hardsigmoid", "relu6(x + 3) / 6.", {"x"_a});
    op<&ops::hardtanh>(m, "hardtanh", "x limited to [min, max].", {"x"_a, "min"_a = -1.0, "max"_a = 1.0});
    op<&ops::log_sigmoid>(m, "log_sigmoid", "log(sigmoid(x)) without underflow.", {"x"_a});
    method<&ops::relu>("relu", "max(x, 0).");
    method<&InPlace<&ops::relu_>::call>("relu_", "The same as `relu`, in place.");
}

} // namespace dt::bindings
