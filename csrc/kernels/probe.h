#pragma once
#include <cstdint>

namespace dt {

// What the machine can do at most, for benchmarks to compare with. Each call runs on the calling thread and
// returns the number of floating-point operations that it executed, in registers only.
struct Probe {
    double (*fma_f32)(int64_t iterations);
    double (*fma_f64)(int64_t iterations);
};

} // namespace dt
