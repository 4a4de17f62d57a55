#pragma once
#include "kernels/gemm.h"

// The kernel families: X(struct, name). A level defines `dt::cpu::<level>::<name>()`, which returns the filled struct.
#define DT_FAMILIES(X) X(Gemm, gemm)

namespace dt {

struct Kernels {
#define X(Type, name) Type name;
    DT_FAMILIES(X)
#undef X
};

const Kernels& kernels(); // of the level in use

} // namespace dt
