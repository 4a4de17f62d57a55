#include "kernels/softmax.h"

#include "kernels/cpu/lanes.h"
#include "kernels/cpu/math.h"

#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {
namespace {

constexpr double kInfinity = __builtin_inf();

template <class T> DT_INLINE T scalar_log(T x) {
    if constexpr (sizeof(T) == 4)
        return __builtin_logf(x);
    else
        return __builtin_log(x);
}

template <class T> DT_INLINE T row_max(const T* x, int64_t n) { // NaN where any value is
    constexpr int64_t w = kLanes<T>;
    Vec<T> a = broadcast(T(-kInfinity)), b = a;
    int64_t i = 0;
    for (; i + 2 * w <= n; i += 2 * w) {
        a = max(a, load(x + i));
        b = max(b, load(x + i + w));
    }
    for (; i < n; i += w) {
        const int64_t rest = n - i;
        const Vec<T> v = load_upto(x + i, rest);
        a = max(a, rest >= w ? v : fill_rest(v, T(-kInfinity), Part{rest}));
    }
    return horizontal_max(max(a, b));
}

template <class T> DT_INLINE T sum_of_exp(const T* x, int64_t n, T shift) {
    return sum_vectors<T>(n, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
        return fill_rest(exp(load(x + i, part) - shift), T(0), part);
    });
}

template <class T> void forward_row(const T* x, T* y, int64_t n, bool logarithm) {
    const T largest = row_max(x, n);
    if (logarithm) {
        const T log_sum = scalar_log(sum_of_exp(x, n, largest));
        for_vectors<T>(n, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
            store(y + i, load(x + i, part) - largest - log_sum, part);
        });
        return;
    }
    const T total = sum_vectors<T>(n, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
        const Vec<T> e = fill_rest(exp(load(x + i, part) - largest), T(0), part);
        store(y + i, e, part);
        return e;
    });
    const T factor = T(1) / total;
    for_vectors<T>(n, [&](int64_t i, auto part)
                          DT_INLINE_LAMBDA { store(y + i, load(y + i, part) * factor, part); });
}

template <class T> void backward_row(const T* y, const T* dy, T* dx, int64_t n, bool logarithm) {
    if (logarithm) {
        const T total =
            sum_vectors<T>(n, [&](int64_t i, auto part) DT_INLINE_LAMBDA { return load(dy + i, part); });
        for_vectors<T>(n, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
            store(dx + i, load(dy + i, part) - exp(load(y + i, part)) * total, part);
        });
        return;
    }
    const T total = sum_vectors<T>(
        n, [&](int64_t i, auto part) DT_INLINE_LAMBDA { return load(dy + i, part) * load(y + i, part); });
    for_vectors<T>(n, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
        store(dx + i, (load(dy + i, part) - total) * load(y + i, part), part);
    });
}

// A column of vectors: neighbours in `inner` side by side, the axis `stride` apart.
template <class T, class P>
DT_INLINE void forward_column(const T* x, T* y, int64_t n, int64_t stride, bool logarithm, P part) {
    Vec<T> largest = broadcast(T(-kInfinity)), total{};
    for (int64_t k = 0; k < n; ++k) largest = max(largest, load(x + k * stride, part));
    for (int64_t k = 0; k < n; ++k) {
        const Vec<T> e = exp(load(x + k * stride, part) - largest);
        total += e;
        if (!logarithm) store(y + k * stride, e, part);
    }
    if (logarithm) {
        const Vec<T> log_sum = log(total);
        for (int64_t k = 0; k < n; ++k)
            store(y + k * stride, load(x + k * stride, part) - largest - log_sum, part);
    } else {
        const Vec<T> factor = T(1) / total;
        for (int64_t k = 0; k < n; ++k) store(y + k * stride, load(y + k * stride, part) * factor, part);
    }
}

