#include "kernels/dropout.h"

#include "kernels/cpu/philox.h"

#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {
namespace {

// The lanes whose words are not below the threshold.
template <class T> DT_INLINE Mask<T> kept_lanes(const uint32_t* words, uint32_t threshold) {
    if constexpr (sizeof(T) == 4) {
        return (Mask<T>)(load(words) >= threshold);
    } else {
        HalfVec<uint32_t> w;
        __builtin_memcpy(&w, words, sizeof w);
        return __builtin_convertvector(w, Vec<uint64_t>) >= uint64_t(threshold);
    }
}

template <class T>
void apply(const RandomSource& source, int64_t n, double p, const void* input, void* output) {
    const T* in = static_cast<const T*>(input);
    const bool none = p >= 1; // 1 / (1 - p) is infinite
    // Dropped where the word is below p 2^32.
    const uint32_t threshold = none ? 0 : uint32_t(p * 4294967296.0);
    const T scale = none ? T(0) : T(1 / (1 - p));
    auto make = [&](const uint32_t* words, int64_t at, T* values) DT_INLINE_LAMBDA {
        alignas(64) T edge[kGroupWords];
        const T* x = in + at;
        if (at < 0 || at + kGroupWords > n) { // the first or the last group
            for (int j = 0; j < kGroupWords; ++j) edge[j] = at + j >= 0 && at + j < n ? in[at + j] : T(0);
            x = edge;
        }
        for (int j = 0; j < kGroupWords; j += kLanes<T>) {
            const Mask<T> kept = kept_lanes<T>(words + j, threshold);
            store(values + j, select(kept, load(x + j) * scale, Vec<T>{}));
        }
    };
    if (none)
        memset(output, 0, size_t(n) * sizeof(T));
    else
        fill_from_groups<kGroupWords>(source, n, static_cast<T*>(output), make);
}

} // namespace

Dropout dropout() { return {{apply<float>, apply<double>}}; }

} // namespace dt::cpu::DT_LEVEL
