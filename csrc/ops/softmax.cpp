#include "ops/softmax.h"

#include "ops/checks.h"

namespace dt::ops {
namespace {

struct Extent {
    int64_t outer = 1, axis = 1, inner = 1;
};

Extent extent_of(const Dims& shape, int axis) {
    Extent e;
    for (int i = 0; i < shape.rank(); ++i) (i < axis ? e.outer : i == axis ? e.axis : e.inner) *= shape[i];
    return e;
}

void backward_of(Backward& b, const Tensor& output, const Extent& e, bool logarithm) {
    const Tensor grad = plain::contiguous(b.grad());
    Tensor input_grad = empty_like(output);
    SoftmaxGradArgs args;
    args.outer = e.outer;
    args.axis = e.axis;
    args.inner = e.inner;
    args.logarithm = logarithm;
    args.output = output.data();
    args.output_grad = grad.data();
    args.input_grad = input_grad.data();
    if (output.size()) kernels().softmax.backward[precision(output)](args);
    b.give(0, input_grad);
}

Tensor apply(const char* op, const Tensor& input, int64_t axis, bool logarithm) {
    check_floating(op, "input", input);
    const Extent e = extent_of(input.shape(), input.rank() ? normalize_axis(op, axis, input.rank()) : 0);
    Tensor out = empty_like(input);
    if (out.size()) {
        const Tensor x = plain::contiguous(input);
        SoftmaxArgs args;
        args.outer = e.outer;
        args.axis = e.axis;
        args.inner = e.inner;
        args.logarithm = logarithm;
        args.input = x.data();
        args.output = out.data();
        LongWork work(static_cast<double>(out.size()));
        kernels().softmax.forward[precision(x)](args);
    }
    if (recording({&input}))
        record(op, out, {&input},
               [y = Saved(out), e, logarithm](Backward& b) { backward_of(b, y.get(), e, logarithm); });
    return out;
}

} // namespace

Tensor softmax(const Tensor& input, int64_t axis) { return apply("softmax", input, axis, false); }
Tensor log_softmax(const Tensor& input, int64_t axis) { return apply("log_softmax", input, axis, true); }

} // namespace dt::ops
