#include "kernels/loss.h"

#include "kernels/cpu/half.h"
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/math.h"

#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {
namespace {

constexpr int64_t kBlock = 4096; // elements summed in T before the sum goes on in double
constexpr int64_t kPiece = 512;  // so many of a half format are converted at a time

// What the formulas need besides x and t.
template <class V> struct Parameters {
    V parameter, positive_weight;
};

template <class V> DT_INLINE V constant(double x) { return broadcast(Lane<V>(x)); }
template <class V> DT_INLINE V sign(V x) { return select(x == V{}, x, copysign(constant<V>(1), x)); }

// Each loss: value(x, t), and its derivatives by x and by t.
struct Mse {
    template <class V> static DT_INLINE V value(V x, V t, const Parameters<V>&) { return (x - t) * (x - t); }
    template <class V> static DT_INLINE V by_input(V x, V t, const Parameters<V>&) {
        return (x - t) * Lane<V>(2);
    }
    template <class V> static DT_INLINE V by_target(V x, V t, const Parameters<V>& p) {
        return -by_input(x, t, p);
    }
};

struct L1 {
    template <class V> static DT_INLINE V value(V x, V t, const Parameters<V>&) { return abs(x - t); }
    template <class V> static DT_INLINE V by_input(V x, V t, const Parameters<V>&) { return sign(x - t); }
    template <class V> static DT_INLINE V by_target(V x, V t, const Parameters<V>& p) {
        return -by_input(x, t, p);
    }
};

struct Huber {
    template <class V> static DT_INLINE V value(V x, V t, const Parameters<V>& p) {
        const V d = abs(x - t);
        return select(d <= p.parameter, d * d * Lane<V>(0.5), p.parameter * (d - p.parameter * Lane<V>(0.5)));
    }
    template <class V> static DT_INLINE V by_input(V x, V t, const Parameters<V>& p) {
        return clamp(x - t, -p.parameter, p.parameter);
    }
    template <class V> static DT_INLINE V by_target(V x, V t, const Parameters<V>& p) {
        return -by_input(x, t, p);
    }
};

struct SmoothL1 {
    template <class V> static DT_INLINE V value(V x, V t, const Parameters<V>& p) {
        const V d = abs(x - t);
        return select(d < p.parameter, d * d * Lane<V>(0.5) / p.parameter, d - p.parameter * Lane<V>(0.5));
    }
    template <class V> static DT_INLINE V by_input(V x, V t, const Parameters<V>& p) {
        return select(abs(x - t) < p.parameter, (x - t) / p.parameter, sign(x - t));
    }
    template <class V> static DT_INLINE V by_target(V x, V t, const Parameters<V>& p) {
        return -by_input(x, t, p);
    }
};

struct Bce {
    template <class V> static DT_INLINE V bounded_log(V x) { return max(log(x), constant<V>(-100)); }
    template <class V> static DT_INLINE V value(V x, V t, const Parameters<V>&) {
        const V one = constant<V>(1);
        return (t - one) * max(log1p(-x), constant<V>(-100)) - t * bounded_log(x);
    }
    template <class V> static DT_INLINE V by_input(V x, V t, const Parameters<V>&) {
        return (x - t) / max(x * (Lane<V>(1) - x), constant<V>(1e-12));
    }
    template <class V> static DT_INLINE V by_target(V x, V, const Parameters<V>&) {
        return max(log1p(-x), constant<V>(-100)) - bounded_log(x);
    }
};

struct BceWithLogits {
    // log(1 + exp(-x)), which is -log(sigmoid(x))
    template <class V> static DT_INLINE V softplus_of_minus(V x) {
        return log1p(exp(-abs(x))) + max(-x, V{});
    }
    template <class V> static DT_INLINE V value(V x, V t, const Parameters<V>& p) {
        const V one = constant<V>(1);
        return (one - t) * x + (one + (p.positive_weight - one) * t) * softplus_of_minus(x);
    }
    template <class V> static DT_INLINE V by_input(V x, V t, const Parameters<V>& p) {
        const V one = constant<V>(1);
        return (one - t) - (one + (p.positive_weight - one) * t) * sigmoid(-x);
    }
    template <class V> static DT_INLINE V by_target(V x, V, const Parameters<V>& p) {
        return (p.positive_weight - constant<V>(1)) * softplus_of_minus(x) - x;
    }
};

struct Hinge {
    template <class V> static DT_INLINE V value(V x, V t, const Parameters<V>& p) {
        return max(p.parameter - x * t, V{});
    }
    template <class V> static DT_INLINE V by_input(V x, V t, const Parameters<V>& p) {
        return select(p.parameter - x * t > V{}, -t, V{});
    }
    template <class V> static DT_INLINE V by_target(V x, V t, const Parameters<V>& p) {
        return by_input(t, x, p);
    }
};

struct KlDiv {
    template <class V> static DT_INLINE V value(V x, V t, const Parameters<V>&) {
        return select(t == V{}, V{}, t * (log(t) - x));
    }
    template <class V> static DT_INLINE V by_input(V, V t, const Parameters<V>&) { return -t; }
    template <class V> static DT_INLINE V by_target(V x, V t, const Parameters<V>&) {
        return select(t == V{}, V{}, log(t) + Lane<V>(1) - x);
    }
};

struct KlDivLogTarget {
    template <class V> static DT_INLINE V value(V x, V t, const Parameters<V>&) { return exp(t) * (t - x); }
    template <class V> static DT_INLINE V by_input(V, V t, const Parameters<V>&) { return -exp(t); }
    template <class V> static DT_INLINE V by_target(V x, V t, const Parameters<V>&) {
        return exp(t) * (t - x + Lane<V>(1));
    }
};

struct CosineMargin {
    template <class V> static DT_INLINE V value(V x, V t, const Parameters<V>& p) {
        const V one = constant<V>(1);
        return select(t == one, one - x, select(t == -one, max(x - p.parameter, V{}), V{}));
    }
    template <class V> static DT_INLINE V by_input(V x, V t, const Parameters<V>& p) {
        const V one = constant<V>(1);
        return select(t == one, -one, select((t == -one) & (x > p.parameter), one, V{}));
    }
    template <class V> static DT_INLINE V by_target(V, V, const Parameters<V>&) { return V{}; }
};

template <class F> DT_INLINE void with_loss(LossKind kind, const F& body) {
    switch (kind) {
    case LossKind::mse:
        return body(Mse{});
    case LossKind::l1:
        return body(L1{});
    case LossKind::huber:
        return body(Huber{});
    case LossKind::smooth_l1:
        return body(SmoothL1{});
    case LossKind::bce:
        return body(Bce{});
    case LossKind::bce_with_logits:
        return body(BceWithLogits{});
    case LossKind::hinge:
        return body(Hinge{});
    case LossKind::kl_div:
        return body(KlDiv{});
    case LossKind::kl_div_log_target:
        return body(KlDivLogTarget{});
    case LossKind::cosine_margin:
        return body(CosineMargin{});
    }
}

// A run of elements with one sample weight, or one of its own for each, and the like for positive_weight.
template <class T> struct Run {
    int64_t begin, n;
    const T* positive_weight; // n values; or none: 1, or the single one
    T single_positive_weight;
    const T* sample_weight; // n values, or none: the single one
    T single_sample_weight;

    DT_INLINE Vec<T> positive(int64_t i, auto part) const {
        return positive_weight ? load(positive_weight + i, part) : broadcast(single_positive_weight);
    }
    DT_INLINE Vec<T> weight(int64_t i, auto part) const {
        return sample_weight ? load(sample_weight + i, part) : broadcast(single_sample_weight);
    }
};

template <class T, class F>
DT_INLINE void for_runs(const LossArgs& args, int64_t begin, int64_t end, const F& body) {
    const T* positive = static_cast<const T*>(args.positive_weight);
    const T* weight = static_cast<const T*>(args.sample_weight);
    const int64_t period = positive ? args.positive_weight_size : 1, repeat = weight ? args.weight_repeat : 1;
    while (begin < end) {
        Run<T> run{begin, end - begin, nullptr, T(1), nullptr, T(1)};
        if (period > 1) {
            const int64_t at = begin % period;
            run.positive_weight = positive + at;
            if (period - at < run.n) run.n = period - at;
        } else if (positive) {
            run.single_positive_weight = *positive;
        }
        if (repeat > 1) {
            const int64_t left = repeat - begin % repeat;
            run.single_sample_weight = weight[begin / repeat];
            if (left < run.n) run.n = left;
        } else if (weight) {
            run.sample_weight = weight + begin;
        }
        body(run);
        begin += run.n;
    }
}

int64_t scratch(int64_t n) { return ceil_div(n, kBlock); }

// Adds the partial sums in order and writes their total, divided by *divisor.
template <class T>
void finish_total(const double* partial, int64_t n, double factor, const void* divisor, void* total) {
    double result = 0;
    for (int64_t b = 0; b < ceil_div(n, kBlock); ++b) result += partial[b];
    result *= factor;
    if (divisor) result /= double(*static_cast<const T*>(divisor));
    *static_cast<T*>(total) = T(result);
}

// n values from `begin` on as T: where they lie, or of a half format converted into `buffer`.
template <class T> const T* read_block(DType dtype, const void* data, int64_t begin, int64_t n, T* buffer) {
    if constexpr (sizeof(T) == 4) {
        if (is_half(dtype)) {
            halves_to_floats(dtype, n, static_cast<const uint16_t*>(data) + begin, buffer);
            return buffer;
        }
    }
    return static_cast<const T*>(data) + begin;
}
// Where n values from `begin` on are written, if any are; write_block then stores what is in the buffer.
template <class T> T* block_to_write(DType dtype, void* data, int64_t begin, T* buffer) {
    if (!data) return nullptr;
    return is_half(dtype) ? buffer : static_cast<T*>(data) + begin;
}
template <class T> void write_block(DType dtype, void* data, int64_t begin, int64_t n, const T* buffer) {
    if constexpr (sizeof(T) == 4)
        if (data && is_half(dtype)) floats_to_halves(dtype, n, buffer, static_cast<uint16_t*>(data) + begin);
}

// Calls body(begin, end) for [begin, end) or, where values are converted, for pieces of it.
template <class F>
DT_INLINE void for_pieces(const LossArgs& args, int64_t begin, int64_t end, const F& body) {
    const bool converts = is_half(args.input_dtype) || is_half(args.target_dtype);
    const int64_t most = converts ? kPiece : end - begin;
    for (; begin < end; begin += most) body(begin, end - begin < most ? end : begin + most);
}

template <class T, class L> void forward_as(const LossArgs& args) {
    T* losses = static_cast<T*>(args.losses);
    const Vec<T> parameter = broadcast(T(args.parameter));
    const auto sum_piece = [&](int64_t begin, int64_t end) {
        alignas(64) T inputs[kPiece], targets[kPiece];
        const T* x = read_block(args.input_dtype, args.input, begin, end - begin, inputs);
        const T* t = read_block(args.target_dtype, args.target, begin, end - begin, targets);
        double total = 0;
        for_runs<T>(args, begin, end, [&](const Run<T>& run) {
            auto value = [&](int64_t i, auto part) DT_INLINE_LAMBDA {
                const int64_t at = run.begin - begin + i;
                const Parameters<Vec<T>> p{parameter, run.positive(i, part)};
                return L::value(load(x + at, part), load(t + at, part), p) * run.weight(i, part);
            };
            if (losses)
                for_vectors<T>(run.n, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
                    store(losses + run.begin + i, value(i, part), part);
                });
            else
                total += double(sum_vectors<T>(run.n, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
                    return fill_rest(value(i, part), T(0), part);
                }));
        });
        return total;
    };
    parallel(args.n, kBlock, [&](int64_t begin, int64_t end) {
        double total = 0;
        for_pieces(args, begin, end, [&](int64_t from, int64_t to) { total += sum_piece(from, to); });
        if (!losses) args.scratch[begin / kBlock] = total;
    });
    if (!losses) finish_total<T>(args.scratch, args.n, 1, args.divisor, args.total);
}

