#include "ops/compare.h"

#include "bindings/docs.h"
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

#define DT_COMPARE(name, method_name, summary, example)                                                      \
    {                                                                                                        \
        const Doc doc = elementwise_pair(Takes::tests, summary, example);                                    \
        op<&ops::name>(m, #name, doc, {"x1"_a, "x2"_a});                                                     \
        method<&ops::name>(method_name, doc, {"other"_a}, #name);                                            \
    }
#define DT_TEST(name, summary, example)                                                                      \
    op<&ops::name>(m, #name, elementwise(Takes::tests, summary, example), {"x"_a});

void bind_compare(py::module_& m) {
    const Doc equal = elementwise_pair(
                  Takes::tests, "True where the elements are equal; NaN equals nothing.",
                  ">>> dt.equal(dt.tensor([1, 2]), dt.tensor([1, 3]))\ntensor([ True, False])"),
              not_equal = elementwise_pair(
                  Takes::tests, "True where the elements differ.",
                  ">>> dt.not_equal(dt.tensor([1, 2]), dt.tensor([1, 3]))\ntensor([False,  True])");
    op<&ops::equal>(m, "equal", equal, {"x1"_a, "x2"_a});
    op<&ops::not_equal>(m, "not_equal", not_equal, {"x1"_a, "x2"_a});
    method<&lenient<&ops::equal>>("__eq__", "True where the elements are equal.", {"other"_a}, "equal");
    method<&lenient<&ops::not_equal>>("__ne__", "True where the elements differ.", {"other"_a}, "not_equal");
    DT_COMPARE(less, "__lt__", "True where x1 < x2.",
               ">>> dt.less(dt.tensor([1, 3]), 2)\ntensor([ True, False])")
    DT_COMPARE(less_equal, "__le__", "True where x1 <= x2.",
               ">>> dt.less_equal(dt.tensor([1, 2]), 1)\ntensor([ True, False])")
    DT_COMPARE(greater, "__gt__", "True where x1 > x2.",
               ">>> dt.greater(dt.tensor([1, 3]), 2)\ntensor([False,  True])")
    DT_COMPARE(greater_equal, "__ge__", "True where x1 >= x2.",
               ">>> dt.greater_equal(dt.tensor([1, 3]), 3)\ntensor([False,  True])")
    DT_TEST(isnan, "True where an element is NaN.",
            ">>> dt.isnan(dt.tensor([1.0, float(\"nan\")]))\ntensor([False,  True])")
    DT_TEST(isinf, "True where an element is infinite.",
            ">>> dt.isinf(dt.tensor([1.0, float(\"inf\")]))\ntensor([False,  True])")
    DT_TEST(isfinite, "True where an element is neither infinite nor NaN.",
            ">>> dt.isfinite(dt.tensor([1.0, float(\"inf\")]))\ntensor([ True, False])")
    DT_TEST(logical_not, "True where an element is 0.",
            ">>> dt.logical_not(dt.tensor([0, 2]))\ntensor([ True, False])")
    op<&ops::where>(
        m, "where",
        {"Elements of `x1` where `condition` is true, of `x2` elsewhere.",
         "condition: Tensor of bool.\nx1, x2: Tensors or numbers. All three broadcast.",
         "Tensor of the broadcast shape and of the promoted dtype of x1 and x2.",
         "ValueError: where the shapes do not broadcast.\nTypeError: where condition is not of bool.",
         ">>> dt.where(dt.tensor([True, False]), dt.tensor([1, 2]), 0)\ntensor([1, 0])"},
        {"condition"_a, "x1"_a, "x2"_a});
    const char *pair = "x1, x2: Tensors whose shapes broadcast.\nrtol, atol: Numbers, 0 or more.\n"
                       "equal_nan: Whether NaN equals NaN.",
               *errors = "ValueError: where the shapes do not broadcast.\nTypeError: for other kinds.";
    op<&ops::isclose>(
        m, "isclose",
        {"True where abs(x1 - x2) <= atol + rtol * abs(x2).", pair, "Tensor of bool, of the broadcast shape.",
         errors, ">>> dt.isclose(dt.tensor([1.0, 2.0]), dt.tensor([1.0, 2.1]))\ntensor([ True, False])"},
        {"x1"_a, "x2"_a, "rtol"_a = 1e-5, "atol"_a = 1e-8, "equal_nan"_a = false});
    op<&ops::allclose>(m, "allclose",
                       {"True when all elements are close, see `isclose`.", pair, "bool", errors,
                        ">>> dt.allclose(dt.tensor([1.0, 2.0]), dt.tensor([1.0, 2.1]))\nFalse"},
                       {"x1"_a, "x2"_a, "rtol"_a = 1e-5, "atol"_a = 1e-8, "equal_nan"_a = false});
    op<&ops::array_equal>(m, "array_equal",
                          {"True when shapes and all elements are equal.", "x1, x2: Tensors.", "bool",
                           "TypeError: for what is no Tensor.",
                           ">>> dt.array_equal(dt.tensor([1, 2]), dt.tensor([1, 2]))\nTrue"},
                          {"x1"_a, "x2"_a});
    method<&ops::masked_fill>(
        "masked_fill",
        {"A copy in which the elements where `mask` is true are `value`.",
         "mask: Tensor of bool that broadcasts to the tensor.\nvalue: A number.",
         "Tensor of the same shape and dtype.",
         "ValueError: where mask does not broadcast, or value does not fit the dtype.\n"
         "TypeError: where mask is not of bool.",
         ">>> dt.tensor([1, 2]).masked_fill(dt.tensor([True, False]), 0)\ntensor([0, 2])"},
        {"mask"_a, "value"_a});
}

} // namespace dt::bindings
