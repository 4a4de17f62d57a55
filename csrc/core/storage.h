#pragma once
#include "core/allocator.h"
#include "core/ref.h"

namespace dt {

enum class Device : uint8_t { cpu };
const char* name(Device d);

// A piece of memory that tensors share, with the count of changes made to it in place.
class Storage final : public Counted {
  public:
    using Release = void (*)(void* owner);

    Storage(size_t bytes, Device device) : block_(allocate(bytes)), bytes_(bytes), device_(device) {}
    // Memory of somebody else (NumPy, DLPack), released through `release(owner)`.
    Storage(void* data, size_t bytes, Device device, bool writable, Release release, void* owner)
        : block_{data}, bytes_(bytes), device_(device), writable_(writable), release_(release),
          owner_(owner) {}
    ~Storage() override {
        if (release_)
            release_(owner_);
        else
            deallocate(block_);
    }

    void* data() const { return block_.data; }
    size_t bytes() const { return bytes_; }
    Device device() const { return device_; }
    bool writable() const { return writable_; }
    bool owns_memory() const { return release_ == nullptr; }
    uint32_t version() const { return version_.load(std::memory_order_relaxed); }
    void bump_version() { version_.fetch_add(1, std::memory_order_relaxed); }

  private:
    Block block_;
    size_t bytes_;
    Device device_;
    bool writable_ = true;
    Release release_ = nullptr;
    void* owner_ = nullptr;
    std::atomic<uint32_t> version_{0};
};

} // namespace dt
