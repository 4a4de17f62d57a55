#pragma once
// Values as unsigned numbers in the order of a sort.
#include "kernels/cpu/half.h"
#include "kernels/cpu/vec.h"

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
};

// Values as keys and back. -0 stands before 0 here, and every NaN comes back as one.
template <class T> struct Code {
    using K = typename Key<T>::Unsigned;
    using Signed = typename Choose<sizeof(K) == 8, int64_t, int32_t>::type;
    static constexpr int bits = 8 * sizeof(K);
    static DT_INLINE K encode(T x, K flip) {
        K key;
        if constexpr (kFloating<T>) {
            memcpy(&key, &x, sizeof key);
            key ^= K(Signed(key) >> (bits - 1)) | Key<T>::sign;
            return x != x ? ~K(0) : key ^ flip;
        } else {
            return (K(x) ^ (T(-1) < T(0) ? Key<T>::sign : 0)) ^ flip;
        }
    }
    static DT_INLINE T decode(K key, K flip) {
        if constexpr (kFloating<T>) {
            const K plain = key ^ flip;
            const K raw = key == ~K(0) ? K(sizeof(T) == 8 ? 0x7ff8000000000000 : 0x7fc00000)
                                       : plain ^ (~K(Signed(plain) >> (bits - 1)) | Key<T>::sign);
            T x;
            memcpy(&x, &raw, sizeof x);
            return x;
        } else {
            return T((key ^ flip) ^ (T(-1) < T(0) ? Key<T>::sign : 0));
        }
    }
};

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
