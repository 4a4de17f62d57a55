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

DT_INLINE void set_pixel(float& to, float v) { to = v; }
DT_INLINE void set_pixel(uint8_t& to, float v) { to = uint8_t(v > 0 ? v < 255 ? v + 0.5f : 255.0f : 0.0f); }

DT_INLINE int64_t fixed(double v) {
    v = v > kFarthest ? kFarthest : v >= -kFarthest ? v : -kFarthest; // NaN too
    return int64_t(v * double(kOne) + (v < 0 ? -0.5 : 0.5));
}

// x' = step * x + ... in whole numbers, where no place of the output is too far away.
bool is_small(const WarpArgs& a, const double* m) {
    return abs(m[0]) * double(a.out_w) + abs(m[1]) * double(a.out_h) + abs(m[2]) < kFarthest / 2;
}

// The places of n pixels from j on in row i, whole vectors of them, also behind the end of the row.
[[gnu::noinline]] void find_places(const WarpArgs& a, int64_t number, int64_t i, int64_t j, int64_t n,
                                   Places& places) {
    if (!a.matrices) {
        const float* field = a.field + (number * a.out_h + i) * a.out_w * 2;
        for (int64_t k = 0; k < n; ++k) {
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
        Vec<uint64_t> at_x, at_y; // unsigned: behind the end of the row they may overflow
        for (int lane = 0; lane < kLanes<uint64_t>; ++lane) {
            at_x[lane] = uint64_t(x) + uint64_t(step_x) * uint64_t(lane);
            at_y[lane] = uint64_t(y) + uint64_t(step_y) * uint64_t(lane);
        }
        const uint64_t group = kLanes<uint64_t>;
        const Vec<uint64_t> next_x = broadcast(group * uint64_t(step_x)),
                            next_y = broadcast(group * uint64_t(step_y));
        for (int64_t k = 0; k < n; k += kLanes<uint64_t>) {
            store(places.x + k, (Vec<int64_t>)at_x), store(places.y + k, (Vec<int64_t>)at_y);
            at_x += next_x, at_y += next_y;
        }
        return;
    }
    const double x = m[1] * double(i) + m[2], y = m[4] * double(i) + m[5], w = m[7] * double(i) + m[8];
    for (int64_t k = 0; k < n; ++k) {
        const double at = double(j + k), below = m[6] * at + w;
        places.x[k] = fixed((m[0] * at + x) / below);
        places.y[k] = fixed((m[3] * at + y) / below);
    }
}

// 0 <= result < period
DT_INLINE int64_t modulo(int64_t i, int64_t period) {
    if (i >= period && i < 2 * period) return i - period; // mostly: a division is slow
    if (i < 0 && i >= -period) return i + period;
    const int64_t rest = i % period;
    return rest < 0 ? rest + period : rest;
}

// A place outside an axis of n pixels as the one inside that looks the same, where there is one.
[[gnu::noinline]] int64_t folded(int64_t place, int64_t n, Fill fill) {
    const int64_t last = (n - 1) * kOne;
    switch (fill) {
    case Fill::nearest:
        break;
    case Fill::wrap:
        return n == 1 ? 0 : modulo(place, last);
    case Fill::grid_wrap:
        return modulo(place, n * kOne);
    case Fill::mirror:
        if (n == 1) return 0;
        place = modulo(place, 2 * last);
        if (place > last) place = 2 * last - place;
        break;
    case Fill::reflect:
        place = modulo(place, 2 * n * kOne);
        if (place > last + kOne / 2) place = 2 * last + kOne - place;
        break;
    default:
        return place;
    }
    return place < 0 ? 0 : place > last ? last : place;
}

// All places, whole vectors of them; those that are less than a period away without a division.
[[gnu::noinline]] void fold(int64_t* places, int64_t count, int64_t n, Fill fill) {
    using I = Vec<int64_t>;
    if (fill == Fill::constant || fill == Fill::grid_constant) return;
    const int64_t last = (n - 1) * kOne, all = n * kOne;
    const bool turns = fill == Fill::reflect || fill == Fill::mirror, clamps = turns || fill == Fill::nearest;
    const int64_t period = fill == Fill::reflect || fill == Fill::grid_wrap ? all : last;
    const int64_t edge = fill == Fill::reflect ? last + kOne / 2 : fill == Fill::grid_wrap ? all - 1 : last;
    const int64_t below = fill == Fill::reflect ? -kOne : turns ? 0 : period;
    const int64_t above = fill == Fill::reflect ? last + all : turns ? 2 * last : -period;
    for (int64_t k = 0; k < count; k += kLanes<int64_t>) {
        I p = load(places + k);
        if (fill != Fill::nearest) {
            if (any((p < -period) | (p >= 2 * period))) {
                for (int64_t lane = k; lane < k + kLanes<int64_t>; ++lane)
                    places[lane] = folded(places[lane], n, fill);
                continue;
            }
            const I other = turns ? -p : p;
            p = p < 0 ? other + below : p > edge ? other + above : p;
        }
        if (clamps) p = max(min(p, broadcast(last)), I{});
        store(places + k, p);
    }
}

// Whether a place shows nothing but the fill value, where `reach` pixels to each side are mixed.
DT_INLINE bool is_void(int64_t place, int64_t n, Fill fill, int reach) {
    const int64_t last = (n - 1) * kOne;
    return (fill == Fill::constant && (place < 0 || place > last)) ||
           (fill == Fill::grid_constant && (place <= -reach * kOne || place >= last + reach * kOne));
}

// The pixel that stands for pixel i of an axis of n; -1: the fill value does.
[[gnu::noinline]] int64_t index_outside(int64_t i, int64_t n, Fill fill) {
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

DT_INLINE int64_t index_of(int64_t i, int64_t n, Fill fill) {
    return uint64_t(i) < uint64_t(n) ? i : index_outside(i, n, fill);
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
