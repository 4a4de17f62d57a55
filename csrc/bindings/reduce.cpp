#include "ops/reduce.h"

#include "bindings/families.h"
#include "bindings/op.h"

namespace dt::bindings {

// A function and a method of the same name and arguments.
#define DT_BOTH(function, name, doc, ...)                                                                    \
    op<&ops::function>(m, name, doc, {"x"_a, __VA_ARGS__});                                                  \
    method<&ops::function>(name, doc, {__VA_ARGS__});
#define DT_AXIS "axis"_a = py::none()
#define DT_KEEPDIMS "keepdims"_a = false

void bind_reduce(py::module_& m) {
    DT_BOTH(sum, "sum", "Sum over `axis` (an int, several, or None for all). bool and integers give int64.",
            DT_AXIS, DT_KEEPDIMS, keyword("dtype"_a = py::none()))
    DT_BOTH(prod, "prod", "Product over `axis`. bool and integers give int64.", DT_AXIS, DT_KEEPDIMS,
            keyword("dtype"_a = py::none()))
    DT_BOTH(mean, "mean", "Mean over `axis`; NaN of nothing. bool and integers give float32.", DT_AXIS,
            DT_KEEPDIMS)
    DT_BOTH(var, "var", "Variance over `axis`: squared deviations from the mean, divided by n - correction.",
            DT_AXIS, "correction"_a = 0.0, DT_KEEPDIMS)
    DT_BOTH(std_, "std", "Standard deviation over `axis`: the square root of `var`.", DT_AXIS,
            "correction"_a = 0.0, DT_KEEPDIMS)
    DT_BOTH(max, "max",
            "The greatest element over `axis`; NaN if any is NaN. Equal elements share the gradient.",
            DT_AXIS, DT_KEEPDIMS)
    DT_BOTH(min, "min",
            "The smallest element over `axis`; NaN if any is NaN. Equal elements share the gradient.",
            DT_AXIS, DT_KEEPDIMS)
    DT_BOTH(any, "any", "True where any element over `axis` is other than 0.", DT_AXIS, DT_KEEPDIMS)
    DT_BOTH(all, "all", "True where all elements over `axis` are other than 0.", DT_AXIS, DT_KEEPDIMS)
    DT_BOTH(count_nonzero, "count_nonzero", "Number of elements over `axis` other than 0.", DT_AXIS,
            DT_KEEPDIMS)
    DT_BOTH(
        argmax, "argmax",
        "Position of the greatest element along `axis`, the first of equals; None: in the flattened tensor.",
        DT_AXIS, DT_KEEPDIMS)
    DT_BOTH(
        argmin, "argmin",
        "Position of the smallest element along `axis`, the first of equals; None: in the flattened tensor.",
        DT_AXIS, DT_KEEPDIMS)
    DT_BOTH(logsumexp, "logsumexp", "log(sum(exp(x))) over `axis` without overflow.", DT_AXIS, DT_KEEPDIMS)
    DT_BOTH(vector_norm, "vector_norm", "The norm of the vectors along `axis`; `ord` is 1, 2 or inf.",
            DT_AXIS, DT_KEEPDIMS, "ord"_a = 2.0)
    DT_BOTH(cumulative_sum, "cumulative_sum", "Running sum along `axis`; bool and integers give int64.",
            DT_AXIS)
    DT_BOTH(cumulative_sum, "cumsum", "Running sum along `axis`; bool and integers give int64.", DT_AXIS)
}

} // namespace dt::bindings
