#include <pybind11/pybind11.h>

#include <cstring>

#include "autograd/node.h"
#include "autograd/plain.h"
#include "bindings/dlpack_abi.h"
#include "bindings/docs.h"
#include "bindings/exchange.h"
#include "bindings/families.h"
#include "bindings/op.h"

// The exchange of memory with other array libraries, as the Array API standard describes it.
namespace dt::bindings {
namespace {

using dlpack::Legacy;
using dlpack::Versioned;

constexpr const char* kLegacyName = "dltensor";
constexpr const char* kVersionedName = "dltensor_versioned";
constexpr const char* kUsedLegacyName = "used_dltensor";
constexpr const char* kUsedVersionedName = "used_dltensor_versioned";

// --- giving ---------------------------------------------------------------------------------------------

dlpack::DataType to_dlpack(DType d) {
    const auto bits = static_cast<uint8_t>(8 * item_size(d));
    if (d == DType::boolean) return {dlpack::kBool, bits, 1};
    if (d == DType::uint8) return {dlpack::kUInt, bits, 1};
    if (d == DType::bfloat16) return {dlpack::kBfloat, bits, 1};
    return {is_floating(d) ? dlpack::kFloat : dlpack::kInt, bits, 1};
}

// What keeps the memory alive while somebody else uses it; freed by the consumer through the deleter.
template <class Managed> struct Loan {
    Tensor tensor;
    Dims shape, strides;
    Managed managed{};

    explicit Loan(const Tensor& t) : tensor(t.alias()), shape(t.shape()), strides(t.strides()) {
        managed.array.data = t.data();
        managed.array.device = {dlpack::kCpu, 0};
        managed.array.rank = t.rank();
        managed.array.dtype = to_dlpack(t.dtype());
        managed.array.shape = shape.begin();
        managed.array.strides = strides.begin();
        managed.context = this;
        managed.deleter = [](Managed* m) { delete static_cast<Loan*>(m->context); };
    }
};

template <class Managed> void delete_if_never_taken(PyObject* capsule, const char* name) {
    if (!PyCapsule_IsValid(capsule, name)) return;
    auto* managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule, name));
    if (managed && managed->deleter) managed->deleter(managed);
}

template <class Managed>
py::object make_capsule(Managed* managed, const char* name, PyCapsule_Destructor end) {
    PyObject* capsule = PyCapsule_New(managed, name, end);
    if (!capsule) {
        managed->deleter(managed);
        throw py::error_already_set();
    }
    return py::reinterpret_steal<py::object>(capsule);
}

void check_device(const char* op, const py::object& device) {
    if (device.is_none()) return;
    if (!py::isinstance<py::tuple>(device) || py::len(device) != 2)
        type_error({op, ": dl_device must be None or a tuple (device type, device id)"});
    auto [type, id] = device.cast<std::pair<int64_t, int64_t>>();
    if (type != dlpack::kCpu || id != 0)
        throw py::buffer_error(
            join({op, ": the tensor is on the CPU, (1, 0), and cannot be given on device (", type, ", ", id,
                  ")"}));
}

bool wants_versioned(const py::object& max_version) {
    if (max_version.is_none()) return false;
    if (!py::isinstance<py::tuple>(max_version) || py::len(max_version) != 2)
        type_error({"__dlpack__: max_version must be None or a tuple (major, minor)"});
    return max_version.cast<std::pair<int64_t, int64_t>>().first >= 1;
}

py::object give_dlpack(const Tensor& t, const py::object& stream, const py::object& max_version,
                       const py::object& dl_device, const std::optional<bool>& copy) {
    if (!stream.is_none()) value_error({"__dlpack__: stream must be None for a tensor on the CPU"});
    if (autograd::requires_grad(t))
        throw py::buffer_error("__dlpack__: the tensor requires a gradient; give its detach()");
    check_device("__dlpack__", dl_device);
    const bool copied = copy.value_or(false), versioned = wants_versioned(max_version);
    Tensor given = copied ? plain::clone(t) : t;
    const bool read_only = !given.storage().writable();
    if (!versioned) {
        if (read_only)
            throw py::buffer_error("__dlpack__: the tensor is read-only, which only DLPack 1.0 and newer can "
                                   "tell the receiver; pass max_version=(1, 0) or copy=True");
        return make_capsule(&(new Loan<Legacy>(given))->managed, kLegacyName,
                            [](PyObject* c) { delete_if_never_taken<Legacy>(c, kLegacyName); });
    }
    auto* loan = new Loan<Versioned>(given);
    loan->managed.major = dlpack::kMajor;
    loan->managed.minor = dlpack::kMinor;
    loan->managed.flags = (read_only ? dlpack::kReadOnly : 0) | (copied ? dlpack::kCopied : 0);
    return make_capsule(&loan->managed, kVersionedName,
                        [](PyObject* c) { delete_if_never_taken<Versioned>(c, kVersionedName); });
}

