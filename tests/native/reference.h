#pragma once
// What several families' references share.
#include "check.h"
#include "kernels/gemm.h" // Activation

namespace dt::check {

inline double logistic(double x) { return 1 / (1 + std::exp(-x)); }

// The activation of a sum: its rounding errors pass through with a slope that is never above 1.13.
inline Want activated(Activation activation, const Sum& sum) {
    const double x = sum.value;
    switch (activation) {
    case Activation::none:
        return sum;
    case Activation::relu:
        return {x > 0 ? x : 0, sum.size};
    case Activation::gelu_tanh:
        return {0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))), sum.size};
    case Activation::silu:
        return {x * logistic(x), sum.size};
    case Activation::sigmoid:
        return {logistic(x), 1 + sum.size};
    case Activation::tanh:
        return {std::tanh(x), sum.size};
    }
    return NAN;
}

} // namespace dt::check
