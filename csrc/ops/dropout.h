#pragma once
#include "core/random.h"
#include "core/tensor.h"

namespace dt::ops {

Tensor dropout(const Tensor& input, double p, bool training, const Ref<Generator>& generator);
// Elements that share a random number are kept or dropped together: `shared` has an axis for each of the
// input's, 1 where all along it share.
Tensor shared_dropout(const Tensor& input, double p, const Dims& shared, bool training,
                      const Ref<Generator>& generator);
// What is dropped becomes the least value of SELU, and the result is shifted and scaled so that mean and
// variance stay.
Tensor alpha_dropout(const Tensor& input, double p, const Dims& shared, bool training,
                     const Ref<Generator>& generator);

} // namespace dt::ops
