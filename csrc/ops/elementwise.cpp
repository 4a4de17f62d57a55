#include "ops/elementwise.h"

#include "ops/common.h"

namespace dt::ops {
namespace {

Tensor as_tensor(const Operand& x, DType dtype) {
    return x.is_tensor() ? plain::convert(x.tensor, dtype) : plain::full({}, dtype, x.scalar.real);
}

} // namespace

// Sketch of the binary ops: float tensors of one dtype.
Tensor add(const Operand& x1, const Operand& x2) {
    DType dtype = x1.is_tensor() ? x1.tensor.dtype() : x2.tensor.dtype();
    Tensor a = as_tensor(x1, dtype), b = as_tensor(x2, dtype);
    if (dtype == DType::boolean) type_error({"add: bool tensors are not supported"});
    Dims shape = broadcast_shapes("add", a.shape(), b.shape());
    Tensor out = Tensor::empty(shape, dtype);
    if (out.size())
        kernels().elementwise.binary(BinaryOp::add, dtype, loop_over(shape, {&out, &a, &b}), nullptr);
    if (recording({&x1.tensor, &x2.tensor}))
        record("add", out, {&x1.tensor, &x2.tensor}, [](Backward& g) {
            for (int i : {0, 1})
                if (g.needs(i)) g.give(i, g.grad());
        });
    return out;
}

Tensor multiply(const Operand& x1, const Operand& x2) {
    DType dtype = x1.is_tensor() ? x1.tensor.dtype() : x2.tensor.dtype();
    Tensor a = as_tensor(x1, dtype), b = as_tensor(x2, dtype);
    if (dtype == DType::boolean) type_error({"multiply: bool tensors are not supported"});
    Dims shape = broadcast_shapes("multiply", a.shape(), b.shape());
    Tensor out = Tensor::empty(shape, dtype);
    if (out.size())
        kernels().elementwise.binary(BinaryOp::multiply, dtype, loop_over(shape, {&out, &a, &b}), nullptr);
    if (recording({&x1.tensor, &x2.tensor}))
        record("multiply", out, {&x1.tensor, &x2.tensor}, [a = Saved(a), b = Saved(b)](Backward& g) {
            if (g.needs(0)) g.give(0, multiply({g.grad(), {}}, {b.get(), {}}));
            if (g.needs(1)) g.give(1, multiply({g.grad(), {}}, {a.get(), {}}));
        });
    return out;
}

} // namespace dt::ops
