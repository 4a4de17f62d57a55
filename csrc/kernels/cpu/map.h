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

// The loop of map_vector for a half format, two vectors at a time. The last elements go through buffers, so
// that the op is compiled in one place.
template <class S, int inputs, bool exact, class F>
void half_run(int64_t n, void* const* data, const void* context) {
    constexpr int64_t step = 2 * kLanes<float>;
    const double* params = static_cast<const double*>(context);
    const Vec<float> p0 = broadcast(float(params ? params[0] : 0)),
                     p1 = broadcast(float(params ? params[1] : 0));
    const auto f = [&](Vec<float>(*x)[2], int j) DT_INLINE_LAMBDA {
        if constexpr (inputs == 1)
            return F{}(x[0][j], p0, p1);
        else if constexpr (inputs == 2)
            return F{}(x[0][j], x[1][j], p0, p1);
        else
            return F{}(x[0][j], x[1][j], x[2][j], p0, p1);
    };
    S* out = static_cast<S*>(data[0]);
    const S* in[inputs];
    for (int k = 0; k < inputs; ++k) in[k] = static_cast<const S*>(data[k + 1]);
    int64_t i = 0;
    for (; i + step <= n; i += step) {
        Vec<float> x[inputs][2], y[2];
        for (int k = 0; k < inputs; ++k) load_any_pair(in[k] + i, x[k]);
        y[0] = f(x, 0), y[1] = f(x, 1);
        store_any_pair<S, exact>(out + i, y[0], y[1]);
    }
    if (i == n) return;
    S rest[inputs + 1][step] = {};
    void* parts[inputs + 1];
    for (int k = 0; k <= inputs; ++k) {
        parts[k] = rest[k];
        if (k > 0) memcpy(rest[k], in[k - 1] + i, size_t(n - i) * sizeof(S));
    }
    half_run<S, inputs, exact, F>(step, parts, context);
    memcpy(out + i, rest[0], size_t(n - i) * sizeof(S));
}

// f(inputs..., p0, p1) on vectors of T; p0 and p1 are the op's parameters. One loop with masked accesses, so
// that the last lanes go through the same code as all others.
// `exact` says that the result of values of a half format is one as well, so that it need not be rounded.
template <class T, int inputs, bool exact = false, class F> Mapped map_vector(F, int64_t grain) {
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
        mapped.bfloat16 = half_run<bfloat16_t, inputs, exact, F>;
        // Where float16 is arithmetic, it is faster in a loop of its own.
        if constexpr (kVectorBytes > 16) mapped.float16 = half_run<float16_t, inputs, exact, F>;
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
