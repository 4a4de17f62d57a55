#pragma once
#include <cstdint>

// The ways a matrix product or a convolution may go. Each is counted once per call of the kernel, so that the
// tests can prove which one ran. X(name).
// clang-format off
#define DT_PATHS(X)                 \
    X(gemm_dots)                    \
    X(gemm_one_row)                 \
    X(gemm_serial)                  \
    X(gemm_blocks)                  \
    X(gemm_turned)                  \
    X(gemm_depth)                   \
    X(conv_product)                 \
    X(conv_pixels)                  \
    X(conv_gathered)                \
    X(conv_spread)                  \
    X(conv_rows)                    \
    X(conv_patches)                 \
    X(conv_depthwise)               \
    X(conv_groups)                  \
    X(conv_planes)                  \
    X(conv_scatter)                 \
    X(conv_winograd)                \
    X(conv_winograd_shared)         \
    X(conv_weight_product)          \
    X(conv_weight_pixels)           \
    X(conv_weight_gathered)         \
    X(conv_weight_parts)            \
    X(conv_weight_divided)          \
    X(conv_weight_depthwise)        \
    X(conv_weight_groups)           \
    X(conv_weight_folded)           \
    X(conv_weight_winograd)         \
    X(conv_weight_winograd_shared)
// clang-format on

namespace dt {

enum class Path : int {
#define X(name) name,
    DT_PATHS(X)
#undef X
        count
};

void count_path(Path path);
uint64_t path_calls(Path path);
const char* path_name(Path path);

} // namespace dt