py::object dlpack_device(const Tensor&) { return py::make_tuple(dlpack::kCpu, 0); }

// --- taking ---------------------------------------------------------------------------------------------

DType from_dlpack_type(const dlpack::DataType& d) {
    if (d.lanes == 1)
        for (int i = 0; i < kDTypeCount; ++i) {
            const auto ours = to_dlpack(static_cast<DType>(i));
            if (ours.code == d.code && ours.bits == d.bits) return static_cast<DType>(i);
        }
    type_error({"from_dlpack: the dtype (code ", static_cast<int>(d.code), ", ", static_cast<int>(d.bits),
                " bits, ", static_cast<int>(d.lanes), " lanes) is not supported; supported are bool, uint8, ",
                "int32, int64, float16, bfloat16, float32, float64"});
}

Dims read_sizes(const dlpack::Array& a) {
    if (a.rank < 0 || a.rank > kMaxRank)
        value_error({"from_dlpack: the array has ", static_cast<int>(a.rank),
                     " dimensions; tensors have at most ", kMaxRank});
    if (a.rank > 0 && !a.shape) value_error({"from_dlpack: the array has no shape"});
    Dims shape;
    for (int i = 0; i < a.rank; ++i) shape.push(a.shape[i]);
    return shape;
}

template <class Managed> Tensor take(Managed* managed, bool writable) {
    const dlpack::Array& a = managed->array;
    if (a.device.type != dlpack::kCpu)
        throw py::buffer_error(join({"from_dlpack: the array is on device (", static_cast<int>(a.device.type),
                                     ", ", static_cast<int>(a.device.id), "), not on the CPU"}));
    const DType dtype = from_dlpack_type(a.dtype);
    Foreign memory;
    memory.shape = read_sizes(a);
    memory.dtype = dtype;
    memory.strides = contiguous_strides(memory.shape);
    if (checked_size("from_dlpack", memory.shape, dtype) > 0 && !a.data)
        value_error({"from_dlpack: the array has no memory"});
    if (a.strides)
        for (int i = 0; i < a.rank; ++i) memory.strides[i] = a.strides[i];
    memory.data = static_cast<char*>(a.data) + a.byte_offset;
    memory.writable = writable;
    memory.release = [](void* owner) {
        auto* m = static_cast<Managed*>(owner);
        if (m->deleter) m->deleter(m);
    };
    memory.owner = managed;
    return share("from_dlpack", memory);
}

// After this the capsule's destructor leaves the memory alone: the tensor returned owns it.
void mark_used(PyObject* capsule, const char* name) {
    if (PyCapsule_SetName(capsule, name) != 0) throw py::error_already_set();
}

Tensor take_capsule(PyObject* capsule) {
    const char* name = PyCapsule_GetName(capsule);
    PyErr_Clear();
    auto is = [&](const char* expected) { return name && std::strcmp(name, expected) == 0; };
    if (is(kVersionedName)) {
        auto* managed = static_cast<Versioned*>(PyCapsule_GetPointer(capsule, name));
        if (managed->major > dlpack::kMajor) // nothing behind the version may be read
            throw py::buffer_error(
                join({"from_dlpack: the array comes in DLPack ", static_cast<int64_t>(managed->major), ".",
                      static_cast<int64_t>(managed->minor), "; 1.x is understood"}));
        Tensor t = take(managed, !(managed->flags & dlpack::kReadOnly));
        mark_used(capsule, kUsedVersionedName);
        return t;
    }
    if (is(kLegacyName)) {
        Tensor t = take(static_cast<Legacy*>(PyCapsule_GetPointer(capsule, name)), true);
        mark_used(capsule, kUsedLegacyName);
        return t;
    }
    if (is(kUsedLegacyName) || is(kUsedVersionedName))
        value_error({"from_dlpack: this capsule has been consumed already; a capsule can be taken once"});
    value_error({"from_dlpack: a capsule named '", name ? name : "", "' is not one of DLPack"});
}

