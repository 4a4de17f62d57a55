#include "kernels/cpu/select.h"

#include "kernels/cpu/half.h"
#include "kernels/cpu/mask_bits.h"
#include "kernels/cpu/positions.h"
#include "kernels/cpu/reduce_ops.h"
#include "kernels/cpu/rows.h"

namespace dt::cpu::DT_LEVEL {
namespace {

constexpr int64_t kBlock = 16384; // values of a mask that one thread goes through
constexpr int64_t kChunk = 512;   // chosen values collected before they are written

int64_t count_true(int64_t n, const uint8_t* mask) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; i += kSumBlock) count += count_bytes(mask + i, min(n - i, kSumBlock));
    return count;
}

// What is chosen: positions, or values that lie side by side.
struct Positions {
    using T = int64_t;
    int64_t at(int64_t i) const { return i; }
    Vec<T> vector(int64_t i) const { return iota<T>() + broadcast(i); }
};
template <class T_> struct Values {
    using T = T_;
    const T* from;
    T at(int64_t i) const { return from[i]; }
    auto vector(int64_t i) const { return load(from + i); }
};

// Writes the values of [i, i + 64) whose bits are set, and returns their number; `to` has room for 64 and a
// vector. Without branches where many are: whether the next one is chosen cannot be foreseen.
template <class V> int64_t choose(const V& values, int64_t i, uint64_t bits, typename V::T* to) {
    [[maybe_unused]] constexpr int64_t lanes = 64 / sizeof(typename V::T);
    const int64_t count = __builtin_popcountll(bits);
    if (count <= 12) {
        for (; bits; bits &= bits - 1) *to++ = values.at(i + __builtin_ctzll(bits));
        return count;
    }
#if defined(DT_LEVEL_v4)
    if constexpr (lanes == 32) { // there is no instruction for 16 bits
        for (int k = 0; k < 64; k += kLanes<uint32_t>) {
            const uint32_t here = uint16_t(bits >> k);
            Halves h;
            memcpy(&h, values.from + i + k, sizeof h);
            h = narrow(compress<uint32_t>(widen(h) >> 16, here));
            memcpy(to, &h, sizeof h);
            to += __builtin_popcount(here);
        }
        return count;
    } else if constexpr (lanes <= 16) {
        for (int k = 0; k < 64; k += lanes) {
            const uint32_t here = uint32_t(bits >> k) & ((1u << lanes) - 1);
            store(to, compress<typename V::T>(values.vector(i + k), here));
            to += __builtin_popcount(here);
        }
        return count;
    }
#endif
    for (int k = 0; k < 64; ++k) {
        *to = values.at(i + k);
        to += bits >> k & 1;
    }
    return count;
}

// Writes what is true among n values, at most `capacity`, and returns how many are true, or -1 where that
// changes meanwhile: blocks in parallel, each behind what those before it wrote.
template <class V>
int64_t select_values(int64_t n, const uint8_t* mask, int64_t capacity, typename V::T* out, const V& values) {
    using T = typename V::T;
    const int64_t blocks = ceil_div(n, kBlock);
    int64_t* start = scratch<int64_t>(Scratch::kernel, blocks + 1);
    start[0] = 0;
    parallel(blocks, 4, [&](int64_t begin, int64_t end) {
        for (int64_t b = begin; b < end; ++b)
            start[b + 1] = count_true(min(n - b * kBlock, kBlock), mask + b * kBlock);
    });
    for (int64_t b = 0; b < blocks; ++b) start[b + 1] += start[b];
    int64_t total = start[blocks];
    parallel(capacity ? blocks : 0, 1, [&](int64_t begin, int64_t end) {
        T chosen[kChunk + 64];
        for (int64_t b = begin; b < end; ++b) {
            const int64_t last = min(n, (b + 1) * kBlock);
            const int64_t room = min(capacity, start[b + 1]);
            int64_t to = start[b], count = 0;
            const auto write = [&] {
                count = min(count, room - to);
                memcpy(out + to, chosen, size_t(count) * sizeof(T));
                to += count;
                count = 0;
            };
            int64_t i = b * kBlock;
            for (; i + 64 <= last && to < room; i += 64) {
                const uint64_t bits = bytes_set(mask + i);
                if (bits == 0) continue;
                count += choose(values, i, bits, chosen + count);
                if (count > kChunk - 64) write();
            }
            for (; i < last && i + 64 > last; ++i)
                if (mask[i]) chosen[count++] = values.at(i);
            if (count) write();
            if (to < room) __atomic_store_n(&total, int64_t{-1}, __ATOMIC_RELAXED);
        }
    });
    return total;
}

