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

struct Arg {
    const char* name;
    py::object value{}; // the default; none where required
    bool keyword_only = false;
    bool variadic = false; // `t.reshape(2, 3)` for `t.reshape((2, 3))`
    PyObject* interned = nullptr;

    explicit Arg(const char* n) : name(n) {}
    Arg& operator=(py::object v) {
        value = std::move(v);
        return *this;
    }
    Arg& operator=(bool v) { return *this = py::object(py::bool_(v)); }
    Arg& operator=(int v) { return *this = py::object(py::int_(v)); }
    Arg& operator=(double v) { return *this = py::object(py::float_(v)); }
    Arg& operator=(const char* v) { return *this = py::object(py::str(v)); }
    bool required() const { return !value; }
};
inline Arg operator""_a(const char* name, size_t) { return Arg(name); }
inline Arg keyword(Arg a) {
    a.keyword_only = true;
    return a;
}
inline Arg many(Arg a) {
    a.variadic = true;
    return a;
}

struct Spec {
    std::string name, doc; // doc begins with "name(args)\n--\n\n", which CPython reads as the signature
    std::string shown;     // what messages call it: "add" for __add__
    std::vector<Arg> args; // self first, for methods
    bool is_method = false;
    PyMethodDef definition{};
};

// Sorts the given arguments into `slots`, in the order of spec.args; nullptr stands for the default.
void parse(const Spec& spec, PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* names,
           PyObject** slots, py::object& gathered);
// From the C++ exception in flight. An op made of others speaks for them: its name heads the message.
void set_python_error(const Spec* spec = nullptr);
void finish(Spec& spec, const std::vector<std::string>& types, const std::string& result);
void add_function(py::module_& m, Spec& spec);
void add_method(Spec& spec);
py::dict signatures(); // name -> "(x: Tensor, axis: ...) -> Tensor", what the stubs are made of

template <class F> struct Signature;
template <class R, class... A> struct Signature<R (*)(A...)> {
    using Result = R;
    static constexpr size_t count = sizeof...(A);
    static std::vector<std::string> types() { return {type_name<std::decay_t<A>>()...}; }
    template <auto F, size_t... I>
    static PyObject* call(const Spec& spec, PyObject** slots, std::index_sequence<I...>) {
        if constexpr (std::is_void_v<R>) {
            F(load<std::decay_t<A>>(spec, slots, I)...);
            Py_RETURN_NONE;
        } else {
            return to_python(F(load<std::decay_t<A>>(spec, slots, I)...));
        }
    }

  private:
    template <class T> static decltype(auto) load(const Spec& spec, PyObject** slots, size_t i) {
        PyObject* o = slots[i] ? slots[i] : spec.args[i].value.ptr();
        return Convert<T>::load(o, Where{spec.shown.c_str(), spec.args[i].name});
    }
};

template <auto F, bool Method, int Alias> struct Bound {
    using Sig = Signature<decltype(F)>;
    static inline Spec* spec = nullptr;
    static PyObject* call(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* names) {
        FloatMode mode;
        try {
            PyObject* slots[Sig::count ? Sig::count : 1] = {};
            py::object gathered;
            parse(*spec, Method ? self : nullptr, given, count, names, slots, gathered);
            const profile::Span span(spec->shown, profile::Kind::op);
            return Sig::template call<F>(*spec, slots, std::make_index_sequence<Sig::count>());
        } catch (...) {
            set_python_error(spec);
            return nullptr;
        }
    }
};

template <auto F, bool Method, int Alias>
Spec& make_spec(const char* name, const Doc& doc, std::vector<Arg> args, const char* shown) {
    using B = Bound<F, Method, Alias>;
    auto* spec = new Spec; // lives as long as the process, like the functions themselves
    spec->name = name;
    spec->shown = shown ? shown : name;
    spec->doc = to_text(doc);
    if (Method) args.insert(args.begin(), Arg("self"));
    spec->args = std::move(args);
    spec->is_method = Method;
    spec->definition.ml_meth = reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&B::call));
    // A function bound twice shares parser and messages of the first, unless Alias tells them apart.
    if (!B::spec) B::spec = spec;
    if (spec->args.size() != B::Sig::count) throw std::logic_error(std::string("arguments of ") + name);
    finish(*spec, B::Sig::types(), result_type<typename B::Sig::Result>());
    return *spec;
}

template <auto F, int Alias = 0>
void op(py::module_& m, const char* name, const Doc& doc, std::vector<Arg> args,
        const char* shown = nullptr) {
    add_function(m, make_spec<F, false, Alias>(name, doc, std::move(args), shown));
}
template <auto F, int Alias = 0>
void method(const char* name, const Doc& doc, std::vector<Arg> args = {}, const char* shown = nullptr) {
    add_method(make_spec<F, true, Alias>(name, doc, std::move(args), shown));
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
