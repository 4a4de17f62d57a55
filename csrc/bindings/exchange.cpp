#include <pybind11/numpy.h>

#include "autograd/node.h"
#include "autograd/plain.h"
#include "bindings/families.h"
#include "bindings/op.h"

namespace dt::bindings {
namespace {

bool dtype_of_array(const py::array& a, DType& dtype) {
    py::dtype d = a.dtype();
    const char kind = d.kind();
    const auto size = d.itemsize();
    if (d.byteorder() == '>') return false;
    if (kind == 'b')
        dtype = DType::boolean;
    else if (kind == 'u' && size == 1)
        dtype = DType::uint8;
    else if (kind == 'i' && size == 4)
        dtype = DType::int32;
    else if (kind == 'i' && size == 8)
        dtype = DType::int64;
    else if (kind == 'f' && size == 2)
        dtype = DType::float16;
    else if (kind == 'f' && size == 4)
        dtype = DType::float32;
    else if (kind == 'f' && size == 8)
        dtype = DType::float64;
    else
        return false;
    return true;
}

// Any thread may drop the last reference, also without the interpreter lock and after the interpreter is
// gone.
void release_object(void* owner) {
    if (!Py_IsInitialized()) return;
    py::gil_scoped_acquire lock;
    Py_DECREF(static_cast<PyObject*>(owner));
}

Tensor from_numpy(const py::object& array) {
    if (!is_array(array.ptr()))
        type_error({"from_numpy: array must be a numpy.ndarray, got ", Py_TYPE(array.ptr())->tp_name});
    return share_array("from_numpy", array.ptr());
}

py::object numpy(const Tensor& t) {
    if (autograd::requires_grad(t))
        runtime_error({"numpy: the tensor requires a gradient; call detach().numpy()"});
    return to_numpy(t);
}

py::object array_protocol(const Tensor& t, const py::object& dtype, const py::object& copy) {
    py::object a = numpy(t);
    if (dtype.is_none() && (copy.is_none() || !copy.cast<bool>())) return a;
    py::dict options;
    if (!dtype.is_none()) options["dtype"] = dtype;
    if (!copy.is_none()) options["copy"] = copy;
    return py::module_::import("numpy").attr("array")(a, **options);
}

// Python floats become float32, ints int64; NumPy arrays and scalars keep their dtype.
Tensor tensor(const py::object& data, const std::optional<DType>& dtype, bool requires_grad) {
    Tensor out;
    if (is_tensor(data.ptr())) {
        out = plain::clone(unwrap(data.ptr()));
    } else {
        const bool keeps =
            is_array(data.ptr()) || py::hasattr(data, "dtype") || py::hasattr(data, "__array__");
        py::object array;
        try {
            array = py::module_::import("numpy").attr("asarray")(data);
        } catch (py::error_already_set& e) {
            value_error(
                {"tensor: data cannot be made into an array: ", py::str(e.value()).cast<std::string>()});
        }
        Tensor shared = share_array("tensor", array.ptr());
        out = plain::clone(shared);
        if (!keeps && out.dtype() == DType::float64) out = dtype ? out : plain::convert(out, DType::float32);
    }
    if (dtype) out = plain::convert(out, *dtype);
    if (requires_grad) autograd::set_requires_grad(out, true);
    return out;
}

} // namespace

bool is_array(PyObject* o) { return py::isinstance<py::array>(o); }

Tensor share_array(const char* op, PyObject* object) {
    auto a = py::reinterpret_borrow<py::array>(object);
    DType dtype;
    if (!dtype_of_array(a, dtype))
        type_error({op, ": dtype ", py::str(a.dtype()).cast<std::string>(),
                    " is not supported; supported are bool, uint8, int32, int64, float16, float32, float64"});
    if (a.ndim() > kMaxRank)
        value_error({op, ": the array has ", static_cast<int64_t>(a.ndim()),
                     " dimensions; tensors have at most ", kMaxRank});
    Dims shape, strides;
    const auto item = static_cast<int64_t>(item_size(dtype));
    bool whole = reinterpret_cast<uintptr_t>(a.data()) % static_cast<size_t>(item) == 0;
    int64_t low = 0, high = 0; // in elements, relative to the first one
    for (py::ssize_t i = 0; i < a.ndim(); ++i) {
        shape.push(a.shape(i));
        whole &= a.strides(i) % item == 0;
        strides.push(a.strides(i) / item);
        (strides.back() < 0 ? low : high) += strides.back() * std::max<int64_t>(shape.back() - 1, 0);
    }
    if (!whole)
        value_error({op, ": the array is not aligned to its dtype; use numpy.ascontiguousarray first"});
    char* start = const_cast<char*>(static_cast<const char*>(a.data())) + low * item;
    const bool writable = a.writeable();
    auto storage = make_ref<Storage>(start, static_cast<size_t>((high - low + 1) * item), Device::cpu,
                                     writable, &release_object, a.release().ptr());
    return Tensor::from_storage(storage, shape, strides, -low, dtype);
}

py::object to_numpy(const Tensor& t) {
    static const char* formats[] = {"?", "u1", "i4", "i8", "f2", nullptr, "f4", "f8"};
    const char* format = formats[static_cast<int>(t.dtype())];
    if (!format) type_error({"numpy: NumPy has no bfloat16; convert with astype(drivetrain.float32) first"});
    std::vector<py::ssize_t> shape(t.shape().begin(), t.shape().end()), strides;
    for (int64_t s : t.strides()) strides.push_back(s * static_cast<int64_t>(item_size(t.dtype())));
    auto* owner = new Tensor(t.alias());
    py::capsule base(owner, [](void* p) { delete static_cast<Tensor*>(p); });
    py::array array(py::dtype(format), shape, strides, t.data(), base);
    if (!t.storage().writable()) array.attr("flags").attr("writeable") = false;
    return array;
}

void bind_exchange(py::module_& m) {
    op<&tensor>(m, "tensor",
                "Makes a tensor from numbers, nested lists, an array or a tensor; the data are copied.",
                {"data"_a, "dtype"_a = py::none(), "requires_grad"_a = false});
    op<&from_numpy>(m, "from_numpy", "A tensor that shares the memory of a NumPy array.", {"array"_a});
    method<&numpy>("numpy", "The elements as a NumPy array that shares the tensor's memory.");
    method<&array_protocol>("__array__", "", {"dtype"_a = py::none(), "copy"_a = py::none()});
    py::setattr(reinterpret_cast<PyObject*>(tensor_type()), "__array_ufunc__", py::none());
    py::setattr(reinterpret_cast<PyObject*>(tensor_type()), "__array_priority__", py::int_(1000));
}

} // namespace dt::bindings
