#include "ops/compare.h"

#include "bindings/families.h"
#include "bindings/op.h"

namespace dt::bindings {
namespace {

// `==` and `!=` with something that is no number leave the answer to Python.
template <auto F> py::object lenient(const Tensor& self, const py::object& other) {
    PyObject* o = other.ptr();
    const bool comparable = is_tensor(o) || is_array(o) || PyFloat_Check(o) || PyLong_Check(o) ||
                            PyIndex_Check(o) ||
                            (Py_TYPE(o)->tp_as_number && Py_TYPE(o)->tp_as_number->nb_float);
    if (!comparable) return py::reinterpret_borrow<py::object>(Py_NotImplemented);
    return py::reinterpret_steal<py::object>(wrap(F({self, {}}, read_operand(o, {"equal", "other"}))));
}

} // namespace

#define DT_COMPARE(name, method_name, doc)                                                                   \
    op<&ops::name>(m, #name, doc, {"x1"_a, "x2"_a});                                                         \
    method<&ops::name>(method_name, doc, {"other"_a});

void bind_compare(py::module_& m) {
    op<&ops::equal>(m, "equal", "True where the elements are equal.", {"x1"_a, "x2"_a});
    op<&ops::not_equal>(m, "not_equal", "True where the elements differ.", {"x1"_a, "x2"_a});
    method<&lenient<&ops::equal>>("__eq__", "True where the elements are equal.", {"other"_a});
    method<&lenient<&ops::not_equal>>("__ne__", "True where the elements differ.", {"other"_a});
    DT_COMPARE(less, "__lt__", "True where x1 < x2.")
    DT_COMPARE(less_equal, "__le__", "True where x1 <= x2.")
    DT_COMPARE(greater, "__gt__", "True where x1 > x2.")
    DT_COMPARE(greater_equal, "__ge__", "True where x1 >= x2.")
    op<&ops::isnan>(m, "isnan", "True where an element is NaN.", {"x"_a});
    op<&ops::isinf>(m, "isinf", "True where an element is infinite.", {"x"_a});
    op<&ops::isfinite>(m, "isfinite", "True where an element is neither infinite nor NaN.", {"x"_a});
    op<&ops::logical_not>(m, "logical_not", "True where an element is 0.", {"x"_a});
    op<&ops::where>(
        m, "where",
        "Elements of `x1` where `condition` (bool) is true, of `x2` elsewhere; all three broadcast.",
        {"condition"_a, "x1"_a, "x2"_a});
    op<&ops::isclose>(m, "isclose", "True where abs(x1 - x2) <= atol + rtol * abs(x2).",
                      {"x1"_a, "x2"_a, "rtol"_a = 1e-5, "atol"_a = 1e-8, "equal_nan"_a = false});
    op<&ops::allclose>(m, "allclose", "True when all elements are close, see `isclose`.",
                       {"x1"_a, "x2"_a, "rtol"_a = 1e-5, "atol"_a = 1e-8, "equal_nan"_a = false});
    op<&ops::array_equal>(m, "array_equal", "True when shapes and all elements are equal.", {"x1"_a, "x2"_a});
    method<&ops::masked_fill>("masked_fill", "A copy in which the elements where `mask` is true are `value`.",
                              {"mask"_a, "value"_a});
}

} // namespace dt::bindings
