// Every UnaryOp in every dtype.
#include <limits>
#include <optional>

#include "elementwise.h"
#include "kernels/elementwise.h"

namespace dt::check {
namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double log1p_exp(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }
double clamp(double x, double low, double high) { return x < low ? low : x > high ? high : x; }
double selu(double x) {
    return 1.0507009873554804934193349852946 *
           (x > 0 ? x : 1.6732632423543772848170429916717 * std::expm1(x));
}
double gelu(double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }
double gelu_tanh(double x) {
    return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

Want of_float(UnaryOp op, double x, double p, double q) {
    switch (op) {
    case UnaryOp::negative:
        return -x;
    case UnaryOp::absolute:
        return std::fabs(x);
    case UnaryOp::square:
        return x * x;
    case UnaryOp::sign:
        return std::isnan(x) ? x : double((x > 0) - (x < 0));
    case UnaryOp::reciprocal:
        return 1 / x;
    case UnaryOp::sqrt:
        return std::sqrt(x);
    case UnaryOp::rsqrt:
        return 1 / std::sqrt(x);
    case UnaryOp::exp:
        return std::exp(x);
    case UnaryOp::exp2:
        return std::exp2(x);
    case UnaryOp::expm1:
        return std::expm1(x);
    case UnaryOp::log:
        return std::log(x);
    case UnaryOp::log1p:
        return std::log1p(x);
    case UnaryOp::log2:
        return std::log2(x);
    case UnaryOp::log10:
        return std::log10(x);
    case UnaryOp::sin:
        return std::sin(x);
    case UnaryOp::cos:
        return std::cos(x);
    case UnaryOp::tan:
        return std::tan(x);
    case UnaryOp::asin:
        return std::asin(x);
    case UnaryOp::acos:
        return std::acos(x);
    case UnaryOp::atan:
        return std::atan(x);
    case UnaryOp::sinh:
        return std::sinh(x);
    case UnaryOp::cosh:
        return std::cosh(x);
    case UnaryOp::tanh:
        return std::tanh(x);
    case UnaryOp::asinh:
        return std::asinh(x);
    case UnaryOp::acosh:
        return std::acosh(x);
    case UnaryOp::atanh:
        return std::atanh(x);
    case UnaryOp::erf:
        return std::erf(x);
    case UnaryOp::floor:
        return std::floor(x);
    case UnaryOp::ceil:
        return std::ceil(x);
    case UnaryOp::round:
        return std::nearbyint(x);
    case UnaryOp::trunc:
        return std::trunc(x);
    case UnaryOp::sigmoid:
        return sigmoid(x);
    case UnaryOp::log_sigmoid:
        return -log1p_exp(-x);
    case UnaryOp::relu:
        return x <= 0 ? 0 : x;
    case UnaryOp::leaky_relu:
        return x > 0 ? x : p * x;
    case UnaryOp::elu:
        return x > 0 ? x : p * std::expm1(x);
    case UnaryOp::selu:
        return selu(x);
    case UnaryOp::gelu:
        return {gelu(x), std::fabs(x)};
    case UnaryOp::gelu_tanh:
        return {gelu_tanh(x), std::fabs(x)};
    case UnaryOp::silu:
        return x * sigmoid(x);
    case UnaryOp::softplus:
        return p * x > q ? x : log1p_exp(p * x) / p;
    case UnaryOp::mish:
        return x * std::tanh(log1p_exp(x));
    case UnaryOp::relu6:
        return clamp(x, 0, 6);
    case UnaryOp::hardswish:
        return x * clamp(x + 3, 0, 6) / 6;
    case UnaryOp::hardsigmoid:
        return clamp(x + 3, 0, 6) / 6;
    case UnaryOp::hardtanh:
    case UnaryOp::clip:
        return clamp(x, p, q);
    case UnaryOp::softsign:
        return x / (1 + std::fabs(x));
    case UnaryOp::power:
        return std::pow(x, p);
    case UnaryOp::invert:
    case UnaryOp::count:
        break;
    }
    return NAN;
}

// Nothing for an op that is not defined for integers. U is wide enough that nothing is promoted to int.
template <class T> std::optional<T> of_integer(UnaryOp op, T x) {
    const uint64_t u = static_cast<uint64_t>(x);
    switch (op) {
    case UnaryOp::negative:
        return T(0 - u);
    case UnaryOp::absolute:
        return T(x < T(0) ? 0 - u : u);
    case UnaryOp::square:
        return T(u * u);
    case UnaryOp::sign:
        return T(x > T(0) ? 1 : x < T(0) ? -1 : 0);
    case UnaryOp::invert:
        return T(~u);
    default:
        return {};
    }
}

struct Domain {
    double low, high;
};
Domain domain_of(UnaryOp op) {
    switch (op) {
    case UnaryOp::sqrt:
    case UnaryOp::rsqrt:
    case UnaryOp::log:
    case UnaryOp::log2:
    case UnaryOp::log10:
        return {0.01, 9};
    case UnaryOp::log1p:
        return {-0.99, 9};
    case UnaryOp::asin:
    case UnaryOp::acos:
    case UnaryOp::atanh:
        return {-0.999, 0.999};
    case UnaryOp::acosh:
        return {1.01, 9};
    default:
        return {-7, 7};
    }
}

// NumPy's functions, which must be right everywhere: beyond their domain, at infinity, at NaN.
bool right_everywhere(UnaryOp op) {
    return op < UnaryOp::sigmoid || op == UnaryOp::relu || op == UnaryOp::clip;
}

template <class T> Array<T> inputs(Checks& c, UnaryOp op, int64_t n) {
    const Domain domain = domain_of(op);
    Array<T> x = c.uniform_array<T>(n, domain.low, domain.high);
    const double special[] = {0.0, -0.0,     1.0,  -1.0,  0.5,   -0.5, 2.5,       3.5,   1e-30,  -1e-30,
                              1e4, INFINITY, 1e30, -1e30, -1e-3, NAN,  -INFINITY, 300.0, -300.0, 1e-40,
                              6.0, -3.0,     3.0,  88.0,  -88.0, -100, 65504.0,   1e-7};
    if (right_everywhere(op) && op != UnaryOp::sin && op != UnaryOp::cos && op != UnaryOp::tan)
        for (int64_t i = 0; i < n && n >= 28; i += 3) x[i] = rounded<T>(special[i / 3 % 28]);
    return x;
}

template <class T>
void check_floats(Checks& c, UnaryOp op, const std::string& name, int64_t n, const double* params) {
    c.at("unary ", name, "(", params[0], ", ", params[1], "), size ", n);
    const Array<T> x = inputs<T>(c, op, n);
    Array<T> out(n);
    c.call(c.table.elementwise.unary, op, dtype_of<T>, plain_loop(n, {side(out), side(x)}), params);
    if (op == UnaryOp::invert) return c.expect_true("floats have no invert", untouched(out));
    c.expect("out", out, 6, [&](int64_t i) { return of_float(op, x.at(i), params[0], params[1]); });
}

} // namespace

void check_unary(Checks& c) {
    for (const auto& [op, name] : enumerators<UnaryOp>()) {
        const double params[] = {0.75, 1.5}, limits[] = {-0.5, 1.25};
        const double* p = op == UnaryOp::hardtanh || op == UnaryOp::clip ? limits : params;
        for_floats([&, op = op, name = name]<class T>(T) {
            for (int64_t n : kSizes) check_floats<T>(c, op, name, n, p);
            check_floats<T>(c, op, name, kLargeSize, p);
        });
        check_floats<float16_t>(c, op, name, 2000, p);
        check_floats<bfloat16_t>(c, op, name, 2000, p);
        for_integers([&, op = op, name = name]<class T>(T) {
            for (int64_t n : {int64_t(1), int64_t(65), kLargeSize}) {
                c.at("unary ", name, ", size ", n);
                const Array<T> x = mixed<T>(c, n);
                Array<T> out(n);
                c.call(c.table.elementwise.unary, op, dtype_of<T>, plain_loop(n, {side(out), side(x)}),
                       params);
                if (of_integer(op, T(1)))
                    c.expect_exactly("out", out, [&](int64_t i) { return *of_integer(op, x[i]); });
                else
                    c.expect_true("not defined for integers, but something was written", untouched(out));
            }
        });
        c.at("unary ", name);
        const Array<Boolean> x = mixed<Boolean>(c, 100);
        Array<Boolean> out(100);
        c.call(c.table.elementwise.unary, op, DType::boolean, plain_loop(100, {side(out), side(x)}), params);
        if (op == UnaryOp::invert)
            c.expect_exactly("out", out, [&](int64_t i) { return Boolean{!x[i].value}; });
        else
            c.expect_true("not defined for bool, but something was written", untouched(out));
    }
    // Exponents with a kernel of their own, and one without.
    for (double exponent : {0.0, 1.0, 2.0, 3.0, -1.0, 0.5, -0.5, -2.0, 2.5}) {
        const double params[] = {exponent, 0};
        for_all_floats([&]<class T>(T) {
            c.at("unary power(", exponent, ")");
            const Array<T> x = c.uniform_array<T>(100, 0.1, 4);
            Array<T> out(100);
            c.call(c.table.elementwise.unary, UnaryOp::power, dtype_of<T>,
                   plain_loop(100, {side(out), side(x)}), params);
            c.expect("out", out, 6, [&](int64_t i) { return Want(std::pow(x.at(i), exponent)); });
        });
    }
}

} // namespace dt::check
