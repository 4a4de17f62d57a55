#include "ops/dropout.h"

#include <cmath>

#include "ops/checks.h"
#include "ops/elementwise.h"

namespace dt::ops {
namespace {

Tensor apply(const Tensor& input, double p, const RandomSource& source) {
    const Tensor x = plain::contiguous(input);
    Tensor out = empty_like(x);
    if (!out.size()) return out;
    LongWork work(static_cast<double>(out.size()));
    kernels().dropout.apply[precision(x)](source, x.size(), p, x.data(), out.data());
    return out;
}

// The same memory, but a tensor of its own.
Tensor unchanged(const char* op, const Tensor& input) {
    return autograd::view(op, input, input.shape(), input.strides(), input.offset(),
                          [](Backward& b) { b.give(0, b.grad()); });
}

RandomSource next(const Ref<Generator>& generator) {
    const Generator::Stream stream = generator->next();
    return {stream.seed, stream.stream, 0};
}

void check_shared(const char* op, const Tensor& input, const Dims& shared) {
    bool fits = shared.rank() == input.shape().rank();
    for (int i = 0; fits && i < shared.rank(); ++i) fits = shared[i] == 1 || shared[i] == input.shape()[i];
    if (!fits)
        value_error({op, ": shared is ", shared,
                     ", expected 1 or the size of the input for each of its axes ", "(shape ", input.shape(),
                     ")"});
}

// One value for each random number: `kept` with probability 1 - p, else 0. Float64 beside float64.
Tensor mask(const Tensor& input, double p, const Dims& shared, double kept, const RandomSource& source) {
    const DType dtype = input.dtype() == DType::float64 ? DType::float64 : DType::float32;
    return apply(plain::full(shared, dtype, kept * (1 - p)), p, source);
}

Operand tensor(const Tensor& t) { return {t, {}}; }
Operand number(double x) { return {Tensor(), {DType::float64, 0, x}}; }

// x times a small mask. The scale would lose digits in a half format.
Tensor times(const Tensor& x, const Tensor& mask) {
    return plain::convert(multiply(tensor(x), tensor(mask)), x.dtype());
}

} // namespace

Tensor dropout(const Tensor& input, double p, bool training, const Ref<Generator>& generator) {
    check_floating("dropout", "input", input);
    check_between("dropout", "p", p, 0, 1);
    if (!training || p == 0) return unchanged("dropout", input);
    const RandomSource source = next(generator);
    Tensor out = apply(input, p, source);
    if (recording({&input}))
        record("dropout", out, {&input}, [p, source](Backward& b) { b.give(0, apply(b.grad(), p, source)); });
    return out;
}

Tensor shared_dropout(const Tensor& input, double p, const Dims& shared, bool training,
                      const Ref<Generator>& generator) {
    const char* op = "shared_dropout";
    check_floating(op, "input", input);
    check_between(op, "p", p, 0, 1);
    check_shared(op, input, shared);
    if (!training || p == 0) return unchanged(op, input);
    const RandomSource source = next(generator);
    const double scale = p < 1 ? 1 / (1 - p) : 0;
    const auto drop = [p, shared, scale, source](const Tensor& x) {
        return times(x, mask(x, p, shared, scale, source));
    };
    Tensor out;
    {
        autograd::GradMode off(false);
        out = drop(input);
    }
    if (recording({&input})) record(op, out, {&input}, [drop](Backward& b) { b.give(0, drop(b.grad())); });
    return out;
}

Tensor alpha_dropout(const Tensor& input, double p, const Dims& shared, bool training,
                     const Ref<Generator>& generator) {
    const char* op = "alpha_dropout";
    check_floating(op, "input", input);
    check_between(op, "p", p, 0, 1);
    check_shared(op, input, shared);
    if (!training || p == 0) return unchanged(op, input);
    const RandomSource source = next(generator);
    constexpr double least = -1.0507009873554804934 * 1.6732632423543772848; // SELU of minus infinity
    // Klambauer et al., 2017: mean 0 and variance 1 stay.
    const double scale = p < 1 ? 1 / std::sqrt((1 - p) * (1 + p * least * least)) : 0;
    Tensor out;
    {
        autograd::GradMode off(false);
        const Tensor kept = mask(input, p, shared, scale, source);
        // kept / scale is 1 or 0: scale * (x or least) - scale * p * least.
        const Tensor rest =
            add(tensor(multiply(tensor(kept), number(-least))), number(scale * (1 - p) * least));
        out = plain::convert(add(tensor(multiply(tensor(input), tensor(kept))), tensor(rest)), input.dtype());
    }
    if (recording({&input}))
        record(op, out, {&input}, [p, shared, scale, source](Backward& b) {
            b.give(0, times(b.grad(), mask(b.grad(), p, shared, scale, source)));
        });
    return out;
}

} // namespace dt::ops
