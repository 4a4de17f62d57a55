#include "kernels/conv_products.h"

#include <algorithm>
#include <cstring>

#include "core/parallel.h"
#include "core/scratch.h"
#include "kernels/conv_phase.h"
#include "kernels/isa.h"
#include "kernels/table.h"

namespace dt {
namespace {

using Half = uint16_t;

// Elements of the windows of a block: all threads work at one block and share the weight, or, where the
// weight is small, each at one of its own, which stays in L2.
constexpr int64_t kSharedWindows = 1 << 20, kPrivateWindows = 1 << 17, kPrivateWeight = 1 << 17;
constexpr int kWinogradGain = 8; // from which products are faster than Winograd's transforms and float32
// With more weights than that for each output Winograd's algorithm would be busy transforming them.
constexpr int64_t kWeightsPerOutput = 512;

template <class F> void parallel(int64_t n, int64_t grain, const F& body) {
    parallel_for(
        n, grain,
        [](void* context, int64_t begin, int64_t end) { (*static_cast<const F*>(context))(begin, end); },
        const_cast<F*>(&body));
}
Half* room(Scratch slot, int64_t elements) {
    return static_cast<Half*>(scratch(slot, size_t(elements) * sizeof(Half)));
}
void copy(Half* to, const Half* from, int64_t count) { memcpy(to, from, size_t(count) * sizeof(Half)); }
void clear(Half* to, int64_t count) { memset(to, 0, size_t(count) * sizeof(Half)); }

// Output u and tap t read position u * stride + t * dilation + origin, zeros outside.
struct Axis {
    int64_t in, out, taps, stride, dilation, origin;
    int64_t position(int64_t u, int64_t t) const { return u * stride + t * dilation + origin; }
    bool inside(int64_t position) const { return position >= 0 && position < in; }
};

// The windows of all outputs, each a row of a matrix: (pixels, taps x channels).
struct Windows {
    Axis h, w;
    int64_t batch, pixel, channels; // elements between pixels, and those of them that take part
    const Half* in;

    int64_t depth() const { return h.taps * w.taps * channels; }
    int64_t row() const { // rows whose lines do not share sets of the caches
        return depth() * 2 % 2048 == 0 ? depth() + 32 : depth();
    }
    int64_t rows() const { return batch * h.out * w.out; }
    int64_t block_rows(int64_t elements) const {
        return std::max<int64_t>(1, elements / std::max(channels, row()));
    }

