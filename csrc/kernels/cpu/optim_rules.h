#pragma once
// One struct per OptimRule: made for a tensor, it turns vectors of the parameter and of the gradient (scaled,
// clipped, with weight decay) into the new parameter, and renews what is kept.
#include "kernels/cpu/lanes.h"
#include "kernels/optim.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {
namespace {

template <class T> struct Kept { // of a piece of a tensor
    T *first, *second, *third;

    Kept(const OptimTensor& t, int64_t begin)
        : first(at(t.first, begin)), second(at(t.second, begin)), third(at(t.third, begin)) {}
    static T* at(void* p, int64_t begin) { return p ? static_cast<T*>(p) + begin : nullptr; }
};

inline double power(double base, int64_t exponent) { return __builtin_pow(base, double(exponent)); }

// Moves what is kept at `p` by `share` of the way to `value`.
template <class T, class P> DT_INLINE Vec<T> moved(T* p, Vec<T> value, T share, P part) {
    const Vec<T> old = load(p, part), now = old + (value - old) * share;
    store(p, now, part);
    return now;
}
// The mean of squares kept at `p`, after one more.
template <class T, class P> DT_INLINE Vec<T> mean_square(T* p, Vec<T> value, T share, T rest, P part) {
    const Vec<T> now = load(p, part) * share + value * value * rest;
    store(p, now, part);
    return now;
}
template <class T> DT_INLINE Vec<T> sign(Vec<T> x) { // NaN of NaN
    return select(abs(x) > zero<T>(), copysign(broadcast(T(1)), x), x);
}

template <class T> struct SgdRule {
    T rate, momentum, fraction;
    bool fresh, nesterov;

    SgdRule(const StepArgs& a, const OptimTensor& t)
        : rate(T(a.learning_rate)), momentum(T(a.momentum)), fraction(T(1 - a.dampening)), fresh(t.fresh),
          nesterov(a.nesterov) {}
    template <class P> DT_INLINE Vec<T> step(Vec<T> p, Vec<T> g, Kept<T> kept, int64_t i, P part) const {
        if (kept.first) {
            const Vec<T> b = fresh ? g : load(kept.first + i, part) * momentum + g * fraction;
            store(kept.first + i, b, part);
            g = nesterov ? g + b * momentum : b;
        }
        return p - g * rate;
    }
};

template <class T> struct AdamRule {
    T rest1, beta2, rest2, epsilon, rate, unbias;

    AdamRule(const StepArgs& a, const OptimTensor& t)
        : rest1(T(1 - a.beta1)), beta2(T(a.beta2)), rest2(T(1 - a.beta2)), epsilon(T(a.epsilon)),
          rate(T(a.learning_rate / (1 - power(a.beta1, t.step)))),
          unbias(T(1 / __builtin_sqrt(1 - power(a.beta2, t.step)))) {}
    template <class P> DT_INLINE Vec<T> step(Vec<T> p, Vec<T> g, Kept<T> kept, int64_t i, P part) const {
        const Vec<T> m = moved(kept.first + i, g, rest1, part);
        Vec<T> v = mean_square(kept.second + i, g, beta2, rest2, part);
        if (kept.third) {
            v = max(load(kept.third + i, part), v);
            store(kept.third + i, v, part);
        }
        return p - m * rate / (sqrt(v) * unbias + epsilon);
    }
};

template <class T> struct AdagradRule {
    T rate, epsilon;

    AdagradRule(const StepArgs& a, const OptimTensor& t)
        : rate(T(a.learning_rate / (1 + double(t.step - 1) * a.decay))), epsilon(T(a.epsilon)) {}
    template <class P> DT_INLINE Vec<T> step(Vec<T> p, Vec<T> g, Kept<T> kept, int64_t i, P part) const {
        const Vec<T> sum = load(kept.first + i, part) + g * g;
        store(kept.first + i, sum, part);
        return p - g * rate / (sqrt(sum) + epsilon);
    }
};

template <class T> struct AdadeltaRule {
    T rate, rho, rest, epsilon;

    AdadeltaRule(const StepArgs& a, const OptimTensor&)
        : rate(T(a.learning_rate)), rho(T(a.beta2)), rest(T(1 - a.beta2)), epsilon(T(a.epsilon)) {}
    template <class P> DT_INLINE Vec<T> step(Vec<T> p, Vec<T> g, Kept<T> kept, int64_t i, P part) const {
        const Vec<T> square = mean_square(kept.first + i, g, rho, rest, part);
        const Vec<T> before = load(kept.second + i, part);
        const Vec<T> change = sqrt((before + epsilon) / (square + epsilon)) * g;
        store(kept.second + i, before * rho + change * change * rest, part);
        return p - change * rate;
    }
};

template <class T> struct RmspropRule {
    T rate, alpha, rest, epsilon, momentum;

    RmspropRule(const StepArgs& a, const OptimTensor&)
        : rate(T(a.learning_rate)), alpha(T(a.beta2)), rest(T(1 - a.beta2)), epsilon(T(a.epsilon)),
          momentum(T(a.momentum)) {}
    template <class P> DT_INLINE Vec<T> step(Vec<T> p, Vec<T> g, Kept<T> kept, int64_t i, P part) const {
        Vec<T> square = mean_square(kept.first + i, g, alpha, rest, part);
        if (kept.third) {
            const Vec<T> mean = moved(kept.third + i, g, rest, part);
            square = max(square - mean * mean, zero<T>()); // rounding may take it below 0
        }
        const Vec<T> direction = g / (sqrt(square) + epsilon);
        if (!kept.second) return p - direction * rate;
        const Vec<T> buffer = load(kept.second + i, part) * momentum + direction;
        store(kept.second + i, buffer, part);
        return p - buffer * rate;
    }
};

template <class T> struct AdamaxRule {
    T rest1, beta2, epsilon, rate;

    AdamaxRule(const StepArgs& a, const OptimTensor& t)
        : rest1(T(1 - a.beta1)), beta2(T(a.beta2)), epsilon(T(a.epsilon)),
          rate(T(a.learning_rate / (1 - power(a.beta1, t.step)))) {}
    template <class P> DT_INLINE Vec<T> step(Vec<T> p, Vec<T> g, Kept<T> kept, int64_t i, P part) const {
        const Vec<T> m = moved(kept.first + i, g, rest1, part);
        const Vec<T> largest = max(load(kept.second + i, part) * beta2, abs(g) + epsilon);
        store(kept.second + i, largest, part);
        return p - m * rate / largest;
    }
};

template <class T> struct NadamRule {
    T rest1, beta2, rest2, epsilon, unbias, gradient_rate, mean_rate;

    NadamRule(const StepArgs& a, const OptimTensor& t)
        : rest1(T(1 - a.beta1)), beta2(T(a.beta2)), rest2(T(1 - a.beta2)), epsilon(T(a.epsilon)),
          unbias(T(1 / __builtin_sqrt(1 - power(a.beta2, t.step)))) {
        const double next_product = t.momentum_product * a.next_momentum;
        gradient_rate = T(a.learning_rate * (1 - a.momentum) / (1 - t.momentum_product));
        mean_rate = T(a.learning_rate * a.next_momentum / (1 - next_product));
    }
    template <class P> DT_INLINE Vec<T> step(Vec<T> p, Vec<T> g, Kept<T> kept, int64_t i, P part) const {
        const Vec<T> m = moved(kept.first + i, g, rest1, part);
        const Vec<T> v = mean_square(kept.second + i, g, beta2, rest2, part);
        return p - (g * gradient_rate + m * mean_rate) / (sqrt(v) * unbias + epsilon);
    }
};

template <class T> struct RadamRule {
    T rest1, beta2, rest2, epsilon, rate;
    bool rectified; // the mean of squares is of enough gradients to be of use

    RadamRule(const StepArgs& a, const OptimTensor& t)
        : rest1(T(1 - a.beta1)), beta2(T(a.beta2)), rest2(T(1 - a.beta2)), epsilon(T(a.epsilon)) {
        const double left = power(a.beta2, t.step), longest = 2 / (1 - a.beta2) - 1;
        const double length = longest - 2 * double(t.step) * left / (1 - left);
        double factor = a.learning_rate / (1 - power(a.beta1, t.step));
        rectified = length > 5;
        if (rectified)
            factor *= __builtin_sqrt((1 - left) * (length - 4) * (length - 2) * longest /
                                     ((longest - 4) * (longest - 2) * length));
        rate = T(factor);
    }
    template <class P> DT_INLINE Vec<T> step(Vec<T> p, Vec<T> g, Kept<T> kept, int64_t i, P part) const {
        const Vec<T> m = moved(kept.first + i, g, rest1, part);
        const Vec<T> v = mean_square(kept.second + i, g, beta2, rest2, part);
        return rectified ? p - m * rate / (sqrt(v) + epsilon) : p - m * rate;
    }
};

template <class T> struct RpropRule {
    T shrink, grow, least, most;

    RpropRule(const StepArgs& a, const OptimTensor&)
        : shrink(T(a.shrink)), grow(T(a.grow)), least(T(a.least_step)), most(T(a.most_step)) {}
    template <class P> DT_INLINE Vec<T> step(Vec<T> p, Vec<T> g, Kept<T> kept, int64_t i, P part) const {
        const Vec<T> product = load(kept.first + i, part) * g;
        const Mask<T> turned = product < zero<T>();
        const Vec<T> factor =
            select(turned, broadcast(shrink), select(product > zero<T>(), broadcast(grow), broadcast(T(1))));
        const Vec<T> size = clamp(load(kept.second + i, part) * factor, broadcast(least), broadcast(most));
        store(kept.second + i, size, part);
        g = select(turned, zero<T>(), g); // no step back, and none to compare the next one with
        store(kept.first + i, g, part);
        return p - sign<T>(g) * size;
    }
};

template <class T> struct LionRule {
    T rate, beta1, rest1, beta2, rest2;

    LionRule(const StepArgs& a, const OptimTensor&)
        : rate(T(a.learning_rate)), beta1(T(a.beta1)), rest1(T(1 - a.beta1)), beta2(T(a.beta2)),
          rest2(T(1 - a.beta2)) {}
    template <class P> DT_INLINE Vec<T> step(Vec<T> p, Vec<T> g, Kept<T> kept, int64_t i, P part) const {
        const Vec<T> m = load(kept.first + i, part);
        store(kept.first + i, m * beta2 + g * rest2, part);
        return p - sign<T>(m * beta1 + g * rest1) * rate;
    }
};

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
