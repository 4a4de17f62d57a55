#pragma once
// Pieces shared by the activations and their gradients, on vectors.
#include "kernels/cpu/math.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

namespace dt::cpu::DT_LEVEL {
namespace {

constexpr double kSeluScale = 1.0507009873554805, kSeluAlpha = 1.6732632423543772; // Klambauer et al., 2017

template <class V> DT_INLINE V selu(V x) {
    using T = Lane<V>;
    return select(x > V{}, x * T(kSeluScale), T(kSeluScale * kSeluAlpha) * expm1(x));
}
// log(1 + exp(x)), without overflow
template <class V> DT_INLINE V softplus(V x) { return select(x < V{}, V{}, x) + log1p(exp(-abs(x))); }
template <class V> DT_INLINE V log_sigmoid(V x) { return select(x > V{}, V{}, x) - log1p(exp(-abs(x))); }

// The normal distribution: probability below x, and density at x.
template <class V> DT_INLINE V normal_cdf(V x) {
    using T = Lane<V>;
    return T(0.5) + T(0.5) * erf(x * T(0.70710678118654752440));
}
template <class V> DT_INLINE V normal_density(V x) {
    using T = Lane<V>;
    return T(0.39894228040143267794) * exp(x * x * T(-0.5));
}

// gelu_tanh is x sigmoid(2 u), as (1 + tanh u) / 2 = sigmoid(2 u), with u = sqrt(2 / pi) (x + 0.044715 x^3).
template <class V> DT_INLINE V gelu_argument(V x) {
    using T = Lane<V>;
    return T(1.5957691216057307) * x * fma(x * x, broadcast(T(0.044715)), broadcast(T(1)));
}
template <class V> DT_INLINE V gelu_argument_slope(V x) {
    using T = Lane<V>;
    return T(1.5957691216057307) * fma(x * x, broadcast(T(3 * 0.044715)), broadcast(T(1)));
}

// Gradients: g times the slope at x.
template <class V> DT_INLINE V gelu_tanh_grad(V g, V x) {
    const V s = sigmoid(gelu_argument(x));
    return g * s * fma(x * gelu_argument_slope(x), Lane<V>(1) - s, broadcast(Lane<V>(1)));
}
template <class V> DT_INLINE V silu_grad(V g, V x) {
    const V s = sigmoid(x);
    return g * s * fma(x, Lane<V>(1) - s, broadcast(Lane<V>(1)));
}
template <class V> DT_INLINE V mish_grad(V g, V x) {
    const V t = tanh(softplus(x));
    return g * fma(x * sigmoid(x), Lane<V>(1) - t * t, t);
}
template <class V> DT_INLINE V softsign_grad(V g, V x) {
    const V d = Lane<V>(1) + abs(x);
    return g / (d * d);
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
