#include "kernels/optim.h"

#include "kernels/cpu/lanes.h"

namespace dt::cpu::DT_LEVEL {
namespace {

constexpr int64_t kBlock = 16384; // elements of the concatenation handed out at once

template <class T> constexpr T kLargest = T();
template <> constexpr float kLargest<float> = __FLT_MAX__;
template <> constexpr double kLargest<double> = __DBL_MAX__;

int64_t total_size(int64_t count, const OptimTensor* tensors) {
    int64_t total = 0;
    for (int64_t i = 0; i < count; ++i) total += tensors[i].size;
    return total;
}

// body(tensor, begin, end) for the pieces of [begin, end) of all tensors laid end to end.
template <class F>
DT_INLINE void for_pieces(const OptimTensor* tensors, int64_t begin, int64_t end, const F& body) {
    int64_t start = 0;
    for (const OptimTensor* t = tensors; start < end; start += t++->size) {
        const int64_t from = begin > start ? begin - start : 0;
        const int64_t to = end - start < t->size ? end - start : t->size;
        if (from < to) body(*t, from, to);
    }
}

template <class F> DT_INLINE void for_all_pieces(int64_t count, const OptimTensor* tensors, const F& body) {
    parallel(total_size(count, tensors), kBlock,
             [&](int64_t begin, int64_t end) { for_pieces(tensors, begin, end, body); });
}

// Looks at the gradients of a piece as they are loaded, where the step has a `nonfinite`.
template <class T> struct Watch {
    bool* nonfinite;
    Mask<T> bad{};

    DT_INLINE Vec<T> seen(Vec<T> gradient) {
        if (!nonfinite) return gradient;
        const Mask<T> finite = abs(gradient) <= broadcast(kLargest<T>);
        bad |= ~finite;
        return select(finite, gradient, zero<T>());
    }
    DT_INLINE void report() const {
        if (nonfinite && any(bad)) __atomic_store_n(nonfinite, true, __ATOMIC_RELAXED);
    }
};

template <class T> void sgd(const SgdArgs& args) {
    const T rate = T(args.learning_rate), momentum = T(args.momentum), fraction = T(1 - args.dampening);
    const T decay = T(args.weight_decay),
            scale = T(args.maximize ? -args.gradient_scale : args.gradient_scale);
    const bool nesterov = args.nesterov;
    for_all_pieces(args.count, args.tensors, [&](const OptimTensor& t, int64_t begin, int64_t end) {
        T* parameter = static_cast<T*>(t.parameter) + begin;
        const T* gradient = static_cast<const T*>(t.gradient) + begin;
        T* buffer = t.first ? static_cast<T*>(t.first) + begin : nullptr;
        const bool fresh = t.fresh;
        Watch<T> watch{args.nonfinite};
        for_vectors<T>(end - begin, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
            const Vec<T> p = load(parameter + i, part);
            Vec<T> g = watch.seen(load(gradient + i, part)) * scale;
            if (decay != 0) g += p * decay;
            if (buffer) {
                const Vec<T> b = fresh ? g : load(buffer + i, part) * momentum + g * fraction;
                store(buffer + i, b, part);
                g = nesterov ? g + b * momentum : b;
            }
            store(parameter + i, p - g * rate, part);
        });
        watch.report();
    });
}

template <class T> void adam(const AdamArgs& args) {
    const T rest1 = T(1 - args.beta1), beta2 = T(args.beta2), rest2 = T(1 - args.beta2);
    const T epsilon = T(args.epsilon), scale = T(args.maximize ? -args.gradient_scale : args.gradient_scale);
    const T coupled = T(args.decoupled ? 0 : args.weight_decay);
    const T keep = T(args.decoupled ? 1 - args.learning_rate * args.weight_decay : 1);
    for_all_pieces(args.count, args.tensors, [&](const OptimTensor& t, int64_t begin, int64_t end) {
        T* parameter = static_cast<T*>(t.parameter) + begin;
        const T* gradient = static_cast<const T*>(t.gradient) + begin;
        T* mean = static_cast<T*>(t.first) + begin;
        T* square = static_cast<T*>(t.second) + begin;
        T* maximum = t.maximum ? static_cast<T*>(t.maximum) + begin : nullptr;
        const T rate = T(args.learning_rate / (1 - __builtin_pow(args.beta1, double(t.step))));
        const T unbias = T(1 / __builtin_sqrt(1 - __builtin_pow(args.beta2, double(t.step))));
        Watch<T> watch{args.nonfinite};
        for_vectors<T>(end - begin, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
            Vec<T> p = load(parameter + i, part) * keep;
            Vec<T> g = watch.seen(load(gradient + i, part)) * scale;
            if (coupled != 0) g += p * coupled;
            const Vec<T> old = load(mean + i, part);
            const Vec<T> m = old + (g - old) * rest1;
            Vec<T> v = load(square + i, part) * beta2 + g * g * rest2;
            store(mean + i, m, part);
            store(square + i, v, part);
            if (maximum) {
                v = max(load(maximum + i, part), v);
                store(maximum + i, v, part);
            }
            store(parameter + i, p - m * rate / (sqrt(v) * unbias + epsilon), part);
        });
        watch.report();
    });
}

