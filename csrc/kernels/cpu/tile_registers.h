#pragma once
// The tile registers of AMX, each 16 rows of 64 bytes: of sums 16 x 16 float32, of the left operand 16 items
// x 16 pairs of bfloat16, of the right one 16 pairs x 16 items. Where DT_EMULATES_TILES is defined, plain
// loops take the place of the instructions, so that the kernels built on them are tested on any CPU.
#include "kernels/cpu/gemm_micro.h"

namespace dt::cpu::DT_LEVEL {
namespace {

#if defined(DT_EMULATES_TILES)

struct TileRegisters {
    uint32_t values[8][16][16];
};
thread_local TileRegisters registers;

// NaN wherever nothing was loaded.
inline void configure_tiles() { memset(&registers, 0xff, sizeof registers); }
inline void release_tiles() { memset(&registers, 0xff, sizeof registers); }
template <int tile> void clear_tile() { memset(registers.values[tile], 0, sizeof registers.values[tile]); }
template <int tile> void load_tile(const Pair* from, int64_t row) {
    for (int i = 0; i < 16; ++i) memcpy(registers.values[tile][i], from + i * row, 64);
}
template <int tile> void store_tile(float* to, int64_t row) {
    for (int i = 0; i < 16; ++i) memcpy(to + i * row, registers.values[tile][i], 64);
}
template <int sums, int left, int right> void multiply_tiles() {
    const auto low = [](Pair x) { return __builtin_bit_cast(float, x << 16); };
    const auto high = [](Pair x) { return __builtin_bit_cast(float, x & 0xffff0000); };
    for (int i = 0; i < 16; ++i)
        for (int j = 0; j < 16; ++j) {
            float sum = __builtin_bit_cast(float, registers.values[sums][i][j]);
            for (int p = 0; p < 16; ++p) {
                const Pair a = registers.values[left][i][p], b = registers.values[right][p][j];
                sum += low(a) * low(b);
                sum += high(a) * high(b);
            }
            registers.values[sums][i][j] = __builtin_bit_cast(uint32_t, sum);
        }
}

#else

struct TileConfiguration { // as LDTILECFG reads it
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};

// All eight as large as they can be. The configuration is an operand of the instruction, for g++ drops stores
// that it takes for dead otherwise.
inline void configure_tiles() {
    TileConfiguration all = {};
    all.palette = 1;
    for (int tile = 0; tile < 8; ++tile) {
        all.row_bytes[tile] = 64;
        all.rows[tile] = 16;
    }
    asm volatile("ldtilecfg %0" : : "m"(all) : "memory");
}
inline void release_tiles() { asm volatile("tilerelease" : : : "memory"); }
template <int tile> DT_INLINE void clear_tile() { asm volatile("tilezero %%tmm%c0" : : "n"(tile)); }
template <int tile> DT_INLINE void load_tile(const Pair* from, int64_t row) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(row * 4), "n"(tile) : "memory");
}
template <int tile> DT_INLINE void store_tile(float* to, int64_t row) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(row * 4), "n"(tile) : "memory");
}
template <int sums, int left, int right> DT_INLINE void multiply_tiles() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "n"(sums), "n"(left), "n"(right));
}

#endif

} // namespace
} // namespace dt::cpu::DT_LEVEL
