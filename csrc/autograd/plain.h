#pragma once
#include "core/tensor.h"

// Operations on tensors that record nothing, for the tape itself and for ops that must not record.
namespace dt::plain {

Tensor zeros(const Dims& shape, DType dtype, Device device = Device::cpu);
Tensor full(const Dims& shape, DType dtype, double value);
void copy(const Tensor& to, const Tensor& from); // same shape; converts the dtype
Tensor clone(const Tensor& t);                   // contiguous
Tensor contiguous(const Tensor& t);              // t itself where it is
Tensor convert(const Tensor& t, DType dtype);
Tensor add(const Tensor& a, const Tensor& b);    // same shape and dtype
void add_to(const Tensor& sum, const Tensor& t); // sum += t, same shape and dtype

} // namespace dt::plain
