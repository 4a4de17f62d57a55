#pragma once
// Values as unsigned numbers in the order of a sort.
#include "kernels/cpu/half.h"
#include "kernels/cpu/lanes.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

namespace dt::cpu::DT_LEVEL {
namespace {

template <bool first, class A, class B> struct Choose {
    using type = A;
};
template <class A, class B> struct Choose<false, A, B> {
    using type = B;
};

struct HalfKey {
    static float read(const float16_t& x) { return from_float16(x.bits); }
    static float read(const bfloat16_t& x) { return from_bfloat16(x.bits); }
    template <class T> static T read(const T& x) { return x; }
};

// Keys whose order is the stable order: equal values have equal keys, all NaN the largest.
template <class T> struct Key {
    static constexpr bool wide = sizeof(T) == 8;
    using Unsigned = typename Choose<wide, uint64_t, uint32_t>::type;
    using Signed = typename Choose<wide, int64_t, int32_t>::type;
    static constexpr int bits = 8 * sizeof(Unsigned);
    static constexpr Unsigned sign = Unsigned(1) << (bits - 1);

    static DT_INLINE Unsigned of(const T& given, bool descending) {
        const auto x = HalfKey::read(given);
        const Unsigned flip = descending ? ~Unsigned(0) : Unsigned(0);
        if constexpr (kFloating<decltype(+x)>) {
            const auto positive_zero = x + 0; // of -0 as well
            Unsigned raw;
            memcpy(&raw, &positive_zero, sizeof raw);
            return x != x ? ~Unsigned(0) : raw ^ (Unsigned(Signed(raw) >> (bits - 1)) | sign) ^ flip;
        } else {
            return Unsigned(x) ^ (T(-1) < T(0) ? sign : 0) ^ flip;
        }
    }

    // Of n values; the compiler finds no vectors in of().
    static void make(int64_t n, const T* in, bool descending, Unsigned* keys) {
        if constexpr (sizeof(T) >= 4) {
            const Unsigned flip = descending ? ~Unsigned(0) : Unsigned(0);
            for_vectors<T>(n, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
                const Vec<T> x = load(in + i, part) + T(0);
                Vec<Unsigned> key = (Vec<Unsigned>)x;
                if constexpr (kFloating<T>) {
                    key ^= (Vec<Unsigned>)((Vec<Signed>)x >> (bits - 1)) | sign;
                    key = x != x ? ~Vec<Unsigned>{} : key ^ flip;
                } else {
                    key ^= sign ^ flip;
                }
                store(keys + i, key, part);
            });
        } else {
            for (int64_t i = 0; i < n; ++i) keys[i] = of(in[i], descending);
        }
    }
};

// Values as keys and back. -0 stands before 0 here, and every NaN comes back as one.
template <class T> struct Code {
    using K = typename Key<T>::Unsigned;
    using Signed = typename Key<T>::Signed;
    static constexpr int bits = Key<T>::bits;
    static constexpr K sign = T(-1) < T(0) ? Key<T>::sign : K(0);

    static void encode(int64_t n, const T* in, K flip, K* keys) {
        if constexpr (kFloating<T>)
            for_vectors<T>(n, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
                const Vec<T> x = load(in + i, part);
                const Vec<K> key = (Vec<K>)x ^ ((Vec<K>)((Vec<Signed>)x >> (bits - 1)) | sign);
                store(keys + i, x != x ? ~Vec<K>{} : key ^ flip, part);
            });
        else
            for (int64_t i = 0; i < n; ++i) keys[i] = K(in[i]) ^ sign ^ flip;
    }
    static void decode(int64_t n, const K* keys, K flip, T* out) {
        constexpr K quiet = sizeof(T) == 8 ? K(0x7ff8000000000000) : K(0x7fc00000);
        if constexpr (kFloating<T>)
            for_vectors<T>(n, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
                const Vec<K> key = load(keys + i, part), plain = key ^ flip;
                const Vec<K> raw = plain ^ (~(Vec<K>)((Vec<Signed>)plain >> (bits - 1)) | sign);
                store(out + i, (Vec<T>)(key == ~Vec<K>{} ? broadcast(quiet) : raw), part);
            });
        else
            for (int64_t i = 0; i < n; ++i) out[i] = T(keys[i] ^ sign ^ flip);
    }
};

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
