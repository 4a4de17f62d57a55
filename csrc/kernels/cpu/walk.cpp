#include "kernels/cpu/walk.h"

#include "kernels/cpu/common.h"
#include "kernels/cpu/half.h"
#include "kernels/cpu/lanes.h"

namespace dt::cpu::DT_LEVEL {
namespace {

constexpr int64_t kChunk = 1024; // elements that go through a buffer at a time: all buffers fit the L1 cache
constexpr int64_t kShortRow = 256; // shorter rows are gathered several at a time

constexpr int kStorageBytes[] = {1, 2, 4, 8, 2, 2};
constexpr bool is_half_storage(Storage s) { return s >= Storage::float16; }

// How an operand's part of a chunk is found.
enum class Access : uint8_t {
    whole,    // contiguous over the whole loop
    repeated, // the same values in every chunk: gathered once for a block
    gathered,
};

struct Walk {
    Loop loop;
    Storage storage[kMaxOperands] = {};
    Access access[kMaxOperands];
    Run run;
    const void* context;
    int64_t n, inner, chunk;
    bool by_rows;
};

struct Buffers {
    alignas(64) char values[kMaxOperands][kChunk * 8];
    alignas(64) char halves[kMaxOperands][kChunk * 2];
};

bool is_contiguous(const Dims& shape, const Dims& strides, int64_t item) {
    for (int d = shape.rank() - 1; d >= 0; --d) {
        if (shape[d] != 1 && strides[d] != item) return false;
        item *= shape[d];
    }
    return true;
}

// A step known to the compiler becomes shuffles of whole vectors.
template <int step, class T> DT_INLINE void copy_every(int64_t n, T* out, const T* in) {
    for (int64_t i = 0; i < n; ++i) out[i] = in[step * i];
}

template <class T>
void copy_items(int64_t n, char* to, int64_t to_stride, const char* from, int64_t from_stride) {
    constexpr int64_t item = sizeof(T);
    T* out = reinterpret_cast<T*>(to);
    const T* in = reinterpret_cast<const T*>(from);
    if (to_stride == item) {
        if (from_stride == item)
            return n >= 64 ? void(memcpy(to, from, size_t(n) * sizeof(T))) : copy_every<1>(n, out, in);
        if (from_stride == 0) {
            const T value = *in;
            for (int64_t i = 0; i < n; ++i) out[i] = value;
            return;
        }
        if (from_stride == 2 * item) return copy_every<2>(n, out, in);
        if (from_stride == -item) return copy_every<-1>(n, out, in);
    }
#pragma GCC unroll 8
    for (int64_t i = 0; i < n; ++i) {
        *reinterpret_cast<T*>(to) = *reinterpret_cast<const T*>(from);
        to += to_stride;
        from += from_stride;
    }
}

void unravel(int64_t position, const Dims& shape, int64_t* index) {
    for (int d = shape.rank() - 1; d >= 0; --d) {
        index[d] = position % shape[d];
        position /= shape[d];
    }
}
int64_t offset_of(const int64_t* index, const Dims& strides) {
    int64_t offset = 0;
    for (int d = 0; d < strides.rank(); ++d) offset += index[d] * strides[d];
    return offset;
}
void advance(const Dims& shape, int64_t* index, int64_t step) { // step stays within the row
    int d = shape.rank() - 1;
    index[d] += step;
    while (d > 0 && index[d] == shape[d]) {
        index[d] = 0;
        ++index[--d];
    }
}

// Between a contiguous buffer and the elements of operand k from `start` on, row by row.
template <bool kGather> void move_rows(const Walk& w, int k, const int64_t* start, int64_t n, char* buffer) {
    const int item = kStorageBytes[int(w.storage[k])];
    const Dims& strides = w.loop.strides[k];
    int64_t index[kMaxRank];
    for (int d = 0; d < w.loop.shape.rank(); ++d) index[d] = start[d];
    while (n > 0) {
        const int64_t rest = w.inner - index[w.loop.shape.rank() - 1];
        const int64_t m = n < rest ? n : rest;
        char* strided = static_cast<char*>(w.loop.data[k]) + offset_of(index, strides);
        if constexpr (kGather)
            copy_strided(item, m, buffer, item, strided, strides.back());
        else
            copy_strided(item, m, strided, strides.back(), buffer, item);
        advance(w.loop.shape, index, m);
        buffer += m * item;
        n -= m;
    }
}

DType dtype_of(Storage half) { return half == Storage::float16 ? DType::float16 : DType::bfloat16; }

// Where operand k's values lie as they are in memory, or null where they must be gathered.
char* direct(const Walk& w, int k, int64_t position) {
    char* base = static_cast<char*>(w.loop.data[k]);
    if (w.access[k] == Access::whole) return base + position * kStorageBytes[int(w.storage[k])];
    return nullptr;
}

// The same value n times, the loops' way, into operand k's buffer.
void fill_buffer(const Walk& w, int k, const char* value, int64_t n, Buffers& b) {
    const int item = kStorageBytes[int(w.storage[k])];
    const bool half = is_half_storage(w.storage[k]);
    float single;
    if (half) halves_to_floats(dtype_of(w.storage[k]), 1, value, &single);
    copy_strided(half ? 4 : item, n, b.values[k], half ? 4 : item,
                 half ? reinterpret_cast<const char*>(&single) : value, 0);
}

// n values of operand k, the loops' way.
DT_INLINE void* values_of(const Walk& w, int k, char* from, int64_t n, Buffers& b) {
    const int item = kStorageBytes[int(w.storage[k])];
    const int64_t step = w.loop.strides[k].back();
    const bool half = is_half_storage(w.storage[k]);
    char* values = from;
    if (step != item) copy_strided(item, n, values = half ? b.halves[k] : b.values[k], item, from, step);
    if (!half) return values;
    halves_to_floats(dtype_of(w.storage[k]), n, values, reinterpret_cast<float*>(b.values[k]));
    return b.values[k];
}

// Operand k's values from `position` on, the loops' way.
void* input(const Walk& w, int k, int64_t position, const int64_t* index, int64_t n, bool first, Buffers& b) {
    const bool half = is_half_storage(w.storage[k]);
    if (w.access[k] == Access::repeated && !first) return b.values[k];
    char* values = direct(w, k, position);
    if (!values) {
        values = half ? b.halves[k] : b.values[k];
        const int64_t m = w.access[k] == Access::repeated ? w.chunk : n;
        move_rows<true>(w, k, index, m < w.n - position ? m : w.n - position, values);
    }
    if (!half) return values;
    const int64_t m = w.access[k] == Access::repeated ? w.chunk : n;
    halves_to_floats(dtype_of(w.storage[k]), m, values, reinterpret_cast<float*>(b.values[k]));
    return b.values[k];
}

// Short rows: chunks of some of them.
void walk_block(const Walk& w, int64_t begin, int64_t end) {
    Buffers b;
    int64_t index[kMaxRank];
    bool first = true;
    const bool half = is_half_storage(w.storage[0]);
    for (int64_t position = begin; position < end; position += w.chunk) {
        const int64_t n = end - position < w.chunk ? end - position : w.chunk;
        unravel(position, w.loop.shape, index);
        void* data[kMaxOperands];
        for (int k = 1; k < w.loop.operands; ++k) data[k] = input(w, k, position, index, n, first, b);
        char* target = direct(w, 0, position);
        data[0] = target && !half ? target : b.values[0];
        w.run(n, data, w.context);
        if (half)
            floats_to_halves(dtype_of(w.storage[0]), n, reinterpret_cast<const float*>(b.values[0]),
                             target ? target : b.halves[0]);
        if (!target) move_rows<false>(w, 0, index, n, half ? b.halves[0] : b.values[0]);
        first = false;
    }
}

// Long rows, chunk by chunk. What is the same all along a row is written into its buffer once for the row, or
// once for all rows.
void walk_rows(const Walk& w, int64_t begin, int64_t end) {
    Buffers b;
    const int last = w.loop.shape.rank() - 1, operands = w.loop.operands;
    int64_t index[kMaxRank], step[kMaxOperands]; // bytes between values; 0 where they stand in the buffer
    char* row[kMaxOperands];
    unravel(begin, w.loop.shape, index);
    for (int k = 0; k < operands; ++k) {
        step[k] = w.loop.strides[k][last];
        row[k] = static_cast<char*>(w.loop.data[k]) + offset_of(index, w.loop.strides[k]);
    }
    const bool half = is_half_storage(w.storage[0]);
    const int item = kStorageBytes[int(w.storage[0])];
    for (bool first = true; begin < end; first = false) {
        const int64_t rest = w.inner - index[last], length = rest < end - begin ? rest : end - begin;
        for (int k = 1; k < operands; ++k)
            if (step[k] == 0 && (first || w.access[k] != Access::repeated))
                fill_buffer(w, k, row[k], w.chunk < w.inner ? w.chunk : w.inner, b);
        for (int64_t i = 0; i < length; i += w.chunk) {
            const int64_t n = length - i < w.chunk ? length - i : w.chunk;
            void* data[kMaxOperands];
            for (int k = 1; k < operands; ++k)
                data[k] = step[k] == 0 ? b.values[k] : values_of(w, k, row[k] + i * step[k], n, b);
            char* target = row[0] + i * step[0];
            data[0] = step[0] == item && !half ? target : b.values[0];
            w.run(n, data, w.context);
            const char* result = b.values[0];
            if (half) {
                void* halves = step[0] == item ? target : b.halves[0];
                floats_to_halves(dtype_of(w.storage[0]), n, reinterpret_cast<const float*>(b.values[0]),
                                 halves);
                result = b.halves[0];
            }
            if (step[0] != item) copy_strided(item, n, target, step[0], result, item);
        }
        begin += length;
        index[last] += length;
        for (int k = 0; k < operands; ++k) row[k] += length * step[k];
        for (int d = last; d > 0 && index[d] == w.loop.shape[d]; --d) {
            for (int k = 0; k < operands; ++k)
                row[k] += w.loop.strides[k][d - 1] - index[d] * w.loop.strides[k][d];
            index[d] = 0;
            ++index[d - 1];
        }
    }
}

constexpr int64_t kTileRows = 32, kTileColumns = 64;

// Two dimensions, each input contiguous along one of them, some along the first: those are turned tile by
// tile, into buffers.
bool has_tiles(const Walk& w) {
    if (w.loop.shape.rank() != 2) return false;
    bool turned = false;
    for (int k = 0; k < w.loop.operands; ++k) {
        const int item = kStorageBytes[int(w.storage[k])];
        const Dims& strides = w.loop.strides[k];
        if (strides[1] != item && (k == 0 || strides[0] != item)) return false;
        turned |= strides[1] != item && strides[1] != 0;
    }
    return turned;
}

void walk_tiles(const Walk& w, int64_t first_row, int64_t rows) {
    alignas(64) char buffers[kMaxOperands][kTileRows * kTileColumns * 8];
    alignas(64) float floats[kMaxOperands][kTileColumns]; // of half formats
    for (int64_t column = 0; column < w.inner; column += kTileColumns) {
        const int64_t n = w.inner - column < kTileColumns ? w.inner - column : kTileColumns;
        char* start[kMaxOperands];
        int64_t step[kMaxOperands];
        for (int k = 0; k < w.loop.operands; ++k) {
            const int item = kStorageBytes[int(w.storage[k])];
            const Dims& strides = w.loop.strides[k];
            start[k] = static_cast<char*>(w.loop.data[k]) + first_row * strides[0] + column * strides[1];
            step[k] = strides[0];
            if (strides[1] == item) continue;
            step[k] = kTileColumns * item;
            copy_transposed(item, rows, n, buffers[k], step[k], start[k], strides[1]);
            start[k] = buffers[k];
        }
        for (int64_t i = 0; i < rows; ++i) {
            void* data[kMaxOperands];
            for (int k = 0; k < w.loop.operands; ++k) {
                data[k] = start[k] + i * step[k];
                if (!is_half_storage(w.storage[k])) continue;
                if (k > 0) halves_to_floats(dtype_of(w.storage[k]), n, data[k], floats[k]);
                data[k] = floats[k];
            }
            w.run(n, data, w.context);
            if (is_half_storage(w.storage[0]))
                floats_to_halves(dtype_of(w.storage[0]), n, floats[0], start[0] + i * step[0]);
        }
    }
}

// Results so large that they leave the caches before they are read: through a buffer, past the caches.
void walk_streaming(const Loop& loop, const Storage* storage, Run run, const void* context, int64_t begin,
                    int64_t end) {
    alignas(64) char buffer[kChunk * 8];
    const int item = kStorageBytes[int(storage[0])];
    for (int64_t i = begin; i < end; i += kChunk) {
        const int64_t n = end - i < kChunk ? end - i : kChunk;
        void* data[kMaxOperands];
        for (int k = 1; k < loop.operands; ++k)
            data[k] = static_cast<char*>(loop.data[k]) + i * kStorageBytes[int(storage[k])];
        data[0] = buffer;
        run(n, data, context);
        uint32_t* to = reinterpret_cast<uint32_t*>(static_cast<char*>(loop.data[0]) + i * item);
        const uint32_t* from = reinterpret_cast<const uint32_t*>(buffer);
        const int64_t words = n * item / 4;
        for_vectors<uint32_t>(words, [&](int64_t j, auto part)
                                         DT_INLINE_LAMBDA { stream(to + j, load(from + j, part), part); });
        for (int64_t j = words * 4; j < n * item; ++j) reinterpret_cast<char*>(to)[j] = buffer[j];
    }
    finish_streaming();
}

Access access_of(const Walk& w, int k) {
    const Dims& strides = w.loop.strides[k];
    const int item = kStorageBytes[int(w.storage[k])], last = strides.rank() - 1;
    if (is_contiguous(w.loop.shape, strides, item)) return Access::whole;
    bool repeated = k > 0;
    for (int d = 0; d < last; ++d) repeated &= strides[d] == 0;
    return repeated ? Access::repeated : Access::gathered;
}

} // namespace

Storage storage_of(DType dtype) {
    if (dtype == DType::float16) return Storage::float16;
    if (dtype == DType::bfloat16) return Storage::bfloat16;
    return raw_storage_of(dtype);
}

Storage raw_storage_of(DType dtype) {
    switch (item_size(dtype)) {
    case 1:
        return Storage::bytes1;
    case 2:
        return Storage::bytes2;
    case 4:
        return Storage::bytes4;
    default:
        return Storage::bytes8;
    }
}

void copy_strided(int item, int64_t n, char* to, int64_t to_stride, const char* from, int64_t from_stride) {
    switch (item) {
    case 1:
        return copy_items<uint8_t>(n, to, to_stride, from, from_stride);
    case 2:
        return copy_items<uint16_t>(n, to, to_stride, from, from_stride);
    case 4:
        return copy_items<uint32_t>(n, to, to_stride, from, from_stride);
    default:
        return copy_items<uint64_t>(n, to, to_stride, from, from_stride);
    }
}

bool is_one_value(const Loop& loop, int k) {
    bool one = true;
    for (int d = 0; d < loop.shape.rank(); ++d) one &= loop.strides[k][d] == 0;
    return one;
}

int64_t collapse(Loop& loop) {
    const int operands = loop.operands;
    int64_t n = 1;
    Loop r;
    r.operands = operands;
    for (int k = 0; k < operands; ++k) r.data[k] = loop.data[k];
    for (int d = 0; d < loop.shape.rank(); ++d) {
        n *= loop.shape[d];
        if (loop.shape[d] == 1) continue;
        const int64_t step = loop.strides[0][d];
        const bool flip = step < 0;
        int at = r.shape.rank();
        while (at > 0 && r.strides[0][at - 1] < (flip ? -step : step)) --at;
        r.shape.insert(at, loop.shape[d]);
        for (int k = 0; k < operands; ++k) {
            const int64_t stride = loop.strides[k][d];
            if (flip) r.data[k] = static_cast<char*>(r.data[k]) + (loop.shape[d] - 1) * stride;
            r.strides[k].insert(at, flip ? -stride : stride);
        }
    }
    if (n == 0) return 0;
    for (int d = r.shape.rank() - 2; d >= 0; --d) {
        bool one = true;
        for (int k = 0; k < operands; ++k) one &= r.strides[k][d] == r.strides[k][d + 1] * r.shape[d + 1];
        if (!one) continue;
        r.shape[d] *= r.shape[d + 1];
        r.shape.erase(d + 1);
        for (int k = 0; k < operands; ++k) {
            r.strides[k][d] = r.strides[k][d + 1];
            r.strides[k].erase(d + 1);
        }
    }
    if (r.shape.empty()) {
        r.shape.push(1);
        for (int k = 0; k < operands; ++k) r.strides[k].push(0);
    }
    loop = r;
    return n;
}

void walk(const Loop& loop, const Storage* given, Run run, const void* context, int64_t grain, Run half) {
    Storage storage[kMaxOperands];
    bool plain = true;
    for (int k = 0; k < loop.operands; ++k) {
        storage[k] = half && is_half_storage(given[k]) ? Storage::bytes2 : given[k];
        plain = plain && !is_half_storage(storage[k]) &&
                is_contiguous(loop.shape, loop.strides[k], kStorageBytes[int(storage[k])]);
    }
    if (half) run = half;
    if (plain && can_stream(static_cast<const char*>(loop.data[0]),
                            loop.shape.product() * kStorageBytes[int(storage[0])], kVectorBytes)) {
        parallel(loop.shape.product(), grain, [&](int64_t begin, int64_t end) {
            walk_streaming(loop, storage, run, context, begin, end);
        });
        return;
    }
    if (plain) {
        parallel(loop.shape.product(), grain, [&](int64_t begin, int64_t end) {
            void* data[kMaxOperands];
            for (int k = 0; k < loop.operands; ++k)
                data[k] = static_cast<char*>(loop.data[k]) + begin * kStorageBytes[int(storage[k])];
            run(end - begin, data, context);
        });
        return;
    }
    Walk w;
    w.loop = loop;
    w.run = run;
    w.context = context;
    w.n = collapse(w.loop);
    if (w.n == 0) return;
    w.inner = w.loop.shape.back();
    w.by_rows = w.loop.shape.rank() == 1 || w.inner >= kShortRow;
    bool buffered = false;
    for (int k = 0; k < loop.operands; ++k) {
        w.storage[k] = storage[k];
        w.access[k] = access_of(w, k);
        buffered |= w.loop.strides[k].back() != kStorageBytes[int(storage[k])] || is_half_storage(storage[k]);
    }
    if (has_tiles(w)) {
        const int64_t rows = w.loop.shape[0];
        parallel(ceil_div(rows, kTileRows), grain_for(kTileRows * w.inner), [&](int64_t begin, int64_t end) {
            for (int64_t i = begin * kTileRows; i < end * kTileRows && i < rows; i += kTileRows)
                walk_tiles(w, i, rows - i < kTileRows ? rows - i : kTileRows);
        });
        return;
    }
    // Chunks of short rows begin with a row, so that what every row repeats is gathered once.
    w.chunk = !w.by_rows ? kChunk / w.inner * w.inner : buffered ? kChunk : w.n;
    if (!w.by_rows) grain = round_up(grain, w.inner);
    parallel(w.n, grain, [&](int64_t begin, int64_t end) {
        w.by_rows ? walk_rows(w, begin, end) : walk_block(w, begin, end);
    });
}

} // namespace dt::cpu::DT_LEVEL
