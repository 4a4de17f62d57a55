#include "ops/rnn_layout.h"

#include <algorithm>
#include <numeric>

namespace dt::ops {
namespace {

// Some rows of a matrix, and some columns of it.
Tensor part(const Tensor& t, int64_t row, int64_t rows, int64_t column, int64_t columns) {
    const int64_t step = t.strides()[0];
    return t.alias({rows, columns}, {step, 1}, t.offset() + row * step + column);
}

} // namespace

RnnLayout::RnnLayout(const char* op, const Tensor& input, const Optional& lengths)
    : batch(input.shape(0)), time(input.shape(1)), rows(batch * time), ragged(lengths.has_value()),
      order(size_t(batch)), first(size_t(batch)), length(size_t(batch), time) {
    std::iota(order.begin(), order.end(), 0);
    for (int64_t i = 0; i < batch; ++i) first[size_t(i)] = i * time;
    if (!lengths) return;
    const Tensor given = own_indices(op, "lengths", *lengths);
    check_shape(op, "lengths", given, {batch}, " (one per sequence)");
    const int64_t* n = given.data<int64_t>();
    std::vector<int64_t> starts = first;
    rows = 0;
    for (int64_t i = 0; i < batch; ++i) {
        if (n[i] < 0 || n[i] > time)
            value_error({op, ": lengths has ", n[i], " for sequence ", i, ", expected 0 to ", time,
                         ", the steps of input (shape ", input.shape(), ")"});
        starts[size_t(i)] = rows;
        rows += n[i];
    }
    ragged = rows < batch * time;
    std::stable_sort(order.begin(), order.end(), [n](int64_t a, int64_t b) { return n[a] > n[b]; });
    for (size_t r = 0; r < order.size(); ++r) {
        first[r] = starts[size_t(order[r])];
        length[r] = n[order[r]];
    }
}

Tensor RnnLayout::pack(const Tensor& padded) const {
    const int64_t features = padded.shape(2);
    const Tensor dense = plain::contiguous(padded);
    const Tensor all = dense.alias({batch * time, features}, {features, 1}, dense.offset());
    if (!ragged) return all;
    Tensor packed = Tensor::empty({rows, features}, padded.dtype());
    for (size_t r = 0; r < order.size(); ++r)
        plain::copy(part(packed, first[r], length[r], 0, features),
                    part(all, order[r] * time, length[r], 0, features));
    return packed;
}

Tensor RnnLayout::unpack(const Tensor& packed) const {
    const int64_t features = packed.shape(1);
    const Dims shape{batch, time, features};
    if (!ragged) return packed.alias(shape, contiguous_strides(shape), packed.offset());
    Tensor padded = plain::zeros(shape, packed.dtype());
    const Tensor all = padded.alias({batch * time, features}, {features, 1}, 0);
    for (size_t r = 0; r < order.size(); ++r)
        plain::copy(part(all, order[r] * time, length[r], 0, features),
                    part(packed, first[r], length[r], 0, features));
    return padded;
}

Tensor RnnLayout::previous(const Tensor& states, int64_t at, int64_t state, bool reverse,
                           const Tensor& initial) const {
    Tensor before = Tensor::empty({rows, state}, states.dtype());
    if (!before.size()) return before;
    if (!ragged) {
        const int64_t wide = states.shape(1), moved = time - 1;
        const Tensor to = before.alias({batch, time, state}, {time * state, state, 1}, 0);
        const auto steps = [&](const Tensor& t, int64_t begin, int64_t count) {
            return t.alias({batch, count, state}, t.strides(), t.offset() + begin * t.strides()[1]);
        };
        const Tensor from = states.alias({batch, time, state}, {time * wide, wide, 1}, states.offset() + at);
        const Tensor start = initial.alias({batch, 1, state}, {state, state, 1}, initial.offset());
        plain::copy(steps(to, reverse ? 0 : 1, moved), steps(from, reverse ? 1 : 0, moved));
        plain::copy(steps(to, reverse ? moved : 0, 1), start);
        return before;
    }
    for (size_t r = 0; r < order.size(); ++r) {
        if (!length[r]) continue;
        const int64_t moved = length[r] - 1, begin = first[r];
        plain::copy(part(before, begin + (reverse ? 0 : 1), moved, 0, state),
                    part(states, begin + (reverse ? 1 : 0), moved, at, state));
        plain::copy(part(before, begin + (reverse ? moved : 0), 1, 0, state),
                    part(initial, order[r], 1, 0, state));
    }
    return before;
}

} // namespace dt::ops
