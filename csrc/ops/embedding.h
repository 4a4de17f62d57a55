#pragma once
#include <optional>
#include <utility>

#include "core/tensor.h"

namespace dt::ops {

Tensor embedding(const Tensor& input, const Tensor& weight, const std::optional<int64_t>& padding_idx);
// The rows that `input` names, each once, ascending, but for padding_idx; and of each the sum of the
// gradients `grad` (input.shape() + (features,)) in the order of `input`.
std::pair<Tensor, Tensor> embedding_rows(const Tensor& input, const Tensor& grad, int64_t rows,
                                         const std::optional<int64_t>& padding_idx);

} // namespace dt::ops
