// Copies between any strides, fills.
#include "kernels/cpu/common.h"
#include "kernels/cpu/elementwise_parts.h"
#include "kernels/cpu/half.h"
#include "kernels/cpu/map.h"
#include "kernels/cpu/rows.h"
#include "kernels/cpu/transpose.h"

namespace dt::cpu::DT_LEVEL {
namespace {

constexpr int64_t kTile = 64;

// out[i][j] = in[i][j] for a tile, where `in` is contiguous along i and `out` along j: whichever way it is
// walked, one side jumps, but a tile's lines stay in the L1 cache.
template <class T>
void copy_tile(int64_t rows, int64_t columns, char* out, int64_t out_row, const char* in, int64_t in_column) {
    int64_t whole_rows = 0, whole_columns = 0;
    if constexpr (sizeof(T) >= 4) { // squares of vectors
        constexpr int n = kLanes<T>;
        whole_rows = rows / n * n, whole_columns = columns / n * n;
        for (int64_t i = 0; i < whole_rows; i += n)
            for (int64_t j = 0; j < whole_columns; j += n) {
                Vec<T> square[n];
#pragma GCC unroll 16
                for (int k = 0; k < n; ++k)
                    square[k] = load(reinterpret_cast<const T*>(in + (j + k) * in_column) + i);
                transpose_rows<1>(square);
#pragma GCC unroll 16
                for (int k = 0; k < n; ++k)
                    store(reinterpret_cast<T*>(out + (i + k) * out_row) + j, square[k]);
            }
    } else if constexpr (sizeof(T) == 2) { // pairs of columns as squares of 32-bit values
        constexpr int n = kLanes<uint32_t>;
        whole_rows = rows / n * n, whole_columns = columns / (2 * n) * (2 * n);
        for (int64_t i = 0; i < whole_rows; i += n)
            for (int64_t j = 0; j < whole_columns; j += 2 * n) {
                Vec<uint32_t> square[n];
#pragma GCC unroll 16
                for (int k = 0; k < n; ++k) {
                    Halves left, right;
                    memcpy(&left, in + (j + 2 * k) * in_column + 2 * i, sizeof left);
                    memcpy(&right, in + (j + 2 * k + 1) * in_column + 2 * i, sizeof right);
                    square[k] = widen(left) >> 16 | widen(right);
                }
                transpose_rows<1>(square);
#pragma GCC unroll 16
                for (int k = 0; k < n; ++k)
                    store(reinterpret_cast<uint32_t*>(out + (i + k) * out_row + 2 * j), square[k]);
            }
    } else if (rows == kTile && columns == kTile) { // fixed bounds unroll and vectorise
        T tile[kTile][kTile];
        for (int64_t j = 0; j < kTile; ++j) {
            T column[kTile];
            memcpy(column, in + j * in_column, sizeof column);
            for (int64_t i = 0; i < kTile; ++i) tile[i][j] = column[i];
        }
        for (int64_t i = 0; i < kTile; ++i) memcpy(out + i * out_row, tile[i], sizeof tile[i]);
        return;
    }
    for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = i < whole_rows ? whole_columns : 0; j < columns; ++j)
            reinterpret_cast<T*>(out + i * out_row)[j] = reinterpret_cast<const T*>(in + j * in_column)[i];
}

using TileCopy = void (*)(int64_t, int64_t, char*, int64_t, const char*, int64_t);
constexpr TileCopy tile_copies[] = {copy_tile<uint8_t>, copy_tile<uint16_t>, copy_tile<uint32_t>,
                                    copy_tile<uint64_t>};

// The last dimension is contiguous in `out`, dimension `row` in `in`; tiles over both, the others outside.
void transpose_copy(const Loop& loop, int row, Storage storage) {
    const int last = loop.shape.rank() - 1;
    const int64_t rows = loop.shape[row], columns = loop.shape[last];
    const int64_t row_tiles = ceil_div(rows, kTile);
    Dims outer = loop.shape, out_strides = loop.strides[0], in_strides = loop.strides[1];
    for (Dims* d : {&outer, &out_strides, &in_strides}) {
        d->erase(last);
        d->erase(row);
    }
    const int64_t item = int64_t(1) << int(storage);
    const int64_t out_row = loop.strides[0][row], in_column = loop.strides[1][last];
    parallel(outer.product() * row_tiles, grain_for(kTile * columns), [&](int64_t begin, int64_t end) {
        for (int64_t b = begin; b < end; ++b) {
            const int64_t i = b % row_tiles * kTile;
            char* out = static_cast<char*>(loop.data[0]) + i * out_row;
            const char* in = static_cast<const char*>(loop.data[1]) + i * item;
            int64_t position = b / row_tiles;
            for (int d = outer.rank() - 1; d >= 0; --d) {
                out += position % outer[d] * out_strides[d];
                in += position % outer[d] * in_strides[d];
                position /= outer[d];
            }
            const int64_t m = rows - i < kTile ? rows - i : kTile;
            for (int64_t j = 0; j < columns; j += kTile)
                tile_copies[int(storage)](m, columns - j < kTile ? columns - j : kTile, out + j * item,
                                          out_row, in + j * in_column, in_column);
        }
    });
}

// Calls body(out, in, n) for runs of n rows, neighbours in the last dimension but one; each row costs `work`.
template <class F> void for_rows(const Loop& loop, int64_t work, const F& body) {
    const int across = loop.shape.rank() - 2;
    const Dims &out_strides = loop.strides[0], &in_strides = loop.strides[1];
    const int64_t neighbours = loop.shape[across];
    parallel(loop.shape.product() / loop.shape.back(), grain_for(work), [&](int64_t begin, int64_t end) {
        int64_t index[kMaxRank], position = begin;
        char* out = static_cast<char*>(loop.data[0]);
        const char* in = static_cast<const char*>(loop.data[1]);
        const auto move = [&](int d, int64_t by) DT_INLINE_LAMBDA {
            index[d] += by;
            out += by * out_strides[d];
            in += by * in_strides[d];
        };
        for (int d = across; d >= 0; --d) {
            index[d] = 0;
            move(d, position % loop.shape[d]);
            position /= loop.shape[d];
        }
        while (begin < end) {
            const int64_t n = min(end - begin, neighbours - index[across]);
            body(out, in, n);
            begin += n;
            move(across, n);
            for (int d = across; d > 0 && index[d] == loop.shape[d]; --d) {
                move(d, -index[d]);
                move(d - 1, 1);
            }
        }
    });
}

// Rows that are contiguous on both sides.
void copy_whole_rows(const Loop& loop, int64_t item) {
    const int across = loop.shape.rank() - 2;
    const int64_t bytes = loop.shape.back() * item, to = loop.strides[0][across],
                  from = loop.strides[1][across];
    for_rows(loop, 16 + bytes / 4, [&](char* out, const char* in, int64_t n) {
        for (int64_t i = 0; i < n; ++i) copy_row(out + i * to, in + i * from, bytes);
    });
}

// The same where each row is written a few times: those stand one behind the other, and it is read once.
void repeat_rows(const Loop& given, int64_t item) {
    Loop loop = given;
    const int repeated = loop.shape.rank() - 2;
    const int64_t bytes = loop.shape.back() * item, times = loop.shape[repeated];
    const int64_t step = loop.strides[0][repeated];
    loop.shape.erase(repeated);
    for (int k = 0; k < 2; ++k) loop.strides[k].erase(repeated);
    const int64_t to = loop.strides[0][repeated - 1], from = loop.strides[1][repeated - 1];
    for_rows(loop, 16 + times * (bytes / 4), [&](char* out, const char* in, int64_t n) {
        for (int64_t i = 0; i < n; ++i)
            for (int64_t k = 0; k < times; ++k) copy_row(out + i * to + k * step, in + i * from, bytes);
    });
}

// Rows of one value each.
void fill_rows(const Loop& loop, int64_t item) {
    const int across = loop.shape.rank() - 2;
    const int64_t columns = loop.shape.back(), to = loop.strides[0][across], from = loop.strides[1][across];
    for_rows(loop, 4 + columns, [&](char* out, const char* in, int64_t n) {
        for (int64_t i = 0; i < n; ++i)
            copy_strided(int(item), columns, out + i * to, item, in + i * from, 0);
    });
}

// Every value a few times, side by side: whole vectors of `bytes` are written. The last one of a value
// overlaps the one before it, or reaches into the next value where `times` fill no vector.
template <class T, int bytes>
void repeat_run(int64_t n, int64_t times, T* out, const char* in, int64_t step) {
    typedef T Values __attribute__((vector_size(bytes)));
    constexpr int64_t lanes = bytes / int64_t(sizeof(T));
    const int64_t end = n * times - lanes, last = times < lanes ? 0 : times - lanes;
    int64_t at = 0;
    for (; n > 0 && at <= end; --n, at += times, in += step) {
        const Values v = *reinterpret_cast<const T*>(in) - Values{};
        for (int64_t k = 0; k < last; k += lanes) memcpy(out + at + k, &v, sizeof v);
        memcpy(out + at + last, &v, sizeof v);
    }
    for (; n > 0; --n, in += step)
        for (int64_t k = 0; k < times; ++k) out[at++] = *reinterpret_cast<const T*>(in);
}
constexpr int64_t kRepeatedBytes = 256;
template <class T> void repeat_values(const Loop& loop) {
    const int across = loop.shape.rank() - 2;
    const int64_t times = loop.shape.back(), step = loop.strides[1][across],
                  bytes = times * int64_t(sizeof(T));
    for_rows(loop, 4 + times / 4, [&](char* to, const char* in, int64_t n) {
        (bytes >= 32   ? repeat_run<T, 32>
         : bytes >= 16 ? repeat_run<T, 16>
                       : repeat_run<T, 8>)(n, times, reinterpret_cast<T*>(to), in, step);
    });
}

constexpr int64_t kShort = 16;       // values of a row that is not worth a call
constexpr int64_t kRowsAtOnce = 512; // of them

// Rows along the last dimension. Where they are short, along the one before it, several rows at a time: then
// what lies along the last is a short loop around long ones.
void copy_rows(const Loop& given, int item) {
    Loop loop = given;
    const int last = loop.shape.rank() - 1;
    const bool across = last > 0 && loop.shape[last] < kShort && loop.shape[last - 1] > loop.shape[last];
    const int64_t columns = across ? loop.shape[last] : 1, rows = loop.shape[across ? last - 1 : last];
    const int64_t to_step = loop.strides[0][last], from_step = loop.strides[1][last];
    if (across) {
        loop.shape.erase(last);
        for (int k = 0; k < 2; ++k) loop.strides[k].erase(last);
    }
    const int inner = loop.shape.rank() - 1;
    const int64_t to_stride = loop.strides[0][inner], from_stride = loop.strides[1][inner];
    const int64_t most = across ? kRowsAtOnce : rows;
    parallel(loop.shape.product(), kCheapGrain / columns, [&](int64_t begin, int64_t end) {
        while (begin < end) {
            char* to = static_cast<char*>(loop.data[0]);
            const char* from = static_cast<const char*>(loop.data[1]);
            int64_t position = begin;
            for (int d = inner; d >= 0; --d) {
                to += position % loop.shape[d] * loop.strides[0][d];
                from += position % loop.shape[d] * loop.strides[1][d];
                position /= loop.shape[d];
            }
            int64_t n = rows - begin % rows;
            if (n > end - begin) n = end - begin;
            if (n > most) n = most;
            for (int64_t j = 0; j < columns; ++j)
                copy_strided(item, n, to + j * to_step, to_stride, from + j * from_step, from_stride);
            begin += n;
        }
    });
}

// --- Fills ---

template <class T> void fill_run(int64_t n, void* const* data, const void* value) {
    T* out = static_cast<T*>(data[0]);
    const T x = *static_cast<const T*>(value);
    for (int64_t i = 0; i < n; ++i) out[i] = x;
}

} // namespace

