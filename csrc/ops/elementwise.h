#pragma once
#include "ops/scalar.h"

namespace dt::ops {

Tensor add(const Operand& x1, const Operand& x2);
Tensor multiply(const Operand& x1, const Operand& x2);

} // namespace dt::ops
