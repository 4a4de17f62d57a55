#include <cstring>
#include <memory>

#include "autograd/node.h"
#include "autograd/plain.h"
#include "bindings/docs.h"
#include "bindings/exchange.h"
#include "bindings/families.h"
#include "bindings/op.h"
#include "bindings/python_object.h"

// Python's buffer protocol: memoryview(t), bytes, and frombuffer for the way back.
namespace dt::bindings {
namespace {

struct Layout { // what a Py_buffer points to; lives as long as it
    Py_ssize_t shape[kMaxRank], strides[kMaxRank];
};

bool fortran_contiguous(const Tensor& t) {
    int64_t expected = 1;
    for (int i = 0; i < t.rank(); ++i) {
        if (t.shape(i) != 1 && t.strides()[i] != expected) return false;
        expected *= t.shape(i);
    }
    return true;
}

const char* refusal(const Tensor& t, int flags) {
    if (autograd::requires_grad(t)) return "the tensor requires a gradient; use detach()";
    if (!buffer_format(t.dtype()))
        return "bfloat16 has no format in the buffer protocol; use astype() or tobytes()";
    if ((flags & PyBUF_WRITABLE) && !t.storage().writable()) return "the tensor shares read-only memory";
    const bool c = t.is_contiguous(), f = fortran_contiguous(t) || t.size() == 0;
    const bool plain = (flags & PyBUF_STRIDES) != PyBUF_STRIDES;
    if ((plain || (flags & PyBUF_C_CONTIGUOUS) == PyBUF_C_CONTIGUOUS) && !c)
        return "the elements do not lie in memory in the order of the axes; use contiguous()";
    if ((flags & PyBUF_F_CONTIGUOUS) == PyBUF_F_CONTIGUOUS && !f)
        return "the elements do not lie in Fortran's order";
    if ((flags & PyBUF_ANY_CONTIGUOUS) == PyBUF_ANY_CONTIGUOUS && !c && !f)
        return "the elements do not lie next to each other; use contiguous()";
    return nullptr;
}

py::object tobytes(const Tensor& t) {
    PyObject* bytes = PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(t.bytes()));
    if (!bytes) throw py::error_already_set();
    Tensor c = plain::contiguous(t);
    std::memcpy(PyBytes_AS_STRING(bytes), c.data(), t.bytes());
    return py::reinterpret_steal<py::object>(bytes);
}

void release_view(void* owner) {
    auto* view = static_cast<Py_buffer*>(owner);
    if (!Py_IsInitialized()) return;
    WithInterpreter lock;
    PyBuffer_Release(view);
    delete view;
}

Tensor frombuffer(const py::object& buffer, DType dtype, const std::optional<Dims>& shape) {
    auto view = std::make_unique<Py_buffer>();
    if (PyObject_GetBuffer(buffer.ptr(), view.get(), PyBUF_WRITABLE) != 0) {
        PyErr_Clear();
        if (PyObject_GetBuffer(buffer.ptr(), view.get(), PyBUF_SIMPLE) != 0) throw py::error_already_set();
    }
    struct Release { // until a tensor owns the view
        Py_buffer* view;
        ~Release() {
            if (view) PyBuffer_Release(view);
        }
    } guard{view.get()};
    const auto item = static_cast<int64_t>(item_size(dtype));
    Foreign memory;
    memory.data = view->buf;
    memory.dtype = dtype;
    memory.shape = shape ? *shape : Dims{view->len / item};
    if (!shape && view->len % item)
        value_error(
            {"frombuffer: ", static_cast<int64_t>(view->len), " bytes are no whole number of ", dtype});
    if (checked_size("frombuffer", memory.shape, dtype) * item != view->len)
        value_error({"frombuffer: shape ", memory.shape, " of ", dtype, " takes ",
                     checked_size("frombuffer", memory.shape, dtype) * item, " bytes, but the buffer has ",
                     static_cast<int64_t>(view->len)});
    memory.strides = contiguous_strides(memory.shape);
    memory.writable = !view->readonly;
    memory.release = &release_view;
    memory.owner = view.get();
    Tensor t = share("frombuffer", memory);
    guard.view = nullptr;
    view.release();
    return t;
}

} // namespace

const char* buffer_format(DType dtype) {
    constexpr const char* formats[] = {"?", "B", "i", "q", "e", nullptr, "f", "d"};
    return formats[static_cast<int>(dtype)];
}

int get_buffer(PyObject* self, Py_buffer* view, int flags) {
    const Tensor& t = unwrap(self);
    view->obj = nullptr;
    if (const char* why = refusal(t, flags)) {
        PyErr_Format(PyExc_BufferError, "buffer: %s", why);
        return -1;
    }
    auto* layout = new Layout;
    const auto item = static_cast<Py_ssize_t>(item_size(t.dtype()));
    for (int i = 0; i < t.rank(); ++i) {
        layout->shape[i] = t.shape(i);
        layout->strides[i] = t.strides()[i] * item;
    }
    view->buf = t.data();
    view->len = static_cast<Py_ssize_t>(t.bytes());
    view->readonly = !t.storage().writable();
    view->itemsize = item;
    view->format = (flags & PyBUF_FORMAT) ? const_cast<char*>(buffer_format(t.dtype())) : nullptr;
    view->ndim = (flags & PyBUF_ND) == PyBUF_ND ? t.rank() : 1;
    view->shape = (flags & PyBUF_ND) == PyBUF_ND ? layout->shape : nullptr;
    view->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? layout->strides : nullptr;
    view->suboffsets = nullptr;
    view->internal = layout;
    view->obj = Py_NewRef(self);
    return 0;
}

void release_buffer(PyObject*, Py_buffer* view) { delete static_cast<Layout*>(view->internal); }

void bind_buffer(py::module_& m) {
    method<&tobytes>("tobytes", {"A copy of the elements, in the order of the axes.", "", "bytes", "",
                                 ">>> dt.tensor([1, 2], dtype=\"uint8\").tobytes()\nb'\\x01\\x02'"});
    method<&tobytes>("__bytes__", "");
    op<&frombuffer>(
        m, "frombuffer",
        {"A tensor that shares the memory of bytes, a memoryview or any other buffer.",
         "buffer: What has the buffer protocol.\ndtype: Of the elements.\nshape: Sizes; None for one "
         "axis.",
         "Tensor; one that cannot be changed in place where the buffer is read-only.",
         "ValueError: where the bytes are not those of the shape.\nTypeError: for what is no buffer.",
         ">>> dt.frombuffer(b\"\\x01\\x02\", \"uint8\")\ntensor([1, 2], dtype=uint8)"},
        {"buffer"_a, "dtype"_a, "shape"_a = py::none()});
}

} // namespace dt::bindings
