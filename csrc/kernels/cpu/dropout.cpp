#include "kernels/dropout.h"

#include "kernels/cpu/dropout_bits.h"
#include "kernels/cpu/half.h"

#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {
namespace {

// Values that go past the caches at a time: loads and such stores one by one hold each other up.
constexpr int kStaged = 8 * kGroup;

// How far ahead input is fetched: the CPU, busy with random numbers, does not look that far.
constexpr int kAhead = 8 * kGroup;

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
