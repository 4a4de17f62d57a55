#pragma once
#include "kernels/gemm.h"

namespace dt::cpu::DT_LEVEL {

// Sets the products of half formats that the level computes in a way of its own.
void add_half(Gemm& table);

} // namespace dt::cpu::DT_LEVEL
