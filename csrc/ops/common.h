#pragma once
#include <algorithm>
#include <initializer_list>

#include "autograd/autocast.h"
#include "autograd/plain.h"
#include "autograd/record.h"
#include "core/long_work.h"
#include "core/tensor.h"
#include "kernels/table.h"
#include "ops/scalar.h"

// What the op families share. An op checks its arguments, allocates, calls the kernel and records the
// backward.
namespace dt::ops {

using autograd::Backward;
using autograd::record;
using autograd::recording;
using autograd::Saved;
using autograd::Unchanged;

// Operands (the output first) broadcast to `shape`, ready for an elementwise kernel.
Loop loop_over(const Dims& shape, std::initializer_list<const Tensor*> operands);
Tensor empty_like(const Tensor& t);
// Undoes broadcasting: sums `grad` over the axes along which `shape` was repeated. Records nothing.
Tensor sum_to(const Tensor& grad, const Dims& shape);
// The way back to what a layer's product was, before the bias and a relu that gave `y` (none where there was
// no relu): in the dtype and contiguous as kernels want it, and the gradient of the bias, float32 for the
// half formats. Features are last. It may take the place of the gradient that flowed in. Records nothing.
struct LayerGradient {
    Tensor before, bias;
};
LayerGradient layer_gradient(const Backward& back, const Saved& y, DType computing, bool for_bias);

// The operands of a product or convolution as it computes with them: within autocast cast, else as given.
struct Factors {
    Tensor input, weight;
};
Factors autocast_factors(const Tensor& input, const Tensor& weight);

// TypeError unless the dtype is one of the floating-point ones.
void check_floating(const char* op, const char* argument, const Tensor& t);
void check_same_dtype(const char* op, const char* a_name, const Tensor& a, const char* b_name,
                      const Tensor& b);
// A bias has its weight's dtype, or stays float32 beside a half format.
void check_bias_dtype(const char* op, const Tensor& bias, const Tensor& weight);
void check_rank(const char* op, const char* argument, const Tensor& t, int rank, const char* layout);

} // namespace dt::ops
