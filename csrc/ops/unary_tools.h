#pragma once
#include "ops/common.h"

// How elementwise functions of one floating-point operand are made and recorded.
namespace dt::ops {

struct Parameters {
    double values[2] = {0, 0};
};

// What a gradient kernel gets beside the gradient.
enum class From : uint8_t { input, output };

struct UnaryRule {
    const char* name;
    UnaryOp op;
    BinaryOp grad; // (g, x) or (g, y)
    From from;
};

// Integers and bool become float32.
Tensor as_floating(const Tensor& x);
// The kernel alone, nothing recorded.
Tensor run_unary(UnaryOp op, const Tensor& x, const Parameters& parameters = {});
Tensor run_binary(BinaryOp op, const Tensor& a, const Tensor& b, const Parameters& parameters = {});
Tensor unary(const UnaryRule& rule, const Tensor& x, const Parameters& parameters = {});

} // namespace dt::ops