void copy_transposed(int item, int64_t rows, int64_t columns, char* out, int64_t out_row, const char* in,
                     int64_t in_column) {
    for (int64_t j = 0; j < columns; j += kTile)
        tile_copies[__builtin_ctz(unsigned(item))](rows, columns - j < kTile ? columns - j : kTile,
                                                   out + j * item, out_row, in + j * in_column, in_column);
}

void copy(DType dtype, const Loop& given) {
    Loop loop = given;
    if (collapse(loop) == 0) return;
    const int64_t item = int64_t(item_size(dtype));
    const int last = loop.shape.rank() - 1;
    if (last > 0 && loop.strides[0][last] == item && loop.strides[1][last] != item &&
        loop.strides[1][last] != 0 && loop.shape[last] >= 4)
        for (int d = 0; d < last; ++d)
            if (loop.strides[1][d] == item && loop.shape[d] >= 4)
                return transpose_copy(loop, d, raw_storage_of(dtype));
    if (last > 0 && loop.strides[0][last] == item) {
        if (loop.strides[1][last] == item && last > 1 && loop.strides[1][last - 1] == 0)
            return repeat_rows(loop, item);
        if (loop.strides[1][last] == item) return copy_whole_rows(loop, item);
        if (loop.strides[1][last] == 0 && loop.shape[last] * item <= kRepeatedBytes &&
            loop.strides[0][last - 1] == loop.shape[last] * item)
            return item == 1   ? repeat_values<uint8_t>(loop)
                   : item == 2 ? repeat_values<uint16_t>(loop)
                   : item == 4 ? repeat_values<uint32_t>(loop)
                               : repeat_values<uint64_t>(loop);
        if (loop.strides[1][last] == 0 &&
            (loop.shape[last] >= kShort || loop.shape[last] * item > kRepeatedBytes))
            return fill_rows(loop, item);
    }
    copy_rows(loop, int(item));
}

