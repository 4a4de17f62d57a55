#pragma once
// sin, cos, tan and their inverses of a Vec<float> or Vec<double>: within 1.8 units in the last place, tan
// and asin within 3; where there are no fused multiply-adds, half a unit more.
#include "kernels/cpu/math.h"

namespace dt::cpu::DT_LEVEL {
namespace {

// pi / 2 in parts: with fused multiply-adds a product with a part need not be exact, without them it must.
template <class T> struct HalfPi;
template <> struct HalfPi<float> {
#if defined(__FMA__) || defined(__aarch64__)
    static constexpr float parts[] = {0x1.921fb6p+0f, -0x1.777a5cp-25f, -0x1.ee59dap-50f};
    static constexpr float most = 100000; // of the arguments that are reduced here
#else
    static constexpr float parts[] = {0x1.92p+0f, 0x1.fb4p-12f, 0x1.444p-24f, 0x1.68cp-39f, 0x1.1a6264p-54f};
    static constexpr float most = 6000;
#endif
    static constexpr float high = 0x1.921fb6p+0f, low = -0x1.777a5cp-25f;
};
template <> struct HalfPi<double> {
#if defined(__FMA__) || defined(__aarch64__)
    static constexpr double parts[] = {0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54, -0x1.f1976b7ed8fbcp-110};
    static constexpr double most = 1e9;
#else
    static constexpr double parts[] = {0x1.921fb544p+0, 0x1.0b4611a6p-34, 0x1.3198a2ep-69,
                                       0x1.b839a252049c1p-104};
    static constexpr double most = 1e6;
#endif
    static constexpr double high = 0x1.921fb54442d18p+0, low = 0x1.1a62633145c07p-54;
};

// x = n pi / 2 + r with whole n and |r| <= pi / 4, up to a little; the lowest two bits of `quarter` are n's.
template <FloatVec V> DT_INLINE V reduce_by_half_pi(V x, Mask<Lane<V>>& quarter) {
    using T = Lane<V>;
    const V magic = broadcast(FloatFormat<T>::magic), shifted = x * T(0.63661977236758134308) + magic;
    const V n = shifted - magic;
    quarter = (Mask<T>)shifted;
    V r = x;
#pragma GCC unroll 5
    for (T part : HalfPi<T>::parts) r = r - n * part;
    return r;
}

// Of |r| <= pi / 4. Polynomials of Cephes (S. L. Moshier); those of float sines fitted here.
template <FloatVec V> DT_INLINE V sine_reduced(V r) {
    const V z = r * r;
    if constexpr (sizeof(Lane<V>) == 4) {
        constexpr float c[] = {-0.1666665375f, 0.00833211001f, -0.000195085624f};
        return r + r * z * polynomial(z, c);
    } else {
        constexpr double c[] = {-1.66666666666666307295e-1, 8.33333333332211858878e-3,
                                -1.98412698295895385996e-4, 2.75573136213857245213e-6,
                                -2.50507477628578072866e-8, 1.58962301576546568060e-10};
        return r + r * z * polynomial(z, c);
    }
}
template <FloatVec V> DT_INLINE V cosine_reduced(V r) {
    using T = Lane<V>;
    const V z = r * r;
    if constexpr (sizeof(T) == 4) {
        constexpr float c[] = {4.166664568298827e-2f, -1.388731625493765e-3f, 2.443315711809948e-5f};
        return T(1) + (z * z * polynomial(z, c) - z * T(0.5));
    } else {
        constexpr double c[] = {4.16666666666665929218e-2, -1.38888888888730564116e-3,
                                2.48015872888517045348e-5, -2.75573141792967388112e-7,
                                2.08757008419747316778e-9, -1.13585364213876817300e-11};
        return T(1) + (z * z * polynomial(z, c) - z * T(0.5));
    }
}

// What the C library says of the lanes in `far`, y of the others: for arguments so large that few have them.
template <class T, class F>
__attribute__((noinline, cold)) void by_library(const Vec<T>& x, const Mask<T>& far, Vec<T>& y, F f) {
    for (int i = 0; i < kLanes<T>; ++i)
        if (far[i]) y[i] = f(x[i]);
}
template <FloatVec V, class F> DT_INLINE V library_beyond(V x, V y, F f) {
    using T = Lane<V>;
    const Mask<T> far = ~(abs(x) <= HalfPi<T>::most);
    if (__builtin_expect(any(far), false)) {
        V corrected = y;
        by_library<T>(x, far, corrected, f);
        return corrected;
    }
    return y;
}
#define DT_LIBRARY_BEYOND(name, x, y)                                                                        \
    library_beyond(x, y, [](T value) {                                                                       \
        if constexpr (sizeof(T) == 4)                                                                        \
            return __builtin_##name##f(value);                                                               \
        else                                                                                                 \
            return __builtin_##name(value);                                                                  \
    })

// Changes the sign of x where bit 1 of n is set.
template <FloatVec V> DT_INLINE V negate_by_bit_1(V x, Mask<Lane<V>> n) {
    using I = Mask<Lane<V>>;
    using U = Vec<std::make_unsigned_t<Lane<I>>>;
    return (V)((U)x ^ (((U)n & 2) << (8 * sizeof(Lane<V>) - 2)));
}

template <FloatVec V> DT_INLINE V sin(V x) {
    using T = Lane<V>;
    Mask<T> quarter;
    const V r = reduce_by_half_pi(x, quarter);
    const V size = select(Mask<T>((quarter & 1) != 0), cosine_reduced(r), sine_reduced(r));
    const V y = select(x == V{}, x, negate_by_bit_1(size, quarter));
    return DT_LIBRARY_BEYOND(sin, x, y);
}

template <FloatVec V> DT_INLINE V cos(V x) {
    using T = Lane<V>;
    Mask<T> quarter;
    const V r = reduce_by_half_pi(x, quarter);
    const V size = select(Mask<T>((quarter & 1) != 0), sine_reduced(r), cosine_reduced(r));
    return DT_LIBRARY_BEYOND(cos, x, negate_by_bit_1(size, quarter + 1));
}

template <FloatVec V> DT_INLINE V tan(V x) {
    using T = Lane<V>;
    Mask<T> quarter;
    const V r = reduce_by_half_pi(x, quarter);
    const Mask<T> odd = (quarter & 1) != 0;
    V y;
    if constexpr (sizeof(T) == 4) {
        constexpr float c[] = {0.3333335221f, 0.1333257854f,   0.05406976864f, 0.02122972347f,
                               0.0109761497f, -9.38250887e-5f, 0.004469319247f};
        const V z = r * r, t = r + r * z * polynomial(z, c);
        y = select(odd, T(-1) / t, t);
    } else {
        const V s = sine_reduced(r), c = cosine_reduced(r);
        y = select(odd, -c, s) / select(odd, s, c);
    }
    return DT_LIBRARY_BEYOND(tan, x, select(x == V{}, x, y));
}
#undef DT_LIBRARY_BEYOND

// Of 0 <= a <= 1: a + a^3 P(a^2), fitted here.
template <FloatVec V> DT_INLINE V atan_reduced(V a) {
    const V z = a * a;
    if constexpr (sizeof(Lane<V>) == 4) {
        constexpr float c[] = {-0.333332926f,   0.1999835968f,   -0.142622903f,
                               0.1094221994f,   -0.08374951035f, 0.05747894198f,
                               -0.03070900403f, 0.01066674013f,  -0.001738973195f};
        return a + a * z * polynomial(z, c);
    } else {
        constexpr double c[] = {-0.333333333333330484,    0.199999999999486922,    -0.142857142824306033,
                                0.111111110030701954,     -0.090909069367892531,   0.0769227910014080307,
                                -0.0666639823533647785,   0.0588049421512153309,   -0.0525337274020491671,
                                0.0472183778276380542,    -0.042179326019381215,   0.0366169274265978756,
                                -0.0298648028683329257,   0.0219374527199935297,   -0.013856385748353765,
                                0.00716551458997570674,   -0.00286909581674924842, 0.00082577409857579004,
                                -0.000150966908853296893, 0.0000131061944685637155};
        return a + a * z * polynomial(z, c);
    }
}
// pi / 2 - p, the rounding of pi / 2 made up for.
template <FloatVec V> DT_INLINE V from_half_pi(V p) {
    using H = HalfPi<Lane<V>>;
    return H::high - (p - H::low);
}

template <FloatVec V> DT_INLINE V atan(V x) {
    using T = Lane<V>;
    const V a = abs(x);
    const Mask<T> large = a > T(1);
    const V p = atan_reduced(select(large, T(1) / a, a));
    return copysign(select(large, from_half_pi(p), p), x);
}

template <FloatVec V> DT_INLINE V atan2(V y, V x) {
    using T = Lane<V>;
    using H = HalfPi<T>;
    const V a = abs(y), b = abs(x);
    const Mask<T> steep = a > b;
    const V below = select(steep, a, b), above = select(steep, b, a);
    const V equal = select(above == V{}, above, broadcast(T(1)));
    V p = atan_reduced(select(above == below, equal, above / below));
    p = select(steep, from_half_pi(p), p);
    p = select((Mask<T>)x < 0, 2 * H::high - (p - 2 * H::low), p);
    return copysign(p, y);
}

// asin of a = |x|, as p, or where a > 1/2, as pi / 2 - 2 p.
template <FloatVec V> DT_INLINE V asin_part(V a, Mask<Lane<V>> large) {
    using T = Lane<V>;
    const V z = select(large, T(0.5) * (T(1) - a), a * a), s = select(large, sqrt(z), a);
    if constexpr (sizeof(T) == 4) {
        constexpr float c[] = {0.1666675359f, 0.0749527663f, 0.04547145218f, 0.02417879552f, 0.04216250032f};
        return s + s * z * polynomial(z, c);
    } else {
        constexpr double c[] = {0.166666666666667601,   0.0749999999997109507, 0.0446428571742241362,
                                0.0303819427295077688,  0.0223722143182136755, 0.0173516247326414436,
                                0.0139806623890730668,  0.0114002380941364018, 0.0107727007834101697,
                                0.00373523432000857046, 0.0216368569744665069, -0.0208988094908143275,
                                0.0325658392749045775};
        return s + s * z * polynomial(z, c);
    }
}
template <FloatVec V> DT_INLINE V asin(V x) {
    using T = Lane<V>;
    const V a = abs(x);
    const Mask<T> large = a > T(0.5);
    const V p = asin_part(a, large);
    return copysign(select(large, from_half_pi(p + p), p), x);
}
template <FloatVec V> DT_INLINE V acos(V x) {
    using T = Lane<V>;
    using H = HalfPi<T>;
    const V a = abs(x);
    const Mask<T> large = a > T(0.5), negative = x < V{};
    const V p = asin_part(a, large), two = p + p;
    return select(large, select(negative, 2 * H::high - (two - 2 * H::low), two),
                  from_half_pi(select(negative, -p, p)));
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
