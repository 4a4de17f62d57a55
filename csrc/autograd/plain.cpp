#include "autograd/plain.h"

#include "kernels/table.h"

namespace dt::plain {
namespace {

Dims byte_strides(const Tensor& t) {
    Dims strides = t.strides();
    for (int64_t& s : strides) s *= static_cast<int64_t>(item_size(t.dtype()));
    return strides;
}

Loop loop_over(std::initializer_list<const Tensor*> tensors) {
    Loop loop{};
    for (const Tensor* t : tensors) {
        loop.strides[loop.operands] = byte_strides(*t);
        loop.data[loop.operands++] = t->data();
    }
    loop.shape = (*tensors.begin())->shape();
    return loop;
}

} // namespace

Tensor zeros(const Dims& shape, DType dtype, Device device) {
    Tensor t = Tensor::empty(shape, dtype, device, "zeros");
    if (t.size()) kernels().elementwise.fill(dtype, loop_over({&t}), 0, 0);
    return t;
}

Tensor full(const Dims& shape, DType dtype, double value) {
    Tensor t = Tensor::empty(shape, dtype, Device::cpu, "full");
    if (t.size() == 1 && dtype == DType::float32) // of every backward: no walk over one element
        *t.data<float>() = static_cast<float>(value);
    else if (t.size())
        kernels().elementwise.fill(dtype, loop_over({&t}), value, static_cast<int64_t>(value));
    return t;
}

void copy(const Tensor& to, const Tensor& from) {
    if (to.size()) kernels().elementwise.convert(from.dtype(), to.dtype(), loop_over({&to, &from}));
}

Tensor clone(const Tensor& t) {
    Tensor out = Tensor::empty(t.shape(), t.dtype(), t.device());
    copy(out, t);
    return out;
}

Tensor contiguous(const Tensor& t) { return t.is_contiguous() ? t : clone(t); }

Tensor convert(const Tensor& t, DType dtype) {
    if (t.dtype() == dtype) return t;
    Tensor out = Tensor::empty(t.shape(), dtype, t.device());
    copy(out, t);
    return out;
}

Tensor add(const Tensor& a, const Tensor& b) {
    Tensor out = Tensor::empty(a.shape(), a.dtype(), a.device());
    if (out.size())
        kernels().elementwise.binary(BinaryOp::add, a.dtype(), loop_over({&out, &a, &b}), nullptr);
    return out;
}

void add_to(const Tensor& sum, const Tensor& t) {
    if (sum.size())
        kernels().elementwise.binary(BinaryOp::add, sum.dtype(), loop_over({&sum, &sum, &t}), nullptr);
}

} // namespace dt::plain
