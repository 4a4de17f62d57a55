#include "ops/create.h"

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
    op<&ops::empty>(m, "empty", "A tensor whose elements are not set; arguments as for zeros.",
                    {many("shape"_a), dtype(), DT_GRAD});
    op<&ops::zeros>(m, "zeros",
                    "A tensor of zeros. shape: ints, or one sequence of ints; dtype: float32 by default.\n\n"
                    ">>> drivetrain.zeros((3,))\ntensor([0., 0., 0.])",
                    {many("shape"_a), dtype(), DT_GRAD});
    op<&ops::ones>(m, "ones", "A tensor of ones; arguments as for zeros.",
                   {many("shape"_a), dtype(), DT_GRAD});
    op<&ops::full>(m, "full", "A tensor of one value; the dtype is that of the value, float32 for floats.",
                   {"shape"_a, "fill_value"_a, same_dtype(), DT_GRAD});
    op<static_cast<Tensor (*)(const Tensor&, const std::optional<DType>&, bool)>(&ops::empty_like)>(
        m, "empty_like", "A tensor of the shape of `x` whose elements are not set.",
        {"x"_a, same_dtype(), DT_GRAD});
    op<&ops::zeros_like>(m, "zeros_like", "A tensor of zeros in the shape of `x`.",
                         {"x"_a, same_dtype(), DT_GRAD});
    op<&ops::ones_like>(m, "ones_like", "A tensor of ones in the shape of `x`.",
                        {"x"_a, same_dtype(), DT_GRAD});
    op<&ops::full_like>(m, "full_like", "A tensor of one value in the shape of `x`.",
                        {"x"_a, "fill_value"_a, same_dtype(), DT_GRAD});
    op<&ops::arange>(
        m, "arange",
        "start, start + step, ... below stop; arange(n) is 0 to n - 1. Whole numbers give int64.\n\n"
        ">>> drivetrain.arange(2, 8, 2)\ntensor([2, 4, 6])",
        {"start"_a, "stop"_a = py::none(), "step"_a = 1, same_dtype()});
    op<&ops::linspace>(m, "linspace", "`num` values evenly spaced from start to stop.",
                       {"start"_a, "stop"_a, "num"_a = 50, "endpoint"_a = true, dtype()});
    op<&ops::eye>(m, "eye", "Ones on the k-th diagonal, zeros elsewhere.",
                  {"n_rows"_a, "n_cols"_a = py::none(), "k"_a = 0, dtype()});
    method<&InPlace<&ops::fill_>::call>("fill_", "Sets every element to a value.", {"value"_a});
    method<&InPlace<&ops::zero_>::call>("zero_", "Sets every element to 0.");
}

} // namespace dt::bindings
