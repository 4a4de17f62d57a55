#pragma once
// Where the pixels of a warped image come from: places in the original as fixed-point numbers, 32 bits before
// the point and 32 behind, so that every level finds the same ones.
#include "kernels/cpu/common.h"
#include "kernels/warp.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

namespace dt::cpu::DT_LEVEL {
namespace {

constexpr int64_t kOne = int64_t{1} << 32;
constexpr double kFarthest = 1073741824.0; // 2^30
constexpr int64_t kBlock = 256;            // pixels of a row whose places are found at a time

struct Places {
    alignas(64) int64_t x[kBlock];
    alignas(64) int64_t y[kBlock];
};

DT_INLINE int64_t fixed(double v) {
    v = v > kFarthest ? kFarthest : v >= -kFarthest ? v : -kFarthest; // NaN too
    return int64_t(v * double(kOne) + (v < 0 ? -0.5 : 0.5));
}

// x' = step * x + ... in whole numbers, where no place of the output is too far away.
bool is_small(const WarpArgs& a, const double* m) {
    return abs(m[0]) * double(a.out_w) + abs(m[1]) * double(a.out_h) + abs(m[2]) < kFarthest / 2;
}

// The places of the pixels j, j + 1, ... of row i, kBlock of them, also behind the end of the row.
void find_places(const WarpArgs& a, int64_t number, int64_t i, int64_t j, Places& places) {
    if (!a.matrices) {
        const float* field = a.field + (number * a.out_h + i) * a.out_w * 2;
        for (int64_t k = 0; k < kBlock; ++k) {
            const int64_t at = min(j + k, a.out_w - 1);
            places.x[k] = fixed(double(at) + double(field[2 * at]));
            places.y[k] = fixed(double(i) + double(field[2 * at + 1]));
        }
        return;
    }
    const double* m = a.matrices + 9 * number;
    if (m[6] == 0 && m[7] == 0 && m[8] == 1 && is_small(a, m) && is_small(a, m + 3)) {
        const int64_t step_x = fixed(m[0]), step_y = fixed(m[3]);
        const int64_t x = step_x * j + fixed(m[1]) * i + fixed(m[2]);
        const int64_t y = step_y * j + fixed(m[4]) * i + fixed(m[5]);
        for (int64_t k = 0; k < kBlock; ++k) { // unsigned: behind the end of the row it may overflow
            places.x[k] = int64_t(uint64_t(x) + uint64_t(step_x) * uint64_t(k));
            places.y[k] = int64_t(uint64_t(y) + uint64_t(step_y) * uint64_t(k));
        }
        return;
    }
    const double x = m[1] * double(i) + m[2], y = m[4] * double(i) + m[5], w = m[7] * double(i) + m[8];
    for (int64_t k = 0; k < kBlock; ++k) {
        const double at = double(j + k), below = m[6] * at + w;
        places.x[k] = fixed((m[0] * at + x) / below);
        places.y[k] = fixed((m[3] * at + y) / below);
    }
}

// 0 <= result < period
DT_INLINE int64_t modulo(int64_t i, int64_t period) {
    const int64_t rest = i % period;
    return rest < 0 ? rest + period : rest;
}

// What is done with a place before its pixels are looked up; false: it shows the fill value.
DT_INLINE bool bring_inside(int64_t& place, int64_t n, Fill fill) {
    const int64_t last = (n - 1) * kOne;
    if (place >= 0 && place <= last) return true;
    if (fill == Fill::wrap) place = n == 1 ? 0 : modulo(place, last);
    return fill != Fill::constant;
}

// The pixel that stands for pixel i of an axis of n; -1: the fill value does.
DT_INLINE int64_t index_of(int64_t i, int64_t n, Fill fill) {
    if (uint64_t(i) < uint64_t(n)) return i;
    switch (fill) {
    case Fill::grid_constant:
        return -1;
    case Fill::reflect: {
        const int64_t at = modulo(i, 2 * n);
        return at < n ? at : 2 * n - 1 - at;
    }
    case Fill::mirror: {
        if (n == 1) return 0;
        const int64_t at = modulo(i, 2 * n - 2);
        return at < n ? at : 2 * n - 2 - at;
    }
    case Fill::wrap:
        return n == 1 ? 0 : modulo(i, n - 1);
    case Fill::grid_wrap:
        return modulo(i, n);
    default:
        return i < 0 ? 0 : n - 1;
    }
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
