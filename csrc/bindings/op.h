#pragma once
#include <array>
#include <string>
#include <vector>

#include "bindings/convert.h"
#include "bindings/docs.h"
#include "core/parallel.h"
#include "core/profile.h"

// Binds C++ functions to Python with CPython's fast calling convention, clear errors and signatures for the
// stubs:
//     op<&ops::sum>(m, "sum", doc, {"x"_a, "axis"_a = py::none(), "keepdims"_a = false});
//     method<&ops::sum>("sum", doc, {"axis"_a = py::none(), "keepdims"_a = false});   // Tensor.sum, self
//     comes first
namespace dt::bindings {

// An argument and its default, as a binding writes it down. Defaults that are Python objects live as long as
// the process, like the functions.
struct Arg {
    enum class Default : char { required, boolean, integer, real, text, object };

    const char* name;
    union {
        bool boolean;
        int integer;
        double real;
        const char* text;
        PyObject* object = nullptr;
    };
    Default kind = Default::required;
    bool keyword_only = false;
    bool variadic = false; // `t.reshape(2, 3)` for `t.reshape((2, 3))`

    constexpr explicit Arg(const char* n) : name(n) {}
    constexpr Arg& operator=(bool v) { return boolean = v, of(Default::boolean); }
    constexpr Arg& operator=(int v) { return integer = v, of(Default::integer); }
    constexpr Arg& operator=(double v) { return real = v, of(Default::real); }
    constexpr Arg& operator=(const char* v) { return text = v, of(Default::text); }
    Arg& operator=(const py::handle& v) { return object = v.inc_ref().ptr(), of(Default::object); }
    py::object value() const; // null where required

  private:
    constexpr Arg& of(Default k) {
        kind = k;
        return *this;
    }
};
constexpr Arg operator""_a(const char* name, size_t) { return Arg(name); }
constexpr Arg keyword(Arg a) {
    a.keyword_only = true;
    return a;
}
constexpr Arg many(Arg a) {
    a.variadic = true;
    return a;
}

struct Args { // of one function, while it is bound
    const Arg* data = nullptr;
    size_t size = 0;

    Args() = default;
    Args(std::initializer_list<Arg> list) { // to be read while the list lives
        data = list.begin();
        size = list.size();
    }
    Args(const std::vector<Arg>& list) : data(list.data()), size(list.size()) {}
};

struct Parameter {
    const char* name;
    PyObject* interned; // its name
    py::object value;   // the default; null where required
    bool keyword_only, variadic;
};

// Arguments in the order of Spec::args; nullptr stands for the default.
using Slots = PyObject**;
constexpr size_t kMostArguments = 24;

struct Spec {
    std::string name, doc;       // doc begins with "name(args)\n--\n\n", which CPython reads as the signature
    std::string shown;           // what messages call it: "add" for __add__
    std::vector<Parameter> args; // self first, for methods
    PyObject* (*call)(const Spec& spec, Slots slots) = nullptr;
    bool is_method = false;
    PyMethodDef definition{};
};

// Sorts out the given arguments, calls the function and turns what it throws into an error of Python.
PyObject* call(const Spec& spec, PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* names);
// From the C++ exception in flight. An op made of others speaks for them: its name heads the message.
[[gnu::cold]] void set_python_error(const Spec* spec = nullptr);
py::dict signatures(); // name -> "(x: Tensor, axis: ...) -> Tensor", what the stubs are made of

template <class F> struct Signature;
template <class R, class... A> struct Signature<R (*)(A...)> {
    using Result = R;
    static constexpr size_t count = sizeof...(A);
    static constexpr std::array<TypeName, count> types{type_name<std::decay_t<A>>()...};
    template <auto F> static PyObject* call(const Spec& spec, Slots slots) {
        return call<F>(spec, slots, std::index_sequence_for<A...>());
    }

  private:
    template <auto F, size_t... I>
    static PyObject* call(const Spec& spec, Slots slots, std::index_sequence<I...>) {
        if constexpr (std::is_void_v<R>) {
            F(load<std::decay_t<A>>(spec, slots, I)...);
            Py_RETURN_NONE;
        } else {
            return to_python(F(load<std::decay_t<A>>(spec, slots, I)...));
        }
    }
    template <class T> static decltype(auto) load(const Spec& spec, Slots slots, size_t i) {
        PyObject* o = slots[i] ? slots[i] : spec.args[i].value.ptr();
        return Convert<T>::load(o, Where{spec.shown.c_str(), spec.args[i].name});
    }
};

struct SignatureText {
    std::string (*result)();
    const TypeName* types;
    size_t count;
};
template <class F>
constexpr SignatureText kSignatureText{&result_type<typename Signature<F>::Result>,
                                       Signature<F>::types.data(), Signature<F>::count};

// What there is to know of a function beside its arguments' names.
struct Binding {
    // A function bound twice shares parser and messages of the first, unless Alias tells them apart.
    Spec* spec;
    PyObject* (*function)(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* names);
    PyObject* (*call)(const Spec& spec, Slots slots);
    const SignatureText* signature;
    bool is_method;
};
template <auto F, bool Method, int Alias> struct Bound {
    static PyObject* call(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* names) {
        return bindings::call(*binding.spec, Method ? self : nullptr, given, count, names);
    }
    static_assert(Signature<decltype(F)>::count <= kMostArguments);
    static inline Binding binding{nullptr, &call, &Signature<decltype(F)>::template call<F>,
                                  &kSignatureText<decltype(F)>, Method};
};

[[gnu::cold]] void add_function(py::module_& m, Binding& binding, const char* name, const Doc& doc, Args args,
                                const char* shown);
[[gnu::cold]] void add_method(Binding& binding, const char* name, const Doc& doc, Args args,
                              const char* shown);

template <auto F, int Alias = 0>
void op(py::module_& m, const char* name, const Doc& doc, Args args, const char* shown = nullptr) {
    add_function(m, Bound<F, false, Alias>::binding, name, doc, args, shown);
}
template <auto F, int Alias = 0>
void method(const char* name, const Doc& doc, Args args = {}, const char* shown = nullptr) {
    add_method(Bound<F, true, Alias>::binding, name, doc, args, shown);
}

// A read-only (or, with Set, writable) attribute of Tensor.
void add_attribute(const char* name, const char* doc, const char* type, getter get, setter set);
template <auto Get> PyObject* get_attribute(PyObject* self, void*) {
    try {
        return to_python(Get(unwrap(self)));
    } catch (...) {
        set_python_error();
        return nullptr;
    }
}
template <auto Get> void attribute(const char* name, const char* doc) {
    using R = decltype(Get(std::declval<const Tensor&>()));
    static const std::string type = result_type<R>();
    add_attribute(name, doc, type.c_str(), &get_attribute<Get>, nullptr);
}

} // namespace dt::bindings
