// Every BinaryOp and TernaryOp in every dtype.
#include <optional>

#include "elementwise.h"
#include "kernels/elementwise.h"

namespace dt::check {
namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double log1p_exp(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }
double normal_cdf(double x) { return 0.5 * (1 + std::erf(x / std::sqrt(2.0))); }
double normal_density(double x) { return std::exp(-x * x / 2) / std::sqrt(2 * M_PI); }

double floor_divide(double a, double b) { return b == 0 ? a / b : std::floor(a / b); }
double remainder(double a, double b) { return b == 0 ? NAN : a - std::floor(a / b) * b; }

// The derivative of 0.5 x (1 + tanh u), u = sqrt(2 / pi) (x + 0.044715 x^3), by the rules of calculus.
double gelu_tanh_slope(double x) {
    const double u = std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x), t = std::tanh(u);
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * std::sqrt(2 / M_PI) * (1 + 3 * 0.044715 * x * x);
}
double mish_slope(double x) {
    const double t = std::tanh(log1p_exp(x));
    return t + x * (1 - t * t) * sigmoid(x);
}
double selu_slope(double x) {
    constexpr double scale = 1.0507009873554804934193349852946, alpha = 1.6732632423543772848170429916717;
    return scale * (x > 0 ? 1 : alpha * std::exp(x));
}

// The gradients get g as a and x (or y) as b.
Want of_floats(BinaryOp op, double a, double b, double p, double q) {
    const double x = b, g = a, terms = std::fabs(g) * (2 + 4 * x * x); // of gradients whose terms cancel
    switch (op) {
    case BinaryOp::add:
        return a + b;
    case BinaryOp::subtract:
        return a - b;
    case BinaryOp::multiply:
        return a * b;
    case BinaryOp::divide:
        return a / b;
    case BinaryOp::floor_divide:
        return floor_divide(a, b);
    case BinaryOp::remainder:
        return remainder(a, b);
    case BinaryOp::fmod:
        return std::fmod(a, b);
    case BinaryOp::power:
        return std::pow(a, b);
    case BinaryOp::maximum:
        return std::isnan(a) || std::isnan(b) ? NAN : a > b ? a : b;
    case BinaryOp::minimum:
        return std::isnan(a) || std::isnan(b) ? NAN : a < b ? a : b;
    case BinaryOp::atan2:
        return std::atan2(a, b);
    case BinaryOp::hypot:
        return std::hypot(a, b);
    case BinaryOp::logaddexp:
        return {std::fmax(a, b) + std::log1p(std::exp(-std::fabs(a - b))),
                std::fmax(std::fabs(a), std::fabs(b)) + 1};
    case BinaryOp::prelu:
        return a > 0 ? a : a * b;
    case BinaryOp::prelu_weight_grad:
        return x > 0 ? 0 : g * x;
    case BinaryOp::sqrt_grad:
        return g / (2 * x);
    case BinaryOp::rsqrt_grad:
        return -g * x * x * x / 2;
    case BinaryOp::reciprocal_grad:
        return -g * x * x;
    case BinaryOp::tanh_grad:
        return {g * (1 - x * x), terms};
    case BinaryOp::sigmoid_grad:
        return {g * x * (1 - x), terms};
    case BinaryOp::absolute_grad:
        return x > 0 ? g : x < 0 ? -g : 0;
    case BinaryOp::square_grad:
        return 2 * g * x;
    case BinaryOp::erf_grad:
        return {g * 2 / std::sqrt(M_PI) * std::exp(-x * x), terms};
    case BinaryOp::log_sigmoid_grad:
        return g * sigmoid(-x);
    case BinaryOp::relu_grad:
        return x <= 0 ? 0 : g;
    case BinaryOp::leaky_relu_grad:
        return x > 0 ? g : g * p;
    case BinaryOp::elu_grad:
        return x > 0 ? g : g * p * std::exp(x);
    case BinaryOp::selu_grad:
        return g * selu_slope(x);
    case BinaryOp::gelu_grad:
        return {g * (normal_cdf(x) + x * normal_density(x)), terms};
    case BinaryOp::gelu_tanh_grad:
        return {g * gelu_tanh_slope(x), terms};
    case BinaryOp::silu_grad:
        return {g * (sigmoid(x) + x * sigmoid(x) * sigmoid(-x)), terms};
    case BinaryOp::softplus_grad:
        return x * p > q ? g : g * sigmoid(x * p);
    case BinaryOp::mish_grad:
        return {g * mish_slope(x), terms};
    case BinaryOp::relu6_grad:
        return x > 0 && x < 6 ? g : 0;
    case BinaryOp::hardswish_grad:
        return x <= -3 ? Want(0) : x >= 3 ? Want(g) : Want(g * (x / 3 + 0.5), terms);
    case BinaryOp::hardsigmoid_grad:
        return x > -3 && x < 3 ? g / 6 : 0;
    case BinaryOp::hardtanh_grad:
        return x > p && x < q ? g : 0;
    case BinaryOp::softsign_grad:
        return g / ((1 + std::fabs(x)) * (1 + std::fabs(x)));
    case BinaryOp::clip_grad:
        return x >= p && x <= q ? g : 0;
    case BinaryOp::power_grad:
        return g * p * std::pow(x, p - 1);
    case BinaryOp::bitwise_and:
    case BinaryOp::bitwise_or:
    case BinaryOp::bitwise_xor:
    case BinaryOp::left_shift:
    case BinaryOp::right_shift:
    case BinaryOp::count:
        break;
    }
    return NAN;
}
bool for_integers_only(BinaryOp op) { return op >= BinaryOp::bitwise_and && op <= BinaryOp::right_shift; }

