#pragma once
#include <cstdint>

namespace dt {

// Calls function(context, begin, end) for the blocks [0, grain), [grain, 2 grain), ... of [0, n), the last
// one shorter. The blocks depend on n and grain only, never on the number of threads; they are handed out
// dynamically and run under one floating-point mode. Runs serially for little more than a block, within
// another parallel_for and while another thread's parallel_for has the pool. The first exception of a block
// skips the blocks that are left and is thrown again by the caller.
using BlockFunction = void (*)(void* context, int64_t begin, int64_t end);
void parallel_for(int64_t n, int64_t grain, BlockFunction function, void* context);

int thread_count();           // threads that parallel_for uses
void set_thread_count(int n); // n >= 1
int default_thread_count();   // smallest of the four below
struct ThreadLimits {
    int omp_num_threads; // 0 where the variable is not set
    int affinity;
    int cgroup; // 0 where there is no quota
    int hardware;
};
ThreadLimits thread_limits();

// IEEE arithmetic, round to nearest, no flush to zero: the mode every kernel runs under. Restores the
// caller's.
class FloatMode {
  public:
    FloatMode();
    ~FloatMode();
    FloatMode(const FloatMode&) = delete;

  private:
    uint64_t saved_;
    bool changed_;
};

} // namespace dt
