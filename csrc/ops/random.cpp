#include "ops/random.h"

#include <cmath>

#include "ops/checks.h"
#include "ops/reduce.h"

namespace dt::ops {
namespace {

RandomSource next(const Ref<Generator>& generator) {
    const Generator::Stream s = generator->next();
    return {s.seed, s.stream, 0};
}

enum class Shape { uniform, normal };

void check_parameters(const char* op, Shape kind, double a, double b) {
    if (!std::isfinite(a) || !std::isfinite(b))
        value_error({op, ": ", kind == Shape::uniform ? "low and high" : "mean and std",
                     " must be finite numbers, got ", a, " and ", b});
    if (kind == Shape::uniform && a > b) value_error({op, ": low is ", a, ", which is above high, ", b});
    if (kind == Shape::normal && b < 0) value_error({op, ": std is ", b, ", expected 0 or more"});
}

// Half precision is drawn in float32 and rounded.
Tensor draw(const char* op, Shape kind, const Dims& shape, double a, double b, DType dtype,
            const Ref<Generator>& generator) {
    if (!is_floating(dtype)) type_error({op, ": dtype must be a floating-point one, got ", dtype});
    check_parameters(op, kind, a, b);
    checked_size(op, shape, dtype);
    Tensor t = Tensor::empty(shape, dtype == DType::float64 ? dtype : DType::float32, Device::cpu, op);
    const RandomSource source = next(generator);
    const auto& kernel = kernels().random;
    if (t.size()) {
        LongWork work(static_cast<double>(t.size()));
        (kind == Shape::uniform ? kernel.uniform : kernel.normal)[precision(t)](source, t.size(), a, b,
                                                                                t.data());
    }
    return plain::convert(t, dtype);
}

Tensor fill(const char* op, Shape kind, const Tensor& self, double a, double b,
            const Ref<Generator>& generator) {
    autograd::check_in_place(op, self);
    plain::copy(self, draw(op, kind, self.shape(), a, b, self.dtype(), generator));
    autograd::record_in_place(op, self, Tensor());
    return self;
}

} // namespace

Tensor uniform(const Dims& shape, double low, double high, DType dtype, const Ref<Generator>& generator) {
    return draw("uniform", Shape::uniform, shape, low, high, dtype, generator);
}
Tensor normal(const Dims& shape, double mean, double std, DType dtype, const Ref<Generator>& generator) {
    return draw("normal", Shape::normal, shape, mean, std, dtype, generator);
}
Tensor rand(const Dims& shape, DType dtype, const Ref<Generator>& generator) {
    return draw("rand", Shape::uniform, shape, 0, 1, dtype, generator);
}
Tensor randn(const Dims& shape, DType dtype, const Ref<Generator>& generator) {
    return draw("randn", Shape::normal, shape, 0, 1, dtype, generator);
}

Tensor randint(int64_t low, int64_t high, const Dims& shape, DType dtype, const Ref<Generator>& generator) {
    if (low >= high) value_error({"randint: low is ", low, ", expected less than high, ", high});
    const bool fits = dtype == DType::int64 ||
                      (dtype == DType::int32 && low >= INT32_MIN && high - 1 <= INT32_MAX) ||
                      (dtype == DType::uint8 && low >= 0 && high - 1 <= UINT8_MAX);
    if (!is_integer(dtype)) type_error({"randint: dtype must be an integer one, got ", dtype});
    if (!fits) value_error({"randint: the numbers from ", low, " to ", high - 1, " do not fit into ", dtype});
    Tensor t = Tensor::empty(shape, DType::int64, Device::cpu, "randint");
    const RandomSource source = next(generator);
    if (t.size()) kernels().random.integers(source, t.size(), low, high, t.data<int64_t>());
    return plain::convert(t, dtype);
}

Tensor randperm(int64_t n, const Ref<Generator>& generator) {
    Tensor t = Tensor::empty({n}, DType::int64, Device::cpu, "randperm");
    const RandomSource source = next(generator);
    LongWork work(5 * static_cast<double>(n));
    kernels().random.permutation(source, n, t.data<int64_t>());
    return t;
}

namespace {
[[noreturn]] void refuse_probabilities(const char* op, const Tensor& p) {
    autograd::GradMode off(false);
    const auto number = [](const Tensor& t) { return *plain::convert(t, DType::float64).data<double>(); };
    value_error({op, ": input has values from ", number(min(p, {}, false)), " to ",
                 number(max(p, {}, false)), // NaN if there is one
                 ", expected probabilities from 0 to 1"});
}
} // namespace

Tensor bernoulli(const Tensor& input, const Ref<Generator>& generator) {
    check_real("bernoulli", "input", input);
    const Tensor p = plain::contiguous(input);
    Tensor out = empty_like(p);
    const RandomSource source = next(generator);
    if (out.size() && !kernels().random.bernoulli[precision(p)](source, p.size(), p.data(), 1, out.data()))
        refuse_probabilities("bernoulli", p);
    return out;
}

Tensor draw_uniform(int64_t seed, int64_t stream, const Tensor& positions, int64_t count) {
    const char* op = "draw_uniform";
    const Tensor rows = own_indices(op, "positions", positions);
    check_rank(op, "positions", rows, 1, "(n,)");
    if (count < 0) value_error({op, ": count is ", count, ", expected 0 or more"});
    const int64_t n = rows.size();
    checked_size(op, {n, count}, DType::float64);
    Tensor out = Tensor::empty({n, count}, DType::float64, Device::cpu, op);
    const int64_t* position = rows.data<int64_t>();
    double* values = out.data<double>();
    for (int64_t i = 0; i < n; ++i)
        for (int64_t j = 0; j < count; ++j, ++values) {
            // The position is the counter; two values of 53 bits come from each stream that follows.
            const Philox p = philox(static_cast<uint64_t>(seed),
                                    static_cast<uint64_t>(stream) + static_cast<uint64_t>(j / 2),
                                    static_cast<uint64_t>(position[i]));
            const uint32_t low = p.words[j % 2 * 2], high = p.words[j % 2 * 2 + 1];
            *values = static_cast<double>((uint64_t{high} << 32 | low) >> 11) * 0x1p-53;
        }
    return out;
}

Tensor fill_uniform(const Tensor& self, double low, double high, const Ref<Generator>& generator) {
    return fill("uniform_", Shape::uniform, self, low, high, generator);
}
Tensor fill_normal(const Tensor& self, double mean, double std, const Ref<Generator>& generator) {
    return fill("normal_", Shape::normal, self, mean, std, generator);
}

} // namespace dt::ops
