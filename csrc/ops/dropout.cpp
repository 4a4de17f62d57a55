#include "ops/dropout.h"

#include "ops/checks.h"

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

} // namespace

Tensor dropout(const Tensor& input, double p, bool training, const Ref<Generator>& generator) {
    check_floating("dropout", "input", input);
    check_between("dropout", "p", p, 0, 1);
    if (!training || p == 0) // the same memory, but a tensor of its own
        return autograd::view("dropout", input, input.shape(), input.strides(), input.offset(),
                              [](Backward& b) { b.give(0, b.grad()); });
    const Generator::Stream stream = generator->next();
    const RandomSource source{stream.seed, stream.stream, 0};
    Tensor out = apply(input, p, source);
    if (recording({&input}))
        record("dropout", out, {&input}, [p, source](Backward& b) { b.give(0, apply(b.grad(), p, source)); });
    return out;
}

} // namespace dt::ops
