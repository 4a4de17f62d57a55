#pragma once
#include "kernels/conv.h"

namespace dt {

// Convolutions of bfloat16 as matrix products of windows that are copied side by side, a block of outputs at
// a time: on levels that multiply bfloat16 faster than float32 (bf16_gain() in isa.h) the product makes up
// for the copies. As ConvKernels<float>, but false with nothing done where another way is faster.
bool conv_products(const ConvShape& shape, const void* x, const void* weight, const float* bias,
                   Activation activation, void* y);
bool conv_products_data(const ConvShape& shape, const void* dy, const void* weight, const float* bias,
                        Activation activation, bool accumulate, void* dx);
bool conv_products_weight(const ConvShape& shape, const void* x, const void* dy, float* dw);

} // namespace dt
