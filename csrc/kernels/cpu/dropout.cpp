#include "kernels/dropout.h"

#include "kernels/cpu/half.h"
#include "kernels/cpu/philox.h"

#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {
namespace {

constexpr int kGroup = kDropoutGroup; // elements that one group of words decides

// Values that go past the caches at a time: loads and such stores one by one hold each other up.
constexpr int kStaged = 8 * kGroup;

// How far ahead input is fetched: the CPU, busy with random numbers, does not look that far.
constexpr int kAhead = 8 * kGroup;

// Bit e % 64 of word e / 64 says whether element e is kept.
struct Kept {
    uint64_t bits[kGroup / 64];
};

#if defined(DT_LEVEL_v4)
DT_INLINE void compare_bytes(const uint32_t* words, uint8_t high, Kept& above, Kept& equal) {
    for (int i = 0; i < kGroup / 64; ++i) {
        const __m512i bytes = (__m512i)load(words + 16 * i), limit = _mm512_set1_epi8(char(high));
        above.bits[i] = _mm512_cmpgt_epu8_mask(bytes, limit);
        equal.bits[i] = _mm512_cmpeq_epu8_mask(bytes, limit);
    }
}
#elif defined(__SSE2__)
DT_INLINE void compare_bytes(const uint32_t* words, uint8_t high, Kept& above, Kept& equal) {
    const __m128i limit = _mm_set1_epi8(char(high));
    for (int i = 0; i < kGroup / 64; ++i) {
        above.bits[i] = equal.bits[i] = 0;
        for (int j = 0; j < 4; ++j) {
            const __m128i bytes = _mm_load_si128(reinterpret_cast<const __m128i*>(words + 16 * i + 4 * j));
            const auto bits = [&](__m128i mask) {
                return uint64_t(uint32_t(_mm_movemask_epi8(mask))) << (16 * j);
            };
            const uint64_t same = bits(_mm_cmpeq_epi8(bytes, limit));
            above.bits[i] |= bits(_mm_cmpeq_epi8(_mm_max_epu8(bytes, limit), bytes)) & ~same;
            equal.bits[i] |= same;
        }
    }
}
#else
DT_INLINE void compare_bytes(const uint32_t* words, uint8_t high, Kept& above, Kept& equal) {
    for (int i = 0; i < kGroup / 64; ++i) {
        above.bits[i] = equal.bits[i] = 0;
        for (int j = 0; j < 64; ++j) {
            const uint32_t byte = words[16 * i + j / 4] >> (8 * (j % 4)) & 255;
            above.bits[i] |= uint64_t(byte > high) << j;
            equal.bits[i] |= uint64_t(byte == high) << j;
        }
    }
}
#endif

// The elements of a group whose 32-bit numbers are at least the threshold. Nearly always the first byte says
// it; only where that is the threshold's own are the other three drawn, from a stream of their own.
DT_INLINE Kept kept_of_group(const RandomSource& source, int64_t group, uint32_t threshold) {
    alignas(64) uint32_t words[kGroupWords];
    philox_group(source, group, words);
    Kept above, equal;
    compare_bytes(words, uint8_t(threshold >> 24), above, equal);
    const uint32_t low = threshold & 0xffffff;
    for (int i = 0; i < kGroup / 64; ++i) {
        if (low == 0) {
            above.bits[i] |= equal.bits[i];
            continue;
        }
        for (uint64_t rest = equal.bits[i]; rest; rest &= rest - 1) {
            const int e = __builtin_ctzll(rest);
            const uint32_t more = philox_word(dropout_details(source), group * kGroup + 64 * i + e) >> 8;
            above.bits[i] |= uint64_t(more >= low) << e;
        }
    }
    return above;
}

template <class T> DT_INLINE Vec<T> keep(Vec<T> x, uint64_t bits, T scale) {
#if defined(DT_LEVEL_v4)
    if constexpr (sizeof(T) == 4)
        return (Vec<T>)_mm512_maskz_mul_ps(__mmask16(bits), (__m512)x, (__m512)broadcast(scale));
    else
        return (Vec<T>)_mm512_maskz_mul_pd(__mmask8(bits), (__m512d)x, (__m512d)broadcast(scale));
#else
    using I = Lane<Mask<T>>;
    const Mask<T> bit = I(1) << iota<I>();
    return select(Mask<T>((broadcast(I(bits)) & bit) != 0), x * scale, Vec<T>{});
#endif
}

template <class S>
void apply(const RandomSource& source, int64_t n, double p, const void* input, void* output) {
    using T = Arithmetic<S>;
    const S* in = static_cast<const S*>(input);
    S* out = static_cast<S*>(output);
    if (p >= 1) { // 1 / (1 - p) is infinite
        memset(output, 0, size_t(n) * sizeof(S));
        return;
    }
    if (n <= 0) return;
    const uint32_t threshold = uint32_t(p * 4294967296.0);
    const T scale = T(1 / (1 - p));
    const int64_t first = source.begin / kGroup, last = ceil_div(source.begin + n, kGroup);
    const bool streaming = source.begin % kGroup == 0 && can_stream(out, n, kGroup);
    parallel(last - first, grain_for(2 * kGroup), [&](int64_t begin, int64_t end) {
        alignas(64) S staged[kStaged];
        int64_t from = (begin + first) * kGroup - source.begin, count = 0; // of what is staged
        const auto flush = [&]() DT_INLINE_LAMBDA {
            const uint32_t* words = reinterpret_cast<const uint32_t*>(staged);
            uint32_t* to = reinterpret_cast<uint32_t*>(out + from);
            for (int64_t j = 0; j < count * int64_t(sizeof(S)) / 4; j += kLanes<uint32_t>)
                stream(to + j, load(words + j), Whole{});
            from += count;
            count = 0;
        };
        for (int64_t g = begin + first; g < end + first; ++g) {
            const Kept kept = kept_of_group(source, g, threshold);
            const int64_t at = g * kGroup - source.begin;
            if (at >= 0 && at + kGroup <= n) {
                for (int j = 0; j < kGroup; j += 64 / int(sizeof(S)))
                    __builtin_prefetch(in + at + kAhead + j);
                S* to = streaming ? staged + count : out + at;
                for (int j = 0; j < kGroup; j += kLanes<T>)
                    store(to + j, keep(load(in + at + j), kept.bits[j / 64] >> (j % 64), scale));
                if (streaming) count += kGroup;
                if (count == kStaged) flush();
            } else {
                const int64_t low = at < 0 ? -at : 0, high = n - at < kGroup ? n - at : kGroup;
                for (int64_t j = low; j < high; ++j)
                    store(out + at + j,
                          keep(load(in + at + j, Part{1}), kept.bits[j / 64] >> (j % 64), scale), Part{1});
            }
        }
        flush();
        if (streaming) finish_streaming();
    });
}

} // namespace

Dropout dropout() { return {DT_PRECISIONS(apply)}; }

} // namespace dt::cpu::DT_LEVEL
