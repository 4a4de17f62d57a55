#include "core/allocator.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <vector>

#include "core/error.h"
#include "core/scratch.h"

namespace dt {
namespace {

constexpr size_t kAlignment = 64, kHugePage = 2 << 20, kSmall = 256 << 10, kChunk = 4 << 20;
constexpr size_t kAsk = 256 << 20; // from here on the system is asked first what it has left
constexpr int kClasses = 256;

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

size_t physical_memory() {
    static const size_t total = [] {
        long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGE_SIZE);
        return pages > 0 && size > 0 ? static_cast<size_t>(pages) * static_cast<size_t>(size) : SIZE_MAX / 2;
    }();
    return total;
}

// Memory that the system can still give without killing somebody: it promises more than it has.
size_t available_memory() {
    size_t kilobytes = 0;
    if (FILE* f = std::fopen("/proc/meminfo", "r")) {
        char line[128];
        while (std::fgets(line, sizeof line, f))
            if (std::sscanf(line, "MemAvailable: %zu", &kilobytes) == 1) break;
        std::fclose(f);
    }
    return kilobytes ? kilobytes * 1024 : SIZE_MAX;
}

// Aligned to a huge page, so that the kernel can back it with huge ones: first touch costs a quarter.
void* map(size_t bytes) {
    char* p = static_cast<char*>(mmap(nullptr, bytes + kHugePage, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (p == MAP_FAILED) return nullptr;
    size_t head = (kHugePage - reinterpret_cast<uintptr_t>(p) % kHugePage) % kHugePage;
    if (head) munmap(p, head);
    if (kHugePage - head) munmap(p + head + bytes, kHugePage - head);
    if (bytes >= kHugePage) madvise(p + head, bytes, MADV_HUGEPAGE);
    return p + head;
}

size_t page_round(size_t bytes) { return (bytes + 4095) / 4096 * 4096; }

struct Cache {
    std::mutex mutex;
    std::vector<void*> free[kClasses];
    size_t capacity_of[kClasses] = {};
    char* chunk = nullptr; // small blocks are cut off here
    size_t chunk_left = 0;
    MemoryStats stats{};
    bool bypass = false;

    Cache() {
        const char* text = std::getenv("DRIVETRAIN_ALLOCATOR");
        bypass = text && std::strcmp(text, "system") == 0;
    }

    void* from_system(size_t capacity) {
        ++stats.from_system;
        if (capacity > kSmall) {
            if (capacity > kAsk && capacity > available_memory()) return nullptr;
            void* p = map(page_round(capacity));
            if (p) stats.system += page_round(capacity);
            return p;
        }
        if (chunk_left < capacity) {
            chunk = static_cast<char*>(map(kChunk));
            chunk_left = chunk ? kChunk : 0;
            if (!chunk) return nullptr;
            stats.system += kChunk;
        }
        void* p = chunk;
        chunk += capacity;
        chunk_left -= capacity;
        return p;
    }

    void give_back() {
        for (int c = 0; c < kClasses; ++c) {
            if (capacity_of[c] <= kSmall) continue;
            for (void* p : free[c]) {
                munmap(p, page_round(capacity_of[c]));
                stats.system -= page_round(capacity_of[c]);
                stats.cached -= capacity_of[c];
            }
            free[c].clear();
        }
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
    if (bytes > physical_memory()) out_of_memory(bytes);
    Block block;
    const int k = size_class(bytes, block.capacity);
    std::lock_guard lock(c.mutex);
    ++c.stats.allocations;
    if (c.bypass) {
        block.capacity = (std::max<size_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment;
        block.data = std::aligned_alloc(kAlignment, block.capacity);
    } else if (!c.free[k].empty()) {
        block.data = c.free[k].back();
        c.free[k].pop_back();
        c.stats.cached -= block.capacity;
    } else {
        c.capacity_of[k] = block.capacity;
        block.data = c.from_system(block.capacity);
        if (!block.data) {
            c.give_back();
            block.data = c.from_system(block.capacity);
        }
    }
    if (!block.data) out_of_memory(bytes);
    c.stats.in_use += block.capacity;
    c.stats.peak = std::max(c.stats.peak, c.stats.in_use);
    return block;
}

void deallocate(Block block) {
    if (!block.data) return;
    Cache& c = cache();
    size_t capacity;
    const int k = size_class(block.capacity, capacity);
    std::lock_guard lock(c.mutex);
    c.stats.in_use -= block.capacity;
    if (c.bypass) {
        std::free(block.data);
        return;
    }
    c.free[k].push_back(block.data);
    c.stats.cached += block.capacity;
}

MemoryStats memory_stats() {
    std::lock_guard lock(cache().mutex);
    return cache().stats;
}

void reset_peak_memory() {
    std::lock_guard lock(cache().mutex);
    cache().stats.peak = cache().stats.in_use;
}

void empty_cache() {
    release_scratch();
    std::lock_guard lock(cache().mutex);
    cache().give_back();
}

} // namespace dt
