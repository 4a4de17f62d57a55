#include "ops/penalty.h"

#include "bindings/docs.h"
#include "bindings/families.h"
#include "bindings/op.h"

namespace dt::bindings {

void bind_penalty(py::module_& m) {
    op<&ops::penalty>(
        m, "_penalty",
        "l1 times the sum of the magnitudes plus l2 times the sum of the squares of all parameters, "
        "in one pass; of shape ().",
        {"parameters"_a, "l1"_a = 0.0, "l2"_a = 0.0}, "penalty");
    op<&ops::shrink>(
        m, "_shrink",
        "Multiplies the parameters that have a gradient by keep and moves them by threshold towards 0 "
        "and no further, in place.",
        {"parameters"_a, "keep"_a = 1.0, "threshold"_a = 0.0}, "shrink");
}

} // namespace dt::bindings
