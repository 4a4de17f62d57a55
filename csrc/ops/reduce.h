#pragma once
#include <optional>

#include "core/tensor.h"

// Reductions over one axis, several, or all of them (no axis given).
namespace dt::ops {

using Axes = std::optional<Dims>;

Tensor sum(const Tensor& x, const Axes& axis, bool keepdims, const std::optional<DType>& dtype);
Tensor prod(const Tensor& x, const Axes& axis, bool keepdims, const std::optional<DType>& dtype);
Tensor mean(const Tensor& x, const Axes& axis, bool keepdims);
Tensor var(const Tensor& x, const Axes& axis, double correction, bool keepdims);
Tensor std_(const Tensor& x, const Axes& axis, double correction, bool keepdims);
Tensor max(const Tensor& x, const Axes& axis, bool keepdims);
Tensor min(const Tensor& x, const Axes& axis, bool keepdims);
Tensor any(const Tensor& x, const Axes& axis, bool keepdims);
Tensor all(const Tensor& x, const Axes& axis, bool keepdims);
Tensor count_nonzero(const Tensor& x, const Axes& axis, bool keepdims);
Tensor argmax(const Tensor& x, const std::optional<int64_t>& axis, bool keepdims);
Tensor argmin(const Tensor& x, const std::optional<int64_t>& axis, bool keepdims);
Tensor logsumexp(const Tensor& x, const Axes& axis, bool keepdims);
// The vector norm of the given order: 1, 2 or infinity.
Tensor vector_norm(const Tensor& x, const Axes& axis, bool keepdims, double ord);
Tensor cumulative_sum(const Tensor& x, const std::optional<int64_t>& axis);

// Without the tape, for other families.
Tensor sum_over(const Tensor& x, const Dims& axes, bool keepdims = false);

} // namespace dt::ops
