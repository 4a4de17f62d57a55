// The threads behind parallel_for. Caller and workers take blocks by counting `remaining_` down, and the
// caller waits for the workers that took one: one that comes late finds nothing to take, and nobody waits for
// it. A core on which other processes run costs its share of the work, not a time slice at every fork.

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/parallel.h"
#include "core/scratch.h"

namespace dt {
namespace {

using Clock = std::chrono::steady_clock;

// A worker looks out for the next call while the caller goes from one op of a step to the next: waking it up
// takes about as long. The caller waits for a block's end; longer where the other thread has lost its core.
// Where there are more threads than cores nobody spins on a core that another thread needs.
constexpr int kWorkerSpin = 50, kCallerSpin = 200; // microseconds
// To wake a sleeping worker costs the caller 10 to 20 microseconds where the core sleeps too, as in a virtual
// machine. It is done for so much work, in one call or in several with less than kWorkerSpin between them.
constexpr std::chrono::microseconds kWorthWaking{100};
// A thread takes this part of the blocks that are left at a time: side by side, so that large arrays are read
// and written in long runs, and in the end one by one.
constexpr int64_t kShare = 32;
constexpr size_t kStackBytes = size_t{4} << 20;

using Word = std::atomic<uint32_t>; // what a futex sleeps on
static_assert(sizeof(Word) == sizeof(uint32_t) && Word::is_always_lock_free);

void futex_wait(Word& word, uint32_t expected) {
    syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, nullptr, nullptr, 0);
}
void futex_wake(Word& word, int64_t count) {
    syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, static_cast<int>(std::min<int64_t>(count, 1 << 20)),
            nullptr, nullptr, 0);
}

void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

template <class Condition> bool spin(int limit, const Condition& reached) {
    if (limit == 0) return reached();
    const auto end = Clock::now() + std::chrono::microseconds(limit);
    do {
        for (int i = 0; i < 16; ++i) {
            if (reached()) return true;
            pause();
        }
    } while (Clock::now() < end);
    return false;
}

struct Worker {
    int index;
    bool alive = false; // under Pool::mutex_
};

class Pool {
  public:
    // One caller at a time has the pool.
    class Owner {
      public:
        explicit Owner(Pool& p) : pool_(p), owns_(!p.owned_.exchange(true, std::memory_order_acquire)) {}
        ~Owner() {
            if (owns_) pool_.owned_.store(false, std::memory_order_release);
        }
        Owner(const Owner&) = delete;
        explicit operator bool() const { return owns_; }

      private:
        Pool& pool_;
        bool owns_;
    };
    void run(int threads, int64_t n, int64_t grain, BlockFunction function, void* context);
    void work(Worker& self); // the life of a worker

  private:
    // How long a call took without workers; for most calls the next one of that kind takes as long.
    struct Estimate {
        BlockFunction function = nullptr;
        int64_t n = 0, grain = 0;
        Clock::duration time{};
    };

    void resize(int workers);
    bool start(Worker& worker);
    bool surplus(Worker& self);
    void wake_workers();
    int64_t run_alone();
    int64_t take_run(int64_t most);
    int64_t take_all();
    bool run_block(int64_t block);
    void report(int64_t done);
    void wait_for_workers();

    // Written by the owner while remaining_ and unfinished_ are 0; read by whoever has taken a block.
    BlockFunction function_ = nullptr;
    void* context_ = nullptr;
    int64_t n_ = 0, grain_ = 0, blocks_ = 0;
    std::exception_ptr failure_;
    std::atomic<bool> failed_{false};

    // The owner's, for calls that find workers asleep.
    Estimate estimates_[64];
    Clock::time_point alone_until_{}; // end of the last call for which nobody was woken
    Clock::duration alone_{};         // what such calls took since the last pause

    alignas(64) std::atomic<int64_t> remaining_{0};  // blocks that nobody has taken; may fall below 0
    alignas(64) std::atomic<int64_t> unfinished_{0}; // blocks that nobody has reported
    Word caller_sleeps_{0};
    alignas(64) Word calls_{0}; // workers sleep on it; counted up to wake them
    std::atomic<int> sleepers_{0};