    // The images are that matrix.
    bool as_they_are() const {
        return h.taps * w.taps == 1 && pixel == channels && h.in == h.out && w.in == w.out && h.stride == 1 &&
               w.stride == 1 && h.origin == 0 && w.origin == 0 && row() == channels;
    }
    // Rows from `first` on: where they are, or gathered in `to`.
    const Half* take(int64_t first, int64_t count) const {
        if (as_they_are()) return in + first * channels;
        Half* to = room(Scratch::conv_input, count * row());
        gather(first, count, to);
        return to;
    }
    void gather(int64_t first, int64_t count, Half* to) const {
        parallel(count, std::max<int64_t>(1, 16384 / std::max<int64_t>(1, row())),
                 [=, this](int64_t begin, int64_t end) {
                     for (int64_t i = begin; i < end; ++i) gather_one(first + i, to + i * row());
                 });
    }
    void gather_one(int64_t output, Half* to) const {
        const int64_t v = output % w.out, u = output / w.out % h.out;
        const Half* image = in + output / (w.out * h.out) * h.in * w.in * pixel;
        const int64_t left = w.position(v, 0), right = w.position(v, w.taps - 1);
        const bool joined = w.dilation == 1 && pixel == channels && w.inside(left) && w.inside(right);
        for (int64_t r = 0; r < h.taps; ++r) {
            const int64_t y = h.position(u, r);
            const Half* line = image + y * w.in * pixel;
            if (!h.inside(y)) {
                clear(to, w.taps * channels);
            } else if (joined) {
                copy(to, line + left * pixel, w.taps * channels);
            } else {
                for (int64_t s = 0; s < w.taps; ++s) {
                    const int64_t x = w.position(v, s);
                    if (w.inside(x))
                        copy(to + s * channels, line + x * pixel, channels);
                    else
                        clear(to + s * channels, channels);
                }
            }
            to += w.taps * channels;
        }
    }
};

// Calls body(first, count, windows) for blocks of rows; `weight` elements meet each of them.
template <class F> void for_blocks(const Windows& windows, int64_t weight, const F& body) {
    const auto run = [&](int64_t first, int64_t count) { body(first, count, windows.take(first, count)); };
    const int64_t rows = windows.rows(), size = windows.block_rows(kPrivateWindows);
    if (weight <= kPrivateWeight && rows >= 8 * size) {
        parallel(rows, size, [&](int64_t begin, int64_t end) { run(begin, end - begin); });
        return;
    }
    const int64_t shared = windows.block_rows(kSharedWindows);
    for (int64_t i = 0; i < rows; i += shared) run(i, std::min(shared, rows - i));
}

// Copies of fewer elements at a time cost more than the products save.
constexpr int64_t kLeastCopy = 16, kLeastChannels = 32, kLeastOfGroup = 64;

bool suits(const ConvShape& s, bool whole_lines) {
    if (s.format != DType::bfloat16 || bf16_gain() == 1) return false;
    const int64_t least = s.groups > 1 ? kLeastOfGroup : kLeastChannels;
    // Of few channels a line of a window is one run, where the windows are those of the input.
    const bool runs =
        whole_lines && s.groups == 1 && s.dilation_w == 1 && s.kernel_w * s.in_channels >= kLeastCopy;
    if (s.out_channels / s.groups < least || (s.in_channels / s.groups < least && !runs)) return false;
    const bool winograd = s.kernel_h == 3 && s.kernel_w == 3 && s.stride_h == 1 && s.stride_w == 1 &&
                          s.dilation_h == 1 && s.dilation_w == 1 && s.groups == 1;
    const int64_t outputs = s.batch * s.out_h * s.out_w;
    return !winograd || bf16_gain() >= kWinogradGain ||
           s.in_channels * s.out_channels > kWeightsPerOutput * outputs;
}

Windows input_windows(const ConvShape& s, const void* x, int64_t group) {
    const int64_t channels = s.in_channels / s.groups;
    return {{s.in_h, s.out_h, s.kernel_h, s.stride_h, s.dilation_h, -s.pad_top},
            {s.in_w, s.out_w, s.kernel_w, s.stride_w, s.dilation_w, -s.pad_left},
            s.batch,
            s.in_channels,
            channels,
            static_cast<const Half*>(x) + group * channels};
}

// --- The gradient of the input: a correlation for each remainder modulo the stride ---

struct DataGradient {
    const ConvShape& s;
    const Half* dy;
    const Half* weight;
    const float* bias;
    Activation activation;
    bool accumulate;
    Half* dx;
    int64_t channels = s.out_channels / s.groups, filters = s.in_channels / s.groups;

    // (taps of the phase x channels, filters)
    const Half* phase_weight(const Phase& h, const Phase& w, int64_t group) const {
        const int64_t taps = s.kernel_h * s.kernel_w;
        Half* to = room(Scratch::conv_weight, h.taps * w.taps * channels * filters);
        const Half* from = weight + group * channels * taps * filters;
        parallel(h.taps * w.taps * channels, std::max<int64_t>(1, 16384 / filters),
                 [=, this](int64_t begin, int64_t end) {
                     for (int64_t i = begin; i < end; ++i) {
                         const int64_t t = i / channels, o = i % channels;
                         const int64_t tap = h.tap(t / w.taps) * s.kernel_w + w.tap(t % w.taps);
                         copy(to + i * filters, from + (o * taps + tap) * filters, filters);
                     }
                 });
        return to;
    }

    Half* place(const Phase& h, const Phase& w, int64_t group, int64_t output) const {
        const int64_t v = output % w.count, u = output / w.count % h.count,
                      image = output / (w.count * h.count);
        const int64_t y = h.start + u * s.stride_h, x = w.start + v * s.stride_w;
        return dx + ((image * s.in_h + y) * s.in_w + x) * s.in_channels + group * filters;
    }
    void clear_phase(const Phase& h, const Phase& w, int64_t group) const {
        parallel(s.batch * h.count * w.count, std::max<int64_t>(1, 16384 / filters),
                 [=, this](int64_t begin, int64_t end) {
                     for (int64_t i = begin; i < end; ++i) clear(place(h, w, group, i), filters);
                 });
    }

