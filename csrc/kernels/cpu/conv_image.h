#pragma once
// Images and weights of convolutions as they lie in memory: of T, or of a half format, which is converted a
// row or a vector at a time where it is read or written.
#include "kernels/conv.h"
#include "kernels/cpu/gemm_pack.h"
#include "kernels/cpu/gemm_target.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

namespace dt::cpu::DT_LEVEL {
namespace {

template <class T> using Image = Target<T>;
template <class T> Image<T> image_of(const ConvShape& s, const void* at) {
    const Rounding rounding = s.format == DType::float16    ? Rounding::to_float16
                              : s.format == DType::bfloat16 ? Rounding::to_bfloat16
                                                            : Rounding::none;
    return {const_cast<void*>(at), rounding};
}

// Calls body(pointer to the elements as they are stored).
template <class T, class F> DT_INLINE void with_stored(const Image<T>& image, const F& body) {
    if constexpr (sizeof(T) == 4) {
        if (image.rounding == Rounding::to_bfloat16) return body(static_cast<bfloat16_t*>(image.at));
        if (image.rounding == Rounding::to_float16) return body(static_cast<float16_t*>(image.at));
    }
    body(image.exact());
}

template <class T> void read_row(T* to, const Image<T>& from, int64_t count) {
    with_stored(from, [=](const auto* p) DT_INLINE_LAMBDA { copy_row(to, p, count); });
}
template <class T> void write_row(const Image<T>& to, const T* from, int64_t count) {
    with_stored(to, [=](auto* p) DT_INLINE_LAMBDA {
        for_vectors<T>(count, [=](int64_t i, auto part)
                                  DT_INLINE_LAMBDA { store(p + i, load(from + i, part), part); });
    });
}
template <class T> void write_sum(const Image<T>& to, const T* from, int64_t count) { // to += from
    with_stored(to, [=](auto* p) DT_INLINE_LAMBDA {
        for_vectors<T>(count, [=](int64_t i, auto part) DT_INLINE_LAMBDA {
            store(p + i, load(p + i, part) + load(from + i, part), part);
        });
    });
}

// `count` pixels, side by side at `from`, to places `pixel` apart.
template <class T>
void write_pixels(const Image<T>& to, int64_t pixel, const T* from, int64_t channels, int64_t count) {
    if (pixel == channels) return write_row(to, from, count * channels);
    for (int64_t i = 0; i < count; ++i) write_row(to + i * pixel, from + i * channels, channels);
}

// A weight as T: where it is, or converted to the scratch memory of the calling thread.
template <class T> const T* exact_weight(const ConvShape& s, const void* weight) {
    const Image<T> from = image_of<T>(s, weight);
    if (!from.rounds()) return from.exact();
    const int64_t size = s.out_channels * s.kernel_h * s.kernel_w * (s.in_channels / s.groups);
    T* to = scratch<T>(Scratch::conv_exact, size);
    parallel(size, grain_for(1),
             [&](int64_t begin, int64_t end) { read_row(to + begin, from + begin, end - begin); });
    return to;
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
