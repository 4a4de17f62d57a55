#pragma once
// Winograd's convolution F(4x4, 3x3) (Lavin and Gray 2015, "Fast Algorithms for Convolutional Neural
// Networks"): a tile of 4 x 4 outputs from 6 x 6 inputs costs 36 products per pair of channels instead of
// 144. It evaluates polynomials at 0, +-5/8, +-3/2 and infinity. Those points are exact in binary and give a
// fifth of the error of the usual 0, +-1, +-2 (measured); see docs/reproducibility.md.
//
// With X for the 6 x 6 inputs, w for the 3 x 3 weight, g for the gradient of the 4 x 4 outputs:
//     y  = A' [ (G w G') * sum over channels (B' X B) ] A
//     dw = G' [ sum over tiles (A g A') * (B' X B) ] G
// Each function does one side of such a product: a line of n vectors, `step` apart, to one of m.
#include "kernels/cpu/common.h"

namespace dt::cpu::DT_LEVEL {
namespace {

constexpr int kWinogradTile = 4, kWinogradPoints = 6, kWinogradProducts = 36;

namespace winograd {

using V = Vec<float>;
constexpr float a = 0.625f, b = 1.5f; // the points 0, a, -a, b, -b, infinity
constexpr float aa = a * a, bb = b * b;
// What G divides by: the products of the distances from one point to the others.
constexpr float at_0 = 1 / (aa * bb), at_a = 1 / (2 * aa * (aa - bb)), at_b = 1 / (2 * bb * (bb - aa));

template <int step> DT_INLINE void input_line(const V* x, V* r) { // B': 6 to 6
    const V x0 = x[0], x1 = x[step], x2 = x[2 * step], x3 = x[3 * step], x4 = x[4 * step], x5 = x[5 * step];
    const V even_a = x4 - bb * x2, odd_a = x3 - bb * x1, even_b = x4 - aa * x2, odd_b = x3 - aa * x1;
    r[0] = (aa * bb) * x0 + (x4 - (aa + bb) * x2);
    r[step] = even_a + a * odd_a;
    r[2 * step] = even_a - a * odd_a;
    r[3 * step] = even_b + b * odd_b;
    r[4 * step] = even_b - b * odd_b;
    r[5 * step] = (aa * bb) * x1 + (x5 - (aa + bb) * x3);
}
template <int from, int to> DT_INLINE void weight_line(const V* w, V* r) { // G: 3 to 6
    const V w0 = w[0], w1 = w[from], w2 = w[2 * from];
    const V even_a = at_a * w0 + (aa * at_a) * w2, even_b = at_b * w0 + (bb * at_b) * w2;
    r[0] = at_0 * w0;
    r[to] = even_a + (a * at_a) * w1;
    r[2 * to] = even_a - (a * at_a) * w1;
    r[3 * to] = even_b + (b * at_b) * w1;
    r[4 * to] = even_b - (b * at_b) * w1;
    r[5 * to] = w2;
}
template <int from, int to> DT_INLINE void output_line(const V* m, V* r) { // A': 6 to 4
    const V m0 = m[0], m1 = m[from], m2 = m[2 * from], m3 = m[3 * from], m4 = m[4 * from], m5 = m[5 * from];
    const V even_a = m1 + m2, odd_a = m1 - m2, even_b = m3 + m4, odd_b = m3 - m4;
    r[0] = m0 + even_a + even_b;
    r[to] = a * odd_a + b * odd_b;
    r[2 * to] = aa * even_a + bb * even_b;
    r[3 * to] = (a * aa) * odd_a + ((b * bb) * odd_b + m5);
}
template <int from, int to> DT_INLINE void gradient_line(const V* g, V* r) { // A: 4 to 6
    const V g0 = g[0], g1 = g[from], g2 = g[2 * from], g3 = g[3 * from];
    const V even_a = g0 + aa * g2, odd_a = g1 + aa * g3, even_b = g0 + bb * g2, odd_b = g1 + bb * g3;
    r[0] = g0;
    r[to] = even_a + a * odd_a;
    r[2 * to] = even_a - a * odd_a;
    r[3 * to] = even_b + b * odd_b;
    r[4 * to] = even_b - b * odd_b;
    r[5 * to] = g3;
}
template <int from, int to> DT_INLINE void weight_gradient_line(const V* s, V* r) { // G': 6 to 3
    const V s0 = s[0], s1 = s[from], s2 = s[2 * from], s3 = s[3 * from], s4 = s[4 * from], s5 = s[5 * from];
    const V even_a = s1 + s2, odd_a = s1 - s2, even_b = s3 + s4, odd_b = s3 - s4;
    r[0] = at_0 * s0 + (at_a * even_a + at_b * even_b);
    r[to] = (a * at_a) * odd_a + (b * at_b) * odd_b;
    r[2 * to] = (aa * at_a) * even_a + ((bb * at_b) * even_b + s5);
}

// Both sides: x of 6 x 6, w and dw of 3 x 3, y and g of 4 x 4 vectors, in rows. Results go to to[i * step].
DT_INLINE void input(const V* x, float* to, int64_t step) {
    V t[36], r[6];
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) input_line<6>(x + i, t + i);
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) {
        input_line<1>(t + i * 6, r);
#pragma GCC unroll 6
        for (int j = 0; j < 6; ++j) store(to + (i * 6 + j) * step, r[j]);
    }
}
DT_INLINE void weight(const V* w, float* to, int64_t step) {
    V t[18], r[6];
#pragma GCC unroll 3
    for (int i = 0; i < 3; ++i) weight_line<3, 3>(w + i, t + i);
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) {
        weight_line<1, 1>(t + i * 3, r);
#pragma GCC unroll 6
        for (int j = 0; j < 6; ++j) store(to + (i * 6 + j) * step, r[j]);
    }
}
DT_INLINE void gradient(const V* g, float* to, int64_t step) {
    V t[24], r[6];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) gradient_line<4, 4>(g + i, t + i);
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) {
        gradient_line<1, 1>(t + i * 4, r);
#pragma GCC unroll 6
        for (int j = 0; j < 6; ++j) store(to + (i * 6 + j) * step, r[j]);
    }
}
// The other two read from[i * step] and leave vectors.
DT_INLINE void output(const float* from, int64_t step, V* y) {
    V t[24], m[6];
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) {
#pragma GCC unroll 6
        for (int j = 0; j < 6; ++j) m[j] = load(from + (j * 6 + i) * step);
        output_line<1, 6>(m, t + i);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) output_line<1, 1>(t + i * 6, y + i * 4);
}
DT_INLINE void weight_gradient(const float* from, int64_t step, V* dw) {
    V t[18], s[6];
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) {
#pragma GCC unroll 6
        for (int j = 0; j < 6; ++j) s[j] = load(from + (j * 6 + i) * step);
        weight_gradient_line<1, 6>(s, t + i);
    }
#pragma GCC unroll 3
    for (int i = 0; i < 3; ++i) weight_gradient_line<1, 1>(t + i * 6, dw + i * 3);
}

} // namespace winograd
} // namespace
} // namespace dt::cpu::DT_LEVEL