template <class T>
int64_t pack_values(int64_t n, const uint8_t* mask, int64_t capacity, const void* in, void* out) {
    return select_values(n, mask, capacity, static_cast<T*>(out), Values<T>{static_cast<const T*>(in)});
}

// Whether all indices are within; nothing outside is read.
template <class T> bool take_values(const TakeArgs& args) {
    constexpr int64_t chunk = 1024;
    const T* in = static_cast<const T*>(args.in);
    T* out = static_cast<T*>(args.out);
    const auto copy = [](T* to, const T* from, const int64_t* at, int64_t n) DT_INLINE_LAMBDA {
        for (int64_t i = 0; i < n; ++i) to[i] = from[at[i]];
    };
    if (args.outer > 1) {
        if (!all_within(args.count, args.index, args.size)) return false;
        int64_t* at = scratch<int64_t>(Scratch::kernel, args.count);
        for (int64_t i = 0; i < args.count; ++i) at[i] = from_start(args.index[i], args.size);
        parallel(args.outer, grain_for(args.count), [&](int64_t begin, int64_t end) {
            for (int64_t row = begin; row < end; ++row)
                copy(out + row * args.count, in + row * args.size, at, args.count);
        });
        return true;
    }
    bool within = true;
    parallel(args.count, 8 * chunk, [&](int64_t begin, int64_t end) {
        int64_t at[chunk];
        for (int64_t i = begin; i < end; i += chunk) {
            const int64_t n = min(end - i, chunk);
            if (!all_within(n, args.index + i, args.size))
                return __atomic_store_n(&within, false, __ATOMIC_RELAXED);
            for (int64_t k = 0; k < n; ++k) at[k] = from_start(args.index[i + k], args.size);
            copy(out + i, in, at, n);
        }
    });
    return within;
}

bool take_rows(const TakeArgs& args, int64_t bytes) {
    if (!all_within(args.count, args.index, args.size)) return false;
    const char* in = static_cast<const char*>(args.in);
    char* out = static_cast<char*>(args.out);
    parallel(args.outer * args.count, grain_for(8 + bytes / 4), [&](int64_t begin, int64_t end) {
        int64_t block = begin / args.count, i = begin % args.count;
        for (int64_t k = begin; k < end; ++k) {
            copy_row(out + k * bytes, in + (block * args.size + from_start(args.index[i], args.size)) * bytes,
                     bytes);
            if (++i == args.count) i = 0, ++block;
        }
    });
    return true;
}

bool take_items(int64_t item, const TakeArgs& args) {
    if (args.inner != 1) return take_rows(args, args.inner * item);
    return item == 1   ? take_values<uint8_t>(args)
           : item == 2 ? take_values<uint16_t>(args)
           : item == 4 ? take_values<uint32_t>(args)
                       : take_values<uint64_t>(args);
}

} // namespace

int64_t find(int64_t n, const uint8_t* mask, int64_t capacity, int64_t* out) {
    return select_values(n, mask, capacity, out, Positions{});
}

int64_t pack(DType dtype, int64_t n, const uint8_t* mask, int64_t capacity, const void* in, void* out) {
    switch (item_size(dtype)) {
    case 1:
        return pack_values<uint8_t>(n, mask, capacity, in, out);
    case 2:
        return pack_values<uint16_t>(n, mask, capacity, in, out);
    case 4:
        return pack_values<uint32_t>(n, mask, capacity, in, out);
    default:
        return pack_values<uint64_t>(n, mask, capacity, in, out);
    }
}

void unravel(int64_t count, const int64_t* flat, const Dims& shape, int64_t* const* out) {
    const int last = shape.rank() - 1;
    const int64_t columns = shape[last];
    parallel(count, 4096, [&](int64_t begin, int64_t end) {
        int64_t index[kMaxRank] = {}, first = -columns; // of the row that the last position was in
        for (int64_t i = begin; i < end; ++i) {
            if (flat[i] - first >= columns) { // a new row: divisions are slow
                int64_t position = flat[i] / columns;
                first = position * columns;
                for (int d = last - 1; d >= 0; --d) {
                    index[d] = position % shape[d];
                    position /= shape[d];
                }
            }
            for (int d = 0; d < last; ++d) out[d][i] = index[d];
            out[last][i] = flat[i] - first;
        }
    });
}

int64_t outside(int64_t n, const int64_t* index, int64_t size) {
    if (all_within(n, index, size)) return -1;
    // Another thread may have changed the indices meanwhile: the search ends in any case.
    int64_t i = 0;
    while (i < n - 1 && index[i] >= -size && index[i] < size) ++i;
    return i;
}

int64_t take(DType dtype, const TakeArgs& args) {
    return take_items(int64_t(item_size(dtype)), args) ? -1 : outside(args.count, args.index, args.size);
}

} // namespace dt::cpu::DT_LEVEL
