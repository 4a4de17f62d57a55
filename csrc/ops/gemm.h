#pragma once
#include <optional>

#include "core/tensor.h"
#include "kernels/gemm.h"

namespace dt::ops {

// NumPy's matmul: vectors, matrices, and stacks of matrices that broadcast.
Tensor matmul(const Tensor& x1, const Tensor& x2);
// input (..., in) times weight (out, in) transposed, plus bias (out).
Tensor linear(const Tensor& input, const Tensor& weight, const std::optional<Tensor>& bias);
// The same with the activation applied before the result leaves the cache; `activation` is none or relu.
Tensor linear_activation(const Tensor& input, const Tensor& weight, const std::optional<Tensor>& bias,
                         Activation activation);

} // namespace dt::ops
