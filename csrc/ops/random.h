#pragma once
#include "core/random.h"
#include "core/tensor.h"

namespace dt::ops {

Tensor uniform(const Dims& shape, double low, double high, DType dtype, const Ref<Generator>& generator);
Tensor normal(const Dims& shape, double mean, double std, DType dtype, const Ref<Generator>& generator);
Tensor rand(const Dims& shape, DType dtype, const Ref<Generator>& generator);
Tensor randn(const Dims& shape, DType dtype, const Ref<Generator>& generator);
Tensor randint(int64_t low, int64_t high, const Dims& shape, DType dtype, const Ref<Generator>& generator);
Tensor randperm(int64_t n, const Ref<Generator>& generator);
Tensor bernoulli(const Tensor& input, const Ref<Generator>& generator);
// (n, count) uniform numbers in [0, 1), float64: row i depends on (seed, stream, positions[i]) alone.
Tensor draw_uniform(int64_t seed, int64_t stream, const Tensor& positions, int64_t count);
// In place; both return `self`.
Tensor fill_uniform(const Tensor& self, double low, double high, const Ref<Generator>& generator);
Tensor fill_normal(const Tensor& self, double mean, double std, const Ref<Generator>& generator);

} // namespace dt::ops
