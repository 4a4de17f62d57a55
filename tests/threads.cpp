// Tries parallel_for without Python, so that the thread sanitizer sees all there is; tests/test_threads.py
// builds and runs it. Prints what went wrong, and nothing else.
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "core/parallel.h"

namespace {

std::atomic<int> failures{0};
void check(bool ok, const char* what) {
    if (ok) return;
    ++failures;
    std::printf("%s\n", what);
}

template <class F> void parallel(int64_t n, int64_t grain, const F& body) {
    dt::parallel_for(
        n, grain, [](void* f, int64_t begin, int64_t end) { (*static_cast<const F*>(f))(begin, end); },
        const_cast<F*>(&body));
}

// Every item once, in the blocks that n and grain give; nested calls too.
void every_item_once(int64_t n, int64_t grain) {
    std::vector<int> seen(static_cast<size_t>(n));
    std::atomic<bool> blocks_right{true};
    parallel(n, grain, [&](int64_t begin, int64_t end) {
        if (begin % grain != 0 || end != std::min(n, begin + grain)) blocks_right = false;
        for (int64_t i = begin; i < end; ++i) ++seen[static_cast<size_t>(i)];
        int64_t inner = 0; // nested: on this thread, so no atomic is needed
        parallel(10, 3, [&](int64_t from, int64_t to) { inner += to - from; });
        if (inner != 10) blocks_right = false;
    });
    check(blocks_right, "blocks are not those of n and grain");
    for (int times : seen) check(times == 1, "an item was not seen once");
}

bool throws_at(int64_t n, int64_t grain, int64_t item) {
    try {
        parallel(n, grain, [&](int64_t begin, int64_t end) {
            if (begin <= item && item < end) throw std::runtime_error("item");
        });
    } catch (const std::runtime_error& error) { return std::string(error.what()) == "item"; }
    return false;
}

// Two blocks that wait for each other, so that each is another thread's; those asked for throw. With more
// threads than cores workers are always woken.
void throw_on(bool on_caller, bool on_worker) {
    dt::set_thread_count(dt::thread_limits().affinity + 1);
    const std::thread::id caller = std::this_thread::get_id();
    std::atomic<int> begun{0};
    std::atomic<bool> caller_took{false};
    std::string message;
    // Again where workers that were still awake took both.
    for (int attempt = 0; attempt < 100 && !caller_took; ++attempt) try {
            begun = 0;
            message.clear();
            parallel(2, 1, [&](int64_t, int64_t) {
                ++begun;
                const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
                while (begun < 2 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
                const bool is_caller = std::this_thread::get_id() == caller;
                if (is_caller) caller_took = true;
                if (is_caller ? on_caller : on_worker)
                    throw std::runtime_error(is_caller ? "caller" : "worker");
            });
        } catch (const std::runtime_error& error) { message = error.what(); }
    check(begun == 2, "only one thread took blocks");
    if (on_caller && on_worker)
        check(message == "caller" || message == "worker", "two failures, none thrown");
    else
        check(message == (on_caller ? "caller" : on_worker ? "worker" : ""), "not the failure expected");
}

void many_callers(int rounds) {
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 3; ++caller)
        callers.emplace_back([=] {
            for (int i = 0; i < rounds; ++i) {
                every_item_once(20 + i % 97, 1 + i % 5);
                if (i % 4 == 0) check(throws_at(60, 2, i % 60), "a failure was not thrown");
                if (caller == 2 && i % 20 == 0) dt::set_thread_count(1 + i / 20 % 7);
            }
        });
    for (std::thread& caller : callers) caller.join();
}

// A child made while other threads work has threads of its own, and ends.
void fork_among_callers() {
    dt::set_thread_count(3);
    std::atomic<bool> stop{false};
    std::vector<std::thread> callers;
    for (int i = 0; i < 2; ++i)
        callers.emplace_back([&] {
            while (!stop) every_item_once(50, 1);
        });
    for (int i = 0; i < 30; ++i) {
        const pid_t child = fork();
        if (child == 0) {
            alarm(20);
            for (int j = 0; j < 20; ++j) every_item_once(50, 1);
            throw_on(false, true);
            _exit(failures != 0);
        }
        int status = 0;
        waitpid(child, &status, 0);
        check(status == 0, "a forked child failed");
    }
    stop = true;
    for (std::thread& caller : callers) caller.join();
}

} // namespace

int main(int argc, char** argv) {
    const std::string what = argc > 1 ? argv[1] : "";
    if (what == "callers") many_callers(argc > 2 ? std::atoi(argv[2]) : 1000);
    if (what == "failures")
        for (int i = 0; i < 200; ++i) throw_on(i & 1, i & 2);
    if (what == "fork") fork_among_callers();
    return failures != 0;
}
