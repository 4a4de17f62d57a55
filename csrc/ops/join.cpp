// What joins tensors, cuts them or lays their elements out anew.
#include <algorithm>
#include <cstring>

#include "core/parallel.h"
#include "ops/common.h"
#include "ops/index.h"
#include "ops/pair.h"
#include "ops/shape.h"

namespace dt::ops {
namespace {

// The part [start, start + count) along an axis; nothing recorded.
Tensor part(const Tensor& t, int axis, int64_t start, int64_t count) {
    Dims shape = t.shape();
    shape[axis] = count;
    return t.alias(shape, t.strides(), t.offset() + (count ? start * t.strides()[axis] : 0));
}

DType common_dtype(const char* op, const std::vector<Tensor>& tensors) {
    if (tensors.empty()) value_error({op, ": at least one tensor is needed"});
    DType dtype = tensors[0].dtype();
    for (const Tensor& t : tensors) dtype = dt::promote(dtype, t.dtype());
    return dtype;
}

} // namespace

Tensor concat(const std::vector<Tensor>& given, const std::optional<int64_t>& axis) {
    const DType dtype = common_dtype("concat", given);
    std::vector<Tensor> tensors = given;
    if (!axis)
        for (Tensor& t : tensors) t = reshape(t, {-1});
    const Tensor& first = tensors[0];
    if (first.rank() == 0) value_error({"concat: tensors must have at least one dimension; use stack"});
    const int a = normalize_axis("concat", axis.value_or(0), first.rank());
    Dims shape = first.shape();
    shape[a] = 0;
    for (size_t i = 0; i < tensors.size(); ++i) {
        Dims other = tensors[i].shape();
        const int64_t n = other.rank() == shape.rank() ? other[a] : 0;
        if (other.rank() == shape.rank()) other[a] = shape[a];
        if (!(other == shape))
            value_error({"concat: tensor ", i, " has shape ", tensors[i].shape(), ", but tensor 0 has shape ",
                         first.shape(), "; all axes but axis ", a, " must agree"});
        shape[a] = checked_add("concat", shape[a], n);
    }
    Tensor out = Tensor::empty(shape, dtype, first.device(), "concat");
    int64_t start = 0;
    std::vector<int64_t> sizes;
    for (const Tensor& t : tensors) {
        plain::copy(part(out, a, start, t.shape(a)), t);
        start += t.shape(a);
        sizes.push_back(t.shape(a));
    }
    if (recording(tensors)) {
        std::vector<DType> dtypes;
        for (const Tensor& t : tensors) dtypes.push_back(t.dtype());
        record("concat", {out}, tensors, [a, sizes, dtypes](Backward& back) {
            int64_t from = 0;
            for (size_t i = 0; i < sizes.size(); ++i) {
                const int input = static_cast<int>(i);
                if (back.needs(input))
                    back.give(input, plain::convert(part(back.grad(), a, from, sizes[i]), dtypes[i]));
                from += sizes[i];
            }
        });
    }
    return out;
}

Tensor stack(const std::vector<Tensor>& tensors, int64_t axis) {
    common_dtype("stack", tensors);
    const Tensor& first = tensors[0];
    const int a = normalize_axis("stack", axis, first.rank() + 1);
    std::vector<Tensor> expanded;
    for (size_t i = 0; i < tensors.size(); ++i) {
        if (!(tensors[i].shape() == first.shape()))
            value_error({"stack: tensor ", i, " has shape ", tensors[i].shape(), ", but tensor 0 has shape ",
                         first.shape()});
        expanded.push_back(expand_dims(tensors[i], {a}));
    }
    return concat(expanded, a);
}

std::vector<Tensor> split_at(const Tensor& x, const std::vector<int64_t>& positions, int64_t axis) {
    const int a = normalize_axis("split", axis, x.rank());
    const int64_t n = x.shape(a);
    std::vector<Tensor> parts;
    int64_t start = 0;
    for (size_t i = 0; i <= positions.size(); ++i) {
        int64_t stop = i < positions.size() ? positions[i] : n;
        if (stop < 0) stop += n;
        stop = std::clamp<int64_t>(stop, 0, n);
        parts.push_back(slice("split", x, a, start, std::max<int64_t>(stop - start, 0), 1));
        start = stop;
    }
    return parts;
}

std::vector<Tensor> split(const Tensor& x, int64_t sections, int64_t axis) {
    const int a = normalize_axis("split", axis, x.rank());
    const int64_t n = x.shape(a);
    if (sections < 1) value_error({"split: sections is ", sections, ", expected at least 1"});
    if (n % sections)
        value_error({"split: axis ", axis, " has size ", n, " (shape ", x.shape(), "), which ", sections,
                     " does not divide; give the positions of the cuts instead"});
    std::vector<int64_t> positions;
    for (int64_t i = 1; i < sections; ++i) positions.push_back(i * (n / sections));
    return split_at(x, positions, axis);
}

std::vector<Tensor> unstack(const Tensor& x, int64_t axis) {
    const int a = normalize_axis("unstack", axis, x.rank());
    std::vector<Tensor> parts;
    for (int64_t i = 0; i < x.shape(a); ++i)
        parts.push_back(squeeze(slice("unstack", x, a, i, 1, 1), Dims{a}));
    return parts;
}

namespace {

Tensor rolled(const Tensor& x, int axis, int64_t shift) {
    const int64_t n = x.shape(axis);
    if (n == 0) return plain::clone(x);
    const int64_t s = ((shift % n) + n) % n;
    Tensor out = empty_like(x);
    plain::copy(part(out, axis, s, n - s), part(x, axis, 0, n - s));
    plain::copy(part(out, axis, 0, s), part(x, axis, n - s, s));
    return out;
}

} // namespace

Tensor roll(const Tensor& x, const Dims& shift, const std::optional<Dims>& axis) {
    if (!axis) {
        if (shift.rank() != 1) value_error({"roll: without axis, shift must be one int, got ", shift});
        return reshape(roll(reshape(x, {-1}), shift, Dims{0}), x.shape());
    }
    if (shift.rank() != axis->rank() && shift.rank() != 1)
        value_error({"roll: shift ", shift, " and axis ", *axis, " differ in length"});
    Tensor out = axis->empty() ? plain::clone(x) : x;
    Dims axes, steps;
    for (int i = 0; i < axis->rank(); ++i) {
        axes.push(normalize_axis("roll", (*axis)[i], x.rank()));
        steps.push(shift[shift.rank() == 1 ? 0 : i]);
        out = rolled(out, static_cast<int>(axes[i]), steps[i]);
    }
    if (recording({&x}))
        record("roll", out, {&x}, [axes, steps](Backward& back) {
            Tensor g = back.grad();
            for (int i = 0; i < axes.rank(); ++i) {
                const int64_t n = g.shape(static_cast<int>(axes[i]));
                g = rolled(g, static_cast<int>(axes[i]), n ? n - steps[i] % n : 0);
            }
            back.give(0, g);
        });
    return out;
}

namespace {

int64_t padded_size(int64_t n, int64_t before, int64_t after) {
    return checked_add("pad", n, checked_add("pad", before, after));
}

Tensor pad_constant(const Tensor& x, const Dims& before, const Dims& after, const Scalar& value) {
    Dims shape = x.shape();
    for (int i = 0; i < x.rank(); ++i) shape[i] = padded_size(shape[i], before[i], after[i]);
    alignas(8) char checked[8];
    write_scalar("pad", value, x.dtype(), checked);
    check_half_range("pad", "constant_values", value, x.dtype());
    Tensor out = Tensor::empty(shape, x.dtype(), x.device(), "pad");
    if (out.size() == 0) return out;
    kernels().elementwise.fill(x.dtype(), loop_over(shape, {&out}), value.real, value.integer);
    int64_t offset = 0;
    for (int i = 0; i < x.rank(); ++i) offset += before[i] * out.strides()[i];
    plain::copy(out.alias(x.shape(), out.strides(), offset), x);
    return out;
}

// Where the entries of a padded axis come from: the edge repeated, or the axis mirrored at it.
int64_t source_of(int64_t i, int64_t n, bool reflect) {
    if (!reflect) return std::clamp<int64_t>(i, 0, n - 1);
    if (n == 1) return 0;
    const int64_t period = 2 * (n - 1), at = ((i % period) + period) % period;
    return at < n ? at : period - at;
}

// Copies x into the middle, then axis after axis the planes beside it from within.
Tensor pad_by_planes(const Tensor& x, const Dims& before, const Dims& after, bool reflect) {
    Dims shape = x.shape();
    for (int i = 0; i < x.rank(); ++i) shape[i] = padded_size(shape[i], before[i], after[i]);
    Tensor out = Tensor::empty(shape, x.dtype(), x.device(), "pad");
    if (out.size() == 0) return out;
    const Dims& strides = out.strides();
    int64_t offset = 0;
    for (int i = 0; i < x.rank(); ++i) offset += before[i] * strides[i];
    Dims done = x.shape();
    plain::copy(out.alias(done, strides, offset), x);
    for (int i = 0; i < x.rank(); ++i) {
        const int64_t n = x.shape(i), first = offset - before[i] * strides[i];
        Dims plane = done;
        plane[i] = 1;
        const auto fill = [&](int64_t begin, int64_t end) {
            for (int64_t k = begin; k < end; ++k) {
                const int64_t source = before[i] + source_of(k - before[i], n, reflect);
                plain::copy(out.alias(plane, strides, first + k * strides[i]),
                            out.alias(plane, strides, first + source * strides[i]));
            }
        };
        fill(0, before[i]);
        fill(before[i] + n, shape[i]);
        done[i] = shape[i];
        offset = first;
    }
    return out;
}

} // namespace

Tensor pad(const Tensor& x, const Dims& before, const Dims& after, const std::string& mode,
           const Scalar& value) {
    for (int i = 0; i < x.rank(); ++i)
        if (before[i] < 0 || after[i] < 0)
            value_error({"pad: widths must not be negative, got ", before, " before and ", after, " after"});
    if (mode != "constant" && mode != "edge" && mode != "reflect")
        value_error({"pad: mode is '", mode, "', expected 'constant', 'edge' or 'reflect'"});
    if (mode == "constant") {
        Tensor out = pad_constant(x, before, after, value);
        if (recording({&x}))
            record("pad", out, {&x}, [before, from = x.shape()](Backward& back) {
                const Tensor& g = back.grad();
                int64_t offset = g.offset();
                for (int i = 0; i < from.rank(); ++i) offset += before[i] * g.strides()[i];
                back.give(0, g.alias(from, g.strides(), from.contains(0) ? g.offset() : offset));
            });
        return out;
    }
    for (int i = 0; i < x.rank(); ++i)
        if (x.shape(i) == 0 && (before[i] != 0 || after[i] != 0))
            value_error({"pad: axis ", i, " is empty (shape ", x.shape(), "); mode '", mode,
                         "' has nothing to repeat"});
    if (!recording({&x})) return pad_by_planes(x, before, after, mode == "reflect");
    Tensor out = x;
    for (int i = 0; i < x.rank(); ++i) {
        if (before[i] == 0 && after[i] == 0) continue;
        const int64_t n = x.shape(i);
        Tensor indices =
            Tensor::empty({padded_size(n, before[i], after[i])}, DType::int64, Device::cpu, "pad");
        for (int64_t k = 0; k < indices.size(); ++k)
            indices.data<int64_t>()[k] = source_of(k - before[i], n, mode == "reflect");
        out = take(out, indices, i);
    }
    return out;
}

Tensor tile(const Tensor& x, const Dims& repetitions) {
    const int rank = std::max(x.rank(), repetitions.rank());
    Dims shape;
    for (int i = 0; i < rank; ++i) {
        const int from = i - (rank - x.rank()), r = i - (rank - repetitions.rank());
        const int64_t times = r >= 0 ? repetitions[r] : 1;
        if (times < 0) value_error({"tile: repetitions must not be negative, got ", repetitions});
        shape.push(checked_multiply("tile", from >= 0 ? x.shape(from) : 1, times));
    }
    checked_size("tile", shape, x.dtype());
    if (2 * rank > kMaxRank) { // one axis at a time needs no more dimensions than x has
        Tensor out = x;
        for (int i = 0; i < repetitions.rank(); ++i) {
            const int axis = rank - repetitions.rank() + i;
            while (out.rank() < rank) out = expand_dims(out, {0});
            if (repetitions[i] == 0)
                out = slice("tile", out, axis, 0, 0, 1);
            else
                out = concat(std::vector<Tensor>(static_cast<size_t>(repetitions[i]), out), axis);
        }
        return out;
    }
    Dims split_shape, spread;
    for (int i = 0; i < rank; ++i) {
        const int from = i - (rank - x.rank()), r = i - (rank - repetitions.rank());
        const int64_t n = from >= 0 ? x.shape(from) : 1, times = r >= 0 ? repetitions[r] : 1;
        split_shape.push(1);
        split_shape.push(n);
        spread.push(times);
        spread.push(n);
    }
    return reshape(broadcast_to(reshape(x, split_shape), spread), shape);
}

Tensor repeat(const Tensor& x, int64_t repeats, const std::optional<int64_t>& axis) {
    if (repeats < 0) value_error({"repeat: repeats is ", repeats, ", expected 0 or more"});
    if (!axis) return repeat(reshape(x, {-1}), repeats, 0);
    const int a = normalize_axis("repeat", *axis, x.rank());
    if (x.rank() == kMaxRank)
        value_error({"repeat: x has ", x.rank(), " dimensions, at most ", kMaxRank - 1, " are supported"});
    const Tensor expanded = expand_dims(x, {a + 1});
    Dims shape = expanded.shape(), merged = x.shape();
    shape[a + 1] = repeats;
    merged[a] = checked_multiply("repeat", merged[a], repeats);
    checked_size("repeat", merged, x.dtype());
    return reshape(broadcast_to(expanded, shape), merged);
}

namespace {

// Rows of which the elements before the diagonal are kept and 0 stands behind it, or the other way around.
struct Triangle {
    const char* from;
    char* to;
    int64_t rows, columns, item, diagonal;
    bool lower;

