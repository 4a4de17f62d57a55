#include "core/profile.h"

#include <pthread.h>

#include <chrono>
#include <mutex>
#include <new>
#include <unordered_map>
#include <utility>

#include "core/allocator.h"

namespace dt::profile {

std::atomic<bool> on{false};

namespace {

std::mutex mutex;
Record record;
std::unordered_map<std::string, int32_t> numbers; // of names
int64_t limit = 0;
int64_t session = 0; // an event that begins in one session does not end in the next
std::atomic<int> threads{0};

thread_local int thread_number = -1;
thread_local int64_t current = -1; // the innermost event of this thread
thread_local int64_t current_session = -1;

constexpr int kSessionShift = 40; // a handle holds both the session and the position of an event

int64_t now() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

int64_t bytes_in_use() { return static_cast<int64_t>(memory_stats().in_use); }

} // namespace

void start(int64_t most) {
    // A forked child has none of the threads that may hold the lock, and is not what is looked at.
    static const int off_in_children = pthread_atfork(nullptr, nullptr, [] {
        on = false;
        new (&mutex) std::mutex;
    });
    (void)off_in_children;
    std::lock_guard lock(mutex);
    record = {};
    numbers.clear();
    limit = most;
    ++session;
    on = true;
}

Record stop() {
    std::lock_guard lock(mutex);
    on = false;
    return std::exchange(record, {});
}

int64_t begin(const std::string& name, Kind kind, uint64_t sequence) {
    if (kind == Kind::op && name.starts_with("_profile")) return -1; // of the profiler itself
    const int64_t before = bytes_in_use();
    std::lock_guard lock(mutex);
    if (!on) return -1;
    if (static_cast<int64_t>(record.events.size()) >= limit) {
        ++record.dropped;
        return -1;
    }
    if (thread_number < 0) thread_number = threads++;
    if (current_session != session) {
        current_session = session;
        current = -1;
    }
    const auto [found, is_new] = numbers.try_emplace(name, static_cast<int32_t>(record.names.size()));
    if (is_new) record.names.push_back(name);
    Event event{};
    event.change = before;
    event.first = sequence;
    event.name = found->second;
    event.parent = static_cast<int32_t>(current);
    event.kind = kind;
    event.thread = static_cast<int16_t>(thread_number);
    current = static_cast<int64_t>(record.events.size());
    event.start = now();
    record.events.push_back(event);
    return (session << kSessionShift) | current;
}

void end(int64_t handle, uint64_t sequence) {
    const int64_t time = now();
    const int64_t after = bytes_in_use();
    std::lock_guard lock(mutex);
    if (!on || handle < 0 || handle >> kSessionShift != session) return;
    const int64_t position = handle & ((int64_t{1} << kSessionShift) - 1);
    Event& event = record.events[static_cast<size_t>(position)];
    event.end = time;
    event.in_use = after;
    event.change = after - event.change;
    event.last = sequence;
    // Generators may end spans on a thread, or in an order, other than they began.
    if (current_session == session && current == position) current = event.parent;
}

} // namespace dt::profile
