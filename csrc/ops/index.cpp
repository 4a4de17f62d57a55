#include "ops/index.h"

#include "ops/compare.h"
#include "ops/elementwise.h"
#include "ops/index_tools.h"
#include "ops/pair.h"
#include "ops/shape.h"

namespace dt::ops {
namespace {

using Kind = IndexItem::Kind;
constexpr const char* kGet = "index";

[[noreturn]] void mask_changed(const Tensor& mask) {
    value_error({kGet, ": the mask (shape ", mask.shape(), ") was changed by another thread meanwhile"});
}

// The positions of what is true in a mask, one int64 tensor for each of its axes.
std::vector<Tensor> positions_of(const Tensor& mask) {
    const Tensor m = plain::contiguous(mask);
    const auto find = kernels().index.find;
    const int64_t count = find(m.size(), m.data<uint8_t>(), 0, nullptr);
    Tensor flat = Tensor::empty({count}, DType::int64);
    if (find(m.size(), m.data<uint8_t>(), count, flat.data<int64_t>()) != count) mask_changed(mask);
    if (mask.rank() == 1) return {flat};
    std::vector<Tensor> positions;
    int64_t* out[kMaxRank] = {};
    for (int d = 0; d < mask.rank(); ++d) {
        positions.push_back(Tensor::empty({count}, DType::int64));
        out[d] = positions.back().data<int64_t>();
    }
    if (count && mask.rank() > 0) kernels().index.unravel(count, flat.data<int64_t>(), mask.shape(), out);
    return positions;
}

int axes_used(const IndexItem& item) {
    if (item.kind == Kind::new_axis || item.kind == Kind::ellipsis) return 0;
    if (item.kind == Kind::array && item.array.dtype() == DType::boolean) return item.array.rank();
    return 1;
}

// The items sorted out: what a view can do, and the arrays, which index axes of that view.
struct Parsed {
    std::vector<IndexItem> basic; // integers, slices and new axes only, every axis of x with its own
    std::vector<int> axes;        // of the view
    std::vector<Tensor> indices;
    bool adjacent = true; // no slice or new axis stands between the arrays
};

IndexItem whole_axis() {
    IndexItem item;
    item.stop = INT64_MAX;
    return item;
}

void add_indices(Parsed& p, const IndexItem& item, const Tensor& x, int axis) {
    std::vector<Tensor> indices;
    if (item.kind == Kind::integer) {
        indices.push_back(scalar_tensor(kGet, {DType::int64, item.start, 0}, DType::int64));
    } else if (item.array.dtype() == DType::boolean) {
        for (int d = 0; d < item.array.rank(); ++d)
            if (item.array.shape(d) != x.shape(axis + d))
                index_error({"index: a mask of shape ", item.array.shape(), " does not fit axis ", axis + d,
                             " of size ", x.shape(axis + d), " (shape ", x.shape(), ")"});
        indices = positions_of(item.array);
    } else {
        indices.push_back(as_indices(kGet, item.array));
    }
    for (const Tensor& t : indices) {
        const int here = static_cast<int>(p.basic.size());
        if (!p.axes.empty() && p.axes.back() != here - 1) p.adjacent = false;
        p.axes.push_back(here);
        p.indices.push_back(t);
        p.basic.push_back(whole_axis());
    }
}

Parsed parse(const Tensor& x, const std::vector<IndexItem>& items) {
    int used = 0, ellipses = 0;
    bool any_array = false;
    for (const IndexItem& item : items) {
        used += axes_used(item);
        ellipses += item.kind == Kind::ellipsis;
        any_array |= item.kind == Kind::array;
    }
    if (ellipses > 1) index_error({"index: only one ellipsis (...) is allowed"});
    if (used > x.rank())
        index_error(
            {"index: ", used, " indices for a tensor of ", x.rank(), " dimensions (shape ", x.shape(), ")"});
    Parsed p;
    int axis = 0;
    for (const IndexItem& item : items) {
        if (item.kind == Kind::ellipsis)
            for (int i = used; i < x.rank(); ++i, ++axis) p.basic.push_back(whole_axis());
        else if (item.kind == Kind::array || (any_array && item.kind == Kind::integer))
            add_indices(p, item, x, axis);
        else
            p.basic.push_back(item);
        axis += axes_used(item);
    }
    for (; axis < x.rank(); ++axis) p.basic.push_back(whole_axis());
    return p;
}

// How Python reads a slice of n entries.
struct Range {
    int64_t start, count, step;
    Range(const IndexItem& s, int64_t n) : step(s.step) {
        if (step == 0) value_error({"index: the step of a slice must not be 0"});
        const int64_t low = step < 0 ? -1 : 0, high = step < 0 ? n - 1 : n;
        const auto limit = [&](int64_t i) {
            return std::clamp<int64_t>(i < 0 && i >= -n ? i + n : i < 0 ? low : i, low, high);
        };
        start = limit(s.start);
        const int64_t stop = limit(s.stop);
        const int64_t span = step < 0 ? start - stop : stop - start;
        const uint64_t stride = step < 0 ? 0 - static_cast<uint64_t>(step) : static_cast<uint64_t>(step);
        count = span > 0 ? static_cast<int64_t>((static_cast<uint64_t>(span) - 1) / stride) + 1 : 0;
        if (count <= 1) step = 1; // a step past the end is never taken
        if (count == 0) start = 0;
    }
};

struct Geometry {
    Dims shape, strides;
    int64_t offset;
};

Geometry geometry_of(const Tensor& x, const std::vector<IndexItem>& basic) {
    Geometry g{{}, {}, x.offset()};
    int axis = 0;
    for (const IndexItem& item : basic) {
        if (item.kind == Kind::integer) {
            const int64_t n = x.shape(axis), i = item.start < 0 ? item.start + n : item.start;
            if (i < 0 || i >= n)
                index_error({"index: index ", item.start, " is out of range for axis ", axis, " of size ", n,
                             " (shape ", x.shape(), ")"});
            g.offset += i * x.strides()[axis++];
            continue;
        }
        if (g.shape.rank() == kMaxRank)
            index_error({"index: the result would have more than ", kMaxRank, " dimensions"});
        if (item.kind == Kind::new_axis) {
            g.shape.push(1);
            g.strides.push(0);
            continue;
        }
        const int64_t stride = x.strides()[axis];
        const Range r(item, x.shape(axis++));
        g.shape.push(r.count);
        g.strides.push(stride * r.step);
        g.offset += r.start * stride;
    }
    if (g.shape.contains(0)) g.offset = x.offset();
    return g;
}

Tensor basic_view(const Tensor& x, const std::vector<IndexItem>& basic) {
    const Geometry v = geometry_of(x, basic);
    if (!recording({&x})) {
        Tensor out = x.alias(v.shape, v.strides, v.offset);
        autograd::link_view(out, x);
        return out;
    }
    return autograd::view(kGet, x, v.shape, v.strides, v.offset, [basic, from = x.shape()](Backward& back) {
        Tensor whole = plain::zeros(from, back.grad().dtype());
        const Geometry part = geometry_of(whole, basic);
        plain::copy(whole.alias(part.shape, part.strides, part.offset), back.grad());
        back.give(0, whole);
    });
}

Picks picks_of(const Parsed& p, const Tensor& view) {
    Picks picks;
    picks.axes = p.axes;
    picks.x_shape = view.shape();
    for (const Tensor& t : p.indices)
        picks.shape = broadcast_shapes("index (arrays)", picks.shape, t.shape());
    for (const Tensor& t : p.indices)
        picks.indices.push_back(
            plain::contiguous(t.alias(picks.shape, broadcast_strides(t, picks.shape), t.offset())));
    // As in NumPy, the arrays' axes stand where the arrays stood, or first where those were apart.
    picks.place = p.adjacent ? p.axes.front() : 0;
    const int rank = view.rank() - static_cast<int>(p.axes.size()) + picks.shape.rank();
    if (rank > kMaxRank)
        index_error({"index: the result would have ", rank, " dimensions; tensors have at most ", kMaxRank});
    return picks;
}

Tensor pick_recorded(const char* op, const Tensor& x, const Picks& picks) {
    Tensor out = pick(op, x, picks);
    if (recording({&x}))
        record(op, out, {&x}, [op, picks, indices = Unchanged(picks.indices)](Backward& back) {
            indices.check();
            Tensor whole = plain::zeros(picks.x_shape, back.grad().dtype());
            place_add(op, whole, picks, back.grad());
            back.give(0, whole);
        });
    return out;
}

// The value as a tensor of the shape and dtype of what it replaces; leading axes of size 1 may be too many.
Tensor spread_value(const Operand& value, const Dims& shape, DType dtype) {
    if (!value.is_tensor()) {
        check_half_range("index", "the value", value.scalar, dtype);
        const Tensor s = scalar_tensor("index", value.scalar, dtype);
        return s.alias(shape, broadcast_strides(s, shape), 0);
    }
    Dims given = value.tensor.shape(), strides = value.tensor.strides();
    while (given.rank() > shape.rank() && given[0] == 1) {
        given.erase(0);
        strides.erase(0);
    }
    const Tensor t = plain::convert(value.tensor.alias(given, strides, value.tensor.offset()), dtype);
    if (!broadcasts_to(given, shape))
        value_error({"index: a value of shape ", value.tensor.shape(), " does not broadcast to the shape ",
                     shape, " of what it replaces"});
    return t.alias(shape, broadcast_strides(t, shape), t.offset());
}

// `t`, or a copy where writing to `x` could change it.
Tensor apart(const Tensor& t, const Tensor& x) { return shares_memory(t, x) ? plain::clone(t) : t; }

// x[mask] = number, with a mask of x's own shape.
bool fill_where(const Tensor& x, const std::vector<IndexItem>& items, const Operand& value) {
    const bool fits = items.size() == 1 && items[0].kind == Kind::array &&
                      items[0].array.dtype() == DType::boolean && items[0].array.shape() == x.shape() &&
                      !value.is_tensor();
    if (!fits || recording({&x})) return false;
    check_half_range("index", "the value", value.scalar, x.dtype());
    const Tensor number = scalar_tensor("index", value.scalar, x.dtype());
    const Tensor mask = apart(items[0].array, x);
    if (x.size()) kernels().elementwise.where(x.dtype(), loop_over(x.shape(), {&x, &mask, &number, &x}));
    autograd::record_in_place("index", x, Tensor());
    return true;
}

void put_recorded(const Tensor& view, Picks picks, const Operand& value) {
    const Tensor values = spread_value(value, picks.result_shape(), view.dtype());
    if (!recording({&view, &value.tensor})) {
        for (Tensor& indices : picks.indices) indices = apart(indices, view);
        place("index", view, picks, apart(values, view));
        autograd::record_in_place("index", view, Tensor());
        return;
    }
    Tensor changed = plain::clone(view);
    place("index", changed, picks, values);
    record("index_put", changed, {&view, &value.tensor},
           [picks, indices = Unchanged(picks.indices),
            shape = value.is_tensor() ? value.tensor.shape() : Dims(),
            dtype = value.is_tensor() ? value.tensor.dtype() : view.dtype()](Backward& back) {
               indices.check();
               const Tensor& g = back.grad();
               if (back.needs(0)) {
                   Tensor rest = plain::clone(g);
                   place("index", rest, picks, plain::zeros(picks.result_shape(), g.dtype()));
                   back.give(0, rest);
               }
               if (!back.needs(1)) return;
               Dims seen = shape;
               while (seen.rank() > picks.result_shape().rank()) seen.erase(0);
               const Tensor part = plain::contiguous(grad_for(pick("index", g, picks), seen, dtype));
               back.give(1, part.alias(shape, contiguous_strides(shape), part.offset()));
           });
    plain::copy(view, changed);
    autograd::record_in_place("index", view, changed);
}

// x[mask] where the mask covers the first axes of x: along one axis, without positions in each.
bool is_plain_mask(const Tensor& x, const std::vector<IndexItem>& items) {
    if (items.size() != 1 || items[0].kind != Kind::array || items[0].array.dtype() != DType::boolean)
        return false;
    const Tensor& mask = items[0].array;
    bool fits = mask.rank() >= 1 && mask.rank() <= x.rank() && x.size() > 0 &&
                x.strides() == contiguous_strides(x.shape());
    for (int d = 0; fits && d < mask.rank(); ++d) fits = mask.shape(d) == x.shape(d);
    return fits;
}

Tensor get_masked(const Tensor& x, const Tensor& given) {
    const Tensor mask = plain::contiguous(given);
    if (mask.rank() == x.rank() && !recording({&x})) {
        const int64_t count = kernels().index.find(mask.size(), mask.data<uint8_t>(), 0, nullptr);
        Tensor out = Tensor::empty({count}, x.dtype());
        const uint8_t* chosen = mask.data<uint8_t>();
        if (count &&
            kernels().index.pack(x.dtype(), mask.size(), chosen, count, x.data(), out.data()) != count)
            mask_changed(mask);
        return out;
    }
    Dims merged{mask.size()};
    for (int d = mask.rank(); d < x.rank(); ++d) merged.push(x.shape(d));
    return take(reshape(x, merged), positions_of(mask.alias({mask.size()}, {1}, mask.offset()))[0], 0);
}

} // namespace

Tensor get_item(const Tensor& x, const std::vector<IndexItem>& items) {
    if (is_plain_mask(x, items)) return get_masked(x, items[0].array);
    const Parsed p = parse(x, items);
    const Tensor view = basic_view(x, p.basic);
    return p.axes.empty() ? view : pick_recorded(kGet, view, picks_of(p, view));
}

void set_item(const Tensor& x, const std::vector<IndexItem>& items, const Operand& value) {
    autograd::check_in_place("index", x);
    if (fill_where(x, items, value)) return;
    const Parsed p = parse(x, items);
    const Tensor view = basic_view(x, p.basic);
    if (p.axes.empty())
        assign("index", view, value);
    else
        put_recorded(view, picks_of(p, view), value);
}

Tensor take(const Tensor& x, const Tensor& indices, const std::optional<int64_t>& axis) {
    if (!axis && x.rank() != 1)
        value_error(
            {"take: axis must be given for x with ", x.rank(), " dimensions (shape ", x.shape(), ")"});
    const int a = normalize_axis("take", axis.value_or(0), x.rank());
    if (x.rank() - 1 + indices.rank() > kMaxRank)
        value_error({"take: the result would have more than ", kMaxRank, " dimensions"});
    Picks picks;
    picks.axes = {a};
    picks.indices = {as_indices("take", indices)};
    picks.shape = indices.shape();
    picks.place = a;
    picks.x_shape = x.shape();
    return pick_recorded("take", x, picks);
}

std::vector<Tensor> nonzero(const Tensor& x) {
    if (x.rank() == 0) value_error({"nonzero: x must have at least one dimension"});
    return positions_of(x.dtype() == DType::boolean ? x : not_equal({x, {}}, {{}, {}}));
}

} // namespace dt::ops
