#include "kernels/elementwise.h"

#include "kernels/cpu/elementwise_parts.h"

namespace dt::cpu::DT_LEVEL {

Elementwise elementwise() {
    return {unary, binary, ternary, compare, predicate, where, convert, fill, arange};
}

} // namespace dt::cpu::DT_LEVEL
