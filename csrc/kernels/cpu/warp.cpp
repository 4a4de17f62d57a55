#include "kernels/warp.h"

#include "kernels/cpu/warp_linear.h"

#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {
namespace {

// The pixels along one axis that a place is mixed of: the first one, and their weights.
struct Taps {
    int64_t first;
    float weight[4];
};

DT_INLINE Taps find_taps(int64_t place, int count) {
    Taps taps;
    taps.first = (place >> 32) - (count == 4);
    const float f = float(uint32_t(place) >> 8) * 0x1p-24f;
    float* w = taps.weight;
    if (count == 2) w[0] = 1 - f, w[1] = f;
    if (count == 4) {
        w[0] = ((-0.5f * f + 1) * f - 0.5f) * f;
        w[1] = (1.5f * f - 2.5f) * f * f + 1;
        w[2] = ((-1.5f * f + 2) * f + 0.5f) * f;
        w[3] = (0.5f * f - 0.5f) * f * f;
    }
    return taps;
}

// The sum over the pixels of value(row, column) times their weights: floats, or Four of them.
template <class V, int count, class F> DT_INLINE V mix(const Taps& across, const Taps& down, const F& value) {
    V sum{};
#pragma GCC unroll 4
    for (int r = 0; r < count; ++r) {
        V line = value(r, 0) * across.weight[0];
#pragma GCC unroll 4
        for (int q = 1; q < count; ++q) line += value(r, q) * across.weight[q];
        line *= down.weight[r];
        sum = r ? sum + line : line;
    }
    return sum;
}

// A piece of a row of the output: n pixels, each from a place; `readable` bytes may be read from `image` on.
struct Piece {
    const WarpArgs& a;
    const uint8_t* image;
    int64_t readable;
    Places places;
    int64_t n;
    uint8_t* output;
    Layout layout; // of up to four channels
};

template <class T, int count> void sample(const Piece& piece) {
    const WarpArgs& a = piece.a;
    const T* const image = reinterpret_cast<const T*>(piece.image);
    T* to = reinterpret_cast<T*>(piece.output);
    const int64_t readable = piece.readable / int64_t(sizeof(T)), n = piece.n;
    const Places& places = piece.places;
    const int64_t channels = a.channels, row = a.in_w * channels;
    constexpr int reach = count == 4 ? 2 : 1;
    const T* const end = to + n * channels;
    for (int64_t k = 0; k < n; ++k, to += channels) {
        const int64_t x = places.x[k], y = places.y[k];
        if (is_void(x, a.in_w, a.fill, reach) || is_void(y, a.in_h, a.fill, reach)) {
            for (int64_t c = 0; c < channels; ++c) set_pixel(to[c], a.fill_value);
            continue;
        }
        const Taps across = find_taps(x, count), down = find_taps(y, count);
        const int64_t at = down.first * row + across.first * channels;
        const bool inside = across.first >= 0 && across.first + count <= a.in_w && down.first >= 0 &&
                            down.first + count <= a.in_h;
        if (inside && at + (count - 1) * (row + channels) + channels + 3 <= readable) {
            for (int64_t c = 0; c < channels; c += 4) {
                const T* const from = image + at + c;
                const Four v = mix<Four, count>(across, down, [&](int r, int q) DT_INLINE_LAMBDA {
                    return load_four(from + r * row + q * channels);
                });
                store_four(to + c, v, end - to - c); // the next pixel overwrites what is too much
            }
            continue;
        }
        int64_t rows[count], columns[count];
        for (int i = 0; i < count; ++i) {
            rows[i] = index_of(down.first + i, a.in_h, a.fill);
            columns[i] = index_of(across.first + i, a.in_w, a.fill);
        }
        for (int64_t c = 0; c < channels; ++c)
            set_pixel(to[c], mix<float, count>(across, down, [&](int r, int q) DT_INLINE_LAMBDA {
                          return rows[r] < 0 || columns[q] < 0
                                     ? a.fill_value
                                     : float(image[rows[r] * row + columns[q] * channels + c]);
                      }));
    }
}

// Pixels are moved as bytes; `places` become offsets, -1 for the fill value.
template <class T> void sample_nearest(const Piece& piece) {
    const WarpArgs& a = piece.a;
    const int64_t bytes = a.channels * int64_t(sizeof(T));
    int64_t from[kBlock];
    for (int64_t k = 0; k < piece.n; ++k) {
        const int64_t x = piece.places.x[k], y = piece.places.y[k];
        const int64_t q = index_of((x + kOne / 2) >> 32, a.in_w, a.fill);
        const int64_t r = index_of((y + kOne / 2) >> 32, a.in_h, a.fill);
        const bool outside = q < 0 || r < 0 || is_void(x, a.in_w, a.fill, 1) || is_void(y, a.in_h, a.fill, 1);
        from[k] = outside ? -1 : (r * a.in_w + q) * bytes;
    }
    const auto copy = [&](int64_t length) DT_INLINE_LAMBDA {
        uint8_t* to = piece.output;
        for (int64_t k = 0; k < piece.n; ++k, to += length)
            if (from[k] >= 0)
                memcpy(to, piece.image + from[k], size_t(length));
            else
                for (int64_t c = 0; c < a.channels; ++c) set_pixel(reinterpret_cast<T*>(to)[c], a.fill_value);
    };
    switch (bytes) { // a copy of any length is a call
    case 1:
        return copy(1);
    case 3:
        return copy(3);
    case 4:
        return copy(4);
    case 12:
        return copy(12);
    default:
        return copy(bytes);
    }
}

void sample_words(const Piece& piece) {
    uint8_t mixed[4 * kBlock + 8];
    sample_linear(piece.a, piece.layout, piece.image, piece.readable, piece.places, piece.n, mixed);
    memcpy(piece.output, mixed, size_t(piece.n * piece.a.channels));
}

void for_pieces(const WarpArgs& a, int64_t item, int64_t work, void (*sample_piece)(const Piece&)) {
    const int64_t pixel = a.channels * item, image = a.in_h * a.in_w * pixel;
    // A cubic's pixels reach beyond where places look the same.
    const bool folds = a.interpolation != Interpolation::bicubic || a.fill == Fill::wrap;
    parallel(a.batch * a.out_h, grain_for(a.out_w * work), [&](int64_t begin, int64_t end) {
        Piece piece{a, nullptr, 0, {}, 0, nullptr, Layout(min(a.channels, int64_t{4}))};
        Places& places = piece.places;
        for (int64_t row = begin; row < end; ++row) {
            const int64_t number = row / a.out_h;
            piece.image = static_cast<const uint8_t*>(a.images) + number * image;
            piece.readable = (a.batch - number) * image;
            for (int64_t j = 0; j < a.out_w; j += kBlock) {
                piece.n = min(kBlock, a.out_w - j);
                piece.output = static_cast<uint8_t*>(a.output) + (row * a.out_w + j) * pixel;
                const int64_t whole = round_up(piece.n, kLanes<int64_t>);
                find_places(a, number, row % a.out_h, j, whole, places);
                if (folds) fold(places.x, whole, a.in_w, a.fill), fold(places.y, whole, a.in_h, a.fill);
                sample_piece(piece);
            }
        }
    });
}

template <class T> void warp(const WarpArgs& a) {
    const int64_t item = sizeof(T);
    switch (a.interpolation) {
    case Interpolation::nearest:
        return for_pieces(a, item, 4 + a.channels, sample_nearest<T>);
    case Interpolation::bilinear:
        if (sizeof(T) == 1 && a.channels <= 4 && a.in_w * a.channels <= INT32_MAX)
            return for_pieces(a, item, 4, sample_words);
        return for_pieces(a, item, 4 + 4 * a.channels, sample<T, 2>);
    default:
        return for_pieces(a, item, 4 + 16 * a.channels, sample<T, 4>);
    }
}

} // namespace

Warp warp() { return {warp<uint8_t>, warp<float>}; }

} // namespace dt::cpu::DT_LEVEL
