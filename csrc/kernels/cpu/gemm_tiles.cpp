// compute_tile on the tile registers of AMX.
#include "kernels/cpu/epilogue.h"
#include "kernels/cpu/gemm_micro.h"
#include "kernels/cpu/tile_registers.h"

namespace dt::cpu::DT_LEVEL {
namespace {

constexpr int kSide = 16, kAll = kSide * kSide; // rows and columns of a tile, and elements
constexpr int64_t kAhead = 2;                   // tiles of A: L2 answers meanwhile

// Sums of `rows` x `cols` tiles, one or two of each, to sums[i * 32 + j]: registers 0 to 3; 4 and 5 hold
// tiles of A, 6 and 7 of B. B's panel lies in L1 while A streams through.
template <int rows, int cols> void multiply(const Tile<Pair>& t, float* sums) {
    clear_tile<0>();
    if constexpr (cols == 2) clear_tile<1>();
    if constexpr (rows == 2) clear_tile<2>();
    if constexpr (rows == 2 && cols == 2) clear_tile<3>();
    const Pair *a = t.a, *b = t.b, *next = t.ahead;
    for (int64_t p = 0; p < t.depth; p += kSide) {
        load_tile<4>(a, kSide);
        load_tile<6>(b, t.b_row);
        multiply_tiles<0, 4, 6>();
        if constexpr (cols == 2) {
            load_tile<7>(b + kSide, t.b_row);
            multiply_tiles<1, 4, 7>();
        }
        if constexpr (rows == 2) {
            load_tile<5>(a + kAll, kSide);
            multiply_tiles<2, 5, 6>();
            if constexpr (cols == 2) multiply_tiles<3, 5, 7>();
        }
        for (int64_t i = 0; i < rows * kAll; i += kSide) __builtin_prefetch(a + kAhead * rows * kAll + i);
        if (next)
            for (int i = 0; i < kSide; ++i, next += t.ahead_step) __builtin_prefetch(next, 0, 2);
        a += rows * kAll;
        b += kSide * t.b_row;
    }
    store_tile<0>(sums, 2 * kSide);
    if constexpr (cols == 2) store_tile<1>(sums + kSide, 2 * kSide);
    if constexpr (rows == 2) store_tile<2>(sums + 2 * kAll, 2 * kSide);
    if constexpr (rows == 2 && cols == 2) store_tile<3>(sums + 2 * kAll + kSide, 2 * kSide);
}

// From the tiles to C, with all that belongs to its last depth.
void finish(const Tile<Pair>& t, const float* sums) {
    for (int64_t j = 0; j < t.cols; j += kSide) {
        const int64_t left = t.cols - j;
        const Vec<float> bias = t.bias ? load_upto(t.bias + j, left) : zero<float>();
        for (int64_t i = 0; i < t.rows; ++i) {
            float* to = t.c + i * t.c_row + j;
            Vec<float> y = load(sums + i * 2 * kSide + j);
            if (t.accumulate) y += load_upto(to, left);
            if (t.bias) y += bias;
            if (t.activation != Activation::none) y = activate(y, t.activation);
            store_upto(to, y, left);
        }
    }
}

} // namespace

TileUse::TileUse() { configure_tiles(); }
TileUse::~TileUse() { release_tiles(); }

// A is packed as Pairs::pack_tiles does it, B in rows of whole vectors; the depth is a multiple of 16.
void compute_tile(const Tile<Pair>& t) {
    alignas(64) float sums[4 * kAll];
    if (t.rows > kSide)
        t.cols > kSide ? multiply<2, 2>(t, sums) : multiply<2, 1>(t, sums);
    else
        t.cols > kSide ? multiply<1, 2>(t, sums) : multiply<1, 1>(t, sums);
    finish(t, sums);
}

} // namespace dt::cpu::DT_LEVEL
