#pragma once
<<<<<<< HEAD
// Pieces shared by the activations and their gradients, on vectors.
#include "kernels/cpu/math.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
=======
// The activations of the epilogues.
#include "kernels/cpu/math.h"
#include "kernels/gemm.h"
>>>>>>> 74c16d0 (GEMM: packing, blocking, register tiles per level, four parallel plans; FMA probe; kernel working memory)

namespace dt::cpu::DT_LEVEL {
namespace {

<<<<<<< HEAD
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
=======
template <FloatVec V> DT_INLINE V activate(V x, Activation activation) {
    using T = Lane<V>;
    switch (activation) {
    case Activation::none:
        return x;
    case Activation::relu:
        return max_or_second(V{}, x); // NaN stays
    case Activation::gelu_tanh:       // x (1 + tanh(u)) / 2 = x sigmoid(2 u)
        return x * sigmoid(x * (T(1.5957691216057308) + x * x * T(1.5957691216057308 * 0.044715)));
    case Activation::silu:
        return x * sigmoid(x);
    case Activation::sigmoid:
        return sigmoid(x);
    case Activation::tanh:
        return tanh(x);
    }
    return x;
}

// In place over `count` neighbours.
template <class T> void activate_row(T* p, int64_t count, Activation activation) {
    for (int64_t j = 0; j < count; j += kLanes<T>) {
        const int64_t left = count - j;
        store_upto(p + j, activate(load_upto(p + j, left), activation), left);
    }
>>>>>>> 74c16d0 (GEMM: packing, blocking, register tiles per level, four parallel plans; FMA probe; kernel working memory)
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
<<<<<<< HEAD
#pragma GCC diagnostic pop
=======
>>>>>>> 74c16d0 (GEMM: packing, blocking, register tiles per level, four parallel plans; FMA probe; kernel working memory)
