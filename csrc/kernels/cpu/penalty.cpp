#include "kernels/penalty.h"

#include "kernels/cpu/lanes.h"

namespace dt::cpu::DT_LEVEL {
namespace {

constexpr int64_t kBlock = 16384; // elements of the concatenation handed out at once

int64_t total_size(int64_t count, const PenaltyTensor* tensors) {
    int64_t total = 0;
    for (int64_t i = 0; i < count; ++i) total += tensors[i].size;
    return total;
}

// body(tensor, begin, end) for the pieces of [begin, end) of all tensors laid end to end.
template <class F>
DT_INLINE void for_pieces(const PenaltyTensor* tensors, int64_t begin, int64_t end, const F& body) {
    int64_t start = 0;
    for (const PenaltyTensor* t = tensors; start < end; start += t++->size) {
        const int64_t from = begin > start ? begin - start : 0;
        const int64_t to = end - start < t->size ? end - start : t->size;
        if (from < to) body(*t, from, to);
    }
}

template <class F> DT_INLINE void for_all_pieces(int64_t count, const PenaltyTensor* tensors, const F& body) {
    parallel(total_size(count, tensors), kBlock,
             [&](int64_t begin, int64_t end) { for_pieces(tensors, begin, end, body); });
}

int64_t scratch(int64_t count, const PenaltyTensor* tensors) {
    return ceil_div(total_size(count, tensors), kBlock);
}

template <class T> double piece(const T* weight, int64_t n, double l1, double l2) {
    constexpr int64_t w = kLanes<double>;
    Vec<double> a{}, b{};
    int64_t i = 0;
    const auto term = [&](Vec<double> x) DT_INLINE_LAMBDA { return abs(x) * l1 + x * x * l2; };
    for (; i + 2 * w <= n; i += 2 * w) {
        a += term(load_double(weight + i));
        b += term(load_double(weight + i + w));
    }
    double result = sum(a + b);
    for (; i < n; ++i) result += abs(double(weight[i])) * l1 + double(weight[i]) * double(weight[i]) * l2;
    return result;
}

template <class T>
double value(int64_t count, const PenaltyTensor* tensors, double l1, double l2, double* parts) {
    const int64_t total = total_size(count, tensors);
    parallel(total, kBlock, [&](int64_t begin, int64_t end) {
        double result = 0;
        for_pieces(tensors, begin, end, [&](const PenaltyTensor& t, int64_t first, int64_t last) {
            result += piece(static_cast<const T*>(t.weight) + first, last - first, l1, l2);
        });
        parts[begin / kBlock] = result;
    });
    double result = 0;
    for (int64_t b = 0; b < ceil_div(total, kBlock); ++b) result += parts[b];
    return result;
}

template <class T> void gradient(int64_t count, const PenaltyTensor* tensors, double l1, double l2) {
    const Vec<T> above = broadcast(T(l1)), below = broadcast(T(-l1)), twice = broadcast(T(2 * l2));
    for_all_pieces(count, tensors, [&](const PenaltyTensor& t, int64_t begin, int64_t end) {
        const T* weight = static_cast<const T*>(t.weight) + begin;
        T* out = static_cast<T*>(t.gradient) + begin;
        for_vectors<T>(end - begin, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
            const Vec<T> x = load(weight + i, part);
            const Vec<T> sign = select(x > T(0), above, select(x < T(0), below, zero<T>()));
            store(out + i, sign + x * twice, part);
        });
    });
}

template <class T> void shrink(int64_t count, const PenaltyTensor* tensors, double keep, double threshold) {
    const T factor = T(keep);
    const Vec<T> step = broadcast(T(threshold));
    for_all_pieces(count, tensors, [&](const PenaltyTensor& t, int64_t begin, int64_t end) {
        T* weight = static_cast<T*>(t.weight) + begin;
        for_vectors<T>(end - begin, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
            const Vec<T> x = load(weight + i, part) * factor;
            const Vec<T> moved = select(x > T(0), x - step, x + step);
            store(weight + i, select(abs(x) <= step, zero<T>(), moved), part);
        });
    });
}

} // namespace

Penalty penalty() {
    return {scratch,
            {value<float>, value<double>},
            {gradient<float>, gradient<double>},
            {shrink<float>, shrink<double>}};
}

} // namespace dt::cpu::DT_LEVEL
