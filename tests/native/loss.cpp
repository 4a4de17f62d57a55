#include "kernels/loss.h"

#include "check.h"

namespace dt::check {
namespace {

double log1p_exp(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }
double bounded_log(double x) { return std::fmax(std::log(x), -100); }
double logistic(double x) { return 1 / (1 + std::exp(-x)); }
double sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : 0; }

// A loss and its derivatives, p its parameter and w the weight of the positive class.
struct Terms {
    double value, by_input, by_target;
};
Terms terms_of(LossKind kind, double x, double t, double p, double w) {
    const double d = x - t;
    switch (kind) {
    case LossKind::mse:
        return {d * d, 2 * d, -2 * d};
    case LossKind::l1:
        return {std::fabs(d), sign(d), -sign(d)};
    case LossKind::huber:
        if (std::fabs(d) <= p) return {d * d / 2, d, -d};
        return {p * (std::fabs(d) - p / 2), p * sign(d), -p * sign(d)};
    case LossKind::smooth_l1:
        if (std::fabs(d) < p) return {d * d / 2 / p, d / p, -d / p};
        return {std::fabs(d) - p / 2, sign(d), -sign(d)};
    case LossKind::bce:
        return {-(t * bounded_log(x) + (1 - t) * bounded_log(1 - x)), d / std::fmax(x * (1 - x), 1e-12),
                bounded_log(1 - x) - bounded_log(x)};
    case LossKind::bce_with_logits:
        return {w * t * log1p_exp(-x) + (1 - t) * log1p_exp(x), (1 - t) * logistic(x) - w * t * logistic(-x),
                w * log1p_exp(-x) - log1p_exp(x)};
    case LossKind::hinge:
        return {std::fmax(0, p - x * t), p - x * t > 0 ? -t : 0, p - x * t > 0 ? -x : 0};
    case LossKind::kl_div:
        if (t == 0) return {0, 0, 0};
        return {t * (std::log(t) - x), -t, std::log(t) + 1 - x};
    case LossKind::kl_div_log_target:
        return {std::exp(t) * (t - x), -std::exp(t), std::exp(t) * (t - x + 1)};
    case LossKind::cosine_margin:
        if (t == 1) return {1 - x, -1, 0};
        if (t == -1) return {std::fmax(0, x - p), x > p ? 1. : 0, 0};
        return {0, 0, 0};
    }
    return {NAN, NAN, NAN};
}

// What errors are relative to: all terms of a loss and its derivatives are below it.
double size_of(LossKind kind, double x, double t) {
    if (kind == LossKind::bce) return 4 + (1 + std::fabs(x - t)) / std::fmax(x * (1 - x), 1e-12);
    return 8 + 4 * x * x + 4 * t * t + 2 * std::exp(t);
}

template <class T> struct Inputs {
    Array<T> x, t;
};
template <class T> Inputs<T> inputs(Checks& c, LossKind kind, int64_t n) {
    switch (kind) {
    case LossKind::bce:
        return {c.uniform_array<T>(n, 0.01, 0.99), c.uniform_array<T>(n, 0, 1)};
    case LossKind::bce_with_logits:
        return {c.uniform_array<T>(n, -6, 6), c.uniform_array<T>(n, 0, 1)};
    case LossKind::kl_div: {
        Inputs<T> in{c.uniform_array<T>(n, -4, 0), c.uniform_array<T>(n, 0.01, 1)};
        for (int64_t i = 0; i < n; i += 3) in.t[i] = rounded<T>(0);
        return in;
    }
    case LossKind::hinge:
    case LossKind::cosine_margin: {
        Inputs<T> in{c.uniform_array<T>(n), Array<T>(n)};
        for (int64_t i = 0; i < n; ++i)
            in.t[i] = rounded<T>(i % 5 == 4 && kind != LossKind::hinge ? 0 : double(c.whole(0, 2) * 2 - 1));
        return in;
    }
    default: {
        Inputs<T> in{c.uniform_array<T>(n, -2, 2), c.uniform_array<T>(n, -2, 2)};
        for (int64_t i = 0; i < n; i += 4) in.t[i] = in.x[i];
        return in;
    }
    }
}

template <class T>
void check_kind(Checks& c, LossKind kind, const std::string& name, int64_t n, int variant) {
    using P = Beside<T>;
    const int which = sizeof(P) == 8;
    const bool weighted = variant & 1, total_wanted = variant & 2, grads_apart = variant & 4;
    const int64_t repeat = weighted ? 7 : 1, period = variant == 0 ? 1 : 5;
    const double parameter = variant == 2 && kind == LossKind::smooth_l1 ? 0 : 0.75;
    c.at(name, ", size ", n, ", variant ", variant);
    const Inputs<T> in = inputs<T>(c, kind, n);
    const Array<P> weights = c.uniform_array<P>((n + repeat - 1) / repeat, 0.5, 2);
    const Array<P> positive = c.uniform_array<P>(period, 0.5, 2),
                   grads = c.uniform_array<P>(grads_apart ? n : 1);
    Array<P> losses(n), total(1), divisor(1);
    Array<T> dx(n), dt(n);
    divisor[0] = P(3);
    Array<double> scratch(c.call(c.table.loss.scratch, n));
    LossArgs args;
    args.kind = kind, args.n = n, args.input = in.x.data(), args.target = in.t.data(),
    args.input_dtype = args.target_dtype = dtype_of<T>, args.parameter = parameter;
    const bool use_positive = kind == LossKind::bce_with_logits && variant != 7;
    args.positive_weight = use_positive ? positive.data() : nullptr;
    args.positive_weight_size = period;
    args.sample_weight = weighted ? weights.data() : nullptr;
    args.weight_repeat = repeat;
    args.divisor = total_wanted ? divisor.data() : nullptr;
    if (total_wanted)
        args.total = total.data(), args.scratch = scratch.data();
    else
        args.losses = losses.data();
    c.call(c.table.loss.forward[which], args);
    const auto terms = [&](int64_t i) {
        return terms_of(kind, in.x.at(i), in.t.at(i), parameter, use_positive ? positive.at(i % period) : 1);
    };
    const auto weight = [&](int64_t i) { return weighted ? weights.at(i / repeat) : 1; };
    const auto size = [&](int64_t i) { return size_of(kind, in.x.at(i), in.t.at(i)); };
    if (total_wanted)
        c.expect("total", total, 8, [&](int64_t) {
            Sum sum;
            for (int64_t i = 0; i < n; ++i) {
                sum.value += terms(i).value * weight(i) / 3;
                sum.size += size(i) * weight(i) / 3;
            }
            return sum;
        });
    else
        c.expect("losses", losses, 8,
                 [&](int64_t i) { return Want(terms(i).value * weight(i), size(i) * weight(i)); });

    args.output_grad = grads.data(), args.output_grad_stride = grads_apart;
    args.input_grad = dx.data(), args.target_grad = dt.data();
    c.call(c.table.loss.backward[which], args);
    const auto factor = [&](int64_t i) {
        return grads.at(grads_apart ? i : 0) * weight(i) / (total_wanted ? 3 : 1);
    };
    c.expect("input_grad", dx, 8,
             [&](int64_t i) { return Want(terms(i).by_input * factor(i), size(i) * std::fabs(factor(i))); });
    c.expect("target_grad", dt, 8,
             [&](int64_t i) { return Want(terms(i).by_target * factor(i), size(i) * std::fabs(factor(i))); });
}

template <class T> void check_weighted_sum(Checks& c, int64_t n, int variant) {
    c.at("weighted_sum, size ", n, ", variant ", variant);
    const Array<T> v = c.uniform_array<T>(n), w = c.uniform_array<T>(n), o = c.uniform_array<T>(n);
    Array<T> divisor(1), total(1);
    divisor[0] = T(1.5);
    Array<double> scratch(c.call(c.table.loss.scratch, n));
    WeightedSumArgs args;
    args.n = n;
    args.values = variant & 1 ? v.data() : nullptr;
    args.weights = variant & 2 ? w.data() : nullptr;
    args.other_weights = variant & 4 ? o.data() : nullptr;
    args.divisor = variant & 8 ? divisor.data() : nullptr;
    args.factor = 0.5, args.total = total.data(), args.scratch = scratch.data();
    c.call(c.table.loss.weighted_sum[sizeof(T) == 8], args);
    c.expect("total", total, 8 + std::sqrt(double(n)), [&](int64_t) {
        Sum sum;
        for (int64_t i = 0; i < n; ++i)
            sum.add((variant & 1 ? v.at(i) : 1) * (variant & 2 ? w.at(i) : 1) * (variant & 4 ? o.at(i) : 1) *
                    0.5 / (variant & 8 ? 1.5 : 1));
        return sum;
    });
}

template <class T> void check_multi_margin(Checks& c, int64_t rows, int64_t classes, int variant) {
    using P = Beside<T>;
    const int which = precision(dtype_of<T>), power = variant & 1 ? 2 : 1;
    const bool weighted = variant & 2, apart = variant & 4;
    const double margin = 0.75;
    c.at("multi_margin, rows ", rows, ", classes ", classes, ", variant ", variant);
    const Array<T> x = c.uniform_array<T>(rows * classes);
    const Array<P> weight = c.uniform_array<P>(classes, 0.5, 2), grads = c.uniform_array<P>(apart ? rows : 1),
                   sample = c.uniform_array<P>(rows, 0.5, 2);
    const Array<int64_t> labels = c.whole_array(rows, 0, classes);
    Array<P> losses(rows), divisor(1);
    Array<T> dx(rows * classes);
    divisor[0] = P(1.5);
    MultiMarginArgs args;
    args.rows = rows, args.classes = classes, args.input = x.data(), args.labels = labels.data();
    args.power = power, args.margin = margin, args.class_weight = weighted ? weight.data() : nullptr;
    args.losses = losses.data();
    c.call(c.table.loss.multi_margin_forward[which], args);
    const auto excess = [&](int64_t r, int64_t k) {
        if (k == labels[r]) return 0.0;
        return std::fmax(0, margin - x.at(r * classes + labels[r]) + x.at(r * classes + k));
    };
    const auto share = [&](int64_t r) { return (weighted ? weight.at(labels[r]) : 1) / double(classes); };
    c.expect("losses", losses, 16, [&](int64_t r) {
        Sum sum;
        for (int64_t k = 0; k < classes; ++k)
            sum.add(share(r) * std::pow(excess(r, k), power)), sum.size += share(r);
        return sum;
    });
    args.row_grad = grads.data(), args.row_grad_stride = apart;
    args.sample_weight = apart ? sample.data() : nullptr;
    args.divisor = apart ? divisor.data() : nullptr;
    args.input_grad = dx.data();
    c.call(c.table.loss.multi_margin_backward[which], args);
    c.expect("input_grad", dx, 16, [&](int64_t i) {
        const int64_t r = i / classes, k = i % classes;
        const double factor = share(r) * (apart ? grads.at(r) * sample.at(r) / 1.5 : grads.at(0));
        const auto slope = [&](int64_t j) {
            return excess(r, j) > 0 ? (power == 2 ? 2 * excess(r, j) : 1) : 0;
        };
        Sum sum;
        if (k != labels[r]) sum.add(factor * slope(k));
        for (int64_t j = 0; j < classes && k == labels[r]; ++j) sum.add(-factor * slope(j));
        sum.size += 4 * std::fabs(factor);
        return sum;
    });
}

} // namespace

void check_loss(Checks& c) {
    for_all_floats([&]<class T>(T) {
        for (const auto& [kind, name] : enumerators<LossKind>())
            for (int variant = 0; variant < 8; ++variant) {
                for (int64_t n : {int64_t(1), int64_t(3), int64_t(17), int64_t(65)})
                    check_kind<T>(c, kind, name, n, variant);
                if (variant > 4) check_kind<T>(c, kind, name, 9001, variant);
            }
        for (int variant = 0; variant < 8; ++variant)
            for (int64_t rows : {int64_t(0), int64_t(1), int64_t(9), int64_t(400)})
                for (int64_t classes : {int64_t(1), int64_t(5), int64_t(16), int64_t(67)})
                    check_multi_margin<T>(c, rows, classes, variant);
    });
    for_floats([&]<class T>(T) {
        for (int variant = 0; variant < 16; ++variant)
            for (int64_t n : {int64_t(0), int64_t(1), int64_t(17), int64_t(9001)})
                check_weighted_sum<T>(c, n, variant);
    });
}

} // namespace dt::check
