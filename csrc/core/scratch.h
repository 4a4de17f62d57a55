#pragma once
#include <cstddef>

namespace dt {

// Working memory that a thread keeps from one kernel call to the next, so that the steady state asks the
// system for none and faults no page. Each slot is one block, 64-byte aligned, grown when more is asked for
// (its contents are lost then). A kernel uses a slot of its own for each block it needs at the same time as
// the kernels it calls.
enum class Scratch : int {
    gemm_a,
    gemm_b,
    gemm_shared,
    gemm_partial,
    gemm_sums,
    conv_input,
    conv_weight,
    conv_partial,
    conv_exact,
    kernel,
    count
};

void* scratch(Scratch slot, size_t bytes); // of the calling thread; throws MemoryError
void release_scratch();                    // frees the calling thread's blocks

} // namespace dt
