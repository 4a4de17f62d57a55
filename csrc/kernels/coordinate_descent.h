#pragma once
#include <cstdint>

namespace dt {

// minimise  w'Gw / 2 - q'w + l1 |w|_1 + l2 |w|^2 / 2   over w, with w >= 0 where `positive`, one coordinate
// after the other.
struct CoordinateDescentArgs {
    int64_t size = 0;
    const double* gram = nullptr;   // G: symmetric (size, size), no negative diagonal
    const double* target = nullptr; // q
    double* weights = nullptr;      // where it begins and what it finds
    double* scratch = nullptr;      // (size)
    double l1 = 0, l2 = 0;
    double tolerance = 0; // the largest change of a sweep, of w_j sqrt(G_jj + l2), that ends the work
    int64_t max_sweeps = 0;
    bool positive = false;
};

struct CoordinateDescent {
    // The sweeps made; fewer than max_sweeps where the last one over all coordinates changed little.
    int64_t (*descend)(const CoordinateDescentArgs& args);
};

} // namespace dt
