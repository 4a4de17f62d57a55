#include "kernels/dropout.h"

#include "kernels/cpu/philox.h"

#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {
namespace {

template <class T>
void apply(const RandomSource& source, int64_t n, double p, const void* input, void* output) {
    const T* in = static_cast<const T*>(input);
    const bool none = p >= 1;
    // Dropped where the word is below p 2^32.
    const uint32_t threshold = none ? 0 : uint32_t(p * 4294967296.0);
    const T scale = none ? T(0) : T(1 / (1 - p));
    fill_from_groups<kGroupWords>(source, n, static_cast<T*>(output),
                                  [&](const uint32_t* words, int64_t at, T* values) {
                                      const bool inside = at >= 0 && at + kGroupWords <= n;
                                      for (int j = 0; j < kGroupWords; ++j) {
                                          const bool there = inside || (at + j >= 0 && at + j < n);
                                          const T x = there ? in[at + j] : T(0);
                                          values[j] = none || words[j] < threshold ? T(0) : x * scale;
                                      }
                                  });
}

} // namespace

Dropout dropout() { return {{apply<float>, apply<double>}}; }

} // namespace dt::cpu::DT_LEVEL
