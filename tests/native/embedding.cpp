#include "kernels/embedding.h"

#include "check.h"

namespace dt::check {
namespace {

void check_first_outside(Checks& c) {
    for (int64_t n : {int64_t(0), int64_t(1), int64_t(9), int64_t(100), kLargeSize})
        for (int64_t bad : {int64_t(-1), int64_t(0), n / 2, n - 1}) {
            if (bad >= n) continue;
            c.at("first_outside, size ", n, ", bad at ", bad);
            Array<int64_t> values = c.whole_array(n, -3, 12);
            for (int64_t i = 2; i < n; i += 5) values[i] = -100; // allowed
            if (bad >= 0) values[bad] = bad % 2 ? 12 : -4;
            c.expect_true("position", c.call(c.table.embedding.first_outside, n, values.data(), int64_t(-3),
                                             int64_t(12), int64_t(-100)) == bad);
        }
}

template <class T> void check_lookup(Checks& c, int64_t n, int64_t rows, int64_t width, int64_t padding) {
    c.at("n ", n, ", rows ", rows, ", width ", width, ", padding index ", padding);
    const Array<T> table = c.uniform_array<T>(rows * width), dy = c.uniform_array<T>(n * width);
    const Array<int64_t> indices = c.whole_array(n, 0, rows);
    Array<T> y(n * width), grad(rows * width);
    c.call(c.table.embedding.forward, n, indices.data(), width * int64_t(sizeof(T)), table.data(), y.data());
    c.expect_exactly("output", y, [&](int64_t i) { return table[indices[i / width] * width + i % width]; });
    Array<int64_t> scratch(rows + 1 + n);
    c.call(c.table.embedding.backward[precision(dtype_of<T>)], n, indices.data(), rows, width, padding,
           dy.data(), grad.data(), scratch.data());
    std::vector<Sum> want(size_t(rows * width));
    for (int64_t i = 0; i < n * width; ++i)
        if (indices[i / width] != padding) want[size_t(indices[i / width] * width + i % width)].add(dy.at(i));
    c.expect("table_grad", grad, 2 + std::sqrt(double(n)), [&](int64_t i) { return want[size_t(i)]; });
}

} // namespace

void check_embedding(Checks& c) {
    check_first_outside(c);
    for_all_floats([&]<class T>(T) {
        for (int64_t n : {int64_t(0), int64_t(1), int64_t(10), int64_t(700)})
            for (int64_t rows : {int64_t(1), int64_t(6), int64_t(300)})
                for (int64_t width : {int64_t(1), int64_t(4), int64_t(17), int64_t(70)})
                    for (int64_t padding : {int64_t(-1), int64_t(0)})
                        check_lookup<T>(c, n, rows, width, padding);
    });
}

} // namespace dt::check
