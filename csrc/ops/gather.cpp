// Picking and placing along one axis, by a tensor of positions of the same rank; sorting.
#include "ops/compare.h"
#include "ops/index.h"
#include "ops/index_tools.h"
#include "ops/pair.h"
#include "ops/reduce.h"
#include "ops/shape.h"

namespace dt::ops {
namespace {

void check_indices(const char* op, const Tensor& x, const Tensor& indices, int axis) {
    bool fits = indices.rank() == x.rank();
    for (int d = 0; fits && d < x.rank(); ++d) fits = d == axis || indices.shape(d) <= x.shape(d);
    if (!fits)
        value_error({op, ": indices have shape ", indices.shape(),
                     ", expected as many dimensions as x (shape ", x.shape(),
                     ") and no more entries outside axis ", axis});
}

// Of what each index stands for; `offsets` of its place along the other axes.
IndexArgs along_axis(const char* op, const Tensor& x, const Tensor& indices, int axis, Tensor& offsets) {
    const int64_t item = static_cast<int64_t>(item_size(x.dtype()));
    IndexArgs args;
    args.count = indices.size();
    add_axis(op, args, x, axis, indices);
    if (x.rank() > 1 && args.count) {
        offsets = Tensor::empty(indices.shape(), DType::int64);
        Dims strides = x.strides();
        for (int64_t& s : strides) s *= item;
        strides[axis] = 0;
        kernels().index.positions(indices.shape(), strides, offsets.data<int64_t>());
        args.offsets = offsets.data<int64_t>();
    }
    args.plain_step = item;
    args.indexed = x.data();
    return args;
}

Tensor gather_plain(const char* op, const Tensor& x, const Tensor& indices, int axis) {
    Tensor out = Tensor::empty(indices.shape(), x.dtype()), offsets;
    if (x.rank() == 1 && x.strides()[0] == 1) {
        take_along(op, x, 0, indices, out);
        return out;
    }
    IndexArgs args = along_axis(op, x, indices, axis, offsets);
    args.plain = out.data();
    if (args.count) kernels().index.get(x.dtype(), args);
    return out;
}

void add_plain(const char* op, const Tensor& x, const Tensor& indices, const Tensor& source, int axis) {
    Tensor offsets;
    const Tensor packed = plain::contiguous(source);
    IndexArgs args = along_axis(op, x, indices, axis, offsets);
    args.plain = packed.data();
    if (args.count) kernels().index.add(x.dtype(), args);
}

} // namespace

Tensor gather(const Tensor& x, const Tensor& given, int64_t axis) {
    const int a = normalize_axis("gather", axis, x.rank());
    check_indices("gather", x, given, a);
    const Tensor indices = as_indices("gather", given);
    Tensor out = gather_plain("gather", x, indices, a);
    if (recording({&x}))
        record("gather", out, {&x}, [indices = Saved(indices), a, from = x.shape()](Backward& back) {
            Tensor whole = plain::zeros(from, back.grad().dtype());
            add_plain("gather", whole, indices.get(), back.grad(), a);
            back.give(0, whole);
        });
    return out;
}

namespace {
Tensor checked_indices(const Tensor& x, const Tensor& given, const Tensor& source, int axis) {
    check_indices("scatter_add", x, given, axis);
    check_same_dtype("scatter_add", "x", x, "source", source);
    if (!(source.shape() == given.shape()))
        value_error(
            {"scatter_add: source has shape ", source.shape(), ", but indices have shape ", given.shape()});
    return as_indices("scatter_add", given);
}
} // namespace

Tensor scatter_add(const Tensor& x, const Tensor& given, const Tensor& source, int64_t axis) {
    const int a = normalize_axis("scatter_add", axis, x.rank());
    const Tensor indices = checked_indices(x, given, source, a);
    Tensor out = plain::clone(x);
    add_plain("scatter_add", out, indices, source, a);
    if (recording({&x, &source}))
        record("scatter_add", out, {&x, &source}, [indices = Saved(indices), a](Backward& back) {
            if (back.needs(0)) back.give(0, back.grad());
            if (back.needs(1)) back.give(1, gather_plain("scatter_add", back.grad(), indices.get(), a));
        });
    return out;
}

Tensor scatter_add_(const Tensor& x, const Tensor& indices, const Tensor& source, int64_t axis) {
    autograd::check_in_place("scatter_add_", x);
    const bool own = shares_memory(source, x) || shares_memory(indices, x);
    if (!own && !recording({&x, &source})) {
        const int a = normalize_axis("scatter_add", axis, x.rank());
        add_plain("scatter_add", x, checked_indices(x, indices, source, a), source, a);
        autograd::record_in_place("scatter_add_", x, Tensor());
        return x;
    }
    const Tensor changed = scatter_add(x, indices, source, axis);
    plain::copy(x, changed);
    autograd::record_in_place("scatter_add_", x, changed);
    return x;
}

Tensor one_hot(const Tensor& given, const std::optional<int64_t>& num_classes, const DType& dtype) {
    const Tensor indices = as_indices("one_hot", given);
    if (given.rank() == kMaxRank)
        value_error({"one_hot: indices must have at most ", kMaxRank - 1, " dimensions"});
    const int64_t* index = indices.data<int64_t>();
    int64_t largest = -1;
    for (int64_t i = 0; i < indices.size(); ++i) {
        if (index[i] < 0) value_error({"one_hot: indices must not be negative, got ", index[i]});
        largest = std::max(largest, index[i]);
    }
    if (!num_classes && indices.size() == 0)
        value_error({"one_hot: num_classes must be given for empty indices"});
    const int64_t classes = num_classes.value_or(largest + 1);
    if (classes < 1) value_error({"one_hot: num_classes is ", classes, ", expected at least 1"});
    if (largest >= classes)
        value_error({"one_hot: index ", largest, " is out of range for num_classes ", classes});
    Dims shape = given.shape();
    shape.push(classes);
    checked_size("one_hot", shape, dtype);
    Tensor out = plain::zeros(shape, dtype);
    const Tensor one = scalar_tensor("one_hot", {DType::int64, 1, 1}, dtype);
    const Tensor rows = out.alias({indices.size(), classes}, {classes, 1}, 0);
    Tensor offsets;
    IndexArgs args =
        along_axis("one_hot", rows, indices.alias({indices.size(), 1}, {1, 1}, indices.offset()), 1, offsets);
    args.plain = one.data();
    args.plain_step = 0;
    if (args.count) kernels().index.put(dtype, args);
    return out;
}

namespace {

// With axis `a` and the last one swapped, contiguous and off the tape: to rows along the axis, and back.
Tensor swapped(const Tensor& x, int a) {
    autograd::GradMode off(false);
    return plain::contiguous(a == x.rank() - 1 ? x : swapaxes(x, a, -1));
}

} // namespace

Tensor argsort(const Tensor& x, int64_t axis, bool descending) {
    if (x.rank() == 0) value_error({"argsort: x must have at least one dimension"});
    const int a = normalize_axis("argsort", axis, x.rank());
    const Tensor rows = swapped(x, a);
    Tensor out = Tensor::empty(rows.shape(), DType::int64);
    const int64_t n = x.shape(a);
    LongWork work(50.0 * static_cast<double>(x.size()));
    if (out.size())
        kernels().index.argsort(x.dtype(), x.size() / n, n, descending, rows.data(), out.data<int64_t>());
    return swapped(out, a);
}

namespace {
DType sorted_dtype(DType d) { return d == DType::float16 || d == DType::bfloat16 ? DType::float32 : d; }
} // namespace

Tensor sort(const Tensor& x, int64_t axis, bool descending) {
    if (x.rank() == 0) value_error({"sort: x must have at least one dimension"});
    const int a = normalize_axis("sort", axis, x.rank());
    if (recording({&x})) return gather(x, argsort(x, a, descending), a);
    const Tensor rows = swapped(plain::convert(x, sorted_dtype(x.dtype())), a);
    Tensor out = Tensor::empty(rows.shape(), rows.dtype());
    const int64_t n = x.shape(a);
    LongWork work(10.0 * static_cast<double>(x.size()));
    if (out.size()) kernels().index.sort(out.dtype(), x.size() / n, n, descending, rows.data(), out.data());
    return plain::convert(swapped(out, a), x.dtype());
}

std::pair<Tensor, Tensor> topk(const Tensor& x, int64_t k, int64_t axis, bool largest) {
    if (x.rank() == 0) value_error({"topk: x must have at least one dimension"});
    const int a = normalize_axis("topk", axis, x.rank());
    if (k < 0 || k > x.shape(a))
        value_error({"topk: k is ", k, ", expected 0 to ", x.shape(a), ", the size of axis ", axis,
                     " (shape ", x.shape(), ")"});
    const int64_t n = x.shape(a);
    if (k == 1 && x.size()) { // positions of extremes, but NaN comes last here
        const Tensor position = largest ? argmax(x, a, true) : argmin(x, a, true);
        const Tensor best = gather(x, position, a);
        if (!is_floating(x.dtype()) || !*any(isnan(best), std::nullopt, false).data<bool>())
            return {best, position};
    }
    const Tensor rows = swapped(x, a);
    Dims shape = rows.shape();
    shape[x.rank() - 1] = k;
    Tensor values = Tensor::empty(shape, x.dtype()), positions = Tensor::empty(shape, DType::int64);
    LongWork work(2.0 * static_cast<double>(x.size()));
    if (values.size())
        kernels().index.topk(x.dtype(), x.size() / n, n, k, largest, rows.data(), values.data(),
                             positions.data<int64_t>());
    positions = swapped(positions, a);
    return {recording({&x}) ? gather(x, positions, a) : swapped(values, a), positions};
}

} // namespace dt::ops
