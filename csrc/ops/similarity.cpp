#include "ops/similarity.h"

#include <limits>

#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/loss.h"
#include "ops/reduce.h"
#include "ops/unary.h"

namespace dt::ops {
namespace {

Operand number(double value) {
    Scalar s;
    s.kind = DType::float64;
    s.real = value;
    return {{}, s};
}

Tensor dot(const Tensor& a, const Tensor& b, int64_t axis) {
    return sum(multiply({a, {}}, {b, {}}), Dims{axis}, false, std::nullopt);
}

// Squares and sums of half formats are computed in float32.
Tensor widened(const Tensor& x) { return is_half(x.dtype()) ? to_dtype(x, DType::float32) : x; }

// dot / (|x1| |x2|), where `bounded` keeps the squared lengths away from 0. Two roots: the product of the
// squares might overflow.
template <class F> Tensor cosine(const Tensor& x1, const Tensor& x2, int64_t axis, const F& bounded) {
    const Tensor first = sqrt(bounded(dot(x1, x1, axis))), second = sqrt(bounded(dot(x2, x2, axis)));
    return divide({dot(x1, x2, axis), {}}, {multiply({first, {}}, {second, {}}), {}});
}

} // namespace

Tensor cosine_similarity(const Tensor& x1, const Tensor& x2, int64_t axis, double eps) {
    const char* op = "cosine_similarity";
    check_floating(op, "x1", x1);
    check_same_dtype(op, "x1", x1, "x2", x2);
    check_between(op, "eps", eps, 0, std::numeric_limits<double>::max());
    const Dims shape = broadcast_shapes(op, x1.shape(), x2.shape());
    const int from_end = normalize_axis(op, axis, shape.rank()) - shape.rank();
    auto length = [from_end](const Tensor& t) {
        return -from_end <= t.rank() ? t.shape(t.rank() + from_end) : int64_t{-1};
    };
    if (length(x1) != length(x2))
        value_error({op, ": x1 has shape ", x1.shape(), " and x2 ", x2.shape(),
                     ", but their sizes must be equal along axis ", axis});
    const double least = eps * eps;
    const Tensor result = cosine(widened(x1), widened(x2), from_end, [least](const Tensor& square) {
        return maximum({square, {}}, number(least));
    });
    return to_dtype(result, x1.dtype());
}

Tensor cosine_embedding_loss(const Tensor& input1, const Tensor& input2, const Tensor& target, double margin,
                             const std::string& reduction, const Optional& sample_weight) {
    const char* op = "cosine_embedding_loss";
    check_floating(op, "input1", input1);
    check_same_dtype(op, "input1", input1, "input2", input2);
    if (input1.rank() == 0)
        value_error({op, ": input1 must have the features on its last axis, got a scalar"});
    if (input1.shape() != input2.shape())
        value_error({op, ": input1 has shape ", input1.shape(), ", but input2 has shape ", input2.shape()});
    Dims rows = input1.shape();
    rows.erase(rows.rank() - 1);
    check_shape(op, "target", target, rows, " (one value, 1 or -1, per pair)");
    check_constant(op, "target", target);
    check_between(op, "margin", margin, -1, 1);
    const Tensor cos = cosine(widened(input1), widened(input2), -1,
                              [](const Tensor& square) { return add({square, {}}, number(1e-12)); });
    Optional weight = sample_weight;
    if (weight) {
        check_beside(op, "sample_weight", *weight, input1);
        check_constant(op, "sample_weight", *weight);
        weight = prepared(*weight);
    }
    return cosine_margin_loss(op, cos, plain::convert(target, cos.dtype()), margin, reduction, weight);
}

} // namespace dt::ops
