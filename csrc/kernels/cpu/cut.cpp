#include "kernels/cut.h"

#include <cstring>

#include "kernels/cpu/warp_places.h"

#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {
namespace {

typedef uint8_t Sixteen __attribute__((vector_size(16)));

DT_INLINE void mirror_some(const uint8_t* from, uint8_t* to, Sixteen pattern) {
    Sixteen v;
    memcpy(&v, from, 16);
    v = __builtin_shuffle(v, pattern);
    memcpy(to, &v, 16);
}

// n pixels backwards, as many of them at a time as sixteen bytes have room for.
void mirror(const uint8_t* from, uint8_t* to, int64_t n, int64_t bytes) {
    int64_t k = 0;
    if (bytes <= 16) {
        const int64_t together = 16 / bytes, step = together * bytes, rest = 16 - step;
        Sixteen pattern{};
        for (int64_t i = 0; i < step; ++i)
            pattern[i] = uint8_t(rest + (together - 1 - i / bytes) * bytes + i % bytes);
        // `rest` bytes before the pixels are read, and as many behind them written: both are pixels' too.
        const int64_t spare = (n - together) * bytes - rest;
        int64_t times = spare < 0 ? 0 : spare / step + 1;
        k = times * together;
        const uint8_t* source = from + spare;
        uint8_t* target = to;
        for (; times >= 4; times -= 4, source -= 4 * step, target += 4 * step)
            for (int64_t i = 0; i < 4; ++i) mirror_some(source - i * step, target + i * step, pattern);
        for (; times > 0; --times, source -= step, target += step) mirror_some(source, target, pattern);
    }
    for (; k < n; ++k) memcpy(to + k * bytes, from + (n - k - 1) * bytes, size_t(bytes));
}

void cut_row(const CutArgs& a, const uint8_t* row, int64_t x, bool mirrored, uint8_t* to) {
    const int64_t before = x < 0 ? min(-x, a.out_w) : 0;                        // columns beside the image
    const int64_t end = min(a.in_w - x < 0 ? int64_t{0} : a.in_w - x, a.out_w); // ... from here on
    const int64_t inside = end > before ? end - before : 0;
    const int64_t first = mirrored ? a.out_w - before - inside : before;
    if (inside && mirrored) {
        // Read backwards, row by row: what comes next is not foreseen by the processor.
        for (int64_t at = 0; at < inside * a.bytes; at += 64)
            __builtin_prefetch(row + (a.in_w + x + before) * a.bytes + at);
        mirror(row + (x + before) * a.bytes, to + first * a.bytes, inside, a.bytes);
    } else if (inside)
        memcpy(to + first * a.bytes, row + (x + before) * a.bytes, size_t(inside * a.bytes));
    for (int64_t j = 0; j < a.out_w; ++j) {
        if (j == first) j += inside;
        if (j == a.out_w) break;
        const int64_t q = index_of(x + (mirrored ? a.out_w - 1 - j : j), a.in_w, a.fill);
        const void* pixel = q < 0 ? a.fill_pixel : row + q * a.bytes;
        memcpy(to + j * a.bytes, pixel, size_t(a.bytes));
    }
}

void cut(const CutArgs& a) {
    const int64_t width = a.out_w * a.bytes;
    parallel(a.batch * a.out_h, grain_for(width / 4), [&](int64_t begin, int64_t end) {
        for (int64_t item = begin; item < end; ++item) {
            const int64_t number = item / a.out_h, i = item % a.out_h;
            const int flip = a.flips ? a.flips[number] : 0;
            const int64_t down = a.corners[2 * number + 1] + (flip & 2 ? a.out_h - 1 - i : i);
            const int64_t r = index_of(down, a.in_h, a.fill);
            uint8_t* to = static_cast<uint8_t*>(a.output) + item * width;
            if (r < 0) {
                for (int64_t j = 0; j < a.out_w; ++j) memcpy(to + j * a.bytes, a.fill_pixel, size_t(a.bytes));
                continue;
            }
            const uint8_t* row =
                static_cast<const uint8_t*>(a.images) + (number * a.in_h + r) * a.in_w * a.bytes;
            cut_row(a, row, a.corners[2 * number], flip & 1, to);
        }
    });
}

} // namespace

Cut cut() { return {cut}; }

} // namespace dt::cpu::DT_LEVEL
