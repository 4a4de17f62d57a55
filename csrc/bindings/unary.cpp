#include "ops/unary.h"

#include "bindings/families.h"
#include "bindings/in_place.h"

namespace dt::bindings {
namespace {

template <auto F> void function_and_method(py::module_& m, const char* name, const char* doc) {
    op<F>(m, name, doc, {"x"_a});
    method<F>(name, doc);
}

} // namespace

#define DT_UNARY(name, doc) function_and_method<&ops::name>(m, #name, doc);
#define DT_IN_PLACE(name)                                                                                    \
    method<&InPlace<&ops::name##_>::call>(#name "_", "The same as `" #name "`, in place.");

void bind_unary(py::module_& m) {
    function_and_method<&ops::absolute>(m, "abs", "The magnitude of every element.");
    function_and_method<&ops::invert>(m, "bitwise_invert", "Not of bool or of the bits of integers.");
    DT_UNARY(negative, "The opposite of every element.")
    DT_UNARY(square, "Every element times itself.")
    DT_UNARY(sign, "-1, 0 or 1; NaN stays NaN.")
    DT_UNARY(floor, "Rounded down to a whole number.")
    DT_UNARY(ceil, "Rounded up to a whole number.")
    DT_UNARY(round, "Rounded to the nearest whole number, halves to the even one.")
    DT_UNARY(trunc, "Rounded towards 0.")
    DT_UNARY(reciprocal, "1 / x.")
    DT_UNARY(sqrt, "The square root; NaN below 0.")
    DT_UNARY(rsqrt, "1 / sqrt(x).")
    DT_UNARY(exp, "e raised to the power of every element.")
    DT_UNARY(exp2, "2 raised to the power of every element.")
    DT_UNARY(expm1, "exp(x) - 1, exact for small x.")
    DT_UNARY(log, "The natural logarithm; NaN below 0.")
    DT_UNARY(log1p, "log(1 + x), exact for small x.")
    DT_UNARY(log2, "The logarithm to base 2.")
    DT_UNARY(log10, "The logarithm to base 10.")
    DT_UNARY(sin, "The sine, of radians.")
    DT_UNARY(cos, "The cosine, of radians.")
    DT_UNARY(tan, "The tangent, of radians.")
    DT_UNARY(asin, "The inverse sine, in radians.")
    DT_UNARY(acos, "The inverse cosine, in radians.")
    DT_UNARY(atan, "The inverse tangent, in radians.")
    DT_UNARY(sinh, "The hyperbolic sine.")
    DT_UNARY(cosh, "The hyperbolic cosine.")
    DT_UNARY(tanh, "The hyperbolic tangent.")
    DT_UNARY(asinh, "The inverse hyperbolic sine.")
    DT_UNARY(acosh, "The inverse hyperbolic cosine.")
    DT_UNARY(atanh, "The inverse hyperbolic tangent.")
    DT_UNARY(erf, "The error function.")
    DT_UNARY(sigmoid, "1 / (1 + exp(-x)).")
    const char* clip =
        "The elements limited to [min, max]; NaN stays NaN. Either limit may be None, a number or a tensor.";
    op<&ops::clip>(m, "clip", clip, {"x"_a, "min"_a = py::none(), "max"_a = py::none()});
    method<&ops::clip>("clip", clip, {"min"_a = py::none(), "max"_a = py::none()});
    method<&InPlace<&ops::clip_>::call>("clip_", "The same as `clip`, in place.",
                                        {"min"_a = py::none(), "max"_a = py::none()});
    DT_IN_PLACE(negative)
    DT_IN_PLACE(square)
    DT_IN_PLACE(reciprocal)
    DT_IN_PLACE(sqrt)
    DT_IN_PLACE(rsqrt)
    DT_IN_PLACE(exp)
    DT_IN_PLACE(log)
    DT_IN_PLACE(tanh)
    DT_IN_PLACE(sigmoid)
    DT_IN_PLACE(floor)
    DT_IN_PLACE(ceil)
    DT_IN_PLACE(round)
    DT_IN_PLACE(trunc)
    method<&InPlace<&ops::absolute_>::call>("abs_", "The same as `abs`, in place.");
}

} // namespace dt::bindings
