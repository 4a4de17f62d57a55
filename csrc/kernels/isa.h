#pragma once
#include <string>
#include <vector>

namespace dt {

// Names of the ISA levels, lowest first: "v2" (SSE4.2), "v3" (AVX2, FMA), "v4" (AVX-512), "v4_bf16"
// (and AVX512-BF16), "amx" (and AMX tiles of bfloat16, as the operating system allows); "neon" on aarch64;
// "generic" elsewhere.
std::vector<std::string> built_levels();     // in this binary
std::vector<std::string> supported_levels(); // of those, what the CPU and the operating system can run
int bf16_gain();                             // products of bfloat16 in the time of one of float32, about
std::string current_level();
// Throws ValueError for a level that is unknown, not built or not supported. DRIVETRAIN_ISA sets it at
// import.
void set_level(const std::string& level);

} // namespace dt
