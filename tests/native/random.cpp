#include "kernels/random.h"

#include "check.h"
#include "philox.h"

namespace dt::check {
namespace {

const RandomSource kSources[] = {
    {0, 0, 0}, {7, 3, 5}, {0xFEDCBA9876543210u, 0x123456789ABCDEFu, 1000001}, {1, 2, int64_t(1) << 36}};

// A uniform number as csrc/kernels/random.h promises: 24 or 53 bits of its word, scaled to [low, high).
template <class T> double unit(const RandomSource& source, int64_t i) {
    return sizeof(T) == 4 ? (word(source, i) >> 8) * 0x1p-24 : double(wide_word(source, i) >> 11) * 0x1p-53;
}

// Box and Muller: the first half of a group's words are the radii, the second the angles; cosines, then
// sines.
template <class T> Want normal(const RandomSource& source, int64_t i, double mean, double std) {
    const int64_t group = sizeof(T) == 4 ? 64 : 32, half = group / 2, first = i / group * group,
                  j = i % group % half;
    double open, angle;
    if (sizeof(T) == 4) {
        open = (word(source, first + j) + 0.5) * 0x1p-32;
        angle = word(source, first + half + j) * 0x1p-32;
    } else {
        open = (double(wide_word(source, first + j) >> 11) + 0.5) * 0x1p-53;
        angle = double(wide_word(source, first + half + j)) * 0x1p-64;
    }
    const double radius = std::sqrt(-2 * std::log(open)) * std;
    const double turn = 2 * M_PI * angle;
    // -log(open) near 0 is only as exact as `open`, which is rounded to T.
    return {mean + radius * (i % group < half ? std::cos(turn) : std::sin(turn)),
            std::fabs(mean) + radius + std / (radius / std + 1e-3)};
}

template <class T> void check_floats(Checks& c, int which, const RandomSource& source, int64_t n) {
    Array<T> uniform(n), gauss(n), once(n), each(n);
    c.call(c.table.random.uniform[which], source, n, -2.0, 3.0, uniform.data());
    c.expect("uniform", uniform, 4,
             [&](int64_t i) -> Want { return {-2 + 5 * unit<T>(source, source.begin + i), 5}; });
    for (int64_t i = 0; i < n; ++i)
        if (!(uniform[i] >= T(-2) && uniform[i] < T(3)))
            return c.expect_true("uniform lies in [low, high)", false);
    c.call(c.table.random.normal[which], source, n, 0.5, 2.0, gauss.data());
    c.expect("normal", gauss, 16, [&](int64_t i) { return normal<T>(source, source.begin + i, 0.5, 2); });
    const T probability = T(0.3);
    c.call(c.table.random.bernoulli[which], source, n, &probability, int64_t(0), once.data());
    c.expect_exactly("bernoulli, one probability", once, [&](int64_t i) {
        return T(word(source, source.begin + i) * 0x1p-32 < double(probability));
    });
    Array<T> p = c.uniform_array<T>(n, 0, 1);
    for (int64_t i = 0; i < n; i += 7) p[i] = T(i % 2);
    c.call(c.table.random.bernoulli[which], source, n, p.data(), int64_t(1), each.data());
    c.expect_exactly("bernoulli, one probability each", each,
                     [&](int64_t i) { return T(word(source, source.begin + i) * 0x1p-32 < double(p[i])); });
}

} // namespace

void check_random(Checks& c) {
    for (const RandomSource& source : kSources)
        for (int64_t n : {int64_t(0), int64_t(1), int64_t(15), int64_t(31), int64_t(64), int64_t(65),
                          int64_t(200), kLargeSize / 4}) {
            c.at("seed ", int64_t(source.seed), ", stream ", int64_t(source.stream), ", from ", source.begin,
                 ", size ", n);
            check_floats<float>(c, 0, source, n);
            check_floats<double>(c, 1, source, n);
            Array<int64_t> integers(n);
            c.call(c.table.random.integers, source, n, int64_t(-1000), int64_t(1) << 40, integers.data());
            c.expect_exactly("integers", integers, [&](int64_t i) {
                const unsigned __int128 range = (uint64_t(1) << 40) + 1000;
                return int64_t(wide_word(source, source.begin + i) * range >> 64) - 1000;
            });
            // Position i of 0 .. n-1 swaps with one of those before it, or stays.
            std::vector<int64_t> order;
            for (int64_t i = 0; i < n; ++i) {
                const unsigned __int128 positions = uint64_t(i + 1);
                order.push_back(i);
                std::swap(order[size_t(i)],
                          order[size_t(wide_word(source, source.begin + i) * positions >> 64)]);
            }
            Array<int64_t> permutation(n);
            c.call(c.table.random.permutation, source, n, permutation.data());
            c.expect_exactly("permutation", permutation, [&](int64_t i) { return order[size_t(i)]; });
        }
}

} // namespace dt::check
