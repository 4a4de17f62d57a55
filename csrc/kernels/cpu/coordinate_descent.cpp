#include "kernels/coordinate_descent.h"

#include "kernels/cpu/lanes.h"

namespace dt::cpu::DT_LEVEL {
namespace {

DT_INLINE void add_row(int64_t n, double factor, const double* row, double* sums) {
    for_vectors<double>(n, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
        store(sums + i, load(sums + i, part) + load(row + i, part) * factor, part);
    });
}

// What is left of x when its size shrinks by l1.
DT_INLINE double shrink(double x, double l1, bool positive) {
    if (x > l1) return x - l1;
    return x < -l1 && !positive ? x + l1 : 0.0;
}

// One pass over the coordinates, or over those that are not 0; `product` stays G w. Returns the largest
// change.
double sweep(const CoordinateDescentArgs& args, double* product, bool all) {
    const int64_t n = args.size;
    double largest = 0;
    for (int64_t j = 0; j < n; ++j) {
        const double old = args.weights[j];
        if (!all && old == 0) continue;
        const double* row = args.gram + j * n;
        const double curvature = row[j] + args.l2;
        if (!(curvature > 0)) continue; // a constant column, which changes nothing
        const double pull = args.target[j] - product[j] + row[j] * old;
        const double change = shrink(pull, args.l1, args.positive) / curvature - old;
        if (change == 0) continue;
        args.weights[j] = old + change;
        add_row(n, change, row, product);
        largest = max(largest, abs(change) * sqrt(curvature));
    }
    return largest;
}

int64_t descend(const CoordinateDescentArgs& args) {
    const int64_t n = args.size;
    double* product = args.scratch;
    for (int64_t i = 0; i < n; ++i) product[i] = 0;
    for (int64_t j = 0; j < n; ++j)
        if (args.weights[j] != 0) add_row(n, args.weights[j], args.gram + j * n, product);
    bool all = true; // between two passes over all the ones that are not 0 are settled among themselves
    for (int64_t count = 1; count <= args.max_sweeps; ++count) {
        const double largest = sweep(args, product, all);
        if (largest != largest) return count; // nothing that is not finite becomes finite again
        const bool settled = largest <= args.tolerance;
        if (settled && all) return count;
        all = settled;
    }
    return args.max_sweeps;
}

} // namespace

CoordinateDescent coordinate_descent() { return {descend}; }

} // namespace dt::cpu::DT_LEVEL
