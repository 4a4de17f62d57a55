#pragma once
// The windows of a pool, and the places in them.
#include "kernels/cpu/common.h"
#include "kernels/pool.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

namespace dt::cpu::DT_LEVEL {
namespace {

// Windows first <= tap < last of one dimension that lie inside the input, for the output at `at`.
struct Window {
    int64_t start, first, last, step; // tap t stands at start + t * step
    Window(int64_t at, int64_t in, int64_t kernel, int64_t stride, int64_t pad, int64_t dilation)
        : start(at * stride - pad), step(dilation) {
        first = start < 0 ? min(kernel, steps(-start)) : 0;
        last = start < in ? min(kernel, steps(in - start)) : 0;
        if (last < first) last = first;
    }
    Window(int64_t at, int64_t in, int64_t out) // adaptive
        : start(at * in / out), first(0), last(ceil_div((at + 1) * in, out) - start), step(1) {}
    int64_t place(int64_t tap) const { return start + tap * step; }
    // Taps before a place `distance` behind the start; a division is slow.
    int64_t steps(int64_t distance) const { return step == 1 ? distance : ceil_div(distance, step); }
    int64_t count() const { return last - first; }
};
Window row_window(const PoolShape& s, int64_t i) {
    if (s.adaptive) return {i, s.in_h, s.out_h};
    return {i, s.in_h, s.kernel_h, s.stride_h, s.pad_top, s.dilation_h};
}
Window col_window(const PoolShape& s, int64_t j) {
    if (s.adaptive) return {j, s.in_w, s.out_w};
    return {j, s.in_w, s.kernel_w, s.stride_w, s.pad_left, s.dilation_w};
}

// The outputs first .. last whose windows reach over any of the places low .. high of one dimension.
struct Holders {
    int64_t first, last;
};
Holders holders(bool adaptive, int64_t in, int64_t out, int64_t reach, int64_t stride, int64_t pad,
                int64_t low, int64_t high) {
    if (adaptive) return {low * out / in, ((high + 1) * out - 1) / in};
    const int64_t beyond = low + pad - reach; // windows that start here end before `low`
    return {beyond < 0 ? 0 : beyond / stride + 1, min(out - 1, (high + pad) / stride)};
}
Holders holding_rows(const PoolShape& s, int64_t low, int64_t high) {
    return holders(s.adaptive, s.in_h, s.out_h, (s.kernel_h - 1) * s.dilation_h + 1, s.stride_h, s.pad_top,
                   low, high);
}
Holders holding_cols(const PoolShape& s, int64_t low, int64_t high) {
    return holders(s.adaptive, s.in_w, s.out_w, (s.kernel_w - 1) * s.dilation_w + 1, s.stride_w, s.pad_left,
                   low, high);
}

// Places in a window are vectors of the masks' type, stored in one or four bytes each. GCC converts vectors
// of bytes one by one: hence the instructions by name.
template <class T> DT_INLINE void store_bytes(uint8_t* to, Mask<T> place) {
#if defined(DT_LEVEL_v4)
    if constexpr (sizeof(T) == 4)
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                         _mm512_maskz_cvtepi32_epi8(__mmask16(-1), (__m512i)place));
    else
        _mm_storel_epi64(reinterpret_cast<__m128i*>(to),
                         _mm512_maskz_cvtepi64_epi8(__mmask8(-1), (__m512i)place));
#elif defined(DT_LEVEL_v3) || defined(DT_LEVEL_v2)
    constexpr char step = sizeof(T), none = -1;
    const __m128i lowest = _mm_setr_epi8(0, step, step == 4 ? 8 : none, step == 4 ? 12 : none, none, none,
                                         none, none, none, none, none, none, none, none, none, none);
    for (int i = 0; i < kVectorBytes / 16; ++i) {
        __m128i part;
        memcpy(&part, reinterpret_cast<const char*>(&place) + 16 * i, 16);
        const int32_t bytes = _mm_cvtsi128_si32(_mm_shuffle_epi8(part, lowest));
        memcpy(to + i * 16 / step, &bytes, 16 / step);
    }
#else
    for (int i = 0; i < kLanes<T>; ++i) to[i] = uint8_t(place[i]);
#endif
}
template <class T> DT_INLINE Mask<T> load_bytes(const uint8_t* from) {
#if defined(DT_LEVEL_v4)
    if constexpr (sizeof(T) == 4)
        return (Mask<T>)_mm512_maskz_cvtepu8_epi32(__mmask16(-1),
                                                   _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
    else
        return (Mask<T>)_mm512_maskz_cvtepu8_epi64(__mmask8(-1),
                                                   _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
#elif defined(DT_LEVEL_v3) || defined(DT_LEVEL_v2)
    int64_t bytes = 0;
    memcpy(&bytes, from, kLanes<T>);
    const __m128i v = _mm_cvtsi64_si128(bytes);
#if defined(DT_LEVEL_v3)
    return (Mask<T>)(sizeof(T) == 4 ? _mm256_cvtepu8_epi32(v) : _mm256_cvtepu8_epi64(v));
#else
    return (Mask<T>)(sizeof(T) == 4 ? _mm_cvtepu8_epi32(v) : _mm_cvtepu8_epi64(v));
#endif
#else
    Mask<T> place{};
    for (int i = 0; i < kLanes<T>; ++i) place[i] = from[i];
    return place;
#endif
}

template <class T> DT_INLINE void store_places(uint8_t* to, Mask<T> place, int64_t count) {
    if (count >= kLanes<T>) return store_bytes<T>(to, place);
    for (int64_t i = 0; i < count; ++i) to[i] = uint8_t(place[i]);
}
template <class T> DT_INLINE void store_places(int32_t* to, Mask<T> place, int64_t count) {
    for (int64_t i = 0; i < kLanes<T> && i < count; ++i) to[i] = int32_t(place[i]);
}
template <class T> DT_INLINE Mask<T> load_places(const int32_t* from, int64_t count) {
    Mask<T> place{};
    for (int64_t i = 0; i < kLanes<T> && i < count; ++i) place[i] = from[i];
    return place;
}
template <class T> DT_INLINE Mask<T> load_places(const uint8_t* from, int64_t count) {
    if (count >= kLanes<T>) return load_bytes<T>(from);
    Mask<T> place{};
    for (int64_t i = 0; i < count; ++i) place[i] = from[i];
    return place;
}

// One over the divisor of the window (h, w).
template <class T> T average_factor(const PoolShape& s, const Window& h, const Window& w) {
    int64_t divisor = h.count() * w.count();
    if (s.adaptive) return T(1) / T(divisor);
    if (s.divisor > 0)
        divisor = s.divisor;
    else if (s.count_include_pad) // the window up to the edge of the padding
        divisor = min(s.kernel_h, s.in_h + s.pad_bottom - h.start) *
                  min(s.kernel_w, s.in_w + s.pad_right - w.start);
    return divisor > 0 ? T(1) / T(divisor) : T(0);
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
