#pragma once
#include <optional>

#include "ops/scalar.h"

// New tensors. The default dtype is float32, for whole numbers in arange() and full() int64.
namespace dt::ops {

Tensor empty(const Dims& shape, const DType& dtype, bool requires_grad);
Tensor zeros(const Dims& shape, const DType& dtype, bool requires_grad);
Tensor ones(const Dims& shape, const DType& dtype, bool requires_grad);
Tensor full(const Dims& shape, const Scalar& fill_value, const std::optional<DType>& dtype,
            bool requires_grad);
Tensor empty_like(const Tensor& x, const std::optional<DType>& dtype, bool requires_grad);
Tensor zeros_like(const Tensor& x, const std::optional<DType>& dtype, bool requires_grad);
Tensor ones_like(const Tensor& x, const std::optional<DType>& dtype, bool requires_grad);
Tensor full_like(const Tensor& x, const Scalar& fill_value, const std::optional<DType>& dtype,
                 bool requires_grad);
Tensor arange(const Scalar& start, const std::optional<Scalar>& stop, const Scalar& step,
              const std::optional<DType>& dtype);
Tensor linspace(const Scalar& start, const Scalar& stop, int64_t num, bool endpoint, const DType& dtype);
Tensor eye(int64_t n_rows, const std::optional<int64_t>& n_cols, int64_t k, const DType& dtype);
// x = value everywhere.
Tensor fill_(const Tensor& x, const Scalar& value);
Tensor zero_(const Tensor& x);

} // namespace dt::ops
