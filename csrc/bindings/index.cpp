#include <pybind11/pybind11.h>

#include "ops/index.h"

#include "bindings/docs.h"
#include "bindings/families.h"
#include "bindings/in_place.h"
#include "bindings/op.h"
#include "ops/compare.h"
#include "ops/reduce.h"

namespace dt::bindings {
namespace {

using ops::IndexItem;

[[noreturn]] void wrong_index(PyObject* o) {
    index_error({"index: expected integers, slices, None, ... (Ellipsis) or arrays of integers or bool, got ",
                 Py_TYPE(o)->tp_name});
}

Tensor array_index(PyObject* o) {
    if (is_tensor(o)) return unwrap(o);
    py::object array = py::reinterpret_borrow<py::object>(o);
    if (!is_array(o)) array = py::module_::import("numpy").attr("asarray")(array);
    if (!is_array(o) && py::len(array) == 0) array = array.attr("astype")("int64"); // an empty list
    const std::string kind = py::str(array.attr("dtype").attr("kind"));
    if (kind != "b" && kind != "i" && kind != "u")
        index_error({"index: arrays must hold integers or bool, got ",
                     py::str(array.attr("dtype")).cast<std::string>()});
    if (kind != "b" && !array.attr("dtype").attr("isnative").cast<bool>())
        array = array.attr("astype")("int64");
    const auto width = array.attr("dtype").attr("itemsize").cast<int>();
    if (kind == "u" ? width > 1 : kind == "i" && width < 4) array = array.attr("astype")("int64");
    return share_array("index", array.ptr());
}

IndexItem index_item(PyObject* o) {
    IndexItem item;
    if (PySlice_Check(o)) {
        Py_ssize_t start, stop, step;
        if (PySlice_Unpack(o, &start, &stop, &step) < 0) throw py::error_already_set();
        item.start = start;
        item.stop = stop;
        item.step = step;
    } else if (o == Py_None) {
        item.kind = IndexItem::Kind::new_axis;
    } else if (o == Py_Ellipsis) {
        item.kind = IndexItem::Kind::ellipsis;
    } else if (read_integer(o, item.start)) {
        item.kind = IndexItem::Kind::integer;
    } else if (is_tensor(o) && unwrap(o).rank() == 0 && is_integer(unwrap(o).dtype())) {
        item.kind = IndexItem::Kind::integer;
        py::object value = py::reinterpret_steal<py::object>(PyNumber_Index(o));
        if (!value || !read_integer(value.ptr(), item.start)) throw py::error_already_set();
    } else if (is_tensor(o) || is_array(o) || PyList_Check(o) || PyTuple_Check(o)) {
        item.kind = IndexItem::Kind::array;
        item.array = array_index(o);
        if (item.array.rank() == 0 && item.array.dtype() == DType::boolean)
            index_error({"index: a mask must have at least one dimension"});
    } else {
        wrong_index(o);
    }
    return item;
}

std::vector<IndexItem> index_items(const py::object& key) {
    std::vector<IndexItem> items;
    if (!PyTuple_Check(key.ptr())) {
        items.push_back(index_item(key.ptr()));
        return items;
    }
    const Py_ssize_t n = PyTuple_GET_SIZE(key.ptr());
    items.reserve(static_cast<size_t>(n));
    for (Py_ssize_t i = 0; i < n; ++i) items.push_back(index_item(PyTuple_GET_ITEM(key.ptr(), i)));
    return items;
}

Tensor get_item(const Tensor& x, const py::object& key) { return ops::get_item(x, index_items(key)); }
void set_item(const Tensor& x, const py::object& key, const Operand& value) {
    ops::set_item(x, index_items(key), value);
}

py::object iterate(const py::object& self) {
    if (unwrap(self.ptr()).rank() == 0) type_error({"iteration over a tensor without dimensions"});
    return py::reinterpret_steal<py::object>(PySeqIter_New(self.ptr()));
}

bool contains(const Tensor& x, const Operand& value) {
    return *ops::any(ops::equal({x, {}}, value), std::nullopt, false).data<bool>();
}

} // namespace

#define DT_BOTH(name, doc, ...)                                                                              \
    {                                                                                                        \
        const Doc text = doc;                                                                                \
        op<&ops::name>(m, #name, text, {"x"_a, __VA_ARGS__});                                                \
        method<&ops::name>(#name, text, {__VA_ARGS__});                                                      \
    }

void bind_index(py::module_& m) {
    method<&get_item>("__getitem__",
                      "Indexing as in NumPy; without arrays among the indices the result is a view.",
                      {"key"_a}, "index");
    method<&set_item>("__setitem__", "Assignment in place, the value being broadcast and converted.",
                      {"key"_a, "value"_a}, "index");
    method<&iterate>("__iter__", "Iterates over the first axis.");
    method<&contains>("__contains__", "True when an element equals the value.", {"value"_a});
    const char* errors =
        "IndexError: where axis or an index is out of range.\nTypeError: where indices are no integers.";
    DT_BOTH(take,
            (Doc{"Entries of x along an axis at the given positions; negative ones count from the end.",
                 "x: Tensor.\nindices: Tensor of integers, of any shape.\naxis: An int; None takes from the "
                 "flattened x.",
                 "Tensor of the dtype of x, the shape of indices in the place of axis.", errors,
                 ">>> dt.take(dt.tensor([10, 20, 30]), dt.tensor([2, 0]), axis=0)\ntensor([30, 10])"}),
            "indices"_a, "axis"_a = py::none())
    const char *along =
                   "Elements of x at the given positions along an axis, and at their own position along the\n"
                   "others: out[i, j] = x[indices[i, j], j] for axis 0.",
               *along_args = "x: Tensor.\nindices: Tensor of integers, of as many axes as x.\naxis: An int.",
               *along_result = "Tensor of the shape of indices and the dtype of x.";
    DT_BOTH(gather,
            (Doc{along, along_args, along_result, errors,
                 ">>> dt.gather(dt.tensor([[1, 2], [3, 4]]), dt.tensor([[1, 0]]), 0)\ntensor([[3, 2]])"}),
            "indices"_a, "axis"_a)
    op<&ops::gather, 1>(
        m, "take_along_axis",
        {along, along_args, along_result, errors,
         ">>> dt.take_along_axis(dt.tensor([[1, 2], [3, 4]]), dt.tensor([[1, 0]]), 0)\ntensor([[3, 2]])"},
        {"x"_a, "indices"_a, "axis"_a});
    DT_BOTH(
        scatter_add,
        (Doc{"A copy of x with elements of `source` added at the given positions along an axis:\n"
             "out[indices[i, j], j] += source[i, j] for axis 0. Positions may repeat.",
             "x: Tensor.\nindices: Tensor of integers, of as many axes as x.\n"
             "source: Tensor of the dtype of x, at least as large as indices.\naxis: An int.",
             "Tensor of the shape and dtype of x.", errors,
             ">>> dt.scatter_add(dt.zeros(3), dt.tensor([0, 2, 0]), dt.ones(3), 0)\ntensor([2., 0., 1.])"}),
        "indices"_a, "source"_a, "axis"_a)
    method<&InPlace<&ops::scatter_add_>::call>(
        "scatter_add_",
        {"The same as `scatter_add`, in place.", "indices, source, axis: As there.", "The tensor itself.",
         errors, ">>> dt.zeros(3).scatter_add_(dt.tensor([0, 2, 0]), dt.ones(3), 0)\ntensor([2., 0., 1.])"},
        {"indices"_a, "source"_a, "axis"_a});
    op<&ops::one_hot>(m, "one_hot",
                      {"1 at the given positions of a new last axis, 0 elsewhere.",
                       "indices: Tensor of integers, 0 or more.\n"
                       "num_classes: Size of the new axis; None for the largest index plus 1.\n"
                       "dtype: Of the result; float32 by default.",
                       "Tensor (..., num_classes).",
                       "ValueError: where an index is negative or not below num_classes.\n"
                       "TypeError: where indices are no integers.",
                       ">>> dt.one_hot(dt.tensor([2, 0]), 3)\ntensor([[0., 0., 1.],\n        [1., 0., 0.]])"},
                      {"indices"_a, "num_classes"_a = py::none(),
                       "dtype"_a = py::reinterpret_borrow<py::object>(dtype_object(DType::float32))});
    const Doc nonzero = {"The positions of what is not 0.", "x: Tensor of at least one axis.",
                         "A tuple with one Tensor of int64 for each axis.",
                         "TypeError: for what is no Tensor.",
                         ">>> dt.nonzero(dt.tensor([0, 5, 6]))\n(tensor([1, 2]),)"};
    op<&ops::nonzero>(m, "nonzero", nonzero, {"x"_a});
    method<&ops::nonzero>("nonzero", nonzero);
    const char
        *order =
            "x: Tensor of at least one axis.\naxis: An int.\ndescending: Whether the greatest comes first.",
        *order_errors = "IndexError: where axis is out of range.\nValueError: for a tensor without axes.";
    DT_BOTH(argsort,
            (Doc{"The positions that sort x along an axis: stable, NaN last.", order,
                 "Tensor of int64, of the shape of x.", order_errors,
                 ">>> dt.argsort(dt.tensor([3.0, 1.0, 2.0]))\ntensor([1, 2, 0])"}),
            "axis"_a = -1, "descending"_a = false)
    DT_BOTH(sort,
            (Doc{"x sorted along an axis, NaN last.", order,
                 "Tensor of the shape and dtype of x. Where no gradient is recorded -0 is less than 0, else "
                 "equal to it.",
                 order_errors, ">>> dt.sort(dt.tensor([3.0, 1.0, 2.0]))\ntensor([1., 2., 3.])"}),
            "axis"_a = -1, "descending"_a = false)
    DT_BOTH(topk,
            (Doc{"The k largest (or smallest) elements along an axis, in order.",
                 "x: Tensor of at least one axis.\nk: 0 to the size of the axis.\naxis: An int.\n"
                 "largest: False for the smallest.",
                 "(values, positions): Tensors of size k along axis, of the dtype of x and of int64.",
                 "IndexError: where axis is out of range.\nValueError: where k is.",
                 ">>> dt.topk(dt.tensor([3.0, 1.0, 2.0]), 2)\n(tensor([3., 2.]), tensor([0, 2]))"}),
            "k"_a, "axis"_a = -1, "largest"_a = true)
}

} // namespace dt::bindings
