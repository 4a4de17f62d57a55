#pragma once
// Loops over contiguous arrays made from a lambda: what walk() runs.
#include "kernels/cpu/vec.h"
#include "kernels/cpu/walk.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

namespace dt::cpu::DT_LEVEL {
namespace {

struct Mapped {
    Run run = nullptr;
    int64_t grain = kCheapGrain;
};

// f(inputs..., p0, p1) on vectors of T; p0 and p1 are the op's parameters. One loop with masked accesses, so
// that the last lanes go through the same code as all others.
template <class T, int inputs, class F> Mapped map_vector(F, int64_t grain) {
    return {[](int64_t n, void* const* data, const void* context) {
                const double* params = static_cast<const double*>(context);
                const Vec<T> p0 = broadcast(T(params ? params[0] : 0)),
                             p1 = broadcast(T(params ? params[1] : 0));
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
