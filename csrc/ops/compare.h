#pragma once
#include "ops/scalar.h"

// Comparisons and selection. Results are bool, but for where().
namespace dt::ops {

Tensor equal(const Operand& x1, const Operand& x2);
Tensor not_equal(const Operand& x1, const Operand& x2);
Tensor less(const Operand& x1, const Operand& x2);
Tensor less_equal(const Operand& x1, const Operand& x2);
Tensor greater(const Operand& x1, const Operand& x2);
Tensor greater_equal(const Operand& x1, const Operand& x2);
Tensor isnan(const Tensor& x);
Tensor isinf(const Tensor& x);
Tensor isfinite(const Tensor& x);
Tensor logical_not(const Tensor& x);
Tensor where(const Operand& condition, const Operand& x1, const Operand& x2);
Tensor isclose(const Operand& x1, const Operand& x2, double rtol, double atol, bool equal_nan);
bool allclose(const Operand& x1, const Operand& x2, double rtol, double atol, bool equal_nan);
bool array_equal(const Tensor& x1, const Tensor& x2);
// target where mask is true becomes value.
Tensor masked_fill(const Tensor& x, const Tensor& mask, const Scalar& value);

} // namespace dt::ops
