#include "ops/probe.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "core/allocator.h"
#include "core/error.h"
#include "core/long_work.h"
#include "core/parallel.h"
#include "kernels/table.h"

namespace dt::ops {
namespace {

// Seconds of one call of f(i) for every i below `threads`, all at once.
template <class F> double seconds_of(int64_t threads, F f) {
    const auto start = std::chrono::steady_clock::now();
    parallel_for(
        threads, 1,
        [](void* context, int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) (*static_cast<F*>(context))(i);
        },
        &f);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void check_threads(const char* op, int64_t threads) {
    if (threads < 1 || threads > 1024) value_error({op, ": threads is ", threads, ", expected 1 to 1024"});
}

struct Memory { // returned to the system, not to the cache: nobody else needs as much
    explicit Memory(size_t bytes) : block(allocate(bytes)) {}
    ~Memory() {
        deallocate(block);
        empty_cache();
    }
    Memory(const Memory&) = delete;
    Block block;
};

void move_once(const std::string& way, float* to, int64_t n) {
    const Probe& probe = kernels().probe;
    if (way == "read")
        probe.read(to, n);
    else if (way == "update")
        probe.update(to, n);
    else
        (way == "copy" ? probe.copy : probe.stream_copy)(to, to + n / 2, n / 2);
}

double peak(const char* op, int64_t threads, double (*Probe::*kind)(int64_t)) {
    constexpr int64_t kIterations = 10'000'000; // some 20 ms, so that every thread gets one block
    check_threads(op, threads);
    LongWork work(kLongAnyway);
    const double seconds = seconds_of(threads, [&](int64_t) { (kernels().probe.*kind)(kIterations); });
    return static_cast<double>(threads) * (kernels().probe.*kind)(1) * kIterations / seconds;
}

} // namespace

double fma_peak(int64_t threads) { return peak("_fma_peak", threads, &Probe::fma_f32); }
double bf16_peak(int64_t threads) { return peak("_bf16_peak", threads, &Probe::products_bf16); }

double bandwidth(const std::string& way, int64_t bytes, int64_t threads) {
    constexpr int64_t kUnit = 128; // floats: both halves are then a multiple of 64
    check_threads("_bandwidth", threads);
    if (way != "read" && way != "copy" && way != "stream copy" && way != "update")
        value_error({"_bandwidth: way is '", way, "', expected read, copy, stream copy or update"});
    const int64_t n = bytes / int64_t(sizeof(float)) / kUnit * kUnit;
    if (n < kUnit || bytes > (int64_t{1} << 40) / threads)
        value_error({"_bandwidth: bytes is ", bytes, ", expected at least 512 and less than 2^40 in all"});
    LongWork work(kLongAnyway);
    const Memory memory(size_t(threads * n) * sizeof(float));
    float* data = static_cast<float*>(memory.block.data);
    std::fill(data, data + threads * n, 1.0f);
    int64_t passes = 1;
    const auto run = [&](int64_t thread) {
        for (int64_t i = 0; i < passes; ++i) move_once(way, data + thread * n, n);
    };
    double seconds = seconds_of(threads, run);
    for (; seconds < 0.01 && passes < (int64_t{1} << 24); seconds = seconds_of(threads, run)) passes *= 4;
    const double moved = double(threads) * double(passes) * double(n) * sizeof(float);
    return moved * (way == "update" ? 2 : 1) / seconds;
}

double region_cost(int64_t threads) {
    constexpr int kRegions = 2000;
    check_threads("_region_cost", threads);
    LongWork work(kLongAnyway);
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kRegions; ++i) parallel_for(threads, 1, [](void*, int64_t, int64_t) {}, nullptr);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / kRegions;
}

} // namespace dt::ops
