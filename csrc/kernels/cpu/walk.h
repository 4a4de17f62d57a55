#pragma once
// The skeleton of every elementwise kernel: a kernel is a plain loop over contiguous arrays (Run), and walk()
// feeds it, whatever the shapes, strides and broadcasts of the operands are, so that one loop per op and type
// is compiled.
#include "core/dtype.h"
#include "kernels/loop.h"

namespace dt::cpu::DT_LEVEL {

// How an operand lies in memory. The loops see the half formats as float32.
enum class Storage : uint8_t { bytes1, bytes2, bytes4, bytes8, float16, bfloat16 };
Storage storage_of(DType dtype);     // for arithmetic
Storage raw_storage_of(DType dtype); // for moving bits

// data[k] points to n contiguous values of operand k; data[0] is written, and may be the same array as an
// input.
using Run = void (*)(int64_t n, void* const* data, const void* context);

// `half` is the loop that takes what is of a half format as it lies in memory, where there is one.
void walk(const Loop& loop, const Storage* storage, Run run, const void* context, int64_t grain,
          Run half = nullptr);

// Whether operand k is one value for all elements.
bool is_one_value(const Loop& loop, int k);

// Sorts the dimensions by the strides of operand 0, makes its strides positive and merges dimensions that are
// one. Returns the number of elements; the result has at least one dimension.
int64_t collapse(Loop& loop);

// Copies n values of `item` bytes between strides in bytes, fast where one is contiguous or the source is 0.
void copy_strided(int item, int64_t n, char* to, int64_t to_stride, const char* from, int64_t from_stride);

// out[i][j] = in[j][i] for values of `item` bytes: rows of `out` and of `in` are so many bytes apart, their
// elements side by side.
void copy_transposed(int item, int64_t rows, int64_t columns, char* out, int64_t out_row, const char* in,
                     int64_t in_column);

constexpr int64_t kCheapGrain = 32768; // elements of a block: loads, one instruction, stores
constexpr int64_t kHeavyGrain = 4096;  // exp and its like

} // namespace dt::cpu::DT_LEVEL
