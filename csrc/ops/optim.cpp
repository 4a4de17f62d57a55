#include "ops/optim.h"

#include <cmath>
#include <limits>

#include "ops/checks.h"

namespace dt::ops {
namespace {

constexpr double kLargest = std::numeric_limits<double>::max();

using Tensors = std::vector<Tensor>;

// The tensors of a step, float32 and float64 apart, with the contiguous gradients kept alive.
struct Step {
    const char* op;
    std::vector<OptimTensor> entries[2];
    Tensors gradients;
};

std::string item(const char* list, size_t i) { return join({list, "[", i, "]"}); }

// What a step writes to: same shape and dtype as its parameter, contiguous, writable.
void* written(const char* op, const char* list, size_t i, const Tensor& t, const Tensor& parameter) {
    if (t.shape() != parameter.shape() || t.dtype() != parameter.dtype())
        value_error({op, ": ", item(list, i), " has shape ", t.shape(), " and dtype ", t.dtype(),
                     ", but parameters[", i, "] has shape ", parameter.shape(), " and dtype ",
                     parameter.dtype()});
    if (!t.is_contiguous())
        value_error({op, ": ", item(list, i), " must be contiguous (shape ", t.shape(), ")"});
    autograd::check_in_place(op, t);
    return t.data();
}

// Made contiguous; of the shape and dtype of its parameter.
void* prepared_gradient(const char* op, size_t i, Tensor& g, const Tensor& parameter) {
    if (g.shape() != parameter.shape() || g.dtype() != parameter.dtype())
        value_error({op, ": gradients[", i, "] has shape ", g.shape(), " and dtype ", g.dtype(),
                     ", but parameters[", i, "] has shape ", parameter.shape(), " and dtype ",
                     parameter.dtype()});
    if (!g.is_contiguous()) g = plain::contiguous(g);
    return g.data();
}

void check_length(const char* op, const char* list, const Tensors& tensors, const Tensors& parameters) {
    if (tensors.size() != parameters.size())
        value_error(
            {op, ": ", list, " holds ", tensors.size(), " tensors, but parameters ", parameters.size()});
}

// The gradients given, or those of the parameters; none where one of these has none.
std::optional<Tensors> find_gradients(const char* op, const Tensors& parameters,
                                      const std::optional<Tensors>& given) {
    if (given) {
        check_length(op, "gradients", *given, parameters);
        return given;
    }
    Tensors found;
    found.reserve(parameters.size());
    for (const Tensor& p : parameters) {
        found.push_back(autograd::grad_of(p));
        if (!found.back().defined()) return std::nullopt;
    }
    return found;
}

// `lists` are what the entries hold beside parameter and gradient: first, second, maximum.
Step gather(const char* op, const Tensors& parameters, Tensors gradients,
            std::initializer_list<std::pair<const char*, const Tensors*>> lists, int64_t number) {
    autograd::GradMode off(false); // a step may write to leaves
    Step step{op, {}, std::move(gradients)};
    for (auto& [name, list] : lists)
        if (list) check_length(op, name, *list, parameters);
    if (number < 1) value_error({op, ": step is ", number, ", expected 1 or more"});
    for (size_t i = 0; i < parameters.size(); ++i) {
        const Tensor& p = parameters[i];
        if (is_half(p.dtype()) || !is_floating(p.dtype())) check_real(op, item("parameters", i).c_str(), p);
        OptimTensor entry;
        entry.size = p.size();
        entry.parameter = written(op, "parameters", i, p, p);
        entry.gradient = prepared_gradient(op, i, step.gradients[i], p);
        void** places[] = {&entry.first, &entry.second, &entry.maximum};
        int k = 0;
        for (auto& [name, list] : lists) {
            if (list) *places[k] = written(op, name, i, (*list)[i], p);
            ++k;
        }
        entry.fresh = number == 1;
        entry.step = number;
        std::vector<OptimTensor>& entries = step.entries[precision(p)];
        if (entries.empty()) entries.reserve(parameters.size() - i);
        entries.push_back(entry);
    }
    return step;
}

// Looks at the gradients that are small enough to cost nothing.
void refuse_nonfinite(const Step& step) {
    constexpr int64_t kSmall = 4096;
    for (int p : {0, 1})
        for (const OptimTensor& t : step.entries[p])
            if (t.size <= kSmall && !kernels().optim.finite[p](t.size, t.gradient))
                float_error({step.op, ": a gradient is infinite or NaN; nothing was changed"});
}

// True where it was to watch and found a gradient that is not finite.
template <class Args, class Kernel> bool run(const Step& step, Args args, Kernel& kernel, bool watch) {
    bool nonfinite = false;
    if (watch) {
        refuse_nonfinite(step);
        args.nonfinite = &nonfinite;
    }
    for (int p : {0, 1}) {
        if (step.entries[p].empty()) continue;
        args.count = static_cast<int64_t>(step.entries[p].size());
        args.tensors = step.entries[p].data();
        double elements = 0;
        for (const OptimTensor& t : step.entries[p]) elements += static_cast<double>(t.size);
        LongWork work(elements);
        kernel[p](args);
    }
    return nonfinite;
}

void bump_versions(std::initializer_list<const Tensors*> lists) {
    for (const Tensors* list : lists)
        if (list)
            for (const Tensor& t : *list) t.storage().bump_version();
}

void check_common(const char* op, double lr, double weight_decay, double grad_scale) {
    check_between(op, "lr", lr, 0, kLargest);
    check_between(op, "weight_decay", weight_decay, 0, kLargest);
    check_between(op, "grad_scale", grad_scale, -kLargest, kLargest);
}

} // namespace

int sgd_step(const Tensors& parameters, const std::optional<Tensors>& gradients, const Tensors& buffers,
             int64_t step, double lr, double momentum, double dampening, double weight_decay, bool nesterov,
             bool maximize, double grad_scale, bool watch) {
    const char* op = "sgd_step";
    check_common(op, lr, weight_decay, grad_scale);
    check_between(op, "momentum", momentum, 0, kLargest);
    if (nesterov && (momentum == 0 || dampening != 0))
        value_error({op, ": nesterov needs a momentum above 0 and no dampening"});
    const Tensors* used = momentum != 0 ? &buffers : nullptr;
    std::optional<Tensors> found = find_gradients(op, parameters, gradients);
    if (!found) return 0;
    const Step all = gather(op, parameters, std::move(*found), {{"buffers", used}}, step);
    SgdArgs args;
    args.learning_rate = lr;
    args.momentum = momentum;
    args.dampening = dampening;
    args.weight_decay = weight_decay;
    args.gradient_scale = grad_scale;
    args.nesterov = nesterov;
    args.maximize = maximize;
    const bool nonfinite = run(all, args, kernels().optim.sgd, watch);
    bump_versions({&parameters, used});
    return nonfinite ? 2 : 1;
}

int adam_step(const Tensors& parameters, const std::optional<Tensors>& gradients, const Tensors& exp_avg,
              const Tensors& exp_avg_sq, const Tensors& max_exp_avg_sq, int64_t step, double lr, double beta1,
              double beta2, double eps, double weight_decay, bool decoupled, bool maximize, double grad_scale,
              bool watch) {
    const char* op = "adam_step";
    check_common(op, lr, weight_decay, grad_scale);
    for (auto [name, beta] : {std::pair{"beta1", beta1}, {"beta2", beta2}})
        if (!(beta >= 0 && beta < 1))
            value_error({op, ": ", name, " is ", beta, ", expected a number from 0 to below 1"});
    check_between(op, "eps", eps, 0, kLargest);
    const Tensors* largest = max_exp_avg_sq.empty() ? nullptr : &max_exp_avg_sq;
    std::optional<Tensors> found = find_gradients(op, parameters, gradients);
    if (!found) return 0;
    const Step all =
        gather(op, parameters, std::move(*found),
               {{"exp_avg", &exp_avg}, {"exp_avg_sq", &exp_avg_sq}, {"max_exp_avg_sq", largest}}, step);
    AdamArgs args;
    args.learning_rate = lr;
    args.beta1 = beta1;
    args.beta2 = beta2;
    args.epsilon = eps;
    args.weight_decay = weight_decay;
    args.gradient_scale = grad_scale;
    args.decoupled = decoupled;
    args.maximize = maximize;
    const bool nonfinite = run(all, args, kernels().optim.adam, watch);
    bump_versions({&parameters, &exp_avg, &exp_avg_sq, largest});
    return nonfinite ? 2 : 1;
}

namespace {

// float32 and float64 apart.
struct Gradients {
    std::vector<OptimTensor> entries[2];
    void add(const Tensor& g) {
        OptimTensor entry;
        entry.size = g.size();
        entry.gradient = g.data();
        entries[precision(g)].push_back(entry);
    }
};

// Of all of them together.
double norm_of(const Gradients& gradients, GradNorm kind) {
    const auto& kernel = kernels().optim;
    double norm = 0;
    for (int p : {0, 1}) {
        const std::vector<OptimTensor>& entries = gradients.entries[p];
        const int64_t count = static_cast<int64_t>(entries.size());
        const Tensor memory = scratch(kernel.norm_scratch(count, entries.data()));
        const double part = kernel.norm[p](kind, count, entries.data(), memory.data<double>());
        if (kind == GradNorm::infinity)
            norm = part > norm || std::isnan(part) ? part : norm;
        else
            norm += part;
    }
    return kind == GradNorm::two ? std::sqrt(norm) : norm;
}

} // namespace

double grad_norm(const Tensors& parameters) {
    Tensors kept; // contiguous, until the norm is known
    Gradients gradients;
    for (const Tensor& p : parameters) {
        const Tensor g = autograd::grad_of(p);
        if (!g.defined()) continue;
        check_real("grad_norm", "a gradient", g);
        kept.push_back(plain::contiguous(g));
        gradients.add(kept.back());
    }
    return norm_of(gradients, GradNorm::two);
}

bool all_finite(const Tensors& tensors) {
    for (const Tensor& given : tensors) {
        if (!is_floating(given.dtype())) continue;
        Tensor t = is_half(given.dtype()) ? plain::convert(given, DType::float32) : given;
        t = plain::contiguous(t);
        if (!kernels().optim.finite[precision(t)](t.size(), t.data())) return false;
    }
    return true;
}

Tensors clones(const Tensors& tensors) {
    Tensors found;
    found.reserve(tensors.size());
    for (const Tensor& t : tensors) found.push_back(plain::clone(t));
    return found;
}

bool finite_gradients(const Tensors& parameters) {
    Tensors gradients;
    gradients.reserve(parameters.size());
    for (const Tensor& p : parameters)
        if (Tensor g = autograd::grad_of(p); g.defined()) gradients.push_back(std::move(g));
    return all_finite(gradients);
}

void clear_gradients(const Tensors& parameters) {
    for (const Tensor& p : parameters) autograd::set_grad(p, Tensor());
}

Tensor clip_grad_norm(const Tensors& parameters, double max_norm, double norm_type, bool error_if_nonfinite) {
    const char* op = "clip_grad_norm_";
    check_between(op, "max_norm", max_norm, 0, kLargest);
    const bool infinite = std::isinf(norm_type) && norm_type > 0;
    if (norm_type != 1 && norm_type != 2 && !infinite)
        value_error({op, ": norm_type is ", norm_type, ", expected 1, 2 or inf"});
    const GradNorm kind = infinite ? GradNorm::infinity : norm_type == 1 ? GradNorm::one : GradNorm::two;
    autograd::GradMode off(false);
    Gradients found;
    Tensors gradients;
    for (const Tensor& p : parameters) {
        Tensor g = autograd::grad_of(p);
        if (!g.defined()) continue;
        check_real(op, "a gradient", g);
        if (!g.is_contiguous() || overlaps_itself(g) || !g.storage().writable())
            autograd::set_grad(p, g = plain::clone(g));
        found.add(g);
        gradients.push_back(g);
    }
    const double norm = norm_of(found, kind);
    if (error_if_nonfinite && !std::isfinite(norm))
        runtime_error(
            {op, ": the norm of the gradients is ", norm, "; pass error_if_nonfinite=False to go on"});
    const double factor = max_norm / (norm + 1e-6); // as PyTorch does
    if (!(factor >= 1)) {
        for (int p : {0, 1})
            kernels().optim.scale[p](static_cast<int64_t>(found.entries[p].size()), found.entries[p].data(),
                                     factor);
        bump_versions({&gradients});
    }
    const bool doubles = found.entries[0].empty() && !found.entries[1].empty();
    return plain::full({}, doubles ? DType::float64 : DType::float32, norm);
}

} // namespace dt::ops
