#include "ops/copy.h"

#include "ops/common.h"

namespace dt::ops {

Tensor clone(const Tensor& x) {
    LongWork work(0.3 * static_cast<double>(x.bytes()));
    Tensor y = plain::clone(x);
    if (recording({&x})) record("clone", y, {&x}, [](Backward& b) { b.give(0, b.grad()); }, 100);
    return y;
}

Tensor contiguous(const Tensor& x) { return x.is_contiguous() ? x : clone(x); }

Tensor to_dtype(const Tensor& x, DType dtype) {
    if (x.dtype() == dtype) return x;
    LongWork work(static_cast<double>(x.size()));
    Tensor y = plain::convert(x, dtype);
    if (is_floating(dtype) && recording({&x}))
        record("astype", y, {&x},
               [from = x.dtype()](Backward& b) { b.give(0, plain::convert(b.grad(), from)); });
    return y;
}

Tensor astype(const Tensor& x, DType dtype, bool copy) {
    return copy && x.dtype() == dtype ? clone(x) : to_dtype(x, dtype);
}

} // namespace dt::ops
