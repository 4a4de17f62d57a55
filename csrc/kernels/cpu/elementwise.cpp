#include "kernels/elementwise.h"

namespace dt::cpu::DT_LEVEL {

Elementwise elementwise() { return {}; }

} // namespace dt::cpu::DT_LEVEL
