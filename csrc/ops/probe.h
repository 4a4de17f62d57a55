#pragma once
#include <cstdint>
#include <string>

// What the machine gives at most, measured: for benchmarks to compare with.
namespace dt::ops {

// Floating-point operations per second of register-only float32 multiply-adds on `threads` threads at once.
double fma_peak(int64_t threads);
double bf16_peak(int64_t threads); // of bfloat16, as the ISA level multiplies it
// Bytes per second that `threads` threads move together, each over and over through `bytes` of its own, by
// "read", "copy", "stream copy" (past the caches) or "update" (in place). What is read and what is written
// counts; of a copy each half is `bytes` / 2 long.
double bandwidth(const std::string& way, int64_t bytes, int64_t threads);
// Seconds of a parallel region of `threads` blocks in which there is nothing to do.
double region_cost(int64_t threads);

} // namespace dt::ops