template <class T, class L> void backward_as(const LossArgs& args) {
    const T* grad = static_cast<const T*>(args.output_grad);
    const Vec<T> parameter = broadcast(T(args.parameter));
    const T divisor = args.divisor ? *static_cast<const T*>(args.divisor) : T(1);
    const Vec<T> single = broadcast(args.output_grad_stride ? T(0) : *grad / divisor);
    const auto run_piece = [&](int64_t begin, int64_t end) {
        alignas(64) T inputs[kPiece], targets[kPiece]; // and then their gradients
        const int64_t n = end - begin;
        const T* x = read_block(args.input_dtype, args.input, begin, n, inputs);
        const T* t = read_block(args.target_dtype, args.target, begin, n, targets);
        T* dx = block_to_write(args.input_dtype, args.input_grad, begin, inputs);
        T* dt = block_to_write(args.target_dtype, args.target_grad, begin, targets);
        for_runs<T>(args, begin, end, [&](const Run<T>& run) {
            for_vectors<T>(run.n, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
                const int64_t at = run.begin - begin + i;
                const Parameters<Vec<T>> p{parameter, run.positive(i, part)};
                const Vec<T> input = load(x + at, part), target = load(t + at, part);
                Vec<T> g = args.output_grad_stride ? load(grad + begin + at, part) / divisor : single;
                g *= run.weight(i, part);
                if (dx) store(dx + at, L::by_input(input, target, p) * g, part);
                if (dt) store(dt + at, L::by_target(input, target, p) * g, part);
            });
        });
        write_block(args.input_dtype, args.input_grad, begin, n, inputs);
        write_block(args.target_dtype, args.target_grad, begin, n, targets);
    };
    parallel(args.n, kBlock, [&](int64_t begin, int64_t end) { for_pieces(args, begin, end, run_piece); });
}

