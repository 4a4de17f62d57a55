#include "ops/gemm.h"

#include "ops/common.h"

namespace dt::ops {
namespace {

// Nanoseconds of a product, at a modest 50 GFLOP/s: for LongWork.
double gemm_time(int64_t batch, int64_t m, int64_t n, int64_t k) {
    return 0.04 * double(batch) * double(m) * double(n) * double(k);
}

void run_gemm(DType dtype, const GemmArgs& args) { // of the operands
    LongWork work(gemm_time(args.batch, args.m, args.n, args.k));
    const Gemm& gemm = kernels().gemm;
    switch (dtype) {
    case DType::float64:
        return gemm.f64(args);
    case DType::float16:
        return gemm.f16(args);
    case DType::bfloat16:
        return gemm.bf16(args);
    default:
        return gemm.f32(args);
    }
}

} // namespace

void multiply_into(DType operands, DType c, GemmArgs& args) {
    args.c_float32 = c != operands;
    run_gemm(operands, args);
}

namespace {

// Two matrices (rank 2, any strides) of one floating-point dtype; `result` is that or, of half formats,
// float32.
Tensor multiply_matrices(const Tensor& a, const Tensor& b, DType result) {
    Tensor c = Tensor::empty({a.shape(0), b.shape(1)}, result);
    if (c.size() == 0) return c;
    GemmArgs args;
    args.m = a.shape(0), args.n = b.shape(1), args.k = a.shape(1);
    args.a = a.data(), args.a_row = a.strides()[0], args.a_col = a.strides()[1];
    args.b = b.data(), args.b_row = b.strides()[0], args.b_col = b.strides()[1];
    args.c = c.data(), args.c_row = args.n;
    multiply_into(a.dtype(), result, args);
    return c;
}

Tensor transposed(const Tensor& t) { // the last two axes
    Dims shape = t.shape(), strides = t.strides();
    const int r = t.rank();
    std::swap(shape[r - 1], shape[r - 2]);
    std::swap(strides[r - 1], strides[r - 2]);
    return t.alias(shape, strides, t.offset());
}

Dims batch_of(const Dims& shape) {
    Dims batch = shape;
    batch.erase(batch.rank() - 1);
    batch.erase(batch.rank() - 1);
    return batch;
}

// Stacks of matrices: the last batch axis goes to the kernel, the axes before it are walked here.
Tensor multiply_stacks(const Tensor& a, const Tensor& b, DType result) {
    const int ra = a.rank(), rb = b.rank();
    Dims shape = broadcast_shapes("matmul", batch_of(a.shape()), batch_of(b.shape()));
    if (shape.rank() == 0) return multiply_matrices(a, b, result);
    const Dims batch = shape;
    const int last = batch.rank() - 1;
    shape.push(a.shape(ra - 2));
    shape.push(b.shape(rb - 1));
    Tensor c = Tensor::empty(shape, result);
    if (c.size() == 0) return c;
    const Dims a_batch =
        broadcast_strides(a.alias(batch_of(a.shape()), batch_of(a.strides()), a.offset()), batch);
    const Dims b_batch =
        broadcast_strides(b.alias(batch_of(b.shape()), batch_of(b.strides()), b.offset()), batch);
    GemmArgs args;
    args.batch = batch[last];
    args.m = a.shape(ra - 2), args.n = b.shape(rb - 1), args.k = a.shape(ra - 1);
    args.a_batch = a_batch[last], args.a_row = a.strides()[ra - 2], args.a_col = a.strides()[ra - 1];
    args.b_batch = b_batch[last], args.b_row = b.strides()[rb - 2], args.b_col = b.strides()[rb - 1];
    args.c_batch = args.m * args.n, args.c_row = args.n;
    const auto item = static_cast<int64_t>(item_size(a.dtype())),
               c_item = static_cast<int64_t>(item_size(result));
    const int64_t outer = batch.product() / batch[last];
    for (int64_t i = 0; i < outer; ++i) {
        int64_t rest = i, at_a = 0, at_b = 0;
        for (int axis = last - 1; axis >= 0; --axis) {
            at_a += rest % batch[axis] * a_batch[axis];
            at_b += rest % batch[axis] * b_batch[axis];
            rest /= batch[axis];
        }
        args.a = static_cast<char*>(a.data()) + at_a * item;
        args.b = static_cast<char*>(b.data()) + at_b * item;
        args.c = static_cast<char*>(c.data()) + i * batch[last] * args.m * args.n * c_item;
        multiply_into(a.dtype(), result, args);
    }
    return c;
}

// A stack times one matrix is one product with all rows of the stack, if they lie in memory one behind the
// other.
Tensor rows_of(const Tensor& t) {
    Tensor dense = plain::contiguous(t);
    const int64_t columns = t.shape().back();
    return dense.alias(
        {columns ? t.size() / columns : batch_of(t.shape()).product() * t.shape(t.rank() - 2), columns},
        {columns, 1}, dense.offset());
}

Tensor multiply(const Tensor& a, const Tensor& b, DType result) {
    if (b.rank() > 2 || a.rank() == 2) return multiply_stacks(a, b, result);
    Dims shape = a.shape();
    shape[a.rank() - 1] = b.shape(1);
    Tensor c = multiply_matrices(rows_of(a), b, result);
    return c.alias(shape, contiguous_strides(shape), 0);
}

// Gradients in `result`; what is summed afterwards, over repeated operands, comes in float32 out of half
// formats.
Tensor grad_of_left(const Tensor& grad, const Tensor& a, const Tensor& b, DType result) {
    const Dims summed = broadcast_shapes("matmul", batch_of(grad.shape()), batch_of(b.shape()));
    const bool repeated = summed.product() != batch_of(a.shape()).product() && is_half(result);
    return sum_to(multiply(grad, transposed(b), repeated ? DType::float32 : result), a.shape());
}

Tensor grad_of_right(const Tensor& grad, const Tensor& a, const Tensor& b, DType result) {
    if (b.rank() == 2) // sums over the stack on the way
        return multiply_matrices(transposed(rows_of(a)), rows_of(grad), result);
    const Dims summed = broadcast_shapes("matmul", batch_of(a.shape()), batch_of(grad.shape()));
    const bool repeated = summed.product() != batch_of(b.shape()).product() && is_half(result);
    return sum_to(multiply(transposed(a), grad, repeated ? DType::float32 : result), b.shape());
}

// A vector becomes a matrix of one row or one column.
Tensor as_matrix(const Tensor& t, bool row) {
    if (t.rank() > 1) return t;
    const int64_t n = t.shape(0), stride = t.strides()[0];
    return row ? t.alias({1, n}, {0, stride}, t.offset()) : t.alias({n, 1}, {stride, 0}, t.offset());
}

void check_matmul(const Tensor& a, const Tensor& b) {
    if (a.rank() == 0 || b.rank() == 0)
        value_error({"matmul: both tensors need at least one dimension, got shapes ", a.shape(), " and ",
                     b.shape(), "; multiply by a number with *"});
    const int64_t inner = b.shape(b.rank() > 1 ? b.rank() - 2 : 0);
    if (a.shape().back() != inner)
        value_error({"matmul: x1 has ", a.shape().back(), " columns (shape ", a.shape(), "), but x2 has ",
                     inner, " rows (shape ", b.shape(), ")"});
    if (!is_floating(a.dtype()) || !is_floating(b.dtype()))
        type_error({"matmul: tensors of floating-point dtypes are needed, got ", a.dtype(), " and ",
                    b.dtype(), "; convert with astype()"});
}

} // namespace

DType gradient_dtype(DType computing, DType of) {
    return is_half(computing) && of == DType::float32 ? of : computing;
}

Tensor matmul(const Tensor& x1, const Tensor& x2) {
    check_matmul(x1, x2);
    const Factors used = autocast_factors(x1, x2);
    const DType computing = promote(used.input.dtype(), used.weight.dtype());
    const Tensor a = as_matrix(plain::convert(used.input, computing), true),
                 b = as_matrix(plain::convert(used.weight, computing), false);
    Tensor full = multiply(a, b, computing);
    Dims shape = full.shape();
    if (x2.rank() == 1) shape.erase(shape.rank() - 1);
    if (x1.rank() == 1) shape.erase(shape.rank() - 1 - (x2.rank() > 1));
    Tensor out = shape == full.shape() ? full : full.alias(shape, contiguous_strides(shape), 0);
    if (recording({&x1, &x2}))
        record(
            "matmul", out, {&x1, &x2},
            [x1 = Saved(used.input), x2 = Saved(used.weight), dtype1 = x1.dtype(), dtype2 = x2.dtype(),
             full = full.shape(), computing](Backward& back) {
                const Tensor &t1 = x1.get(), &t2 = x2.get();
                const Tensor a = as_matrix(plain::convert(t1, computing), true);
                const Tensor b = as_matrix(plain::convert(t2, computing), false);
                Tensor grad = plain::contiguous(plain::convert(back.grad(), computing));
                grad = grad.alias(full, contiguous_strides(full), grad.offset());
                auto shaped = [](const Tensor& g, const Tensor& like, DType dtype) {
                    Tensor c = plain::convert(plain::contiguous(g), dtype);
                    return c.alias(like.shape(), contiguous_strides(like.shape()), c.offset());
                };
                if (back.needs(0))
                    back.give(
                        0, shaped(grad_of_left(grad, a, b, gradient_dtype(computing, dtype1)), t1, dtype1));
                if (back.needs(1))
                    back.give(
                        1, shaped(grad_of_right(grad, a, b, gradient_dtype(computing, dtype2)), t2, dtype2));
            },
            2 * gemm_time(out.size(), 1, 1, x1.shape().back()));
    return out;
}

namespace {

void check_linear(const Tensor& input, const Tensor& weight, const Tensor& bias) {
    check_rank("linear", "weight", weight, 2, "(out, in)");
    if (input.rank() == 0) value_error({"linear: input needs at least one dimension, got shape ()"});
    if (input.shape().back() != weight.shape(1))
        value_error({"linear: input has ", input.shape().back(), " features (shape ", input.shape(),
                     "), but weight ", weight.shape(), " expects ", weight.shape(1)});
    check_floating("linear", "weight", weight);
    check_same_dtype("linear", "input", input, "weight", weight);
    if (!bias.defined()) return;
    check_bias_dtype("linear", bias, weight);
    if (!(bias.shape() == Dims{weight.shape(0)}))
        value_error({"linear: bias has shape ", bias.shape(), ", but weight ", weight.shape(), " expects ",
                     Dims{weight.shape(0)}});
}

} // namespace

// A dense stack of rows of features is one matrix: (..., in) to (..., out). Of half formats the bias is
// float32.
Tensor linear_rows(const Tensor& x, const Tensor& weight, const Tensor& bias, Activation activation) {
    Dims shape = x.shape();
    shape[shape.rank() - 1] = weight.shape(0);
    Tensor y = Tensor::empty(shape, x.dtype());
    if (y.size() == 0) return y;
    GemmArgs args;
    args.n = weight.shape(0), args.k = weight.shape(1), args.m = y.size() / args.n;
    args.a = x.data(), args.a_row = args.k;
    args.b = weight.data(), args.b_row = weight.strides()[1], args.b_col = weight.strides()[0];
    args.c = y.data(), args.c_row = args.n;
    args.bias = bias.defined() ? bias.data() : nullptr;
    args.activation = activation;
    run_gemm(x.dtype(), args);
    return y;
}

// The gradient of x: grad (..., out) times weight.
Tensor linear_input_gradient(const Tensor& grad, const Tensor& weight, const Dims& shape, DType result) {
    Tensor g = Tensor::empty(shape, result);
    if (g.size() == 0) return g;
    GemmArgs args;
    args.n = weight.shape(1), args.k = weight.shape(0), args.m = g.size() / args.n;
    args.a = grad.data(), args.a_row = args.k;
    args.b = weight.data(), args.b_row = weight.strides()[0], args.b_col = weight.strides()[1];
    args.c = g.data(), args.c_row = args.n;
    multiply_into(grad.dtype(), result, args);
    return g;
}

// The gradient of the weight: grad, turned, times x.
Tensor linear_weight_gradient(const Tensor& grad, const Tensor& x, const Dims& shape, DType result) {
    Tensor g = Tensor::empty(shape, result);
    if (g.size() == 0) return g;
    GemmArgs args;
    args.m = shape[0], args.n = shape[1], args.k = x.size() / args.n;
    args.a = grad.data(), args.a_row = 1, args.a_col = args.m;
    args.b = x.data(), args.b_row = args.n;
    args.c = g.data(), args.c_row = args.n;
    multiply_into(grad.dtype(), result, args);
    return g;
}

namespace {

// What a linear layer keeps for backward.
struct LinearSaved {
    Saved x, weight, y; // y: where there is a relu
    Dims weight_shape;
    DType computing, dtypes[3]; // of input, weight and bias as they were given

