#pragma once
// Short runs of bytes, copied without a call for each.
#include "kernels/cpu/common.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

namespace dt::cpu::DT_LEVEL {
namespace {

// Two pieces of `size` bytes that may overlap and together are all: size <= bytes <= 2 size.
template <int size> DT_INLINE void copy_ends(char* to, const char* from, int64_t bytes) {
    char first[size], last[size];
    memcpy(first, from, size);
    memcpy(last, from + bytes - size, size);
    memcpy(to, first, size);
    memcpy(to + bytes - size, last, size);
}

DT_INLINE void copy_row(char* to, const char* from, int64_t bytes) {
    if (bytes >= 512) {
        memcpy(to, from, size_t(bytes));
    } else if (bytes >= kVectorBytes) {
        int64_t i = 0;
        for (; i + kVectorBytes <= bytes; i += kVectorBytes)
            store(reinterpret_cast<uint32_t*>(to + i), load(reinterpret_cast<const uint32_t*>(from + i)));
        i = bytes - kVectorBytes;
        store(reinterpret_cast<uint32_t*>(to + i), load(reinterpret_cast<const uint32_t*>(from + i)));
    } else if (bytes >= 32) {
        copy_ends<32>(to, from, bytes);
    } else if (bytes >= 16) {
        copy_ends<16>(to, from, bytes);
    } else if (bytes >= 8) {
        copy_ends<8>(to, from, bytes);
    } else if (bytes >= 4) {
        copy_ends<4>(to, from, bytes);
    } else {
        for (int64_t i = 0; i < bytes; ++i) to[i] = from[i];
    }
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
