#include "kernels/index.h"

#include "kernels/cpu/common.h"
#include "kernels/cpu/half.h"
#include "kernels/cpu/positions.h"
#include "kernels/cpu/rows.h"
#include "kernels/cpu/select.h"
#include "kernels/cpu/sort.h"
#include "kernels/cpu/walk.h"

namespace dt::cpu::DT_LEVEL {
namespace {

void positions(const Dims& shape, const Dims& strides, int64_t* offsets) {
    const int last = shape.rank() - 1;
    if (last < 0) {
        offsets[0] = 0;
        return;
    }
    const int64_t n = shape.product(), inner = shape[last], step = strides[last];
    if (n == 0) return;
    parallel(n / inner, grain_for(inner), [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
            int64_t offset = 0, position = row;
            for (int d = last - 1; d >= 0; --d) {
                offset += position % shape[d] * strides[d];
                position /= shape[d];
            }
            for (int64_t i = 0; i < inner; ++i) offsets[row * inner + i] = offset + i * step;
        }
    });
}

// An item with its dimensions merged, as rows of the innermost one.
struct Items {
    Loop loop; // operand 0 is the indexed side, 1 the plain one
    int64_t size, inner, rows;
};

Items items_of(const IndexArgs& args) {
    Items it;
    it.loop.operands = 2;
    it.loop.shape = args.shape;
    it.loop.strides[0] = args.indexed_strides;
    it.loop.strides[1] = args.plain_strides;
    it.loop.data[0] = args.indexed;
    it.loop.data[1] = args.plain;
    it.size = collapse(it.loop);
    it.inner = it.size ? it.loop.shape.back() : 1;
    it.rows = it.size / it.inner;
    return it;
}

// Calls move(indexed, plain, n) for the inner rows [begin, end) of an item, a part [from, to) of each.
template <class F>
DT_INLINE void each_row(const Items& it, char* indexed, char* plain, int64_t from, int64_t to,
                        const F& move) {
    const Dims &a = it.loop.strides[0], &b = it.loop.strides[1];
    const int last = it.loop.shape.rank() - 1;
    indexed += from * a[last];
    plain += from * b[last];
    if (it.rows == 1) return move(indexed, plain, to - from);
    for (int64_t row = 0; row < it.rows; ++row) {
        int64_t position = row, x = 0, y = 0;
        for (int d = last - 1; d >= 0; --d) {
            const int64_t i = position % it.loop.shape[d];
            x += i * a[d];
            y += i * b[d];
            position /= it.loop.shape[d];
        }
        move(indexed + x, plain + y, to - from);
    }
}

// Calls body(i, offset) for the items [begin, end), whose offsets are made some at a time. What will be
// written after `to` is asked for ahead: writes to random places wait for one another otherwise.
template <class F>
DT_INLINE void each_item(const IndexArgs& args, int64_t begin, int64_t end, const F& body,
                         const char* to = nullptr) {
    constexpr int64_t chunk = 1024;
    int64_t offsets[chunk];
    for (int64_t first = begin; first < end; first += chunk) {
        const int64_t n = min(end - first, chunk);
        int k = 0;
        if (args.offsets) {
            memcpy(offsets, args.offsets + first, size_t(n) * sizeof(int64_t));
        } else {
            const IndexAxis axis = args.axis[k++];
            for (int64_t i = 0; i < n; ++i)
                offsets[i] = from_start(axis.index[first + i], axis.size) * axis.step;
        }
        for (; k < args.axes; ++k) {
            const IndexAxis axis = args.axis[k];
            for (int64_t i = 0; i < n; ++i)
                offsets[i] += from_start(axis.index[first + i], axis.size) * axis.step;
        }
        for (int64_t i = 0; i < n; ++i) {
            if (to && i + 32 < n) __builtin_prefetch(to + offsets[i + 32], 1);
            body(first + i, offsets[i]);
        }
    }
}

// Items of one value.
template <class U> void get_values(const IndexArgs& args) {
    const char* from = static_cast<const char*>(args.indexed);
    char* to = static_cast<char*>(args.plain);
    parallel(args.count, 8192, [&](int64_t begin, int64_t end) {
        each_item(args, begin, end,
                  [from, to, step = args.plain_step](int64_t i, int64_t offset)
                      DT_INLINE_LAMBDA { memcpy(to + i * step, from + offset, sizeof(U)); });
    });
}
template <class U> void put_values(const IndexArgs& args) {
    const char* from = static_cast<const char*>(args.plain);
    char* to = static_cast<char*>(args.indexed);
    each_item(
        args, 0, args.count,
        [from, to, step = args.plain_step](int64_t i, int64_t offset)
            DT_INLINE_LAMBDA { memcpy(to + offset, from + i * step, sizeof(U)); },
        to);
}

void get(DType dtype, const IndexArgs& args) {
    const Items it = items_of(args);
    if (it.size == 0) return;
    const int item = int(item_size(dtype));
    if (it.size == 1)
        return item == 1   ? get_values<uint8_t>(args)
               : item == 2 ? get_values<uint16_t>(args)
               : item == 4 ? get_values<uint32_t>(args)
                           : get_values<uint64_t>(args);
    const int64_t to = it.loop.strides[1].back(), from = it.loop.strides[0].back();
    parallel(args.count, grain_for(it.size), [&](int64_t begin, int64_t end) {
        each_item(args, begin, end, [&](int64_t i, int64_t offset) DT_INLINE_LAMBDA {
            each_row(it, static_cast<char*>(it.loop.data[0]) + offset,
                     static_cast<char*>(it.loop.data[1]) + i * args.plain_step, 0, it.inner,
                     [&](char* indexed, char* plain, int64_t n)
                         DT_INLINE_LAMBDA { copy_strided(item, n, plain, to, indexed, from); });
        });
    });
}

// Items may share an address: each part of the inner rows is written by one thread, item after item.
template <class F> void write_items(const IndexArgs& args, const Items& it, int64_t least, const F& move) {
    const int64_t part = args.count ? max(round_up(grain_for(args.count * it.rows), 64), least) : it.inner;
    parallel(it.inner, part, [&](int64_t begin, int64_t end) {
        each_item(args, 0, args.count, [&](int64_t i, int64_t offset) DT_INLINE_LAMBDA {
            each_row(it, static_cast<char*>(it.loop.data[0]) + offset,
                     static_cast<char*>(it.loop.data[1]) + i * args.plain_step, begin, end, move);
        });
    });
}
constexpr int64_t kPartBytes = 16384; // of a row that is worth the way to it

void put(DType dtype, const IndexArgs& args) {
    const Items it = items_of(args);
    if (it.size == 0) return;
    const int item = int(item_size(dtype));
    if (it.size == 1)
        return item == 1   ? put_values<uint8_t>(args)
               : item == 2 ? put_values<uint16_t>(args)
               : item == 4 ? put_values<uint32_t>(args)
                           : put_values<uint64_t>(args);
    const int64_t to = it.loop.strides[0].back(), from = it.loop.strides[1].back();
    const bool packed = to == item && from == item;
    write_items(args, it, kPartBytes / item, [&](char* indexed, char* plain, int64_t n) DT_INLINE_LAMBDA {
        packed ? copy_row(indexed, plain, n * item) : copy_strided(item, n, indexed, to, plain, from);
    });
}

template <class S> void add_halves(S* out, const S* in, int64_t n) {
    for_vectors<float>(n, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
        store(out + i, load(out + i, part) + load(in + i, part), part);
    });
}

