#include "ops/coordinate_descent.h"

#include "bindings/families.h"
#include "bindings/op.h"

namespace dt::bindings {

void bind_coordinate_descent(py::module_& m) {
    op<&ops::coordinate_descent>(
        m, "_coordinate_descent",
        "Changes weights w in place towards the minimum of w'Gw / 2 - q'w + l1 |w|_1 + l2 |w|^2 / 2, G being "
        "gram (n, n)\n"
        "and q target (n,), one coordinate after the other (Friedman, Hastie and Tibshirani, 2010); all "
        "float64. The work\n"
        "ends when no w_j sqrt(G_jj + l2) changes by more than tolerance, or after max_sweeps. With "
        "positive, "
        "w >= 0.\n"
        "Returns the number of sweeps.",
        {"gram"_a, "target"_a, "weights"_a, "l1"_a, "l2"_a = 0.0, "tolerance"_a = 1e-10,
         "max_sweeps"_a = 1000, "positive"_a = false},
        "coordinate_descent");
}

} // namespace dt::bindings
