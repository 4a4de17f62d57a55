#pragma once
#include <cstdint>

namespace dt {

// Lets other Python threads run during work estimated at more than `kLongWork`. The interpreter lock is not
// let go for less: a busy thread that gets it keeps it for Python's switch interval, 5 milliseconds. The
// estimates are for a modest machine; on a fast one this is a millisecond.
constexpr double kLongWork = 5e6;             // nanoseconds
constexpr double kLongAnyway = 2 * kLongWork; // for what needs no estimate
class LongWork {
  public:
    explicit LongWork(double nanoseconds);
    ~LongWork();
    LongWork(const LongWork&) = delete;
    static void set_hooks(void* (*release)(),
                          void (*restore)(void*)); // by bindings; without them nothing happens

  private:
    void* state_ = nullptr;
};

} // namespace dt