    alignas(64) std::atomic<bool> owned_{false};
    std::mutex mutex_;                             // guards Worker::alive and wanted_
    std::vector<std::unique_ptr<Worker>> workers_; // the owner's
    int asked_ = 0;
    uint32_t started_ = 0; // threads ever made
    Word running_{0};      // those that have come as far as to work
    std::atomic<int> wanted_{0};
    std::atomic<bool> crowded_{false}; // more threads than cores
};

std::atomic<Pool*> the_pool{nullptr};

// Its threads may outlive static destructors: never destroyed.
Pool& pool() {
    Pool* p = the_pool.load(std::memory_order_acquire);
    if (p) return *p;
    auto fresh = std::make_unique<Pool>();
    return *(the_pool.compare_exchange_strong(p, fresh.get()) ? fresh.release() : p);
}

// A forked child has none of the threads, whatever they were at: it makes a pool of its own.
[[maybe_unused]] const int at_fork = pthread_atfork(nullptr, nullptr, [] { the_pool.store(nullptr); });

thread_local bool inside = false; // a parallel_for: calls within it are serial

struct Inside {
    Inside() { inside = true; }
    ~Inside() { inside = false; }
};

struct Start {
    Pool* pool;
    Worker* worker;
};

void* enter(void* argument) {
    const Start start = *std::unique_ptr<Start>(static_cast<Start*>(argument));
    start.pool->work(*start.worker);
    return nullptr;
}

// Signals go to the threads of the program, but for those that a thread brings upon itself.
sigset_t signals_of_others() {
    sigset_t set;
    sigfillset(&set);
    for (int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP}) sigdelset(&set, own);
    return set;
}

// False where the system allows no further thread.
bool Pool::start(Worker& worker) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, kStackBytes);
    auto argument = std::make_unique<Start>(Start{this, &worker});
    const sigset_t blocked = signals_of_others();
    sigset_t before;
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    pthread_t thread;
    worker.alive = pthread_create(&thread, &attributes, enter, argument.get()) == 0;
    if (worker.alive) {
        argument.release();
        ++started_;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    pthread_attr_destroy(&attributes);
    return worker.alive;
}

void Pool::resize(int workers) {
    std::lock_guard lock(mutex_);
    const bool fewer = workers < asked_;
    asked_ = workers;
    wanted_.store(workers);
    cpu_set_t cores;
    crowded_.store(sched_getaffinity(0, sizeof cores, &cores) == 0 && CPU_COUNT(&cores) <= workers);
    for (int i = 0; i < workers; ++i) {
        if (i == static_cast<int>(workers_.size())) workers_.push_back(std::make_unique<Worker>(Worker{i}));
        if (!workers_[i]->alive && !start(*workers_[i])) break;
    }
    for (uint32_t running; (running = running_.load()) != started_;) futex_wait(running_, running);
    if (fewer) {
        calls_.fetch_add(1);
        futex_wake(calls_, workers_.size());
    }
}

bool Pool::surplus(Worker& self) {
    if (self.index < wanted_.load(std::memory_order_relaxed)) return false;
    std::lock_guard lock(mutex_);
    if (self.index < wanted_.load()) return false;
    self.alive = false;
    return true;
}

bool Pool::run_block(int64_t block) {
    try {
        function_(context_, block * grain_, std::min(n_, (block + 1) * grain_));
        return true;
    } catch (...) {
        if (!failed_.exchange(true)) failure_ = std::current_exception();
        return false;
    }
}

// Takes a run of at most so many blocks and returns how many are to be reported: none where none was left. A
// failure takes all that are left.
int64_t Pool::take_run(int64_t most) {
    const int64_t seen = remaining_.load(std::memory_order_relaxed);
    if (seen <= 0) return 0;
    const int64_t wanted = std::clamp<int64_t>(seen / kShare, 1, most);
    const int64_t left = remaining_.fetch_sub(wanted, std::memory_order_acq_rel);
    if (left <= 0) return 0;
    const int64_t count = std::min(wanted, left);
    for (int64_t i = 0; i < count; ++i)
        if (!run_block(blocks_ - left + i)) return count + std::max<int64_t>(0, remaining_.exchange(0));
    return count;
}

int64_t Pool::take_all() {
    int64_t taken = 0;
    while (const int64_t more = take_run(std::numeric_limits<int64_t>::max())) taken += more;
    return taken;
}

void Pool::wake_workers() {
    calls_.fetch_add(1);
    futex_wake(calls_, blocks_ - 1);
}

