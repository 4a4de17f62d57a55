#include "kernels/cpu/scan.h"

#include "kernels/cpu/common.h"
#include "kernels/cpu/half.h"

namespace dt::cpu::DT_LEVEL {
namespace {

// Running values of one column: four at a time, so that only one operation of four waits for those before.
template <class In, class Out, class Acc, bool product, class Load, class Store>
void scan_run(int64_t n, bool reverse, const In* in, Out* out, Acc& acc, Load load_value, Store store_value) {
    const auto combine = [](Acc a, Acc b) DT_INLINE_LAMBDA { return product ? a * b : a + b; };
    const int64_t step = reverse ? -1 : 1;
    if (reverse) in += n - 1, out += n - 1;
    int64_t i = 0;
    for (; i + 4 <= n; i += 4, in += 4 * step, out += 4 * step) {
        const Acc a = load_value(in[0]), b = combine(a, load_value(in[step]));
        const Acc c = load_value(in[2 * step]), d = combine(c, load_value(in[3 * step]));
        out[0] = store_value(combine(acc, a));
        out[step] = store_value(combine(acc, b));
        out[2 * step] = store_value(combine(acc, combine(b, c)));
        acc = combine(acc, combine(b, d));
        out[3 * step] = store_value(acc);
    }
    for (; i < n; ++i, in += step, out += step) {
        acc = combine(acc, load_value(*in));
        *out = store_value(acc);
    }
}

// Columns of one strip: of half formats more, as they are half as wide and written by way of a buffer.
template <class S> constexpr int64_t kColumns = kHalf<S> ? 256 : 64;

// Running values of n values of a half format, converted piece by piece.
template <class S, bool product> void scan_half_run(int64_t n, bool reverse, const S* in, S* out) {
    constexpr int64_t most = 512;
    float values[most];
    double acc = product;
    for (int64_t i = 0; i < n; i += most) {
        const int64_t size = n - i < most ? n - i : most, at = reverse ? n - i - size : i;
        convert_array<S>(size, reinterpret_cast<const uint16_t*>(in + at), values);
        scan_run<float, float, double, product>(
            size, reverse, values, values, acc, [](float x) DT_INLINE_LAMBDA { return double(x); },
            [](double x) DT_INLINE_LAMBDA { return float(x); });
        convert_array<S>(size, values, reinterpret_cast<uint16_t*>(out + at));
    }
}

// The next row of a strip of columns of a half format.
template <class S, bool product>
DT_INLINE void scan_half_row(int64_t columns, const S* in, S* out, double* acc) {
    float values[kColumns<S>];
    convert_array<S>(columns, reinterpret_cast<const uint16_t*>(in), values);
    int64_t c = 0;
    for (; c + kLanes<double> <= columns; c += kLanes<double>) {
        const Vec<double> x = load_double(values + c), before = load(acc + c);
        const Vec<double> v = product ? before * x : before + x;
        store(acc + c, v);
        store_double(values + c, v);
    }
    for (; c < columns; ++c) {
        acc[c] = product ? acc[c] * double(values[c]) : acc[c] + double(values[c]);
        values[c] = float(acc[c]);
    }
    convert_array<S>(columns, values, reinterpret_cast<uint16_t*>(out));
}

// Running values of a strip of columns, in double for floats and wrapping for integers.
template <class In, class Out, class Acc, bool product, class Load, class Store>
void scan_strip(int64_t n, int64_t inner, int64_t columns, bool reverse, const In* in, Out* out,
                Load load_value, Store store_value) {
    Acc acc[kColumns<In>];
    for (int64_t c = 0; c < columns; ++c) acc[c] = product ? Acc(1) : Acc(0);
    if (inner == 1) {
        if constexpr (kHalf<In>)
            return scan_half_run<In, product>(n, reverse, in, out);
        else
            return scan_run<In, Out, Acc, product>(n, reverse, in, out, acc[0], load_value, store_value);
    }
    for (int64_t i = 0; i < n; ++i) {
        const int64_t row = (reverse ? n - 1 - i : i) * inner;
        if constexpr (kHalf<In>) {
            scan_half_row<In, product>(columns, in + row, out + row, acc);
        } else {
            for (int64_t c = 0; c < columns; ++c) {
                const Acc x = load_value(in[row + c]);
                acc[c] = product ? acc[c] * x : acc[c] + x;
                out[row + c] = store_value(acc[c]);
            }
        }
    }
}

template <class In, class Out, class Acc, class Load, class Store>
void scan_all(ScanOp op, int64_t rows, int64_t n, int64_t inner, bool reverse, const void* in, void* out,
              Load load_value, Store store_value) {
    constexpr int64_t width = kColumns<In>;
    const int64_t strips = ceil_div(inner, width);
    parallel(rows * strips, grain_for(n * (inner < width ? inner : width) * 2),
             [&](int64_t begin, int64_t end) {
                 for (int64_t s = begin; s < end; ++s) {
                     const int64_t first = s % strips * width, start = s / strips * n * inner + first;
                     const int64_t columns = inner - first < width ? inner - first : width;
                     const In* from = static_cast<const In*>(in) + start;
                     Out* to = static_cast<Out*>(out) + start;
                     if (op == ScanOp::prod)
                         scan_strip<In, Out, Acc, true>(n, inner, columns, reverse, from, to, load_value,
                                                        store_value);
                     else
                         scan_strip<In, Out, Acc, false>(n, inner, columns, reverse, from, to, load_value,
                                                         store_value);
                 }
             });
}

template <class T>
void scan_integers(ScanOp op, int64_t rows, int64_t n, int64_t inner, bool reverse, const void* in,
                   void* out) {
    scan_all<T, int64_t, uint64_t>(
        op, rows, n, inner, reverse, in, out, [](T x) DT_INLINE_LAMBDA { return uint64_t(int64_t(x)); },
        [](uint64_t x) DT_INLINE_LAMBDA { return int64_t(x); });
}
template <class T>
void scan_floats(ScanOp op, int64_t rows, int64_t n, int64_t inner, bool reverse, const void* in, void* out) {
    scan_all<T, T, double>(
        op, rows, n, inner, reverse, in, out, [](Arithmetic<T> x) DT_INLINE_LAMBDA { return double(x); },
        [](double x) DT_INLINE_LAMBDA { return Arithmetic<T>(x); });
}

} // namespace

void scan(ScanOp op, DType dtype, int64_t rows, int64_t n, int64_t inner, bool reverse, const void* in,
          void* out) {
    switch (dtype) {
    case DType::boolean:
    case DType::uint8:
        return scan_integers<uint8_t>(op, rows, n, inner, reverse, in, out);
    case DType::int32:
        return scan_integers<int32_t>(op, rows, n, inner, reverse, in, out);
    case DType::int64:
        return scan_integers<int64_t>(op, rows, n, inner, reverse, in, out);
    case DType::float32:
        return scan_floats<float>(op, rows, n, inner, reverse, in, out);
    case DType::float64:
        return scan_floats<double>(op, rows, n, inner, reverse, in, out);
    case DType::float16:
        return scan_floats<float16_t>(op, rows, n, inner, reverse, in, out);
    case DType::bfloat16:
        return scan_floats<bfloat16_t>(op, rows, n, inner, reverse, in, out);
    }
}

} // namespace dt::cpu::DT_LEVEL