    void run_phase(const Phase& h, const Phase& w, int64_t group) const {
        const Windows windows{{s.out_h, h.count, h.taps, 1, h.dilation, h.origin},
                              {s.out_w, w.count, w.taps, 1, w.dilation, w.origin},
                              s.batch,
                              s.out_channels,
                              channels,
                              dy + group * channels};
        if (windows.depth() == 0 && accumulate) return;
        if (windows.depth() == 0 && !bias && activation == Activation::none) return clear_phase(h, w, group);
        const Half* packed = phase_weight(h, w, group);
        const bool in_place = s.stride_h == 1 && s.stride_w == 1;
        for_blocks(windows, windows.depth() * filters, [&](int64_t first, int64_t count, const Half* from) {
            const auto to = [&](int64_t i) { return place(h, w, group, first + i); };
            Half* results = in_place ? to(0) : room(Scratch::conv_partial, count * filters);
            const int64_t row = in_place ? s.in_channels : filters;
            if (accumulate && !in_place)
                for (int64_t i = 0; i < count; ++i) copy(results + i * row, to(i), filters);
            kernels().gemm.bf16({.m = count,
                                 .n = filters,
                                 .k = windows.depth(),
                                 .a = from,
                                 .a_row = windows.row(),
                                 .b = packed,
                                 .b_row = filters,
                                 .c = results,
                                 .c_row = row,
                                 .accumulate = accumulate,
                                 .bias = bias ? bias + group * filters : nullptr,
                                 .activation = activation});
            if (in_place) return;
            parallel(count, std::max<int64_t>(1, 16384 / filters), [&](int64_t begin, int64_t end) {
                for (int64_t i = begin; i < end; ++i) copy(to(i), results + i * row, filters);
            });
        });
    }
};

} // namespace

bool conv_products(const ConvShape& s, const void* x, const void* weight, const float* bias,
                   Activation activation, void* y) {
    if (!suits(s, true)) return false;
    const int64_t filters = s.out_channels / s.groups;
    for (int64_t g = 0; g < s.groups; ++g) {
        const Windows windows = input_windows(s, x, g);
        const int64_t depth = windows.depth();
        for_blocks(windows, depth * filters, [&](int64_t first, int64_t count, const Half* from) {
            kernels().gemm.bf16({.m = count,
                                 .n = filters,
                                 .k = depth,
                                 .a = from,
                                 .a_row = windows.row(),
                                 .b = static_cast<const Half*>(weight) + g * filters * depth,
                                 .b_row = 1,
                                 .b_col = depth,
                                 .c = static_cast<Half*>(y) + first * s.out_channels + g * filters,
                                 .c_row = s.out_channels,
                                 .bias = bias ? bias + g * filters : nullptr,
                                 .activation = activation});
        });
    }
    return true;
}

bool conv_products_data(const ConvShape& s, const void* dy, const void* weight, const float* bias,
                        Activation activation, bool accumulate, void* dx) {
    if (!suits(s, false)) return false;
    const DataGradient gradient{
        s,          static_cast<const Half*>(dy), static_cast<const Half*>(weight), bias, activation,
        accumulate, static_cast<Half*>(dx)};
    for (int64_t i = 0; i < std::min(s.stride_h, s.in_h); ++i)
        for (int64_t j = 0; j < std::min(s.stride_w, s.in_w); ++j)
            for (int64_t g = 0; g < s.groups; ++g)
                gradient.run_phase(make_phase(i, s.in_h, s.kernel_h, s.stride_h, s.pad_top, s.dilation_h),
                                   make_phase(j, s.in_w, s.kernel_w, s.stride_w, s.pad_left, s.dilation_w),
                                   g);
    return true;
}

bool conv_products_weight(const ConvShape& s, const void* x, const void* dy, float* dw) {
    if (!suits(s, true) || s.batch == 0) return false;
    const int64_t filters = s.out_channels / s.groups;
    for (int64_t g = 0; g < s.groups; ++g) {
        const Windows windows = input_windows(s, x, g);
        const int64_t depth = windows.depth(), rows = windows.rows();
        const int64_t size = windows.block_rows(kSharedWindows);
        for (int64_t first = 0; first < rows; first += size) {
            const int64_t count = std::min(size, rows - first);
            const Half* from = windows.take(first, count);
            kernels().gemm.bf16({.m = filters,
                                 .n = depth,
                                 .k = count,
                                 .a = static_cast<const Half*>(dy) + first * s.out_channels + g * filters,
                                 .a_row = 1,
                                 .a_col = s.out_channels,
                                 .b = from,
                                 .b_row = windows.row(),
                                 .c = dw + g * filters * depth,
                                 .c_row = depth,
                                 .accumulate = first > 0,
                                 .c_float32 = true});
        }
    }
    return true;
}

} // namespace dt
