#include <pybind11/pybind11.h>

#include "ops/index.h"

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
    op<&ops::name>(m, #name, doc, {"x"_a, __VA_ARGS__});                                                     \
    method<&ops::name>(#name, doc, {__VA_ARGS__});

void bind_index(py::module_& m) {
    method<&get_item>("__getitem__",
                      "Indexing as in NumPy; without arrays among the indices the result is a view.",
                      {"key"_a});
    method<&set_item>("__setitem__", "Assignment in place, the value being broadcast and converted.",
                      {"key"_a, "value"_a});
    method<&iterate>("__iter__", "Iterates over the first axis.");
    method<&contains>("__contains__", "True when an element equals the value.", {"value"_a});
    DT_BOTH(take, "Entries of x along an axis at the given positions; negative ones count from the end.",
            "indices"_a, "axis"_a = py::none())
    DT_BOTH(
        gather,
        "Elements of x at the given positions along an axis, and at their own position along the others:\n"
        "out[i, j] = x[indices[i, j], j] for axis 0.",
        "indices"_a, "axis"_a)
    op<&ops::gather>(m, "take_along_axis", "The same as `gather`.", {"x"_a, "indices"_a, "axis"_a});
    DT_BOTH(scatter_add,
            "A copy of x with elements of `source` added at the given positions along an axis:\n"
            "out[indices[i, j], j] += source[i, j] for axis 0. Positions may repeat.",
            "indices"_a, "source"_a, "axis"_a)
    method<&InPlace<&ops::scatter_add_>::call>("scatter_add_", "The same as `scatter_add`, in place.",
                                               {"indices"_a, "source"_a, "axis"_a});
    op<&ops::one_hot>(m, "one_hot", "1 at the given positions of a new last axis, 0 elsewhere.",
                      {"indices"_a, "num_classes"_a = py::none(),
                       "dtype"_a = py::reinterpret_borrow<py::object>(dtype_object(DType::float32))});
    op<&ops::nonzero>(m, "nonzero", "The positions of what is not 0: one tensor of int64 for each axis.",
                      {"x"_a});
    method<&ops::nonzero>("nonzero", "The positions of what is not 0: one tensor of int64 for each axis.");
    DT_BOTH(argsort, "The positions that sort x along an axis: stable, NaN last.", "axis"_a = -1,
            "descending"_a = false)
    DT_BOTH(sort, "x sorted along an axis, NaN last.", "axis"_a = -1, "descending"_a = false)
    DT_BOTH(topk, "The k largest (or smallest) elements along an axis in order, and their positions.", "k"_a,
            "axis"_a = -1, "largest"_a = true)
}

} // namespace dt::bindings
