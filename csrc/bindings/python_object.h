#pragma once
#include <pybind11/pybind11.h>

#include <utility>

namespace dt::bindings {

// Takes the interpreter lock for a scope; the tape may run without it.
class WithInterpreter {
  public:
    WithInterpreter() : state_(PyGILState_Ensure()) {}
    ~WithInterpreter() { PyGILState_Release(state_); }
    WithInterpreter(const WithInterpreter&) = delete;

  private:
    PyGILState_STATE state_;
};

// A Python object that the tape or a storage owns: any thread may drop it, also without the interpreter lock
// and after the interpreter is gone. Moves only.
class SharedObject {
  public:
    SharedObject() = default;
    explicit SharedObject(const pybind11::object& o) : object_(o.ptr()) { Py_XINCREF(object_); }
    SharedObject(SharedObject&& o) noexcept : object_(std::exchange(o.object_, nullptr)) {}
    SharedObject& operator=(SharedObject&& o) noexcept {
        std::swap(object_, o.object_);
        return *this;
    }
    ~SharedObject() { drop(); }

    PyObject* get() const { return object_; }
    void drop() {
        if (!object_ || !Py_IsInitialized()) return;
        WithInterpreter lock;
        Py_DECREF(std::exchange(object_, nullptr));
    }

  private:
    PyObject* object_ = nullptr;
};

} // namespace dt::bindings