template <class T> void forward(const LossArgs& args) {
    with_loss(args.kind, [&](auto loss) { forward_as<T, decltype(loss)>(args); });
}

template <class T> void backward(const LossArgs& args) {
    with_loss(args.kind, [&](auto loss) { backward_as<T, decltype(loss)>(args); });
}

template <class T> void weighted_sum(const WeightedSumArgs& args) {
    const T* values = static_cast<const T*>(args.values);
    const T* weights = static_cast<const T*>(args.weights);
    const T* other = static_cast<const T*>(args.other_weights);
    parallel(args.n, kBlock, [&](int64_t begin, int64_t end) {
        args.scratch[begin / kBlock] =
            double(sum_vectors<T>(end - begin, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
                Vec<T> v = values ? load(values + begin + i, part) : broadcast(T(1));
                if (weights) v *= load(weights + begin + i, part);
                if (other) v *= load(other + begin + i, part);
                return fill_rest(v, T(0), part);
            }));
    });
    finish_total<T>(args.scratch, args.n, args.factor, args.divisor, args.total);
}

// What class c misses the margin by, at least 0; 0 for the label itself and behind the end.
template <class S, class T = Arithmetic<S>> struct Excess {
    const S* x;
    int64_t label;
    T start; // margin - x[label]

    DT_INLINE Vec<T> operator()(int64_t c, auto part) const {
        using I = Lane<Mask<T>>;
        const Vec<T> z = max(load(x + c, part) + start, Vec<T>{});
        return fill_rest(select(iota<I>() == broadcast(I(label - c)), Vec<T>{}, z), T(0), part);
    }
};