template <class T, class P>
DT_INLINE void backward_column(const T* y, const T* dy, T* dx, int64_t n, int64_t stride, bool logarithm,
                               P part) {
    Vec<T> total{};
    for (int64_t k = 0; k < n * stride; k += stride)
        total += logarithm ? load(dy + k, part) : load(dy + k, part) * load(y + k, part);
    for (int64_t k = 0; k < n * stride; k += stride) {
        const Vec<T> out = load(y + k, part), grad = load(dy + k, part);
        store(dx + k, logarithm ? grad - exp(out) * total : (grad - total) * out, part);
    }
}

// body(offset, part) for the columns of (outer, axis, inner): vectors of neighbours in `inner`.
template <class T, class F>
DT_INLINE void for_columns(int64_t outer, int64_t axis, int64_t inner, const F& body) {
    const int64_t per_outer = ceil_div(inner, kLanes<T>);
    parallel(outer * per_outer, grain_for(4 * axis * kLanes<T>), [&](int64_t begin, int64_t end) {
        for (int64_t c = begin; c < end; ++c) {
            const int64_t i = (c % per_outer) * kLanes<T>, offset = (c / per_outer) * axis * inner + i;
            if (i + kLanes<T> <= inner)
                body(offset, Whole{});
            else
                body(offset, Part{inner - i});
        }
    });
}

template <class T> void forward(const SoftmaxArgs& args) {
    const T* x = static_cast<const T*>(args.input);
    T* y = static_cast<T*>(args.output);
    const int64_t n = args.axis;
    if (args.inner == 1)
        parallel(args.outer, grain_for(4 * n), [&](int64_t begin, int64_t end) {
            for (int64_t r = begin; r < end; ++r) forward_row(x + r * n, y + r * n, n, args.logarithm);
        });
    else
        for_columns<T>(args.outer, n, args.inner, [&](int64_t at, auto part) DT_INLINE_LAMBDA {
            forward_column(x + at, y + at, n, args.inner, args.logarithm, part);
        });
}

template <class T> void backward(const SoftmaxGradArgs& args) {
    const T* y = static_cast<const T*>(args.output);
    const T* dy = static_cast<const T*>(args.output_grad);
    T* dx = static_cast<T*>(args.input_grad);
    const int64_t n = args.axis;
    if (args.inner == 1)
        parallel(args.outer, grain_for(4 * n), [&](int64_t begin, int64_t end) {
            for (int64_t r = begin; r < end; ++r)
                backward_row(y + r * n, dy + r * n, dx + r * n, n, args.logarithm);
        });
    else
        for_columns<T>(args.outer, n, args.inner, [&](int64_t at, auto part) DT_INLINE_LAMBDA {
            backward_column(y + at, dy + at, dx + at, n, args.inner, args.logarithm, part);
        });
}

// --- Cross entropy ---

// What the classes of one row weigh: spread[c] * class_weight[c], plus `label_mass` on the label.
template <class T> struct Target {
    const T* class_weight;  // or none
    const T* probabilities; // or none
    T scale, base;          // mass of class c: class_weight[c] * (scale * probabilities[c] + base)
    bool spread;            // whether any class but the label has mass

    DT_INLINE Vec<T> mass(int64_t c, auto part) const {
        Vec<T> m = broadcast(base);
        if (probabilities) m += load(probabilities + c, part) * scale;
        if (class_weight) m *= load(class_weight + c, part);
        return fill_rest(m, T(0), part);
    }
};

template <class T> DT_INLINE Target<T> target_of(const CrossEntropyArgs& args, int64_t row) {
    const T smoothing = T(args.label_smoothing);
    Target<T> t;
    t.class_weight = static_cast<const T*>(args.class_weight);
    t.probabilities =
        args.probabilities ? static_cast<const T*>(args.probabilities) + row * args.classes : nullptr;
    t.scale = T(1) - smoothing;
    t.base = smoothing / T(args.classes);
    t.spread = args.probabilities || smoothing != 0;
    return t;
}

template <class T> DT_INLINE T label_weight(const CrossEntropyArgs& args, int64_t label) {
    return args.class_weight ? static_cast<const T*>(args.class_weight)[label] : T(1);
}

