#include "kernels/coordinate_descent.h"

#include "check.h"

namespace dt::check {
namespace {

struct Problem {
    Array<double> gram, target;
};

// G = A'A of a random matrix with twice as many rows, which has an inverse; one column may be all zeros.
Problem make_problem(Checks& c, int64_t n, bool with_zeros) {
    const int64_t rows = 2 * n;
    Array<double> a = c.uniform_array<double>(rows * n);
    if (with_zeros)
        for (int64_t r = 0; r < rows; ++r) a[r * n + n / 2] = 0;
    Problem p{Array<double>(n * n), Array<double>(n)};
    for (int64_t i = 0; i < n; ++i) {
        double q = 0;
        for (int64_t r = 0; r < rows; ++r) q += a[r * n + i] * std::sin(double(r));
        p.target[i] = q;
        for (int64_t j = 0; j < n; ++j) {
            double dot = 0;
            for (int64_t r = 0; r < rows; ++r) dot += a[r * n + i] * a[r * n + j];
            p.gram[i * n + j] = dot;
        }
    }
    return p;
}

CoordinateDescentArgs arguments(const Problem& p, Array<double>& weights, Array<double>& scratch) {
    CoordinateDescentArgs args;
    args.size = p.target.size();
    args.gram = p.gram.data();
    args.target = p.target.data();
    args.weights = weights.data();
    args.scratch = scratch.data();
    return args;
}

// A few sweeps against plain loops: coordinates in their order, those that are 0 only in every pass over all.
void check_sweeps(Checks& c, int64_t n, double l1, double l2, bool positive, int64_t sweeps) {
    c.at("sweeps, size ", n, ", l1 ", l1, ", l2 ", l2, positive ? ", positive" : "", ", sweeps ", sweeps);
    const Problem p = make_problem(c, n, n > 2);
    const Array<double> start = c.uniform_array<double>(n, positive ? 0 : -1);
    Array<double> weights = start, scratch(n);
    CoordinateDescentArgs args = arguments(p, weights, scratch);
    args.l1 = l1;
    args.l2 = l2;
    args.positive = positive;
    args.max_sweeps = sweeps;
    args.tolerance = 0.05;
    const int64_t made = c.call(c.table.coordinate_descent.descend, args);
    std::vector<double> w(size_t(n), 0.0);
    for (int64_t i = 0; i < n; ++i) w[size_t(i)] = start[i];
    bool all = true;
    int64_t count = 0;
    for (bool done = false; !done && count < sweeps; ++count) {
        double largest = 0;
        for (int64_t j = 0; j < n; ++j) {
            const double curvature = p.gram[j * n + j] + l2, old = w[size_t(j)];
            if ((!all && old == 0) || curvature <= 0) continue;
            double pull = p.target[j] + p.gram[j * n + j] * old;
            for (int64_t i = 0; i < n; ++i) pull -= p.gram[j * n + i] * w[size_t(i)];
            const double size = std::fmax(std::fabs(pull) - l1, 0) / curvature;
            w[size_t(j)] = pull > 0 ? size : positive ? 0 : -size;
            largest = std::fmax(largest, std::fabs(w[size_t(j)] - old) * std::sqrt(curvature));
        }
        done = largest <= args.tolerance && all;
        all = largest <= args.tolerance;
    }
    c.expect_true("sweeps made", made == count);
    // Errors of a coordinate come back through the others, sweep after sweep.
    c.expect("weights", weights, 1e3 * double(n),
             [&](int64_t i) { return Want(w[size_t(i)], std::fmax(1, std::fabs(w[size_t(i)]))); });
}

// At the minimum no small change of a coordinate helps.
void check_minimum(Checks& c, int64_t n, double l1, double l2, bool positive) {
    c.at("minimum, size ", n, ", l1 ", l1, ", l2 ", l2, positive ? ", positive" : "");
    const Problem p = make_problem(c, n, false);
    Array<double> weights(n), scratch(n);
    for (int64_t i = 0; i < n; ++i) weights[i] = 0;
    CoordinateDescentArgs args = arguments(p, weights, scratch);
    args.l1 = l1;
    args.l2 = l2;
    args.positive = positive;
    args.max_sweeps = 100000;
    args.tolerance = 1e-13;
    c.expect_true("converged", c.call(c.table.coordinate_descent.descend, args) < args.max_sweeps);
    bool optimal = true;
    for (int64_t j = 0; j < n; ++j) {
        double slope = p.target[j] - l2 * weights[j];
        for (int64_t i = 0; i < n; ++i) slope -= p.gram[j * n + i] * weights[i];
        const double w = weights[j];
        if (w == 0)
            optimal = optimal && (positive ? slope : std::fabs(slope)) <= l1 + 1e-9;
        else
            optimal = optimal && std::fabs(slope - (w > 0 ? l1 : -l1)) < 1e-9 && !(positive && w < 0);
    }
    c.expect_true("optimal", optimal);
}

} // namespace

void check_coordinate_descent(Checks& c) {
    for (int64_t n : {int64_t(1), int64_t(2), int64_t(7), int64_t(16), int64_t(33)})
        for (double l1 : {0.0, 0.5, 3.0})
            for (double l2 : {0.0, 2.0})
                for (bool positive : {false, true}) {
                    for (int64_t sweeps : {int64_t(1), int64_t(2), int64_t(6)})
                        check_sweeps(c, n, l1, l2, positive, sweeps);
                    check_minimum(c, n, l1, l2, positive);
                }
    Array<double> nothing(0);
    CoordinateDescentArgs args;
    args.gram = args.target = nothing.data();
    args.weights = args.scratch = nothing.data();
    args.max_sweeps = 5;
    c.at("no coordinates");
    c.expect_true("one sweep", c.call(c.table.coordinate_descent.descend, args) == 1);
}

} // namespace dt::check
