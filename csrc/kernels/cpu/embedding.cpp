#include "kernels/embedding.h"

#include "kernels/cpu/half.h"
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/rows.h"

namespace dt::cpu::DT_LEVEL {
namespace {

int64_t first_outside(int64_t n, const int64_t* values, int64_t low, int64_t high, int64_t allowed) {
    for (int64_t i = 0; i < n; ++i)
        if ((values[i] < low || values[i] >= high) && values[i] != allowed) return i;
    return -1;
}

void forward(int64_t n, const int64_t* indices, int64_t bytes, const void* table, void* output) {
    const char* from = static_cast<const char*>(table);
    char* to = static_cast<char*>(output);
    parallel(n, grain_for(ceil_div(bytes, 4)), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) copy_row(to + i * bytes, from + indices[i] * bytes, bytes);
    });
}

// Positions sorted by the row they refer to, in their own order within a row: positions of row r are
// order[start[r]] .. order[start[r + 1] - 1].
void sort_by_row(int64_t n, const int64_t* indices, int64_t rows, int64_t* start, int64_t* order) {
    for (int64_t r = 0; r <= rows; ++r) start[r] = 0;
    for (int64_t i = 0; i < n; ++i) ++start[indices[i]];
    int64_t before = 0;
    for (int64_t r = 0; r <= rows; ++r) {
        before += start[r];
        start[r] = before; // the end of row r; filling from the back turns it into its start
    }
    for (int64_t i = n - 1; i >= 0; --i) order[--start[indices[i]]] = i;
}

template <class S>
void backward(int64_t n, const int64_t* indices, int64_t rows, int64_t width, int64_t padding_index,
              const void* output_grad, void* table_grad, int64_t* scratch) {
    int64_t *start = scratch, *order = scratch + rows + 1;
    sort_by_row(n, indices, rows, start, order);
    using T = Arithmetic<S>;
    const S* from = static_cast<const S*>(output_grad);
    S* to = static_cast<S*>(table_grad);
    const bool streaming = can_stream(to, rows * width, width);
    // Every row of the table is summed by one thread, in the order of the positions.
    parallel(rows, grain_for(width + ceil_div(n, rows) * width), [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
            const int64_t last = r == padding_index ? start[r] : start[r + 1];
            for_vectors<T>(width, [&](int64_t j, auto part) DT_INLINE_LAMBDA {
                Vec<T> total{};
                for (int64_t k = start[r]; k < last; ++k) total += load(from + order[k] * width + j, part);
                streaming ? stream(to + r * width + j, total, part) : store(to + r * width + j, total, part);
            });
        }
        if (streaming) finish_streaming();
    });
}

} // namespace

Embedding embedding() { return {first_outside, forward, DT_PRECISIONS(backward)}; }

} // namespace dt::cpu::DT_LEVEL
