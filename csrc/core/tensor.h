#pragma once
#include "core/dims.h"
#include "core/dtype.h"
#include "core/error.h"
#include "core/storage.h"

namespace dt {

// What a tensor is: storage seen through shape, strides and offset (both in elements; strides may be negative
// or 0). The autograd fields belong to autograd/ and mean nothing here.
class TensorImpl final : public Counted {
  public:
    Ref<Storage> storage;
    Dims shape, strides;
    int64_t offset = 0;
    int64_t size = 0;
    DType dtype = DType::float32;
    bool contiguous = true;
    Ref<Counted> autograd;        // autograd::Meta, or none
    Ref<TensorImpl> base;         // the tensor this one is a differentiable view of, or none
    uint32_t base_generation = 0; // of base's history, when this view's history was recorded
};

Dims contiguous_strides(const Dims& shape);
bool is_contiguous(const Dims& shape, const Dims& strides);
// Product of the sizes; throws ValueError naming `op` for negative sizes or where bytes overflow.
int64_t checked_size(const char* op, const Dims& shape, DType dtype);
// Sizes that come of others; ValueError where they overflow.
int64_t checked_add(const char* op, int64_t a, int64_t b);
int64_t checked_multiply(const char* op, int64_t a, int64_t b);

// A handle: copying it shares the tensor.
class Tensor {
  public:
    Tensor() = default;
    explicit Tensor(Ref<TensorImpl> impl) : impl_(std::move(impl)) {}

    // Uninitialised, contiguous.
    static Tensor empty(const Dims& shape, DType dtype, Device device = Device::cpu,
                        const char* op = "empty");
    static Tensor from_storage(Ref<Storage> storage, const Dims& shape, const Dims& strides, int64_t offset,
                               DType dtype);
    // The same memory seen otherwise; no history. Callers guarantee that it stays within the storage.
    Tensor alias(const Dims& shape, const Dims& strides, int64_t offset) const;
    Tensor alias() const { return alias(shape(), strides(), offset()); }

    bool defined() const { return bool(impl_); }
    TensorImpl* impl() const { return impl_.get(); }
    const Ref<TensorImpl>& ref() const { return impl_; }
    const Dims& shape() const { return impl_->shape; }
    const Dims& strides() const { return impl_->strides; }
    int64_t shape(int i) const { return impl_->shape[i]; }
    int rank() const { return impl_->shape.rank(); }
    int64_t size() const { return impl_->size; }
    int64_t offset() const { return impl_->offset; }
    size_t bytes() const { return static_cast<size_t>(impl_->size) * item_size(impl_->dtype); }
    DType dtype() const { return impl_->dtype; }
    Device device() const { return impl_->storage->device(); }
    bool is_contiguous() const { return impl_->contiguous; }
    Storage& storage() const { return *impl_->storage; }
    uint32_t version() const { return impl_->storage->version(); }

    void* data() const {
        return static_cast<char*>(impl_->storage->data()) +
               impl_->offset * static_cast<int64_t>(item_size(impl_->dtype));
    }
    template <class T> T* data() const { return static_cast<T*>(data()); }

  private:
    Ref<TensorImpl> impl_;
};

// The axis counted from the front; IndexError naming `op` where it is out of range.
int normalize_axis(const char* op, int64_t axis, int rank);
// NumPy's broadcasting; ValueError naming `op` and both shapes.
Dims broadcast_shapes(const char* op, const Dims& a, const Dims& b);
// Strides (in elements) that make `t` look like `shape`, which it must broadcast to: 0 along repeated axes.
Dims broadcast_strides(const Tensor& t, const Dims& shape);
// True where two elements may share an address (after expand): such a tensor cannot be written to in place.
bool overlaps_itself(const Tensor& t);
// True where the memory that the two are views of overlaps, whoever owns it: NumPy may have given it twice.
bool shares_memory(const Tensor& a, const Tensor& b);

} // namespace dt
