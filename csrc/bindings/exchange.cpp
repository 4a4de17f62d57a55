#include "bindings/exchange.h"

#include <pybind11/numpy.h>

#include <cstring>

#include "autograd/node.h"
#include "autograd/plain.h"
#include "bindings/docs.h"
#include "bindings/families.h"
#include "bindings/op.h"
#include "bindings/python_object.h"

namespace dt::bindings {
namespace {

py::module_ numpy_module() { return py::module_::import("numpy"); }

bool dtype_of_array(const py::array& a, DType& dtype) {
    const py::dtype d = a.dtype();
    if (d.byteorder() == '>') return false;
    const char kind = d.kind();
    if (kind == 'V' && d.itemsize() == 2 && py::str(d.attr("name")).cast<std::string>() == "bfloat16")
        return dtype = DType::bfloat16, true; // of ml_dtypes
    for (int i = 0; i < kDTypeCount; ++i) {
        const char* format = numpy_format(static_cast<DType>(i));
        if (!format || item_size(static_cast<DType>(i)) != static_cast<size_t>(d.itemsize())) continue;
        if ((format[0] == '?' ? 'b' : format[0]) == kind) return dtype = static_cast<DType>(i), true;
    }
    return false;
}

// Beneath a mask lies what must not be read; the plain array would not know.
void check_unmasked(const char* op, const py::object& array) {
    if (std::strcmp(Py_TYPE(array.ptr())->tp_name, "numpy.ndarray") == 0) return;
    PyObject* modules = PyImport_GetModuleDict();
    PyObject* masked = PyDict_GetItemString(modules, "numpy.ma");
    if (masked && py::isinstance(array, py::handle(masked).attr("MaskedArray")))
        type_error({op, ": masked arrays are not supported; choose values for the masked elements with "
                        "array.filled(value)"});
}

void release_array(void* owner) {
    if (!Py_IsInitialized()) return;
    WithInterpreter lock;
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

// `copy` as in NumPy 2: True always copies, False never, None only to convert.
py::object array_protocol(const Tensor& t, const py::object& dtype, const std::optional<bool>& copy) {
    py::object a = numpy(t);
    const bool converts = !dtype.is_none() && !numpy_module().attr("dtype")(dtype).equal(a.attr("dtype"));
    if (converts && copy && !*copy)
        value_error({"__array__: a tensor of ", t.dtype(), " cannot become an array of ",
                     py::str(dtype).cast<std::string>(), " without a copy"});
    if (converts) return a.attr("astype")(dtype);
    return copy.value_or(false) ? a.attr("copy")() : a;
}

// Numbers and (nested) sequences of them have no dtype of their own; floats among them become float32.
bool has_own_dtype(py::object data) {
    // Deeper than NumPy goes is left to NumPy to refuse: a list may hold itself.
    for (int depth = 0; depth < 65; ++depth) {
        if (!(py::isinstance<py::list>(data) || py::isinstance<py::tuple>(data)) || py::len(data) == 0) break;
        data = py::object(data.attr("__getitem__")(0));
    }
    return is_tensor(data.ptr()) || py::hasattr(data, "dtype") || py::hasattr(data, "__array__") ||
           (PyObject_CheckBuffer(data.ptr()) && !PyBytes_Check(data.ptr()));
}

py::object as_array(const char* op, const py::object& data) {
    try {
        return numpy_module().attr("asarray")(data);
    } catch (py::error_already_set& e) {
        if (e.matches(PyExc_MemoryError)) throw;
        const std::string why = py::str(e.value()).cast<std::string>();
        if (e.matches(PyExc_TypeError)) type_error({op, ": data cannot be made into an array: ", why});
        value_error({op, ": data cannot be made into an array: ", why});
    }
}

// What an integer dtype cannot hold is refused; fractions are cut off, as the dtype asks.
void check_range(const char* op, const py::array& a, DType dtype) {
    const char kind = a.dtype().kind();
    if (!is_integer(dtype) || a.size() == 0 || (kind != 'i' && kind != 'u' && kind != 'f')) return;
    DType same;
    if (dtype_of_array(a, same) && same == dtype) return;
    if (kind == 'f' && !numpy_module().attr("isfinite")(a).attr("all")().cast<bool>())
        value_error({op, ": data holds NaN or infinity, which do not fit into ", dtype});
    py::object info = numpy_module().attr("iinfo")(numpy_format(dtype));
    py::object low = py::int_(a.attr("min")()), high = py::int_(a.attr("max")());
    if (low < info.attr("min") || high > info.attr("max"))
        value_error({op, ": data has values from ", py::str(low).cast<std::string>(), " to ",
                     py::str(high).cast<std::string>(), ", which do not fit into ", dtype});
}

// An array that can be shared: a dtype of ours (converted where one is asked for), aligned.
py::array sharable(py::array a, const std::optional<DType>& dtype) {
    DType found;
    const bool number = std::strchr("biuf", a.dtype().kind()) != nullptr;
    if (!dtype_of_array(a, found) && dtype && number)
        a = a.attr("astype")(numpy_format(*dtype) ? numpy_format(*dtype) : "f4");
    bool whole = a.attr("flags").attr("aligned").cast<bool>();
    for (py::ssize_t i = 0; i < a.ndim(); ++i) whole &= a.shape(i) <= 1 || a.strides(i) % a.itemsize() == 0;
    return whole ? a : py::array(a.attr("copy")());
}

Tensor convert_if(Tensor t, const std::optional<DType>& dtype) {
    return dtype ? plain::convert(t, *dtype) : t;
}

// The elements of `data` in a tensor that shares memory with it where that is possible.
Tensor read_data(const char* op, const py::object& data, const std::optional<DType>& dtype) {
    if (is_tensor(data.ptr())) return convert_if(unwrap(data.ptr()), dtype);
    if (!is_array(data.ptr()) && py::hasattr(data, "__dlpack__")) return convert_if(take_dlpack(data), dtype);
    if (is_array(data.ptr())) check_unmasked(op, data); // NumPy would drop the mask
    const bool own = has_own_dtype(data);
    const auto array = py::array(as_array(op, data));
    if (dtype) check_range(op, array, *dtype);
    Tensor t = share_array(op, sharable(array, dtype).ptr());
    if (!own && !dtype && t.dtype() == DType::float64) return plain::convert(t, DType::float32);
    return convert_if(t, dtype);
}

bool same_memory(const Tensor& t, const py::object& data) {
    if (is_tensor(data.ptr())) return unwrap(data.ptr()).data() == t.data();
    return !t.storage().owns_memory();
}

Tensor tensor(const py::object& data, const std::optional<DType>& dtype, bool requires_grad) {
    Tensor t = read_data("tensor", data, dtype);
    // Arrays that NumPy made for us are foreign memory too: one copy more, for memory of our own.
    if (!t.storage().owns_memory() || is_tensor(data.ptr())) t = plain::clone(t);
    if (requires_grad) autograd::set_requires_grad(t, true);
    return t;
}

Tensor asarray(const py::object& data, const std::optional<DType>& dtype, const std::optional<bool>& copy) {
    if (is_tensor(data.ptr()) && !copy.value_or(false) && (!dtype || *dtype == unwrap(data.ptr()).dtype()))
        return unwrap(data.ptr());
    Tensor t = read_data("asarray", data, dtype);
    const bool listed =
        py::isinstance<py::list>(data) || py::isinstance<py::tuple>(data) || PyNumber_Check(data.ptr());
    const bool shared = same_memory(t, data) && !(listed && !is_array(data.ptr()) && !is_tensor(data.ptr()));
    if (copy && !*copy && !shared)
        value_error({"asarray: data cannot become a tensor without a copy, and copy is False"});
    return copy.value_or(false) && shared ? plain::clone(t) : t;
}

} // namespace

const char* numpy_format(DType dtype) {
    constexpr const char* formats[] = {"?", "u1", "i4", "i8", "f2", nullptr, "f4", "f8"};
    return formats[static_cast<int>(dtype)];
}

bool is_array(PyObject* o) { return py::isinstance<py::array>(o); }

Tensor share(const char* op, Foreign m) {
    const auto item = static_cast<int64_t>(item_size(m.dtype));
    const int64_t size = checked_size(op, m.shape, m.dtype);
    const Dims plain_strides = contiguous_strides(m.shape);
    int64_t low = 0, high = 0; // in elements, relative to the first one
    for (int i = 0; i < m.shape.rank(); ++i) {
        if (size == 0 || m.shape[i] == 1) m.strides[i] = plain_strides[i]; // meaningless where it came from
        int64_t reach, bytes;
        bool overflow = __builtin_mul_overflow(m.strides[i], size ? m.shape[i] - 1 : 0, &reach);
        overflow |= __builtin_add_overflow(reach < 0 ? low : high, reach, reach < 0 ? &low : &high);
        overflow |= __builtin_mul_overflow(high, item, &bytes) || __builtin_mul_overflow(low, item, &bytes);
        if (overflow)
            value_error({op, ": strides ", m.strides, " of shape ", m.shape, " reach beyond any memory"});
    }
    if (reinterpret_cast<uintptr_t>(m.data) % static_cast<size_t>(item) != 0)
        value_error({op, ": the memory is not aligned to ", m.dtype, "; make a contiguous copy first"});
    char* start = static_cast<char*>(m.data) + low * item;
    const size_t bytes = size ? static_cast<size_t>(high - low + 1) * static_cast<size_t>(item) : 0;
    auto storage = make_ref<Storage>(start, bytes, Device::cpu, m.writable, m.release, m.owner);
    return Tensor::from_storage(std::move(storage), m.shape, m.strides, -low, m.dtype);
}

Tensor share_array(const char* op, PyObject* object) {
    auto a = py::reinterpret_borrow<py::array>(object);
    check_unmasked(op, a);
    Foreign m;
    if (a.dtype().byteorder() == '>')
        type_error({op, ": dtype ", py::str(a.dtype()).cast<std::string>(),
                    " is not supported: its bytes are in the other order; ",
                    "convert with array.astype(array.dtype.newbyteorder('='))"});
    if (!dtype_of_array(a, m.dtype))
        type_error({op, ": dtype ", py::str(a.dtype()).cast<std::string>(),
                    " is not supported; supported are bool, uint8, int32, int64, float16, float32, float64"});
    if (a.ndim() > kMaxRank)
        value_error({op, ": the array has ", static_cast<int64_t>(a.ndim()),
                     " dimensions; tensors have at most ", kMaxRank});
    const auto item = static_cast<py::ssize_t>(item_size(m.dtype));
    for (py::ssize_t i = 0; i < a.ndim(); ++i) {
        m.shape.push(a.shape(i));
        m.strides.push(a.strides(i) / item);
        if (a.size() > 0 && a.shape(i) > 1 && a.strides(i) % item)
            value_error({op, ": the array's strides are no multiples of its item size; use ",
                         "numpy.ascontiguousarray first"});
    }
    m.data = const_cast<void*>(a.data());
    m.writable = a.writeable();
    m.release = &release_array;
    m.owner = object;
    Tensor t = share(op, m);
    Py_INCREF(object);
    return t;
}

namespace {

// The dtype that ml_dtypes gives NumPy, or None where that is not installed.
py::object bfloat16_of_numpy() {
    try {
        return py::module_::import("ml_dtypes").attr("bfloat16");
    } catch (py::error_already_set& e) {
        if (!e.matches(PyExc_ImportError)) throw;
        return py::none();
    }
}

} // namespace

py::object to_numpy(const Tensor& t) {
    const py::object bfloat16 = t.dtype() == DType::bfloat16 ? bfloat16_of_numpy() : py::none();
    if (t.dtype() == DType::bfloat16 && bfloat16.is_none())
        return to_numpy(plain::convert(t, DType::float32));
    const char* format = bfloat16.is_none() ? numpy_format(t.dtype()) : "u2";
    std::vector<py::ssize_t> shape(t.shape().begin(), t.shape().end()), strides;
    for (int64_t s : t.strides()) strides.push_back(s * static_cast<int64_t>(item_size(t.dtype())));
    auto* owner = new Tensor(t.alias());
    py::capsule base(owner, [](void* p) { delete static_cast<Tensor*>(p); });
    py::array array(py::dtype(format), shape, strides, t.data(), base);
    if (!t.storage().writable()) array.attr("flags").attr("writeable") = false;
    return bfloat16.is_none() ? py::object(array) : array.attr("view")(bfloat16);
}

void bind_exchange(py::module_& m) {
    op<&tensor>(m, "tensor",
                {"Makes a tensor of a copy of the data.",
                 "data: Numbers, nested sequences of them, an array or a Tensor.\n"
                 "dtype: None for float32 from Python's floats, int64 from its ints, and the dtype "
                 "of an array. What an\n"
                 "    integer dtype cannot hold is refused; fractions are cut off.\n"
                 "requires_grad: Whether backward computes a gradient for it.",
                 "Tensor",
                 "ValueError: for ragged sequences, and values that the dtype cannot hold.\n"
                 "TypeError: for masked arrays and other kinds.",
                 ">>> dt.tensor([[1, 2], [3, 4]])\ntensor([[1, 2],\n        [3, 4]])"},
                {"data"_a, "dtype"_a = py::none(), "requires_grad"_a = false});
    op<&asarray>(
        m, "asarray",
        {"Makes a tensor as `tensor` does, but shares the memory of arrays and tensors where it can.",
         "data: As for `tensor`.\ndtype: As for `tensor`.\n"
         "copy: True always copies; False never, and raises ValueError where it would have to.",
         "Tensor", "ValueError, TypeError: as `tensor`.", ">>> dt.asarray([1.0, 2.0])\ntensor([1., 2.])"},
        {"data"_a, "dtype"_a = py::none(), keyword("copy"_a = py::none())});
    op<&from_numpy>(
        m, "from_numpy",
        {"A tensor that shares the memory of a NumPy array: changes of one show in the other.",
         "array: numpy.ndarray of any strides, in the machine's byte order.",
         "Tensor; one that cannot be changed in place where the array is read-only.",
         "ValueError: for memory that is not aligned.\nTypeError: for other kinds and dtypes.",
         ">>> import numpy as np\n>>> dt.from_numpy(np.ones(2))\ntensor([1., 1.], dtype=float64)"},
        {"array"_a});
    method<&numpy>(
        "numpy",
        {"The elements as a NumPy array that shares the tensor's memory.\n\nNumPy has no bfloat16: where "
         "the package ml_dtypes is installed the array has its bfloat16,\nelsewhere it is a float32 "
         "copy.",
         "", "numpy.ndarray", "RuntimeError: where the tensor requires a gradient; use detach().numpy().",
         ">>> dt.tensor([1, 2]).numpy()\narray([1, 2])"});
    method<&array_protocol>("__array__", "What numpy.asarray(t) calls.",
                            {"dtype"_a = py::none(), "copy"_a = py::none()});
    py::setattr(reinterpret_cast<PyObject*>(tensor_type()), "__array_ufunc__", py::none());
    py::setattr(reinterpret_cast<PyObject*>(tensor_type()), "__array_priority__", py::int_(1000));
}

} // namespace dt::bindings
