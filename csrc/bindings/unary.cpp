#include "ops/unary.h"

#include "bindings/docs.h"
#include "bindings/families.h"
#include "bindings/in_place.h"

namespace dt::bindings {
namespace {

template <auto F>
void function_and_method(py::module_& m, const char* name, Takes takes, const char* summary,
                         const char* example) {
    const Doc doc = elementwise(takes, summary, example);
    op<F>(m, name, doc, {"x"_a});
    method<F>(name, doc);
}

} // namespace

#define DT_UNARY(name, takes, summary, example)                                                              \
    function_and_method<&ops::name>(m, #name, Takes::takes, summary, example);
#define DT_IN_PLACE(name) method<&InPlace<&ops::name##_>::call>(#name "_", in_place_doc(#name));

void bind_unary(py::module_& m) {
    function_and_method<&ops::absolute>(m, "abs", Takes::numbers, "The magnitude of every element.",
                                        ">>> dt.abs(dt.tensor([-1.5, 2.0]))\ntensor([1.5, 2. ])");
    function_and_method<&ops::invert>(m, "bitwise_invert", Takes::bits,
                                      "Not of bool or of the bits of integers.",
                                      ">>> dt.bitwise_invert(dt.tensor([0, 5]))\ntensor([-1, -6])");
    DT_UNARY(negative, numbers, "The opposite of every element.",
             ">>> dt.negative(dt.tensor([1.0, -2.0]))\ntensor([-1.,  2.])")
    DT_UNARY(square, numbers, "Every element times itself.",
             ">>> dt.square(dt.tensor([3.0, -2.0]))\ntensor([9., 4.])")
    DT_UNARY(sign, numbers, "-1, 0 or 1; NaN stays NaN. The gradient is 0.",
             ">>> dt.sign(dt.tensor([-3.0, 0.0, 2.0]))\ntensor([-1.,  0.,  1.])")
    DT_UNARY(floor, numbers, "Rounded down to a whole number. The gradient is 0.",
             ">>> dt.floor(dt.tensor([-1.5, 1.5]))\ntensor([-2.,  1.])")
    DT_UNARY(ceil, numbers, "Rounded up to a whole number. The gradient is 0.",
             ">>> dt.ceil(dt.tensor([-1.5, 1.5]))\ntensor([-1.,  2.])")
    DT_UNARY(round, numbers,
             "Rounded to the nearest whole number, halves to the even one. The gradient is 0.",
             ">>> dt.round(dt.tensor([0.5, 1.5, 2.4]))\ntensor([0., 2., 2.])")
    DT_UNARY(trunc, numbers, "Rounded towards 0. The gradient is 0.",
             ">>> dt.trunc(dt.tensor([-1.5, 1.5]))\ntensor([-1.,  1.])")
    DT_UNARY(reciprocal, any, "1 / x.", ">>> dt.reciprocal(dt.tensor([2.0, 4.0]))\ntensor([0.5 , 0.25])")
    DT_UNARY(sqrt, any, "The square root; NaN below 0.",
             ">>> dt.sqrt(dt.tensor([1.0, 4.0]))\ntensor([1., 2.])")
    DT_UNARY(rsqrt, any, "1 / sqrt(x).", ">>> dt.rsqrt(dt.tensor([1.0, 4.0]))\ntensor([1. , 0.5])")
    DT_UNARY(exp, any, "e raised to the power of every element.",
             ">>> dt.exp(dt.tensor([0.0]))\ntensor([1.])")
    DT_UNARY(exp2, any, "2 raised to the power of every element.",
             ">>> dt.exp2(dt.tensor([0.0, 3.0]))\ntensor([1., 8.])")
    DT_UNARY(expm1, any, "exp(x) - 1, exact for small x.",
             ">>> dt.expm1(dt.tensor([0.0, 1e-8]))\ntensor([0.e+00, 1.e-08])")
    DT_UNARY(log, any, "The natural logarithm; NaN below 0.",
             ">>> dt.log(dt.tensor([1.0, 0.0]))\ntensor([  0., -inf])")
    DT_UNARY(log1p, any, "log(1 + x), exact for small x.",
             ">>> dt.log1p(dt.tensor([0.0, 1e-8]))\ntensor([0.e+00, 1.e-08])")
    DT_UNARY(log2, any, "The logarithm to base 2.", ">>> dt.log2(dt.tensor([1.0, 8.0]))\ntensor([0., 3.])")
    DT_UNARY(log10, any, "The logarithm to base 10.",
             ">>> dt.log10(dt.tensor([1.0, 100.0]))\ntensor([0., 2.])")
    DT_UNARY(sin, any, "The sine, of radians.", ">>> dt.sin(dt.tensor([0.0]))\ntensor([0.])")
    DT_UNARY(cos, any, "The cosine, of radians.", ">>> dt.cos(dt.tensor([0.0]))\ntensor([1.])")
    DT_UNARY(tan, any, "The tangent, of radians.", ">>> dt.tan(dt.tensor([0.0]))\ntensor([0.])")
    DT_UNARY(asin, any, "The inverse sine, in radians; NaN beyond -1 and 1.",
             ">>> dt.asin(dt.tensor([0.0]))\ntensor([0.])")
    DT_UNARY(acos, any, "The inverse cosine, in radians; NaN beyond -1 and 1.",
             ">>> dt.acos(dt.tensor([1.0]))\ntensor([0.])")
    DT_UNARY(atan, any, "The inverse tangent, in radians.", ">>> dt.atan(dt.tensor([0.0]))\ntensor([0.])")
    DT_UNARY(sinh, any, "The hyperbolic sine.", ">>> dt.sinh(dt.tensor([0.0]))\ntensor([0.])")
    DT_UNARY(cosh, any, "The hyperbolic cosine.", ">>> dt.cosh(dt.tensor([0.0]))\ntensor([1.])")
    DT_UNARY(tanh, any, "The hyperbolic tangent.", ">>> dt.tanh(dt.tensor([0.0]))\ntensor([0.])")
    DT_UNARY(asinh, any, "The inverse hyperbolic sine.", ">>> dt.asinh(dt.tensor([0.0]))\ntensor([0.])")
    DT_UNARY(acosh, any, "The inverse hyperbolic cosine; NaN below 1.",
             ">>> dt.acosh(dt.tensor([1.0]))\ntensor([0.])")
    DT_UNARY(atanh, any, "The inverse hyperbolic tangent; NaN beyond -1 and 1.",
             ">>> dt.atanh(dt.tensor([0.0]))\ntensor([0.])")
    DT_UNARY(erf, any, "The error function.", ">>> dt.erf(dt.tensor([0.0]))\ntensor([0.])")
    DT_UNARY(sigmoid, any, "1 / (1 + exp(-x)), without overflow.",
             ">>> dt.sigmoid(dt.tensor([0.0, 1000.0]))\ntensor([0.5, 1. ])")
    const Doc clip = {
        "The elements limited to [min, max]; NaN stays NaN.",
        "x: Tensor of any shape, of integers or floats.\n"
        "min, max: Numbers, Tensors that broadcast to x, or None for no limit.",
        "Tensor of the shape of x, of the promoted dtype.",
        "ValueError: where the shapes do not broadcast.\nTypeError: for bool, and for other kinds.",
        ">>> dt.clip(dt.tensor([-2.0, 0.5, 7.0]), 0, 1)\ntensor([0. , 0.5, 1. ])"};
    op<&ops::clip>(m, "clip", clip, {"x"_a, "min"_a = py::none(), "max"_a = py::none()});
    method<&ops::clip>("clip", clip, {"min"_a = py::none(), "max"_a = py::none()});
    method<&InPlace<&ops::clip_>::call>("clip_", in_place_doc("clip", "0, 1"),
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
    method<&InPlace<&ops::absolute_>::call>("abs_", in_place_doc("abs"));
}

} // namespace dt::bindings
