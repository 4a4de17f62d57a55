#include "kernels/cpu/sort.h"

#include "kernels/cpu/sort_codes.h"
#include "kernels/cpu/sort_keys.h"

namespace dt::cpu::DT_LEVEL {
namespace {

// By keys that hold the position as well: unique, so that any sort of them is stable.
template <class T> void sort_joined(int64_t n, bool descending, const T* in, int64_t* out) {
    constexpr int64_t chunk = 512;
    typename Key<T>::Unsigned codes[chunk];
    uint64_t* keys = scratch<uint64_t>(Scratch::kernel, n + spare_keys(n));
    for (int64_t first = 0; first < n; first += chunk) {
        const int64_t m = min(n - first, chunk);
        Key<T>::make(m, in + first, descending, codes);
        for (int64_t i = 0; i < m; ++i) keys[first + i] = uint64_t(codes[i]) << 32 | uint64_t(first + i);
    }
    sort_keys(keys, n, keys + n);
    for (int64_t i = 0; i < n; ++i) out[i] = int64_t(keys[i] & 0xffffffff);
}

// By keys that take their positions with them, behind them those whose key is the largest number.
template <class T> void sort_with_positions(int64_t n, bool descending, const T* in, int64_t* out) {
    using K = typename Key<T>::Unsigned;
    constexpr int64_t chunk = 512;
    K codes[chunk];
    uint64_t* keys = scratch<uint64_t>(Scratch::kernel, n + 2 * spare_keys(n));
    int64_t last = 0;
    for (int64_t first = 0; first < n; first += chunk) {
        const int64_t m = min(n - first, chunk);
        Key<T>::make(m, in + first, descending, codes);
        for (int64_t i = 0; i < m; ++i) last += codes[i] == K(~K(0));
        for (int64_t i = 0; i < m; ++i) keys[first + i] = codes[i];
        for (int64_t i = 0; i < m; ++i) out[first + i] = first + i;
    }
    if (last) {
        int64_t count = 0, to = n - last;
        for (int64_t i = 0; i < n; ++i)
            if (keys[i] != K(~K(0))) {
                keys[count] = keys[i];
                out[count++] = i;
            }
        for (int64_t i = 0; i < n && to < n; ++i)
            if (Key<T>::of(in[i], descending) == K(~K(0))) out[to++] = i;
    }
    sort_tagged(keys, reinterpret_cast<uint64_t*>(out), n - last, keys + n);
}

template <class T> void sort_rows(int64_t rows, int64_t n, bool descending, const void* in, int64_t* out) {
    const bool joined = !Key<T>::wide && n < int64_t{1} << 32;
    parallel(rows, grain_for(n * 8), [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r)
            (joined ? sort_joined<T>
                    : sort_with_positions<T>)(n, descending, static_cast<const T*>(in) + r * n, out + r * n);
    });
}

template <class T>
void sort_values(int64_t rows, int64_t n, bool descending, const void* given, void* sorted) {
    using K = typename Code<T>::K;
    const T* in = static_cast<const T*>(given);
    T* out = static_cast<T*>(sorted);
    const K flip = descending ? ~K(0) : K(0);
    parallel(rows, grain_for(n * 4), [&](int64_t begin, int64_t end) {
        K* keys = scratch<K>(Scratch::kernel, n + spare_keys(n));
        for (int64_t r = begin; r < end; ++r) {
            Code<T>::encode(n, in + r * n, flip, keys);
            sort_plain(keys, n, keys + n);
            Code<T>::decode(n, keys, flip, out + r * n);
        }
    });
}

} // namespace

void sort_keys(uint64_t* keys, int64_t n, uint64_t* spare) { sort_plain(keys, n, spare); }

void sort_tagged(uint64_t* keys, uint64_t* tags, int64_t n, uint64_t* spare) {
    sort_lot(Lot<uint64_t, true>{keys, tags}, n, Lot<uint64_t, true>{spare, spare + spare_keys(n)});
    for (int64_t i = 1; i < n; ++i) {
        if (keys[i] != keys[i - 1]) continue;
        const int64_t begin = i - 1;
        while (i < n && keys[i] == keys[begin]) ++i;
        sort_keys(tags + begin, i - begin, spare);
    }
}

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
