#include "ops/elementwise.h"

#include "bindings/families.h"
#include "bindings/op.h"

namespace dt::bindings {

void bind_elementwise(py::module_& m) {
    op<&ops::add>(m, "add", "Sum of two tensors, element by element.", {"x1"_a, "x2"_a});
    op<&ops::multiply>(m, "multiply", "Product of two tensors, element by element.", {"x1"_a, "x2"_a});
    method<&ops::add>("__add__", "self + other", {"other"_a});
    method<&ops::multiply>("__mul__", "self * other", {"other"_a});
}

} // namespace dt::bindings
