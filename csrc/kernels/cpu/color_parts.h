#pragma once
// What the sources of the color family share.
#include "kernels/color.h"
#include "kernels/cpu/bytes.h"

namespace dt::cpu::DT_LEVEL {

void add_tables(Color& table);  // color_tables.cpp
void add_filters(Color& table); // color_filters.cpp

namespace {

// One copy of the body: `parallel` calls it in two places. body(sample, first, n) for the pieces of `piece`
// out of the `count` items of every sample.
template <class F>
DT_INLINE void for_pieces(int64_t samples, int64_t count, int64_t piece, int64_t work, const F& body) {
    const int64_t pieces = ceil_div(count, piece);
    parallel(samples * pieces, grain_for((count < piece ? count : piece) * work),
             [&](int64_t begin, int64_t end) __attribute__((noinline)) {
                 for (int64_t p = begin; p < end; ++p) {
                     const int64_t first = p % pieces * piece;
                     body(p / pieces, first, count - first < piece ? count - first : piece);
                 }
             });
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