template <class T, class F> void add_items(const IndexArgs& args, const Items& it, F sum) {
    if (it.size == 1)
        return each_item(
            args, 0, args.count,
            [to = static_cast<char*>(args.indexed), from = static_cast<const char*>(args.plain),
             step = args.plain_step, sum](int64_t i, int64_t offset) DT_INLINE_LAMBDA {
                T& out = *reinterpret_cast<T*>(to + offset);
                out = sum(out, *reinterpret_cast<const T*>(from + i * step));
            },
            static_cast<char*>(args.indexed));
    const int64_t to = it.loop.strides[0].back(), from = it.loop.strides[1].back();
    const bool packed = to == int64_t(sizeof(T)) && from == to;
    write_items(args, it, kPartBytes / int64_t(sizeof(T)),
                [&](char* indexed, char* plain, int64_t n) DT_INLINE_LAMBDA {
                    if (packed) {
                        T* out = reinterpret_cast<T*>(indexed);
                        const T* in = reinterpret_cast<const T*>(plain);
                        if constexpr (kHalf<T>)
                            return add_halves(out, in, n);
                        else
                            for (int64_t i = 0; i < n; ++i) out[i] = sum(out[i], in[i]);
                    } else {
                        for (int64_t i = 0; i < n; ++i) {
                            T& out = *reinterpret_cast<T*>(indexed + i * to);
                            out = sum(out, *reinterpret_cast<const T*>(plain + i * from));
                        }
                    }
                });
}

void add(DType dtype, const IndexArgs& args) {
    const Items it = items_of(args);
    if (it.size == 0) return;
    switch (dtype) {
    case DType::boolean:
        return add_items<uint8_t>(args, it,
                                  [](uint8_t a, uint8_t b) DT_INLINE_LAMBDA { return uint8_t(a | b); });
    case DType::uint8:
        return add_items<uint8_t>(args, it,
                                  [](uint8_t a, uint8_t b) DT_INLINE_LAMBDA { return uint8_t(a + b); });
    case DType::int32:
        return add_items<uint32_t>(args, it, [](uint32_t a, uint32_t b) DT_INLINE_LAMBDA { return a + b; });
    case DType::int64:
        return add_items<uint64_t>(args, it, [](uint64_t a, uint64_t b) DT_INLINE_LAMBDA { return a + b; });
    case DType::float32:
        return add_items<float>(args, it, [](float a, float b) DT_INLINE_LAMBDA { return a + b; });
    case DType::float64:
        return add_items<double>(args, it, [](double a, double b) DT_INLINE_LAMBDA { return a + b; });
    case DType::float16:
        return add_items<float16_t>(args, it, [](float16_t a, float16_t b) DT_INLINE_LAMBDA {
            return float16_t{to_float16(from_float16(a.bits) + from_float16(b.bits))};
        });
    case DType::bfloat16:
        return add_items<bfloat16_t>(args, it, [](bfloat16_t a, bfloat16_t b) DT_INLINE_LAMBDA {
            return bfloat16_t{to_bfloat16(from_bfloat16(a.bits) + from_bfloat16(b.bits))};
        });
    }
}

} // namespace

Index index() { return {outside, positions, find, pack, unravel, take, get, put, add, argsort, sort, topk}; }

} // namespace dt::cpu::DT_LEVEL
