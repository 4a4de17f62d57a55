#pragma once
#include <cstdint>
#include <mutex>

#include "core/ref.h"

namespace dt {

// Philox 4x32-10 (Salmon et al. 2011): four random words from (seed, stream, index). Every draw of an op
// takes one stream, so a value depends on (seed, stream, index) and never on the thread that made it.
struct Philox {
    uint32_t words[4];
};
inline Philox philox(uint64_t seed, uint64_t stream, uint64_t index) {
    uint32_t c[4] = {static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32),
                     static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32)};
    uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
    for (int round = 0; round < 10; ++round) {
        uint64_t p0 = uint64_t{0xD2511F53} * c[0], p1 = uint64_t{0xCD9E8D57} * c[2];
        uint32_t n0 = static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k0,
                 n2 = static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k1;
        c[1] = static_cast<uint32_t>(p1);
        c[3] = static_cast<uint32_t>(p0);
        c[0] = n0;
        c[2] = n2;
        k0 += 0x9E3779B9;
        k1 += 0xBB67AE85;
    }
    return {{c[0], c[1], c[2], c[3]}};
}

// The state is two integers: the seed and the number of streams handed out.
class Generator final : public Counted {
  public:
    explicit Generator(uint64_t seed) : seed_(seed) {}
    struct Stream {
        uint64_t seed, stream;
    };
    Stream next() {
        std::lock_guard lock(mutex_);
        return {seed_, offset_++};
    }
    Stream state() {
        std::lock_guard lock(mutex_);
        return {seed_, offset_};
    }
    void set_state(Stream s) {
        std::lock_guard lock(mutex_);
        seed_ = s.seed;
        offset_ = s.stream;
    }

  private:
    std::mutex mutex_;
    uint64_t seed_, offset_ = 0;
};

const Ref<Generator>& default_generator(); // seeded with 0 until manual_seed is called

} // namespace dt
