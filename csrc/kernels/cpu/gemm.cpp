#include "kernels/gemm.h"

#include "kernels/cpu/gemm_half.h"
#include "kernels/cpu/gemm_product.h"

namespace dt::cpu::DT_LEVEL {

void pack_transposed(float* to, int64_t width, const float* from, int64_t step, int64_t count, int64_t depth,
                     int64_t room) {
    convert_transposed(to, width, from, step, count, depth, room);
}
void pack_transposed(double* to, int64_t width, const double* from, int64_t step, int64_t count,
                     int64_t depth, int64_t room) {
    convert_transposed(to, width, from, step, count, depth, room);
}

Gemm gemm() {
    Gemm table{run<float, float>, run<double, double>, nullptr, nullptr};
    add_half(table);
    return table;
}

} // namespace dt::cpu::DT_LEVEL