    static void copy_rows(void* context, int64_t begin, int64_t end) {
        const Triangle& t = *static_cast<const Triangle*>(context);
        const size_t row = static_cast<size_t>(t.columns * t.item);
        for (int64_t i = begin; i < end; ++i) {
            const int64_t before = std::clamp<int64_t>(i % t.rows + t.diagonal, 0, t.columns);
            const size_t left = static_cast<size_t>(before * t.item), at = static_cast<size_t>(i) * row;
            const size_t kept = at + (t.lower ? 0 : left), zero = at + (t.lower ? left : 0);
            std::memcpy(t.to + kept, t.from + kept, t.lower ? left : row - left);
            std::memset(t.to + zero, 0, t.lower ? row - left : left);
        }
    }
};

// Keeps the elements on one side of a diagonal; 0 elsewhere.
Tensor masked_triangle(const Tensor& given, int64_t k, bool lower) {
    const Tensor x = plain::contiguous(given);
    Tensor out = Tensor::empty(x.shape(), x.dtype());
    if (!out.size()) return out;
    const int64_t rows = x.shape(x.rank() - 2), columns = x.shape(x.rank() - 1);
    Triangle triangle{
        static_cast<const char*>(x.data()),         static_cast<char*>(out.data()),        rows, columns,
        static_cast<int64_t>(item_size(x.dtype())), std::clamp(k, -rows, columns) + lower, lower};
    parallel_for(x.size() / columns, 1 + 16384 / columns, Triangle::copy_rows, &triangle);
    return out;
}

} // namespace

Tensor triangle(const char* op, const Tensor& x, int64_t k, bool lower) {
    if (x.rank() < 2)
        value_error({op, ": x must have at least 2 dimensions, got ", x.rank(), " (shape ", x.shape(), ")"});
    Tensor out = masked_triangle(x, k, lower);
    if (recording({&x}))
        record(op, out, {&x},
               [k, lower](Backward& back) { back.give(0, masked_triangle(back.grad(), k, lower)); });
    return out;
}

Tensor tril(const Tensor& x, int64_t k) { return triangle("tril", x, k, true); }
Tensor triu(const Tensor& x, int64_t k) { return triangle("triu", x, k, false); }

} // namespace dt::ops