template <class T> void cross_entropy_forward(const CrossEntropyArgs& args) {
    const int64_t n = args.classes;
    T* losses = static_cast<T*>(args.losses);
    T* row_weights = static_cast<T*>(args.row_weights);
    T* normalisers = static_cast<T*>(args.normalisers);
    parallel(args.rows, grain_for(4 * n), [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
            const T* x = static_cast<const T*>(args.logits) + r * n;
            T largest = 0, log_sum = 0;
            if (!args.log_probabilities) {
                normalisers[2 * r] = largest = row_max(x, n);
                normalisers[2 * r + 1] = log_sum = scalar_log(sum_of_exp(x, n, largest));
            }
            if (args.labels && args.labels[r] == args.ignore_index) {
                losses[r] = row_weights[r] = 0;
                continue;
            }
            const Target<T> target = target_of<T>(args, r);
            T loss = 0;
            if (target.spread)
                loss = sum_vectors<T>(n, [&](int64_t c, auto part) DT_INLINE_LAMBDA {
                    const Vec<T> mass = target.mass(c, part);
                    const Vec<T> nll = (largest - load(x + c, part)) + log_sum;
                    return select(mass == T(0), Vec<T>{},
                                  mass * nll); // a class of probability 0 may have logit -inf
                });
            const T weight = args.labels ? label_weight<T>(args, args.labels[r]) : T(1);
            if (args.labels) loss += target.scale * weight * ((largest - x[args.labels[r]]) + log_sum);
            losses[r] = loss;
            row_weights[r] = weight;
        }
    });
}

template <class T> void cross_entropy_backward(const CrossEntropyArgs& args) {
    const int64_t n = args.classes;
    const T* normalisers = static_cast<const T*>(args.normalisers);
    const T* row_grad = static_cast<const T*>(args.row_grad);
    const T* sample_weight = static_cast<const T*>(args.sample_weight);
    const T divisor = args.divisor ? *static_cast<const T*>(args.divisor) : T(1);
    const bool streaming = can_stream(static_cast<T*>(args.logits_grad), args.rows * n, n);
    parallel(args.rows, grain_for(3 * n), [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
            const T* x = static_cast<const T*>(args.logits) + r * n;
            T* dx = static_cast<T*>(args.logits_grad) + r * n;
            if (args.labels && args.labels[r] == args.ignore_index) {
                for_vectors<T>(n,
                               [&](int64_t c, auto part) DT_INLINE_LAMBDA { store(dx + c, Vec<T>{}, part); });
                continue;
            }
            const Target<T> target = target_of<T>(args, r);
            const T grad =
                row_grad[r * args.row_grad_stride] * (sample_weight ? sample_weight[r] : T(1)) / divisor;
            const T label_mass = args.labels ? target.scale * label_weight<T>(args, args.labels[r]) : T(0);
            T mass = label_mass;
            if (target.spread && !args.log_probabilities)
                mass += sum_vectors<T>(n, [&](int64_t c, auto part)
                                              DT_INLINE_LAMBDA { return target.mass(c, part); });
            const T share = args.log_probabilities ? T(0) : mass * grad;
            const T largest = args.log_probabilities ? T(0) : normalisers[2 * r];
            const T log_sum = args.log_probabilities ? T(0) : normalisers[2 * r + 1];
            for_vectors<T>(n, [&](int64_t c, auto part) DT_INLINE_LAMBDA {
                Vec<T> d{};
                if (!args.log_probabilities) d = exp((load(x + c, part) - largest) - log_sum) * share;
                if (target.spread) d -= target.mass(c, part) * grad;
                streaming ? stream(dx + c, d, part) : store(dx + c, d, part);
            });
            if (args.labels) dx[args.labels[r]] -= label_mass * grad;
        }
        if (streaming) finish_streaming();
    });
}

} // namespace

Softmax softmax() {
    return {{forward<float>, forward<double>},
            {backward<float>, backward<double>},
            {cross_entropy_forward<float>, cross_entropy_forward<double>},
            {cross_entropy_backward<float>, cross_entropy_backward<double>}};
}

} // namespace dt::cpu::DT_LEVEL
