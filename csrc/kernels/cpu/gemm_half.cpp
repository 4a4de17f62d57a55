// Products of float16 and bfloat16: converted to float32 while they are packed, or multiplied as they are
// where the level has instructions for that.
#include "kernels/cpu/gemm_half.h"

#include "kernels/cpu/gemm_product.h"

namespace dt::cpu::DT_LEVEL {

void add_half(Gemm& table) {
#if defined(DT_MULTIPLIES_PAIRS)
    table.bf16 = run<Pair, bfloat16_t>;
#else
    table.f16 = run<float, float16_t>;
    table.bf16 = run<float, bfloat16_t>;
#endif
}

} // namespace dt::cpu::DT_LEVEL
