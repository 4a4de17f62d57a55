#include "core/scratch.h"

#include <cstdlib>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "core/error.h"

namespace dt {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

struct Block {
    void* data = nullptr;
    size_t bytes = 0;
};

struct Blocks {
    Block slots[static_cast<int>(Scratch::count)];
    ~Blocks() {
        for (Block& block : slots) std::free(block.data);
    }
};

thread_local Blocks blocks;

} // namespace

void* scratch(Scratch slot, size_t bytes) {
    Block& block = blocks.slots[static_cast<int>(slot)];
    if (bytes <= block.bytes) return block.data;
    std::free(block.data);
    block = {};
    const size_t alignment = bytes >= kHugePage ? kHugePage : 64;
    const size_t unit = bytes >= kHugePage ? kHugePage : 4096;
    bytes = (bytes + unit - 1) / unit * unit;
    void* data = std::aligned_alloc(alignment, bytes);
    if (!data)
        throw MemoryError("out of memory: a kernel needs " + std::to_string(bytes) +
                          " bytes of working memory");
#if defined(__linux__)
    if (bytes >= kHugePage) madvise(data, bytes, MADV_HUGEPAGE);
#endif
    block = {data, bytes};
    return data;
}

void release_scratch() {
    for (Block& block : blocks.slots) {
        std::free(block.data);
        block = {};
    }
}

} // namespace dt
