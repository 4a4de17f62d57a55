#include "ops/embedding.h"

#include <bit>
#include <vector>

#include "ops/checks.h"
#include "ops/shape.h"

namespace dt::ops {

Tensor embedding(const Tensor& input, const Tensor& weight, const std::optional<int64_t>& padding_idx) {
    const char* op = "embedding";
    const Tensor indices = own_indices(op, "input", input);
    check_floating(op, "weight", weight);
    check_rank(op, "weight", weight, 2, "(rows, features)");
    if (input.rank() == kMaxRank)
        value_error({op, ": input has ", input.rank(),
                     " dimensions, and the result would have one more than the ", kMaxRank,
                     " that a tensor can have"});
    const int64_t rows = weight.shape(0), width = weight.shape(1), n = indices.size();
    int64_t padding = padding_idx ? *padding_idx : -1;
    if (padding_idx && (padding < -rows || padding >= rows))
        value_error({op, ": padding_idx is ", padding, ", but weight has ", rows, " rows (shape ",
                     weight.shape(), ")"});
    if (padding_idx && padding < 0) padding += rows;
    const auto& kernel = kernels().embedding;
    const int64_t at = kernel.first_outside(n, indices.data<int64_t>(), 0, rows, 0);
    if (at >= 0 || (n && !rows))
        value_error({op, ": input contains index ", indices.data<int64_t>()[at < 0 ? 0 : at],
                     ", but weight has ", rows, " rows (shape ", weight.shape(), ")"});
    Dims shape = input.shape();
    shape.push(width);
    Tensor out = Tensor::empty(shape, weight.dtype(), weight.device(), op);
    const int p = precision(weight);
    if (out.size()) {
        const Tensor table = plain::contiguous(weight);
        LongWork work(0.2 * static_cast<double>(out.size()));
        const int64_t bytes = width * static_cast<int64_t>(item_size(weight.dtype()));
        kernel.forward(n, indices.data<int64_t>(), bytes, table.data(), out.data());
    }
    if (recording({&weight}))
        record(op, out, {&weight}, [i = Saved(indices), rows, width, n, padding, p](Backward& b) {
            const Tensor grad = plain::contiguous(b.grad());
            Tensor weight_grad = Tensor::empty({rows, width}, grad.dtype());
            const Tensor memory = Tensor::empty({rows + 1 + n}, DType::int64);
            if (weight_grad.size())
                kernels().embedding.backward[p](n, i.get().data<int64_t>(), rows, width, padding, grad.data(),
                                                weight_grad.data(), memory.data<int64_t>());
            b.give(0, weight_grad);
        });
    return out;
}

std::pair<Tensor, Tensor> embedding_rows(const Tensor& input, const Tensor& grad, int64_t rows,
                                         const std::optional<int64_t>& padding_idx) {
    const char* op = "embedding_rows";
    const Tensor indices = own_indices(op, "input", input);
    check_floating(op, "grad", grad);
    const int64_t n = indices.size(), *values = indices.data<int64_t>();
    if (grad.rank() != input.rank() + 1 || (grad.shape().back() && grad.size() != n * grad.shape().back()))
        value_error({op, ": grad has shape ", grad.shape(), ", expected that of input, ", input.shape(),
                     ", with the features behind it"});
    if (kernels().embedding.first_outside(n, values, 0, rows, 0) >= 0 || (n && !rows))
        value_error({op, ": input contains an index that is not one of ", rows, " rows"});
    // A bit for every row; a row's place is the number of bits before its own.
    std::vector<uint64_t> named(static_cast<size_t>(rows + 63) / 64);
    std::vector<int64_t> before(named.size()), places(static_cast<size_t>(n));
    const auto word = [](int64_t row) { return static_cast<size_t>(row / 64); };
    const auto bit = [](int64_t row) { return uint64_t{1} << (row % 64); };
    for (int64_t i = 0; i < n; ++i) named[word(values[i])] |= bit(values[i]);
    if (padding_idx && *padding_idx >= 0 && *padding_idx < rows)
        named[word(*padding_idx)] &= ~bit(*padding_idx);
    int64_t count = 0;
    for (size_t w = 0; w < named.size(); ++w) {
        before[w] = count;
        count += std::popcount(named[w]);
    }
    // The padding's place lies behind the last row, where nothing is summed.
    for (int64_t i = 0; i < n; ++i) {
        const uint64_t bits = named[word(values[i])], own = bit(values[i]);
        places[static_cast<size_t>(i)] =
            bits & own ? before[word(values[i])] + std::popcount(bits & (own - 1)) : count;
    }
    const int64_t width = grad.shape().back();
    const Tensor from = plain::contiguous(grad);
    const Tensor sums = Tensor::empty({count + 1, width}, grad.dtype());
    const Tensor memory = Tensor::empty({count + 2 + n}, DType::int64);
    if (width)
        kernels().embedding.backward[precision(grad)](n, places.data(), count + 1, width, count, from.data(),
                                                      sums.data(), memory.data<int64_t>());
    Tensor found = Tensor::empty({count}, DType::int64);
    int64_t* next = found.data<int64_t>();
    for (size_t w = 0; w < named.size(); ++w)
        for (uint64_t bits = named[w]; bits; bits &= bits - 1)
            *next++ = static_cast<int64_t>(w) * 64 + std::countr_zero(bits);
    return {found, slice(op, sums, 0, 0, count, 1)};
}

} // namespace dt::ops
