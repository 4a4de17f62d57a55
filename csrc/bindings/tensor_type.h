#pragma once
// pytypes.h alone: the whole of pybind11 costs eight seconds for every file that includes it.
#include <pybind11/pytypes.h>

#include "core/random.h"
#include "core/tensor.h"

namespace pybind11 {
class module_;
}

namespace dt::bindings {
namespace py = pybind11;

// The Python type `drivetrain.Tensor`: one handle. Written against CPython itself, because making and reading
// these objects is most of what a small op costs.
struct PyTensor {
    PyObject_HEAD Tensor tensor;
    PyObject* weak_references;
};

PyTypeObject* tensor_type();
PyObject* wrap(Tensor tensor);                        // a new reference; None for an undefined tensor
PyObject* wrap_as(PyTypeObject* type, Tensor tensor); // of a subclass
inline bool is_tensor(PyObject* o) { return PyObject_TypeCheck(o, tensor_type()); }
inline const Tensor& unwrap(PyObject* o) { return reinterpret_cast<PyTensor*>(o)->tensor; }

// The dtype objects `drivetrain.float32`, ...; reading also takes their names and NumPy's dtypes.
PyObject* dtype_object(DType dtype); // borrowed
bool read_dtype(PyObject* o, DType& dtype);
void add_dtypes(py::module_& m);

// Shares the memory of a NumPy array, in any strides and byte-aligned; throws TypeError for dtypes that have
// no equal here.
Tensor share_array(const char* op, PyObject* array);
bool is_array(PyObject* o);
py::object to_numpy(const Tensor& t); // shares the memory

PyTypeObject* generator_type();
const Ref<Generator>& unwrap_generator(PyObject* o);

} // namespace dt::bindings
