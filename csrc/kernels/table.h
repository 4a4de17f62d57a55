#pragma once
#include "kernels/elementwise.h"
#include "kernels/gemm.h"
#include "kernels/index.h"
#include "kernels/reduce.h"

// The kernel families: X(struct, name). A level defines `dt::cpu::<level>::<name>()`, which returns the
// filled struct.
// clang-format off
#define DT_FAMILIES(X)          \
    X(Elementwise, elementwise) \
    X(Gemm, gemm)               \
    X(Index, index)             \
    X(Reduce, reduce)
// clang-format on

namespace dt {

struct Kernels {
#define X(Type, name) Type name;
    DT_FAMILIES(X)
#undef X
};

const Kernels& kernels(); // of the level in use

} // namespace dt
