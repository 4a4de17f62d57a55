#include "kernels/cpu/activation.h"
#include "kernels/cpu/common.h"
#include "kernels/cpu/elementwise_parts.h"
#include "kernels/cpu/map.h"
#include "kernels/cpu/power.h"
#include "kernels/cpu/trigonometry.h"

namespace dt::cpu::DT_LEVEL {
namespace {

#define DT_VECTOR(name, exact, grain, body)                                                                  \
    case BinaryOp::name:                                                                                     \
        return map_vector<T, 2, exact>([](V a, V b, [[maybe_unused]] V p, [[maybe_unused]] V q)              \
                                           DT_INLINE_LAMBDA { return body; },                                \
                                       grain);
#define DT_EXACT(name, body) DT_VECTOR(name, true, kCheapGrain, body)
#define DT_CHEAP(name, body) DT_VECTOR(name, false, kCheapGrain, body)
#define DT_HEAVY(name, body) DT_VECTOR(name, false, kHeavyGrain, body)
// A gradient: g, and x the input or y the output of the op.
#define DT_GRAD_VECTOR(name, exact, grain, x, body)                                                          \
    case BinaryOp::name:                                                                                     \
        return map_vector<T, 2, exact>([](V g, V x, [[maybe_unused]] V p, [[maybe_unused]] V q)              \
                                           DT_INLINE_LAMBDA { return body; },                                \
                                       grain);
#define DT_EXACT_GRAD(name, x, body) DT_GRAD_VECTOR(name, true, kCheapGrain, x, body)
#define DT_GRAD(name, x, body) DT_GRAD_VECTOR(name, false, kCheapGrain, x, body)
#define DT_HEAVY_GRAD(name, x, body) DT_GRAD_VECTOR(name, false, kHeavyGrain, x, body)
#define DT_SCALAR(name, grain, body)                                                                         \
    case BinaryOp::name:                                                                                     \
        return map_scalar<T, T, 2>([](T a, T b, T) DT_INLINE_LAMBDA { return T(body); }, grain);
#define DT_LIBRARY(op, function)                                                                             \
    case BinaryOp::op:                                                                                       \
        return map_scalar<T, T, 2>(                                                                          \
            [](T a, T b, T) DT_INLINE_LAMBDA {                                                               \
                if constexpr (sizeof(T) == 4)                                                                \
                    return __builtin_##function##f(a, b);                                                    \
                else                                                                                         \
                    return __builtin_##function(a, b);                                                       \
            },                                                                                               \
            kHeavyGrain / 2);

// Python's rules: the quotient is rounded down, the remainder has the divisor's sign.
template <class T> T fmod_of(T a, T b) {
    if constexpr (sizeof(T) == 4)
        return __builtin_fmodf(a, b);
    else
        return __builtin_fmod(a, b);
}
template <class T> T python_remainder(T a, T b) {
    const T r = fmod_of(a, b);
    if (b == 0) return r; // NaN
    if (r == 0) return T(__builtin_copysign(T(0), b));
    return (r < 0) != (b < 0) ? r + b : r;
}
template <class T> T python_floor_divide(T a, T b) {
    if (b == 0) return a / b;
    T r = fmod_of(a, b);
    T q = (a - r) / b;
    if (r != 0 && (r < 0) != (b < 0)) q -= 1;
    if (q == 0) return T(__builtin_copysign(T(0), a / b));
    const T down = T(__builtin_floor(q));
    return q - down > T(0.5) ? down + 1 : down;
}
// The same for vectors while the quotients are small enough: there a fused multiply-add finds the remainder
// exactly. A quotient that was rounded up to an integer is one too large.
template <class V> DT_INLINE bool has_small_quotients(V a, V b) {
    using T = Lane<V>;
    const V q = abs(a) / abs(b);
    return !any(~((q < T(sizeof(T) == 4 ? 0x1p23 : 0x1p52)) & (abs(b) < T(__builtin_inf()))));
}
template <class V> DT_INLINE V small_fmod(V a, V b) {
    const V x = abs(a), y = abs(b), r = fma(-truncate(x / y), y, x);
    return copysign(select(r < V{}, r + y, r), a);
}
template <class V> DT_INLINE V small_remainder(V a, V b) {
    const V r = small_fmod(a, b);
    return select(r == V{}, copysign(V{}, b), select((r < V{}) ^ (b < V{}), r + b, r));
}
template <class V> DT_INLINE V small_floor_divide(V a, V b) {
    using T = Lane<V>;
    const V r = small_fmod(a, b), whole = (a - r) / b;
    const V q = select((r != V{}) & ((r < V{}) ^ (b < V{})), whole - T(1), whole);
    const V cut = truncate(q), down = select(cut > q, cut - T(1), cut);
    return select(q == V{}, copysign(V{}, a / b), select(q - down > T(0.5), down + T(1), down));
}
template <class V, class Small, class Any> DT_INLINE V divide_lanes(V a, V b, Small small, Any any_quotient) {
    if (has_small_quotients(a, b)) [[likely]]
        return small(a, b);
    for (int i = 0; i < kLanes<Lane<V>>; ++i) a[i] = any_quotient(a[i], b[i]);
    return a;
}
#if defined(__FMA__)
#define DT_DIVISION(name, small, of_values)                                                                  \
    DT_HEAVY(name, divide_lanes(                                                                             \
                       a, b, [](V x, V y) DT_INLINE_LAMBDA { return small(x, y); },                          \
                       [](T x, T y) { return of_values(x, y); }))
#else
#define DT_DIVISION(name, small, of_values) DT_SCALAR(name, kHeavyGrain, of_values(a, b))
#endif
template <class V> DT_INLINE V logaddexp(V a, V b) {
    const V high = max(a, b);
    return select(a == b, a + Lane<V>(0.69314718055994530942), high + log1p(exp(-abs(a - b))));
}

template <class T> Mapped power_grad(double exponent) {
    using V = Vec<T>;
    if (exponent == 2)
        return map_vector<T, 2>([](V g, V x, V p, V) DT_INLINE_LAMBDA { return g * p * x; }, kCheapGrain);
    if (exponent == 3)
        return map_vector<T, 2>([](V g, V x, V p, V) DT_INLINE_LAMBDA { return g * p * (x * x); },
                                kCheapGrain);
    if (exponent == 0) return map_vector<T, 2>([](V, V, V, V) DT_INLINE_LAMBDA { return V{}; }, kCheapGrain);
    return map_vector<T, 2>([](V g, V x, V p, V) DT_INLINE_LAMBDA { return g * p * pow(x, p - T(1)); },
                            kHeavyGrain);
}

template <class T> Mapped float_op(BinaryOp op, const double* params) {
    using V = Vec<T>;
    switch (op) {
        DT_CHEAP(add, a + b)
        DT_CHEAP(subtract, a - b)
        DT_CHEAP(multiply, a * b)
        DT_CHEAP(divide, a / b)
        DT_EXACT(maximum, max(a, b))
        DT_EXACT(minimum, min(a, b))
        DT_DIVISION(floor_divide, small_floor_divide, python_floor_divide)
        DT_DIVISION(remainder, small_remainder, python_remainder)
        DT_DIVISION(fmod, small_fmod, fmod_of)
        DT_HEAVY(power, pow(a, b))
        DT_HEAVY(atan2, atan2(a, b))
        DT_LIBRARY(hypot, hypot)
        DT_HEAVY(logaddexp, logaddexp(a, b))
        DT_CHEAP(prelu, select(a > V{}, a, a * b))
        DT_GRAD(prelu_weight_grad, x, select(x > V{}, V{}, g * x))
        DT_GRAD(sqrt_grad, y, g * T(0.5) / y)
        DT_GRAD(rsqrt_grad, y, g * T(-0.5) * (y * y * y))
        DT_GRAD(reciprocal_grad, y, -g * (y * y))
        DT_GRAD(tanh_grad, y, g * (T(1) - y * y))
        DT_GRAD(sigmoid_grad, y, g * (y * (T(1) - y)))
        DT_GRAD(absolute_grad, x, select(x > V{}, g, select(x < V{}, -g, x * V{})))
        DT_GRAD(square_grad, x, g * (x + x))
        DT_HEAVY_GRAD(erf_grad, x, g * (T(1.1283791670955126) * exp(-x * x)))
        DT_HEAVY_GRAD(log_sigmoid_grad, x, g * sigmoid(-x))
        DT_EXACT_GRAD(relu_grad, y, select(y <= V{}, V{}, g))
        DT_GRAD(leaky_relu_grad, x, select(x > V{}, g, g * p))
        DT_HEAVY_GRAD(elu_grad, x, select(x > V{}, g, g * p * exp(x)))
        DT_HEAVY_GRAD(selu_grad, x,
                      g * select(x > V{}, broadcast(T(kSeluScale)), T(kSeluScale * kSeluAlpha) * exp(x)))
        DT_HEAVY_GRAD(gelu_grad, x, g * (normal_cdf(x) + x * normal_density(x)))
        DT_HEAVY_GRAD(gelu_tanh_grad, x, gelu_tanh_grad(g, x))
        DT_HEAVY_GRAD(silu_grad, x, silu_grad(g, x))
        DT_HEAVY_GRAD(softplus_grad, x, select(x * p > q, g, g * sigmoid(x * p)))
        DT_HEAVY_GRAD(mish_grad, x, mish_grad(g, x))
        DT_EXACT_GRAD(relu6_grad, x, select((x <= V{}) | (x >= T(6)), V{}, g))
        DT_GRAD(hardswish_grad, x,
                select(x <= T(-3), V{}, select(x >= T(3), g, g * (x * T(1.0 / 3) + T(0.5)))))
        DT_GRAD(hardsigmoid_grad, x, select((x <= T(-3)) | (x >= T(3)), V{}, g * T(1.0 / 6)))
        DT_EXACT_GRAD(hardtanh_grad, x, select((x <= p) | (x >= q), V{}, g))
        DT_GRAD(softsign_grad, x, softsign_grad(g, x))
        DT_EXACT_GRAD(clip_grad, x, select((x < p) | (x > q), V{}, g))
    case BinaryOp::power_grad:
        return power_grad<T>(params[0]);
    case BinaryOp::bitwise_and:
    case BinaryOp::bitwise_or:
    case BinaryOp::bitwise_xor:
    case BinaryOp::left_shift:
    case BinaryOp::right_shift:
    case BinaryOp::count:
        break;
    }
    return {};
}

// U is unsigned and at least as wide as int: its arithmetic wraps around where signed arithmetic would be
// undefined. Quotients of 32 bits are those of double, which vectors have.
template <class T, class U> DT_INLINE T integer_floor_divide(T a, T b) {
    if constexpr (sizeof(T) <= 4) {
        const double q = __builtin_floor(double(a) / double(b));
        const double wrapped = q == 0x1p31 ? -0x1p31 : q; // of the smallest integer and -1
        return T(int32_t(b == 0 ? 0.0 : wrapped));
    } else {
        if (b == 0) return 0;
        if (b == T(-1))
            return T(U(0) - U(a)); // the smallest integer has no opposite: the division would trap
        const T q = a / b, r = a - q * b;
        return q - T(T(r != 0) & T((r ^ b) < 0));
    }
}
template <class T, class U> DT_INLINE T integer_remainder(T a, T b) {
    if constexpr (sizeof(T) <= 4) {
        return b == 0 ? T(0) : T(U(a) - U(integer_floor_divide<T, U>(a, b)) * U(b));
    } else {
        if (b == 0 || b == T(-1)) return 0;
        const T r = a % b;
        return r + (b & -T(T(r != 0) & T((r ^ b) < 0)));
    }
}
// One divisor for all: a multiplication by its inverse. With half a unit more towards the divisor's sign, the
// product is farther from the next integer than its rounding error.
template <class T, class U, bool remainder> void same_divisor_run(int64_t n, void* const* data, const void*) {
    T* out = static_cast<T*>(data[0]);
    const T* in = static_cast<const T*>(data[1]);
    const T divisor = *static_cast<const T*>(data[2]);
    const auto each = [&](auto quotient) DT_INLINE_LAMBDA {
        for (int64_t i = 0; i < n; ++i) {
            const T q = quotient(in[i]);
            out[i] = remainder ? T(U(in[i]) - U(q) * U(divisor)) : q;
        }
    };
    if (divisor == 0) {
        for (int64_t i = 0; i < n; ++i) out[i] = 0;
    } else if (divisor == 1) {
        each([](T a) DT_INLINE_LAMBDA { return a; });
    } else if constexpr (sizeof(T) == 1) {
        const uint16_t inverse = uint16_t(65536 / divisor + 1); // too large by less than 1 / 255
        each([inverse](T a) DT_INLINE_LAMBDA { return T(uint32_t(uint16_t(a)) * inverse >> 16); });
    } else if (divisor == T(-1)) {
        each([](T a) DT_INLINE_LAMBDA { return T(U(0) - U(a)); });
    } else {
        const double inverse = 1.0 / double(divisor), more = divisor > 0 ? 0.5 : -0.5;
        each([=](T a) DT_INLINE_LAMBDA { return T(__builtin_floor((double(a) + more) * inverse)); });
    }
}

#if defined(DT_LEVEL_v4)
// Quotients of doubles where both numbers are below 2^51: there they round to no integer but their own.
template <bool remainder> void divide_wide_run(int64_t n, void* const* data, const void*) {
    int64_t* out = static_cast<int64_t*>(data[0]);
    const int64_t *a = static_cast<const int64_t*>(data[1]), *b = static_cast<const int64_t*>(data[2]);
    const __m512i limit = _mm512_set1_epi64(int64_t{1} << 51),
                  beyond = _mm512_set1_epi64(-(int64_t{1} << 52));
    const __m512d zero = _mm512_setzero_pd();
    for_vectors<int64_t>(n, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
        const Vec<int64_t> x = load(a + i, part), y = load(b + i, part);
        const __m512i far =
            _mm512_or_si512(_mm512_add_epi64((__m512i)x, limit), _mm512_add_epi64((__m512i)y, limit));
        if (_mm512_test_epi64_mask(far, beyond)) [[unlikely]] {
            for (int64_t j = i; j < i + lanes_of<int64_t>(part); ++j)
                out[j] = remainder ? integer_remainder<int64_t, uint64_t>(a[j], b[j])
                                   : integer_floor_divide<int64_t, uint64_t>(a[j], b[j]);
            return;
        }
        constexpr __mmask8 all = __mmask8(-1);
        const __m512d p = _mm512_maskz_cvtepi64_pd(all, (__m512i)x),
                      d = _mm512_maskz_cvtepi64_pd(all, (__m512i)y);
        const __mmask8 divides = _mm512_cmp_pd_mask(d, zero, _CMP_NEQ_OQ);
        const __m512d q = _mm512_maskz_roundscale_pd(divides, _mm512_maskz_div_pd(divides, p, d),
                                                     _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
        const __m512d result = remainder ? _mm512_maskz_fnmadd_pd(divides, q, d, p) : q;
        store(out + i, (Vec<int64_t>)_mm512_maskz_cvtpd_epi64(all, result), part);
    });
}
#endif

template <class T, class U, bool remainder> Mapped integer_division(bool same_divisor) {
    if constexpr (sizeof(T) <= 4) {
        if (same_divisor) return {same_divisor_run<T, U, remainder>, kCheapGrain};
    }
#if defined(DT_LEVEL_v4)
    if constexpr (sizeof(T) == 8) return {divide_wide_run<remainder>, kHeavyGrain};
#endif
    return map_scalar<T, T, 2>(
        [](T a, T b, T) DT_INLINE_LAMBDA {
            return remainder ? integer_remainder<T, U>(a, b) : integer_floor_divide<T, U>(a, b);
        },
        kHeavyGrain);
}

template <class T, class U> T integer_power(T base, T exponent) {
    if (exponent < 0) return base == 1 ? T(1) : base == T(-1) ? T(exponent % 2 ? -1 : 1) : T(0);
    U result = 1, factor = U(base);
    for (T e = exponent; e; e = T(e >> 1)) {
        if (e & 1) result *= factor;
        factor *= factor;
    }
    return T(result);
}
// The same for vectors: as many squarings as the largest exponent has bits.
template <class V> DT_INLINE V integer_powers(V base, V exponent) {
    using T = Lane<V>;
    const V one = broadcast(T(1));
    V result = one, factor = base, left = exponent < V{} ? V{} : exponent;
    while (any(left)) {
        result = (left & 1) != V{} ? result * factor : result;
        factor *= factor;
        left >>= 1;
    }
    const V sign = (exponent & 1) != V{} ? -one : one;
    const V inverse = base == one ? one : base == -one ? sign : V{};
    return exponent < V{} ? inverse : result;
}
template <class T, class U> T shift_left(T a, T bits) {
    return bits < 0 || bits >= T(sizeof(T) * 8) ? T(0) : T(U(a) << bits);
}
template <class T> T shift_right(T a, T bits) {
    const bool far = bits < 0 || bits >= T(sizeof(T) * 8);
    return far ? T(a < 0 ? -1 : 0) : T(a >> bits);
}

// `same_divisor`: the second operand is one value for all.
template <class T, class U> Mapped integer_op(BinaryOp op, bool same_divisor) {
    switch (op) {
        DT_SCALAR(add, kCheapGrain, U(a) + U(b))
        DT_SCALAR(subtract, kCheapGrain, U(a) - U(b))
        DT_SCALAR(multiply, kCheapGrain, U(a) * U(b))
    case BinaryOp::floor_divide:
        return integer_division<T, U, false>(same_divisor);
    case BinaryOp::remainder:
        return integer_division<T, U, true>(same_divisor);
    case BinaryOp::power:
        if constexpr (sizeof(T) > 1)
            return map_vector<T, 2>(
                [](Vec<T> a, Vec<T> b, Vec<T>, Vec<T>)
                    DT_INLINE_LAMBDA { return (Vec<T>)integer_powers((Vec<T>)a, (Vec<T>)b); },
                kHeavyGrain);
        else
            return map_scalar<T, T, 2>([](T a, T b, T) DT_INLINE_LAMBDA { return integer_power<T, U>(a, b); },
                                       kHeavyGrain);
        DT_SCALAR(maximum, kCheapGrain, a > b ? a : b)
        DT_SCALAR(minimum, kCheapGrain, a < b ? a : b)
        DT_SCALAR(bitwise_and, kCheapGrain, a & b)
        DT_SCALAR(bitwise_or, kCheapGrain, a | b)
        DT_SCALAR(bitwise_xor, kCheapGrain, a ^ b)
        DT_SCALAR(left_shift, kCheapGrain, (shift_left<T, U>(a, b)))
        DT_SCALAR(right_shift, kCheapGrain, shift_right(a, b))
    default:
        return {};
    }
}

Mapped bool_op(BinaryOp op) {
    using T = uint8_t;
    switch (op) {
        DT_SCALAR(bitwise_and, kCheapGrain, a & b)
        DT_SCALAR(bitwise_or, kCheapGrain, a | b)
        DT_SCALAR(bitwise_xor, kCheapGrain, a ^ b)
    default:
        return {};
    }
}

Mapped binary_op(BinaryOp op, DType dtype, const double* params, bool same_second) {
    switch (dtype) {
    case DType::boolean:
        return bool_op(op);
    case DType::uint8:
        return integer_op<uint8_t, uint32_t>(op, same_second);
    case DType::int32:
        return integer_op<int32_t, uint32_t>(op, same_second);
    case DType::int64:
        return integer_op<int64_t, uint64_t>(op, same_second);
    case DType::float64:
        return float_op<double>(op, params);
    default:
        return float_op<float>(op, params);
    }
}

#define DT_TERNARY(name, body)                                                                               \
    case TernaryOp::name:                                                                                    \
        return map_vector<T, 3>([](V a, V b, V c, V, V) DT_INLINE_LAMBDA { return body; }, kCheapGrain);

template <class T> Mapped ternary_op(TernaryOp op) {
    using V = Vec<T>;
    switch (op) {
        DT_TERNARY(prelu_grad, select(b > V{}, a, a * c))
        DT_TERNARY(maximum_grad, select(b < c, V{}, select(b == c, a * T(0.5), a)))
        DT_TERNARY(minimum_grad, select(b > c, V{}, select(b == c, a * T(0.5), a)))
    case TernaryOp::count:
        break;
    }
    return {};
}

} // namespace

void binary(BinaryOp op, DType dtype, const Loop& loop, const double* params) {
    const Mapped mapped = binary_op(op, dtype, params, is_one_value(loop, 2));
    const Storage s = storage_of(dtype), storage[] = {s, s, s};
    if (mapped.run) walk(loop, storage, mapped.run, params, mapped.grain, mapped.half(dtype));
}

void ternary(TernaryOp op, DType dtype, const Loop& loop, const double* params) {
    const Mapped mapped = dtype == DType::float64 ? ternary_op<double>(op) : ternary_op<float>(op);
    const Storage s = storage_of(dtype), storage[] = {s, s, s, s};
    if (mapped.run) walk(loop, storage, mapped.run, params, mapped.grain, mapped.half(dtype));
}

} // namespace dt::cpu::DT_LEVEL
