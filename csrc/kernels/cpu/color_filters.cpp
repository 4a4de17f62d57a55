#include "kernels/cpu/color_parts.h"
#include "kernels/random.h"

#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {

Random random();

namespace {

constexpr int64_t kDrawn = 4096; // random numbers at a time, on the stack

RandomSource stream_of(int64_t key, int64_t begin) { return {uint64_t(key), 0, begin}; }

template <class T>
DT_INLINE void add_noise(bool speckle, int64_t n, const T* x, const float* drawn, const ImageBatch& batch,
                         T* y) {
    const Vec<float> low = broadcast(batch.low), high = broadcast(batch.high);
    for_vectors<float>(n, [&](int64_t j, auto part) DT_INLINE_LAMBDA {
        const Vec<float> value = load_values(x + j, part), more = load(drawn + j, part);
        store_values(y + j, clamp(value + (speckle ? value * more : more), low, high), part);
    });
}

template <class T>
void noise(const ImageBatch& batch, Noise kind, const void* from, const int64_t* keys, const float* amounts,
           void* to) {
    const int64_t channels = batch.channels, size = batch.height * batch.width * channels;
    const bool salt = kind == Noise::salt_and_pepper;
    const int64_t count = salt ? size / channels : size; // salt and pepper whiten and blacken pixels
    const auto draw = salt ? random().uniform[0] : random().normal[0];
    for_pieces(batch.samples, count, kDrawn, 8, [&](int64_t i, int64_t first, int64_t n) {
        alignas(64) float drawn[kDrawn];
        const float a = amounts[2 * i], b = amounts[2 * i + 1];
        draw(stream_of(keys[i], first), n, salt ? 0 : a, salt ? 1 : b, drawn);
        const int64_t at = i * size + (salt ? first * channels : first);
        const T* x = static_cast<const T*>(from) + at;
        T* y = static_cast<T*>(to) + at;
        if (!salt) return add_noise(kind == Noise::speckle, n, x, drawn, batch, y);
        for (int64_t j = 0; j < n; ++j) {
            const bool hit = drawn[j] < a;
            const T value = drawn[j] < a * b ? T(batch.high) : T(batch.low);
            for (int64_t c = 0; c < channels; ++c) y[j * channels + c] = hit ? value : x[j * channels + c];
        }
    });
}

// Where a place outside [0, n) is mirrored to, without repeating the border.
int64_t mirrored(int64_t i, int64_t n) {
    if (n == 1) return 0;
    const int64_t period = 2 * (n - 1);
    i %= period;
    if (i < 0) i += period;
    return i < n ? i : period - i;
}

// store(j, sum of taps[t] * value(t, j, part), part) along a row; four sums at a time hide the latency of
// each other's additions.
template <class Value, class Store>
DT_INLINE void weighted_sums(int64_t n, const float* taps, int64_t count, const Value& value,
                             const Store& store) {
    constexpr int64_t w = kLanes<float>;
    int64_t i = 0;
    for (; i + 4 * w <= n; i += 4 * w) {
        Vec<float> a{}, b{}, c{}, d{};
        for (int64_t t = 0; t < count; ++t) {
            a += taps[t] * value(t, i, Whole{});
            b += taps[t] * value(t, i + w, Whole{});
            c += taps[t] * value(t, i + 2 * w, Whole{});
            d += taps[t] * value(t, i + 3 * w, Whole{});
        }
        store(i, a, Whole{}), store(i + w, b, Whole{});
        store(i + 2 * w, c, Whole{}), store(i + 3 * w, d, Whole{});
    }
    for_vectors<float>(n - i, [&](int64_t j, auto part) DT_INLINE_LAMBDA {
        Vec<float> total{};
        for (int64_t t = 0; t < count; ++t) total += taps[t] * value(t, i + j, part);
        store(i + j, total, part);
    });
}

// One row of the result: the taps down give a row of floats, with the mirrored pixels on either side, and
// the taps across it the result.
template <class T>
void filter_row(const ImageBatch& batch, const T* image, int64_t row, const float* down, int64_t down_count,
                const float* across, int64_t across_count, float centre, bool keep_border, T* y) {
    const int64_t channels = batch.channels, size = batch.width * channels, side = across_count / 2;
    const T* x = image + row * size;
    if (keep_border && (row == 0 || row == batch.height - 1)) {
        memcpy(y, x, size_t(size) * sizeof(T));
        return;
    }
    const T* rows[kMaxTaps];
    for (int64_t t = 0; t < down_count; ++t)
        rows[t] = image + mirrored(row + t - down_count / 2, batch.height) * size;
    float* sums = scratch<float>(Scratch::kernel, (batch.width + 2 * side) * channels);
    float* inside = sums + side * channels;
    weighted_sums(
        size, down, down_count,
        [&](int64_t t, int64_t j, auto part) DT_INLINE_LAMBDA { return load_values(rows[t] + j, part); },
        [&](int64_t j, Vec<float> total, auto part) DT_INLINE_LAMBDA { store(inside + j, total, part); });
    for (int64_t p = 1; p <= side; ++p)
        for (int64_t c = 0; c < channels; ++c) {
            inside[-p * channels + c] = inside[mirrored(-p, batch.width) * channels + c];
            inside[size + (p - 1) * channels + c] =
                inside[mirrored(batch.width - 1 + p, batch.width) * channels + c];
        }
    const Vec<float> low = broadcast(batch.low), high = broadcast(batch.high);
    weighted_sums(
        size, across, across_count,
        [&](int64_t t, int64_t j, auto part) DT_INLINE_LAMBDA { return load(sums + j + t * channels, part); },
        [&](int64_t j, Vec<float> total, auto part) DT_INLINE_LAMBDA {
            store_values(y + j, clamp(total + centre * load_values(x + j, part), low, high), part);
        });
    if (keep_border)
        for (int64_t c = 0; c < channels; ++c) {
            y[c] = x[c];
            y[size - channels + c] = x[size - channels + c];
        }
}

template <class T>
void filter(const ImageBatch& batch, const void* from, const float* down, int64_t down_count,
            const float* across, int64_t across_count, const float* centre, bool keep_border, void* to) {
    const int64_t size = batch.width * batch.channels;
    const int64_t work = ceil_div(size * (4 + down_count + across_count), 8);
    parallel(batch.samples * batch.height, grain_for(work),
             [&](int64_t begin, int64_t end) __attribute__((noinline)) {
                 for (int64_t r = begin; r < end; ++r) {
                     const int64_t i = r / batch.height;
                     filter_row(batch, static_cast<const T*>(from) + i * batch.height * size,
                                r % batch.height, down + i * down_count, down_count,
                                across + i * across_count, across_count, centre[i], keep_border,
                                static_cast<T*>(to) + r * size);
                 }
             });
}

template <class T>
void erase(const ImageBatch& batch, const int64_t* boxes, int64_t count, const float* values,
           const int64_t* keys, void* to) {
    const int64_t channels = batch.channels, size = batch.width * channels;
    const auto draw = random().uniform[0];
    const auto rows = [&](int64_t i, const int64_t* box) __attribute__((noinline)) {
        const int64_t length = (box[2] - box[0]) * channels;
        for (int64_t row = box[1]; row < box[3]; ++row) {
            T* y = static_cast<T*>(to) + (i * batch.height + row) * size + box[0] * channels;
            if (!keys) {
                for (int64_t j = 0, c = 0; j < length; ++j, c = c + 1 < channels ? c + 1 : 0)
                    store_value(y + j, values[c]);
                continue;
            }
            for (int64_t j = 0; j < length; j += kDrawn) {
                alignas(64) float drawn[kDrawn];
                const int64_t n = length - j < kDrawn ? length - j : kDrawn;
                draw(stream_of(keys[i], row * size + box[0] * channels + j), n, batch.low, batch.high, drawn);
                for (int64_t k = 0; k < n; ++k) store_value(y + j + k, drawn[k]);
            }
        }
    };
    parallel(batch.samples, grain_for(ceil_div(batch.height * size, 4)),
             [&](int64_t begin, int64_t end) __attribute__((noinline)) {
                 for (int64_t i = begin; i < end; ++i)
                     for (int64_t k = 0; k < count; ++k) rows(i, boxes + (i * count + k) * 4);
             });
}

} // namespace

void add_filters(Color& table) {
    table.noise[0] = noise<uint8_t>;
    table.noise[1] = noise<float>;
    table.filter[0] = filter<uint8_t>;
    table.filter[1] = filter<float>;
    table.erase[0] = erase<uint8_t>;
    table.erase[1] = erase<float>;
}

} // namespace dt::cpu::DT_LEVEL
