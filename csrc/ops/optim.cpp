#include "ops/optim.h"

#include <cmath>
#include <limits>

#include "ops/checks.h"

namespace dt::ops {
namespace {

constexpr double kLargest = std::numeric_limits<double>::max();

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
GivenGradients find_gradients(const char* op, const Tensors& parameters, const GivenGradients& given) {
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

using Kept = std::initializer_list<std::pair<const char*, const Tensors*>>; // null where none is kept

// `kept` are the lists of first, second, third; `products` NAdam's, before this step.
Step gather(const char* op, const Tensors& parameters, Tensors gradients, Kept kept, int64_t number,
            const Tensors* products, double momentum) {
    autograd::GradMode off(false); // a step may write to leaves
    Step step{op, {}, std::move(gradients)};
    for (auto& [name, list] : kept)
        if (list) check_length(op, name, *list, parameters);
    if (number < 1) value_error({op, ": step is ", number, ", expected 1 or more"});
    for (size_t i = 0; i < parameters.size(); ++i) {
        const Tensor& p = parameters[i];
        if (is_half(p.dtype()) || !is_floating(p.dtype())) check_real(op, item("parameters", i).c_str(), p);
        OptimTensor entry;
        entry.size = p.size();
        entry.parameter = written(op, "parameters", i, p, p);
        entry.gradient = prepared_gradient(op, i, step.gradients[i], p);
        void** places[] = {&entry.first, &entry.second, &entry.third};
        int k = 0;
        for (auto& [name, list] : kept) {
            if (list) *places[k] = written(op, name, i, (*list)[i], p);
            ++k;
        }
        entry.fresh = number == 1;
        entry.step = number;
        if (products) entry.momentum_product = *(*products)[i].data<double>() * momentum;
        std::vector<OptimTensor>& entries = step.entries[precision(p)];
        if (entries.empty()) entries.reserve(parameters.size() - i);
        entries.push_back(entry);
    }
    return step;
}

// Looks at a gradient that is small enough to cost nothing.
void refuse_nonfinite(const char* op, int precision, int64_t size, const void* gradient) {
    constexpr int64_t kSmall = 4096;
    if (size <= kSmall && !kernels().optim.finite[precision](size, gradient))
        float_error({op, ": a gradient is infinite or NaN; nothing was changed"});
}

// True where it was to watch and found a gradient that is not finite.
bool run(const Step& step, StepArgs args, OptimRule rule, bool watch) {
    bool nonfinite = false;
    if (watch) {
        for (int p : {0, 1})
            for (const OptimTensor& t : step.entries[p]) refuse_nonfinite(step.op, p, t.size, t.gradient);
        args.nonfinite = &nonfinite;
    }
    for (int p : {0, 1}) {
        if (step.entries[p].empty()) continue;
        args.count = static_cast<int64_t>(step.entries[p].size());
        args.tensors = step.entries[p].data();
        double elements = 0;
        for (const OptimTensor& t : step.entries[p]) elements += static_cast<double>(t.size);
        LongWork work(elements);
        kernels().optim.step[int(rule)][p](args);
    }
    return nonfinite;
}

void bump_versions(const Tensors& tensors) {
    for (const Tensor& t : tensors) t.storage().bump_version();
}

const Tensors* unless_empty(const Tensors& list) { return list.empty() ? nullptr : &list; }

void check_share(const char* op, const char* name, double value) {
    if (!(value >= 0 && value < 1))
        value_error({op, ": ", name, " is ", value, ", expected a number from 0 to below 1"});
}

// The arguments that all rules have.
StepArgs common(const char* op, double lr, double weight_decay, bool maximize, double grad_scale,
                double max_value) {
    check_between(op, "lr", lr, 0, kLargest);
    check_between(op, "weight_decay", weight_decay, 0, kLargest);
    check_between(op, "grad_scale", grad_scale, -kLargest, kLargest);
    if (!(max_value >= 0)) value_error({op, ": max_value is ", max_value, ", expected 0 or more"});
    StepArgs args;
    args.learning_rate = lr;
    args.weight_decay = weight_decay;
    args.maximize = maximize;
    args.gradient_scale = grad_scale;
    args.largest = max_value;
    return args;
}

void take_betas(const char* op, StepArgs& args, double beta1, double beta2, double eps) {
    check_share(op, "beta1", beta1);
    check_share(op, "beta2", beta2);
    check_between(op, "eps", eps, 0, kLargest);
    args.beta1 = beta1;
    args.beta2 = beta2;
    args.epsilon = eps;
}

int make(const char* op, OptimRule rule, const StepArgs& args, const Tensors& parameters,
         const GivenGradients& gradients, Kept kept, int64_t number, bool watch,
         const Tensors* products = nullptr) {
    GivenGradients found = find_gradients(op, parameters, gradients);
    if (!found) return 0;
    const Step step = gather(op, parameters, std::move(*found), kept, number, products, args.momentum);
    const bool nonfinite = run(step, args, rule, watch);
    bump_versions(parameters);
    for (auto& [name, list] : kept)
        if (list) bump_versions(*list);
    return nonfinite ? 2 : 1;
}

} // namespace

int sgd_step(const Tensors& parameters, const GivenGradients& gradients, const Tensors& buffers, int64_t step,
             double lr, double momentum, double dampening, double weight_decay, bool nesterov, bool maximize,
             double grad_scale, double max_value, bool watch) {
    const char* op = "sgd_step";
    StepArgs args = common(op, lr, weight_decay, maximize, grad_scale, max_value);
    check_between(op, "momentum", momentum, 0, kLargest);
    if (nesterov && (momentum == 0 || dampening != 0))
        value_error({op, ": nesterov needs a momentum above 0 and no dampening"});
    args.momentum = momentum;
    args.dampening = dampening;
    args.nesterov = nesterov;
    return make(op, OptimRule::sgd, args, parameters, gradients,
                {{"buffers", momentum != 0 ? &buffers : nullptr}}, step, watch);
}

int adam_step(const Tensors& parameters, const GivenGradients& gradients, const Tensors& exp_avg,
              const Tensors& exp_avg_sq, const Tensors& max_exp_avg_sq, int64_t step, double lr, double beta1,
              double beta2, double eps, double weight_decay, bool decoupled, bool maximize, double grad_scale,
              double max_value, bool watch) {
    const char* op = "adam_step";
    StepArgs args = common(op, lr, weight_decay, maximize, grad_scale, max_value);
    take_betas(op, args, beta1, beta2, eps);
    args.decoupled = decoupled;
    return make(op, OptimRule::adam, args, parameters, gradients,
                {{"exp_avg", &exp_avg},
                 {"exp_avg_sq", &exp_avg_sq},
                 {"max_exp_avg_sq", unless_empty(max_exp_avg_sq)}},
                step, watch);
}

int adagrad_step(const Tensors& parameters, const GivenGradients& gradients, const Tensors& sum, int64_t step,
                 double lr, double lr_decay, double weight_decay, double eps, bool maximize,
                 double grad_scale, double max_value, bool watch) {
    const char* op = "adagrad_step";
    StepArgs args = common(op, lr, weight_decay, maximize, grad_scale, max_value);
    check_between(op, "lr_decay", lr_decay, 0, kLargest);
    check_between(op, "eps", eps, 0, kLargest);
    args.decay = lr_decay;
    args.epsilon = eps;
    return make(op, OptimRule::adagrad, args, parameters, gradients, {{"sum", &sum}}, step, watch);
}

int adadelta_step(const Tensors& parameters, const GivenGradients& gradients, const Tensors& square_avg,
                  const Tensors& acc_delta, int64_t step, double lr, double rho, double eps,
                  double weight_decay, bool maximize, double grad_scale, double max_value, bool watch) {
    const char* op = "adadelta_step";
    StepArgs args = common(op, lr, weight_decay, maximize, grad_scale, max_value);
    check_between(op, "rho", rho, 0, 1);
    check_between(op, "eps", eps, 0, kLargest);
    args.beta2 = rho;
    args.epsilon = eps;
    return make(op, OptimRule::adadelta, args, parameters, gradients,
                {{"square_avg", &square_avg}, {"acc_delta", &acc_delta}}, step, watch);
}

int rmsprop_step(const Tensors& parameters, const GivenGradients& gradients, const Tensors& square_avg,
                 const Tensors& momentum_buffer, const Tensors& grad_avg, int64_t step, double lr,
                 double alpha, double eps, double weight_decay, double momentum, bool maximize,
                 double grad_scale, double max_value, bool watch) {
    const char* op = "rmsprop_step";
    StepArgs args = common(op, lr, weight_decay, maximize, grad_scale, max_value);
    check_between(op, "alpha", alpha, 0, kLargest);
    check_between(op, "eps", eps, 0, kLargest);
    check_between(op, "momentum", momentum, 0, kLargest);
    args.beta2 = alpha;
    args.epsilon = eps;
    args.momentum = momentum;
    return make(op, OptimRule::rmsprop, args, parameters, gradients,
                {{"square_avg", &square_avg},
                 {"momentum_buffer", unless_empty(momentum_buffer)},
                 {"grad_avg", unless_empty(grad_avg)}},
                step, watch);
}

int adamax_step(const Tensors& parameters, const GivenGradients& gradients, const Tensors& exp_avg,
                const Tensors& exp_inf, int64_t step, double lr, double beta1, double beta2, double eps,
                double weight_decay, bool maximize, double grad_scale, double max_value, bool watch) {
    const char* op = "adamax_step";
    StepArgs args = common(op, lr, weight_decay, maximize, grad_scale, max_value);
    take_betas(op, args, beta1, beta2, eps);
    return make(op, OptimRule::adamax, args, parameters, gradients,
                {{"exp_avg", &exp_avg}, {"exp_inf", &exp_inf}}, step, watch);
}

int nadam_step(const Tensors& parameters, const GivenGradients& gradients, const Tensors& exp_avg,
               const Tensors& exp_avg_sq, const Tensors& mu_product, int64_t step, double lr, double beta1,
               double beta2, double eps, double weight_decay, double momentum_decay, bool decoupled,
               bool maximize, double grad_scale, double max_value, bool watch) {
    const char* op = "nadam_step";
    StepArgs args = common(op, lr, weight_decay, maximize, grad_scale, max_value);
    take_betas(op, args, beta1, beta2, eps);
    check_between(op, "momentum_decay", momentum_decay, 0, kLargest);
    const auto momentum_of = [&](int64_t number) {
        return beta1 * (1 - 0.5 * std::pow(0.96, static_cast<double>(number) * momentum_decay));
    };
    args.momentum = momentum_of(step);
    args.next_momentum = momentum_of(step + 1);
    args.decoupled = decoupled;
    check_length(op, "mu_product", mu_product, parameters);
    for (const Tensor& product : mu_product)
        if (product.size() != 1 || product.dtype() != DType::float64)
            value_error({op, ": mu_product must hold float64 tensors of one element, got shape ",
                         product.shape(), " and dtype ", product.dtype()});
    const int made = make(op, OptimRule::nadam, args, parameters, gradients,
                          {{"exp_avg", &exp_avg}, {"exp_avg_sq", &exp_avg_sq}}, step, watch, &mu_product);
    if (made)
        for (const Tensor& product : mu_product) *product.data<double>() *= args.momentum;
    return made;
}

int radam_step(const Tensors& parameters, const GivenGradients& gradients, const Tensors& exp_avg,
               const Tensors& exp_avg_sq, int64_t step, double lr, double beta1, double beta2, double eps,
               double weight_decay, bool decoupled, bool maximize, double grad_scale, double max_value,
               bool watch) {
    const char* op = "radam_step";
    StepArgs args = common(op, lr, weight_decay, maximize, grad_scale, max_value);
    take_betas(op, args, beta1, beta2, eps);
    args.decoupled = decoupled;
    return make(op, OptimRule::radam, args, parameters, gradients,
                {{"exp_avg", &exp_avg}, {"exp_avg_sq", &exp_avg_sq}}, step, watch);
}

int rprop_step(const Tensors& parameters, const GivenGradients& gradients, const Tensors& prev,
               const Tensors& step_size, int64_t step, double eta_minus, double eta_plus,
               double step_size_min, double step_size_max, bool maximize, double grad_scale, double max_value,
               bool watch) {
    const char* op = "rprop_step";
    StepArgs args = common(op, 0, 0, maximize, grad_scale, max_value);
    check_between(op, "eta_minus", eta_minus, 0, 1);
    check_between(op, "eta_plus", eta_plus, 1, kLargest);
    check_between(op, "step_size_max", step_size_max, 0, kLargest);
    check_between(op, "step_size_min", step_size_min, 0, step_size_max);
    args.shrink = eta_minus;
    args.grow = eta_plus;
    args.least_step = step_size_min;
    args.most_step = step_size_max;
    return make(op, OptimRule::rprop, args, parameters, gradients,
                {{"prev", &prev}, {"step_size", &step_size}}, step, watch);
}

int lion_step(const Tensors& parameters, const GivenGradients& gradients, const Tensors& exp_avg,
              int64_t step, double lr, double beta1, double beta2, double weight_decay, bool maximize,
              double grad_scale, double max_value, bool watch) {
    const char* op = "lion_step";
    StepArgs args = common(op, lr, weight_decay, maximize, grad_scale, max_value);
    take_betas(op, args, beta1, beta2, 0);
    args.decoupled = true;
    return make(op, OptimRule::lion, args, parameters, gradients, {{"exp_avg", &exp_avg}}, step, watch);
}

namespace {

// What Adafactor keeps of one parameter: without its last axis, without the last but one; a vector whole.
void* kept_mean(const char* op, const char* list, size_t i, const Tensor& t, const Tensor& parameter,
                int one_axis) {
    Dims shape = parameter.shape();
    if (one_axis >= 0) shape[one_axis] = 1;
    if (t.shape() != shape || t.dtype() != parameter.dtype())
        value_error({op, ": ", item(list, i), " has shape ", t.shape(), " and dtype ", t.dtype(),
                     ", expected shape ", shape, " and dtype ", parameter.dtype()});
    return written(op, list, i, t, t);
}

struct FactoredEntries {
    std::vector<FactoredTensor> of[2];
    double elements[2] = {0, 0};
};

FactoredEntries gather_factored(const char* op, const Tensors& parameters, Tensors& gradients,
                                const Tensors& row_var, const Tensors& col_var, const Tensors& variance) {
    autograd::GradMode off(false);
    FactoredEntries found;
    size_t factored = 0, whole = 0;
    for (size_t i = 0; i < parameters.size(); ++i) {
        const Tensor& p = parameters[i];
        if (is_half(p.dtype()) || !is_floating(p.dtype())) check_real(op, item("parameters", i).c_str(), p);
        FactoredTensor entry;
        entry.parameter = written(op, "parameters", i, p, p);
        entry.gradient = prepared_gradient(op, i, gradients[i], p);
        const int rank = p.rank();
        const auto next = [&](const char* name, const Tensors& list, size_t at) -> const Tensor& {
            if (at >= list.size())
                value_error({op, ": ", name, " holds ", list.size(), " tensors, expected one for each of ",
                             rank > 1 ? "the parameters with two axes or more" : "the other parameters"});
            return list[at];
        };
        if (rank > 1) {
            entry.rows = p.shape(rank - 2);
            entry.columns = p.shape(rank - 1);
            for (int axis = 0; axis < rank - 2; ++axis) entry.matrices *= p.shape(axis);
            const Tensor &row = next("row_var", row_var, factored),
                         &column = next("col_var", col_var, factored);
            entry.row_mean = kept_mean(op, "row_var", factored, row, p, rank - 1);
            entry.column_mean = kept_mean(op, "col_var", factored, column, p, rank - 2);
            ++factored;
        } else {
            entry.columns = p.size();
            const Tensor& square = next("variance", variance, whole);
            entry.square = kept_mean(op, "variance", whole, square, p, -1);
            ++whole;
        }
        found.of[precision(p)].push_back(entry);
        found.elements[precision(p)] += static_cast<double>(p.size());
    }
    return found;
}

} // namespace

int adafactor_step(const Tensors& parameters, const GivenGradients& gradients, const Tensors& row_var,
                   const Tensors& col_var, const Tensors& variance, int64_t step, double lr,
                   double beta2_decay, std::optional<double> eps1, double eps2, double d, double weight_decay,
                   bool maximize, double grad_scale, double max_value, bool watch) {
    const char* op = "adafactor_step";
    common(op, lr, weight_decay, maximize, grad_scale, max_value); // for its checks
    if (step < 1) value_error({op, ": step is ", step, ", expected 1 or more"});
    check_between(op, "beta2_decay", beta2_decay, -kLargest, 0);
    check_between(op, "eps2", eps2, 0, kLargest);
    check_between(op, "d", d, 1, kLargest);
    if (eps1) check_between(op, "eps1", *eps1, 0, kLargest);
    GivenGradients found = find_gradients(op, parameters, gradients);
    if (!found) return 0;
    const FactoredEntries entries = gather_factored(op, parameters, *found, row_var, col_var, variance);
    if (watch)
        for (const Tensor& g : *found) refuse_nonfinite(op, precision(g), g.size(), g.data());
    bool nonfinite = false;
    AdafactorArgs args;
    args.weight_left = 1 - lr * weight_decay;
    args.share = std::pow(static_cast<double>(step), beta2_decay);
    args.rate = std::min(lr, 1 / std::sqrt(static_cast<double>(step)));
    args.least_size = eps2;
    args.threshold = d;
    args.gradient_scale = maximize ? -grad_scale : grad_scale;
    args.largest = max_value;
    args.nonfinite = watch ? &nonfinite : nullptr;
    for (int p : {0, 1}) {
        args.count = static_cast<int64_t>(entries.of[p].size());
        args.tensors = entries.of[p].data();
        const double smallest[] = {std::numeric_limits<float>::epsilon(),
                                   std::numeric_limits<double>::epsilon()};
        args.epsilon = eps1.value_or(smallest[p]);
        LongWork work(2 * entries.elements[p]);
        kernels().optim.adafactor[p](args);
    }
    for (const Tensors* list : {&parameters, &row_var, &col_var, &variance}) bump_versions(*list);
    return nonfinite ? 2 : 1;
}

} // namespace dt::ops
