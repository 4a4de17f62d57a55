#pragma once
#include "ops/scalar.h"

// Arithmetic of two operands. Shapes broadcast, dtypes promote as in the Array API standard, numbers are
// weak.
namespace dt::ops {

Tensor add(const Operand& x1, const Operand& x2);
Tensor subtract(const Operand& x1, const Operand& x2);
Tensor multiply(const Operand& x1, const Operand& x2);
Tensor divide(const Operand& x1, const Operand& x2);
Tensor floor_divide(const Operand& x1, const Operand& x2);
Tensor remainder(const Operand& x1, const Operand& x2);
Tensor fmod(const Operand& x1, const Operand& x2);
Tensor pow(const Operand& x1, const Operand& x2);
Tensor maximum(const Operand& x1, const Operand& x2);
Tensor minimum(const Operand& x1, const Operand& x2);
Tensor atan2(const Operand& x1, const Operand& x2);
Tensor hypot(const Operand& x1, const Operand& x2);
Tensor logaddexp(const Operand& x1, const Operand& x2);
Tensor bitwise_and(const Operand& x1, const Operand& x2);
Tensor bitwise_or(const Operand& x1, const Operand& x2);
Tensor bitwise_xor(const Operand& x1, const Operand& x2);
Tensor bitwise_left_shift(const Operand& x1, const Operand& x2);
Tensor bitwise_right_shift(const Operand& x1, const Operand& x2);
Tensor logical_and(const Operand& x1, const Operand& x2);
Tensor logical_or(const Operand& x1, const Operand& x2);
Tensor logical_xor(const Operand& x1, const Operand& x2);

using BinaryFunction = Tensor (*)(const Operand&, const Operand&);

// target = target op x: the target keeps its shape and dtype; TypeError or ValueError where the result has
// others.
Tensor add_(const Tensor& target, const Operand& x);
Tensor subtract_(const Tensor& target, const Operand& x);
Tensor multiply_(const Tensor& target, const Operand& x);
Tensor divide_(const Tensor& target, const Operand& x);
Tensor floor_divide_(const Tensor& target, const Operand& x);
Tensor remainder_(const Tensor& target, const Operand& x);
Tensor pow_(const Tensor& target, const Operand& x);
Tensor bitwise_and_(const Tensor& target, const Operand& x);
Tensor bitwise_or_(const Tensor& target, const Operand& x);
Tensor bitwise_xor_(const Tensor& target, const Operand& x);
Tensor bitwise_left_shift_(const Tensor& target, const Operand& x);
Tensor bitwise_right_shift_(const Tensor& target, const Operand& x);
// target = value, which broadcasts to the target's shape and is converted to its dtype.
Tensor assign(const char* op, const Tensor& target, const Operand& value);

} // namespace dt::ops
