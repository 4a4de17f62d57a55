#include "kernels/dropout.h"

#include "check.h"
#include "philox.h"

namespace dt::check {
namespace {

uint32_t number(const RandomSource& source, int64_t i) {
    const uint32_t high = word(source, i / 4) >> (8 * (i % 4)) << 24;
    return high | word(dropout_details(source), i) >> 8;
}

} // namespace

void check_dropout(Checks& c) {
    for_all_floats([&]<class T>(T) {
        for (double p : {0.0, 0.25, 0.9, 1.0})
            for (int64_t begin : {int64_t(0), int64_t(37)})
                for (int64_t n : {int64_t(0), int64_t(1), int64_t(26), int64_t(256), int64_t(257),
                                  int64_t(700), kLargeSize / 4}) {
                    c.at("p ", p, ", from ", begin, ", size ", n);
                    const RandomSource source{11, 5, begin};
                    const Array<T> x = c.uniform_array<T>(n);
                    Array<T> y(n);
                    c.call(c.table.dropout.apply[precision(dtype_of<T>)], source, n, p, x.data(), y.data());
                    c.expect("output", y, 2, [&](int64_t i) -> Want {
                        return number(source, begin + i) * 0x1p-32 < p ? 0 : x.at(i) / (1 - p);
                    });
                }
    });
}

} // namespace dt::check
