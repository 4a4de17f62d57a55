#include "ops/shape.h"

#include "bindings/docs.h"
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

// A function and a method; `shape` and `axes` of a method may be given as t.reshape(2, 3).
#define DT_BOTH(function, name, doc, ...)                                                                    \
    {                                                                                                        \
        const Doc text = doc;                                                                                \
        op<&function>(m, name, text, {"x"_a, __VA_ARGS__});                                                  \
        method<&function>(name, text, {__VA_ARGS__});                                                        \
    }
#define DT_SPREAD(function, name, doc, argument)                                                             \
    {                                                                                                        \
        const Doc text = doc;                                                                                \
        op<&function>(m, name, text, {"x"_a, argument});                                                     \
        method<&function>(name, text, {many(argument)});                                                     \
    }

namespace {

constexpr const char *kView = "Tensor, a view of the same memory.",
                     *kAxis = "IndexError: where an axis is out of range.",
                     *kSizes = "ValueError: where the sizes do not fit.";

void bind_views(py::module_& m) {
    DT_SPREAD(
        ops::reshape, "reshape",
        (Doc{"The elements, in order, in another shape.", "x: Tensor.\nshape: Sizes; one of them may be -1.",
             "Tensor, a view where the strides allow, else a copy.", kSizes,
             ">>> dt.reshape(dt.arange(6), (2, -1))\ntensor([[0, 1, 2],\n        [3, 4, 5]])"}),
        "shape"_a)
    DT_BOTH(ops::flatten, "flatten",
            (Doc{"The axes from `start_axis` to `end_axis` as one.",
                 "x: Tensor.\nstart_axis, end_axis: Both included.",
                 "Tensor, a view where the strides allow, else a copy.", kAxis,
                 ">>> dt.flatten(dt.ones((2, 3, 4)), 1).shape\n(2, 12)"}),
            "start_axis"_a = 0, "end_axis"_a = -1)
    DT_SPREAD(ops::permute_dims, "permute_dims",
              (Doc{"The axes in another order.", "x: Tensor.\naxes: A permutation of all axes.", kView,
                   "ValueError: where axes are no permutation.",
                   ">>> dt.permute_dims(dt.ones((2, 3, 4)), (2, 0, 1)).shape\n(4, 2, 3)"}),
              "axes"_a)
    DT_SPREAD(ops::transpose, "transpose",
              (Doc{"The axes in another order, by default reversed.",
                   "x: Tensor.\naxes: A permutation of all axes, or None.", kView,
                   "ValueError: where axes are no permutation.",
                   ">>> dt.transpose(dt.ones((2, 3))).shape\n(3, 2)"}),
              "axes"_a = py::none())
    op<&ops::matrix_transpose>(m, "matrix_transpose",
                               {"The last two axes swapped.", "x: Tensor of at least two axes.", kView,
                                "ValueError: for fewer axes.",
                                ">>> dt.matrix_transpose(dt.ones((5, 2, 3))).shape\n(5, 3, 2)"},
                               {"x"_a});
    attribute<&reversed>("T", "A view with the axes reversed.");
    attribute<&ops::matrix_transpose>("mT", "A view with the last two axes swapped.");
    DT_BOTH(ops::swapaxes, "swapaxes",
            (Doc{"Two axes swapped.", "x: Tensor.\naxis1, axis2: Ints.", kView, kAxis,
                 ">>> dt.swapaxes(dt.ones((2, 3, 4)), 0, 2).shape\n(4, 3, 2)"}),
            "axis1"_a, "axis2"_a)
    DT_BOTH(ops::moveaxis, "moveaxis",
            (Doc{"Axes moved to other places; the others keep their order.",
                 "x: Tensor.\nsource, destination: Ints, or several of each.", kView, kAxis,
                 ">>> dt.moveaxis(dt.ones((2, 3, 4)), 0, -1).shape\n(3, 4, 2)"}),
            "source"_a, "destination"_a)
    DT_BOTH(ops::squeeze, "squeeze",
            (Doc{"Without the axes of size 1, or without those given.",
                 "x: Tensor.\naxis: An int, several, or None for all of size 1.", kView,
                 "ValueError: where a given axis has another size.\nIndexError: where it is out of range.",
                 ">>> dt.squeeze(dt.ones((1, 3, 1))).shape\n(3,)"}),
            "axis"_a = py::none())
    DT_BOTH(
        ops::expand_dims, "expand_dims",
        (Doc{"With new axes of size 1.", "x: Tensor.\naxis: Their places in the result, an int or several.",
             kView, kAxis, ">>> dt.expand_dims(dt.ones((2, 3)), 1).shape\n(2, 1, 3)"}),
        "axis"_a = 0)
    const char *larger = "x: Tensor.\nshape: Sizes; -1 keeps one.",
               *repeated = "Repeated to a larger shape, without copying.",
               *broadcast = "ValueError: where x does not broadcast to shape.";
    DT_SPREAD(ops::broadcast_to, "broadcast_to",
              (Doc{repeated, larger, kView, broadcast,
                   ">>> dt.broadcast_to(dt.tensor([1, 2]), (2, 2))\ntensor([[1, 2],\n        [1, 2]])"}),
              "shape"_a)
    method<&ops::broadcast_to, 1>("expand",
                                  {repeated, larger, kView, broadcast,
                                   ">>> dt.tensor([1, 2]).expand(2, -1)\ntensor([[1, 2],\n        [1, 2]])"},
                                  {many("shape"_a)});
    DT_BOTH(ops::flip, "flip",
            (Doc{"Axes reversed.", "x: Tensor.\naxis: An int, several, or None for all.", kView, kAxis,
                 ">>> dt.flip(dt.tensor([1, 2, 3]))\ntensor([3, 2, 1])"}),
            "axis"_a = py::none())
    const Doc diagonal = {"The diagonals of the last two axes.", "x: Tensor of at least two axes.", kView,
                          "ValueError: for fewer axes.",
                          ">>> dt.diagonal(dt.tensor([[1, 2], [3, 4]]))\ntensor([1, 4])"};
    op<&ops::diagonal>(m, "diagonal", diagonal, {"x"_a});
    method<&ops::diagonal>("diagonal", diagonal);
    DT_BOTH(split, "split",
            (Doc{"Parts along an axis, as numpy.split.",
                 "x: Tensor.\nindices_or_sections: The number of equal parts, or the positions of the "
                 "cuts.\naxis: An int.",
                 "A tuple of Tensors, views of the same memory.",
                 "ValueError: where the parts would not be equal.\nIndexError: where axis is out of range.",
                 ">>> dt.split(dt.arange(5), [2])\n(tensor([0, 1]), tensor([2, 3, 4]))"}),
            "indices_or_sections"_a, "axis"_a = 0)
    DT_BOTH(ops::unstack, "unstack",
            (Doc{"The entries along an axis.", "x: Tensor of at least one axis.\naxis: An int.",
                 "A tuple of Tensors, views of the same memory.", kAxis,
                 ">>> dt.unstack(dt.tensor([[1, 2], [3, 4]]))\n(tensor([1, 2]), tensor([3, 4]))"}),
            "axis"_a = 0)
}

} // namespace

