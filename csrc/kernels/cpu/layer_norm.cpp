// Layer norm and RMS norm: each row by itself.
#include "kernels/cpu/half.h"
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/norm_parts.h"

#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {
namespace {

// How far ahead rows are asked for: the processor by itself looks no further than a page.
template <class T> constexpr int64_t kAhead = 8192 / sizeof(T);

template <class S> void layer_forward(const LayerNormArgs& args) {
    using T = Arithmetic<S>;
    const int64_t n = args.size;
    const T* weight = static_cast<const T*>(args.weight);
    const T* bias = static_cast<const T*>(args.bias);
    const bool streaming = can_stream(static_cast<S*>(args.output), args.rows * n, n);
    parallel(args.rows, grain_for(2 * n), [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
            const S* x = static_cast<const S*>(args.input) + r * n;
            S* y = static_cast<S*>(args.output) + r * n;
            T mean = 0;
            if (args.centred)
                mean = sum_vectors<T>(n,
                                      [&](int64_t i, auto part) DT_INLINE_LAMBDA {
                                          __builtin_prefetch(x + i + kAhead<S>);
                                          return load(x + i, part);
                                      }) /
                       T(n);
            const T squares = sum_vectors<T>(n, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
                const Vec<T> d = fill_rest(load(x + i, part) - mean, T(0), part);
                return d * d;
            });
            const T inverse = T(1 / __builtin_sqrt(double(squares) / double(n) + args.epsilon));
            for_vectors<T>(n, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
                Vec<T> v = (load(x + i, part) - mean) * inverse;
                if (weight) v *= load(weight + i, part);
                if (bias) v += load(bias + i, part);
                streaming ? stream(y + i, v, part) : store(y + i, v, part);
            });
            if (args.mean) static_cast<T*>(args.mean)[r] = mean;
            static_cast<T*>(args.inverse_std)[r] = inverse;
        }
        if (streaming) finish_streaming();
    });
}

// Rows that share partial sums of the gradients of weight and bias.
int64_t layer_block(int64_t rows, int64_t size) {
    return rows > 0 ? ceil_div(rows, sum_blocks(rows * size)) : 1;
}

template <class T> struct RowSums {
    Vec<T> grad, product; // of weight * grad, and of that times (x - mean)
};

// One pass over a row: its sums, and its shares of the gradients of weight and bias.
template <class S, class T = Arithmetic<S>>
DT_INLINE RowSums<T> sum_row(const S* x, const S* grad, const T* weight, int64_t n, T mean, T inverse,
                             T* weight_sums, T* bias_sums) {
    RowSums<T> even{}, odd{};
    auto step = [&](int64_t i, RowSums<T>& sums, auto part) DT_INLINE_LAMBDA {
        Vec<T> g = load(grad + i, part);
        const Vec<T> d = fill_rest(load(x + i, part) - mean, T(0), part);
        if (weight_sums) {
            store(weight_sums + i, load(weight_sums + i, part) + g * (d * inverse), part);
            if (bias_sums) store(bias_sums + i, load(bias_sums + i, part) + g, part);
        }
        if (weight) g *= load(weight + i, part);
        sums.grad += g;
        sums.product += g * d;
    };
    constexpr int64_t w = kLanes<T>;
    int64_t i = 0;
    for (; i + 2 * w <= n; i += 2 * w) {
        step(i, even, Whole{});
        step(i + w, odd, Whole{});
    }
    for (; i + w <= n; i += w) step(i, even, Whole{});
    if (i < n) step(i, odd, Part{n - i});
    return {even.grad + odd.grad, even.product + odd.product};
}

template <class S, class T = Arithmetic<S>>
void layer_backward_row(const LayerNormGradArgs& args, int64_t r, T* weight_sums, T* bias_sums,
                        bool streaming) {
    const int64_t n = args.size;
    const S* x = static_cast<const S*>(args.input) + r * n;
    const S* grad = static_cast<const S*>(args.output_grad) + r * n;
    const T* weight = static_cast<const T*>(args.weight);
    const T mean = args.centred ? static_cast<const T*>(args.mean)[r] : T(0),
            inverse = static_cast<const T*>(args.inverse_std)[r];
    const RowSums<T> sums = sum_row(x, grad, weight, n, mean, inverse, weight_sums, bias_sums);
    if (!args.input_grad) return;
    const T first = args.centred ? sum(sums.grad) / T(n) : T(0),
            second = sum(sums.product) * inverse * inverse / T(n);
    S* dx = static_cast<S*>(args.input_grad) + r * n;
    for_vectors<T>(n, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
        Vec<T> g = load(grad + i, part);
        if (weight) g *= load(weight + i, part);
        const Vec<T> v = (g - first - (load(x + i, part) - mean) * second) * inverse;
        streaming ? stream(dx + i, v, part) : store(dx + i, v, part);
    });
}

template <class S> void layer_backward(const LayerNormGradArgs& args) {
    using T = Arithmetic<S>;
    const int64_t n = args.size, block = layer_block(args.rows, n);
    const bool sums = args.weight_grad || args.bias_grad;
    const bool streaming = args.input_grad && can_stream(static_cast<S*>(args.input_grad), args.rows * n, n);
    parallel(args.rows, block, [&](int64_t begin, int64_t end) {
        T* weight_sums = sums ? reinterpret_cast<T*>(args.scratch + begin / block * 2 * n) : nullptr;
        T* bias_sums = args.bias_grad ? weight_sums + n : nullptr;
        for (int64_t i = 0; sums && i < 2 * n; ++i) weight_sums[i] = 0;
        for (int64_t r = begin; r < end; ++r)
            layer_backward_row<S>(args, r, weight_sums, bias_sums, streaming);
        if (streaming) finish_streaming();
    });
    if (!sums) return;
    const int64_t blocks = ceil_div(args.rows, block);
    parallel(n, grain_for(4 * blocks), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            double weight_total = 0, bias_total = 0;
            for (int64_t b = 0; b < blocks; ++b) {
                const T* weight_sums = reinterpret_cast<const T*>(args.scratch + b * 2 * n);
                weight_total += double(weight_sums[i]);
                bias_total += double(weight_sums[n + i]);
            }
            if (args.weight_grad) static_cast<T*>(args.weight_grad)[i] = T(weight_total);
            if (args.bias_grad) static_cast<T*>(args.bias_grad)[i] = T(bias_total);
        }
    });
}

int64_t layer_scratch(int64_t rows, int64_t size) {
    return rows > 0 ? ceil_div(rows, layer_block(rows, size)) * 2 * size : 0;
}

} // namespace

LayerNorm layer_norm() {
    return {layer_scratch, DT_PRECISIONS(layer_forward), DT_PRECISIONS(layer_backward)};
}

} // namespace dt::cpu::DT_LEVEL
