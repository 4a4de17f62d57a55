#pragma once
#include "core/dims.h"
#include "core/dtype.h"

namespace dt {

// An index for every item along one axis: in [-size, size), negative ones counting from the end.
struct IndexAxis {
    const int64_t* index = nullptr;
    int64_t size = 0, step = 0; // bytes from entry to entry
};

// A plain side, walked in order, and an indexed side, where item i lies at the sum of `offsets[i]` (if given)
// and the steps of its indices. An item is a whole sub-array of `shape`. All strides count bytes.
struct IndexArgs {
    int64_t count = 0;
    const int64_t* offsets = nullptr;
    int axes = 0;
    IndexAxis axis[kMaxRank];
    int64_t plain_step = 0; // from item to item on the plain side; 0 broadcasts one item
    Dims shape, plain_strides, indexed_strides;
    void* plain = nullptr;
    void* indexed = nullptr;
};

// out[o][i] = in[o][index[i]], both contiguous: `outer` blocks of `size` (out: `count`) items, each of
// `inner` values. Negative indices count from the end.
struct TakeArgs {
    int64_t outer = 1, size = 0, count = 0, inner = 1;
    const int64_t* index = nullptr;
    const void* in = nullptr;
    void* out = nullptr;
};

struct Index {
    // The position of the first of n indices outside [-size, size), or -1.
    int64_t (*outside)(int64_t n, const int64_t* index, int64_t size);
    // offsets = the byte offset of every element of `shape` in C order
    void (*positions)(const Dims& shape, const Dims& strides, int64_t* offsets);
    // Writes the C-order positions of what is true among n values, at most `capacity` of them; returns their
    // number, or -1 where that changes meanwhile.
    int64_t (*find)(int64_t n, const uint8_t* mask, int64_t capacity, int64_t* out);
    // out = the values of `in` where the mask is true, at most `capacity`. Returns what find() does.
    int64_t (*pack)(DType dtype, int64_t n, const uint8_t* mask, int64_t capacity, const void* in, void* out);
    // out[d][i] = the index along dimension d of the element at C-order position flat[i]; these ascend.
    void (*unravel)(int64_t count, const int64_t* flat, const Dims& shape, int64_t* const* out);
    // Returns the position of the first index out of range, or -1; `out` is then unspecified.
    int64_t (*take)(DType dtype, const TakeArgs& args);
    void (*get)(DType dtype, const IndexArgs& args); // plain = indexed
    void (*put)(DType dtype, const IndexArgs& args); // indexed = plain; of equal offsets the last one wins
    void (*add)(DType dtype, const IndexArgs& args); // indexed += plain, in the order of the items
    // Positions that sort every contiguous row of n values: stable, NaN last in either direction.
    void (*argsort)(DType dtype, int64_t rows, int64_t n, bool descending, const void* in, int64_t* out);
    // The values of every contiguous row in order, NaN last in either direction; not for the half formats.
    void (*sort)(DType dtype, int64_t rows, int64_t n, bool descending, const void* in, void* out);
    // The first k of that order, 1 <= k <= n, and their positions.
    void (*topk)(DType dtype, int64_t rows, int64_t n, int64_t k, bool descending, const void* in,
                 void* values, int64_t* positions);
};

} // namespace dt
