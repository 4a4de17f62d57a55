#include "kernels/random.h"

#include "kernels/cpu/philox.h"
#include "kernels/cpu/trigonometry.h"

#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {
namespace {

// float takes one word a value, double two: number j of a group takes words j and j + 16 of its half of the
// group.
template <class T> struct Bits;
template <> struct Bits<float> {
    using Unsigned = uint32_t;
    using UnsignedVec = Vec<uint32_t>;
    using Signed = int32_t;
    static constexpr int bits = 32, mantissa = 24;
};
template <> struct Bits<double> {
    using Unsigned = uint64_t;
    using UnsignedVec = WideVec;
    using Signed = int64_t;
    static constexpr int bits = 64, mantissa = 53;
};
template <class T> constexpr int kPerGroup = kGroupWords * 32 / Bits<T>::bits;

DT_INLINE uint64_t wide_word(const uint32_t* words, int j) {
    const uint32_t* half = words + (j / 16) * 32 + j % 16;
    return uint64_t(half[16]) << 32 | half[0];
}
DT_INLINE void group_bits(const uint32_t* words, uint32_t* bits) {
    for (int j = 0; j < 64; ++j) bits[j] = words[j];
}
DT_INLINE void group_bits(const uint32_t* words, uint64_t* bits) {
    for (int j = 0; j < 32; ++j) bits[j] = wide_word(words, j);
}

template <class T>
void uniform(const RandomSource& source, int64_t n, double low, double high, void* output) {
    using B = Bits<T>;
    const T start = T(low), end = T(high), step = T((high - low) * (B::bits == 32 ? 0x1p-24 : 0x1p-53));
    auto make = [&](const uint32_t* words, int64_t, T* values) {
        typename B::Unsigned bits[kPerGroup<T>];
        group_bits(words, bits);
        for (int j = 0; j < kPerGroup<T>; ++j) {
            const T value = start + T(typename B::Signed(bits[j] >> (B::bits - B::mantissa))) * step;
            values[j] = value < end ? value : start; // rounding may reach the end, which is outside
        }
    };
    fill_from_groups<kPerGroup<T>>(source, n, static_cast<T*>(output), make);
}

// Sine and cosine of the angle 2 pi bits / 2^32 (or 2^64): the quarter turn nearest to it comes off exactly,
// in integers.
template <class T>
DT_INLINE void sine_cosine(typename Bits<T>::UnsignedVec bits, Vec<T>& sine, Vec<T>& cosine) {
    using U = typename Bits<T>::UnsignedVec;
    constexpr int shift = Bits<T>::bits - 2;
    const U quarter = (bits + (typename Bits<T>::Unsigned(1) << (shift - 1))) >> shift;
    const Mask<T> rest = (Mask<T>)(bits - (quarter << shift));
    const Vec<T> x = __builtin_convertvector(rest, Vec<T>) *
                     T(6.283185307179586476925 * (Bits<T>::bits == 32 ? 0x1p-32 : 0x1p-64));
    const Vec<T> s = sine_reduced(x), c = cosine_reduced(x);
    const Mask<T> odd = (Mask<T>)((quarter & 1) != 0);
    const Vec<T> sine_size = odd ? c : s, cosine_size = odd ? s : c;
    sine = (quarter & 2) != 0 ? -sine_size : sine_size;
    cosine = ((quarter + 1) & 2) != 0 ? -cosine_size : cosine_size;
}

// Box and Muller (1958): two words give a radius and an angle, and those two normal values. The first half of
// a group's values are the cosines, the second the sines.
template <class T> void normal(const RandomSource& source, int64_t n, double mean, double std, void* output) {
    using B = Bits<T>;
    constexpr int half = kPerGroup<T> / 2;
    auto make = [&](const uint32_t* words, int64_t, T* values) DT_INLINE_LAMBDA {
        alignas(64) typename B::Unsigned bits[kPerGroup<T>];
        group_bits(words, bits);
        constexpr T unit = B::bits == 32 ? T(0x1p-32) : T(0x1p-53);
        for (int j = 0; j < half; j += kLanes<T>) {
            typename B::UnsignedVec radius_bits, angle;
            __builtin_memcpy(&radius_bits, bits + j, sizeof radius_bits);
            __builtin_memcpy(&angle, bits + half + j, sizeof angle);
            if constexpr (B::bits == 64) radius_bits >>= 11;
            const Vec<T> open = (__builtin_convertvector(radius_bits, Vec<T>) + T(0.5)) * unit; // in (0, 1]
            Vec<T> sine, cosine;
            sine_cosine<T>(angle, sine, cosine);
            const Vec<T> radius = sqrt(log(open) * T(-2)) * T(std);
            store(values + j, radius * cosine + T(mean));
            store(values + half + j, radius * sine + T(mean));
        }
    };
    fill_from_groups<kPerGroup<T>>(source, n, static_cast<T*>(output), make);
}

template <class T>
bool bernoulli(const RandomSource& source, int64_t n, const void* probability, int64_t stride, void* output) {
    const T* p = static_cast<const T*>(probability);
    T* out = static_cast<T*>(output);
    bool valid = true;
    fill_from_groups<kGroupWords>(source, n, out, [&](const uint32_t* words, int64_t at, T* values) {
        int outside = 0;
        const auto drawn = [&outside](uint32_t word, T chance) DT_INLINE_LAMBDA {
            outside |= !(chance >= 0) | !(chance <= 1);
            return double(word) < double(chance) * 4294967296.0 ? T(1) : T(0);
        };
        if (stride == 1 && at >= 0 && at + kGroupWords <= n) {
            for (int j = 0; j < kGroupWords; ++j) values[j] = drawn(words[j], p[at + j]);
        } else {
            for (int j = 0; j < kGroupWords; ++j)
                values[j] = drawn(words[j], p[clamp(at + j, int64_t{0}, n - 1) * stride]);
        }
        if (outside) __atomic_store_n(&valid, false, __ATOMIC_RELAXED);
    });
    return valid;
}

void integers(const RandomSource& source, int64_t n, int64_t low, int64_t high, int64_t* output) {
    const uint64_t range = uint64_t(high) - uint64_t(low);
    // The high word of bits * range: its bias is below range / 2^64.
    fill_from_groups<32>(source, n, output, [&](const uint32_t* words, int64_t, int64_t* values) {
        for (int j = 0; j < 32; ++j)
            values[j] =
                int64_t(uint64_t(low) + uint64_t((unsigned __int128)wide_word(words, j) * range >> 64));
    });
}

// Fisher and Yates, in the form of Durstenfeld (1964), from the front: position i swaps with one of 0 .. i.
// These lie anywhere: those of the next group of numbers are fetched while the ones before it swap.
void permutation(const RandomSource& source, int64_t n, int64_t* output) {
    constexpr int64_t most = kGroupWords / 2;
    struct {
        int64_t begin = 0, end = 0, partner[most];
    } groups[2];
    const int64_t first = source.begin / most, last = ceil_div(source.begin + n, most);
    for (int64_t g = first; g <= last; ++g) {
        auto& next = groups[g % 2];
        next.begin = max(g * most - source.begin, int64_t{0});
        next.end = min((g + 1) * most - source.begin, n);
        uint32_t words[kGroupWords];
        if (next.begin < next.end) philox_group(source, g, words);
        for (int64_t i = next.begin; i < next.end; ++i) {
            const uint64_t bits = wide_word(words, int((source.begin + i) % most));
            const int64_t j = int64_t((unsigned __int128)bits * uint64_t(i + 1) >> 64);
            __builtin_prefetch(output + j, 1);
            next.partner[i - next.begin] = j;
        }
        const auto& ready = groups[(g + 1) % 2];
        for (int64_t i = ready.begin; i < ready.end; ++i) {
            const int64_t j = ready.partner[i - ready.begin];
            output[i] = output[j];
            output[j] = i;
        }
    }
}

} // namespace

Random random() {
    return {{uniform<float>, uniform<double>},
            {normal<float>, normal<double>},
            {bernoulli<float>, bernoulli<double>},
            integers,
            permutation};
}

} // namespace dt::cpu::DT_LEVEL
