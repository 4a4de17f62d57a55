#include "core/arena.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <utility>

namespace dt {
namespace {

constexpr size_t kHugePage = 2 << 20;
constexpr size_t kAsk = 256 << 20;   // from here on the system is asked first what it has left
constexpr size_t kRegion = 64 << 20; // at least, where addresses are limited

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

bool addresses_are_limited() {
    rlimit limit;
    return getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

size_t up_to_huge_page(const char* p) {
    const auto address = reinterpret_cast<uintptr_t>(p);
    return round_up(address, kHugePage) - address;
}

// Makes one of a span and the one above it.
void absorb(Arena::Span* span) {
    const std::unique_ptr<Arena::Span> above(span->above);
    span->bytes += above->bytes;
    span->above = above->above;
    if (span->above) span->above->below = span;
}

} // namespace

size_t physical_memory() {
    static const size_t total = [] {
        long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGE_SIZE);
        return pages > 0 && size > 0 ? static_cast<size_t>(pages) * static_cast<size_t>(size) : SIZE_MAX / 2;
    }();
    return total;
}

std::vector<Arena::Span*>::iterator Arena::position(size_t bytes, const char* data) {
    const auto smaller = [&](const Span* s, size_t wanted) {
        return s->bytes != wanted ? s->bytes < wanted : std::less<>()(s->data, data);
    };
    return std::lower_bound(free_.begin(), free_.end(), bytes, smaller);
}

// Cuts the span in two; the upper part is in the same state.
void Arena::split(Span* span, size_t bytes) {
    if (span->bytes == bytes) return;
    Span* rest = new Span{span->data + bytes, span->bytes - bytes, span->state, span, span->above};
    if (rest->above) rest->above->below = rest;
    span->above = rest;
    span->bytes = bytes;
    if (rest->state == State::free) free_.insert(position(rest->bytes, rest->data), rest);
}

// Puts a span that is not listed as free into another state, and makes one of it and neighbours in that
// state.
void Arena::join(Span* span, State state) {
    span->state = state;
    const auto same = [&](Span* s) {
        if (!s || s->state != state) return false;
        if (state == State::free) free_.erase(position(s->bytes, s->data));
        return true;
    };
    if (same(span->above)) absorb(span);
    if (same(span->below)) absorb(span = span->below);
    if (state == State::free) free_.insert(position(span->bytes, span->data), span);
}

Arena::Span* Arena::take(size_t bytes) {
    const auto found = position(bytes, nullptr);
    if (found == free_.end()) return nullptr;
    Span* span = *found;
    free_.erase(found);
    split(span, bytes);
    span->state = State::used;
    return span;
}

void Arena::give(Span* span) { join(span, State::free); }

// Gives memory to the lower part of a hole, in whole huge pages where it has as much: their first touch costs
// a quarter.
bool Arena::fill(Span* hole, size_t bytes) {
    if (bytes > kAsk && bytes > available_memory()) return false;
    bytes = std::min(hole->bytes, bytes + up_to_huge_page(hole->data + bytes));
    if (mprotect(hole->data, bytes, PROT_READ | PROT_WRITE) != 0) return false;
    madvise(hole->data, bytes, MADV_HUGEPAGE);
    split(hole, bytes);
    join(hole, State::free);
    held_ += bytes;
    return true;
}

bool Arena::grow(size_t bytes) {
    for (Span* lowest : regions_)
        for (Span* span = lowest; span; span = span->above) {
            if (span->state != State::hole) continue;
            const Span* below = span->below;
            const size_t there = below && below->state == State::free ? below->bytes : 0;
            if (there + span->bytes >= bytes) return fill(span, bytes - there);
        }
    return reserve(bytes) && grow(bytes);
}

// Addresses cost nothing but where the user has set a limit to them.
bool Arena::reserve(size_t bytes) {
    const size_t size =
        round_up(std::max(bytes, addresses_are_limited() ? kRegion : physical_memory()), kPage);
    void* p = mmap(nullptr, size + kHugePage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) return false;
    char* data = static_cast<char*>(p);
    regions_.push_back(new Span{data + up_to_huge_page(data), size, State::hole, nullptr, nullptr});
    return true;
}

void Arena::release() {
    std::vector<Span*> kept;
    for (Span* span : std::exchange(free_, {})) {
        if (madvise(span->data, span->bytes, MADV_DONTNEED) != 0) {
            kept.push_back(span); // locked by mlockall
            continue;
        }
        held_ -= span->bytes;
        join(span, State::hole);
    }
    free_ = std::move(kept); // still in order
}

} // namespace dt
