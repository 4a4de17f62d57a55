#include "kernels/softmax.h"

#include "kernels/cpu/half_loops.h"
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

DT_INLINE Twin exp(Twin v) { return {exp(v.x[0]), exp(v.x[1])}; }

// NaN is passed over: it is in the sum that follows.
template <class S, class T = Arithmetic<S>> DT_INLINE T row_max(const S* x, int64_t n) {
    constexpr int64_t w = kLanes<T>;
    Vec<T> a = broadcast(T(-kInfinity)), b = a, c = a, d = a;
    int64_t i = 0;
    if constexpr (kHalf<S>) {
        Twin low{a, b}, high{c, d};
        for (; i + 4 * w <= n; i += 4 * w) {
            low = max_or_second(load(x + i, Both{}), low);
            high = max_or_second(load(x + i + 2 * w, Both{}), high);
        }
        a = low.x[0], b = low.x[1], c = high.x[0], d = high.x[1];
    }
    for (; i + 4 * w <= n; i += 4 * w) {
        a = max_or_second(load(x + i), a);
        b = max_or_second(load(x + i + w), b);
        c = max_or_second(load(x + i + 2 * w), c);
        d = max_or_second(load(x + i + 3 * w), d);
    }
    for (; i + w <= n; i += w) a = max_or_second(load(x + i), a);
    if (i < n) b = max_or_second(fill_rest(load_tail(x + i, n - i), T(-kInfinity), Part{n - i}), b);
    return horizontal_max(max_or_second(max_or_second(a, b), max_or_second(c, d)));
}

// exp(x - shift), 0 behind the end.
template <class S, class T = Arithmetic<S>> DT_INLINE auto exp_below(const S* x, T shift, auto part) {
    return fill_rest(exp(load(x, part) - shift), T(0), part);
}

// Where the exponentials of an axis stay until their sum is known: in the output, where that is as exact.
template <class S> DT_INLINE Arithmetic<S>* exponentials([[maybe_unused]] S* y, [[maybe_unused]] int64_t n) {
    if constexpr (kHalf<S>)
        return scratch<float>(Scratch::kernel, n);
    else
        return y;
}

template <class S> void forward_row(const S* x, S* y, int64_t n, bool logarithm) {
    using T = Arithmetic<S>;
    const T largest = row_max(x, n);
    if (logarithm) {
        const T log_sum = scalar_log(sum_values<S>(
            n, [&](int64_t i, auto part) DT_INLINE_LAMBDA { return exp_below(x + i, largest, part); }));
        for_values<S>(n, [&](int64_t i, auto part)
                             DT_INLINE_LAMBDA { store(y + i, load(x + i, part) - largest - log_sum, part); });
        return;
    }
    T* exponential = exponentials(y, n);
    const T total = sum_values<S>(n, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
        const auto e = exp_below(x + i, largest, part);
        store(exponential + i, e, part);
        return e;
    });
    const T factor = T(1) / total;
    for_values<S>(n, [&](int64_t i, auto part)
                         DT_INLINE_LAMBDA { store(y + i, load(exponential + i, part) * factor, part); });
}

template <class S> void backward_row(const S* y, const S* dy, S* dx, int64_t n, bool logarithm) {
    using T = Arithmetic<S>;
    if (logarithm) {
        const T total =
            sum_values<S>(n, [&](int64_t i, auto part) DT_INLINE_LAMBDA { return load(dy + i, part); });
        for_values<S>(n, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
            store(dx + i, load(dy + i, part) - exp(load(y + i, part)) * total, part);
        });
        return;
    }
    const T total = sum_values<S>(n, [&](int64_t i, auto part)
                                         DT_INLINE_LAMBDA { return load(dy + i, part) * load(y + i, part); });
    for_values<S>(n, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
        store(dx + i, (load(dy + i, part) - total) * load(y + i, part), part);
    });
}

