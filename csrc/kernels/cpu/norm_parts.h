#pragma once
// The entries of the norm family that stand in layer_norm.cpp.
#include "kernels/norm.h"

namespace dt::cpu::DT_LEVEL {

int64_t layer_scratch(int64_t rows, int64_t size);
void layer_forward_float(const LayerNormArgs& args);
void layer_forward_double(const LayerNormArgs& args);
void layer_backward_float(const LayerNormGradArgs& args);
void layer_backward_double(const LayerNormGradArgs& args);

} // namespace dt::cpu::DT_LEVEL
