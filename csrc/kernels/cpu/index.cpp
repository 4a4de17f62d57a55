#include "kernels/index.h"

namespace dt::cpu::DT_LEVEL {

Index index() { return {}; }

} // namespace dt::cpu::DT_LEVEL
