#include "kernels/softmax.h"

#include "check.h"

namespace dt::check {
namespace {

// Over the middle of (outer, axis, inner).
template <class T> void check_softmax(Checks& c, int64_t outer, int64_t axis, int64_t inner, bool logarithm) {
    const int64_t n = outer * axis * inner;
    c.at(logarithm ? "log_softmax" : "softmax", " of (", outer, ", ", axis, ", ", inner, ")");
    Array<T> x = c.uniform_array<T>(n, -8, 8);
    if (axis > 2 && outer > 1)
        for (int64_t i = 0; i < inner; ++i) x[i + inner] = rounded<T>(-INFINITY); // probability 0
    const Array<T> dy = c.uniform_array<T>(n);
    Array<T> y(n), dx(n);
    SoftmaxArgs args;
    args.outer = outer, args.axis = axis, args.inner = inner, args.logarithm = logarithm;
    args.input = x.data(), args.output = y.data();
    c.call(c.table.softmax.forward[precision(dtype_of<T>)], args);
    std::vector<double> log_sum(size_t(outer * inner));
    for (int64_t i = 0; i < outer * inner; ++i) {
        const int64_t start = i / inner * axis * inner + i % inner;
        double largest = -INFINITY, sum = 0;
        for (int64_t k = 0; k < axis; ++k) largest = std::fmax(largest, x.at(start + k * inner));
        for (int64_t k = 0; k < axis; ++k) sum += std::exp(x.at(start + k * inner) - largest);
        log_sum[size_t(i)] = largest + std::log(sum);
    }
    const auto row = [&](int64_t i) { return size_t(i / (axis * inner) * inner + i % inner); };
    const double some =
        30 + std::sqrt(double(axis)); // exp turns absolute errors of up to 16 into relative ones
    c.expect("output", y, some, [&](int64_t i) -> Want {
        const double log_p = x.at(i) - log_sum[row(i)];
        if (logarithm) return {log_p, 1 + std::fabs(x.at(i))};
        return std::exp(log_p);
    });

    SoftmaxGradArgs grad;
    grad.outer = outer, grad.axis = axis, grad.inner = inner, grad.logarithm = logarithm;
    grad.output = y.data(), grad.output_grad = dy.data(), grad.input_grad = dx.data();
    c.call(c.table.softmax.backward[precision(dtype_of<T>)], grad);
    std::vector<Sum> dots(size_t(outer * inner));
    for (int64_t i = 0; i < n; ++i) dots[row(i)].add(dy.at(i) * (logarithm ? 1 : y.at(i)));
    c.expect("input_grad", dx, some, [&](int64_t i) -> Want {
        const double p = logarithm ? std::exp(y.at(i)) : y.at(i);
        const Sum& dot = dots[row(i)];
        if (logarithm) return {dy.at(i) - p * dot.value, std::fabs(dy.at(i)) + p * dot.size};
        return {p * (dy.at(i) - dot.value), p * (std::fabs(dy.at(i)) + dot.size)};
    });
}

template <class T> void check_cross_entropy(Checks& c, int64_t rows, int64_t classes, int variant) {
    using P = Beside<T>;
    const bool log_probabilities = variant & 1, use_labels = !(variant & 2), class_weights = variant & 4;
    const bool smoothed = variant & 8, row_grads = variant & 16;
    const double smoothing = smoothed ? 0.125 : 0;
    c.at("cross entropy, rows ", rows, ", classes ", classes, log_probabilities ? ", log-probabilities" : "",
         use_labels ? ", labels" : ", probabilities", class_weights ? ", class weights" : "",
         smoothed ? ", smoothed" : "", row_grads ? ", gradient, weight per row and divisor" : "");
    const Array<T> x = c.uniform_array<T>(rows * classes, -4, log_probabilities ? 0 : 4);
    const Array<P> target = c.uniform_array<P>(rows * classes, 0, 1),
                   weight = c.uniform_array<P>(classes, 0.5, 2);
    const Array<P> grads = c.uniform_array<P>(row_grads ? rows : 1),
                   sample = c.uniform_array<P>(rows, 0.5, 2);
    Array<int64_t> labels = c.whole_array(rows, 0, classes);
    for (int64_t r = 3; r < rows; r += 4) labels[r] = -100;
    Array<P> divisor(1), losses(rows), row_weights(rows), normalisers(log_probabilities ? 0 : 2 * rows);
    Array<T> dx(rows * classes);
    divisor[0] = P(2.5);
    CrossEntropyArgs args;
    args.rows = rows, args.classes = classes, args.logits = x.data(),
    args.log_probabilities = log_probabilities;
    if (use_labels)
        args.labels = labels.data();
    else
        args.probabilities = target.data();
    args.class_weight = class_weights ? weight.data() : nullptr;
    args.label_smoothing = smoothing;
    args.losses = losses.data(), args.row_weights = row_weights.data();
    c.call(c.table.softmax.cross_entropy_weights[sizeof(P) == 8], args);
    args.normalisers = log_probabilities ? nullptr : normalisers.data();
    c.call(c.table.softmax.cross_entropy_forward[precision(dtype_of<T>)], args);

    const auto ignored = [&](int64_t r) { return use_labels && labels[r] == -100; };
    const auto class_weight = [&](int64_t k) { return class_weights ? weight.at(k) : 1; };
    const auto log_sum = [&](int64_t r) {
        double sum = 0;
        for (int64_t k = 0; k < classes; ++k) sum += std::exp(x.at(r * classes + k));
        return log_probabilities ? 0 : std::log(sum);
    };
    const auto mass = [&](int64_t r, int64_t k) { // the loss is the sum of mass * nll
        const double share = use_labels ? double(labels[r] == k) : target.at(r * classes + k);
        return class_weight(k) * ((1 - smoothing) * share + smoothing / double(classes));
    };
    const double some = 16 + std::sqrt(double(classes));
    if (!log_probabilities)
        c.expect("normalisers", normalisers, some, [&](int64_t i) -> Want {
            const int64_t r = i / 2;
            double largest = x.at(r * classes);
            for (int64_t k = 1; k < classes; ++k) largest = std::max(largest, x.at(r * classes + k));
            return i % 2 ? Want(log_sum(r) - largest, 5 + log_sum(r)) : Want(largest);
        });
    c.expect("losses", losses, some, [&](int64_t r) {
        Sum loss;
        const double total = log_sum(r);
        for (int64_t k = 0; k < classes && !ignored(r); ++k) {
            loss.add(mass(r, k) * total);
            loss.add(-mass(r, k) * x.at(r * classes + k));
        }
        return loss;
    });
    c.expect("row_weights", row_weights, 1, [&](int64_t r) {
        return Want(ignored(r) ? 0 : use_labels ? class_weight(labels[r]) : 1);
    });

    args.row_grad = grads.data(), args.row_grad_stride = row_grads;
    args.sample_weight = row_grads ? sample.data() : nullptr;
    args.divisor = row_grads ? divisor.data() : nullptr;
    args.logits_grad = dx.data();
    c.call(c.table.softmax.cross_entropy_backward[precision(dtype_of<T>)], args);
    const Array<T> again = dx;
    for (int64_t i = 0; i < rows * classes; ++i) dx[i] = rounded<T>(7);
    c.call(c.table.softmax.cross_entropy_forward[precision(dtype_of<T>)],
           args); // writes the gradient beside the loss
    c.expect_exactly("logits_grad of forward", dx, [&](int64_t i) { return again[i]; });
    std::vector<double> log_sum_of, mass_of;
    for (int64_t r = 0; r < rows; ++r) {
        double total = 0;
        for (int64_t k = 0; k < classes && !ignored(r); ++k) total += mass(r, k);
        mass_of.push_back(total);
        log_sum_of.push_back(log_sum(r));
    }
    c.expect("logits_grad", dx, some, [&](int64_t i) -> Want {
        const int64_t r = i / classes, k = i % classes;
        if (ignored(r)) return 0;
        const double g = row_grads ? grads.at(r) * sample.at(r) / 2.5 : grads.at(0);
        const double p =
            log_probabilities ? 0 : std::exp(x.at(i) - log_sum_of[size_t(r)]) * mass_of[size_t(r)];
        return {g * (p - mass(r, k)), std::fabs(g) * (p + mass(r, k) + smoothing)};
    });
}

} // namespace

void check_softmax(Checks& c) {
    for_all_floats([&]<class T>(T) {
        for (bool logarithm : {false, true}) {
            for (int64_t axis : {1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 33, 100})
                for (int64_t outer : {0, 1, 5}) check_softmax<T>(c, outer, axis, 1, logarithm);
            for (int64_t axis : {1, 3, 10})
                for (int64_t inner : {1, 4, 5, 16, 19, 70}) check_softmax<T>(c, 3, axis, inner, logarithm);
            check_softmax<T>(c, 300, 100, 1, logarithm);
            check_softmax<T>(c, 9, 40, 90, logarithm);
        }
        for (int variant = 0; variant < 32; ++variant) {
            for (int64_t classes : {1, 2, 7, 8, 10, 17, 33}) check_cross_entropy<T>(c, 6, classes, variant);
            check_cross_entropy<T>(c, 0, 4, variant);
            check_cross_entropy<T>(c, 200, 100, variant);
            check_cross_entropy<T>(c, 4, 2500, variant); // several pieces
        }
    });
}

} // namespace dt::check
