#include "core/long_work.h"

namespace dt {
namespace {
void* (*release_hook)() = nullptr;
void (*restore_hook)(void*) = nullptr;
} // namespace

void LongWork::set_hooks(void* (*release)(), void (*restore)(void*)) {
    release_hook = release;
    restore_hook = restore;
}

// The hook returns null where this thread does not hold the lock (inside another LongWork).
LongWork::LongWork(double nanoseconds) {
    if (nanoseconds > kLongWork && release_hook) state_ = release_hook();
}

LongWork::~LongWork() {
    if (state_) restore_hook(state_);
}

} // namespace dt
