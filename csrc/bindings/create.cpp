#include "ops/create.h"

#include "bindings/docs.h"
#include "bindings/families.h"
#include "bindings/in_place.h"
#include "bindings/op.h"

namespace dt::bindings {
namespace {

py::object default_dtype() { return py::reinterpret_borrow<py::object>(dtype_object(DType::float32)); }

} // namespace

#define DT_GRAD keyword("requires_grad"_a = false)

void bind_create(py::module_& m) {
    const auto dtype = [] { return keyword("dtype"_a = default_dtype()); };
    const auto same_dtype = [] { return keyword("dtype"_a = py::none()); };
    const auto filled = [](const char* summary, const char* example) {
        return to_text({summary,
                        "shape: Sizes, as ints or as one sequence of ints.\ndtype: float32 by default.\n"
                        "requires_grad: Whether backward computes a gradient for it.",
                        "Tensor", "ValueError: for negative sizes, or more than memory can hold.", example});
    };
    const auto like = [](const char* summary, const char* example) {
        return to_text({summary,
                        "x: Tensor.\ndtype: None for that of x.\n"
                        "requires_grad: Whether backward computes a gradient for it.",
                        "Tensor of the shape of x.", "TypeError: for what is no Tensor.", example});
    };
    op<&ops::empty>(m, "empty",
                    filled("A tensor whose elements are not set.", ">>> dt.empty(2, 3).shape\n(2, 3)"),
                    {many("shape"_a), dtype(), DT_GRAD});
    op<&ops::zeros>(m, "zeros", filled("A tensor of zeros.", ">>> dt.zeros((3,))\ntensor([0., 0., 0.])"),
                    {many("shape"_a), dtype(), DT_GRAD});
    op<&ops::ones>(m, "ones",
                   filled("A tensor of ones.", ">>> dt.ones(2, 2)\ntensor([[1., 1.],\n        [1., 1.]])"),
                   {many("shape"_a), dtype(), DT_GRAD});
    const char* value_errors = "ValueError: for negative sizes, and where the value does not fit the dtype.";
    op<&ops::full>(m, "full",
                   {"A tensor of one value.",
                    "shape: An int or a sequence of ints.\nfill_value: A number.\n"
                    "dtype: None for that of the value: float32, int64 or bool.\n"
                    "requires_grad: Whether backward computes a gradient for it.",
                    "Tensor", value_errors, ">>> dt.full((2,), 7)\ntensor([7, 7])"},
                   {"shape"_a, "fill_value"_a, same_dtype(), DT_GRAD});
    op<static_cast<Tensor (*)(const Tensor&, const std::optional<DType>&, bool)>(&ops::empty_like)>(
        m, "empty_like",
        like("A tensor of the shape of `x` whose elements are not set.",
             ">>> dt.empty_like(dt.ones((2, 3))).shape\n(2, 3)"),
        {"x"_a, same_dtype(), DT_GRAD});
    op<&ops::zeros_like>(m, "zeros_like",
                         like("A tensor of zeros in the shape of `x`.",
                              ">>> dt.zeros_like(dt.tensor([1, 2]))\ntensor([0, 0])"),
                         {"x"_a, same_dtype(), DT_GRAD});
    op<&ops::ones_like>(
        m, "ones_like",
        like("A tensor of ones in the shape of `x`.", ">>> dt.ones_like(dt.tensor([1, 2]))\ntensor([1, 1])"),
        {"x"_a, same_dtype(), DT_GRAD});
    op<&ops::full_like>(m, "full_like",
                        {"A tensor of one value in the shape of `x`.",
                         "x: Tensor.\nfill_value: A number.\ndtype: None for that of x.\n"
                         "requires_grad: Whether backward computes a gradient for it.",
                         "Tensor of the shape of x.", value_errors,
                         ">>> dt.full_like(dt.tensor([1, 2]), 7)\ntensor([7, 7])"},
                        {"x"_a, "fill_value"_a, same_dtype(), DT_GRAD});
    op<&ops::arange>(
        m, "arange",
        {"start, start + step, ... below stop; arange(n) is 0 to n - 1.",
         "start, stop, step: Numbers.\ndtype: None for int64, or float32 where one of them is a float.",
         "Tensor (n,).",
         "ValueError: for a step of 0, and where the range is not finite.\nTypeError: for bool.",
         ">>> dt.arange(2, 8, 2)\ntensor([2, 4, 6])"},
        {"start"_a, "stop"_a = py::none(), "step"_a = 1, same_dtype()});
    op<&ops::linspace>(m, "linspace",
                       {"`num` values evenly spaced from start to stop.",
                        "start, stop: Numbers.\nnum: How many.\nendpoint: Whether stop is the last of them.\n"
                        "dtype: A floating-point one.",
                        "Tensor (num,).", "ValueError: for a negative num.\nTypeError: for another dtype.",
                        ">>> dt.linspace(0, 1, 5)\ntensor([0.  , 0.25, 0.5 , 0.75, 1.  ])"},
                       {"start"_a, "stop"_a, "num"_a = 50, "endpoint"_a = true, dtype()});
    op<&ops::eye>(m, "eye",
                  {"Ones on the k-th diagonal, zeros elsewhere.",
                   "n_rows: Number of rows.\nn_cols: Number of columns; None for n_rows.\n"
                   "k: Which diagonal: 0 the main one, above it positive.\ndtype: float32 by default.",
                   "Tensor (n_rows, n_cols).", "ValueError: for negative sizes.",
                   ">>> dt.eye(2)\ntensor([[1., 0.],\n        [0., 1.]])"},
                  {"n_rows"_a, "n_cols"_a = py::none(), "k"_a = 0, dtype()});
    const char* leaf = "RuntimeError: for a leaf that requires a gradient.";
    method<&InPlace<&ops::fill_>::call>(
        "fill_",
        {"Sets every element to a value.", "value: A number.", "The tensor itself.",
         "ValueError: where the value does not fit the dtype.", ">>> dt.zeros(2).fill_(7)\ntensor([7., 7.])"},
        {"value"_a});
    method<&InPlace<&ops::zero_>::call>("zero_", {"Sets every element to 0.", "", "The tensor itself.", leaf,
                                                  ">>> dt.ones(2).zero_()\ntensor([0., 0.])"});
}

} // namespace dt::bindings
