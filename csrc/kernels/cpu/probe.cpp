#include "kernels/probe.h"

#include "kernels/cpu/common.h"

namespace dt::cpu::DT_LEVEL {
namespace {

// Twelve independent chains: more than latency times throughput of the multipliers anywhere, and they fit in
// 16 registers.
template <class T> double multiply_add(int64_t iterations) {
    constexpr int chains = 12;
    Vec<T> sum[chains], factor = broadcast(T(0.999)), term = broadcast(T(0.001));
    for (int j = 0; j < chains; ++j) sum[j] = broadcast(T(j));
    asm volatile("" : "+m"(factor), "+m"(term)); // unknown to the compiler, which would compute the result
    for (int64_t i = 0; i < iterations; ++i) {
#pragma GCC unroll 12
        for (int j = 0; j < chains; ++j) sum[j] = fma(sum[j], factor, term);
    }
    for (int j = 0; j < chains; ++j) asm volatile("" : "+m"(sum[j]));
    return 2.0 * double(iterations) * chains * kLanes<T>;
}

} // namespace

Probe probe() { return {multiply_add<float>, multiply_add<double>}; }

} // namespace dt::cpu::DT_LEVEL