template <class T> T integer_power(T base, T exponent) {
    if (exponent < T(0)) return base == T(1) ? T(1) : base == T(-1) ? T(exponent % 2 == 0 ? 1 : -1) : T(0);
    uint64_t product = 1;
    for (T i = 0; i < exponent; ++i) product *= static_cast<uint64_t>(base);
    return T(product);
}

template <class T> std::optional<T> of_integers(BinaryOp op, T a, T b) {
    const uint64_t x = static_cast<uint64_t>(a), y = static_cast<uint64_t>(b);
    const __int128 wide_a = a, wide_b = b; // no division overflows
    const __int128 rest = b == T(0) ? 0 : (wide_a % wide_b + wide_b) % wide_b;
    const bool far = b < T(0) || b >= T(8 * sizeof(T));
    switch (op) {
    case BinaryOp::add:
        return T(x + y);
    case BinaryOp::subtract:
        return T(x - y);
    case BinaryOp::multiply:
        return T(x * y);
    case BinaryOp::floor_divide:
        return b == T(0) ? T(0) : T((wide_a - rest) / wide_b);
    case BinaryOp::remainder:
        return T(rest);
    case BinaryOp::power:
        return integer_power(a, b);
    case BinaryOp::maximum:
        return a > b ? a : b;
    case BinaryOp::minimum:
        return a < b ? a : b;
    case BinaryOp::bitwise_and:
        return T(x & y);
    case BinaryOp::bitwise_or:
        return T(x | y);
    case BinaryOp::bitwise_xor:
        return T(x ^ y);
    case BinaryOp::left_shift:
        return far ? T(0) : T(x << y);
    case BinaryOp::right_shift:
        return far ? T(a < T(0) ? -1 : 0) : T(wide_a >> int(b));
    default:
        return {};
    }
}

// Operands that suit the op: exact multiples where rounding to whole numbers decides, positive bases of
// powers.
template <class T> Array<T> operands(Checks& c, BinaryOp op, int64_t n, bool second) {
    Array<T> a(n);
    const bool whole = op == BinaryOp::floor_divide || op == BinaryOp::remainder || op == BinaryOp::fmod;
    const bool power = (op == BinaryOp::power && !second) || (op == BinaryOp::power_grad && second);
    const bool ties = op == BinaryOp::maximum || op == BinaryOp::minimum;
    const double points[] = {0, 0.75, 1.5, -0.5, 1.25, 3, -3, 6, 2, 1}; // where slopes change
    for (int64_t i = 0; i < n; ++i) {
        double x = power ? c.uniform(0.1, 3) : c.uniform(-3, 3);
        if (whole) x = static_cast<double>(c.whole(-12, 13)) / 4;
        if (ties) x = i % 9 == (second ? 2 : 4) ? NAN : static_cast<double>(c.whole(-2, 3));
        if (!whole && !ties && !power && second && i % 4 == 1) x = points[c.whole(0, 10)];
        a[i] = rounded<T>(x);
    }
    return a;
}

template <class T>
void check_floats(Checks& c, BinaryOp op, const std::string& name, int64_t n, const double* p) {
    c.at("binary ", name, "(", p[0], ", ", p[1], "), size ", n);
    const Array<T> a = operands<T>(c, op, n, false), b = operands<T>(c, op, n, true);
    Array<T> out(n);
    c.call(c.table.elementwise.binary, op, dtype_of<T>, plain_loop(n, {side(out), side(a), side(b)}), p);
    if (for_integers_only(op))
        return c.expect_true("not defined for floats, but something was written", untouched(out));
    c.expect("out", out, 8, [&](int64_t i) { return of_floats(op, a.at(i), b.at(i), p[0], p[1]); });
}

