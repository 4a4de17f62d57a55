#include "kernels/warp.h"

#include "kernels/cpu/warp_places.h"

#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {
namespace {

// The pixels along one axis that a place is mixed of, as positions (-1: the fill value) and weights.
struct Taps {
    int64_t index[4];
    float weight[4];
};

constexpr int tap_count(Interpolation interpolation) {
    return interpolation == Interpolation::nearest ? 1 : interpolation == Interpolation::bilinear ? 2 : 4;
}

// False where the place is outside and nothing but the fill value counts.
bool find_taps(int64_t place, int64_t n, const WarpArgs& a, Taps& taps) {
    if (!bring_inside(place, n, a.fill)) return false;
    if (a.interpolation == Interpolation::nearest) place += kOne / 2;
    const int count = tap_count(a.interpolation);
    const int64_t first = (place >> 32) - (count == 4);
    for (int k = 0; k < count; ++k) taps.index[k] = index_of(first + k, n, a.fill);
    const float f = float(uint32_t(place) >> 8) * 0x1p-24f;
    if (count == 1) taps.weight[0] = 1;
    if (count == 2) taps.weight[0] = 1 - f, taps.weight[1] = f;
    if (count == 4) {
        taps.weight[0] = ((-0.5f * f + 1) * f - 0.5f) * f;
        taps.weight[1] = (1.5f * f - 2.5f) * f * f + 1;
        taps.weight[2] = ((-1.5f * f + 2) * f + 0.5f) * f;
        taps.weight[3] = (0.5f * f - 0.5f) * f * f;
    }
    return true;
}

DT_INLINE void set_pixel(float& to, float v) { to = v; }
DT_INLINE void set_pixel(uint8_t& to, float v) { to = uint8_t(v > 0 ? v < 255 ? v + 0.5f : 255.0f : 0.0f); }

// One pixel of the output, anywhere.
template <class T> void sample(const WarpArgs& a, const T* image, int64_t x, int64_t y, T* to) {
    Taps across, down;
    if (!find_taps(x, a.in_w, a, across) || !find_taps(y, a.in_h, a, down)) {
        for (int64_t c = 0; c < a.channels; ++c) set_pixel(to[c], a.fill_value);
        return;
    }
    const int count = tap_count(a.interpolation);
    for (int64_t c = 0; c < a.channels; ++c) {
        float sum = 0;
        for (int r = 0; r < count; ++r) {
            float line = 0;
            for (int q = 0; q < count; ++q) {
                const bool inside = across.index[q] >= 0 && down.index[r] >= 0;
                const float v =
                    inside ? float(image[(down.index[r] * a.in_w + across.index[q]) * a.channels + c])
                           : a.fill_value;
                line = q ? line + v * across.weight[q] : v * across.weight[q];
            }
            sum = r ? sum + line * down.weight[r] : line * down.weight[r];
        }
        set_pixel(to[c], sum);
    }
}

template <class T> void warp(const WarpArgs& a) {
    const int count = tap_count(a.interpolation);
    parallel(a.batch * a.out_h, grain_for(a.out_w * (4 + a.channels * count * count)),
             [&](int64_t begin, int64_t end) {
                 Places places;
                 for (int64_t item = begin; item < end; ++item) {
                     const int64_t number = item / a.out_h, i = item % a.out_h;
                     const T* image = static_cast<const T*>(a.images) + number * a.in_h * a.in_w * a.channels;
                     T* row = static_cast<T*>(a.output) + item * a.out_w * a.channels;
                     for (int64_t j = 0; j < a.out_w; j += kBlock) {
                         find_places(a, number, i, j, places);
                         const int64_t n = min(kBlock, a.out_w - j);
                         for (int64_t k = 0; k < n; ++k)
                             sample(a, image, places.x[k], places.y[k], row + (j + k) * a.channels);
                     }
                 }
             });
}

} // namespace

Warp warp() { return {warp<uint8_t>, warp<float>}; }

} // namespace dt::cpu::DT_LEVEL
