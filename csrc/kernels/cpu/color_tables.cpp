#include "kernels/cpu/color_parts.h"

#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {
namespace {

constexpr int64_t kPiece = 16384;

DT_INLINE uint8_t level_of(uint8_t x, float) { return x; }
DT_INLINE uint8_t level_of(float x, float scale) {
    uint8_t level;
    store_value(&level, x * scale);
    return level;
}

template <class T> void histogram(const ImageBatch& batch, const void* from, int64_t* counts) {
    constexpr int64_t some = 4; // channels at a time; two tables of each, for runs of one value
    const int64_t channels = batch.channels, pixels = batch.height * batch.width;
    const float scale = 255 / batch.high;
    for_pieces(batch.samples, pixels, 4 * kPiece, 2 * channels, [&](int64_t i, int64_t first, int64_t n) {
        const T* x = static_cast<const T*>(from) + (i * pixels + first) * channels;
        for (int64_t k = 0; k < channels; k += some) {
            const int64_t m = channels - k < some ? channels - k : some;
            uint32_t found[2][some][256] = {};
            for (int64_t j = 0; j < n; ++j)
                for (int64_t c = 0; c < m; ++c) ++found[j & 1][c][level_of(x[j * channels + k + c], scale)];
            int64_t* sums = counts + (i * channels + k) * 256;
            for (int64_t c = 0; c < m; ++c)
                for (int v = 0; v < 256; ++v)
                    __atomic_fetch_add(sums + c * 256 + v, int64_t(found[0][c][v]) + found[1][c][v],
                                       __ATOMIC_RELAXED);
        }
    });
}

template <class T>
void lookup(const ImageBatch& batch, const void* from, const uint8_t* tables, int64_t per_sample, void* to) {
    const int64_t size = batch.height * batch.width * batch.channels, period = per_sample;
    const float scale = 255 / batch.high, back = batch.high / 255;
    for_pieces(batch.samples, size / period, kPiece, 2 * period, [&](int64_t i, int64_t first, int64_t n) {
        for (int64_t k = 0; k < period; ++k) {
            const uint8_t* table = tables + (i * period + k) * 256;
            const T* x = static_cast<const T*>(from) + i * size + first * period + k;
            T* y = static_cast<T*>(to) + i * size + first * period + k;
            for (int64_t j = 0; j < n; ++j) {
                const uint8_t value = table[level_of(x[j * period], scale)];
                y[j * period] = sizeof(T) == 1 ? T(value) : T(float(value) * back);
            }
        }
    });
}

template <class T>
void normalize(const ImageBatch& batch, const void* from, const float* scale, const float* shift,
               int64_t stride, float* to) {
    const int64_t channels = batch.channels, size = batch.height * batch.width * channels;
    const int64_t period = channels * kLanes<float>; // after which channels and lanes meet again
    const bool streaming = can_stream(to, batch.samples * size, size);
    for_pieces(batch.samples, size, round_up(kPiece, period), 1, [&](int64_t i, int64_t first, int64_t n) {
        float* factors = scratch<float>(Scratch::kernel, 2 * period);
        float* terms = factors + period;
        for (int64_t j = 0, k = 0; j < period; ++j, k = k + 1 < channels ? k + 1 : 0) {
            factors[j] = scale[i * stride + k];
            terms[j] = shift[i * stride + k];
        }
        const T* x = static_cast<const T*>(from) + i * size + first;
        float* y = to + i * size + first;
        int64_t place = 0;
        for_vectors<float>(n, [&](int64_t j, auto part) DT_INLINE_LAMBDA {
            const Vec<float> v = load_values(x + j, part) * load(factors + place) + load(terms + place);
            streaming ? stream(y + j, v, part) : store(y + j, v, part);
            place = place + kLanes<float> < period ? place + kLanes<float> : 0;
        });
        if (streaming) finish_streaming();
    });
}

} // namespace

void add_tables(Color& table) {
    table.histogram[0] = histogram<uint8_t>;
    table.histogram[1] = histogram<float>;
    table.lookup[0] = lookup<uint8_t>;
    table.lookup[1] = lookup<float>;
    table.normalize[0] = normalize<uint8_t>;
    table.normalize[1] = normalize<float>;
}

} // namespace dt::cpu::DT_LEVEL
