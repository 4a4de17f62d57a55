#pragma once
#include "kernels/attention.h"
#include "kernels/gemm.h"

namespace dt::cpu::DT_LEVEL {

// Sets the products of half formats that the level computes in a way of its own.
void add_half(Gemm& table);
void add_half(Attention& table);
double products_bf16(int64_t iterations); // Probe's, at levels with instructions for them

} // namespace dt::cpu::DT_LEVEL
