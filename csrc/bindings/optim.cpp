#include "ops/optim.h"

#include "bindings/docs.h"
#include "bindings/families.h"
#include "bindings/op.h"

namespace dt::bindings {

void bind_optim(py::module_& m) {
    op<&ops::sgd_step>(
        m, "_sgd_step",
        "One step of stochastic gradient descent for all parameters, in place, in one call.\n\n"
        "parameters, gradients, buffers (the momentum; empty without) are sequences of tensors that belong "
        "together:\n"
        "same shape and dtype, float32 or float64, parameters and buffers contiguous. step counts from 1; in "
        "the first\n"
        "one the buffers, whatever they hold, become the gradients. Gradients are multiplied by grad_scale "
        "first;\n"
        "None stands for those of the parameters. Returns 0, with nothing changed, where one of these has "
        "none; else 1.\n"
        "With watch, a gradient that is infinite or NaN raises FloatingPointError, mostly with nothing "
        "changed; else 2 is\n"
        "returned, and the step has counted such values as zero.\n"
        "As torch.optim.SGD.",
        {"parameters"_a, "gradients"_a, "buffers"_a, "step"_a, "lr"_a, "momentum"_a = 0.0,
         "dampening"_a = 0.0, "weight_decay"_a = 0.0, "nesterov"_a = false, "maximize"_a = false,
         "grad_scale"_a = 1.0, "watch"_a = false},
        "sgd_step");
    op<&ops::adam_step>(m, "_adam_step",
                        "One step of Adam (Kingma and Ba, 2015), or with decoupled=True of AdamW (Loshchilov "
                        "and Hutter, 2019), for all\n"
                        "parameters, in place, in one call.\n\n"
                        "parameters, gradients, exp_avg, exp_avg_sq and max_exp_avg_sq (for AMSGrad; empty "
                        "without) are sequences of\n"
                        "tensors that belong together: same shape and dtype, float32 or float64, all but the "
                        "gradients contiguous. step\n"
                        "counts from 1; the averages begin as zeros. Gradients are multiplied by grad_scale "
                        "first;\n"
                        "None stands for those of the parameters. Returns 0, with nothing changed, where one "
                        "of these has none; else 1.\n"
                        "With watch, a gradient that is infinite or NaN raises FloatingPointError, mostly "
                        "with nothing changed; else 2 is\n"
                        "returned, and the step has counted such values as zero.\n"
                        "As torch.optim.Adam.",
                        {"parameters"_a, "gradients"_a, "exp_avg"_a, "exp_avg_sq"_a, "max_exp_avg_sq"_a,
                         "step"_a, "lr"_a = 1e-3, "beta1"_a = 0.9, "beta2"_a = 0.999, "eps"_a = 1e-8,
                         "weight_decay"_a = 0.0, "decoupled"_a = false, "maximize"_a = false,
                         "grad_scale"_a = 1.0, "watch"_a = false},
                        "adam_step");
    op<&ops::grad_norm>(m, "_grad_norm",
                        "The Euclidean norm of the parameters' gradients, taken together; those without "
                        "gradient are passed over.",
                        {"parameters"_a});
    op<&ops::all_finite>(m, "_all_finite", "Whether there is neither infinity nor NaN in any of the tensors.",
                         {"tensors"_a});
    op<&ops::clones>(m, "_clones", "Copies of tensors, without history.", {"tensors"_a});
    op<&ops::finite_gradients>(
        m, "_finite_gradients",
        "Whether there is neither infinity nor NaN in the parameters' gradients, as far as they have one.",
        {"parameters"_a});
    op<&ops::clear_gradients>(m, "_clear_gradients", "Makes the gradients of all parameters None.",
                              {"parameters"_a});
    op<&ops::clip_grad_norm>(
        m, "clip_grad_norm_",
        {"Scales gradients in place so that their norm, taken over all of them together, is at most "
         "max_norm.",
         "parameters: Sequence of Tensors; those without gradient are passed over.\nmax_norm: A number.\n"
         "norm_type: 1, 2 or inf.\nerror_if_nonfinite: Whether a norm that is infinite or NaN is an "
         "error.",
         "Tensor: the norm before (Pascanu et al., 2013), as torch.nn.utils.clip_grad_norm_.",
         "ValueError: for another norm_type.\nRuntimeError: with error_if_nonfinite, for such a norm.",
         ">>> w = dt.tensor([3.0, 4.0], requires_grad=True)\n>>> (w * w / 2).sum().backward()\n"
         ">>> dt.clip_grad_norm_([w], 1.0)\ntensor(5.)"},
        {"parameters"_a, "max_norm"_a, "norm_type"_a = 2.0, "error_if_nonfinite"_a = false});
}

} // namespace dt::bindings
