#pragma once
// Squares of vectors turned in registers.
#include "kernels/cpu/vec.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {
namespace {

// One stage of a transpose in registers: swaps the bit `d` of the row with that of the lane.
template <int d, class V, int... I> DT_INLINE void swap_bit(V& a, V& b, std::integer_sequence<int, I...>) {
    constexpr int n = sizeof...(I);
    const V low = __builtin_shufflevector(a, b, (I & d ? n + I - d : I)...);
    b = __builtin_shufflevector(a, b, (I & d ? n + I : I + d)...);
    a = low;
}
template <int d, class V> DT_INLINE void transpose_rows(V* rows) {
    constexpr int n = kLanes<Lane<V>>;
    if constexpr (d < n) {
#pragma GCC unroll 16
        for (int i = 0; i < n; ++i)
            if (!(i & d)) swap_bit<d>(rows[i], rows[i + d], std::make_integer_sequence<int, n>());
        transpose_rows<2 * d>(rows);
    }
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
