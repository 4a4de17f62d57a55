#include "ops/elementwise.h"

#include "bindings/families.h"
#include "bindings/in_place.h"
#include "ops/unary.h"

namespace dt::bindings {
namespace {

// `2 - t` arrives as t.__rsub__(2).
template <auto F> Tensor reflected(const Operand& self, const Operand& other) { return F(other, self); }

Tensor positive(const Tensor& x) { return x; }

template <auto F> void operators(const char* name, const char* reflected_name, const char* shown) {
    method<F>(name, shown, {"other"_a});
    method<&reflected<F>>(reflected_name, shown, {"other"_a});
}

void bind_operators() {
    operators<&ops::add>("__add__", "__radd__", "Sum, element by element.");
    operators<&ops::subtract>("__sub__", "__rsub__", "Difference, element by element.");
    operators<&ops::multiply>("__mul__", "__rmul__", "Product, element by element.");
    operators<&ops::divide>("__truediv__", "__rtruediv__", "Quotient, element by element.");
    operators<&ops::floor_divide>("__floordiv__", "__rfloordiv__", "Quotient rounded down.");
    operators<&ops::remainder>("__mod__", "__rmod__", "Remainder with the sign of the divisor.");
    operators<&ops::pow>("__pow__", "__rpow__", "Power, element by element.");
    operators<&ops::bitwise_and>("__and__", "__rand__", "And of bool or of the bits of integers.");
    operators<&ops::bitwise_or>("__or__", "__ror__", "Or of bool or of the bits of integers.");
    operators<&ops::bitwise_xor>("__xor__", "__rxor__", "Exclusive or of bool or of the bits of integers.");
    operators<&ops::bitwise_left_shift>("__lshift__", "__rlshift__", "Bits of integers shifted to the left.");
    operators<&ops::bitwise_right_shift>("__rshift__", "__rrshift__",
                                         "Bits of integers shifted to the right.");
    method<&ops::negative>("__neg__", "The opposite of every element.");
    method<&positive>("__pos__", "The tensor itself.");
    method<&ops::absolute>("__abs__", "The magnitude of every element.");
    method<&ops::invert>("__invert__", "Not of bool or of the bits of integers.");

    method<&InPlace<&ops::add_>::call>("__iadd__", "Adds in place.", {"other"_a});
    method<&InPlace<&ops::subtract_>::call>("__isub__", "Subtracts in place.", {"other"_a});
    method<&InPlace<&ops::multiply_>::call>("__imul__", "Multiplies in place.", {"other"_a});
    method<&InPlace<&ops::divide_>::call>("__itruediv__", "Divides in place.", {"other"_a});
    method<&InPlace<&ops::floor_divide_>::call>("__ifloordiv__", "Divides in place, rounding down.",
                                                {"other"_a});
    method<&InPlace<&ops::remainder_>::call>("__imod__", "Takes the remainder in place.", {"other"_a});
    method<&InPlace<&ops::pow_>::call>("__ipow__", "Raises to a power in place.", {"other"_a});
    method<&InPlace<&ops::bitwise_and_>::call>("__iand__", "And in place.", {"other"_a});
    method<&InPlace<&ops::bitwise_or_>::call>("__ior__", "Or in place.", {"other"_a});
    method<&InPlace<&ops::bitwise_xor_>::call>("__ixor__", "Exclusive or in place.", {"other"_a});
    method<&InPlace<&ops::bitwise_left_shift_>::call>("__ilshift__", "Shifts to the left in place.",
                                                      {"other"_a});
    method<&InPlace<&ops::bitwise_right_shift_>::call>("__irshift__", "Shifts to the right in place.",
                                                       {"other"_a});
}

void bind_in_place() {
    method<&InPlace<&ops::add_>::call>("add_", "Adds `other` in place.", {"other"_a});
    method<&InPlace<&ops::subtract_>::call>("subtract_", "Subtracts `other` in place.", {"other"_a});
    method<&InPlace<&ops::multiply_>::call>("multiply_", "Multiplies by `other` in place.", {"other"_a});
    method<&InPlace<&ops::divide_>::call>("divide_", "Divides by `other` in place.", {"other"_a});
    method<&InPlace<&ops::pow_>::call>("pow_", "Raises to the power `other` in place.", {"other"_a});
}

} // namespace

#define DT_BINARY(name, doc) op<&ops::name>(m, #name, doc, {"x1"_a, "x2"_a});

void bind_elementwise(py::module_& m) {
    DT_BINARY(add, "Sum of two tensors, element by element; shapes broadcast.\n\n"
                   ">>> drivetrain.add(drivetrain.tensor([1, 2]), 3)\ntensor([4, 5])")
    DT_BINARY(subtract, "Difference of two tensors, element by element.")
    DT_BINARY(multiply, "Product of two tensors, element by element.")
    DT_BINARY(divide, "Quotient of two tensors, element by element; integers give float32.")
    DT_BINARY(floor_divide, "Quotient rounded down. An integer divided by 0 gives 0.")
    DT_BINARY(remainder,
              "Remainder of the division rounded down: it has the sign of `x2`. By 0, integers give 0.")
    DT_BINARY(fmod,
              "Remainder of the division rounded to 0: it has the sign of `x1`. Integers become float32.")
    DT_BINARY(pow, "`x1` raised to the power `x2`. Integers refuse negative exponents.")
    DT_BINARY(maximum,
              "The greater of two elements; NaN where either is NaN. Where both are equal, each gets half of "
              "the gradient.")
    DT_BINARY(minimum, "The smaller of two elements; NaN where either is NaN.")
    DT_BINARY(atan2, "The angle of the point (x2, x1), between -pi and pi.")
    DT_BINARY(hypot, "sqrt(x1 ** 2 + x2 ** 2) without overflow.")
    DT_BINARY(logaddexp, "log(exp(x1) + exp(x2)) without overflow.")
    DT_BINARY(bitwise_and, "And of bool or of the bits of integers.")
    DT_BINARY(bitwise_or, "Or of bool or of the bits of integers.")
    DT_BINARY(bitwise_xor, "Exclusive or of bool or of the bits of integers.")
    DT_BINARY(bitwise_left_shift, "Bits of integers shifted to the left by x2 places.")
    DT_BINARY(bitwise_right_shift, "Bits of integers shifted to the right by x2 places, keeping the sign.")
    DT_BINARY(logical_and, "True where both elements are other than 0.")
    DT_BINARY(logical_or, "True where one of the elements is other than 0.")
    DT_BINARY(logical_xor, "True where exactly one of the elements is other than 0.")
    bind_operators();
    bind_in_place();
}

} // namespace dt::bindings
