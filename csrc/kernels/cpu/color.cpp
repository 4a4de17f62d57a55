#include "kernels/color.h"

#include "kernels/cpu/color_parts.h"

#pragma GCC diagnostic ignored "-Wpsabi"

// Pixels go through the steps in strips, as planes of float: each step is a loop over a strip in the L1
// cache.
namespace dt::cpu::DT_LEVEL {
namespace {

constexpr int64_t kStrip = 512;           // pixels
constexpr int64_t kSection = 16384;       // pixels that one block works on, where samples are large
constexpr int64_t kLargeSample = 1 << 19; // pixels
constexpr int64_t kGroup = 16;            // pixels of three channels that are shuffled at once
constexpr float kRed = 0.299f, kGreen = 0.587f, kBlue = 0.114f;

struct alignas(64) Planes {
    float of[3][kStrip];
};

typedef uint8_t Bytes __attribute__((vector_size(16)));

// The bytes of one channel among 48, and 16 of 48 bytes from three channels: of the first two vectors, then
// with the third.
constexpr int from_two(int at) { return at < 32 ? at : 0; }
constexpr int with_third(int at, int lane) { return at < 32 ? lane : at - 16; }
template <int channel, int... I>
DT_INLINE Bytes one_channel(const Bytes* x, std::integer_sequence<int, I...>) {
    const Bytes two = __builtin_shufflevector(x[0], x[1], from_two(3 * I + channel)...);
    return __builtin_shufflevector(two, x[2], with_third(3 * I + channel, I)...);
}
constexpr int of_two(int at) { return at % 3 == 2 ? 0 : at % 3 * 16 + at / 3; }
constexpr int of_third(int at, int lane) { return at % 3 == 2 ? 16 + at / 3 : lane; }
template <int part, int... I> DT_INLINE Bytes all_channels(const Bytes* x, std::integer_sequence<int, I...>) {
    const Bytes two = __builtin_shufflevector(x[0], x[1], of_two(16 * part + I)...);
    return __builtin_shufflevector(two, x[2], of_third(16 * part + I, I)...);
}
using Lanes16 = std::make_integer_sequence<int, 16>;

// How many pixels were moved this way.
int64_t split_channels(const float*, int64_t, Planes&) { return 0; }
int64_t split_channels(const uint8_t* x, int64_t n, Planes& planes) {
    int64_t i = 0;
    for (; i + kGroup <= n; i += kGroup) {
        Bytes in[3], out[3];
        memcpy(in, x + 3 * i, sizeof in);
        out[0] = one_channel<0>(in, Lanes16{});
        out[1] = one_channel<1>(in, Lanes16{});
        out[2] = one_channel<2>(in, Lanes16{});
        for (int k = 0; k < 3; ++k) {
            uint8_t bytes[16];
            memcpy(bytes, &out[k], 16);
            for (int j = 0; j < kGroup; j += kLanes<float>)
                store(planes.of[k] + i + j, load_values(bytes + j, Whole{}));
        }
    }
    return i;
}
int64_t join_channels(const Planes&, int64_t, float*) { return 0; }
int64_t join_channels(const Planes& planes, int64_t n, uint8_t* y) {
    int64_t i = 0;
    for (; i + kGroup <= n; i += kGroup) {
        Bytes in[3], out[3];
        for (int k = 0; k < 3; ++k) {
            uint8_t bytes[16];
            for (int j = 0; j < kGroup; j += kLanes<float>)
                store_values(bytes + j, load(planes.of[k] + i + j), Whole{});
            memcpy(&in[k], bytes, 16);
        }
        out[0] = all_channels<0>(in, Lanes16{});
        out[1] = all_channels<1>(in, Lanes16{});
        out[2] = all_channels<2>(in, Lanes16{});
        memcpy(y + 3 * i, out, sizeof out);
    }
    return i;
}

// The pixels of a sample, as the steps see them.
template <class T> struct Pixels {
    int64_t count; // of pixels
    int64_t stride;
    bool colored;
    float high;

    explicit Pixels(const ImageBatch& batch)
        : colored(batch.channels == 3 || batch.channels == 4), high(batch.high) {
        const int64_t pixels = batch.height * batch.width;
        stride = colored ? batch.channels : 1;
        count = colored ? pixels : pixels * batch.channels;
    }
    void read(const T* x, int64_t n, Planes& planes) const {
        const int64_t done = stride == 3 ? split_channels(x, n, planes) : 0;
        for (int k = 0; k < (colored ? 3 : 1); ++k)
            for (int64_t i = done; i < n; ++i) planes.of[k][i] = float(x[i * stride + k]);
    }
    void write(const Planes& planes, const T* x, int64_t n, T* y) const {
        const int64_t done = stride == 3 ? join_channels(planes, n, y) : 0;
        for (int k = 0; k < (colored ? 3 : 1); ++k)
            for (int64_t i = done; i < n; ++i) store_value(y + i * stride + k, planes.of[k][i]);
        if (stride == 4)
            for (int64_t i = 0; i < n; ++i) y[i * 4 + 3] = x[i * 4 + 3];
    }
};

// body(i) for every vector of a strip; behind its end lie other numbers, which are not written back.
template <class F> DT_INLINE void for_strip(int64_t n, const F& body) {
    for (int64_t i = 0; i < n; i += kLanes<float>) body(i);
}

void apply_matrix(const float* m, float high, bool colored, int64_t n, Planes& planes) {
    const Vec<float> top = broadcast(high), none{};
    if (!colored) {
        for_strip(n, [&](int64_t i) DT_INLINE_LAMBDA {
            store(planes.of[0] + i, clamp(m[0] * load(planes.of[0] + i) + m[3], none, top));
        });
        return;
    }
    const Vec<float> m0 = broadcast(m[0]), m1 = broadcast(m[1]), m2 = broadcast(m[2]), m3 = broadcast(m[3]),
                     m4 = broadcast(m[4]), m5 = broadcast(m[5]), m6 = broadcast(m[6]), m7 = broadcast(m[7]),
                     m8 = broadcast(m[8]), m9 = broadcast(m[9]), m10 = broadcast(m[10]),
                     m11 = broadcast(m[11]);
    for_strip(n, [&](int64_t i) DT_INLINE_LAMBDA {
        const Vec<float> r = load(planes.of[0] + i), g = load(planes.of[1] + i), b = load(planes.of[2] + i);
        store(planes.of[0] + i, clamp(m0 * r + (m1 * g + (m2 * b + m3)), none, top));
        store(planes.of[1] + i, clamp(m4 * r + (m5 * g + (m6 * b + m7)), none, top));
        store(planes.of[2] + i, clamp(m8 * r + (m9 * g + (m10 * b + m11)), none, top));
    });
}

void apply_contrast(float factor, float mean, float high, bool colored, int64_t n, Planes& planes) {
    const Vec<float> top = broadcast(high), none{}, f = broadcast(factor),
                     rest = broadcast(mean - factor * mean);
    for (int k = 0; k < (colored ? 3 : 1); ++k)
        for_strip(n, [&](int64_t i) DT_INLINE_LAMBDA {
            store(planes.of[k] + i, clamp(f * load(planes.of[k] + i) + rest, none, top));
        });
}

// Through HSV and back (Smith, 1978) without its cases: with the hue h in sixths of a turn, a channel is
// value - chroma * clamp(min(k, 4 - k), 0, 1), where k = (5, 3 or 1) + h, modulo 6.
void apply_hue(float turns, int64_t n, Planes& planes) {
    const Vec<float> one = broadcast(1.0f), none{};
    for_strip(n, [&](int64_t i) DT_INLINE_LAMBDA {
        const Vec<float> r = load(planes.of[0] + i), g = load(planes.of[1] + i), b = load(planes.of[2] + i);
        const Vec<float> value = max_or_second(max_or_second(r, g), b);
        const Vec<float> chroma = value - min_or_second(min_or_second(r, g), b);
        const Vec<float> by = chroma > none ? one / chroma : none;
        Vec<float> sixths = value == g ? (b - r) * by + 2.0f : (r - g) * by + 4.0f;
        sixths = (value == r ? (g - b) * by : sixths) + 6.0f * turns;
        const auto channel = [&](float first) DT_INLINE_LAMBDA {
            Vec<float> k = sixths + first; // 0 to 16
            k -= 6.0f *
                 __builtin_convertvector(__builtin_convertvector(k * (1.0f / 6), Vec<int32_t>), Vec<float>);
            return value - chroma * clamp(min_or_second(k, 4.0f - k), none, one);
        };
        store(planes.of[0] + i, channel(5));
        store(planes.of[1] + i, channel(3));
        store(planes.of[2] + i, channel(1));
    });
}

double sum_of_grey(int64_t n, bool colored, const Planes& planes) {
    Vec<float> total{};
    for_strip(n, [&](int64_t i) DT_INLINE_LAMBDA {
        Vec<float> grey = load(planes.of[0] + i);
        if (colored) grey = kRed * grey + kGreen * load(planes.of[1] + i) + kBlue * load(planes.of[2] + i);
        total +=
            select(first_lanes<float>(n - i < kLanes<float> ? n - i : kLanes<float>), grey, Vec<float>{});
    });
    return double(sum(total));
}

void apply_steps(const float* steps, int64_t count, float mean, float high, bool colored, int64_t n,
                 Planes& planes) {
    for (int64_t s = 0; s < count; ++s, steps += kColorNumbers) {
        const auto kind = ColorStep(int(steps[0]));
        if (kind == ColorStep::matrix) apply_matrix(steps + 1, high, colored, n, planes);
        if (kind == ColorStep::contrast) apply_contrast(steps[1], mean, high, colored, n, planes);
        if (kind == ColorStep::hue && colored) apply_hue(steps[1], n, planes);
    }
}

int64_t contrast_of(const float* steps, int64_t count) {
    for (int64_t s = 0; s < count; ++s)
        if (ColorStep(int(steps[s * kColorNumbers])) == ColorStep::contrast) return s;
    return count;
}

// Sum of the grey values of a section after the first `count` steps.
template <class T>
double grey_of(const Pixels<T>& pixels, const T* x, int64_t n, const float* steps, int64_t count) {
    Planes planes{};
    double total = 0;
    for (int64_t i = 0; i < n; i += kStrip) {
        const int64_t m = n - i < kStrip ? n - i : kStrip;
        pixels.read(x + i * pixels.stride, m, planes);
        apply_steps(steps, count, 0, pixels.high, pixels.colored, m, planes);
        total += sum_of_grey(m, pixels.colored, planes);
    }
    return total;
}
template <class T>
void change(const Pixels<T>& pixels, const T* x, int64_t n, const float* steps, int64_t count, float mean,
            T* y) {
    Planes planes{};
    for (int64_t i = 0; i < n; i += kStrip) {
        const int64_t m = n - i < kStrip ? n - i : kStrip, at = i * pixels.stride;
        pixels.read(x + at, m, planes);
        apply_steps(steps, count, mean, pixels.high, pixels.colored, m, planes);
        pixels.write(planes, x + at, m, y + at);
    }
}

// A small sample is one thread's, which finds it in its caches when it comes back with the mean; of a large
// one every thread takes sections.
template <class T>
void transform(const ImageBatch& batch, const void* from, const float* steps, int64_t count, void* to) {
    const Pixels<T> pixels(batch);
    const int64_t sections = ceil_div(pixels.count, kSection);
    const bool large = pixels.count > kLargeSample;
    const auto sample = [&](int64_t i) {
        const T* x = static_cast<const T*>(from) + i * pixels.count * pixels.stride;
        T* y = static_cast<T*>(to) + i * pixels.count * pixels.stride;
        const float* mine = steps + i * count * kColorNumbers;
        const int64_t contrast = contrast_of(mine, count);
        const auto each = [&](const auto& body) {
            parallel(sections, large ? 1 : sections, [&](int64_t begin, int64_t end) {
                for (int64_t s = begin; s < end; ++s) {
                    const int64_t at = s * kSection;
                    body(s, at, pixels.count - at < kSection ? pixels.count - at : kSection);
                }
            });
        };
        double mean = 0;
        if (contrast < count) {
            double* sums = scratch<double>(Scratch::kernel, sections);
            each([&](int64_t s, int64_t at, int64_t n) {
                sums[s] = grey_of(pixels, x + at * pixels.stride, n, mine, contrast);
            });
            for (int64_t s = 0; s < sections; ++s) mean += sums[s];
            mean /= double(pixels.count);
        }
        each([&](int64_t, int64_t at, int64_t n) {
            change(pixels, x + at * pixels.stride, n, mine, count, float(mean), y + at * pixels.stride);
        });
    };
    if (large) {
        for (int64_t i = 0; i < batch.samples; ++i) sample(i);
        return;
    }
    parallel(batch.samples, grain_for(pixels.count * (1 + count)),
             [&](int64_t begin, int64_t end) __attribute__((noinline)) {
                 for (int64_t i = begin; i < end; ++i) sample(i);
             });
}

} // namespace

Color color() {
    Color table{};
    table.transform[0] = transform<uint8_t>;
    table.transform[1] = transform<float>;
    add_tables(table);
    add_filters(table);
    return table;
}

} // namespace dt::cpu::DT_LEVEL
