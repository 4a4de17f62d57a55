#pragma once
// What norm.cpp and layer_norm.cpp share, and the entries of the table that stand in the latter.
#include "kernels/cpu/common.h"
#include "kernels/norm.h"

namespace dt::cpu::DT_LEVEL {
namespace {

// Into how many blocks, each with partial sums of its own, so many elements are cut.
DT_INLINE int64_t sum_blocks(int64_t elements) {
    constexpr int64_t least = 32768, most = 32; // elements of a block; blocks
    const int64_t blocks = elements / least;
    return blocks < 1 ? 1 : blocks > most ? most : blocks;
}

} // namespace

int64_t layer_scratch(int64_t rows, int64_t size);
void layer_forward_float(const LayerNormArgs& args);
void layer_forward_double(const LayerNormArgs& args);
void layer_forward_float16(const LayerNormArgs& args);
void layer_forward_bfloat16(const LayerNormArgs& args);
void layer_backward_float(const LayerNormGradArgs& args);
void layer_backward_double(const LayerNormGradArgs& args);
void layer_backward_float16(const LayerNormGradArgs& args);
void layer_backward_bfloat16(const LayerNormGradArgs& args);

} // namespace dt::cpu::DT_LEVEL
