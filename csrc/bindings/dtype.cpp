#include <pybind11/pybind11.h>

#include "bindings/tensor_type.h"

namespace dt::bindings {
namespace {

struct DTypeObject {
    DType dtype;
};
PyObject* objects[kDTypeCount];

bool from_name(const char* text, DType& dtype) {
    for (int i = 0; i < kDTypeCount; ++i)
        if (std::strcmp(text, name(static_cast<DType>(i))) == 0) {
            dtype = static_cast<DType>(i);
            return true;
        }
    return false;
}

} // namespace

PyObject* dtype_object(DType dtype) { return objects[static_cast<int>(dtype)]; }

bool read_dtype(PyObject* o, DType& dtype) {
    for (int i = 0; i < kDTypeCount; ++i)
        if (o == objects[i]) {
            dtype = static_cast<DType>(i);
            return true;
        }
    if (o == Py_None) return false;
    if (PyUnicode_Check(o)) return from_name(PyUnicode_AsUTF8(o), dtype);
    if (o == reinterpret_cast<PyObject*>(&PyBool_Type)) return dtype = DType::boolean, true;
    // numpy.dtype("float32") has a name; numpy.float32, a type, has a __name__.
    for (const char* attribute : {"name", "__name__"}) {
        py::object text = py::reinterpret_steal<py::object>(PyObject_GetAttrString(o, attribute));
        if (!text) {
            PyErr_Clear();
            continue;
        }
        if (PyUnicode_Check(text.ptr()) && from_name(PyUnicode_AsUTF8(text.ptr()), dtype)) return true;
    }
    return false;
}

void add_dtypes(py::module_& m) {
    py::class_<DTypeObject>(
        m, "dtype",
        "The type of a tensor's elements, such as `drivetrain.float32`.\n\nEqual to its name and to NumPy's "
        "dtype.\n\nExample:\n    >>> dt.float32.itemsize, dt.float32 == \"float32\"\n    (4, True)")
        .def_property_readonly("name", [](const DTypeObject& d) { return name(d.dtype); })
        .def_property_readonly("itemsize", [](const DTypeObject& d) { return item_size(d.dtype); })
        .def_property_readonly("is_floating_point", [](const DTypeObject& d) { return is_floating(d.dtype); })
        .def("__repr__", [](const DTypeObject& d) { return std::string("drivetrain.") + name(d.dtype); })
        .def("__reduce__", [](const DTypeObject& d) { return std::string(name(d.dtype)); })
        .def("__hash__", [](const DTypeObject& d) { return static_cast<int>(d.dtype); })
        .def("__eq__", [](const DTypeObject& d, py::object other) {
            DType o;
            return read_dtype(other.ptr(), o) && o == d.dtype;
        });
    for (int i = 0; i < kDTypeCount; ++i) {
        auto dtype = static_cast<DType>(i);
        py::object object = py::cast(DTypeObject{dtype});
        objects[i] = object.inc_ref().ptr();
        m.attr(name(dtype)) = object; // "bool" too: drivetrain.bool
    }
}

} // namespace dt::bindings