// A column of vectors: neighbours in `inner` side by side, the axis `stride` apart.
template <class S, class P>
DT_INLINE void forward_column(const S* x, S* y, int64_t n, int64_t stride, bool logarithm, P part) {
    using T = Arithmetic<S>;
    T* exponential = logarithm ? nullptr : exponentials(y, n * kLanes<T>);
    const int64_t step = kHalf<S> ? kLanes<T> : stride; // from one of them to the next
    Vec<T> largest = broadcast(T(-kInfinity)), total{};
    for (int64_t k = 0; k < n; ++k) largest = max_or_second(load(x + k * stride, part), largest);
    for (int64_t k = 0; k < n; ++k) {
        const Vec<T> e = exp(load(x + k * stride, part) - largest);
        total += e;
        if (!logarithm) store(exponential + k * step, e, part);
    }
    if (logarithm) {
        const Vec<T> log_sum = log(total);
        for (int64_t k = 0; k < n; ++k)
            store(y + k * stride, load(x + k * stride, part) - largest - log_sum, part);
    } else {
        const Vec<T> factor = T(1) / total;
        for (int64_t k = 0; k < n; ++k)
            store(y + k * stride, load(exponential + k * step, part) * factor, part);
    }
}

template <class S, class P>
DT_INLINE void backward_column(const S* y, const S* dy, S* dx, int64_t n, int64_t stride, bool logarithm,
                               P part) {
    using T = Arithmetic<S>;
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

template <class S> void forward(const SoftmaxArgs& args) {
    using T = Arithmetic<S>;
    const S* x = static_cast<const S*>(args.input);
    S* y = static_cast<S*>(args.output);
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

template <class S> void backward(const SoftmaxGradArgs& args) {
    using T = Arithmetic<S>;
    const S* y = static_cast<const S*>(args.output);
    const S* dy = static_cast<const S*>(args.output_grad);
    S* dx = static_cast<S*>(args.input_grad);
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

template <class T> void cross_entropy_weights(const CrossEntropyArgs& args) {
    T* weights = static_cast<T*>(args.row_weights);
    for (int64_t r = 0; r < args.rows; ++r)
        weights[r] = !args.labels                          ? T(1)
                     : args.labels[r] == args.ignore_index ? T(0)
                                                           : label_weight<T>(args, args.labels[r]);
}

// The largest value of a row, and the sum of exp(x - largest): piece by piece, so that a row is read from
// memory once, and the sum goes on where the largest grows (Milakov and Gimelshein, 2018).
template <class T> struct Normaliser {
    T largest, total;
};
template <class S, class T = Arithmetic<S>> Normaliser<T> normaliser_of(const S* x, int64_t n) {
    constexpr int64_t kPiece = 4096 / sizeof(S), kAhead = 2 * kPiece;
    Normaliser<T> row{T(-kInfinity), T(0)};
    for (int64_t done = 0; done < n; done += kPiece) {
        const int64_t piece = n - done < kPiece ? n - done : kPiece;
        const T largest = row_max(x + done, piece);
        if (largest > row.largest) {
            row.total *= exp(broadcast(row.largest - largest))[0];
            row.largest = largest;
        }
        const T shift = row.largest == T(-kInfinity) ? T(0) : row.largest;
        row.total += sum_values<S>(piece, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
            __builtin_prefetch(x + done + i + kAhead);
            return exp_below(x + done + i, shift, part);
        });
    }
    return row;
}

template <class S, class T>
DT_INLINE void forward_loss(const CrossEntropyArgs& args, int64_t row, T largest, T log_sum) {
    const S* x = static_cast<const S*>(args.logits) + row * args.classes;
    const Target<T> target = target_of<T>(args, row);
    T loss = 0;
    if (target.spread)
        loss = sum_vectors<T>(args.classes, [&](int64_t c, auto part) DT_INLINE_LAMBDA {
            const Vec<T> mass = target.mass(c, part);
            const Vec<T> nll = (largest - load(x + c, part)) + log_sum;
            return select(mass == T(0), Vec<T>{}, mass * nll); // a class of probability 0 may have logit -inf
        });
    if (args.labels)
        loss += target.scale * label_weight<T>(args, args.labels[row]) *
                ((largest - load(x + args.labels[row], Part{1})[0]) + log_sum);
    static_cast<T*>(args.losses)[row] = loss;
}

template <class S, class T>
DT_INLINE void write_row_grad(const CrossEntropyArgs& args, int64_t row, T largest, T log_sum,
                              bool streaming) {
    const int64_t n = args.classes;
    const S* x = static_cast<const S*>(args.logits) + row * n;
    S* dx = static_cast<S*>(args.logits_grad) + row * n;
    const T* sample_weight = static_cast<const T*>(args.sample_weight);
    const T divisor = args.divisor ? *static_cast<const T*>(args.divisor) : T(1);
    const T grad = static_cast<const T*>(args.row_grad)[row * args.row_grad_stride] *
                   (sample_weight ? sample_weight[row] : T(1)) / divisor;
    const Target<T> target = target_of<T>(args, row);
    const T label_mass = args.labels ? target.scale * label_weight<T>(args, args.labels[row]) : T(0);
    T mass = label_mass;
    if (target.spread && !args.log_probabilities)
        mass +=
            sum_vectors<T>(n, [&](int64_t c, auto part) DT_INLINE_LAMBDA { return target.mass(c, part); });
    const T share = mass * grad;
    const auto softmax = [&](int64_t c, auto part)
                             DT_INLINE_LAMBDA { return exp(load(x + c, part) - largest - log_sum) * share; };
    const auto gradient = [&](int64_t c, auto part) DT_INLINE_LAMBDA {
        Vec<T> d{};
        if (!args.log_probabilities) d = softmax(c, part);
        if (target.spread) d -= target.mass(c, part) * grad;
        return d;
    };
    const auto write = [&](int64_t c, auto values, auto part) DT_INLINE_LAMBDA {
        streaming ? stream(dx + c, values, part) : store(dx + c, values, part);
    };
    if (!target.spread && !args.log_probabilities)
        for_values<S>(n, [&](int64_t c, auto part) DT_INLINE_LAMBDA { write(c, softmax(c, part), part); });
    else
        for_vectors<T>(n, [&](int64_t c, auto part) DT_INLINE_LAMBDA { write(c, gradient(c, part), part); });
    if (!args.labels) return;
    const int64_t label = args.labels[row];
    if constexpr (kHalf<S>) // what was stored is rounded
        store(dx + label, gradient(label, Part{1}) - label_mass * grad, Part{1});
    else
        dx[label] -= label_mass * grad;
}

DT_INLINE bool ignored(const CrossEntropyArgs& args, int64_t row) {
    return args.labels && args.labels[row] == args.ignore_index;
}

template <class S> DT_INLINE void clear_row(const CrossEntropyArgs& args, int64_t row) {
    memset(static_cast<S*>(args.logits_grad) + row * args.classes, 0, size_t(args.classes) * sizeof(S));
}

template <class S> bool streams_grad(const CrossEntropyArgs& args) {
    return args.logits_grad &&
           can_stream(static_cast<S*>(args.logits_grad), args.rows * args.classes, args.classes);
}

template <class S> void cross_entropy_forward(const CrossEntropyArgs& args) {
    using T = Arithmetic<S>;
    const int64_t n = args.classes;
    T* normalisers = static_cast<T*>(args.normalisers);
    const bool streaming = streams_grad<S>(args);
    parallel(args.rows, grain_for((args.logits_grad ? 7 : 4) * n), [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
            T largest = 0, log_sum = 0;
            if (!args.log_probabilities) {
                const Normaliser<T> row = normaliser_of(static_cast<const S*>(args.logits) + r * n, n);
                normalisers[2 * r] = largest = row.largest;
                normalisers[2 * r + 1] = log_sum = scalar_log(row.total);
            }
            if (ignored(args, r)) {
                static_cast<T*>(args.losses)[r] = 0;
                if (args.logits_grad) clear_row<S>(args, r);
                continue;
            }
            forward_loss<S>(args, r, largest, log_sum);
            if (args.logits_grad) write_row_grad<S>(args, r, largest, log_sum, streaming);
        }
        if (streaming) finish_streaming();
    });
}

template <class S> void cross_entropy_backward(const CrossEntropyArgs& args) {
    using T = Arithmetic<S>;
    const T* normalisers = static_cast<const T*>(args.normalisers);
    const bool streaming = streams_grad<S>(args);
    parallel(args.rows, grain_for(3 * args.classes), [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
            const T largest = args.log_probabilities ? T(0) : normalisers[2 * r];
            const T log_sum = args.log_probabilities ? T(0) : normalisers[2 * r + 1];
            if (ignored(args, r))
                clear_row<S>(args, r);
            else
                write_row_grad<S>(args, r, largest, log_sum, streaming);
        }
        if (streaming) finish_streaming();
    });
}

} // namespace

Softmax softmax() {
    return {DT_PRECISIONS(forward),
            DT_PRECISIONS(backward),
            {cross_entropy_weights<float>, cross_entropy_weights<double>},
            DT_PRECISIONS(cross_entropy_forward),
            DT_PRECISIONS(cross_entropy_backward)};
}

} // namespace dt::cpu::DT_LEVEL
