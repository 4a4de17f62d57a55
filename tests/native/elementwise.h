#pragma once
// The parts of the elementwise family's check.
#include <initializer_list>

#include "check.h"

namespace dt::check {

void check_unary(Checks& c);
void check_binary(Checks& c);
void check_ternary(Checks& c);
void check_compare(Checks& c);
void check_copies(Checks& c);

struct Side {
    const void* data;
    int64_t item; // bytes; 0 repeats one element
};

// Contiguous operands, the output first.
inline Loop plain_loop(int64_t n, std::initializer_list<Side> sides) {
    Loop loop;
    loop.shape = {n};
    for (const Side& side : sides) {
        loop.data[loop.operands] = const_cast<void*>(side.data);
        loop.strides[loop.operands++] = {side.item};
    }
    return loop;
}
template <class T> Side side(const Array<T>& a) { return {a.data(), sizeof(T)}; }

// Random values with zeros, equal neighbours and the limits of the dtype among them.
template <class T> Array<T> mixed_integers(Checks& c, int64_t n) {
    Array<T> a(n);
    for (int64_t i = 0; i < n; ++i) {
        const int64_t small = c.whole(-5, 6);
        if constexpr (dtype_of<T> == DType::boolean)
            a[i] = {uint8_t(small > 0)};
        else if (i % 11 == 3)
            a[i] = T(int64_t(1) << (8 * sizeof(T) - 1)); // the lowest of the signed ones
        else if (i % 11 == 7)
            a[i] = T((uint64_t(1) << (8 * sizeof(T) - 1)) - 1);
        else
            a[i] = i % 2 ? T(small) : T(c.random());
    }
    return a;
}

// Any bits of T as they are: where values do not count.
template <class T> Array<T> mixed(Checks& c, int64_t n) {
    if constexpr (kFloat<T>) {
        Array<T> a(n);
        const double special[] = {0.0, -0.0, INFINITY, -INFINITY, NAN, 1.0, -1.0};
        for (int64_t i = 0; i < n; ++i) a[i] = rounded<T>(i % 3 ? c.uniform(-4, 4) : special[c.whole(0, 7)]);
        return a;
    } else {
        return mixed_integers<T>(c, n);
    }
}

template <class T> bool untouched(const Array<T>& a) {
    for (size_t i = 0; i < a.memory().size(); ++i)
        if (a.memory().data()[i] != 0xA5) return false;
    return true;
}

} // namespace dt::check
