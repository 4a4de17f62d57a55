#pragma once
#include "core/tensor.h"

// Copies and conversions; gradients flow through them.
namespace dt::ops {

Tensor clone(const Tensor& x);                          // contiguous, in memory of its own
Tensor contiguous(const Tensor& x);                     // x itself where it is
Tensor to_dtype(const Tensor& x, DType dtype);          // x itself where it has the dtype
Tensor astype(const Tensor& x, DType dtype, bool copy); // copy: also where it has the dtype

} // namespace dt::ops
