#include "ops/index_tools.h"

namespace dt::ops {
namespace {

enum class Move : uint8_t { get, put, add };

// Between x and `values`, which has the shape of the result and any strides along x's whole axes.
void move(Move what, const char* op, const Tensor& x, const Picks& picks, const Tensor& values) {
    IndexArgs args;
    args.count = picks.shape.product();
    for (size_t k = 0; k < picks.axes.size(); ++k) add_axis(op, args, x, picks.axes[k], picks.indices[k]);
    if (values.size() == 0) return;
    const int64_t item = static_cast<int64_t>(item_size(x.dtype()));
    args.plain = values.data();
    args.indexed = x.data();
    const int items = picks.shape.rank();
    for (int a = 0, whole = 0; a < x.rank(); ++a) {
        if (picks.picked(a)) continue;
        args.shape.push(x.shape(a));
        args.indexed_strides.push(x.strides()[a] * item);
        args.plain_strides.push(values.strides()[whole < picks.place ? whole : whole + items] * item);
        ++whole;
    }
    args.plain_step = item;
    for (int d = picks.place + items; d < values.rank(); ++d) args.plain_step *= values.shape(d);
    LongWork work(1.0 * static_cast<double>(values.size()));
    const Index& kernel = kernels().index;
    (what == Move::get ? kernel.get : what == Move::put ? kernel.put : kernel.add)(x.dtype(), args);
}

} // namespace

void add_axis(const char* op, IndexArgs& args, const Tensor& x, int axis, const Tensor& indices) {
    const int64_t* index = indices.data<int64_t>();
    const int64_t bad = kernels().index.outside(args.count, index, x.shape(axis));
    if (bad >= 0)
        index_error({op, ": index ", index[bad], " is out of range for axis ", axis, " of size ",
                     x.shape(axis), " (shape ", x.shape(), ")"});
    const int64_t item = static_cast<int64_t>(item_size(x.dtype()));
    args.axis[args.axes++] = {index, x.shape(axis), x.strides()[axis] * item};
}

void take_along(const char* op, const Tensor& x, int axis, const Tensor& indices, const Tensor& out) {
    TakeArgs args;
    for (int d = 0; d < axis; ++d) args.outer *= x.shape(d);
    for (int d = axis + 1; d < x.rank(); ++d) args.inner *= x.shape(d);
    args.size = x.shape(axis);
    args.count = indices.size();
    args.index = indices.data<int64_t>();
    args.in = x.data();
    args.out = out.data();
    LongWork work(1.0 * static_cast<double>(out.size()));
    const int64_t bad = kernels().index.take(x.dtype(), args);
    if (bad >= 0)
        index_error({op, ": index ", args.index[bad], " is out of range for axis ", axis, " of size ",
                     args.size, " (shape ", x.shape(), ")"});
}

bool Picks::picked(int axis) const {
    for (int a : axes)
        if (a == axis) return true;
    return false;
}

Dims Picks::result_shape() const {
    Dims result;
    int whole = 0;
    const auto add_items = [&] {
        if (whole == place)
            for (int64_t s : shape) result.push(s);
    };
    add_items();
    for (int a = 0; a < x_shape.rank(); ++a) {
        if (picked(a)) continue;
        result.push(x_shape[a]);
        ++whole;
        add_items();
    }
    return result;
}

Tensor as_indices(const char* op, const Tensor& t) {
    if (!is_integer(t.dtype()))
        index_error({op, ": indices must be integers, got ", t.dtype(), " (shape ", t.shape(), ")"});
    return plain::contiguous(plain::convert(t, DType::int64));
}

Tensor pick(const char* op, const Tensor& x, const Picks& picks) {
    Tensor out = Tensor::empty(picks.result_shape(), x.dtype(), x.device(), op);
    if (picks.axes.size() == 1 && x.strides() == contiguous_strides(x.shape())) {
        take_along(op, x, picks.axes[0], picks.indices[0], out);
        return out;
    }
    move(Move::get, op, x, picks, out);
    return out;
}

void place(const char* op, const Tensor& x, const Picks& picks, const Tensor& values) {
    move(Move::put, op, x, picks, plain::contiguous(values));
}

void place_add(const char* op, const Tensor& x, const Picks& picks, const Tensor& values) {
    move(Move::add, op, x, picks, plain::contiguous(values));
}

} // namespace dt::ops
