#include "kernels/cpu/activation.h"
#include "kernels/cpu/common.h"
#include "kernels/cpu/elementwise_parts.h"
#include "kernels/cpu/map.h"
#include "kernels/cpu/power.h"
#include "kernels/cpu/trigonometry.h"

namespace dt::cpu::DT_LEVEL {
namespace {

// One parameter pack for every lambda keeps the table readable: most ignore p and q.
#define DT_VECTOR(name, exact, grain, body)                                                                  \
    case UnaryOp::name:                                                                                      \
        return map_vector<T, 1, exact>(                                                                      \
            [](V x, [[maybe_unused]] V p, [[maybe_unused]] V q) DT_INLINE_LAMBDA { return body; }, grain);
#define DT_EXACT(name, body) DT_VECTOR(name, true, kCheapGrain, body)
#define DT_CHEAP(name, body) DT_VECTOR(name, false, kCheapGrain, body)
#define DT_HEAVY(name, body) DT_VECTOR(name, false, kHeavyGrain, body)
#define DT_SCALAR(name, body, grain)                                                                         \
    case UnaryOp::name:                                                                                      \
        return map_scalar<T, T, 1>([](T x, [[maybe_unused]] T p) DT_INLINE_LAMBDA { return T(body); }, grain);

// Each loop becomes one instruction.
#define DT_LANES(name, function)                                                                             \
    template <FloatVec V> DT_INLINE V name(V x) {                                                            \
        for (int i = 0; i < kLanes<Lane<V>>; ++i)                                                            \
            if constexpr (sizeof(Lane<V>) == 4)                                                              \
                x[i] = __builtin_##function##f(x[i]);                                                        \
            else                                                                                             \
                x[i] = __builtin_##function(x[i]);                                                           \
        return x;                                                                                            \
    }
DT_LANES(floor, floor)
DT_LANES(ceil, ceil)
DT_LANES(round, rint)
#undef DT_LANES

// x ** 0.5, which unlike sqrt(x) is 0 at -0 and infinite at -infinity.
template <FloatVec V> DT_INLINE V root(V x) {
    using T = Lane<V>;
    const V infinity = broadcast(T(__builtin_inf()));
    return sqrt(select(x == -infinity, infinity, x + T(0)));
}

// x ** p, with the exponents people write most for themselves.
template <class T> Mapped power_of(double exponent) {
    using V = Vec<T>;
#define DT_POWER(value, body)                                                                                \
    if (exponent == value)                                                                                   \
        return map_vector<T, 1>([]([[maybe_unused]] V x, V, V) DT_INLINE_LAMBDA { return body; },            \
                                kCheapGrain);
    DT_POWER(0.0, broadcast(T(1)))
    DT_POWER(1.0, x)
    DT_POWER(2.0, x * x)
    DT_POWER(3.0, x * x * x)
    DT_POWER(-1.0, T(1) / x)
    DT_POWER(0.5, root(x))
    DT_POWER(-0.5, T(1) / root(x))
#undef DT_POWER
    return map_vector<T, 1>([](V x, V p, V) DT_INLINE_LAMBDA { return pow(x, p); }, kHeavyGrain);
}

template <class T> Mapped float_op(UnaryOp op, const double* params) {
    using V = Vec<T>;
    switch (op) {
        DT_EXACT(negative, -x)
        DT_EXACT(absolute, abs(x))
        DT_CHEAP(square, x * x)
        DT_EXACT(sign,
                 select(x != x, x, select(x > V{}, broadcast(T(1)), select(x < V{}, broadcast(T(-1)), V{}))))
        DT_CHEAP(reciprocal, T(1) / x)
        DT_CHEAP(sqrt, sqrt(x))
        DT_CHEAP(rsqrt, T(1) / sqrt(x))
        DT_HEAVY(exp, exp(x))
        DT_HEAVY(expm1, expm1(x))
        DT_HEAVY(log, log(x))
        DT_HEAVY(log1p, log1p(x))
        DT_HEAVY(tanh, tanh(x))
        DT_HEAVY(erf, erf(x))
        DT_HEAVY(sigmoid, sigmoid(x))
        DT_HEAVY(exp2, exp2(x))
        DT_HEAVY(log2, log2(x))
        DT_HEAVY(log10, log10(x))
        DT_HEAVY(sin, sin(x))
        DT_HEAVY(cos, cos(x))
        DT_HEAVY(tan, tan(x))
        DT_HEAVY(asin, asin(x))
        DT_HEAVY(acos, acos(x))
        DT_HEAVY(atan, atan(x))
        DT_HEAVY(sinh, sinh(x))
        DT_HEAVY(cosh, cosh(x))
        DT_HEAVY(asinh, asinh(x))
        DT_HEAVY(acosh, acosh(x))
        DT_HEAVY(atanh, atanh(x))
        DT_EXACT(floor, floor(x))
        DT_EXACT(ceil, ceil(x))
        DT_EXACT(round, round(x))
        DT_EXACT(trunc, truncate(x))
        DT_HEAVY(log_sigmoid, log_sigmoid(x))
        DT_EXACT(relu, select(x <= V{}, V{}, x))
        DT_CHEAP(leaky_relu, select(x > V{}, x, x * p))
        DT_HEAVY(elu, select(x > V{}, x, p * expm1(x)))
        DT_HEAVY(selu, selu(x))
        DT_HEAVY(gelu, x * normal_cdf(x))
        DT_HEAVY(gelu_tanh, x * sigmoid(gelu_argument(x)))
        DT_HEAVY(silu, x * sigmoid(x))
        DT_HEAVY(softplus, select(x * p > q, x, softplus(x * p) / p))
        DT_HEAVY(mish, x * tanh(softplus(x)))
        DT_EXACT(relu6, clamp(x, V{}, broadcast(T(6))))
        DT_CHEAP(hardswish, x * clamp(x + T(3), V{}, broadcast(T(6))) * T(1.0 / 6))
        DT_CHEAP(hardsigmoid, clamp(x + T(3), V{}, broadcast(T(6))) * T(1.0 / 6))
        DT_CHEAP(hardtanh, clamp(x, p, q))
        DT_CHEAP(softsign, x / (T(1) + abs(x)))
        DT_CHEAP(clip, clamp(x, p, q))
    case UnaryOp::power:
        return power_of<T>(params[0]);
    case UnaryOp::invert:
    case UnaryOp::count:
        break;
    }
    return {};
}

// Unsigned arithmetic wraps around where signed arithmetic would be undefined.
template <class T, class U> Mapped integer_op(UnaryOp op) {
    switch (op) {
        DT_SCALAR(negative, U(0) - U(x), kCheapGrain)
        DT_SCALAR(absolute, x < 0 ? U(0) - U(x) : U(x), kCheapGrain)
        DT_SCALAR(square, U(x) * U(x), kCheapGrain)
        DT_SCALAR(sign, (x > 0) - (x < 0), kCheapGrain)
        DT_SCALAR(invert, ~x, kCheapGrain)
    default:
        return {};
    }
}

Mapped bool_op(UnaryOp op) {
    using T = uint8_t;
    switch (op) {
        DT_SCALAR(invert, x == 0, kCheapGrain)
    default:
        return {};
    }
}

Mapped unary_op(UnaryOp op, DType dtype, const double* params) {
    switch (dtype) {
    case DType::boolean:
        return bool_op(op);
    case DType::uint8:
        return integer_op<uint8_t, uint32_t>(op);
    case DType::int32:
        return integer_op<int32_t, uint32_t>(op);
    case DType::int64:
        return integer_op<int64_t, uint64_t>(op);
    case DType::float64:
        return float_op<double>(op, params);
    default:
        return float_op<float>(op, params);
    }
}

} // namespace

void unary(UnaryOp op, DType dtype, const Loop& loop, const double* params) {
    const Mapped mapped = unary_op(op, dtype, params);
    const Storage storage[] = {storage_of(dtype), storage_of(dtype)};
    if (mapped.run) walk(loop, storage, mapped.run, params, mapped.grain, mapped.half(dtype));
}

} // namespace dt::cpu::DT_LEVEL
