#include "core/tensor.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

namespace dt {

const char* name(Device) { return "cpu"; }

Dims contiguous_strides(const Dims& shape) {
    Dims strides(shape.rank(), 1);
    for (int i = shape.rank() - 2; i >= 0; --i)
        strides[i] = strides[i + 1] * std::max<int64_t>(shape[i + 1], 1);
    return strides;
}

bool is_contiguous(const Dims& shape, const Dims& strides) {
    int64_t expected = 1;
    for (int i = shape.rank() - 1; i >= 0; --i) {
        if (shape[i] == 0) return true;
        if (shape[i] != 1 && strides[i] != expected) return false;
        expected *= shape[i];
    }
    return true;
}

int64_t checked_size(const char* op, const Dims& shape, DType dtype) {
    int64_t n = 1;
    bool overflow = false;
    for (int64_t s : shape) {
        if (s < 0) value_error({op, ": sizes must not be negative, got shape ", shape});
        // A zero elsewhere does not excuse sizes that cannot be multiplied: strides are products too.
        overflow |= __builtin_mul_overflow(n, std::max<int64_t>(s, 1), &n);
    }
    int64_t bytes;
    overflow |= __builtin_mul_overflow(n, static_cast<int64_t>(item_size(dtype)), &bytes);
    if (overflow)
        value_error({op, ": shape ", shape, " of ", dtype, " has more elements than memory can hold"});
    return shape.contains(0) ? 0 : n;
}

int64_t checked_add(const char* op, int64_t a, int64_t b) {
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        value_error({op, ": a size of ", a, " + ", b, " is more than memory can hold"});
    return sum;
}

int64_t checked_multiply(const char* op, int64_t a, int64_t b) {
    int64_t product;
    if (__builtin_mul_overflow(a, b, &product))
        value_error({op, ": a size of ", a, " * ", b, " is more than memory can hold"});
    return product;
}

Tensor Tensor::empty(const Dims& shape, DType dtype, Device device, const char* op) {
    auto impl = make_ref<TensorImpl>();
    impl->size = checked_size(op, shape, dtype);
    impl->storage = make_ref<Storage>(static_cast<size_t>(impl->size) * item_size(dtype), device);
    impl->shape = shape;
    impl->strides = contiguous_strides(shape);
    impl->dtype = dtype;
    return Tensor(std::move(impl));
}

Tensor Tensor::from_storage(Ref<Storage> storage, const Dims& shape, const Dims& strides, int64_t offset,
                            DType dtype) {
    auto impl = make_ref<TensorImpl>();
    impl->storage = std::move(storage);
    impl->shape = shape;
    impl->strides = strides;
    impl->offset = offset;
    impl->size = shape.product();
    impl->dtype = dtype;
    impl->contiguous = dt::is_contiguous(shape, strides);
    return Tensor(std::move(impl));
}

Tensor Tensor::alias(const Dims& shape, const Dims& strides, int64_t offset) const {
    return from_storage(impl_->storage, shape, strides, offset, impl_->dtype);
}

int normalize_axis(const char* op, int64_t axis, int rank) {
    if (axis < -rank || axis >= rank)
        index_error({op, ": axis ", axis, " is out of range for a tensor of ", rank, " dimensions"});
    return static_cast<int>(axis < 0 ? axis + rank : axis);
}

Dims broadcast_shapes(const char* op, const Dims& a, const Dims& b) {
    const Dims& longer = a.rank() >= b.rank() ? a : b;
    const Dims& shorter = a.rank() >= b.rank() ? b : a;
    Dims out = longer;
    const int shift = longer.rank() - shorter.rank();
    for (int i = 0; i < shorter.rank(); ++i) {
        int64_t x = longer[i + shift], y = shorter[i];
        if (x != y && x != 1 && y != 1) value_error({op, ": shapes ", a, " and ", b, " do not broadcast"});
        out[i + shift] = x == 1 ? y : x;
    }
    return out;
}

Dims broadcast_strides(const Tensor& t, const Dims& shape) {
    Dims strides(shape.rank(), 0);
    const int shift = shape.rank() - t.rank();
    for (int i = 0; i < t.rank(); ++i)
        if (t.shape(i) != 1) strides[i + shift] = t.strides()[i];
    return strides;
}

bool overlaps_itself(const Tensor& t) {
    if (t.is_contiguous() || t.size() <= 1) return false;
    // Sorted by stride, each axis must step over everything below it. (Sufficient for every view that ops
    // make.)
    Dims order; // of the axes, by stride
    for (int i = 0; i < t.rank(); ++i) {
        if (t.shape(i) == 1) continue;
        int at = 0;
        while (at < order.rank() &&
               std::abs(t.strides()[static_cast<int>(order[at])]) < std::abs(t.strides()[i]))
            ++at;
        order.insert(at, i);
    }
    int64_t reach = 0;
    for (int64_t axis : order) {
        const int i = static_cast<int>(axis);
        const int64_t stride = std::abs(t.strides()[i]);
        if (stride <= reach) return true;
        reach += stride * (t.shape(i) - 1);
    }
    return false;
}

bool shares_memory(const Tensor& a, const Tensor& b) {
    const auto first = [](const Tensor& t) { return reinterpret_cast<uintptr_t>(t.storage().data()); };
    return first(a) < first(b) + b.storage().bytes() && first(b) < first(a) + a.storage().bytes();
}

} // namespace dt
