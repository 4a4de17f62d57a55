#include "ops/shape.h"

#include "ops/pair.h"

namespace dt::ops {
namespace {

// The gradient of a view that only orders or groups the elements anew.
Tensor with_shape(const Tensor& t, const Dims& shape) {
    const Tensor c = plain::contiguous(t);
    return c.alias(shape, contiguous_strides(shape), c.offset());
}

Dims infer_shape(const char* op, const Tensor& x, const Dims& wanted) {
    Dims shape = wanted;
    int64_t known = 1;
    int unknown = -1;
    for (int i = 0; i < shape.rank(); ++i) {
        if (shape[i] == -1) {
            if (unknown >= 0) value_error({op, ": only one size may be -1, got shape ", wanted});
            unknown = i;
        } else if (shape[i] < 0) {
            value_error({op, ": sizes must not be negative, got shape ", wanted});
        } else if (__builtin_mul_overflow(known, shape[i], &known)) {
            value_error({op, ": shape ", wanted, " has more elements than memory can hold"});
        }
    }
    if (unknown >= 0) {
        if (known == 0)
            value_error({op, ": the size -1 in shape ", wanted, " cannot be told from a tensor of shape ",
                         x.shape()});
        shape[unknown] = x.size() / known;
        known *= shape[unknown];
    }
    checked_size(op, shape, x.dtype()); // beside a 0 too
    if (known != x.size())
        value_error(
            {op, ": a tensor of shape ", x.shape(), " (", x.size(), " elements) cannot take shape ", wanted});
    return shape;
}

// Strides under which the elements of x, in order, have another shape without a copy; false where there are
// none.
bool strides_for(const Tensor& x, const Dims& shape, Dims& strides) {
    strides = contiguous_strides(shape);
    if (x.is_contiguous()) return true;
    int d = shape.rank() - 1;
    // Runs of x's axes that are laid out as one axis must be filled by whole axes of the new shape.
    for (int i = x.rank() - 1; i >= 0;) {
        int64_t run = x.shape(i), step = x.strides()[i];
        int j = i - 1;
        while (j >= 0 && (x.shape(j) == 1 || run == 1 || x.strides()[j] == step * run)) {
            if (run == 1) step = x.strides()[j];
            run *= x.shape(j--);
        }
        int64_t filled = 1;
        while (d >= 0 && (filled < run || shape[d] == 1)) {
            strides[d] = step * filled;
            filled *= shape[d--];
        }
        if (filled != run) return false;
        i = j;
    }
    return true;
}

void check_permutation(const char* op, const Tensor& x, const Dims& axes) {
    bool seen[kMaxRank] = {};
    bool good = axes.rank() == x.rank();
    for (int i = 0; good && i < axes.rank(); ++i) {
        const int a = normalize_axis(op, axes[i], x.rank());
        good = !seen[a];
        seen[a] = true;
    }
    if (!good)
        value_error({op, ": axes ", axes, " are no permutation of the ", x.rank(),
                     " axes of a tensor of shape ", x.shape(),
                     axes.rank() == 2 ? "; to swap two axes use swapaxes" : ""});
}

Tensor permuted(const char* op, const Tensor& x, const Dims& axes) {
    Dims shape, strides, inverse = axes;
    for (int i = 0; i < axes.rank(); ++i) {
        const int a = normalize_axis(op, axes[i], x.rank());
        shape.push(x.shape(a));
        strides.push(x.strides()[a]);
        inverse[a] = i;
    }
    return autograd::view(op, x, shape, strides, x.offset(), [inverse](Backward& back) {
        const Tensor& g = back.grad();
        Dims g_shape, g_strides;
        for (int64_t i : inverse) {
            g_shape.push(g.shape(static_cast<int>(i)));
            g_strides.push(g.strides()[static_cast<int>(i)]);
        }
        back.give(0, g.alias(g_shape, g_strides, g.offset()));
    });
}

} // namespace

Tensor reshape(const Tensor& x, const Dims& wanted) {
    const Dims shape = infer_shape("reshape", x, wanted);
    Dims strides;
    const auto backward = [from = x.shape()](Backward& back) { back.give(0, with_shape(back.grad(), from)); };
    if (strides_for(x, shape, strides))
        return autograd::view("reshape", x, shape, strides, x.offset(), backward);
    Tensor copy = plain::clone(x);
    Tensor out = copy.alias(shape, contiguous_strides(shape), copy.offset());
    if (recording({&x})) record("reshape", out, {&x}, backward);
    return out;
}

Tensor flatten(const Tensor& x, int64_t start_axis, int64_t end_axis) {
    if (x.rank() == 0) return reshape(x, {1});
    const int start = normalize_axis("flatten", start_axis, x.rank()),
              end = normalize_axis("flatten", end_axis, x.rank());
    if (start > end) value_error({"flatten: start_axis ", start_axis, " comes after end_axis ", end_axis});
    Dims shape;
    int64_t n = 1;
    for (int i = 0; i < x.rank(); ++i) {
        n = i <= start || i > end ? x.shape(i) : n * x.shape(i);
        if (i < start || i >= end) shape.push(n);
    }
    return reshape(x, shape);
}

Tensor permute_dims(const Tensor& x, const Dims& axes) {
    check_permutation("permute_dims", x, axes);
    return permuted("permute_dims", x, axes);
}

Tensor transpose(const Tensor& x, const std::optional<Dims>& axes) {
    Dims order;
    if (axes && !axes->empty()) {
        order = *axes;
        check_permutation("transpose", x, order);
    } else {
        for (int i = x.rank() - 1; i >= 0; --i) order.push(i);
    }
    return permuted("transpose", x, order);
}

Tensor swapaxes(const Tensor& x, int64_t axis1, int64_t axis2) {
    Dims order;
    for (int i = 0; i < x.rank(); ++i) order.push(i);
    const int a = normalize_axis("swapaxes", axis1, x.rank()),
              b = normalize_axis("swapaxes", axis2, x.rank());
    std::swap(order[a], order[b]);
    return permuted("swapaxes", x, order);
}

Tensor matrix_transpose(const Tensor& x) {
    if (x.rank() < 2)
        value_error({"matrix_transpose: x must have at least 2 dimensions, got ", x.rank(), " (shape ",
                     x.shape(), ")"});
    return swapaxes(x, -1, -2);
}

Tensor moveaxis(const Tensor& x, const Dims& source, const Dims& destination) {
    if (source.rank() != destination.rank())
        value_error({"moveaxis: source ", source, " and destination ", destination, " differ in length"});
    Dims order(x.rank(), -1), from(source.rank(), 0);
    for (int i = 0; i < source.rank(); ++i) {
        from[i] = normalize_axis("moveaxis", source[i], x.rank());
        int64_t& place = order[normalize_axis("moveaxis", destination[i], x.rank())];
        if (place >= 0) value_error({"moveaxis: destination ", destination, " names an axis twice"});
        place = from[i];
    }
    int next = 0;
    for (int64_t& place : order) {
        if (place >= 0) continue;
        while (from.contains(next)) ++next;
        place = next++;
    }
    check_permutation("moveaxis", x, order);
    return permuted("moveaxis", x, order);
}

Tensor squeeze(const Tensor& x, const std::optional<Dims>& axis) {
    bool gone[kMaxRank] = {};
    for (int i = 0; !axis && i < x.rank(); ++i) gone[i] = x.shape(i) == 1;
    for (int i = 0; axis && i < axis->rank(); ++i) {
        const int a = normalize_axis("squeeze", (*axis)[i], x.rank());
        if (x.shape(a) != 1)
            value_error({"squeeze: axis ", (*axis)[i], " has size ", x.shape(a), " (shape ", x.shape(),
                         "), expected 1"});
        gone[a] = true;
    }
    Dims shape, strides;
    for (int i = 0; i < x.rank(); ++i) {
        if (gone[i]) continue;
        shape.push(x.shape(i));
        strides.push(x.strides()[i]);
    }
    return autograd::view("squeeze", x, shape, strides, x.offset(), [from = x.shape()](Backward& back) {
        back.give(0, with_shape(back.grad(), from));
    });
}

Tensor expand_dims(const Tensor& x, const Dims& axis) {
    const int rank = x.rank() + axis.rank();
    if (rank > kMaxRank)
        value_error(
            {"expand_dims: the result would have ", rank, " dimensions; tensors have at most ", kMaxRank});
    bool added[kMaxRank] = {};
    for (int64_t a : axis) {
        const int i = normalize_axis("expand_dims", a, rank);
        if (added[i]) value_error({"expand_dims: axis ", a, " is given twice"});
        added[i] = true;
    }
    Dims shape, strides;
    for (int i = 0, from = 0; i < rank; ++i) {
        shape.push(added[i] ? 1 : x.shape(from));
        strides.push(added[i] ? 0 : x.strides()[from]);
        from += !added[i];
    }
    return autograd::view("expand_dims", x, shape, strides, x.offset(), [from = x.shape()](Backward& back) {
        back.give(0, with_shape(back.grad(), from));
    });
}

Tensor broadcast_to(const Tensor& x, const Dims& wanted) {
    Dims shape = wanted; // -1 keeps a size, as in PyTorch's expand
    const int shift = shape.rank() - x.rank();
    for (int i = 0; i < shape.rank(); ++i)
        if (shape[i] == -1 && i >= shift && shift >= 0) shape[i] = x.shape(i - shift);
    checked_size("broadcast_to", shape, DType::uint8); // the elements are not copied, but they are counted
    if (!broadcasts_to(x.shape(), shape))
        value_error({"broadcast_to: a tensor of shape ", x.shape(), " does not broadcast to shape ", shape});
    return autograd::view("broadcast_to", x, shape, broadcast_strides(x, shape), x.offset(),
                          [from = x.shape()](Backward& back) { back.give(0, sum_to(back.grad(), from)); });
}

namespace {

Tensor flipped(const Tensor& x, const Dims& axes, bool recorded) {
    Dims strides = x.strides();
    int64_t offset = x.offset();
    for (int64_t a : axes) {
        const int i = static_cast<int>(a);
        if (x.shape(i) > 1) offset += (x.shape(i) - 1) * strides[i];
        strides[i] = -strides[i];
    }
    if (!recorded) return x.alias(x.shape(), strides, x.size() ? offset : x.offset());
    return autograd::view("flip", x, x.shape(), strides, x.size() ? offset : x.offset(),
                          [axes](Backward& back) { back.give(0, flipped(back.grad(), axes, false)); });
}

} // namespace

Tensor flip(const Tensor& x, const std::optional<Dims>& axis) {
    Dims axes;
    for (int i = 0; !axis && i < x.rank(); ++i) axes.push(i);
    for (int i = 0; axis && i < axis->rank(); ++i) {
        const int a = normalize_axis("flip", (*axis)[i], x.rank());
        if (axes.contains(a)) value_error({"flip: axis ", (*axis)[i], " is given twice"});
        axes.push(a);
    }
    return flipped(x, axes, true);
}

Tensor slice(const char* op, const Tensor& x, int axis, int64_t start, int64_t count, int64_t step) {
    Dims shape = x.shape(), strides = x.strides();
    shape[axis] = count;
    if (count > 1) strides[axis] *= step;
    const int64_t offset = x.offset() + (count ? start * x.strides()[axis] : 0);
    return autograd::view(
        op, x, shape, strides, offset, [from = x.shape(), axis, start, step](Backward& back) {
            const Tensor& g = back.grad();
            Tensor whole = plain::zeros(from, g.dtype());
            Dims part = whole.strides();
            if (g.shape(axis) > 1) part[axis] *= step;
            plain::copy(whole.alias(g.shape(), part, g.size() ? start * whole.strides()[axis] : 0), g);
            back.give(0, whole);
        });
}

Tensor diagonal(const Tensor& x) {
    if (x.rank() < 2)
        value_error(
            {"diagonal: x must have at least 2 dimensions, got ", x.rank(), " (shape ", x.shape(), ")"});
    const int r = x.rank();
    const int64_t n = std::min(x.shape(r - 2), x.shape(r - 1));
    Dims shape = x.shape(), strides = x.strides();
    strides[r - 2] += strides[r - 1];
    shape[r - 2] = n;
    shape.erase(r - 1);
    strides.erase(r - 1);
    return autograd::view("diagonal", x, shape, strides, x.offset(), [from = x.shape()](Backward& back) {
        const Tensor& g = back.grad();
        Tensor whole = plain::zeros(from, g.dtype());
        Dims part = whole.strides();
        part[from.rank() - 2] += part[from.rank() - 1];
        part.erase(from.rank() - 1);
        plain::copy(whole.alias(g.shape(), part, 0), g);
        back.give(0, whole);
    });
}

} // namespace dt::ops
