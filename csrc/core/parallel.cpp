// How many threads there are and the mode they compute in; what they do is in thread_pool.cpp.

#include "core/parallel.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <thread>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace dt {
namespace {

std::atomic<int> threads{0};

// "max 100000" or "150000 100000" (quota and period in microseconds) of cgroup v2; two files in v1.
int cgroup_limit() {
    auto read = [](const char* path, char* text, size_t size) {
        FILE* f = std::fopen(path, "r");
        if (!f) return false;
        bool ok = std::fgets(text, static_cast<int>(size), f) != nullptr;
        std::fclose(f);
        return ok;
    };
    char text[128];
    double quota = 0, period = 0;
    if (read("/sys/fs/cgroup/cpu.max", text, sizeof text)) {
        if (std::sscanf(text, "%lf %lf", &quota, &period) != 2) return 0;
    } else if (read("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", text, sizeof text)) {
        quota = std::atof(text);
        if (read("/sys/fs/cgroup/cpu/cpu.cfs_period_us", text, sizeof text)) period = std::atof(text);
    }
    if (quota <= 0 || period <= 0) return 0;
    return std::max(1, static_cast<int>(std::ceil(quota / period)));
}

} // namespace

ThreadLimits thread_limits() {
    ThreadLimits limits{};
    if (const char* text = std::getenv("OMP_NUM_THREADS"))
        limits.omp_num_threads = std::max(0, std::atoi(text));
    cpu_set_t set;
    limits.hardware = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    limits.affinity = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : limits.hardware;
    limits.cgroup = cgroup_limit();
    return limits;
}

int default_thread_count() {
    ThreadLimits limits = thread_limits();
    int n = std::min(limits.hardware, limits.affinity);
    if (limits.omp_num_threads) n = std::min(n, limits.omp_num_threads);
    if (limits.cgroup) n = std::min(n, limits.cgroup);
    return std::max(1, n);
}

int thread_count() {
    int n = threads.load(std::memory_order_relaxed);
    if (n == 0) threads.store(n = default_thread_count());
    return n;
}

void set_thread_count(int n) {
    thread_count();
    threads.store(std::max(1, n));
}

#if defined(__SSE2__)
FloatMode::FloatMode() : saved_(_mm_getcsr()), changed_((saved_ & ~0x3Fu) != 0x1F80) {
    if (changed_) _mm_setcsr(0x1F80);
}
FloatMode::~FloatMode() {
    if (changed_) _mm_setcsr(static_cast<unsigned>(saved_));
}
#elif defined(__aarch64__)
FloatMode::FloatMode() {
    asm volatile("mrs %0, fpcr" : "=r"(saved_));
    changed_ = saved_ != 0;
    if (changed_) asm volatile("msr fpcr, %0" ::"r"(uint64_t{0}));
}
FloatMode::~FloatMode() {
    if (changed_) asm volatile("msr fpcr, %0" ::"r"(saved_));
}
#else
FloatMode::FloatMode() : saved_(0), changed_(false) {}
FloatMode::~FloatMode() {}
#endif

} // namespace dt
