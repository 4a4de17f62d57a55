#include "kernels/gemm.h"

#include "kernels/cpu/gemm_half.h"
#include "kernels/cpu/gemm_product.h"

namespace dt::cpu::DT_LEVEL {

Gemm gemm() {
    Gemm table{run<float, float>, run<double, double>, nullptr, nullptr};
    add_half(table);
    return table;
}

} // namespace dt::cpu::DT_LEVEL
