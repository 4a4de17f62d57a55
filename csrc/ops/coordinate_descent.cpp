#include "ops/coordinate_descent.h"

#include <limits>

#include "ops/checks.h"

namespace dt::ops {
namespace {

void check_double(const char* op, const char* argument, const Tensor& t, const Dims& shape) {
    if (t.dtype() != DType::float64)
        type_error({op, ": ", argument, " has dtype ", t.dtype(), ", expected float64"});
    check_shape(op, argument, t, shape);
}

} // namespace

int64_t coordinate_descent(const Tensor& gram, const Tensor& target, const Tensor& weights, double l1,
                           double l2, double tolerance, int64_t max_sweeps, bool positive) {
    const char* op = "coordinate_descent";
    constexpr double largest = std::numeric_limits<double>::max();
    check_rank(op, "target", target, 1, "(features,)");
    const int64_t n = target.shape(0);
    check_double(op, "target", target, {n});
    check_double(op, "gram", gram, {n, n});
    check_double(op, "weights", weights, {n});
    check_between(op, "l1", l1, 0, largest);
    check_between(op, "l2", l2, 0, largest);
    check_between(op, "tolerance", tolerance, 0, largest);
    check_between(op, "max_sweeps", static_cast<double>(max_sweeps), 1, 1e9);
    if (!weights.is_contiguous())
        value_error({op, ": weights must be contiguous (shape ", weights.shape(), ")"});
    autograd::GradMode off(false);
    autograd::check_in_place(op, weights);
    const Tensor matrix = plain::contiguous(gram), pull = plain::contiguous(target), memory = scratch(n);
    CoordinateDescentArgs args;
    args.size = n;
    args.gram = matrix.data<double>();
    args.target = pull.data<double>();
    args.weights = weights.data<double>();
    args.scratch = memory.data<double>();
    args.l1 = l1;
    args.l2 = l2;
    args.tolerance = tolerance;
    args.max_sweeps = max_sweeps;
    args.positive = positive;
    LongWork work(0.5 * static_cast<double>(n * n));
    const int64_t sweeps = kernels().coordinate_descent.descend(args);
    weights.storage().bump_version();
    return sweeps;
}

} // namespace dt::ops
