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

// Unrecorded parts of it, for 1 x 1 convolutions too. Operands have one dtype and are contiguous but for the
// weight, which is a matrix of any strides; of half formats the bias is float32.
Tensor linear_rows(const Tensor& x, const Tensor& weight, const Tensor& bias, Activation activation);
Tensor linear_input_gradient(const Tensor& grad, const Tensor& weight, const Dims& shape, DType result);
Tensor linear_weight_gradient(const Tensor& grad, const Tensor& x, const Dims& shape, DType result);
// The kernel itself. `c`: the dtype of the result, that of the operands or, of half formats, float32.
void multiply_into(DType operands, DType c, GemmArgs& args);
// In which the two give the gradient of an operand of dtype `of`, all computing in `computing`: what is left
// is converted.
DType gradient_dtype(DType computing, DType of);

} // namespace dt::ops
