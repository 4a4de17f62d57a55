#pragma once
// Where a product goes: C in the type of its sums, or rounded to a half format.
#include "kernels/cpu/gemm_pack.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

namespace dt::cpu::DT_LEVEL {
namespace {

enum class Rounding : uint8_t { none, to_float16, to_bfloat16 };
template <class S> inline constexpr Rounding kRoundingOf = Rounding::none;
template <> inline constexpr Rounding kRoundingOf<float16_t> = Rounding::to_float16;
template <> inline constexpr Rounding kRoundingOf<bfloat16_t> = Rounding::to_bfloat16;

// R is the type of the sums. A place in C.
template <class R> struct Target {
    void* at = nullptr;
    Rounding rounding = Rounding::none;

    bool rounds() const { return rounding != Rounding::none; }
    R* exact() const { return static_cast<R*>(at); } // where nothing is rounded
    Target operator+(int64_t n) const {
        const int64_t item = rounding == Rounding::none ? sizeof(R) : 2;
        return {static_cast<char*>(at) + n * item, rounding};
    }
    // As load_upto and store_upto.
    DT_INLINE Vec<R> read(int64_t n) const {
        if constexpr (sizeof(R) == 4) {
            if (rounding == Rounding::to_bfloat16) return load_upto(static_cast<const bfloat16_t*>(at), n);
            if (rounding == Rounding::to_float16) return load_upto(static_cast<const float16_t*>(at), n);
        }
        return load_upto(exact(), n);
    }
    DT_INLINE void write(Vec<R> v, int64_t n) const {
        if constexpr (sizeof(R) == 4) {
            if (rounding == Rounding::to_bfloat16) return store_upto(static_cast<bfloat16_t*>(at), v, n);
            if (rounding == Rounding::to_float16) return store_upto(static_cast<float16_t*>(at), v, n);
        }
        store_upto(exact(), v, n);
    }
};

// The lines of a panel of C that a tile will write; compute_tile fetches those of its sums only.
template <class R> void fetch_rows(const Target<R>& c, int64_t row, int64_t rows) {
    for (int64_t i = 0; i < rows; ++i) __builtin_prefetch((c + i * row).at, 1);
}
// Rows of values, converted; what is one run in both places goes as one.
template <class From, class To>
void copy_rows(const From* from, int64_t from_row, To* to, int64_t to_row, int64_t rows, int64_t cols) {
    if (from_row == cols && to_row == cols) return copy_row(to, from, rows * cols);
    for (int64_t i = 0; i < rows; ++i) copy_row(to + i * to_row, from + i * from_row, cols);
}
// Rows of a rounded C to and from rows of sums.
template <class R>
void read_rows(const Target<R>& from, int64_t from_row, R* to, int64_t to_row, int64_t rows, int64_t cols) {
    if constexpr (sizeof(R) != 4)
        return;
    else if (from.rounding == Rounding::to_bfloat16)
        copy_rows(static_cast<const bfloat16_t*>(from.at), from_row, to, to_row, rows, cols);
    else
        copy_rows(static_cast<const float16_t*>(from.at), from_row, to, to_row, rows, cols);
}
template <class R>
void write_rows(const R* from, int64_t from_row, const Target<R>& to, int64_t to_row, int64_t rows,
                int64_t cols) {
    if constexpr (sizeof(R) != 4)
        return;
    else if (to.rounding == Rounding::to_bfloat16)
        copy_rows(from, from_row, static_cast<bfloat16_t*>(to.at), to_row, rows, cols);
    else
        copy_rows(from, from_row, static_cast<float16_t*>(to.at), to_row, rows, cols);
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
