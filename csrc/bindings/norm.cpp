#include "ops/norm.h"

#include "bindings/families.h"
#include "bindings/op.h"

namespace dt::bindings {

void bind_norm(py::module_& m) {
    const auto none = py::none();
    op<&ops::batch_norm>(
        m, "batch_norm",
        "Normalises every channel over all other axes (Ioffe and Szegedy, 2015).\n\n"
        "input: (batch, ..., channels), float32 or float64. weight, bias, running_mean, "
        "running_var: (channels,), of\n"
        "input's dtype. With training=True the statistics are those of the batch, with the "
        "biased variance, and the\n"
        "running ones move by `momentum` towards them (with the unbiased variance), in "
        "place; otherwise the running\n"
        "ones are used. In the same pass `residual`, of input's shape and dtype, is added to the result, and "
        "then\n"
        "activation='relu' applies ReLU.\n\n"
        "ValueError for wrong shapes, for another activation, and for training with a single value per "
        "channel; TypeError\nfor wrong dtypes.\n\n"
        ">>> x = dt.tensor([[1.0, 10.0], [3.0, 30.0]])\n"
        ">>> dt.batch_norm(x, training=True, eps=0.0).tolist()\n"
        "[[-1.0, -1.0], [1.0, 1.0]]",
        {"input"_a, "running_mean"_a = none, "running_var"_a = none, "weight"_a = none, "bias"_a = none,
         "training"_a = false, "momentum"_a = 0.1, "eps"_a = 1e-5, keyword("residual"_a = none),
         keyword("activation"_a = none)});
    op<&ops::instance_norm>(
        m, "instance_norm",
        "Normalises every channel of every sample over its positions (Ulyanov, Vedaldi and Lempitsky, "
        "2016).\n\n"
        "input: (batch, ..., channels), at least 3 axes, float32 or float64. weight, bias, running_mean,\n"
        "running_var: (channels,). With use_input_stats=False the running statistics are used instead of "
        "the\n"
        "sample's; otherwise they move by `momentum` towards the batch's mean of them, in place.\n\n"
        "ValueError for wrong shapes, and for a single position per channel; TypeError for wrong dtypes.\n\n"
        ">>> x = dt.tensor([[[1.0], [3.0]]])\n"
        ">>> dt.instance_norm(x, eps=0.0).tolist()\n"
        "[[[-1.0], [1.0]]]",
        {"input"_a, "running_mean"_a = none, "running_var"_a = none, "weight"_a = none, "bias"_a = none,
         "use_input_stats"_a = true, "momentum"_a = 0.1, "eps"_a = 1e-5});
    op<&ops::group_norm>(
        m, "group_norm",
        "Normalises groups of neighbouring channels of every sample (Wu and He, 2018).\n\n"
        "input: (batch, ..., channels), float32 or float64; num_groups must divide channels. weight, bias:\n"
        "(channels,), of input's dtype. ValueError for wrong shapes, TypeError for wrong dtypes.\n\n"
        ">>> x = dt.tensor([[1.0, 3.0, 10.0, 30.0]])\n"
        ">>> dt.group_norm(x, 2, eps=0.0).tolist()\n"
        "[[-1.0, 1.0, -1.0, 1.0]]",
        {"input"_a, "num_groups"_a, "weight"_a = none, "bias"_a = none, "eps"_a = 1e-5});
    op<&ops::layer_norm>(
        m, "layer_norm",
        "Normalises over the last axes, which must be `normalized_shape` (Ba, Kiros and Hinton, 2016).\n\n"
        "input: float32 or float64. weight, bias: of shape normalized_shape and input's dtype. ValueError "
        "for wrong\n"
        "shapes, TypeError for wrong dtypes.\n\n"
        ">>> x = dt.tensor([[1.0, 3.0], [10.0, 30.0]])\n"
        ">>> dt.layer_norm(x, 2, eps=0.0).tolist()\n"
        "[[-1.0, 1.0], [-1.0, 1.0]]",
        {"input"_a, "normalized_shape"_a, "weight"_a = none, "bias"_a = none, "eps"_a = 1e-5});
}

} // namespace dt::bindings
