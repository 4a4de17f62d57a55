// What the instructions for bfloat16 give at most, at the levels that have them.
#include "kernels/cpu/gemm_half.h"
#include "kernels/cpu/gemm_micro.h"
#if defined(DT_LEVEL_amx)
#include "kernels/cpu/tile_registers.h"
#endif

namespace dt::cpu::DT_LEVEL {

#if defined(DT_LEVEL_amx)
double products_bf16(int64_t iterations) {
    alignas(64) const Pair zeros[256] = {};
    configure_tiles();
    clear_tile<0>(), clear_tile<1>(), clear_tile<2>(), clear_tile<3>();
    load_tile<4>(zeros, 16), load_tile<5>(zeros, 16), load_tile<6>(zeros, 16), load_tile<7>(zeros, 16);
    for (int64_t i = 0; i < iterations; ++i) {
        multiply_tiles<0, 4, 6>();
        multiply_tiles<1, 4, 7>();
        multiply_tiles<2, 5, 6>();
        multiply_tiles<3, 5, 7>();
    }
    release_tiles();
    return double(iterations) * 4 * 2 * 16 * 16 * 32;
}
#else
double products_bf16(int64_t iterations) {
    constexpr int chains = 12; // as many as in probe.cpp
    Vec<float> sum[chains] = {};
    Vec<Pair> factor = broadcast(Pair(0x3f003f00)), term = broadcast(Pair(0x3c003c00));
    asm volatile("" : "+m"(factor), "+m"(term)); // unknown to the compiler, which would compute the result
    for (int64_t i = 0; i < iterations; ++i) {
#pragma GCC unroll 12
        for (int j = 0; j < chains; ++j) sum[j] = multiply_add(factor, term, sum[j]);
    }
    for (int j = 0; j < chains; ++j) asm volatile("" : "+m"(sum[j]));
    return 4.0 * double(iterations) * chains * kLanes<float>;
}
#endif

} // namespace dt::cpu::DT_LEVEL
