#pragma once
// uint8 images of up to four channels, linear between pixels: kTogether pixels of the output at a time, each
// from eight bytes of an upper and of a lower row, in words of 16 bits.
#include "kernels/cpu/warp_places.h"
#include "kernels/cpu/words.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {
namespace {

constexpr int kTogether = kLanes<int64_t>;

// How the channels lie in eight bytes: pixels side by side before, words after; and all words of a pixel's
// weight.
struct Layout {
    Bytes left, right, weight, packed;

    explicit Layout(int64_t channels) {
        for (int i = 0; i < kVectorBytes; ++i) {
            const int half = i & 8, word = i % 8 / 2; // of 16 bytes, two pixels
            // Into the upper byte of each word: pixels times 2^8.
            left[i] = i % 2 ? uint8_t(half + word) : kNoByte;
            right[i] = i % 2 ? uint8_t(half + channels + word) : kNoByte;
            weight[i] = uint8_t(half + 2 + i % 2);
            const int at = i % 16, pixel = at / int(channels);
            packed[i] = pixel < 2 ? uint8_t(8 * pixel + 2 * (at % int(channels))) : kNoByte;
        }
    }
};

// The rows that a pixel is mixed of, in eight bytes each, and its place between them.
struct Corners {
    alignas(64) uint64_t upper[kTogether];
    alignas(64) uint64_t lower[kTogether];
    alignas(64) int64_t x[kTogether];
    alignas(64) int64_t y[kTogether];
};

// One pixel at the edge or outside.
[[gnu::noinline]] void find_corners(const WarpArgs& a, const uint8_t* image, uint8_t fill, int64_t x,
                                    int64_t y, int lane, Corners& to) {
    const bool inside = !is_void(x, a.in_w, a.fill, 1) && !is_void(y, a.in_h, a.fill, 1);
    to.x[lane] = x -= a.in_w > 1 && x == (a.in_w - 1) * kOne;
    to.y[lane] = y -= a.in_h > 1 && y == (a.in_h - 1) * kOne;
    for (int row = 0; row < 2; ++row) {
        uint8_t bytes[8] = {};
        const int64_t r = inside ? index_of((y >> 32) + row, a.in_h, a.fill) : -1;
        for (int side = 0; side < 2; ++side) {
            const int64_t q = r < 0 ? -1 : index_of((x >> 32) + side, a.in_w, a.fill);
            const uint8_t* from = image + (r * a.in_w + q) * a.channels;
            for (int64_t c = 0; c < a.channels; ++c) bytes[side * a.channels + c] = q < 0 ? fill : from[c];
        }
        memcpy((row ? to.lower : to.upper) + lane, bytes, 8);
    }
}

template <int... lane>
DT_INLINE Bytes load_eights(const uint8_t* from, const int64_t* at, std::integer_sequence<int, lane...>) {
    const auto eight = [&](int64_t offset) DT_INLINE_LAMBDA {
        uint64_t v;
        memcpy(&v, from + offset, 8);
        return v;
    };
    return (Bytes)Vec<uint64_t>{eight(at[lane])...};
}

// (a * (1 - f) + b * f), with f in 15 bits
DT_INLINE Words between(Words a, Words b, Words f) { return a + scaled(b - a, f); }

DT_INLINE Words mix(const Layout& layout, Bytes upper, Bytes lower, Vec<int64_t> x, Vec<int64_t> y) {
    const auto words = [&](Bytes v, Bytes pattern) DT_INLINE_LAMBDA {
        return (Words)((UnsignedWords)pick(v, pattern) >> 1); // pixels times 2^7; weights times 2^15
    };
    const Words across = words((Bytes)x, layout.weight), down = words((Bytes)y, layout.weight);
    const Words above = between(words(upper, layout.left), words(upper, layout.right), across);
    const Words below = between(words(lower, layout.left), words(lower, layout.right), across);
    return (between(above, below, down) + 64) >> 7;
}

// The first n of the places, rounded up to whole vectors, to `to`; up to 8 bytes more are written. `bytes` is
// how many may be read from `image` on.
void sample_linear(const WarpArgs& a, const Layout& layout, const uint8_t* image, int64_t bytes,
                   const Places& places, int64_t n, uint8_t* to) {
    using I = Vec<int64_t>;
    using Lanes = std::make_integer_sequence<int, kTogether>;
    const int64_t row = a.in_w * a.channels, group = kTogether * a.channels;
    const I right = broadcast((a.in_w - 1) * kOne), bottom = broadcast((a.in_h - 1) * kOne);
    const I last = broadcast(bytes - row - 8), rows = broadcast(row), channels = broadcast(a.channels);
    uint8_t fill;
    set_pixel(fill, a.fill_value);
    for (int64_t k = 0; k < n; k += kTogether, to += group) {
        I x = load(places.x + k), y = load(places.y + k), outside{};
        if (a.fill == Fill::constant) {
            outside = (x | y | (right - x) | (bottom - y)) < 0;
            if (!any(~outside)) {
                memset(to, fill, size_t(group));
                continue;
            }
            x = max(min(x, right), I{}), y = max(min(y, bottom), I{});
        }
        x += x == right, y += y == bottom; // mixed of the last two pixels, all but all of it of the last
        const I at = low_product((I)((Vec<uint64_t>)y >> 32), rows) +
                     low_product((I)((Vec<uint64_t>)x >> 32), channels);
        Bytes upper, lower;
        if (any((x | y | (right - 1 - x) | (bottom - 1 - y) | (last - at)) < 0)) {
            Corners corners;
            for (int lane = 0; lane < kTogether; ++lane) // the places as they were
                find_corners(a, image, fill, places.x[k + lane], places.y[k + lane], lane, corners);
            memcpy(&upper, corners.upper, sizeof upper);
            memcpy(&lower, corners.lower, sizeof lower);
            x = load(corners.x), y = load(corners.y);
        } else {
            alignas(64) int64_t offsets[kTogether];
            store(offsets, at);
            upper = load_eights(image, offsets, Lanes{});
            lower = load_eights(image + row, offsets, Lanes{});
        }
        Words words = mix(layout, upper, lower, x, y);
        words = (Words)(outside ? broadcast(fill * 0x0001000100010001) : (I)words);
        const Bytes mixed = pick((Bytes)words, layout.packed);
#pragma GCC unroll 4
        for (int i = 0; i < kVectorBytes / 16; ++i) // two pixels
            memcpy(to + i * (group / (kTogether / 2)), reinterpret_cast<const char*>(&mixed) + 16 * i, 8);
    }
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
