#pragma once
// exp, exp2, expm1, log, log1p, log2, log10, sinh, cosh, tanh, sigmoid and erf of a Vec<float> or
// Vec<double>; trigonometry.h and power.h have more. tests/test_vector_functions.py states the greatest
// errors: about one unit in the last place for exponentials and logarithms, three to four for hyperbolic
// functions, and 5 for the tanh of floats, just below 1. All are right at 0 (with its sign), denormals,
// infinities and NaN. A lane's result depends on its value only.
#include "kernels/cpu/vec.h"

namespace dt::cpu::DT_LEVEL {
namespace {

template <class V>
concept FloatVec = kFloating<V> && sizeof(V) == kVectorBytes;

template <class T> struct FloatFormat;
template <> struct FloatFormat<float> {
    static constexpr int mantissa_bits = 23;
    static constexpr int32_t bias = 127, one = 0x3f800000, sqrt_half = 0x3f3504f3, infinity = 0x7f800000;
    static constexpr float magic = 0x1.8p23f; // adding it leaves the nearest integer in the low bits
    static constexpr float smallest_normal = 0x1p-126f;
    // ln 2 in two parts, the first short enough that its product with an exponent is exact.
    static constexpr float ln2_high = 0x1.62ep-1f, ln2_low = 0x1.0bfbe8p-15f;
    static constexpr float exp_low = -104.0f, exp_high = 89.0f, expm1_low = -18.0f;
};
template <> struct FloatFormat<double> {
    static constexpr int mantissa_bits = 52;
    static constexpr int64_t bias = 1023, one = 0x3ff0000000000000, sqrt_half = 0x3fe6a09e667f3bcd,
                             infinity = 0x7ff0000000000000;
    static constexpr double magic = 0x1.8p52;
    static constexpr double smallest_normal = 0x1p-1022;
    static constexpr double ln2_high = 0x1.62e42feep-1, ln2_low = 0x1.a39ef35793c76p-33;
    static constexpr double exp_low = -746.0, exp_high = 710.0, expm1_low = -38.0;
};

#if defined(DT_LEVEL_v4)
constexpr auto kNaNBelowZero = _MM_MANTISSA_SIGN_ENUM(3); // and the sign of -0 dropped
#endif

// c[0] + c[1] x + c[2] x^2 + ... by Horner.
template <class V, int n> DT_INLINE V polynomial(V x, const Lane<V> (&c)[n]) {
    V y = broadcast(c[n - 1]);
#pragma GCC unroll 32
    for (int i = n - 2; i >= 0; --i) y = fma(y, x, broadcast(c[i]));
    return y;
}

// 2^n of whole numbers n within the range of normal exponents.
template <FloatVec V> DT_INLINE V power_of_two(V n) {
    using F = FloatFormat<Lane<V>>;
    using I = Mask<Lane<V>>;
    const V magic = broadcast(F::magic);
    const I k = (I)(n + magic) - (I)magic;
    return (V)((k + F::bias) << F::mantissa_bits);
}

// x 2^n, through denormals and to infinity.
template <FloatVec V> DT_INLINE V scale(V x, V n) {
#if defined(DT_LEVEL_v4)
    if constexpr (sizeof(Lane<V>) == 4)
        return (V)_mm512_mask_scalef_ps((__m512)x, __mmask16(-1), (__m512)x, (__m512)n);
    else
        return (V)_mm512_mask_scalef_pd((__m512d)x, __mmask8(-1), (__m512d)x, (__m512d)n);
#else
    const V magic = broadcast(FloatFormat<Lane<V>>::magic);
    const V half = n * Lane<V>(0.5) + magic - magic; // whole, as n is split in two whole powers
    return x * power_of_two(half) * power_of_two(n - half);
#endif
}

// x 2^-n for n from -1 on, or infinite; of n above 64 at least x 2^-64, which nobody can tell from 0.
template <FloatVec V> DT_INLINE V scale_down(V x, V n) {
#if defined(DT_LEVEL_v4)
    return scale(x, -n);
#else
    return x * power_of_two(-min_or_second(broadcast(Lane<V>(64)), n));
#endif
}

// x = n ln 2 + r with whole n and |r| <= ln(2) / 2.
template <FloatVec V> DT_INLINE V reduce_by_ln2(V x, V& n) {
    using F = FloatFormat<Lane<V>>;
    const V magic = broadcast(F::magic);
    n = x * Lane<V>(1.44269504088896340736) + magic - magic;
    return x - n * F::ln2_high - n * F::ln2_low;
}

// exp(r) - 1 for |r| <= ln(2) / 2: r + r^2 Q(r), Q fitted at Chebyshev nodes.
template <FloatVec V> DT_INLINE V expm1_reduced(V r) {
    if constexpr (sizeof(Lane<V>) == 4) {
        constexpr float q[] = {0.50000000134658092f,    0.166666666816232314f,   0.0416664649252859054f,
                               0.00833331092548090083f, 0.00139336499963092504f, 0.000198909908246736538f};
        return r + r * r * polynomial(r, q);
    } else {
        constexpr double q[] = {0.5,
                                0.16666666666666671,
                                0.0416666666666666698,
                                0.00833333333332613513,
                                0.00138888888888837483,
                                0.000198412698748206253,
                                0.0000248015873255477412,
                                2.75572554002064244e-6,
                                2.75572736431102953e-7,
                                2.51052170047207452e-8,
                                2.09146869680868772e-9};
        return r + r * r * polynomial(r, q);
    }
}

template <FloatVec V> DT_INLINE V exp(V x) {
    using F = FloatFormat<Lane<V>>;
    V n;
    const V r = reduce_by_ln2(clamp(x, broadcast(F::exp_low), broadcast(F::exp_high)), n);
    return scale(Lane<V>(1) + expm1_reduced(r), n);
}

template <FloatVec V> DT_INLINE V exp2(V x) {
    using T = Lane<V>;
    const V magic = broadcast(FloatFormat<T>::magic);
    const V c =
        clamp(x, broadcast(T(1.5) * FloatFormat<T>::exp_low), broadcast(T(1.5) * FloatFormat<T>::exp_high));
    const V n = c + magic - magic;
    return scale(T(1) + expm1_reduced((c - n) * T(0.69314718055994530942)), n);
}

template <FloatVec V> DT_INLINE V expm1(V x) {
    using F = FloatFormat<Lane<V>>;
    V n;
    const V r = reduce_by_ln2(clamp(x, broadcast(F::expm1_low), broadcast(F::exp_high)), n);
    const V half = power_of_two(n - Lane<V>(1)); // half of 2^n, which itself may be beyond the largest number
    const V e = expm1_reduced(r);
    V y = half * e + (half - Lane<V>(0.5));
    y = select(n == V{}, e, y + y);
    return copysign(y, x);
}

// log(1 + f) - f + f^2 / 2 for 1 + f within [sqrt(1/2), 1.5]; double as in fdlibm (Sun Microsystems, 1993).
template <FloatVec V> DT_INLINE V log_correction(V f, V half_square) {
    if constexpr (sizeof(Lane<V>) == 4) {
        constexpr float c[] = {0.3333331943f,  -0.2500028908f, 0.200017035f,   -0.1665312201f, 0.1421768218f,
                               -0.1265143603f, 0.1212916151f,  -0.1037799492f, 0.04720317945f};
        return f * (f * f) * polynomial(f, c);
    } else {
        constexpr double c[] = {0.666666666666665964, 0.40000000000056668,  0.285714285558295589,
                                0.22222224296516227,  0.181816658598445646, 0.153911128958030885,
                                0.131735763850059195, 0.138432390054762988};
        const V s = f / (2.0 + f), z = s * s;
        return s * (half_square + z * polynomial(z, c));
    }
}

// x = 2^k m with m within [sqrt(1/2), 1.5]. 0 and infinity give a k of -infinity or infinity and m = 1;
// numbers below 0 and NaN a NaN m.
template <FloatVec V> DT_INLINE V split_exponent(V x, V& k) {
    using T = Lane<V>;
#if defined(DT_LEVEL_v4)
    V m;
    if constexpr (sizeof(T) == 4) {
        m = (V)_mm512_maskz_getmant_ps(__mmask16(-1), (__m512)x, _MM_MANT_NORM_p75_1p5, kNaNBelowZero);
        k = (V)_mm512_maskz_getexp_ps(__mmask16(-1), (__m512)x) -
            (V)_mm512_maskz_getexp_ps(__mmask16(-1), (__m512)m);
    } else {
        m = (V)_mm512_maskz_getmant_pd(__mmask8(-1), (__m512d)x, _MM_MANT_NORM_p75_1p5, kNaNBelowZero);
        k = (V)_mm512_maskz_getexp_pd(__mmask8(-1), (__m512d)x) -
            (V)_mm512_maskz_getexp_pd(__mmask8(-1), (__m512d)m);
    }
    return m;
#else
    using F = FloatFormat<T>;
    using I = Mask<T>;
    using U = std::make_unsigned_t<Lane<I>>; // NaN passes through here: unsigned numbers may wrap round
    const V magic = broadcast(F::magic), infinity = broadcast(T(__builtin_inf()));
    const I tiny = x < F::smallest_normal;
    const T up = T(int64_t{1} << F::mantissa_bits);
    const Vec<U> bits = (Vec<U>)select(tiny, x * up, x) + U(F::one - F::sqrt_half);
    const I exponent = (I)(bits >> F::mantissa_bits) - F::bias;
    k = (V)((Vec<U>)magic + (Vec<U>)exponent) - magic - select(tiny, broadcast(T(F::mantissa_bits)), V{});
    V m = (V)((bits & ((U(1) << F::mantissa_bits) - 1)) + U(F::sqrt_half));
    const I limit = (x == V{}) | (x == infinity);
    k = select(limit, select(x == V{}, -infinity, infinity), k);
    m = select(limit, broadcast(T(1)), m);
    return select(~(x >= V{}), broadcast(T(__builtin_nan(""))), m);
#endif
}

template <FloatVec V> DT_INLINE V log(V x) {
    using F = FloatFormat<Lane<V>>;
    V k;
    const V f = split_exponent(x, k) - Lane<V>(1), half_square = Lane<V>(0.5) * f * f;
    return log_correction(f, half_square) + k * F::ln2_low - half_square + f + k * F::ln2_high;
}

template <FloatVec V> DT_INLINE V log1p(V x) {
    using T = Lane<V>;
    using F = FloatFormat<T>;
    const V u = T(1) + x;
    V k;
    const V m = split_exponent(u, k);
    // What rounding 1 + x to u lost, 1 at most. Where u needs no reduction x itself is more exact than u - 1.
    const V part = u - T(1), lost = (T(1) - (u - part)) + (x - part);
    const V f = select(k == V{}, x, m - T(1) + scale_down(lost, k)), half_square = T(0.5) * f * f;
    const V y = log_correction(f, half_square) + k * F::ln2_low - half_square + f + k * F::ln2_high;
    return select(abs(k) == T(__builtin_inf()), k, copysign(y, x));
}

// Logarithms to another base: `log_e` is its 1 / ln(base), `log_2` its log(2), each in two parts, the first
// short enough that its products are exact (the method of fdlibm's log10).
template <bool whole_exponents, FloatVec V>
DT_INLINE V log_to_base(V x, const Lane<V> (&log_e)[2], const Lane<V> (&log_2)[2]) {
    using T = Lane<V>;
    using I = Mask<T>;
    constexpr Lane<I> upper_half = sizeof(T) == 4 ? Lane<I>(0xfffff000) : Lane<I>(0xffffffff00000000);
    V k;
    const V f = split_exponent(x, k) - T(1), half_square = T(0.5) * f * f;
    const V high = (V)((I)(f - half_square) & upper_half);
    const V low = f - high - half_square + log_correction(f, half_square);
    V y = (low + high) * log_e[1] + low * log_e[0];
    if constexpr (!whole_exponents) y += k * log_2[1];
    return y + high * log_e[0] + k * log_2[0];
}
template <FloatVec V> DT_INLINE V log2(V x) {
    if constexpr (sizeof(Lane<V>) == 4)
        return log_to_base<true>(x, {0x1.714p+0f, 0x1.47652cp-12f}, {1, 0});
    else
        return log_to_base<true>(x, {0x1.71547652p+0, 0x1.705fc2eefa200p-33}, {1, 0});
}
template <FloatVec V> DT_INLINE V log10(V x) {
    if constexpr (sizeof(Lane<V>) == 4)
        return log_to_base<false>(x, {0x1.bcap-2f, 0x1.7b1526p-14f}, {0x1.344p-2f, 0x1.3509f8p-18f});
    else
        return log_to_base<false>(x, {0x1.bcb7b152p-2, 0x1.b9438ca9aadd5p-36},
                                  {0x1.34413508p-2, 0x1.f79fef311f12bp-34});
}

// cosh and sinh of r for |r| <= ln(2) / 2.
template <FloatVec V> DT_INLINE void hyperbolic_reduced(V r, V& cosine, V& sine) {
    const V z = r * r;
    if constexpr (sizeof(Lane<V>) == 4) {
        constexpr float s[] = {0.1666666716f, 0.008333193138f, 0.0001995737402f};
        constexpr float c[] = {0.04166644812f, 0.001393660088f};
        sine = r + r * z * polynomial(z, s);
        cosine = 1.0f + z * (0.5f + z * polynomial(z, c));
    } else {
        constexpr double s[] = {0.166666666666666657,   0.00833333333333419711, 0.000198412698384443101,
                                2.75573234325473483e-6, 2.50491791711189979e-8, 1.68423214189031533e-10};
        constexpr double c[] = {0.0416666666666666852, 0.00138888888888730644, 0.0000248015873500338965,
                                2.75572508157716864e-7, 2.0922158698670593e-9};
        sine = r + r * z * polynomial(z, s);
        cosine = 1.0 + z * (0.5 + z * polynomial(z, c));
    }
}

// With a = |x| = n ln 2 + r, 2 sinh a = 2^n (cosh r + sinh r) - 2^-n (cosh r - sinh r).
template <FloatVec V> struct Hyperbolic {
    using T = Lane<V>;
    using F = FloatFormat<T>;
    V cosine, sine, up, down; // up = 2^n / 4, down = 2^-n / 4
    DT_INLINE explicit Hyperbolic(V x) {
        V n;
        hyperbolic_reduced(reduce_by_ln2(min_or_second(broadcast(F::exp_high + T(0.5)), abs(x)), n), cosine,
                           sine);
        up = power_of_two(n - T(2));
        down = power_of_two(T(-2) - min_or_second(broadcast(T(64)), n));
    }
    DT_INLINE V sinh() const { return (up - down) * cosine + (up + down) * sine; }
    DT_INLINE V cosh() const { return (up + down) * cosine + (up - down) * sine; }
};
template <FloatVec V> DT_INLINE V sinh(V x) {
    const V half = Hyperbolic<V>(x).sinh();
    return copysign(half + half, x);
}
template <FloatVec V> DT_INLINE V cosh(V x) {
    const V half = Hyperbolic<V>(x).cosh();
    return half + half;
}

// float: a quotient of polynomials fitted here, weighted by the result.
template <FloatVec V> DT_INLINE V tanh(V x) {
    using T = Lane<V>;
    if constexpr (sizeof(T) == 4) {
        const V a = clamp(x, broadcast(-9.02f), broadcast(9.02f)), z = a * a;
        constexpr float p[] = {1.0f,
                               0.136799985342f,
                               0.00386843092554f,
                               2.80094551049e-5f,
                               3.05894790497e-8f,
                               -1.22064617127e-11f};
        constexpr float q[] = {1.0f, 0.470133306162f, 0.0272462200584f, 0.00039388099886f, 1.28750148733e-6f};
        return clamp(a * polynomial(z, p) / polynomial(z, q), broadcast(-1.0f), broadcast(1.0f));
    } else {
        const Hyperbolic<V> h(min_or_second(broadcast(T(20)), abs(x)));
        return copysign(h.sinh() / h.cosh(), x);
    }
}

template <FloatVec V> DT_INLINE V sigmoid(V x) {
    using T = Lane<V>;
    const V e = exp(-abs(x));
    return select(x < V{}, e, broadcast(T(1))) / (T(1) + e);
}

// Small |x|: x + x P(x^2). Large: 1 - exp(...), the exponent a polynomial. The float coefficients are those
// of N. Juffa's erff (2019); those for double were fitted here, the large ones to log(erfc(t)) + t^2 weighted
// by erfc(t).
template <FloatVec V> DT_INLINE V erf(V x) {
    using T = Lane<V>;
    const V t = abs(x), s = x * x;
    Mask<T> large;
    V small_result, exponent;
    if constexpr (sizeof(T) == 4) {
        large = t > 0.927734375f;
        constexpr float p[] = {1.28379166e-1f,  -3.76125336e-1f, 1.12819925e-1f,
                               -2.67681349e-2f, 4.99119423e-3f,  -5.96761703e-4f};
        small_result = x + x * polynomial(s, p);
        constexpr float q[] = {-1.28717512e-1f, -6.34846687e-1f, -1.06777877e-1f, 2.42546219e-2f,
                               -3.88396438e-3f, 3.83197126e-4f,  -1.72853470e-5f};
        const V c = min_or_second(broadcast(4.0f), t);
        exponent = c * polynomial(c, q) - c;
    } else {
        large = t > 1.0;
        constexpr double p[] = {0.128379167095512567,    -0.376126389031835404,     0.112837916709450063,
                                -0.0268661706432377704,  0.00522397760711642273,    -0.000854832597538969208,
                                0.000120552949048397079, -0.0000149247369074196603, 1.64474247033173624e-6,
                                -1.62084838018717059e-7, 1.37200645467776856e-8,    -7.79589882700214224e-10};
        small_result = x + x * polynomial(s, p);
        constexpr double q[] = {-1.8624374021472263,      -0.665248970925429595,   0.207793407206516218,
                                -0.0816509155103979667,   0.0341284066477993717,   -0.0143843508487336207,
                                0.00595490625026275514,   -0.00237165878022685205, 0.000889062866016131714,
                                -0.000343035685879866995, 9.9344784318991843e-6,   -0.0000804858981716101883,
                                0.000122018233140726668,  0.000438016189616055167, 0.000635853229691684334,
                                0.000570338944154209446,  0.000315648638678164162, 0.000103403878435422284,
                                0.0000149960268072637459};
        const V c = min_or_second(broadcast(6.0), t);
        exponent = polynomial((c - 3.5) * 0.4, q) - c * c;
    }
    return select(large, copysign(T(1) - exp(exponent), x), copysign(small_result, x));
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
