#include "ops/reduce.h"

#include "bindings/docs.h"
#include "bindings/families.h"
#include "bindings/op.h"

namespace dt::bindings {

// A function and a method of the same name and arguments.
#define DT_BOTH(function, alias, name, doc, ...)                                                             \
    {                                                                                                        \
        const Doc text = doc;                                                                                \
        op<&ops::function, alias>(m, name, text, {"x"_a, __VA_ARGS__});                                      \
        method<&ops::function, alias>(name, text, {__VA_ARGS__});                                            \
    }
#define DT_AXIS "axis"_a = py::none()
#define DT_KEEPDIMS "keepdims"_a = false

void bind_reduce(py::module_& m) {
    const char *rest = "Tensor without those axes, of the dtype of x.",
               *wide = "Tensor without those axes; bool and integers give int64, floats keep their dtype.",
               *real = "Tensor without those axes; bool and integers give float32, floats keep their dtype.",
               *flags = "Tensor of bool without those axes.", *count = "Tensor of int64 without those axes.";
    const char *dtype = "dtype: In which to sum; None for the dtype below.\n",
               *correction = "correction: The divisor is n - correction; 1 gives the unbiased estimate.\n";
    DT_BOTH(sum, 0, "sum",
            reduction("The sum over `axis`; 0 of nothing.", wide,
                      ">>> dt.sum(dt.tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0)\ntensor([4., 6.])", dtype),
            DT_AXIS, DT_KEEPDIMS, keyword("dtype"_a = py::none()))
    DT_BOTH(prod, 0, "prod",
            reduction("The product over `axis`; 1 of nothing.", wide,
                      ">>> dt.prod(dt.tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0)\ntensor([3., 8.])", dtype),
            DT_AXIS, DT_KEEPDIMS, keyword("dtype"_a = py::none()))
    DT_BOTH(mean, 0, "mean",
            reduction("The mean over `axis`; NaN of nothing.", real,
                      ">>> dt.mean(dt.tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0)\ntensor([2., 3.])"),
            DT_AXIS, DT_KEEPDIMS)
    DT_BOTH(var, 0, "var",
            reduction("The variance over `axis`: the mean of squared deviations from the mean.", real,
                      ">>> dt.var(dt.tensor([1.0, 2.0, 3.0, 4.0]))\ntensor(1.25)", correction),
            DT_AXIS, "correction"_a = 0.0, DT_KEEPDIMS)
    DT_BOTH(std_, 0, "std",
            reduction("The standard deviation over `axis`: the square root of `var`.", real,
                      ">>> dt.std(dt.tensor([1.0, 3.0]))\ntensor(1.)", correction),
            DT_AXIS, "correction"_a = 0.0, DT_KEEPDIMS)
    DT_BOTH(
        max, 0, "max",
        reduction("The greatest element over `axis`; NaN if any is NaN. Equal elements share the gradient.",
                  rest, ">>> dt.max(dt.tensor([[1.0, 5.0], [3.0, 4.0]]), axis=1)\ntensor([5., 4.])"),
        DT_AXIS, DT_KEEPDIMS)
    DT_BOTH(
        min, 0, "min",
        reduction("The smallest element over `axis`; NaN if any is NaN. Equal elements share the gradient.",
                  rest, ">>> dt.min(dt.tensor([[1.0, 5.0], [3.0, 4.0]]), axis=1)\ntensor([1., 3.])"),
        DT_AXIS, DT_KEEPDIMS)
    DT_BOTH(any, 0, "any",
            reduction("True where any element over `axis` is other than 0.", flags,
                      ">>> dt.any(dt.tensor([[0, 0], [0, 1]]), axis=1)\ntensor([False,  True])"),
            DT_AXIS, DT_KEEPDIMS)
    DT_BOTH(all, 0, "all",
            reduction("True where all elements over `axis` are other than 0.", flags,
                      ">>> dt.all(dt.tensor([[1, 2], [0, 1]]), axis=1)\ntensor([ True, False])"),
            DT_AXIS, DT_KEEPDIMS)
    DT_BOTH(count_nonzero, 0, "count_nonzero",
            reduction("The number of elements over `axis` other than 0.", count,
                      ">>> dt.count_nonzero(dt.tensor([[0, 2], [0, 0]]), axis=1)\ntensor([1, 0])"),
            DT_AXIS, DT_KEEPDIMS)
    DT_BOTH(argmax, 0, "argmax",
            reduction("The position of the greatest element along one axis, the first of equals; a NaN "
                      "counts as greatest. None: in the flattened tensor.",
                      count, ">>> dt.argmax(dt.tensor([[1.0, 5.0], [3.0, 2.0]]), axis=1)\ntensor([1, 0])"),
            DT_AXIS, DT_KEEPDIMS)
    DT_BOTH(argmin, 0, "argmin",
            reduction("The position of the smallest element along one axis, the first of equals; a NaN "
                      "counts as smallest. None: in the flattened tensor.",
                      count, ">>> dt.argmin(dt.tensor([[1.0, 5.0], [3.0, 2.0]]), axis=1)\ntensor([0, 1])"),
            DT_AXIS, DT_KEEPDIMS)
    DT_BOTH(logsumexp, 0, "logsumexp",
            reduction("log(sum(exp(x))) over `axis` without overflow.", real,
                      ">>> dt.logsumexp(dt.tensor([1000.0, 0.0]))\ntensor(1000.)"),
            DT_AXIS, DT_KEEPDIMS)
    DT_BOTH(vector_norm, 0, "vector_norm",
            reduction("The norm of the vectors along `axis`.", real,
                      ">>> dt.vector_norm(dt.tensor([3.0, 4.0]))\ntensor(5.)", "ord: 1, 2 or inf.\n"),
            DT_AXIS, DT_KEEPDIMS, "ord"_a = 2.0)
    const char
        *running = "The running sum along an axis.",
        *args = "x: Tensor of any shape and dtype.\naxis: An int; may be left out for a vector.",
        *shape = "Tensor of the shape of x; bool and integers give int64, floats keep their dtype.",
        *errors =
            "IndexError: where axis is out of range.\nValueError: without axis, for other than a vector.";
    DT_BOTH(
        cumulative_sum, 0, "cumulative_sum",
        (Doc{running, args, shape, errors, ">>> dt.cumulative_sum(dt.tensor([1, 2, 3]))\ntensor([1, 3, 6])"}),
        DT_AXIS)
    DT_BOTH(cumulative_sum, 1, "cumsum",
            (Doc{running, args, shape, errors, ">>> dt.cumsum(dt.tensor([1, 2, 3]))\ntensor([1, 3, 6])"}),
            DT_AXIS)
}

} // namespace dt::bindings
