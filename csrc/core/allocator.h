#pragma once
#include <cstddef>
#include <cstdint>

#include "core/arena.h"

namespace dt {

// A caching allocator: blocks are aligned to 64 bytes, kept when freed and handed out again, so that a
// training step in its steady state asks the system for nothing. Small ones are rounded up to size classes
// (four per doubling); large ones to pages, split and joined again (core/arena.h).
// DRIVETRAIN_ALLOCATOR=system switches the cache off (for sanitizers).
struct Block {
    void* data = nullptr;
    size_t capacity = 0;
    Arena::Span* span = nullptr; // of a large block
};

Block allocate(size_t bytes); // throws MemoryError
void deallocate(Block block);

struct MemoryStats {
    size_t in_use;       // bytes handed out
    size_t peak;         // the most there ever were
    size_t cached;       // bytes kept for reuse
    size_t system;       // bytes held from the system
    int64_t allocations; // calls of allocate
    int64_t from_system; // of those, answered by asking the system
};
MemoryStats memory_stats();
void reset_peak_memory();
void empty_cache(); // gives free memory of large blocks back to the system

} // namespace dt
