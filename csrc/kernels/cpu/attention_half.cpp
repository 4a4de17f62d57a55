// Attention of bfloat16 where pairs of them are multiplied as they are.
#include "kernels/cpu/attention_backward.h"
#include "kernels/cpu/attention_forward.h"
#include "kernels/cpu/gemm_half.h"

namespace dt::cpu::DT_LEVEL {
namespace {

void forward(const AttentionArgs& args) { forward_as<float, Pair>(args, DType::bfloat16); }
void backward(const AttentionGradArgs& args) { backward_as<float, Pair>(args, DType::bfloat16); }

} // namespace

void add_half(Attention& table) {
    table.forward[precision(DType::bfloat16)] = forward;
    table.backward[precision(DType::bfloat16)] = backward;
}

} // namespace dt::cpu::DT_LEVEL
