#pragma once
#include "core/dims.h"

namespace dt {

inline constexpr int kMaxOperands = 5;

// Operands that are walked together over one shape. Operand 0 is the output. Strides count bytes, may be
// negative, and are 0 where an operand is broadcast. The output overlaps an input only where both are the
// very same elements.
struct Loop {
    int operands = 0;
    Dims shape;
    Dims strides[kMaxOperands];
    void* data[kMaxOperands] = {};
};

} // namespace dt
