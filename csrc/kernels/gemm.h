#pragma once
#include <cstdint>

namespace dt {

enum class Activation : uint8_t { none, relu, gelu_tanh, silu, sigmoid, tanh };

// C[b] (m x n) = activation(A[b] (m x k) * B[b] (k x n) + bias), for accumulate activation(C[b] + A[b] * B[b]
// + bias). Strides count elements, any value for A and B (a transpose swaps them, 0 repeats); C's columns are
// contiguous. A and B have one dtype, and C has it; of a half format C may be float32 instead, products are
// summed in float32 and rounded once, and the bias is float32. A batch stride of 0 shares the operand. With k
// = 0 the product is 0. C must not overlap A, B or bias. Runs in parallel where that pays; the bits of C
// depend on the sizes and strides only.
struct GemmArgs {
    int64_t batch = 1, m = 0, n = 0, k = 0;
    const void* a = nullptr;
    int64_t a_batch = 0, a_row = 0, a_col = 1;
    const void* b = nullptr;
    int64_t b_batch = 0, b_row = 0, b_col = 1;
    void* c = nullptr;
    int64_t c_batch = 0, c_row = 0;
    bool accumulate = false;
    const void* bias = nullptr; // n values, or none
    Activation activation = Activation::none;
    bool c_float32 = false; // where A and B are of a half format: so is C, or it is float32
};

struct Gemm {
    void (*f32)(const GemmArgs& args);
    void (*f64)(const GemmArgs& args);
    void (*f16)(const GemmArgs& args);
    void (*bf16)(const GemmArgs& args);
};

} // namespace dt
