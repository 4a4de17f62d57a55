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

DT_INLINE Sixteen backwards(int64_t bytes) { // which of sixteen bytes goes where
    const int64_t together = 16 / bytes, rest = 16 - together * bytes;
    Sixteen pattern{};
    for (int64_t i = 0; i < together * bytes; ++i)
        pattern[i] = uint8_t(rest + (together - 1 - i / bytes) * bytes + i % bytes);
    return pattern;
}

// n pixels backwards, as many of them at a time as sixteen bytes have room for.
DT_INLINE void mirror(const uint8_t* from, uint8_t* to, int64_t n, int64_t bytes, Sixteen pattern) {
    int64_t k = 0;
    if (bytes <= 16) {
        const int64_t together = 16 / bytes, step = together * bytes, rest = 16 - step;
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

DT_INLINE void copy(const uint8_t* from, uint8_t* to, int64_t n) {
    if (n < 32 || n > 1024) return void(memcpy(to, from, size_t(n)));
    for (int64_t i = 0; i < n - 32; i += 32) memcpy(to + i, from + i, 32);
    memcpy(to + n - 32, from + n - 32, 32);
}

struct Columns {           // of a window
    int64_t inside, first; // of the image, and where they come to lie
    int64_t x;             // the first column of the window
    bool mirrored;
};

Columns columns_of(const CutArgs& a, int64_t x, bool mirrored) {
    const int64_t before = x < 0 ? min(-x, a.out_w) : 0;                        // columns beside the image
    const int64_t end = min(a.in_w - x < 0 ? int64_t{0} : a.in_w - x, a.out_w); // ... from here on
    const int64_t inside = end > before ? end - before : 0;
    return {inside, mirrored ? a.out_w - before - inside : before, x, mirrored};
}

DT_INLINE void cut_row(const CutArgs& a, const uint8_t* row, const Columns& c, Sixteen pattern, uint8_t* to) {
    const int64_t begin = c.x < 0 ? 0 : c.x;
    if (c.inside && c.mirrored)
        mirror(row + begin * a.bytes, to + c.first * a.bytes, c.inside, a.bytes, pattern);
    else if (c.inside)
        copy(row + begin * a.bytes, to + c.first * a.bytes, c.inside * a.bytes);
    if (c.inside == a.out_w) return;
    for (int64_t j = 0; j < a.out_w; ++j) {
        if (j == c.first) j += c.inside;
        if (j == a.out_w) break;
        const int64_t q = index_of(c.x + (c.mirrored ? a.out_w - 1 - j : j), a.in_w, a.fill);
        const void* pixel = q < 0 ? a.fill_pixel : row + q * a.bytes;
        memcpy(to + j * a.bytes, pixel, size_t(a.bytes));
    }
}

// Rows i to end of the window of an image.
void cut_rows(const CutArgs& a, int64_t number, int64_t i, int64_t end) {
    const int64_t width = a.out_w * a.bytes;
    const int flip = a.flips ? a.flips[number] : 0;
    const Columns columns = columns_of(a, a.corners[2 * number], flip & 1);
    const Sixteen pattern = columns.mirrored && a.bytes <= 16 ? backwards(a.bytes) : Sixteen{};
    const int64_t place = a.rows ? a.rows[number] : number;
    const uint8_t* image = static_cast<const uint8_t*>(a.images) + place * a.in_h * a.in_w * a.bytes;
    uint8_t* to = static_cast<uint8_t*>(a.output) + (number * a.out_h + i) * width;
    for (; i < end; ++i, to += width) {
        const int64_t down = a.corners[2 * number + 1] + (flip & 2 ? a.out_h - 1 - i : i);
        const int64_t r = index_of(down, a.in_h, a.fill);
        if (r >= 0)
            cut_row(a, image + r * a.in_w * a.bytes, columns, pattern, to);
        else
            for (int64_t j = 0; j < a.out_w; ++j) memcpy(to + j * a.bytes, a.fill_pixel, size_t(a.bytes));
    }
}

void cut(const CutArgs& a) {
    parallel(a.batch * a.out_h, grain_for(a.out_w * a.bytes / 4), [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end;) {
            const int64_t number = row / a.out_h, i = row % a.out_h, next = min(a.out_h, i + end - row);
            cut_rows(a, number, i, next);
            row += next - i;
        }
    });
}

} // namespace

Cut cut() { return {cut}; }

} // namespace dt::cpu::DT_LEVEL
