#include "ops/common.h"

namespace dt::ops {

Loop loop_over(const Dims& shape, std::initializer_list<const Tensor*> operands) {
    Loop loop;
    loop.shape = shape;
    for (const Tensor* t : operands) {
        Dims& strides = loop.strides[loop.operands];
        strides = broadcast_strides(*t, shape);
        for (int64_t& s : strides) s *= static_cast<int64_t>(item_size(t->dtype()));
        loop.data[loop.operands++] = t->data();
    }
    return loop;
}

Tensor empty_like(const Tensor& t) { return Tensor::empty(t.shape(), t.dtype(), t.device()); }

void check_floating(const char* op, const char* argument, const Tensor& t) {
    if (!is_floating(t.dtype()))
        type_error({op, ": ", argument, " must have a floating-point dtype, got ", t.dtype()});
}

void check_same_dtype(const char* op, const char* a_name, const Tensor& a, const char* b_name,
                      const Tensor& b) {
    if (a.dtype() != b.dtype())
        type_error({op, ": ", a_name, " has dtype ", a.dtype(), ", but ", b_name, " has dtype ", b.dtype(),
                    "; convert one of them with astype()"});
}

void check_rank(const char* op, const char* argument, const Tensor& t, int rank, const char* layout) {
    if (t.rank() != rank)
        value_error({op, ": ", argument, " must have ", rank, " dimensions ", layout, ", got ", t.rank(),
                     " (shape ", t.shape(), ")"});
}

} // namespace dt::ops
