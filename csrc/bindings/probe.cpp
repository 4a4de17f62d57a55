#include "ops/probe.h"

#include "bindings/families.h"
#include "bindings/op.h"

namespace dt::bindings {

void bind_probe(py::module_& m) {
    op<&ops::bf16_peak>(m, "_bf16_peak", "The same of bfloat16, as the ISA level multiplies it.",
                        {"threads"_a});
    op<&ops::fma_peak>(m, "_fma_peak", "Operations per second of register-only float32 multiply-adds.",
                       {"threads"_a});
    op<&ops::bandwidth>(
        m, "_bandwidth",
        "Bytes per second that threads move, each through `bytes` of its own, by 'read', 'copy', "
        "'stream copy' or 'update'.",
        {"way"_a, "bytes"_a, "threads"_a});
    op<&ops::region_cost>(m, "_region_cost", "Seconds of a parallel region without work.", {"threads"_a});
}

} // namespace dt::bindings
