#pragma once
#include <cstdint>

namespace dt {

// Lets other Python threads run during work estimated at more than a millisecond. The interpreter lock is not
// let go for less: a short call that releases it waits milliseconds to get it back beside a busy thread.
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
