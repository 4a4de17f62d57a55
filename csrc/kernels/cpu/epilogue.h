#pragma once
// The activation that a matrix product or a convolution applies before it stores.
#include "kernels/cpu/activation.h"
#include "kernels/gemm.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

namespace dt::cpu::DT_LEVEL {
namespace {

template <FloatVec V> DT_INLINE V activate(V x, Activation activation) {
    switch (activation) {
    case Activation::none:
        return x;
    case Activation::relu:
        return max_or_second(V{}, x); // NaN stays
    case Activation::gelu_tanh:
        return x * sigmoid(gelu_argument(x));
    case Activation::silu:
        return x * sigmoid(x);
    case Activation::sigmoid:
        return sigmoid(x);
    case Activation::tanh:
        return tanh(x);
    }
    return x;
}

// In place over `count` neighbours.
template <class T> void activate_row(T* p, int64_t count, Activation activation) {
    for (int64_t j = 0; j < count; j += kLanes<T>) {
        const int64_t left = count - j;
        store_upto(p + j, activate(load_upto(p + j, left), activation), left);
    }
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
