#pragma once
// What norm.cpp and layer_norm.cpp share.
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

LayerNorm layer_norm(); // layer_norm.cpp

} // namespace dt::cpu::DT_LEVEL
