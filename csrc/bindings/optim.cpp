#include "ops/optim.h"

#include <limits>

#include "bindings/docs.h"
#include "bindings/families.h"
#include "bindings/op.h"

namespace dt::bindings {

namespace {

// `summary` ends with a full stop and names the source; `kept` are the lists beside parameters and gradients.
std::string step_doc(const std::string& summary, const std::string& kept, const std::string& more = "") {
    return summary + " One step for all parameters, in place, in one call.\n\nparameters, gradients" +
           (kept.empty() ? "" : ", " + kept) +
           " are sequences of tensors that belong together: same shape and dtype,\n"
           "float32 or float64, all but the gradients contiguous. " +
           more +
           "step counts from 1. Gradients are multiplied by\n"
           "grad_scale first, then clipped to [-max_value, max_value]; None stands for those of the "
           "parameters. Returns 0, with\n"
           "nothing changed, where one of these has none; else 1. With watch, a gradient that is infinite or "
           "NaN raises\n"
           "FloatingPointError, mostly with nothing changed; else 2 is returned, and the step has counted "
           "such values as zero.";
}

// The arguments of a step: parameters and gradients, `own` ones, and what all have.
std::vector<Arg> step_arguments(std::vector<Arg> own) {
    std::vector<Arg> all = {"parameters"_a, "gradients"_a};
    all.insert(all.end(), own.begin(), own.end());
    for (const Arg& a : {"maximize"_a = false, "grad_scale"_a = 1.0,
                        "max_value"_a = std::numeric_limits<double>::infinity(), "watch"_a = false})
        all.push_back(a);
    return all;
}

void bind_steps(py::module_& m) {
    op<&ops::sgd_step>(m, "_sgd_step",
                       step_doc("Stochastic gradient descent, as torch.optim.SGD.",
                                "buffers (the momentum; empty without)",
                                "In the first step the buffers, whatever\nthey hold, become the gradients. "),
                       step_arguments({"buffers"_a, "step"_a, "lr"_a, "momentum"_a = 0.0, "dampening"_a = 0.0,
                                       "weight_decay"_a = 0.0, "nesterov"_a = false}),
                       "sgd_step");
    op<&ops::adam_step>(
        m, "_adam_step",
        step_doc("Adam (Kingma and Ba, 2015), or with decoupled AdamW (Loshchilov and Hutter, 2019).",
                 "exp_avg, exp_avg_sq and max_exp_avg_sq (for AMSGrad; empty without)"),
        step_arguments({"exp_avg"_a, "exp_avg_sq"_a, "max_exp_avg_sq"_a, "step"_a, "lr"_a = 1e-3,
                        "beta1"_a = 0.9, "beta2"_a = 0.999, "eps"_a = 1e-8, "weight_decay"_a = 0.0,
                        "decoupled"_a = false}),
        "adam_step");
    op<&ops::adagrad_step>(m, "_adagrad_step",
                           step_doc("Adagrad (Duchi et al., 2011), as torch.optim.Adagrad.", "sum"),
                           step_arguments({"sum"_a, "step"_a, "lr"_a = 1e-2, "lr_decay"_a = 0.0,
                                           "weight_decay"_a = 0.0, "eps"_a = 1e-10}),
                           "adagrad_step");
    op<&ops::adadelta_step>(
        m, "_adadelta_step",
        step_doc("Adadelta (Zeiler, 2012), as torch.optim.Adadelta.", "square_avg, acc_delta"),
        step_arguments({"square_avg"_a, "acc_delta"_a, "step"_a, "lr"_a = 1.0, "rho"_a = 0.9, "eps"_a = 1e-6,
                        "weight_decay"_a = 0.0}),
        "adadelta_step");
    op<&ops::rmsprop_step>(
        m, "_rmsprop_step",
        step_doc("RMSprop (Hinton, 2012), as torch.optim.RMSprop.",
                 "square_avg, momentum_buffer and grad_avg (where it is centred; both "
                 "empty without)"),
        step_arguments({"square_avg"_a, "momentum_buffer"_a, "grad_avg"_a, "step"_a, "lr"_a = 1e-2,
                        "alpha"_a = 0.99, "eps"_a = 1e-8, "weight_decay"_a = 0.0, "momentum"_a = 0.0}),
        "rmsprop_step");
    op<&ops::adamax_step>(
        m, "_adamax_step",
        step_doc("Adamax (Kingma and Ba, 2015), as torch.optim.Adamax.", "exp_avg, exp_inf"),
        step_arguments({"exp_avg"_a, "exp_inf"_a, "step"_a, "lr"_a = 2e-3, "beta1"_a = 0.9, "beta2"_a = 0.999,
                        "eps"_a = 1e-8, "weight_decay"_a = 0.0}),
        "adamax_step");
    op<&ops::nadam_step>(
        m, "_nadam_step",
        step_doc("NAdam (Dozat, 2016), as torch.optim.NAdam.", "exp_avg, exp_avg_sq",
                 "mu_product holds a float64\ntensor of one element for each, 1 at first. "),
        step_arguments({"exp_avg"_a, "exp_avg_sq"_a, "mu_product"_a, "step"_a, "lr"_a = 2e-3, "beta1"_a = 0.9,
                        "beta2"_a = 0.999, "eps"_a = 1e-8, "weight_decay"_a = 0.0, "momentum_decay"_a = 4e-3,
                        "decoupled"_a = false}),
        "nadam_step");
    op<&ops::radam_step>(
        m, "_radam_step", step_doc("RAdam (Liu et al., 2020), as torch.optim.RAdam.", "exp_avg, exp_avg_sq"),
        step_arguments({"exp_avg"_a, "exp_avg_sq"_a, "step"_a, "lr"_a = 1e-3, "beta1"_a = 0.9,
                        "beta2"_a = 0.999, "eps"_a = 1e-8, "weight_decay"_a = 0.0, "decoupled"_a = false}),
        "radam_step");
    op<&ops::rprop_step>(
        m, "_rprop_step",
        step_doc("Rprop (Riedmiller and Braun, 1993), as torch.optim.Rprop.",
                 "prev (the last gradients) and step_size"),
        step_arguments({"prev"_a, "step_size"_a, "step"_a, "eta_minus"_a = 0.5, "eta_plus"_a = 1.2,
                        "step_size_min"_a = 1e-6, "step_size_max"_a = 50.0}),
        "rprop_step");
    op<&ops::lion_step>(m, "_lion_step", step_doc("Lion (Chen et al., 2023).", "exp_avg"),
                        step_arguments({"exp_avg"_a, "step"_a, "lr"_a = 1e-4, "beta1"_a = 0.9,
                                        "beta2"_a = 0.99, "weight_decay"_a = 0.0}),
                        "lion_step");
    op<&ops::adafactor_step>(
        m, "_adafactor_step",
        step_doc(
            "Adafactor (Shazeer and Stern, 2018), as torch.optim.Adafactor.", "",
            "row_var and col_var hold a tensor for each\nparameter with two axes or more, shaped like it "
            "but for a 1 in the last axis or the one before; variance\none like each other parameter. "),
        step_arguments({"row_var"_a, "col_var"_a, "variance"_a, "step"_a, "lr"_a = 1e-2,
                        "beta2_decay"_a = -0.8, "eps1"_a = py::none(), "eps2"_a = 1e-3, "d"_a = 1.0,
                        "weight_decay"_a = 0.0}),
        "adafactor_step");
}

} // namespace

void bind_optim(py::module_& m) {
    bind_steps(m);
    op<&ops::grad_norm>(m, "_grad_norm",
                        "The Euclidean norm of the parameters' gradients, taken together; those without "
                        "gradient are passed over.",
                        {"parameters"_a});
    op<&ops::all_finite>(m, "_all_finite", "Whether there is neither infinity nor NaN in any of the tensors.",
                         {"tensors"_a});
    op<&ops::clones>(m, "_clones", "Copies of tensors, without history.", {"tensors"_a});
    op<&ops::restore>(
        m, "_restore",
        "Writes copies back into what they are copies of, but for tensors that cannot be written.",
        {"tensors"_a, "copies"_a});
    op<&ops::finite_gradients>(
        m, "_finite_gradients",
        "Whether there is neither infinity nor NaN in the parameters' gradients, as far as they have one.",
        {"parameters"_a});
    op<&ops::clear_gradients>(m, "_clear_gradients", "Makes the gradients of all parameters None.",
                              {"parameters"_a});
    op<&ops::clip_grad_value>(
        m, "_clip_grad_value",
        "Cuts the gradients of the parameters that have one to [-max_value, max_value], "
        "in place.",
        {"parameters"_a, "max_value"_a}, "clip_grad_value_");
    op<&ops::average>(m, "_average",
                      "Moves averages, in place, by `weight` of the way to tensors of the same shapes and "
                      "dtypes; those that are\n"
                      "not floating-point become copies.",
                      {"averages"_a, "tensors"_a, "weight"_a}, "average");
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
