#pragma once
#include "bindings/tensor_type.h"

// Memory that is shared with other libraries.
namespace dt::bindings {

// Memory of somebody else, not yet checked; strides in elements.
struct Foreign {
    void* data = nullptr;
    Dims shape, strides;
    DType dtype = DType::float32;
    bool writable = true;
    Storage::Release release = nullptr; // called once the tensor is gone; not where share() throws
    void* owner = nullptr;
};
// ValueError naming `op` where the sizes or strides cannot be, or the memory is not aligned to the dtype.
Tensor share(const char* op, Foreign memory);

Tensor take_dlpack(const py::object& x);
// The formats of NumPy and of the buffer protocol; null for bfloat16, which they lack.
const char* numpy_format(DType dtype);
const char* buffer_format(DType dtype);

int get_buffer(PyObject* self, Py_buffer* view, int flags);
void release_buffer(PyObject* self, Py_buffer* view);

} // namespace dt::bindings