void fill(DType dtype, const Loop& loop, double real, int64_t integer) {
    const Storage storage[] = {raw_storage_of(dtype)};
    const float single = float(real);
    uint16_t half = 0;
    if (is_half(dtype)) floats_to_halves(dtype, 1, &single, &half);
    const int32_t integer32 = int32_t(integer);
    const uint8_t byte = dtype == DType::boolean ? uint8_t(integer != 0) : uint8_t(integer);
    switch (dtype) {
    case DType::boolean:
    case DType::uint8:
        return walk(loop, storage, fill_run<uint8_t>, &byte, kCheapGrain);
    case DType::int32:
        return walk(loop, storage, fill_run<int32_t>, &integer32, kCheapGrain);
    case DType::int64:
        return walk(loop, storage, fill_run<int64_t>, &integer, kCheapGrain);
    case DType::float64:
        return walk(loop, storage, fill_run<double>, &real, kCheapGrain);
    case DType::float16:
    case DType::bfloat16:
        return walk(loop, storage, fill_run<uint16_t>, &half, kCheapGrain);
    default:
        return walk(loop, storage, fill_run<float>, &single, kCheapGrain);
    }
}

void arange(DType dtype, int64_t n, void* out, double start, double step, int64_t integer_start,
            int64_t integer_step) {
    if (is_half(dtype)) { // rare: one value at a time, through the conversion
        for (int64_t i = 0; i < n; ++i) {
            Loop one;
            one.operands = 1;
            one.data[0] = static_cast<uint16_t*>(out) + i;
            fill(dtype, one, start + double(i) * step, 0);
        }
        return;
    }
    parallel(n, kCheapGrain, [&](int64_t begin, int64_t end) {
        const auto write = [&](auto* p, auto first, auto difference) DT_INLINE_LAMBDA {
            for (int64_t i = begin; i < end; ++i)
                p[i] = decltype(*p + 0)(first + decltype(first)(i) * difference);
        };
        const uint64_t first = uint64_t(integer_start),
                       difference = uint64_t(integer_step); // these wrap around
        switch (dtype) {
        case DType::boolean:
        case DType::uint8:
            return write(static_cast<uint8_t*>(out), first, difference);
        case DType::int32:
            return write(static_cast<int32_t*>(out), first, difference);
        case DType::int64:
            return write(static_cast<int64_t*>(out), first, difference);
        case DType::float64:
            return write(static_cast<double*>(out), start, step);
        default:
            return write(static_cast<float*>(out), start, step);
        }
    });
}

} // namespace dt::cpu::DT_LEVEL
