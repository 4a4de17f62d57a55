#pragma once
// Indices that count from either end of an axis.
#include "kernels/cpu/common.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

namespace dt::cpu::DT_LEVEL {
namespace {

inline bool all_within(int64_t n, const int64_t* index, int64_t size) {
    int64_t lowest = 0, highest = 0;
    for (int64_t i = 0; i < n; ++i) {
        lowest = min(lowest, index[i]);
        highest = max(highest, index[i]);
    }
    return n == 0 || (lowest >= -size && highest < size);
}

// Of an index that was within when it was looked at: whatever another thread writes meanwhile, nothing
// outside is read.
DT_INLINE int64_t from_start(int64_t index, int64_t size) {
    const int64_t at = index < 0 ? index + size : index;
    return uint64_t(at) < uint64_t(size) ? at : 0;
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
