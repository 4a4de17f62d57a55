#include "ops/norm.h"

#include "bindings/docs.h"
#include "bindings/families.h"
#include "bindings/op.h"

namespace dt::bindings {

void bind_norm(py::module_& m) {
    const auto none = py::none();
    op<&ops::batch_norm>(
        m, "batch_norm",
        {"Normalises every channel over all other axes (Ioffe and Szegedy, 2015).",
         "input: Tensor (batch, ..., channels), of floats.\n"
         "running_mean, running_var: Tensors (channels,) of the dtype of input, float32 beside halves too, "
         "or None.\n"
         "    In training they move by momentum towards the statistics of the batch (with the unbiased\n"
         "    variance), in place.\n"
         "weight, bias: Tensors (channels,) of the dtype of input, float32 beside halves too, or None.\n"
         "training: Whether to use the statistics of the batch (with the biased variance), not the "
         "running ones.\n"
         "momentum: How far the running statistics move.\neps: Added to the variance.\n"
         "residual: Tensor of the shape and dtype of input that is added to the result in the same "
         "pass, or None.\n"
         "activation: 'relu' for a ReLU at the end, or None.",
         "Tensor of the shape and dtype of input.",
         "ValueError: for wrong shapes, another activation, and in training for a single value per "
         "channel.\n"
         "TypeError: for wrong dtypes.",
         ">>> x = dt.tensor([[1.0, 10.0], [3.0, 30.0]])\n>>> dt.batch_norm(x, training=True, "
         "eps=0.0).tolist()\n"
         "[[-1.0, -1.0], [1.0, 1.0]]"},
        {"input"_a, "running_mean"_a = none, "running_var"_a = none, "weight"_a = none, "bias"_a = none,
         "training"_a = false, "momentum"_a = 0.1, "eps"_a = 1e-5, keyword("residual"_a = none),
         keyword("activation"_a = none)});
    op<&ops::instance_norm>(
        m, "instance_norm",
        {"Normalises every channel of every sample over its positions (Ulyanov, Vedaldi and "
         "Lempitsky, 2016).",
         "input: Tensor (batch, ..., channels) of at least 3 axes, of floats.\n"
         "running_mean, running_var: Tensors (channels,) of the dtype of input, float32 beside halves too, "
         "or None.\n"
         "    They move by momentum towards the batch's mean of the statistics, in place, where those are "
         "used.\n"
         "weight, bias: Tensors (channels,) of the dtype of input, float32 beside halves too, or None.\n"
         "use_input_stats: False uses the running statistics instead of the sample's.\n"
         "momentum: How far the running statistics move.\neps: Added to the variance.",
         "Tensor of the shape and dtype of input.",
         "ValueError: for wrong shapes, and for a single position per channel.\nTypeError: for wrong "
         "dtypes.",
         ">>> x = dt.tensor([[[1.0], [3.0]]])\n>>> dt.instance_norm(x, eps=0.0).tolist()\n[[[-1.0], "
         "[1.0]]]"},
        {"input"_a, "running_mean"_a = none, "running_var"_a = none, "weight"_a = none, "bias"_a = none,
         "use_input_stats"_a = true, "momentum"_a = 0.1, "eps"_a = 1e-5});
    op<&ops::group_norm>(
        m, "group_norm",
        {"Normalises groups of neighbouring channels of every sample (Wu and He, 2018).",
         "input: Tensor (batch, ..., channels), of floats.\nnum_groups: A divisor of channels.\n"
         "weight, bias: Tensors (channels,) of the dtype of input, float32 beside halves too, or None.\neps: "
         "Added to the variance.",
         "Tensor of the shape and dtype of input.",
         "ValueError: for wrong shapes.\nTypeError: for wrong dtypes.",
         ">>> x = dt.tensor([[1.0, 3.0, 10.0, 30.0]])\n>>> dt.group_norm(x, 2, eps=0.0).tolist()\n"
         "[[-1.0, 1.0, -1.0, 1.0]]"},
        {"input"_a, "num_groups"_a, "weight"_a = none, "bias"_a = none, "eps"_a = 1e-5});
    op<&ops::layer_norm>(
        m, "layer_norm",
        {"Normalises over the last axes (Ba, Kiros and Hinton, 2016).",
         "input: Tensor of floats.\nnormalized_shape: The sizes of those axes.\n"
         "weight, bias: Tensors of that shape and of the dtype of input, float32 beside halves too, or "
         "None.\neps: Added to the variance.",
         "Tensor of the shape and dtype of input.",
         "ValueError: for wrong shapes.\nTypeError: for wrong dtypes.",
         ">>> x = dt.tensor([[1.0, 3.0], [10.0, 30.0]])\n>>> dt.layer_norm(x, 2, eps=0.0).tolist()\n"
         "[[-1.0, 1.0], [-1.0, 1.0]]"},
        {"input"_a, "normalized_shape"_a, "weight"_a = none, "bias"_a = none, "eps"_a = 1e-5});
    op<&ops::rms_norm>(
        m, "rms_norm",
        {"Divides by the root of the mean square over the last axes (Zhang and Sennrich, 2019).",
         "input: Tensor of floats.\nnormalized_shape: The sizes of those axes.\n"
         "weight: Tensor of that shape and of the dtype of input, float32 beside halves too, or None.\n"
         "eps: Added to the mean square; None for the epsilon of float64 or float32, in which it computes.",
         "Tensor of the shape and dtype of input.",
         "ValueError: for wrong shapes.\nTypeError: for wrong dtypes.",
         ">>> dt.rms_norm(dt.tensor([[3.0, -4.0], [5.0, 5.0]]), 2, dt.tensor([5.0, 5.0])).round().tolist()\n"
         "[[4.0, -6.0], [5.0, 5.0]]"},
        {"input"_a, "normalized_shape"_a, "weight"_a = none, "eps"_a = none});
}

} // namespace dt::bindings
