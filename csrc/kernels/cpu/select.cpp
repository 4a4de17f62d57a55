#include "kernels/cpu/select.h"

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

// Writes value(i) for what is true among n values, at most `capacity`, and returns how many are true, or -1
// where that changes meanwhile: blocks in parallel, each behind what those before it wrote. Without branches:
// whether the next value is chosen cannot be foreseen.
template <class T, class F>
int64_t select_values(int64_t n, const uint8_t* mask, int64_t capacity, T* out, const F& value) {
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
        T chosen[kChunk + 1];
        for (int64_t b = begin; b < end; ++b) {
            const int64_t last = min(n, (b + 1) * kBlock);
            const int64_t room = min(capacity, start[b + 1]);
            int64_t to = start[b];
            for (int64_t i = b * kBlock; i < last && to < room; i += kChunk) {
                const int64_t stop = min(last, i + kChunk);
                int64_t count = 0;
                for (int64_t k = i; k < stop; ++k) {
                    chosen[count] = value(k);
                    count += mask[k] != 0;
                }
                count = min(count, room - to);
                memcpy(out + to, chosen, size_t(count) * sizeof(T));
                to += count;
            }
            if (to < room) __atomic_store_n(&total, int64_t{-1}, __ATOMIC_RELAXED);
        }
    });
    return total;
}

template <class T>
int64_t pack_values(int64_t n, const uint8_t* mask, int64_t capacity, const void* in, void* out) {
    const T* from = static_cast<const T*>(in);
    return select_values(n, mask, capacity, static_cast<T*>(out),
                         [from](int64_t i) DT_INLINE_LAMBDA { return from[i]; });
}

bool all_within(int64_t n, const int64_t* index, int64_t size) {
    int64_t lowest = 0, highest = 0;
    for (int64_t i = 0; i < n; ++i) {
        lowest = min(lowest, index[i]);
        highest = max(highest, index[i]);
    }
    return n == 0 || (lowest >= -size && highest < size);
}

// Of an index that was within when it was looked at: whatever another thread writes meanwhile, nothing
// outside is read.
DT_INLINE int64_t from_start(int64_t index, int64_t size) {
    const int64_t at = index < 0 ? index + size : index;
    return uint64_t(at) < uint64_t(size) ? at : 0;
}

// Whether all indices are within; nothing outside is read.
template <class T> bool take_values(const TakeArgs& args) {
    const T* in = static_cast<const T*>(args.in);
    T* out = static_cast<T*>(args.out);
    const auto copy = [&](int64_t row, int64_t begin, int64_t end) DT_INLINE_LAMBDA {
        const T* from = in + row * args.size;
        T* to = out + row * args.count;
        for (int64_t i = begin; i < end; ++i) to[i] = from[from_start(args.index[i], args.size)];
    };
    if (args.outer == 1) {
        bool within = true;
        parallel(args.count, 8192, [&](int64_t begin, int64_t end) {
            if (all_within(end - begin, args.index + begin, args.size))
                copy(0, begin, end);
            else
                __atomic_store_n(&within, false, __ATOMIC_RELAXED);
        });
        return within;
    }
    if (!all_within(args.count, args.index, args.size)) return false;
    parallel(args.outer, grain_for(args.count), [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) copy(row, 0, args.count);
    });
    return true;
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
    return select_values(n, mask, capacity, out, [](int64_t i) DT_INLINE_LAMBDA { return i; });
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

int64_t take(DType dtype, const TakeArgs& args) {
    if (take_items(int64_t(item_size(dtype)), args)) return -1;
    int64_t i = 0;
    while (args.index[i] >= -args.size && args.index[i] < args.size) ++i;
    return i;
}

} // namespace dt::cpu::DT_LEVEL