// Takes blocks while workers sleep, and wakes them where that pays: a caller that comes once in a while with
// little to do does it faster alone. Which thread computes a block changes no result.
int64_t Pool::run_alone() {
    const Clock::time_point start = Clock::now();
    if (start - alone_until_ > std::chrono::microseconds(kWorkerSpin)) alone_ = {};
    const auto key = reinterpret_cast<uintptr_t>(function_) / 16 + static_cast<uintptr_t>(n_ * 31 + grain_);
    Estimate& known = estimates_[key % std::size(estimates_)];
    int64_t taken = 0;
    if (known.function != function_ || known.n != n_ || known.grain != grain_) {
        taken = take_run(1);
        known = {function_, n_, grain_, (Clock::now() - start) * blocks_};
    }
    const bool pays = alone_ + known.time >= kWorthWaking;
    if (pays) wake_workers();
    const Clock::time_point rest = Clock::now();
    const int64_t mine = take_all();
    const Clock::time_point end = Clock::now();
    if (mine > 0) known.time = (end - rest) * blocks_ / mine;
    if (!pays) alone_until_ = end;
    alone_ = pays ? Clock::duration{} : alone_ + (end - start);
    return taken + mine;
}

void Pool::report(int64_t done) {
    if (unfinished_.fetch_sub(done) == done && caller_sleeps_.load()) {
        caller_sleeps_.store(0);
        futex_wake(caller_sleeps_, 1);
    }
}

void Pool::work(Worker& self) {
    pthread_setname_np(pthread_self(), ("drivetrain-" + std::to_string(self.index + 1)).c_str());
    FloatMode mode;
    Inside guard;
    release_scratch(); // touches the last of the thread-local memory: without any left, that would be the end
    running_.fetch_add(1);
    futex_wake(running_, 1);
    for (;;) {
        const uint32_t call = calls_.load(); // before all that a call may be about
        if (surplus(self)) return;
        if (const int64_t taken = take_all()) report(taken);
        auto called = [&] { return remaining_.load(std::memory_order_relaxed) > 0; };
        if (spin(crowded_.load(std::memory_order_relaxed) ? 0 : kWorkerSpin, called)) continue;
        sleepers_.fetch_add(1);
        if (remaining_.load() <= 0) futex_wait(calls_, call);
        sleepers_.fetch_sub(1);
    }
}

void Pool::wait_for_workers() {
    auto done = [&] { return unfinished_.load(std::memory_order_acquire) == 0; };
    if (spin(crowded_.load(std::memory_order_relaxed) ? 0 : kCallerSpin, done)) return;
    do {
        caller_sleeps_.store(1);
        if (unfinished_.load() != 0) futex_wait(caller_sleeps_, 1);
    } while (!done());
    caller_sleeps_.store(0);
}

void Pool::run(int threads, int64_t n, int64_t grain, BlockFunction function, void* context) {
    if (threads - 1 != asked_) resize(threads - 1);
    function_ = function;
    context_ = context;
    n_ = n;
    grain_ = grain;
    blocks_ = (n + grain - 1) / grain;
    failed_.store(false, std::memory_order_relaxed);
    unfinished_.store(blocks_, std::memory_order_relaxed);
    remaining_.store(blocks_);
    const bool asleep = sleepers_.load() > 0, crowded = crowded_.load(std::memory_order_relaxed);
    if (asleep && crowded) wake_workers(); // they always sleep
    const int64_t taken = asleep && !crowded ? run_alone() : take_all();
    if (unfinished_.fetch_sub(taken) != taken) wait_for_workers();
    if (failed_.load(std::memory_order_relaxed)) std::rethrow_exception(std::exchange(failure_, nullptr));
}

} // namespace

void parallel_for(int64_t n, int64_t grain, BlockFunction function, void* context) {
    if (n <= 0) return;
    if (grain < 1) grain = 1;
    const auto serially = [&] {
        for (int64_t i = 0; i < n; i += grain) function(context, i, std::min(n, i + grain));
    };
    // What little is left beside one block does not pay for a second thread.
    if (n <= grain + grain / 4 || inside) return serially();
    Inside guard; // for one thread too: their number may change meanwhile, and what is nested stays serial
    const int threads = thread_count();
    if (threads == 1) return serially();
    Pool& p = pool();
    const Pool::Owner owner(p);
    if (!owner) return serially();
    FloatMode mode;
    p.run(threads, n, grain, function, context);
}

} // namespace dt