int64_t norm_scratch(int64_t count, const OptimTensor* tensors) {
    return ceil_div(total_size(count, tensors), kBlock);
}

template <class T> DT_INLINE double grad_piece(GradNorm kind, const T* gradient, int64_t n, double so_far) {
    constexpr int64_t w = kLanes<double>;
    Vec<double> a{}, b{};
    double result = so_far;
    int64_t i = 0;
    if (kind == GradNorm::two) {
        for (; i + 2 * w <= n; i += 2 * w) {
            const Vec<double> x = load_double(gradient + i), y = load_double(gradient + i + w);
            a += x * x;
            b += y * y;
        }
        result += sum(a + b);
        for (; i < n; ++i) result += double(gradient[i]) * double(gradient[i]);
    } else if (kind == GradNorm::one) {
        for (; i + 2 * w <= n; i += 2 * w) {
            a += abs(load_double(gradient + i));
            b += abs(load_double(gradient + i + w));
        }
        result += sum(a + b);
        for (; i < n; ++i) result += abs(double(gradient[i]));
    } else {
        for (; i + w <= n; i += w) a = max(a, abs(load_double(gradient + i)));
        result = max(result, horizontal_max(a));
        for (; i < n; ++i) result = max(result, abs(double(gradient[i])));
    }
    return result;
}

template <class T> double norm(GradNorm kind, int64_t count, const OptimTensor* tensors, double* scratch) {
    const int64_t total = total_size(count, tensors);
    parallel(total, kBlock, [&](int64_t begin, int64_t end) {
        double result = 0;
        for_pieces(tensors, begin, end, [&](const OptimTensor& t, int64_t first, int64_t last) {
            result = grad_piece(kind, static_cast<const T*>(t.gradient) + first, last - first, result);
        });
        scratch[begin / kBlock] = result;
    });
    double result = 0;
    for (int64_t b = 0; b < ceil_div(total, kBlock); ++b)
        result = kind == GradNorm::infinity ? max(result, scratch[b]) : result + scratch[b];
    return result;
}

template <class T> void scale(int64_t count, const OptimTensor* tensors, double factor) {
    for_all_pieces(count, tensors, [&](const OptimTensor& t, int64_t begin, int64_t end) {
        T* gradient = static_cast<T*>(t.gradient) + begin;
        for_vectors<T>(end - begin, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
            store(gradient + i, load(gradient + i, part) * T(factor), part);
        });
    });
}

template <class T> bool finite(int64_t n, const void* given) {
    const T* values = static_cast<const T*>(given);
    bool result = true;
    parallel(n, kBlock, [&](int64_t begin, int64_t end) {
        const T zero = sum_vectors<T>(end - begin, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
            const Vec<T> x = load(values + begin + i, part);
            return x - x; // NaN for infinity and NaN
        });
        if (zero != 0) __atomic_store_n(&result, false, __ATOMIC_RELAXED);
    });
    return result;
}

} // namespace

Optim optim() {
    return {{sgd<float>, sgd<double>},   {adam<float>, adam<double>},   norm_scratch,
            {norm<float>, norm<double>}, {scale<float>, scale<double>}, {finite<float>, finite<double>}};
}

} // namespace dt::cpu::DT_LEVEL
