#include "core/allocator.h"

#include <pthread.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <vector>

#include "core/error.h"
#include "core/scratch.h"

namespace dt {
namespace {

constexpr size_t kAlignment = 64, kSmall = 256 << 10, kChunk = 4 << 20;
constexpr int kClasses = 64;

// Classes: 64, 128, 192, 256, then (4 + s) << e: at most a quarter is wasted.
int size_class(size_t bytes, size_t& capacity) {
    size_t units = std::max<size_t>(1, (bytes + kAlignment - 1) / kAlignment);
    if (units <= 4) {
        capacity = units * kAlignment;
        return static_cast<int>(units);
    }
    int e = 63 - __builtin_clzll(units - 1) - 2;    // (units - 1) has its top bit at e + 2
    size_t s = (units + (size_t{1} << e) - 1) >> e; // 5..8 steps of 2^e
    capacity = (s << e) * kAlignment;
    return 4 * e + static_cast<int>(s);
}

// Small blocks are cut from chunks and kept by size class; large ones come from the arena.
struct Cache {
    std::mutex mutex;
    std::vector<void*> free[kClasses];
    char* chunk = nullptr; // small blocks are cut off here
    size_t chunk_left = 0;
    Arena arena;
    MemoryStats stats{};
    bool bypass = false;

    Cache() {
        const char* text = std::getenv("DRIVETRAIN_ALLOCATOR");
        bypass = text && std::strcmp(text, "system") == 0;
    }

    Arena::Span* large(size_t bytes) {
        Arena::Span* span = arena.take(bytes);
        if (span) return span;
        ++stats.from_system;
        if (!arena.grow(bytes)) {
            arena.release();
            if (!arena.grow(bytes)) return nullptr;
        }
        return arena.take(bytes);
    }

    void* small(int size_class, size_t capacity) {
        std::vector<void*>& list = free[size_class];
        if (!list.empty()) {
            void* p = list.back();
            list.pop_back();
            return p;
        }
        if (chunk_left < capacity) {
            const Arena::Span* span = large(kChunk);
            if (!span) span = large(round_up(capacity, kPage)); // the last memory there is may lie scattered
            if (!span) return nullptr;
            chunk = span->data;
            chunk_left = span->bytes;
        }
        void* p = chunk;
        chunk += capacity;
        chunk_left -= capacity;
        return p;
    }
};

Cache& cache() {
    static Cache* instance = [] { // never destroyed: tensors may outlive static destructors
        // A child that is forked while another thread allocates must not find the lock taken.
        pthread_atfork([] { cache().mutex.lock(); }, [] { cache().mutex.unlock(); },
                       [] { cache().mutex.unlock(); });
        return new Cache;
    }();
    return *instance;
}

[[noreturn]] void out_of_memory(size_t bytes) {
    throw MemoryError(join({"out of memory: ", bytes, " bytes were asked for; this machine has ",
                            physical_memory(), " and drivetrain holds ", cache().stats.in_use}));
}

} // namespace

Block allocate(size_t bytes) {
    Cache& c = cache();
    Block block;
    std::lock_guard lock(c.mutex);
    ++c.stats.allocations;
    if (bytes > kSmall && bytes > physical_memory()) out_of_memory(bytes);
    if (c.bypass) {
        block.capacity = round_up(std::max<size_t>(bytes, 1), kAlignment);
        block.data = std::aligned_alloc(kAlignment, block.capacity);
    } else if (bytes <= kSmall) {
        const int k = size_class(bytes, block.capacity);
        block.data = c.small(k, block.capacity);
    } else if (Arena::Span* span = c.large(round_up(bytes, kPage))) {
        block = {span->data, span->bytes, span};
    }
    if (!block.data) out_of_memory(bytes);
    c.stats.in_use += block.capacity;
    c.stats.peak = std::max(c.stats.peak, c.stats.in_use);
    return block;
}

void deallocate(Block block) {
    if (!block.data) return;
    Cache& c = cache();
    std::lock_guard lock(c.mutex);
    c.stats.in_use -= block.capacity;
    if (c.bypass) return std::free(block.data);
    if (block.span) return c.arena.give(block.span);
    size_t capacity;
    c.free[size_class(block.capacity, capacity)].push_back(block.data);
}

MemoryStats memory_stats() {
    Cache& c = cache();
    std::lock_guard lock(c.mutex);
    MemoryStats stats = c.stats;
    stats.system = c.arena.held();
    stats.cached = c.bypass ? 0 : stats.system - stats.in_use;
    return stats;
}

void reset_peak_memory() {
    std::lock_guard lock(cache().mutex);
    cache().stats.peak = cache().stats.in_use;
}

void empty_cache() {
    release_scratch();
    std::lock_guard lock(cache().mutex);
    cache().arena.release();
}

} // namespace dt