template <class S, class T = Arithmetic<S>>
DT_INLINE Excess<S> excess_of(const MultiMarginArgs& args, int64_t row) {
    const S* x = static_cast<const S*>(args.input) + row * args.classes;
    return {x, args.labels[row], T(args.margin) - load(x + args.labels[row], Part{1})[0]};
}

template <class T> DT_INLINE T label_share(const MultiMarginArgs& args, int64_t row) {
    const T* weight = static_cast<const T*>(args.class_weight);
    return (weight ? weight[args.labels[row]] : T(1)) / T(args.classes);
}

template <class S> void multi_margin_forward(const MultiMarginArgs& args) {
    using T = Arithmetic<S>;
    const bool square = args.power == 2;
    parallel(args.rows, grain_for(args.classes), [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
            const Excess<S> excess = excess_of<S>(args, r);
            const T total = sum_vectors<T>(args.classes, [&](int64_t c, auto part) DT_INLINE_LAMBDA {
                const Vec<T> z = excess(c, part);
                return square ? z * z : z;
            });
            static_cast<T*>(args.losses)[r] = total * label_share<T>(args, r);
        }
    });
}

template <class S> void multi_margin_backward(const MultiMarginArgs& args) {
    using T = Arithmetic<S>;
    const bool square = args.power == 2;
    const T* grads = static_cast<const T*>(args.row_grad);
    const T* weight = static_cast<const T*>(args.sample_weight);
    const T divisor = args.divisor ? *static_cast<const T*>(args.divisor) : T(1);
    parallel(args.rows, grain_for(args.classes), [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
            const Excess<S> excess = excess_of<S>(args, r);
            const T factor = grads[r * args.row_grad_stride] * (weight ? weight[r] : T(1)) / divisor *
                             label_share<T>(args, r);
            S* dx = static_cast<S*>(args.input_grad) + r * args.classes;
            const T total = sum_vectors<T>(args.classes, [&](int64_t c, auto part) DT_INLINE_LAMBDA {
                const Vec<T> z = excess(c, part);
                const Vec<T> slope = square ? z * T(2) : select(z > T(0), broadcast(T(1)), Vec<T>{});
                store(dx + c, slope * factor, part);
                return slope;
            });
            store(dx + args.labels[r], broadcast(-total * factor), Part{1});
        }
    });
}

} // namespace

Loss loss() {
    return {scratch,
            {forward<float>, forward<double>},
            {backward<float>, backward<double>},
            {weighted_sum<float>, weighted_sum<double>},
            DT_PRECISIONS(multi_margin_forward),
            DT_PRECISIONS(multi_margin_backward)};
}

} // namespace dt::cpu::DT_LEVEL
