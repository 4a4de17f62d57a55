#pragma once
#include <optional>

#include "ops/scalar.h"

// Functions of one operand. Integers and bool become float32 where the result is not an integer.
namespace dt::ops {

// Numbers stay in their dtype.
Tensor negative(const Tensor& x);
Tensor absolute(const Tensor& x);
Tensor square(const Tensor& x);
Tensor sign(const Tensor& x);
Tensor floor(const Tensor& x);
Tensor ceil(const Tensor& x);
Tensor round(const Tensor& x);
Tensor trunc(const Tensor& x);
Tensor invert(const Tensor& x); // of bool and integers
Tensor clip(const Tensor& x, const std::optional<Operand>& min, const std::optional<Operand>& max);
// Floats.
Tensor reciprocal(const Tensor& x);
Tensor sqrt(const Tensor& x);
Tensor rsqrt(const Tensor& x);
Tensor exp(const Tensor& x);
Tensor exp2(const Tensor& x);
Tensor expm1(const Tensor& x);
Tensor log(const Tensor& x);
Tensor log1p(const Tensor& x);
Tensor log2(const Tensor& x);
Tensor log10(const Tensor& x);
Tensor sin(const Tensor& x);
Tensor cos(const Tensor& x);
Tensor tan(const Tensor& x);
Tensor asin(const Tensor& x);
Tensor acos(const Tensor& x);
Tensor atan(const Tensor& x);
Tensor sinh(const Tensor& x);
Tensor cosh(const Tensor& x);
Tensor tanh(const Tensor& x);
Tensor asinh(const Tensor& x);
Tensor acosh(const Tensor& x);
Tensor atanh(const Tensor& x);
Tensor erf(const Tensor& x);
Tensor sigmoid(const Tensor& x);
Tensor power(const Tensor& x, double exponent);

// x = f(x)
Tensor negative_(const Tensor& x);
Tensor absolute_(const Tensor& x);
Tensor square_(const Tensor& x);
Tensor reciprocal_(const Tensor& x);
Tensor sqrt_(const Tensor& x);
Tensor rsqrt_(const Tensor& x);
Tensor exp_(const Tensor& x);
Tensor log_(const Tensor& x);
Tensor tanh_(const Tensor& x);
Tensor sigmoid_(const Tensor& x);
Tensor floor_(const Tensor& x);
Tensor ceil_(const Tensor& x);
Tensor round_(const Tensor& x);
Tensor trunc_(const Tensor& x);
Tensor clip_(const Tensor& x, const std::optional<Operand>& min, const std::optional<Operand>& max);

} // namespace dt::ops
