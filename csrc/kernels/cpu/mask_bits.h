#pragma once
// Masks as bits, one for each lane, the first lane lowest: for searches and for packing what a mask chooses.
#include "kernels/cpu/vec.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {
namespace {

template <class T> DT_INLINE uint32_t mask_bits(Mask<T> mask) {
#if defined(DT_LEVEL_v4)
    if constexpr (sizeof(T) == 4)
        return _mm512_movepi32_mask((__m512i)mask);
    else
        return _mm512_movepi64_mask((__m512i)mask);
#elif defined(DT_LEVEL_v3)
    if constexpr (sizeof(T) == 4)
        return uint32_t(_mm256_movemask_ps((__m256)mask));
    else
        return uint32_t(_mm256_movemask_pd((__m256d)mask));
#elif defined(__SSE2__)
    if constexpr (sizeof(T) == 4)
        return uint32_t(_mm_movemask_ps((__m128)mask));
    else
        return uint32_t(_mm_movemask_pd((__m128d)mask));
#else
    uint32_t bits = 0;
    for (int i = 0; i < kLanes<T>; ++i) bits |= uint32_t(mask[i] != 0) << i;
    return bits;
#endif
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
