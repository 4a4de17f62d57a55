#include "kernels/cpu/sort.h"

#include <cstdlib>

#include "kernels/cpu/common.h"
#include "kernels/cpu/half.h"
#include "kernels/cpu/sort_keys.h"

namespace dt::cpu::DT_LEVEL {
namespace {

// True where a stands before b in every stable order: NaN goes last whichever the direction.
template <class T> DT_INLINE bool before(T a, T b, bool descending) {
    if (b != b) return a == a;
    return descending ? a > b : a < b;
}

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

// Merge sort from runs of 16 that are sorted by insertion. `scratch` holds n positions.
template <class T> void sort_row(int64_t n, bool descending, const T* in, int64_t* out, int64_t* scratch) {
    constexpr int64_t run = 16;
    const auto less = [&](int64_t a, int64_t b) DT_INLINE_LAMBDA {
        return before(HalfKey::read(in[a]), HalfKey::read(in[b]), descending);
    };
    for (int64_t i = 0; i < n; ++i) out[i] = i;
    for (int64_t begin = 0; begin < n; begin += run) {
        const int64_t end = begin + run < n ? begin + run : n;
        for (int64_t i = begin + 1; i < end; ++i) {
            const int64_t x = out[i];
            int64_t j = i;
            for (; j > begin && less(x, out[j - 1]); --j) out[j] = out[j - 1];
            out[j] = x;
        }
    }
    int64_t *from = out, *to = scratch;
    for (int64_t width = run; width < n; width *= 2) {
        for (int64_t begin = 0; begin < n; begin += 2 * width) {
            const int64_t middle = begin + width < n ? begin + width : n;
            const int64_t end = middle + width < n ? middle + width : n;
            int64_t a = begin, b = middle;
            for (int64_t i = begin; i < end; ++i) {
                const bool right = a == middle || (b < end && less(from[b], from[a]));
                to[i] = right ? from[b++] : from[a++];
            }
        }
        int64_t* t = from;
        from = to;
        to = t;
    }
    if (from != out) memcpy(out, from, size_t(n) * sizeof(int64_t));
}

// Keys whose order as unsigned numbers is the stable order: equal values have equal keys, all NaN the
// largest.
template <class T> struct Key {
    static constexpr bool wide = sizeof(T) == 8;
    using Unsigned = typename Choose<wide, uint64_t, uint32_t>::type;
    static constexpr Unsigned sign = Unsigned(1) << (8 * sizeof(Unsigned) - 1);

    static DT_INLINE Unsigned of(const T& given, bool descending) {
        const auto x = HalfKey::read(given);
        Unsigned bits;
        if constexpr (kFloating<decltype(+x)>) {
            if (x != x) return ~Unsigned(0);
            const auto positive_zero = x + 0; // of -0 as well
            memcpy(&bits, &positive_zero, sizeof bits);
            bits = bits & sign ? ~bits : bits | sign;
        } else {
            bits = Unsigned(x);
            if constexpr (T(-1) < T(0)) bits ^= sign;
        }
        return descending ? ~bits : bits;
    }
};

// From here on a radix sort: a fixed number of passes, whatever the values.
constexpr int64_t kRadixFrom = 256;

// Radix sort of keys and positions, the lowest byte first. `entries` holds 2 n of them.
template <class T> struct Radix {
    using K = typename Key<T>::Unsigned;
    struct Entry {
        K key, position;
    };

    static void sort_row(int64_t n, bool descending, const T* in, int64_t* out, Entry* entries) {
        constexpr int passes = sizeof(K);
        K count[passes][256] = {};
        for (int64_t i = 0; i < n; ++i) {
            const K key = Key<T>::of(in[i], descending);
            entries[i] = {key, K(i)};
            for (int b = 0; b < passes; ++b) ++count[b][uint8_t(key >> (8 * b))];
        }
        Entry *from = entries, *to = entries + n;
        for (int b = 0; b < passes; ++b) {
            if (int64_t(count[b][uint8_t(from[0].key >> (8 * b))]) == n) continue; // all have the same byte
            K start = 0;
            for (K& c : count[b]) {
                const K here = c;
                c = start;
                start += here;
            }
            for (int64_t i = 0; i < n; ++i) to[count[b][uint8_t(from[i].key >> (8 * b))]++] = from[i];
            Entry* t = from;
            from = to;
            to = t;
        }
        for (int64_t i = 0; i < n; ++i) out[i] = int64_t(from[i].position);
    }
};

// Positions by keys that hold both: unique, so that any sort of them is stable.
template <class T> void sort_positions(int64_t rows, int64_t n, bool descending, const T* in, int64_t* out) {
    parallel(rows, grain_for(n * 8), [&](int64_t begin, int64_t end) {
        uint64_t* keys = scratch<uint64_t>(Scratch::kernel, n + spare_keys(n));
        for (int64_t r = begin; r < end; ++r) {
            for (int64_t i = 0; i < n; ++i)
                keys[i] = uint64_t(Key<T>::of(in[r * n + i], descending)) << 32 | uint64_t(i);
            sort_keys(keys, n, keys + n);
            for (int64_t i = 0; i < n; ++i) out[r * n + i] = int64_t(keys[i] & 0xffffffff);
        }
    });
}

template <class T> void sort_rows(int64_t rows, int64_t n, bool descending, const void* in, int64_t* out) {
    if constexpr (!Key<T>::wide)
        if (n < (int64_t{1} << 32))
            return sort_positions(rows, n, descending, static_cast<const T*>(in), out);
    if (n >= kRadixFrom)
        return parallel(rows, grain_for(n * 8), [&](int64_t begin, int64_t end) {
            using Entry = typename Radix<T>::Entry;
            Entry* entries = scratch<Entry>(Scratch::kernel, 2 * n);
            for (int64_t r = begin; r < end; ++r)
                Radix<T>::sort_row(n, descending, static_cast<const T*>(in) + r * n, out + r * n, entries);
        });
    parallel(rows, grain_for(n * 32), [&](int64_t begin, int64_t end) {
        int64_t scratch[kRadixFrom];
        for (int64_t r = begin; r < end; ++r)
            sort_row(n, descending, static_cast<const T*>(in) + r * n, out + r * n, scratch);
    });
}

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

template <class T>
void sort_values(int64_t rows, int64_t n, bool descending, const void* given, void* sorted) {
    using K = typename Code<T>::K;
    const T* in = static_cast<const T*>(given);
    T* out = static_cast<T*>(sorted);
    const K flip = descending ? ~K(0) : K(0);
    parallel(rows, grain_for(n * 4), [&](int64_t begin, int64_t end) {
        K* keys = scratch<K>(Scratch::kernel, n + spare_keys(n));
        for (int64_t r = begin; r < end; ++r) {
            for (int64_t i = 0; i < n; ++i) keys[i] = Code<T>::encode(in[r * n + i], flip);
            sort_keys(keys, n, keys + n);
            for (int64_t i = 0; i < n; ++i) out[r * n + i] = Code<T>::decode(keys[i], flip);
        }
    });
}

} // namespace

void argsort(DType dtype, int64_t rows, int64_t n, bool descending, const void* in, int64_t* out) {
    switch (dtype) {
    case DType::boolean:
    case DType::uint8:
        return sort_rows<uint8_t>(rows, n, descending, in, out);
    case DType::int32:
        return sort_rows<int32_t>(rows, n, descending, in, out);
    case DType::int64:
        return sort_rows<int64_t>(rows, n, descending, in, out);
    case DType::float16:
        return sort_rows<float16_t>(rows, n, descending, in, out);
    case DType::bfloat16:
        return sort_rows<bfloat16_t>(rows, n, descending, in, out);
    case DType::float32:
        return sort_rows<float>(rows, n, descending, in, out);
    case DType::float64:
        return sort_rows<double>(rows, n, descending, in, out);
    }
}

void sort(DType dtype, int64_t rows, int64_t n, bool descending, const void* in, void* out) {
    switch (dtype) {
    case DType::boolean:
    case DType::uint8:
        return sort_values<uint8_t>(rows, n, descending, in, out);
    case DType::int32:
        return sort_values<int32_t>(rows, n, descending, in, out);
    case DType::int64:
        return sort_values<int64_t>(rows, n, descending, in, out);
    case DType::float32:
        return sort_values<float>(rows, n, descending, in, out);
    case DType::float64:
        return sort_values<double>(rows, n, descending, in, out);
    default: // of the half formats: callers sort them as float32
        return;
    }
}

} // namespace dt::cpu::DT_LEVEL
