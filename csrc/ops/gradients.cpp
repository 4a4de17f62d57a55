#include <cmath>
#include <limits>

#include "ops/checks.h"
#include "ops/elementwise.h"
#include "ops/optim.h"

namespace dt::ops {
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

void restore(const Tensors& tensors, const Tensors& copies) {
    if (tensors.size() != copies.size())
        value_error({"restore: ", tensors.size(), " tensors, but ", copies.size(), " copies"});
    for (size_t i = 0; i < tensors.size(); ++i)
        if (const Tensor& t = tensors[i]; t.storage().writable() && !overlaps_itself(t))
            assign("restore", t, {copies[i], {}});
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

namespace {

// The gradients, made contiguous and writable, and what lies in them.
Gradients own_gradients(const char* op, const Tensors& parameters, Tensors& gradients) {
    Gradients found;
    for (const Tensor& p : parameters) {
        Tensor g = autograd::grad_of(p);
        if (!g.defined()) continue;
        check_real(op, "a gradient", g);
        if (!g.is_contiguous() || overlaps_itself(g) || !g.storage().writable())
            autograd::set_grad(p, g = plain::clone(g));
        found.add(g);
        gradients.push_back(g);
    }
    return found;
}

void bump_versions(const Tensors& tensors) {
    for (const Tensor& t : tensors) t.storage().bump_version();
}

} // namespace

Tensor clip_grad_norm(const Tensors& parameters, double max_norm, double norm_type, bool error_if_nonfinite) {
    const char* op = "clip_grad_norm_";
    check_between(op, "max_norm", max_norm, 0, std::numeric_limits<double>::max());
    const bool infinite = std::isinf(norm_type) && norm_type > 0;
    if (norm_type != 1 && norm_type != 2 && !infinite)
        value_error({op, ": norm_type is ", norm_type, ", expected 1, 2 or inf"});
    const GradNorm kind = infinite ? GradNorm::infinity : norm_type == 1 ? GradNorm::one : GradNorm::two;
    autograd::GradMode off(false);
    Tensors gradients;
    const Gradients found = own_gradients(op, parameters, gradients);
    const double norm = norm_of(found, kind);
    if (error_if_nonfinite && !std::isfinite(norm))
        runtime_error(
            {op, ": the norm of the gradients is ", norm, "; pass error_if_nonfinite=False to go on"});
    const double factor = max_norm / (norm + 1e-6); // as PyTorch does
    if (!(factor >= 1)) {
        for (int p : {0, 1})
            kernels().optim.scale[p](static_cast<int64_t>(found.entries[p].size()), found.entries[p].data(),
                                     factor);
        bump_versions(gradients);
    }
    const bool doubles = found.entries[0].empty() && !found.entries[1].empty();
    return plain::full({}, doubles ? DType::float64 : DType::float32, norm);
}

void clip_grad_value(const Tensors& parameters, double max_value) {
    const char* op = "clip_grad_value_";
    if (!(max_value >= 0)) value_error({op, ": clip_value is ", max_value, ", expected 0 or more"});
    autograd::GradMode off(false);
    Tensors gradients;
    const Gradients found = own_gradients(op, parameters, gradients);
    for (int p : {0, 1})
        kernels().optim.clip[p](static_cast<int64_t>(found.entries[p].size()), found.entries[p].data(),
                                max_value);
    bump_versions(gradients);
}

void average(const Tensors& averages, const Tensors& tensors, double weight) {
    const char* op = "average";
    check_between(op, "weight", weight, 0, 1);
    if (averages.size() != tensors.size())
        value_error({op, ": averages holds ", averages.size(), " tensors, but tensors ", tensors.size()});
    autograd::GradMode off(false); // averages may be leaves
    std::vector<OptimTensor> entries[2];
    Tensors kept, halves; // what the entries point to; averages in half formats, then their float32 copies
    for (size_t i = 0; i < averages.size(); ++i) {
        const Tensor &to = averages[i], &from = tensors[i];
        if (to.shape() != from.shape() || to.dtype() != from.dtype())
            value_error({op, ": averages[", i, "] has shape ", to.shape(), " and dtype ", to.dtype(),
                         ", but tensors[", i, "] has shape ", from.shape(), " and dtype ", from.dtype()});
        autograd::check_in_place(op, to);
    }
    for (size_t i = 0; i < averages.size(); ++i) {
        if (!is_floating(averages[i].dtype())) {
            plain::copy(averages[i], tensors[i]);
            continue;
        }
        const Tensor to = prepared(averages[i]), from = prepared(tensors[i]);
        kept.push_back(from);
        if (to.ref() != averages[i].ref()) halves.insert(halves.end(), {averages[i], to});
        OptimTensor entry;
        entry.size = to.size();
        entry.parameter = to.data();
        entry.first = from.data();
        entries[precision(to)].push_back(entry);
    }
    for (int p : {0, 1}) {
        double elements = 0;
        for (const OptimTensor& t : entries[p]) elements += static_cast<double>(t.size);
        LongWork work(elements);
        kernels().optim.average[p](static_cast<int64_t>(entries[p].size()), entries[p].data(), weight);
    }
    for (size_t i = 0; i < halves.size(); i += 2) plain::copy(halves[i], halves[i + 1]);
    bump_versions(averages);
}

} // namespace dt::ops
