// Probes of arithmetic return how many operations they executed; those of memory move what they say.
#include "kernels/probe.h"

#include "check.h"

namespace dt::check {

void check_probe(Checks& c) {
    c.at("fma");
    for (auto* probe : {&c.table.probe.fma_f32, &c.table.probe.products_bf16}) {
        c.expect_true("nothing for no iterations", c.call(*probe, int64_t(0)) == 0);
        const double one = c.call(*probe, int64_t(1));
        c.expect_true("two operations at least", one >= 2);
        c.expect_true("in proportion", c.call(*probe, int64_t(1000)) == 1000 * one);
    }
    for (int64_t n : {0, 64, 640}) {
        c.at("memory, size ", n);
        Array<float> from(n);
        for (int64_t i = 0; i < n; ++i) from[i] = float(c.whole(-9, 10)); // sums are exact
        float sum = 0;
        for (int64_t i = 0; i < n; ++i) sum += from[i];
        c.expect_true("sum", c.call(c.table.probe.read, from.data(), n) == sum);
        Array<float> copy(n), stream(n), updated = from;
        c.call(c.table.probe.copy, copy.data(), from.data(), n);
        c.expect_exactly("copy", copy, [&](int64_t i) { return from[i]; });
        c.call(c.table.probe.stream_copy, stream.data(), from.data(), n);
        c.expect_exactly("stream_copy", stream, [&](int64_t i) { return from[i]; });
        c.call(c.table.probe.update, updated.data(), n);
        c.expect_exactly("update", updated, [&](int64_t i) { return from[i] + 1; });
    }
}

} // namespace dt::check
