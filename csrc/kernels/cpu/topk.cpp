// The first few of a sort, without sorting the rest: what is not before the last of the best so far is passed
// over by vectors.
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/mask_bits.h"
#include "kernels/cpu/sort.h"
#include "kernels/cpu/sort_codes.h"

namespace dt::cpu::DT_LEVEL {
namespace {

constexpr int64_t kChunk = 512;                                              // keys made at a time
constexpr int64_t room_for(int64_t k) { return (k < 32 ? 64 : 2 * k) + 16; } // candidates and a vector

// The best of a row so far. K holds a key, and in another array its position.
template <class K> struct Best {
    int64_t k, held = 0;
    K limit = ~K(0); // the key of the last of k, which later ones must be below
    K *keys, *tags;
    uint64_t* spare; // for 4 room_for(k)

    void sort() {
        if constexpr (sizeof(K) == 8) {
            sort_tagged(keys, tags, held, spare);
        } else {
            for (int64_t i = 0; i < held; ++i) spare[i] = uint64_t(keys[i]) << 32 | tags[i];
            sort_keys(spare, held, spare + held);
            for (int64_t i = 0; i < held; ++i) {
                keys[i] = K(spare[i] >> 32);
                tags[i] = K(spare[i]);
            }
        }
        held = min(held, k);
        if (held == k) limit = keys[k - 1];
    }

    void take(int64_t n, const K* codes, int64_t first) {
        for_vectors<K>(n, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
            const Vec<K> v = load(codes + i, part);
            const uint32_t here = (uint64_t{1} << lanes_of<K>(part)) - 1;
            const uint32_t bits = mask_bits<K>(v < broadcast(limit)) & here;
            if (__builtin_expect(bits == 0, true)) return;
            store(keys + held, compress<K>(v, bits));
            store(tags + held, compress<K>(iota<K>() + broadcast(K(first + i)), bits));
            held += __builtin_popcount(bits);
            if (held > room_for(k) - 16) sort();
        });
    }
};

// `at` gets the positions of the first k.
template <class T, class K>
void pick_row(int64_t n, int64_t k, bool descending, const T* in, int64_t* at, uint64_t* memory) {
    const int64_t room = room_for(k) + 16;
    Best<K> best{.k = k,
                 .keys = reinterpret_cast<K*>(memory),
                 .tags = reinterpret_cast<K*>(memory + room),
                 .spare = memory + 2 * room};
    constexpr K largest = K(~typename Key<T>::Unsigned(0));
    best.limit = largest;
    typename Key<T>::Unsigned codes[kChunk];
    for (int64_t first = 0; first < n; first += kChunk) {
        const int64_t m = min(n - first, kChunk);
        Key<T>::make(m, in + first, descending, codes);
        if constexpr (sizeof(K) == sizeof codes[0]) {
            best.take(m, codes, first);
        } else {
            K wide[kChunk];
            for (int64_t i = 0; i < m; ++i) wide[i] = codes[i];
            best.take(m, wide, first);
        }
    }
    best.sort();
    for (int64_t i = 0; i < best.held; ++i) at[i] = int64_t(best.tags[i]);
    for (int64_t i = 0, to = best.held; to < k && i < n; ++i)
        if (Key<T>::of(in[i], descending) == largest) at[to++] = i;
}

template <class T>
void pick_rows(int64_t rows, int64_t n, int64_t k, bool descending, const void* given, void* chosen,
               int64_t* positions) {
    const T* in = static_cast<const T*>(given);
    T* values = static_cast<T*>(chosen);
    const bool narrow = !Key<T>::wide && n < int64_t{1} << 32;
    parallel(rows, grain_for(n + 8 * k), [&](int64_t begin, int64_t end) {
        uint64_t* memory = scratch<uint64_t>(Scratch::kernel, 6 * (room_for(k) + 16) + 32 * kPieces + 64);
        for (int64_t r = begin; r < end; ++r) {
            int64_t* at = positions + r * k;
            (narrow ? pick_row<T, typename Key<T>::Unsigned> : pick_row<T, uint64_t>)(n, k, descending,
                                                                                      in + r * n, at, memory);
            for (int64_t i = 0; i < k; ++i) values[r * k + i] = in[r * n + at[i]];
        }
    });
}

} // namespace

void topk(DType dtype, int64_t rows, int64_t n, int64_t k, bool descending, const void* in, void* values,
          int64_t* positions) {
    switch (dtype) {
    case DType::boolean:
    case DType::uint8:
        return pick_rows<uint8_t>(rows, n, k, descending, in, values, positions);
    case DType::int32:
        return pick_rows<int32_t>(rows, n, k, descending, in, values, positions);
    case DType::int64:
        return pick_rows<int64_t>(rows, n, k, descending, in, values, positions);
    case DType::float16:
        return pick_rows<float16_t>(rows, n, k, descending, in, values, positions);
    case DType::bfloat16:
        return pick_rows<bfloat16_t>(rows, n, k, descending, in, values, positions);
    case DType::float32:
        return pick_rows<float>(rows, n, k, descending, in, values, positions);
    case DType::float64:
        return pick_rows<double>(rows, n, k, descending, in, values, positions);
    }
}

} // namespace dt::cpu::DT_LEVEL
