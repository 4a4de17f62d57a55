#pragma once
// x ** y, asinh, acosh and atanh of a Vec<float> or Vec<double>.
#include "kernels/cpu/math.h"

namespace dt::cpu::DT_LEVEL {
namespace {

// a b - p, where p is a b rounded: in one instruction, lest the compiler take a b for p.
DT_INLINE Vec<double> product_error(Vec<double> a, Vec<double> b, Vec<double> p) {
#if defined(DT_LEVEL_v4)
    return (Vec<double>)_mm512_fmsub_pd((__m512d)a, (__m512d)b, (__m512d)p);
#elif defined(DT_LEVEL_v3)
    return (Vec<double>)_mm256_fmsub_pd((__m256d)a, (__m256d)b, (__m256d)p);
#elif defined(__aarch64__)
    for (int i = 0; i < kLanes<double>; ++i) p[i] = __builtin_fma(a[i], b[i], -p[i]);
    return p;
#else // Dekker (1971): halves of the factors have exact products
    constexpr int64_t upper_half = int64_t(0xfffffffff8000000);
    const Vec<double> ah = (Vec<double>)((Vec<int64_t>)a & upper_half), al = a - ah;
    const Vec<double> bh = (Vec<double>)((Vec<int64_t>)b & upper_half), bl = b - bh;
    return ((ah * bh - p) + ah * bl + al * bh) + al * bl;
#endif
}

// log x for x > 0 as high + low, with about half as many bits again as one number holds. 0 and infinity give
// infinite ones.
DT_INLINE Vec<double> extended_log(Vec<double> x, Vec<double>& low) {
    using V = Vec<double>;
    using F = FloatFormat<double>;
    constexpr double third = 0x1.5555555555555p-1, third_low = 0x1.5555555555555p-55; // 2 / 3
    V k;
    const V m = split_exponent(x, k);
    // log m = 2 atanh(s) = 2 s + s^3 (2/3 + s^2 Q(s^2)) with s = (m - 1) / (m + 1), all in two parts.
    const V up = m - 1.0, down = m + 1.0, down_low = m - (down - 1.0), inverse = 1.0 / down;
    const V s = up * inverse, s_low = -(product_error(s, down, up) + s * down_low) * inverse;
    const V z = s * s, z_low = product_error(s, s, z) + 2.0 * s * s_low;
    const V w = s * z, w_low = product_error(s, z, w) + s * z_low + s_low * z;
    constexpr double c[] = {0.399999999999997025, 0.285714285715861827, 0.222222221898587619,
                            0.181818216388405979, 0.153844014548043556, 0.133412814021822229,
                            0.115904324591136088, 0.125826448414451064};
    const V t = w * third, t_low = product_error(w, broadcast(third), t) + w * third_low + w_low * third +
                                   w * (z * polynomial(z, c));
    const V twice = s + s, part = twice + t, whole = k * F::ln2_high, sum = whole + part;
    const V rest = ((twice - part) + t) + ((whole - sum) + part) + (2.0 * s_low + t_low + k * F::ln2_low);
    const V high = sum + rest;
    const Mask<double> finite = abs(k) < __builtin_inf();
    low = select(finite, (sum - high) + rest, V{});
    return select(finite, high, k + m);
}

// exp(x + low): the rounding of the result is nearly all of its error.
DT_INLINE Vec<double> extended_exp(Vec<double> x, Vec<double> low) {
    using V = Vec<double>;
    using F = FloatFormat<double>;
    const V magic = broadcast(F::magic), c = clamp(x, broadcast(F::exp_low), broadcast(F::exp_high));
    const V n = c * 1.44269504088896340736 + magic - magic, first = c - n * F::ln2_high;
    const V second = select(c == x, low, V{}) - n * F::ln2_low;
    const V r = first + second, r_low = (first - r) + second;
    const V y = 1.0 + r, y_low = (1.0 - y) + r;
    return scale(y + (y_low + (r_low * y + (expm1_reduced(r) - r))), n);
}
DT_INLINE Vec<double> positive_power(Vec<double> x, Vec<double> y) {
    Vec<double> low;
    const Vec<double> high = extended_log(x, low), product = y * high;
    return extended_exp(product, product_error(y, high, product) + y * low);
}

#if defined(DT_LEVEL_v4)
// One of 32 values for each lane, by the low bits of its index: they stay in two registers.
DT_INLINE Vec<float> look_up(const float (&table)[32], Vec<int32_t> index) {
    return (Vec<float>)_mm512_permutex2var_ps((__m512)load(table), (__m512i)index, (__m512)load(table + 16));
}
DT_INLINE Vec<float> product_error(Vec<float> a, Vec<float> b, Vec<float> p) {
    return (Vec<float>)_mm512_fmsub_ps((__m512)a, (__m512)b, (__m512)p);
}

// Without double, half of whose lanes there are: log2 x = k + log2 (1 / c) + log2 (m c) in two floats, where
// c is 1 / m of the middle of one of 32 parts, but 1 in the first and 1/2 in the last, on both sides of x
// = 1.
DT_INLINE Vec<float> positive_power(Vec<float> x, Vec<float> y) {
    using V = Vec<float>;
    constexpr float inverse[32] = {
        1.0f,         0.955223858f, 0.927536249f, 0.901408434f, 0.876712322f, 0.853333354f, 0.83116883f,
        0.810126603f, 0.790123463f, 0.771084309f, 0.752941191f, 0.735632181f, 0.719101131f, 0.703296721f,
        0.688172042f, 0.673684239f, 0.659793794f, 0.646464646f, 0.633663356f, 0.621359229f, 0.609523833f,
        0.598130822f, 0.587155938f, 0.576576591f, 0.566371679f, 0.556521714f, 0.547008574f, 0.537815154f,
        0.528925598f, 0.520325184f, 0.512000024f, 0.5f};
    constexpr float log_high[32] = {
        0.0f,         0.0660858154f, 0.108520508f, 0.149749756f, 0.189819336f, 0.228820801f, 0.266784668f,
        0.303787231f, 0.33984375f,   0.375045776f, 0.409393311f, 0.442947388f, 0.475738525f, 0.507797241f,
        0.539154053f, 0.569854736f,  0.599914551f, 0.629364014f, 0.658218384f, 0.68649292f,  0.714248657f,
        0.741470337f, 0.768188477f,  0.794418335f, 0.820175171f, 0.845489502f, 0.870361328f, 0.894821167f,
        0.918869019f, 0.942520142f,  0.965789795f, 1.0f};
    constexpr float log_low[32] = {0.0f,
                                   3.40861834e-06f,
                                   3.92209358e-06f,
                                   -2.60948241e-06f,
                                   5.23369135e-06f,
                                   -2.14521924e-06f,
                                   1.87406977e-06f,
                                   -6.51954588e-06f,
                                   6.2421359e-06f,
                                   -6.29127589e-06f,
                                   -2.40262511e-06f,
                                   -3.88647231e-06f,
                                   -5.10920381e-06f,
                                   -2.63728975e-06f,
                                   4.75971729e-06f,
                                   8.10196582e-07f,
                                   -1.6642548e-06f,
                                   -7.39224879e-06f,
                                   -6.87819602e-06f,
                                   7.5938251e-06f,
                                   -3.19464857e-06f,
                                   -3.30482999e-06f,
                                   -4.08997948e-06f,
                                   -2.50354492e-06f,
                                   3.79689118e-06f,
                                   6.14828366e-07f,
                                   3.32024683e-06f,
                                   -3.47758305e-06f,
                                   -5.72081763e-06f,
                                   -5.58251759e-06f,
                                   -5.57878411e-06f,
                                   0.0f};
    constexpr float l[] = {0.333333332f, -0.250000934f, 0.200027564f, -0.162367714f};
    constexpr float e[] = {1.0f,           0.693147188f,   0.240226509f,   0.0555035492f,
                           0.00961805373f, 0.00133920216f, 0.000154626136f};
    constexpr float log2e = 0x1.715476p+0f, log2e_low = 0x1.4ae0cp-26f;
    const V k = (V)_mm512_maskz_getexp_ps(__mmask16(-1), (__m512)x);
    const V m = (V)_mm512_maskz_getmant_ps(__mmask16(-1), (__m512)x, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_zero);
    const Vec<int32_t> part = (Vec<int32_t>)m >> 18;
    const V c = look_up(inverse, part), product = m * c, r = product - 1.0f;
    // log (r + r_low + 1) = h + h_low with h = r - r^2 / 2
    const V r_low = product_error(m, c, product), minus_half = r * -0.5f, square = r * r;
    const V h = fma(r, minus_half, r);
    const V h_low = fma(r, minus_half, r - h) + fma(square * r, polynomial(r, l), r_low - r_low * r);
    // To base 2, and what belongs to c and k.
    const V t = h * log2e,
            t_low = product_error(h, broadcast(log2e), t) + fma(h, broadcast(log2e_low), h_low * log2e);
    const V whole = k + look_up(log_high, part), high = whole + t;
    const V low = ((whole - high) + t) + (t_low + look_up(log_low, part));
    // 2^(y (high + low)); infinite products leave a NaN fraction, for which any number will do.
    const V p = y * high, n = (V)_mm512_maskz_roundscale_ps(__mmask16(-1), (__m512)p, 8);
    const V f = (p - n) + fma(y, low, product_error(y, high, p));
    const V fraction =
        (V)_mm512_maskz_range_ps(__mmask16(-1), (__m512)f, (__m512)broadcast(1.0f), 2); // 1 at most
    return scale(polynomial(fraction, e), n);
}
#else
// (1 + f) ** y 2^(k y) of floats, in double.
DT_INLINE HalfVec<float> half_power(HalfVec<float> f, HalfVec<float> k, HalfVec<float> y) {
    using V = Vec<double>;
    constexpr double l[] = {1.44269504127895587,   -0.721347520321557134, 0.480898155249077419,
                            -0.360673521881160031, 0.288553973440153655,  -0.240481012040865277,
                            0.20570617388998988,   -0.179153625852010279, 0.163816328401082068,
                            -0.160346040680086538, 0.133528752294512693,  -0.0570825284116899742};
    constexpr double e[] = {0.99999999995948341,   0.693147206742050104,   0.240226512142174581,
                            0.0555032714717156039, 0.00961802552001480085, 0.00134004589750832113,
                            0.00015469758512499197};
    const V m = __builtin_convertvector(f, V), whole = __builtin_convertvector(k, V);
    const V p = clamp((m * polynomial(m, l) + whole) * __builtin_convertvector(y, V), broadcast(-1000.0),
                      broadcast(1000.0));
    const V magic = broadcast(FloatFormat<double>::magic), n = p + magic - magic;
    return __builtin_convertvector(scale(polynomial(p - n, e), n), HalfVec<float>);
}
DT_INLINE Vec<float> positive_power(Vec<float> x, Vec<float> y) {
    Vec<float> k;
    const Vec<float> f = split_exponent(x, k) - 1.0f;
    return join(half_power(lower_half(f), lower_half(k), lower_half(y)),
                half_power(upper_half(f), upper_half(k), upper_half(y)));
}
#endif

template <FloatVec V> DT_INLINE V truncate(V x) {
    for (int i = 0; i < kLanes<Lane<V>>; ++i) x[i] = __builtin_trunc(x[i]);
    return x;
}

// What is not a matter of logarithms: y = 0, x = 1, x below 0.
template <FloatVec V> DT_INLINE V special_powers(V x, V y, V size) {
    using T = Lane<V>;
    const V one = broadcast(T(1)), infinity = broadcast(T(__builtin_inf()));
    const V half = y * T(0.5);
    const Mask<T> whole = truncate(y) == y, odd = whole & (truncate(half) != half), minus = (Mask<T>)x < 0;
    V r = select(minus & odd, -size, size);
    r = select((x < V{}) & (x > -infinity) & ~whole, broadcast(T(__builtin_nan(""))), r);
    r = select((x == -one) & (abs(y) == infinity), one, r);
    r = select((x != x) | (y != y), x + y, r);
    return select((y == V{}) | (x == one), one, r);
}

// x is not above 0 and finite, or y is not finite.
template <FloatVec V> DT_INLINE bool any_special(V x, V y) {
#if defined(DT_LEVEL_v4)
    constexpr int not_finite = 0x99, zero = 0x06, below_zero = 0x40; // classes of numbers of vfpclass
    if constexpr (sizeof(Lane<V>) == 4)
        return _mm512_fpclass_ps_mask((__m512)x, not_finite | zero | below_zero) |
               _mm512_fpclass_ps_mask((__m512)y, not_finite);
    else
        return _mm512_fpclass_pd_mask((__m512d)x, not_finite | zero | below_zero) |
               _mm512_fpclass_pd_mask((__m512d)y, not_finite);
#else
    constexpr Lane<V> infinity = Lane<V>(__builtin_inf());
    return any(~((x > V{}) & (x < infinity) & (abs(y) < infinity)));
#endif
}

template <FloatVec V> DT_INLINE V pow(V x, V y) {
    const V size = positive_power(abs(x), y);
    return __builtin_expect(any_special(x, y), false) ? special_powers(x, y, size) : size;
}

// --- Areas of the hyperbola ---

// Of a with z = a^2; float for a <= 1/2 only. Fitted here.
DT_INLINE Vec<float> small_asinh(Vec<float> a, Vec<float> z) {
    constexpr float c[] = {-0.1666666567f, 0.07499907166f,  -0.04461608455f,
                           0.03003337607f, -0.02004851215f, 0.009254713543f};
    return a + a * z * polynomial(z, c);
}

template <FloatVec V> DT_INLINE V asinh(V x) {
    using T = Lane<V>;
    const V a = abs(x), square = a * a, root = sqrt(T(1) + square);
    const Mask<T> large = a > T(sizeof(T) == 4 ? 0x1p30 : 0x1p60); // log(2 a)
    const V more = select(large, broadcast(T(0.69314718055994530942)), V{});
    V y;
    if constexpr (sizeof(T) == 4)
        y = select(a < T(0.5), small_asinh(a, square), log(select(large, a, a + root)) + more);
    else
        y = log1p(select(large, a, a + square / (T(1) + root))) + more;
    return copysign(y, x);
}
template <FloatVec V> DT_INLINE V acosh(V x) {
    using T = Lane<V>;
    const Mask<T> large = x > T(sizeof(T) == 4 ? 0x1p30 : 0x1p60);
    const V t = x - T(1), square = t * (x + T(1)), root = sqrt(square);
    const V more = select(large, broadcast(T(0.69314718055994530942)), V{});
    V y;
    if constexpr (sizeof(T) == 4)
        y = select(root < T(0.5), small_asinh(root, square), log(select(large, x, x + root)) + more);
    else
        y = log1p(select(large, x, t + root)) + more;
    return select(x < T(1), broadcast(T(__builtin_nan(""))), y);
}
template <FloatVec V> DT_INLINE V atanh(V x) {
    using T = Lane<V>;
    const V a = abs(x);
    V y;
    if constexpr (sizeof(T) == 4) {
        constexpr float c[] = {0.3333329856f, 0.2000258416f,  0.1422173977f,
                               0.1183101982f, 0.05111433566f, 0.1770017743f};
        const V z = a * a;
        y = select(a < T(0.5), a + a * z * polynomial(z, c), T(0.5) * log((T(1) + a) / (T(1) - a)));
    } else {
        y = T(0.5) * log1p((a + a) / (T(1) - a));
    }
    return copysign(y, x);
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
