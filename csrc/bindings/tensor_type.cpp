#include "bindings/tensor_type.h"
#include <pybind11/pybind11.h>

#include <structmember.h>

#include <cstddef>

#include "autograd/node.h"
#include "bindings/exchange.h"
#include "bindings/op.h"

namespace dt::bindings {
namespace {

PyTypeObject* the_type = nullptr;

void deallocate_tensor(PyObject* self) {
    auto* object = reinterpret_cast<PyTensor*>(self);
    PyTypeObject* type = Py_TYPE(self);
    if (object->weak_references) PyObject_ClearWeakRefs(self);
    object->tensor.~Tensor();
    type->tp_free(self);
    Py_DECREF(type);
}

// Tensor(data) is drivetrain.tensor(data); a subclass made by _wrap_as shares what it is given.
PyObject* new_tensor(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
    PyObject* data = nullptr;
    static const char* names[] = {"data", nullptr};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:Tensor", const_cast<char**>(names), &data))
        return nullptr;
    if (is_tensor(data)) return wrap_as(type, unwrap(data).alias());
    PyObject* made = nullptr;
    try {
        made = py::module_::import("drivetrain._core").attr("tensor")(py::handle(data)).release().ptr();
    } catch (...) {
        set_python_error();
        return nullptr;
    }
    PyObject* result = wrap_as(type, unwrap(made));
    Py_DECREF(made);
    return result;
}

Py_hash_t hash_tensor(PyObject* self) {
    return static_cast<Py_hash_t>(reinterpret_cast<uintptr_t>(unwrap(self).impl()) >> 4);
}

PyMemberDef members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(PyTensor, weak_references), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};

PyTypeObject* make_type() {
    PyType_Slot slots[] = {
        {Py_tp_new, reinterpret_cast<void*>(new_tensor)},
        {Py_tp_dealloc, reinterpret_cast<void*>(deallocate_tensor)},
        {Py_tp_hash, reinterpret_cast<void*>(hash_tensor)},
        {Py_tp_members, members},
        {Py_bf_getbuffer, reinterpret_cast<void*>(get_buffer)},
        {Py_bf_releasebuffer, reinterpret_cast<void*>(release_buffer)},
        {Py_tp_doc,
         const_cast<char*>(
             "Tensor(data)\n--\n\nAn array of one dtype that remembers how it was computed, so that "
             "gradients can flow back.\n\nMake one with `drivetrain.tensor`, `drivetrain.from_numpy` "
             "or `drivetrain.zeros`.\n\nExample:\n    >>> t = dt.tensor([[1.0, 2.0]])\n    >>> t.shape, "
             "t.dtype.name\n    ((1, 2), 'float32')")},
        {0, nullptr},
    };
    PyType_Spec spec = {"drivetrain.Tensor", sizeof(PyTensor), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
                        slots};
    auto* type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
    if (!type) throw py::error_already_set();
    return type;
}

} // namespace

PyTypeObject* tensor_type() {
    if (!the_type) the_type = make_type();
    return the_type;
}

PyObject* wrap_as(PyTypeObject* type, Tensor tensor) {
    PyObject* self = type->tp_alloc(type, 0);
    if (!self) throw py::error_already_set();
    auto* object = reinterpret_cast<PyTensor*>(self);
    new (&object->tensor) Tensor(std::move(tensor));
    object->weak_references = nullptr;
    return self;
}

PyObject* wrap(Tensor tensor) {
    if (!tensor.defined()) Py_RETURN_NONE;
    return wrap_as(tensor_type(), std::move(tensor));
}

} // namespace dt::bindings
