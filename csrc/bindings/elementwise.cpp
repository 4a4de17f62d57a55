#include "ops/elementwise.h"

#include "bindings/docs.h"
#include "bindings/families.h"
#include "bindings/in_place.h"
#include "ops/unary.h"

namespace dt::bindings {
namespace {

// `2 - t` arrives as t.__rsub__(2).
template <auto F> Tensor reflected(const Operand& self, const Operand& other) { return F(other, self); }

Tensor positive(const Tensor& x) { return x; }

template <auto F>
void operators(const char* shown, const char* name, const char* reflected_name, const char* doc) {
    method<F>(name, doc, {"other"_a}, shown);
    method<&reflected<F>>(reflected_name, doc, {"other"_a}, shown);
}

void bind_operators() {
    operators<&ops::add>("add", "__add__", "__radd__", "Sum, element by element.");
    operators<&ops::subtract>("subtract", "__sub__", "__rsub__", "Difference, element by element.");
    operators<&ops::multiply>("multiply", "__mul__", "__rmul__", "Product, element by element.");
    operators<&ops::divide>("divide", "__truediv__", "__rtruediv__", "Quotient, element by element.");
    operators<&ops::floor_divide>("floor_divide", "__floordiv__", "__rfloordiv__", "Quotient rounded down.");
    operators<&ops::remainder>("remainder", "__mod__", "__rmod__", "Remainder with the sign of the divisor.");
    operators<&ops::pow>("pow", "__pow__", "__rpow__", "Power, element by element.");
    operators<&ops::bitwise_and>("bitwise_and", "__and__", "__rand__",
                                 "And of bool or of the bits of integers.");
    operators<&ops::bitwise_or>("bitwise_or", "__or__", "__ror__", "Or of bool or of the bits of integers.");
    operators<&ops::bitwise_xor>("bitwise_xor", "__xor__", "__rxor__",
                                 "Exclusive or of bool or of the bits of integers.");
    operators<&ops::bitwise_left_shift>("bitwise_left_shift", "__lshift__", "__rlshift__",
                                        "Bits of integers shifted to the left.");
    operators<&ops::bitwise_right_shift>("bitwise_right_shift", "__rshift__", "__rrshift__",
                                         "Bits of integers shifted to the right.");
    method<&ops::negative>("__neg__", "The opposite of every element.", {}, "negative");
    method<&positive>("__pos__", "The tensor itself.");
    method<&ops::absolute>("__abs__", "The magnitude of every element.", {}, "abs");
    method<&ops::invert>("__invert__", "Not of bool or of the bits of integers.", {}, "bitwise_invert");

    method<&InPlace<&ops::add_>::call>("__iadd__", "Adds in place.", {"other"_a}, "add_");
    method<&InPlace<&ops::subtract_>::call>("__isub__", "Subtracts in place.", {"other"_a}, "subtract_");
    method<&InPlace<&ops::multiply_>::call>("__imul__", "Multiplies in place.", {"other"_a}, "multiply_");
    method<&InPlace<&ops::divide_>::call>("__itruediv__", "Divides in place.", {"other"_a}, "divide_");
    method<&InPlace<&ops::floor_divide_>::call>("__ifloordiv__", "Divides in place, rounding down.",
                                                {"other"_a}, "floor_divide_");
    method<&InPlace<&ops::remainder_>::call>("__imod__", "Takes the remainder in place.", {"other"_a},
                                             "remainder_");
    method<&InPlace<&ops::pow_>::call>("__ipow__", "Raises to a power in place.", {"other"_a}, "pow_");
    method<&InPlace<&ops::bitwise_and_>::call>("__iand__", "And in place.", {"other"_a}, "bitwise_and_");
    method<&InPlace<&ops::bitwise_or_>::call>("__ior__", "Or in place.", {"other"_a}, "bitwise_or_");
    method<&InPlace<&ops::bitwise_xor_>::call>("__ixor__", "Exclusive or in place.", {"other"_a},
                                               "bitwise_xor_");
    method<&InPlace<&ops::bitwise_left_shift_>::call>("__ilshift__", "Shifts to the left in place.",
                                                      {"other"_a}, "bitwise_left_shift_");
    method<&InPlace<&ops::bitwise_right_shift_>::call>("__irshift__", "Shifts to the right in place.",
                                                       {"other"_a}, "bitwise_right_shift_");
}

void bind_in_place() {
    method<&InPlace<&ops::add_>::call>("add_", in_place_doc("add", "0.5"), {"other"_a});
    method<&InPlace<&ops::subtract_>::call>("subtract_", in_place_doc("subtract", "0.5"), {"other"_a});
    method<&InPlace<&ops::multiply_>::call>("multiply_", in_place_doc("multiply", "0.5"), {"other"_a});
    method<&InPlace<&ops::divide_>::call>("divide_", in_place_doc("divide", "0.5"), {"other"_a});
    method<&InPlace<&ops::pow_>::call>("pow_", in_place_doc("pow", "0.5"), {"other"_a});
}

} // namespace

#define DT_BINARY(name, takes, summary, example)                                                             \
    op<&ops::name>(m, #name, elementwise_pair(Takes::takes, summary, example), {"x1"_a, "x2"_a});

void bind_elementwise(py::module_& m) {
    DT_BINARY(add, numbers, "The sum, element by element.",
              ">>> dt.add(dt.tensor([1, 2]), 3)\ntensor([4, 5])")
    DT_BINARY(subtract, numbers, "The difference, element by element.",
              ">>> dt.subtract(dt.tensor([1, 2]), 3)\ntensor([-2, -1])")
    DT_BINARY(multiply, numbers, "The product, element by element.",
              ">>> dt.multiply(dt.tensor([1, 2]), 3)\ntensor([3, 6])")
    DT_BINARY(divide, any, "The quotient, element by element.",
              ">>> dt.divide(dt.tensor([1, 2]), 4)\ntensor([0.25, 0.5 ])")
    DT_BINARY(floor_divide, numbers, "The quotient rounded down. An integer divided by 0 gives 0.",
              ">>> dt.floor_divide(dt.tensor([-7, 7]), 2)\ntensor([-4,  3])")
    DT_BINARY(remainder, numbers,
              "The remainder of the division rounded down: it has the sign of `x2`. By 0, integers give 0.",
              ">>> dt.remainder(dt.tensor([-7, 7]), 4)\ntensor([1, 3])")
    DT_BINARY(fmod, any, "The remainder of the division rounded to 0: it has the sign of `x1`.",
              ">>> dt.fmod(dt.tensor([-7.0, 7.0]), 4)\ntensor([-3.,  3.])")
    DT_BINARY(pow, numbers,
              "`x1` raised to the power `x2`. Integers refuse negative exponents with ValueError.",
              ">>> dt.pow(dt.tensor([2.0, 3.0]), 2)\ntensor([4., 9.])")
    DT_BINARY(maximum, numbers,
              "The greater of two elements; NaN where either is NaN. Where both are equal, each gets half of "
              "the gradient.",
              ">>> dt.maximum(dt.tensor([1, 5]), dt.tensor([4, 2]))\ntensor([4, 5])")
    DT_BINARY(minimum, numbers,
              "The smaller of two elements; NaN where either is NaN. Where both are equal, each gets half of "
              "the gradient.",
              ">>> dt.minimum(dt.tensor([1, 5]), dt.tensor([4, 2]))\ntensor([1, 2])")
    DT_BINARY(atan2, any, "The angle of the point (x2, x1), between -pi and pi.",
              ">>> dt.atan2(dt.tensor([0.0]), dt.tensor([1.0]))\ntensor([0.])")
    DT_BINARY(hypot, any, "sqrt(x1 ** 2 + x2 ** 2) without overflow.",
              ">>> dt.hypot(dt.tensor([3.0]), dt.tensor([4.0]))\ntensor([5.])")
    DT_BINARY(logaddexp, any, "log(exp(x1) + exp(x2)) without overflow.",
              ">>> dt.logaddexp(dt.tensor([1000.0]), 0)\ntensor([1000.])")
    DT_BINARY(bitwise_and, bits, "And of bool or of the bits of integers.",
              ">>> dt.bitwise_and(dt.tensor([6, 5]), 3)\ntensor([2, 1])")
    DT_BINARY(bitwise_or, bits, "Or of bool or of the bits of integers.",
              ">>> dt.bitwise_or(dt.tensor([6, 5]), 3)\ntensor([7, 7])")
    DT_BINARY(bitwise_xor, bits, "Exclusive or of bool or of the bits of integers.",
              ">>> dt.bitwise_xor(dt.tensor([6, 5]), 3)\ntensor([5, 6])")
    DT_BINARY(bitwise_left_shift, bits, "Bits of integers shifted to the left by x2 places.",
              ">>> dt.bitwise_left_shift(dt.tensor([6, 5]), 1)\ntensor([12, 10])")
    DT_BINARY(bitwise_right_shift, bits,
              "Bits of integers shifted to the right by x2 places, keeping the sign.",
              ">>> dt.bitwise_right_shift(dt.tensor([6, -5]), 1)\ntensor([ 3, -3])")
    DT_BINARY(logical_and, tests, "True where both elements are other than 0.",
              ">>> dt.logical_and(dt.tensor([0, 2]), dt.tensor([1, 1]))\ntensor([False,  True])")
    DT_BINARY(logical_or, tests, "True where one of the elements is other than 0.",
              ">>> dt.logical_or(dt.tensor([0, 2]), dt.tensor([0, 1]))\ntensor([False,  True])")
    DT_BINARY(logical_xor, tests, "True where exactly one of the elements is other than 0.",
              ">>> dt.logical_xor(dt.tensor([0, 2]), dt.tensor([1, 1]))\ntensor([ True, False])")
    bind_operators();
    bind_in_place();
}

} // namespace dt::bindings
