#pragma once
#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

// What happens when, for drivetrain.profiler: ops, backward functions, and spans that Python names. While it
// is off a Span costs one load.
namespace dt::profile {

enum class Kind : int16_t { op, backward_of, backward, layer, phase };

// As Python reads it (profiler/record.py).
struct Event {
    int64_t start, end; // nanoseconds of a steady clock; end is 0 while it runs
    int64_t in_use,
        change;           // bytes handed out by the allocator at the end, and how many more than at the start
    uint64_t first, last; // sequence numbers of the nodes recorded meanwhile: from first to before last;
                          // of backward_of: the node's own number
    int32_t name, parent; // position in the names; position of the event around it, or -1
    Kind kind;
    int16_t thread;
    int32_t unused = 0;
};

struct Record {
    std::vector<Event> events;
    std::vector<std::string> names;
    int64_t dropped = 0; // events beyond the limit
};

extern std::atomic<bool> on;

void start(int64_t limit); // of events
Record stop();

// Begins an event, or returns -1 where none is recorded; `end` takes what it returned.
int64_t begin(const std::string& name, Kind kind, uint64_t sequence = 0);
void end(int64_t event, uint64_t sequence = 0);

class Span {
  public:
    Span(const std::string& name, Kind kind, uint64_t sequence = 0) {
        if (on.load(std::memory_order_relaxed)) event_ = begin(name, kind, sequence);
    }
    ~Span() {
        if (event_ >= 0) end(event_);
    }
    Span(const Span&) = delete;

  private:
    int64_t event_ = -1;
};

} // namespace dt::profile