template <class T> void check_whole(Checks& c, BinaryOp op, const std::string& name, int64_t n) {
    c.at("binary ", name, ", size ", n);
    const bool small = op == BinaryOp::power || op == BinaryOp::left_shift || op == BinaryOp::right_shift;
    const Array<T> a = mixed<T>(c, n);
    Array<T> b = mixed<T>(c, n), out(n);
    for (int64_t i = 0; small && i < n; ++i)
        b[i] = T(c.whole(dtype_of<T> == DType::uint8 ? 0 : -3, op == BinaryOp::power ? 12 : 70));
    c.call(c.table.elementwise.binary, op, dtype_of<T>, plain_loop(n, {side(out), side(a), side(b)}),
           nullptr);
    if (of_integers(op, T(1), T(1)))
        c.expect_exactly("out", out, [&](int64_t i) { return *of_integers(op, a[i], b[i]); });
    else
        c.expect_true("not defined for integers, but something was written", untouched(out));
}

void check_bool(Checks& c, BinaryOp op, const std::string& name) {
    c.at("binary ", name);
    const Array<Boolean> a = mixed<Boolean>(c, 100), b = mixed<Boolean>(c, 100);
    Array<Boolean> out(100);
    c.call(c.table.elementwise.binary, op, DType::boolean, plain_loop(100, {side(out), side(a), side(b)}),
           nullptr);
    c.expect_exactly("out", out, [&](int64_t i) -> Boolean {
        const bool x = a[i].value, y = b[i].value;
        if (op == BinaryOp::bitwise_and) return {uint8_t(x && y)};
        if (op == BinaryOp::bitwise_or) return {uint8_t(x || y)};
        if (op == BinaryOp::bitwise_xor) return {uint8_t(x != y)};
        return {0xA5}; // the others leave bool alone
    });
}

Want of_three(TernaryOp op, double a, double b, double x) {
    switch (op) {
    case TernaryOp::prelu_grad:
        return b > 0 ? a : a * x;
    case TernaryOp::maximum_grad:
        return b > x ? a : b == x ? a / 2 : 0;
    case TernaryOp::minimum_grad:
        return b < x ? a : b == x ? a / 2 : 0;
    case TernaryOp::count:
        break;
    }
    return NAN;
}

} // namespace

void check_binary(Checks& c) {
    const double params[] = {0.75, 1.5};
    for (const auto& [op, name] : enumerators<BinaryOp>()) {
        for_floats([&, op = op, name = name]<class T>(T) {
            for (int64_t n : kSizes) check_floats<T>(c, op, name, n, params);
            check_floats<T>(c, op, name, kLargeSize, params);
        });
        check_floats<float16_t>(c, op, name, 2000, params);
        check_floats<bfloat16_t>(c, op, name, 2000, params);
        for_integers([&, op = op, name = name]<class T>(T) {
            for (int64_t n : {int64_t(1), int64_t(65), kLargeSize}) check_whole<T>(c, op, name, n);
        });
        check_bool(c, op, name);
    }
    for (double exponent : {0.0, 2.0, 3.0, -1.5}) {
        const double power[] = {exponent, 0};
        for_all_floats(
            [&]<class T>(T) { check_floats<T>(c, BinaryOp::power_grad, "power_grad", 100, power); });
    }
}

void check_ternary(Checks& c) {
    for (const auto& [op, name] : enumerators<TernaryOp>())
        for_all_floats([&, op = op, name = name]<class T>(T) {
            for (int64_t n : {int64_t(0), int64_t(1), int64_t(7), int64_t(65), kLargeSize}) {
                c.at("ternary ", name, ", size ", n);
                const Array<T> a = c.uniform_array<T>(n, -2, 2);
                Array<T> b = c.uniform_array<T>(n, -2, 2), x = c.uniform_array<T>(n, -2, 2), out(n);
                for (int64_t i = 0; i < n; i += 3) x[i] = b[i];
                c.call(c.table.elementwise.ternary, op, dtype_of<T>,
                       plain_loop(n, {side(out), side(a), side(b), side(x)}), nullptr);
                c.expect("out", out, 2, [&](int64_t i) { return of_three(op, a.at(i), b.at(i), x.at(i)); });
            }
        });
}

} // namespace dt::check
