#pragma once
#include <cstdint>

namespace dt {
namespace { // sources of several ISA levels include it

// The taps that reach the inputs of one remainder modulo the stride, along one dimension: taps first, first +
// step, ..., read from the last to the first as the outputs that they lead to come in rising order.
struct Phase {
    int64_t start, count; // inputs start, start + stride, ...
    int64_t first, step, taps, dilation, origin;
    int64_t tap(int64_t t) const { return first + (taps - 1 - t) * step; }
};

[[maybe_unused]] Phase make_phase(int64_t start, int64_t in, int64_t kernel, int64_t stride, int64_t pad,
                                  int64_t dilation) {
    Phase p{};
    const int64_t remainder = (start + pad) % stride;
    int64_t divisor = stride, rest = dilation % stride; // the greatest common one of stride and dilation
    while (rest != 0) {
        const int64_t next = divisor % rest;
        divisor = rest;
        rest = next;
    }
    p.start = start;
    p.count = (in - start + stride - 1) / stride;
    p.step = stride / divisor;
    p.dilation = dilation / divisor;
    while (p.first < kernel && p.first < p.step && p.first * dilation % stride != remainder) ++p.first;
    const bool found = p.first < kernel && p.first * dilation % stride == remainder;
    p.taps = found ? (kernel - p.first + p.step - 1) / p.step : 0;
    // Input u of the phase and tap t meet at output (start + pad - tap(t) * dilation) / stride + u, exactly.
    if (found) p.origin = (p.start + pad - p.tap(0) * dilation) / stride;
    return p;
}

} // namespace
} // namespace dt
