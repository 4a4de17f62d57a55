#pragma once
// exp, expm1, log, log1p, tanh, sigmoid and erf of a Vec<float> or Vec<double>. Greatest errors found over 70
// million floats spread over all there are and 6 million doubles, in units in the last place, for the worst
// of the ISA levels:
//            exp   expm1  log   log1p  tanh  sigmoid  erf
//   float    0.97  1.42   0.83  0.81   2.42  2.31     1.18
//   double   0.98  1.94   0.79  0.81   2.47  2.29     1.52
// All are right at 0 (with its sign), denormals, infinities and NaN. A lane's result depends on its value
// only.
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
    static constexpr float exp_low = -104.0f, exp_high = 89.0f, expm1_low = -18.0f, tanh_saturates = 10.0f;
};
template <> struct FloatFormat<double> {
    static constexpr int mantissa_bits = 52;
    static constexpr int64_t bias = 1023, one = 0x3ff0000000000000, sqrt_half = 0x3fe6a09e667f3bcd,
                             infinity = 0x7ff0000000000000;
    static constexpr double magic = 0x1.8p52;
    static constexpr double smallest_normal = 0x1p-1022;
    static constexpr double ln2_high = 0x1.62e42feep-1, ln2_low = 0x1.a39ef35793c76p-33;
    static constexpr double exp_low = -746.0, exp_high = 710.0, expm1_low = -38.0, tanh_saturates = 20.0;
};

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

// log(1 + f) - f + f^2 / 2 for 1 + f within [sqrt(1/2), sqrt(2)]; coefficients of fdlibm (Sun Microsystems,
// 1993).
template <FloatVec V> DT_INLINE V log_correction(V f, V half_square) {
    const V s = f / (Lane<V>(2) + f), z = s * s;
    V r;
    if constexpr (sizeof(Lane<V>) == 4) {
        constexpr float c[] = {0xaaaaaa.0p-24f, 0xccce13.0p-25f, 0x91e9ee.0p-25f, 0xf89e26.0p-26f};
        r = z * polynomial(z, c);
    } else {
        constexpr double c[] = {6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01,
                                2.222219843214978396e-01, 1.818357216161805012e-01, 1.531383769920937332e-01,
                                1.479819860511658591e-01};
        r = z * polynomial(z, c);
    }
    return s * (half_square + r);
}

// x = 2^k m with m within [sqrt(1/2), sqrt(2)], for normal x > 0.
template <FloatVec V> DT_INLINE V split_exponent(V x, V& k) {
    using F = FloatFormat<Lane<V>>;
    using I = Mask<Lane<V>>;
    using U = std::make_unsigned_t<Lane<I>>; // NaN passes through here: unsigned numbers may wrap round
    const V magic = broadcast(F::magic);
    const Vec<U> bits = (Vec<U>)x + U(F::one - F::sqrt_half);
    const I exponent = (I)(bits >> F::mantissa_bits) - F::bias;
    k = (V)((Vec<U>)magic + (Vec<U>)exponent) - magic;
    return (V)((bits & ((U(1) << F::mantissa_bits) - 1)) + U(F::sqrt_half));
}

template <FloatVec V> DT_INLINE V log(V x) {
    using T = Lane<V>;
    using F = FloatFormat<T>;
    const Mask<T> tiny = x < F::smallest_normal;
    const T up = T(int64_t{1} << F::mantissa_bits);
    V k;
    const V f = split_exponent(select(tiny, x * up, x), k) - T(1);
    k -= select(tiny, broadcast(T(F::mantissa_bits)), V{});
    const V half_square = T(0.5) * f * f;
    V y = log_correction(f, half_square) + k * F::ln2_low - half_square + f + k * F::ln2_high;
    const V infinity = broadcast(T(__builtin_inf()));
    y = select(x == infinity, x, y);
    y = select(x == V{}, -infinity, y);
    return select(~(x >= V{}), broadcast(T(__builtin_nan(""))), y); // below 0, and NaN itself
}

template <FloatVec V> DT_INLINE V log1p(V x) {
    using T = Lane<V>;
    using F = FloatFormat<T>;
    const V u = T(1) + x;
    V k;
    const V m = split_exponent(u, k);
    const Mask<T> near = k == V{}; // 1 + x needs no reduction, and x itself is more exact than u - 1
    const V f = select(near, x, m - T(1));
    // What rounding 1 + x to u lost, relative to u.
    const V lost = select(near, V{}, select(k >= T(2), T(1) - (u - x), x - (u - T(1))) / u);
    const V half_square = T(0.5) * f * f;
    V y = log_correction(f, half_square) + (k * F::ln2_low + lost) - half_square + f + k * F::ln2_high;
    y = copysign(y, x);
    const V infinity = broadcast(T(__builtin_inf()));
    y = select(x == infinity, x, y);
    y = select(x == T(-1), -infinity, y);
    return select(~(x >= T(-1)), broadcast(T(__builtin_nan(""))), y);
}

template <FloatVec V> DT_INLINE V tanh(V x) {
    using T = Lane<V>;
    const V a = abs(x);
    const V e = expm1(T(2) * min_or_second(broadcast(FloatFormat<T>::tanh_saturates), a)); // NaN stays
    const Mask<T> large = a > T(0.55);
    const V q = select(large, broadcast(T(2)), e) / (e + T(2));
    return copysign(select(large, T(1) - q, q), x);
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
