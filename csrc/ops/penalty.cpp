#include "ops/penalty.h"

#include <limits>

#include "ops/checks.h"

namespace dt::ops {
namespace {

constexpr double kLargest = std::numeric_limits<double>::max();

using Tensors = std::vector<Tensor>;

// float32 and float64 apart.
struct Entries {
    std::vector<PenaltyTensor> list[2];
    double elements = 0;
    PenaltyTensor& add(const Tensor& weight) {
        elements += static_cast<double>(weight.size());
        return list[precision(weight)].emplace_back(PenaltyTensor{weight.size(), weight.data(), nullptr});
    }
    int64_t count(int p) const { return static_cast<int64_t>(list[p].size()); }
};

void check(const char* op, const Tensors& parameters) {
    for (size_t i = 0; i < parameters.size(); ++i)
        check_real(op, join({"parameters[", i, "]"}).c_str(), parameters[i]);
}

// The gradients of all parameters that need one; `scale` is that of the penalty itself.
void give_gradients(Backward& b, const std::vector<Saved>& parameters, double l1, double l2) {
    const double scale = *plain::convert(b.grad(), DType::float64).data<double>();
    Entries entries;
    Tensors kept;
    for (size_t i = 0; i < parameters.size(); ++i) {
        if (!b.needs(static_cast<int>(i))) continue;
        kept.push_back(plain::contiguous(parameters[i].get()));
        Tensor gradient = empty_like(kept.back());
        entries.add(kept.back()).gradient = gradient.data();
        b.give(static_cast<int>(i), std::move(gradient));
    }
    LongWork work(entries.elements);
    for (int p : {0, 1})
        kernels().penalty.gradient[p](entries.count(p), entries.list[p].data(), scale * l1, scale * l2);
}

} // namespace

Tensor penalty(const Tensors& parameters, double l1, double l2) {
    const char* op = "penalty";
    check(op, parameters);
    check_between(op, "l1", l1, 0, kLargest);
    check_between(op, "l2", l2, 0, kLargest);
    Entries entries;
    Tensors kept;
    for (const Tensor& t : parameters) {
        kept.push_back(plain::contiguous(t));
        entries.add(kept.back());
    }
    const auto& kernel = kernels().penalty;
    LongWork work(entries.elements);
    double value = 0;
    for (int p : {0, 1}) {
        const PenaltyTensor* list = entries.list[p].data();
        const Tensor parts = scratch(kernel.scratch(entries.count(p), list));
        value += kernel.value[p](entries.count(p), list, l1, l2, parts.data<double>());
    }
    const bool doubles = entries.list[0].empty() && !entries.list[1].empty();
    Tensor out = plain::full({}, doubles ? DType::float64 : DType::float32, value);
    if (recording(parameters)) {
        std::vector<Saved> saved;
        for (const Tensor& t : parameters) saved.emplace_back(t);
        record(
            "penalty", {out}, parameters,
            [saved = std::move(saved), l1, l2](Backward& b) { give_gradients(b, saved, l1, l2); },
            entries.elements);
    }
    return out;
}

void shrink(const Tensors& parameters, double keep, double threshold) {
    const char* op = "shrink";
    check(op, parameters);
    check_between(op, "keep", keep, 0, 1);
    check_between(op, "threshold", threshold, 0, kLargest);
    autograd::GradMode off(false); // may write to leaves
    Entries entries;
    Tensors changed;
    for (const Tensor& t : parameters) {
        if (!autograd::grad_of(t).defined()) continue;
        if (!t.is_contiguous()) value_error({op, ": a parameter must be contiguous (shape ", t.shape(), ")"});
        autograd::check_in_place(op, t);
        entries.add(t);
        changed.push_back(t);
    }
    LongWork work(entries.elements);
    for (int p : {0, 1})
        kernels().penalty.shrink[p](entries.count(p), entries.list[p].data(), keep, threshold);
    for (const Tensor& t : changed) t.storage().bump_version();
}

} // namespace dt::ops
