#include "kernels/cpu/gemm_micro.h"
#include "kernels/cpu/gemm_pack.h"

#include "kernels/cpu/epilogue.h"
#include "kernels/cpu/lanes.h"

namespace dt::cpu::DT_LEVEL {
namespace {

// Rows of B: the time in which L2 answers, and the last cache.
constexpr int64_t kNear = 8, kCopyAhead = 32;

// `adjacent`: the rows of A lie side by side (a_row is 1), as in packed panels, so that one pointer reaches
// all.
// `copies`: packs B on the way, which is as good as free.
template <class T, int rows, int vectors, bool adjacent, bool copies> void tile_kernel(const Tile<T>& t) {
    using V = Vec<SumOf<T>>;
    constexpr int lanes = kLanes<T>;
    const int64_t last = t.cols - (vectors - 1) * lanes; // columns in the last vector
    V sum[rows][vectors] = {};
    SumOf<T>* const c = t.c;
    const int64_t c_row = t.c_row;
    if (!t.streams)
        for (int64_t i = 0; i < rows; ++i)
#pragma GCC unroll 4
            for (int j = 0; j < vectors; ++j) __builtin_prefetch(c + i * c_row + j * lanes, 1);

    const int64_t row = adjacent ? 1 : t.a_row, a_depth = t.a_depth, b_row = t.b_row;
    const T* b = t.b;
    T* copy = t.copy;
    const T* ahead = copies ? b + kCopyAhead * b_row : t.ahead ? t.ahead : b;
    const int64_t ahead_step = copies ? b_row : t.ahead ? t.ahead_step : 0;
    for (int64_t o = 0; o < t.outer; ++o)
        for (int64_t s = 0; s < t.segments; ++s) {
            const T* a = t.a + o * t.a_outer + s * t.a_segment;
            for (int64_t p = 0; p < t.depth; ++p) {
                Vec<T> bv[vectors];
#pragma GCC unroll 4
                for (int j = 0; j < vectors; ++j)
                    bv[j] =
                        kMasksB && j == vectors - 1 ? load_tail(b + j * lanes, last) : load(b + j * lanes);
#pragma GCC unroll 16
                for (int i = 0; i < rows; ++i) {
                    const Vec<T> av = broadcast(a[i * row]);
#pragma GCC unroll 4
                    for (int j = 0; j < vectors; ++j) sum[i][j] = multiply_add(av, bv[j], sum[i][j]);
                }
                __builtin_prefetch(ahead, 0, 3);
                if constexpr (!copies && vectors > 1) { // with one vector, loads are what limits
#pragma GCC unroll 4
                    for (int j = 0; j < vectors; ++j) __builtin_prefetch(b + kNear * b_row + j * lanes);
                }
                if constexpr (copies) {
                    if constexpr (vectors > 1) __builtin_prefetch(ahead + lanes, 0, 2);
                    __builtin_prefetch(ahead + (vectors * lanes - 1), 0, 2); // rows begin anywhere in a line
#pragma GCC unroll 4
                    for (int j = 0; j < vectors; ++j) store(copy + j * lanes, bv[j]);
                    copy += vectors * lanes;
                }
                a += a_depth;
                b += b_row;
                ahead += ahead_step;
            }
        }

    if (t.accumulate) {
        const SumOf<T>* from = c;
#pragma GCC unroll 16
        for (int i = 0; i < rows; ++i, from += c_row)
#pragma GCC unroll 4
            for (int j = 0; j < vectors; ++j)
                sum[i][j] += j == vectors - 1 ? load_upto(from + j * lanes, last) : load(from + j * lanes);
    }
    if (t.bias) {
#pragma GCC unroll 4
        for (int j = 0; j < vectors; ++j) {
            const SumOf<T>* from = t.bias + j * lanes;
            const V bias = j == vectors - 1 ? load_upto(from, last) : load(from);
#pragma GCC unroll 16
            for (int i = 0; i < rows; ++i) sum[i][j] += bias;
        }
    }
    // relu costs one instruction and `none` the same one; the others pass once more over the tile, which is
    // in L1.
    const V low = broadcast(t.activation == Activation::relu ? SumOf<T>(0) : -SumOf<T>(__builtin_inf()));
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i)
#pragma GCC unroll 4
        for (int j = 0; j < vectors; ++j) sum[i][j] = max_or_second(low, sum[i][j]);
    SumOf<T>* to = c;
    if (t.streams) {
#pragma GCC unroll 16
        for (int i = 0; i < rows; ++i, to += c_row)
#pragma GCC unroll 4
            for (int j = 0; j < vectors; ++j) stream(to + j * lanes, sum[i][j], Whole{});
        return;
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i, to += c_row)
#pragma GCC unroll 4
        for (int j = 0; j < vectors; ++j) {
            if (j == vectors - 1)
                store_upto(to + j * lanes, sum[i][j], last);
            else
                store(to + j * lanes, sum[i][j]);
        }
}

template <class T> using TileKernel = void (*)(const Tile<T>&);
template <class T, int vectors, bool adjacent, bool copies, int... I>
constexpr TileKernel<T> by_rows(int64_t rows, std::integer_sequence<int, I...>) {
    constexpr TileKernel<T> kernels[] = {tile_kernel<T, I + 1, vectors, adjacent, copies>...};
    return kernels[rows - 1];
}
template <class T, int vectors> DT_INLINE TileKernel<T> pick(const Tile<T>& t) {
    using Rows = std::make_integer_sequence<int, kTileRows>;
    if (t.a_row == 1 || t.rows == 1)
        return t.copy ? by_rows<T, vectors, true, true>(t.rows, Rows{})
                      : by_rows<T, vectors, true, false>(t.rows, Rows{});
    return t.copy ? by_rows<T, vectors, false, true>(t.rows, Rows{})
                  : by_rows<T, vectors, false, false>(t.rows, Rows{});
}

template <class T> DT_INLINE void run_tile(const Tile<T>& t) {
    const TileKernel<T> kernel = t.cols > kLanes<T> ? pick<T, 2>(t) : pick<T, 1>(t);
    kernel(t);
    if (t.activation > Activation::relu)
        for (int64_t i = 0; i < t.rows; ++i) activate_row(t.c + i * t.c_row, t.cols, t.activation);
}

} // namespace

#if defined(DT_LEVEL_v4_bf16)
void compute_tile(const Tile<Pair>& tile) { run_tile(tile); }
#else
void compute_tile(const Tile<float>& tile) { run_tile(tile); }
void compute_tile(const Tile<double>& tile) { run_tile(tile); }
#endif

void pack_transposed(float* to, int64_t width, const float* from, int64_t step, int64_t count, int64_t depth,
                     int64_t room) {
    convert_transposed(to, width, from, step, count, depth, room);
}
void pack_transposed(double* to, int64_t width, const double* from, int64_t step, int64_t count,
                     int64_t depth, int64_t room) {
    convert_transposed(to, width, from, step, count, depth, room);
}

} // namespace dt::cpu::DT_LEVEL
