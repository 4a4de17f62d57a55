#pragma once
// Loops over contiguous arrays made from a lambda: what walk() runs.
#include "kernels/cpu/half.h"
#include "kernels/cpu/walk.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

namespace dt::cpu::DT_LEVEL {
namespace {

struct Mapped {
    Run run = nullptr;
    int64_t grain = kCheapGrain;
    Run float16 = nullptr, bfloat16 = nullptr; // loops over arrays of a half format, where there are any

    Run half(DType d) const {
        return d == DType::float16 ? float16 : d == DType::bfloat16 ? bfloat16 : nullptr;
    }
};

// The loop of map_vector for a half format, so many vectors at a time. The last elements go through buffers
// where there are no masks, so that the op is compiled in one place.
template <class S, int inputs, int vectors, class F>
void half_run(int64_t n, void* const* data, const void* context) {
    constexpr bool masks = kVectorBytes == 64;
    constexpr int64_t step = vectors * kLanes<float>;
    const double* params = static_cast<const double*>(context);
    const Vec<float> p0 = broadcast(float(params ? params[0] : 0)),
                     p1 = broadcast(float(params ? params[1] : 0));
    [[maybe_unused]] S rest[inputs + 1][step] = {};
    for (int64_t i = 0; i < n; i += step) {
        const int64_t m = n - i;
        Vec<float> x[3][vectors], y[vectors];
        for (int k = 0; k < inputs; ++k) {
            const S* from = static_cast<const S*>(data[k + 1]) + i;
            if (!masks && m < step)
                from = static_cast<const S*>(memcpy(rest[k], from, size_t(m) * sizeof(S)));
            if constexpr (vectors == 2)
                load_pair(from, x[k]);
            else
                x[k][0] = masks ? load_upto(from, m) : load(from);
        }
        for (int j = 0; j < vectors; ++j) {
            if constexpr (inputs == 1)
                y[j] = F{}(x[0][j], p0, p1);
            else if constexpr (inputs == 2)
                y[j] = F{}(x[0][j], x[1][j], p0, p1);
            else
                y[j] = F{}(x[0][j], x[1][j], x[2][j], p0, p1);
        }
        S* out = static_cast<S*>(data[0]) + i;
        if (masks) {
            store_upto(out, y[0], m);
            continue;
        }
        S* to = m < step ? rest[inputs] : out;
        if constexpr (vectors == 2)
            store_pair(to, y[0], y[1]);
        else
            store(to, y[0]);
        if (m < step) memcpy(out, to, size_t(m) * sizeof(S));
    }
}

// f(inputs..., p0, p1) on vectors of T; p0 and p1 are the op's parameters. One loop with masked accesses, so
// that the last lanes go through the same code as all others.
// `vectors` of a half format are computed together, as cheap ops gain by.
template <class T, int inputs, int vectors = 2, class F> Mapped map_vector(F, int64_t grain) {
    Mapped mapped = {
        [](int64_t n, void* const* data, const void* context) {
            const double* params = static_cast<const double*>(context);
            const Vec<T> p0 = broadcast(T(params ? params[0] : 0)), p1 = broadcast(T(params ? params[1] : 0));
            T* out = static_cast<T*>(data[0]);
            const T* a = static_cast<const T*>(data[1]);
            const T* b = static_cast<const T*>(data[inputs > 1 ? 2 : 1]);
            const T* c = static_cast<const T*>(data[inputs > 2 ? 3 : 1]);
            for (int64_t i = 0; i < n; i += kLanes<T>) {
                const int64_t m = n - i;
                Vec<T> y;
                if constexpr (inputs == 1)
                    y = F{}(load_upto(a + i, m), p0, p1);
                else if constexpr (inputs == 2)
                    y = F{}(load_upto(a + i, m), load_upto(b + i, m), p0, p1);
                else
                    y = F{}(load_upto(a + i, m), load_upto(b + i, m), load_upto(c + i, m), p0, p1);
                store_upto(out + i, y, m);
            }
        },
        grain};
    if constexpr (__is_same(T, float)) {
        constexpr int together = kVectorBytes == 64 ? 1 : vectors;
        // Rounding to bfloat16 by arithmetic is faster in a loop of its own, except for cheap ops of short
        // vectors; float16 gains where an instruction rounds.
        if constexpr (kVectorBytes < 64 && vectors == 2)
            mapped.bfloat16 = half_run<bfloat16_t, inputs, together, F>;
        if constexpr (kVectorBytes > 16) mapped.float16 = half_run<float16_t, inputs, together, F>;
    }
    return mapped;
}

// f on single values: integers, which the compiler vectorises, and what the C library computes.
template <class Out, class T, int inputs, class F> Mapped map_scalar(F, int64_t grain = kCheapGrain) {
    return {[](int64_t n, void* const* data, const void* context) {
                const double* params = static_cast<const double*>(context);
                const T p0 = T(params ? params[0] : 0);
                Out* out = static_cast<Out*>(data[0]);
                const T* a = static_cast<const T*>(data[1]);
                const T* b = static_cast<const T*>(data[inputs > 1 ? 2 : 1]);
                for (int64_t i = 0; i < n; ++i) {
                    if constexpr (inputs == 1)
                        out[i] = F{}(a[i], p0);
                    else
                        out[i] = F{}(a[i], b[i], p0);
                }
            },
            grain};
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
