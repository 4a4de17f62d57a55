#pragma once
// Columns in fixed point where the pixels of neighbouring outputs lie within one vector: what each takes is
// picked out of the same words, in place of a load for each.
#include "kernels/cpu/words.h"
#include "kernels/resize.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {
namespace {

// kTogether outputs of up to four pixels each, from `base` on: words front and front + 2 pixels of the
// image's line, in pairs, with their weights.
struct ColumnGroup {
    UnsignedWords front;
    Words first, second;
    int64_t base;
};

#if defined(DT_LEVEL_v4)
constexpr bool kHasGroups = true;

DT_INLINE UnsignedWords load_words(const uint8_t* p) {
    return (UnsignedWords)_mm512_maskz_cvtepu8_epi16(__mmask32(-1),
                                                     _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
DT_INLINE Words pick_words(UnsignedWords v, UnsignedWords places) {
    return (Words)_mm512_maskz_permutexvar_epi16(__mmask32(-1), (__m512i)places, (__m512i)v);
}
#else
constexpr bool kHasGroups = false; // no instruction picks words from all of a vector
DT_INLINE UnsignedWords load_words(const uint8_t*) { return UnsignedWords{}; }
DT_INLINE Words pick_words(UnsignedWords v, UnsignedWords) { return (Words)v; }
#endif

constexpr int64_t kGroupOutputs = kVectorBytes / 16;

// The groups of an axis whose tables begin at `table`; false where pixels lie too far apart.
bool make_groups(const ResizeAxis& x, int64_t table, int64_t channels, ColumnGroup* groups) {
    if (!kHasGroups) return false;
    for (int64_t j = 0; j < x.out; j += kGroupOutputs, ++groups) {
        int64_t at[kGroupOutputs], low = x.in, high = 0, most = 0;
        for (int64_t lane = 0; lane < kGroupOutputs; ++lane) {
            at[lane] = table + min(j + lane, x.out - 1);
            low = min(low, int64_t(x.first[at[lane]])), high = max(high, int64_t(x.first[at[lane]]));
            most = max(most, int64_t(x.count[at[lane]]));
        }
        if (most > 4 || (high - low + 4) * channels > kVectorBytes / 2) return false;
        groups->base = low * channels;
        for (int i = 0; i < kVectorBytes / 2; ++i) {
            const int lane = i / 8, channel = i % 8 / 2, second = i % 2;
            const int64_t pixel = x.first[at[lane]] - low + second;
            groups->front[i] = uint16_t(pixel * channels + (channel < channels ? channel : 0));
            groups->first[i] = x.fixed[at[lane] * x.taps + second];
            groups->second[i] = x.fixed[at[lane] * x.taps + 2 + second];
        }
    }
    return true;
}

// `rows` neighbouring lines of an image.
template <int rows>
DT_INLINE void mix_groups(const ColumnGroup* groups, int64_t count, int shift, int64_t channels,
                          int64_t in_row, const StorePixels& store_pixels, const uint8_t* from,
                          uint8_t* const* lines) {
    const UnsignedWords two_pixels = UnsignedWords{} + uint16_t(2 * channels);
    const Vec<int32_t> half = broadcast(int32_t(1 << (shift - 1)));
    for (int64_t g = 0; g < count; ++g) {
        const ColumnGroup group = groups[g];
        const UnsignedWords back = group.front + two_pixels;
#pragma GCC unroll 4
        for (int r = 0; r < rows; ++r) {
            const UnsignedWords words = load_words(from + group.base + r * in_row);
            const Vec<int32_t> sums = half + pair_sums(pick_words(words, group.front), group.first) +
                                      pair_sums(pick_words(words, back), group.second);
            store_pixels(lines[r] + g * kGroupOutputs * channels, sums >> shift);
        }
    }
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
