#include "ops/shape.h"

#include "bindings/families.h"
#include "bindings/op.h"

namespace dt::bindings {
namespace {

// Like NumPy's split: a number of equal parts, or the positions of the cuts.
std::vector<Tensor> split(const Tensor& x, const py::object& sections, int64_t axis) {
    int64_t n;
    if (read_integer(sections.ptr(), n)) return ops::split(x, n, axis);
    if (!PyTuple_Check(sections.ptr()) && !PyList_Check(sections.ptr()))
        wrong_type({"split", "indices_or_sections"}, "an int or a sequence of ints", sections.ptr());
    std::vector<int64_t> positions;
    const py::tuple items(sections); // an __index__ may change the list
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(items.ptr()); ++i) {
        PyObject* item = PyTuple_GET_ITEM(items.ptr(), i);
        if (!read_integer(item, n))
            wrong_type({"split", "indices_or_sections"}, "an int or a sequence of ints", item);
        positions.push_back(n);
    }
    return ops::split_at(x, positions, axis);
}

// Like NumPy's pad: one width for all sides, (before, after) for all axes, or a pair for each axis.
Tensor pad(const Tensor& x, const py::object& pad_width, const std::string& mode,
           const Scalar& constant_values) {
    const Where where{"pad", "pad_width"};
    Dims before(x.rank(), 0), after(x.rank(), 0), all;
    PyObject* o = pad_width.ptr();
    const bool sequence = PyTuple_Check(o) || PyList_Check(o);
    const auto set = [&](int axis, const Dims& pair) {
        before[axis] = pair[0];
        after[axis] = pair[pair.rank() - 1];
    };
    if (read_dims(o, all, where)) {
        if (all.rank() > 2 || all.rank() == 0)
            value_error(
                {"pad: pad_width ", all, " must be one int, (before, after), or such a pair for each axis"});
        for (int i = 0; i < x.rank(); ++i) set(i, all);
        return ops::pad(x, before, after, mode, constant_values);
    }
    if (!sequence) wrong_type(where, "an int, (before, after) or a sequence of such pairs", o);
    const py::tuple items(pad_width); // an __index__ may change the list
    const Py_ssize_t n = PyTuple_GET_SIZE(items.ptr());
    if (n != x.rank() && n != 1)
        value_error({"pad: pad_width has ", static_cast<int64_t>(n), " pairs, expected one for each of the ",
                     x.rank(), " axes of x (shape ", x.shape(), ")"});
    for (int i = 0; i < x.rank(); ++i) {
        Dims pair;
        PyObject* item = PyTuple_GET_ITEM(items.ptr(), n == 1 ? 0 : i);
        if (!read_dims(item, pair, where) || pair.rank() < 1 || pair.rank() > 2)
            wrong_type(where, "an int, (before, after) or a sequence of such pairs", item);
        set(i, pair);
    }
    return ops::pad(x, before, after, mode, constant_values);
}

Tensor reversed(const Tensor& x) { return ops::transpose(x, std::nullopt); }

} // namespace

#define DT_BOTH(function, name, doc, ...)                                                                    \
    op<&function>(m, name, doc, {"x"_a, __VA_ARGS__});                                                       \
    method<&function>(name, doc, {__VA_ARGS__});

void bind_shape(py::module_& m) {
    op<&ops::reshape>(m, "reshape",
                      "The elements in another shape; one size may be -1. A view where the strides allow.",
                      {"x"_a, "shape"_a});
    method<&ops::reshape>(
        "reshape", "The elements in another shape; one size may be -1. A view where the strides allow.",
        {many("shape"_a)});
    DT_BOTH(ops::flatten, "flatten", "The axes from `start_axis` to `end_axis` as one.", "start_axis"_a = 0,
            "end_axis"_a = -1)
    op<&ops::permute_dims>(m, "permute_dims", "A view with the axes in another order.", {"x"_a, "axes"_a});
    method<&ops::permute_dims>("permute_dims", "A view with the axes in another order.", {many("axes"_a)});
    op<&ops::transpose>(m, "transpose", "A view with the axes in another order; by default reversed.",
                        {"x"_a, "axes"_a = py::none()});
    method<&ops::transpose>("transpose", "A view with the axes in another order; by default reversed.",
                            {many("axes"_a = py::none())});
    op<&ops::matrix_transpose>(m, "matrix_transpose", "A view with the last two axes swapped.", {"x"_a});
    attribute<&reversed>("T", "A view with the axes reversed.");
    attribute<&ops::matrix_transpose>("mT", "A view with the last two axes swapped.");
    DT_BOTH(ops::swapaxes, "swapaxes", "A view with two axes swapped.", "axis1"_a, "axis2"_a)
    DT_BOTH(ops::moveaxis, "moveaxis", "A view with axes moved to other places.", "source"_a, "destination"_a)
    DT_BOTH(ops::squeeze, "squeeze", "A view without the axes of size 1, or without those given.",
            "axis"_a = py::none())
    DT_BOTH(ops::expand_dims, "expand_dims", "A view with new axes of size 1.", "axis"_a = 0)
    op<&ops::broadcast_to>(m, "broadcast_to", "A view that repeats x to a larger shape.", {"x"_a, "shape"_a});
    method<&ops::broadcast_to>("broadcast_to", "A view that repeats x to a larger shape.", {many("shape"_a)});
    method<&ops::broadcast_to>("expand", "A view that repeats x to a larger shape; -1 keeps a size.",
                               {many("shape"_a)});
    DT_BOTH(ops::flip, "flip", "A view with axes reversed, by default all.", "axis"_a = py::none())
    op<&ops::diagonal>(m, "diagonal", "A view of the diagonals of the last two axes.", {"x"_a});
    method<&ops::diagonal>("diagonal", "A view of the diagonals of the last two axes.");
    op<&ops::concat>(m, "concat",
                     "The tensors one after the other along an existing axis; None flattens them.",
                     {"tensors"_a, "axis"_a = 0});
    op<&ops::stack>(m, "stack", "The tensors, all of one shape, along a new axis.",
                    {"tensors"_a, "axis"_a = 0});
    DT_BOTH(split, "split",
            "Views of parts along an axis: a number of equal parts, or cut at the given positions (as "
            "NumPy's split).",
            "indices_or_sections"_a, "axis"_a = 0)
    DT_BOTH(ops::unstack, "unstack", "Views of the entries along an axis.", "axis"_a = 0)
    DT_BOTH(ops::roll, "roll",
            "The elements shifted along axes, those that fall off entering at the other end.", "shift"_a,
            "axis"_a = py::none())
    DT_BOTH(pad, "pad",
            "x with entries added around; `mode` is 'constant', 'edge' or 'reflect' (as NumPy's pad).",
            "pad_width"_a, "mode"_a = "constant", "constant_values"_a = 0)
    DT_BOTH(ops::tile, "tile", "x repeated as a whole, so often along each axis.", "repetitions"_a)
    DT_BOTH(ops::repeat, "repeat", "Every element repeated along an axis; None flattens x.", "repeats"_a,
            "axis"_a = py::none())
    DT_BOTH(ops::tril, "tril", "The elements on and below a diagonal, 0 above.", "k"_a = 0)
    DT_BOTH(ops::triu, "triu", "The elements on and above a diagonal, 0 below.", "k"_a = 0)
}

} // namespace dt::bindings
