#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ops/scalar.h"

// Views of other shapes, and what joins and cuts tensors. Views share memory and follow writes in both
// directions.
namespace dt::ops {

Tensor reshape(const Tensor& x, const Dims& shape); // one size may be -1; a view where the strides allow it
Tensor flatten(const Tensor& x, int64_t start_axis, int64_t end_axis);
Tensor permute_dims(const Tensor& x, const Dims& axes);
Tensor transpose(const Tensor& x, const std::optional<Dims>& axes); // none: all axes reversed
Tensor matrix_transpose(const Tensor& x);
Tensor swapaxes(const Tensor& x, int64_t axis1, int64_t axis2);
Tensor moveaxis(const Tensor& x, const Dims& source, const Dims& destination);
Tensor squeeze(const Tensor& x, const std::optional<Dims>& axis);
Tensor expand_dims(const Tensor& x, const Dims& axis);
Tensor broadcast_to(const Tensor& x, const Dims& shape);
Tensor flip(const Tensor& x, const std::optional<Dims>& axis);
Tensor diagonal(const Tensor& x);
// The part start, start + step, ... of `count` entries along an axis.
Tensor slice(const char* op, const Tensor& x, int axis, int64_t start, int64_t count, int64_t step);

Tensor concat(const std::vector<Tensor>& tensors, const std::optional<int64_t>& axis);
Tensor stack(const std::vector<Tensor>& tensors, int64_t axis);
std::vector<Tensor> split(const Tensor& x, int64_t sections, int64_t axis);
std::vector<Tensor> split_at(const Tensor& x, const std::vector<int64_t>& positions, int64_t axis);
std::vector<Tensor> unstack(const Tensor& x, int64_t axis);
Tensor roll(const Tensor& x, const Dims& shift, const std::optional<Dims>& axis);
Tensor pad(const Tensor& x, const Dims& before, const Dims& after, const std::string& mode,
           const Scalar& value);
Tensor tile(const Tensor& x, const Dims& repetitions);
Tensor repeat(const Tensor& x, int64_t repeats, const std::optional<int64_t>& axis);
Tensor triangle(const char* op, const Tensor& x, int64_t k, bool lower);
Tensor tril(const Tensor& x, int64_t k);
Tensor triu(const Tensor& x, int64_t k);

} // namespace dt::ops