void bind_shape(py::module_& m) {
    bind_views(m);
    op<&ops::concat>(
        m, "concat",
        {"The tensors one after the other along an existing axis.",
         "tensors: Sequence of Tensors whose other axes agree.\naxis: An int; None flattens them first.",
         "Tensor of the promoted dtype.",
         "ValueError: for no tensors, and where their shapes differ.\nIndexError: where axis is out of "
         "range.",
         ">>> dt.concat([dt.tensor([1, 2]), dt.tensor([3])])\ntensor([1, 2, 3])"},
        {"tensors"_a, "axis"_a = 0});
    op<&ops::stack>(
        m, "stack",
        {"The tensors along a new axis.",
         "tensors: Sequence of Tensors of one shape.\naxis: The place of the new axis.",
         "Tensor of the promoted dtype.",
         "ValueError: for no tensors, and where their shapes differ.\nIndexError: where axis is out "
         "of range.",
         ">>> dt.stack([dt.tensor([1, 2]), dt.tensor([3, 4])])\ntensor([[1, 2],\n        [3, 4]])"},
        {"tensors"_a, "axis"_a = 0});
    DT_BOTH(
        ops::roll, "roll",
        (Doc{"The elements shifted along axes, those that fall off entering at the other end.",
             "x: Tensor.\nshift: How far, an int or one for each axis.\naxis: An int, several, or None for "
             "the flattened tensor.",
             "Tensor of the shape and dtype of x.",
             "ValueError: where shift and axis differ in length.\nIndexError: where axis is out of range.",
             ">>> dt.roll(dt.tensor([1, 2, 3]), 1)\ntensor([3, 1, 2])"}),
        "shift"_a, "axis"_a = py::none())
    DT_BOTH(
        pad, "pad",
        (Doc{"x with entries added around, as numpy.pad.",
             "x: Tensor.\npad_width: One int for all sides, (before, after), or such a pair for each axis.\n"
             "mode: 'constant', 'edge' (the outermost entry) or 'reflect' (mirrored, without the edge).\n"
             "constant_values: A number.",
             "Tensor of the dtype of x.",
             "ValueError: for negative widths, another mode, or a value that does not fit the dtype.",
             ">>> dt.pad(dt.tensor([1, 2]), (1, 2))\ntensor([0, 1, 2, 0, 0])"}),
        "pad_width"_a, "mode"_a = "constant", "constant_values"_a = 0)
    DT_BOTH(ops::tile, "tile",
            (Doc{"x repeated as a whole.", "x: Tensor.\nrepetitions: How often along each axis.",
                 "Tensor of the dtype of x.", "ValueError: for negative repetitions.",
                 ">>> dt.tile(dt.tensor([1, 2]), 2)\ntensor([1, 2, 1, 2])"}),
            "repetitions"_a)
    DT_BOTH(ops::repeat, "repeat",
            (Doc{"Every element repeated.", "x: Tensor.\nrepeats: How often.\naxis: An int; None flattens x.",
                 "Tensor of the dtype of x.",
                 "ValueError: for negative repeats.\nIndexError: where axis is out of range.",
                 ">>> dt.repeat(dt.tensor([1, 2]), 2)\ntensor([1, 1, 2, 2])"}),
            "repeats"_a, "axis"_a = py::none())
    const char *triangle =
                   "x: Tensor of at least two axes.\nk: Which diagonal: 0 the main one, above it positive.",
               *same = "Tensor of the shape and dtype of x.", *few = "ValueError: for fewer than two axes.";
    DT_BOTH(ops::tril, "tril",
            (Doc{"The elements on and below a diagonal, 0 above.", triangle, same, few,
                 ">>> dt.tril(dt.ones((2, 2)))\ntensor([[1., 0.],\n        [1., 1.]])"}),
            "k"_a = 0)
    DT_BOTH(ops::triu, "triu",
            (Doc{"The elements on and above a diagonal, 0 below.", triangle, same, few,
                 ">>> dt.triu(dt.ones((2, 2)))\ntensor([[1., 1.],\n        [0., 1.]])"}),
            "k"_a = 0)
}

} // namespace dt::bindings
