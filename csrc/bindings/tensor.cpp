#include <pybind11/pybind11.h>

#include "autograd/plain.h"
#include "bindings/docs.h"
#include "bindings/families.h"
#include "bindings/op.h"

namespace dt::bindings {
namespace {

Dims shape(const Tensor& t) { return t.shape(); }
Dims strides(const Tensor& t) { return t.strides(); }
int ndim(const Tensor& t) { return t.rank(); }
int64_t size(const Tensor& t) { return t.size(); }
int64_t nbytes(const Tensor& t) { return static_cast<int64_t>(t.bytes()); }
DType dtype(const Tensor& t) { return t.dtype(); }
std::string device(const Tensor& t) { return name(t.device()); }
bool contiguous(const Tensor& t) { return t.is_contiguous(); }
int64_t version(const Tensor& t) { return t.version(); }
int64_t data_ptr(const Tensor& t) { return reinterpret_cast<int64_t>(t.data()); }

py::object item(const Tensor& t) {
    if (t.size() != 1) value_error({"item: a tensor of one element is needed, got shape ", t.shape()});
    if (is_half(t.dtype())) return item(plain::convert(t, DType::float32));
    switch (t.dtype()) {
    case DType::boolean:
        return py::bool_(*t.data<uint8_t>() != 0); // foreign memory may hold more than 0 and 1
    case DType::uint8:
        return py::int_(*t.data<uint8_t>());
    case DType::int32:
        return py::int_(*t.data<int32_t>());
    case DType::int64:
        return py::int_(*t.data<int64_t>());
    case DType::float64:
        return py::float_(*t.data<double>());
    default:
        return py::float_(*t.data<float>());
    }
}

double to_float(const Tensor& t) { return item(t).cast<double>(); }
py::object to_int(const Tensor& t) { return py::reinterpret_steal<py::object>(PyNumber_Long(item(t).ptr())); }
py::object to_index(const Tensor& t) {
    if (is_floating(t.dtype())) type_error({"a tensor of ", t.dtype(), " cannot serve as an index"});
    if (t.size() != 1) type_error({"a tensor of shape ", t.shape(), " cannot serve as an index"});
    return to_int(t);
}
bool to_bool(const Tensor& t) {
    if (t.size() != 1)
        value_error(
            {"the truth value of a tensor of shape ", t.shape(), " is ambiguous; use any() or all()"});
    return item(t).cast<double>() != 0;
}
int64_t length(const Tensor& t) {
    if (t.rank() == 0) type_error({"len: a tensor without dimensions has no length"});
    return t.shape(0);
}

} // namespace

void bind_tensor(py::module_& m) {
    m.attr("Tensor") = py::reinterpret_borrow<py::object>(reinterpret_cast<PyObject*>(tensor_type()));
    attribute<&shape>("shape", "Sizes of the axes, a tuple.");
    attribute<&strides>("strides",
                        "Steps in elements (not bytes, as in NumPy) from one entry of an axis to the next.");
    attribute<&ndim>("ndim", "Number of axes.");
    attribute<&size>("size", "Number of elements.");
    attribute<&nbytes>("nbytes", "Size of the elements in bytes.");
    attribute<&dtype>("dtype", "Type of the elements.");
    attribute<&device>("device", "Where the memory is: 'cpu'.");
    attribute<&version>("_version", "Number of changes made in place to the memory.");
    method<&contiguous>("is_contiguous", {"Whether the elements lie in memory in the order of the axes.", "",
                                          "bool", "", ">>> dt.ones((2, 3)).T.is_contiguous()\nFalse"});
    method<&data_ptr>("data_ptr", {"The address of the first element.", "", "int", "",
                                   ">>> t = dt.ones(2)\n>>> t.data_ptr() == t.detach().data_ptr()\nTrue"});
    method<&item>("item",
                  {"The value of a tensor of one element as a Python number.", "", "float, int or bool",
                   "ValueError: for more or fewer elements.", ">>> dt.tensor([2.5]).item()\n2.5"});
    method<&to_float>("__float__", "");
    method<&to_int>("__int__", "");
    method<&to_index>("__index__", "");
    method<&to_bool>("__bool__", "");
    method<&length>("__len__", "");
}

} // namespace dt::bindings
