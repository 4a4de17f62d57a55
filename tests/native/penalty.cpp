// Penalties of weights, their gradients and the soft threshold; several tensors at a time.
#include "kernels/penalty.h"

#include "check.h"

namespace dt::check {
namespace {

const std::vector<int64_t> kLists[] = {{}, {0}, {1}, {5, 0, 17, 64}, {16384, 3, 16385}, {40001}};

template <class T> struct Weights {
    std::vector<Array<T>> weight, gradient;
    std::vector<PenaltyTensor> list;

    Weights(Checks& c, const std::vector<int64_t>& sizes) {
        for (int64_t n : sizes) {
            weight.push_back(c.uniform_array<T>(n));
            if (n > 3) weight.back()[n / 2] = 0;
            gradient.emplace_back(n);
        }
        for (size_t i = 0; i < sizes.size(); ++i)
            list.push_back({sizes[i], weight[i].data(), gradient[i].data()});
    }
    int64_t count() const { return int64_t(list.size()); }
};

template <class T> void check_lists(Checks& c, const std::vector<int64_t>& sizes, double l1, double l2) {
    constexpr bool p = sizeof(T) == 8;
    c.at("l1 ", l1, ", l2 ", l2, ", ", int64_t(sizes.size()), " tensors");
    Weights<T> w(c, sizes);
    const Weights<T> before = w;
    Array<double> parts(c.call(c.table.penalty.scratch, w.count(), w.list.data())), value(1);
    value[0] = c.call(c.table.penalty.value[p], w.count(), w.list.data(), l1, l2, parts.data());
    c.expect("value", value, 64, [&](int64_t) -> Want {
        Sum s;
        for (const auto& t : before.weight)
            for (int64_t i = 0; i < t.size(); ++i) s.add(l1 * std::fabs(t.at(i)) + l2 * t.at(i) * t.at(i));
        return s;
    });
    c.call(c.table.penalty.gradient[p], w.count(), w.list.data(), l1, l2);
    for (size_t k = 0; k < sizes.size(); ++k)
        c.expect("gradient", w.gradient[k], 3, [&](int64_t i) {
            const double x = before.weight[k].at(i);
            return Want((x > 0) * l1 - (x < 0) * l1 + 2 * l2 * x, l1 + 2 * l2);
        });
    const double keep = 1 - l2, threshold = l1 / 4;
    c.call(c.table.penalty.shrink[p], w.count(), w.list.data(), keep, threshold);
    for (size_t k = 0; k < sizes.size(); ++k)
        c.expect("shrunk", w.weight[k], 3, [&](int64_t i) {
            const double x = before.weight[k].at(i) * keep;
            return Want(std::copysign(std::fmax(std::fabs(x) - threshold, 0), x), 1);
        });
}

} // namespace

void check_penalty(Checks& c) {
    for_floats([&]<class T>(T) {
        for (const auto& sizes : kLists)
            for (double l1 : {0.0, 1.5})
                for (double l2 : {0.0, 0.25}) check_lists<T>(c, sizes, l1, l2);
        c.at("NaN and infinity");
        Array<T> x(3);
        x[0] = T(NAN), x[1] = T(INFINITY), x[2] = T(-INFINITY);
        PenaltyTensor t{3, x.data(), nullptr};
        c.call(c.table.penalty.shrink[sizeof(T) == 8], int64_t(1), &t, 0.5, 1.0);
        c.expect_exactly("shrunk", x, [](int64_t i) {
            return T(i == 0 ? NAN : i == 1 ? INFINITY : -INFINITY);
        });
    });
}

} // namespace dt::check
