#include "kernels/attention.h"

#include "kernels/cpu/attention_backward.h"
#include "kernels/cpu/attention_forward.h"

namespace dt::cpu::DT_LEVEL {
namespace {

template <class S>
inline constexpr DType kStored = __is_same(S, float16_t)    ? DType::float16
                                 : __is_same(S, bfloat16_t) ? DType::bfloat16
                                                            : DType::float32; // or float64: as it is computed
template <class S> void forward(const AttentionArgs& args) { forward_as<Arithmetic<S>>(args, kStored<S>); }
template <class S> void backward(const AttentionGradArgs& args) {
    backward_as<Arithmetic<S>>(args, kStored<S>);
}

} // namespace

Attention attention() { return {partial_size, DT_PRECISIONS(forward), DT_PRECISIONS(backward)}; }

} // namespace dt::cpu::DT_LEVEL