py::object ask(const py::object& x, const std::optional<bool>& copy) {
    auto [type, id] = x.attr("__dlpack_device__")().cast<std::pair<int64_t, int64_t>>();
    if (type != dlpack::kCpu)
        throw py::buffer_error(join({"from_dlpack: the array is on device (", type, ", ", id,
                                     "), not on the CPU; move it there first"}));
    py::object method = x.attr("__dlpack__");
    py::dict options;
    options["max_version"] = py::make_tuple(dlpack::kMajor, dlpack::kMinor);
    if (copy) options["copy"] = *copy;
    try {
        return method(**options);
    } catch (py::error_already_set& e) {
        // Libraries from before 2023 know no arguments; a copy is then made here.
        if (!e.matches(PyExc_TypeError)) throw;
        return method();
    }
}

Tensor from_dlpack(const py::object& x, const py::object& device, const std::optional<bool>& copy) {
    if (!device.is_none() && !(py::isinstance<py::str>(device) && device.cast<std::string>() == "cpu"))
        value_error({"from_dlpack: device must be 'cpu' or None"});
    if (is_tensor(x.ptr()))
        return copy.value_or(false) ? plain::clone(unwrap(x.ptr())) : unwrap(x.ptr()).alias();
    if (PyCapsule_CheckExact(x.ptr())) {
        Tensor t = take_capsule(x.ptr());
        return copy.value_or(false) ? plain::clone(t) : t;
    }
    if (!py::hasattr(x, "__dlpack__") || !py::hasattr(x, "__dlpack_device__"))
        type_error({"from_dlpack: x must have __dlpack__ and __dlpack_device__, as arrays of NumPy, PyTorch "
                    "and others do, got ",
                    Py_TYPE(x.ptr())->tp_name});
    py::object capsule = ask(x, copy);
    if (!PyCapsule_CheckExact(capsule.ptr()))
        type_error(
            {"from_dlpack: x.__dlpack__() must return a capsule, got ", Py_TYPE(capsule.ptr())->tp_name});
    const bool copied = [&] {
        if (!PyCapsule_IsValid(capsule.ptr(), kVersionedName)) return false;
        auto* m = static_cast<Versioned*>(PyCapsule_GetPointer(capsule.ptr(), kVersionedName));
        return m->major == dlpack::kMajor && (m->flags & dlpack::kCopied) != 0;
    }();
    Tensor t = take_capsule(capsule.ptr());
    return copy.value_or(false) && !copied ? plain::clone(t) : t;
}

} // namespace

Tensor take_dlpack(const py::object& x) { return from_dlpack(x, py::none(), std::nullopt); }

void bind_dlpack(py::module_& m) {
    op<&from_dlpack>(
        m, "from_dlpack",
        {"A tensor that shares the memory of an array of another library, through DLPack.",
         "x: What has __dlpack__ and __dlpack_device__, or a capsule.\ndevice: 'cpu' or None.\n"
         "copy: True always copies, False never, None only where it must.",
         "Tensor; one that cannot be changed in place where the library says so.",
         "BufferError: for memory of another device.\nValueError: for sizes and strides that cannot be.\n"
         "TypeError: for other dtypes and kinds.",
         ">>> import numpy as np\n>>> dt.from_dlpack(np.ones(2))\ntensor([1., 1.], dtype=float64)"},
        {"x"_a, keyword("device"_a = py::none()), keyword("copy"_a = py::none())});
    method<&give_dlpack>("__dlpack__", "A capsule of DLPack that shares the memory.",
                         {keyword("stream"_a = py::none()), keyword("max_version"_a = py::none()),
                          keyword("dl_device"_a = py::none()), keyword("copy"_a = py::none())});
    method<&dlpack_device>("__dlpack_device__", "(1, 0): the CPU.");
}

} // namespace dt::bindings