    void backward(Backward& back) const {
        LayerGradient g = layer_gradient(back, y, computing, back.needs(2));
        const auto give = [&](int input, Tensor t) {
            back.give(input, t.dtype() == dtypes[input] ? std::move(t) : plain::convert(t, dtypes[input]));
        };
        const auto result = [&](int input) { return gradient_dtype(computing, dtypes[input]); };
        if (back.needs(2)) give(2, std::move(g.bias));
        if (back.needs(1)) give(1, linear_weight_gradient(g.before, x.get(), weight_shape, result(1)));
        if (back.needs(0)) {
            Dims shape = g.before.shape();
            shape[shape.rank() - 1] = weight_shape[1];
            give(0, linear_input_gradient(g.before, weight.get(), shape, result(0)));
        }
    }
};

} // namespace

Tensor linear_activation(const Tensor& input, const Tensor& weight, const std::optional<Tensor>& bias_,
                         Activation activation) {
    static const Tensor none;
    const Tensor& bias = bias_ ? *bias_ : none;
    const Factors used = autocast_factors(input, weight);
    check_linear(used.input, used.weight, bias);
    const DType dtype = used.input.dtype(), bias_dtype = is_half(dtype) ? DType::float32 : dtype;
    Tensor made[2]; // where an operand is not as the kernel wants it
    const auto prepared = [&](const Tensor& t, int i, DType wanted) -> const Tensor& {
        if (!t.defined() || (t.dtype() == wanted && t.is_contiguous())) return t;
        return made[i] = plain::contiguous(plain::convert(t, wanted));
    };
    const Tensor& x = prepared(used.input, 0, dtype);
    Tensor out = linear_rows(x, used.weight, prepared(bias, 1, bias_dtype), activation);
    if (recording({&input, &weight, &bias})) {
        // Each factor is needed for the other's gradient only.
        LinearSaved saved{autograd::requires_grad(weight) ? Saved(x) : Saved(),
                          autograd::requires_grad(input) ? Saved(used.weight) : Saved(),
                          activation == Activation::none ? Saved() : Saved(out),
                          weight.shape(),
                          dtype,
                          {input.dtype(), weight.dtype(), bias.defined() ? bias.dtype() : dtype}};
        const int64_t rows = x.size() / std::max<int64_t>(1, weight.shape(1));
        record(
            "linear", out, {&input, &weight, &bias},
            [saved = std::move(saved)](Backward& back) { saved.backward(back); },
            2 * gemm_time(1, rows, weight.shape(0), weight.shape(1)));
    }
    return out;
}

Tensor linear(const Tensor& input, const Tensor& weight, const std::optional<Tensor>& bias) {
    return linear_activation(input, weight, bias, Activation::none);
}

} // namespace dt::ops
