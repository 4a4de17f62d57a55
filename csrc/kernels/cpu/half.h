#pragma once
// float16 and bfloat16 as storage: arrays to and from float32, rounded to nearest even. NaN stays NaN.
#include "kernels/cpu/vec.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

namespace dt::cpu::DT_LEVEL {
namespace {

DT_INLINE float float_of_bits(uint32_t bits) { return __builtin_bit_cast(float, bits); }
DT_INLINE uint32_t bits_of_float(float x) { return __builtin_bit_cast(uint32_t, x); }

DT_INLINE float from_bfloat16(uint16_t h) { return float_of_bits(uint32_t(h) << 16); }
DT_INLINE uint16_t to_bfloat16(float x) {
    const uint32_t u = bits_of_float(x);
    const uint32_t rounded = (u + 0x7fff + ((u >> 16) & 1)) >> 16;
    return uint16_t((u & 0x7fffffff) > 0x7f800000 ? (u >> 16) | 0x40 : rounded);
}

// Without branches, so that the loops below vectorise. 2^112 moves the exponent's bias; a subnormal comes out
// exact because the multiplication normalises it.
DT_INLINE float from_float16(uint16_t h) {
    const uint32_t magnitude = uint32_t(h & 0x7fff) << 13;
    const float scaled = float_of_bits(magnitude) * 0x1p112f;
    const uint32_t special = magnitude >= 0x0f800000 ? 0x7f800000u : 0u; // infinity and NaN
    return float_of_bits(bits_of_float(scaled) | special | uint32_t(h & 0x8000) << 16);
}
DT_INLINE uint16_t to_float16(float x) {
    const uint32_t u = bits_of_float(x), magnitude = u & 0x7fffffff;
    const uint32_t normal = (magnitude - 0x38000000u + 0xfff + ((magnitude >> 13) & 1)) >> 13;
    // Adding 0.5 leaves a subnormal's 10 bits at the bottom of the mantissa, rounded by the addition itself.
    const uint32_t subnormal = bits_of_float(float_of_bits(magnitude) + 0.5f) - 0x3f000000u;
    uint32_t h = magnitude < 0x38800000u ? subnormal : normal;
    h = magnitude >= 0x477ff000u ? 0x7c00u : h; // rounds to 65536 or more
    h = magnitude > 0x7f800000u ? 0x7e00u : h;
    return uint16_t(h | ((u >> 16) & 0x8000));
}

inline void bfloat16_to_float(int64_t n, const uint16_t* in, float* out) {
    for (int64_t i = 0; i < n; ++i) out[i] = from_bfloat16(in[i]);
}
inline void float_to_bfloat16(int64_t n, const float* in, uint16_t* out) {
    for (int64_t i = 0; i < n; ++i) out[i] = to_bfloat16(in[i]);
}
inline void float16_to_float(int64_t n, const uint16_t* in, float* out) {
    for (int64_t i = 0; i < n; ++i) out[i] = from_float16(in[i]);
}
inline void float_to_float16(int64_t n, const float* in, uint16_t* out) {
    for (int64_t i = 0; i < n; ++i) out[i] = to_float16(in[i]);
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
