#pragma once
// The innermost part of every matrix product: a tile of C held in registers while the depth runs by.
#include "kernels/cpu/common.h"
#include "kernels/gemm.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

namespace dt::cpu::DT_LEVEL {

// Rows of a tile, as many as the registers hold beside kTileVectors vectors per row, the vectors of B and one
// of A.
#if defined(DT_LEVEL_amx)
constexpr int kTileRows = 32; // two tiles of 16 rows by two of 16 columns: four of the eight tile registers
#elif defined(DT_LEVEL_v4)
constexpr int kTileRows = 14; // 28 of 32 registers
#elif defined(DT_LEVEL_v3)
constexpr int kTileRows = 6; // 12 of 16
#elif defined(DT_LEVEL_neon)
constexpr int kTileRows = 10; // 20 of 32: with more, GCC 12 spills sums to hold scalars of A
#else
constexpr int kTileRows = 4; // 8 of 16: without FMA a product needs a register of its own
#endif
constexpr int kTileVectors = 2;

// Two bfloat16 that are neighbours in depth, the lower one first: what AVX512-BF16 and AMX multiply at a
// time. Their instructions take subnormal operands and sums for zero.
using Pair = uint32_t;
#if defined(DT_LEVEL_v4_bf16) || defined(DT_LEVEL_amx)
#define DT_MULTIPLIES_PAIRS
#endif

// What products of T are summed in.
template <class T> struct SumOfProducts {
    using type = T;
};
template <> struct SumOfProducts<Pair> {
    using type = float;
};
template <class T> using SumOf = typename SumOfProducts<T>::type;

namespace {
// c + the products of a and b, lane by lane; of pairs both products.
template <class V> DT_INLINE V multiply_add(V a, V b, V c) { return fma(a, b, c); }
#if defined(__AVX512BF16__)
DT_INLINE Vec<float> multiply_add(Vec<Pair> a, Vec<Pair> b, Vec<float> c) {
    return (Vec<float>)_mm512_dpbf16_ps((__m512)c, (__m512bh)a, (__m512bh)b);
}
#endif
} // namespace

// c[i][j] = activation(sum over o < outer, s < segments and p < depth of
//     a[i * a_row + o * a_outer + s * a_segment + p * a_depth] * b[((o * segments + s) * depth + p) * b_row +
//     j]
//     + bias[j]), with c[i][j] itself added first where `accumulate` is set. Plain products have one segment;
//     the
// convolutions read windows of an image where they are, as segments.
// rows <= kTileRows, cols <= kTileVectors vectors. On levels without masked loads (kMasksB is false) rows of
// B are readable up to a whole number of vectors; what stands there has no effect.
template <class T> struct Tile {
    int64_t outer = 1, segments = 1, depth = 0;
    const T* a = nullptr;
    int64_t a_row = 0, a_depth = 0, a_segment = 0, a_outer = 0;
    const T* b = nullptr;
    int64_t b_row = 0;
    SumOf<T>* c = nullptr;
    int64_t c_row = 0;
    int64_t rows = 0, cols = 0;
    bool accumulate = false;
    const SumOf<T>* bias = nullptr;
    Activation activation = Activation::none;
    bool streams = false; // c is written past the caches: see can_stream() in lanes.h
    // Where the rows of B are packed on the way, for the tiles that follow: whole vectors, one row behind the
    // other. They are then fetched ahead too.
    T* copy = nullptr;
    // What a later tile reads is fetched into L2 meanwhile: a line at ahead + p * ahead_step per depth p.
    const T* ahead = nullptr;
    int64_t ahead_step = 0;
};

#if defined(DT_LEVEL_v4)
constexpr bool kMasksB = true;
#else
constexpr bool kMasksB = false;
#endif

// Defined in gemm_micro.cpp, one copy per level.
void compute_tile(const Tile<float>& tile);
void compute_tile(const Tile<double>& tile);
void compute_tile(const Tile<Pair>& tile); // at the levels that multiply pairs

// Around the calls of compute_tile on one thread.
#if defined(DT_LEVEL_amx)
struct TileUse {
    TileUse();
    ~TileUse();
    TileUse(const TileUse&) = delete;
};
#else
struct TileUse {};
#endif

} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
