#pragma once
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "bindings/tensor_type.h"
#include "ops/scalar.h"

// From Python objects to C++ arguments and back. `type` is how the stubs and the help spell an argument.
namespace dt::bindings {

struct Where {
    const char *op, *arg;
};
[[noreturn, gnu::cold]] void wrong_type(const Where& where, const char* expected, PyObject* got);

bool read_integer(PyObject* o,
                  int64_t& value); // an int or what has __index__; not bool; ValueError past 64 bits
bool read_dims(PyObject* o, Dims& dims, const Where& where);
Scalar read_scalar(PyObject* o, const Where& where);
Operand read_operand(PyObject* o, const Where& where);
std::vector<Tensor> read_tensors(PyObject* o, const Where& where);
const Tensor& read_tensor(PyObject* o, const Where& where);

template <class T> struct Convert;

template <> struct Convert<Tensor> {
    static constexpr const char* type = "Tensor";
    static const Tensor& load(PyObject* o, const Where& where) {
        return is_tensor(o) ? unwrap(o) : read_tensor(o, where);
    }
};
template <> struct Convert<Operand> {
    static constexpr const char* type = "Tensor | float | ArrayLike";
    static Operand load(PyObject* o, const Where& where) { return read_operand(o, where); }
};
template <> struct Convert<Scalar> {
    static constexpr const char* type = "float";
    static Scalar load(PyObject* o, const Where& where) { return read_scalar(o, where); }
};
template <> struct Convert<std::vector<Tensor>> {
    static constexpr const char* type = "Sequence[Tensor]";
    static std::vector<Tensor> load(PyObject* o, const Where& where) { return read_tensors(o, where); }
};
template <> struct Convert<double> {
    static constexpr const char* type = "float";
    static double load(PyObject* o, const Where& where);
};
template <> struct Convert<int64_t> {
    static constexpr const char* type = "int";
    static int64_t load(PyObject* o, const Where& where);
};
template <> struct Convert<bool> {
    static constexpr const char* type = "bool";
    static bool load(PyObject* o, const Where& where);
};
template <> struct Convert<std::string> {
    static constexpr const char* type = "str";
    static std::string load(PyObject* o, const Where& where);
};
template <> struct Convert<DType> {
    static constexpr const char* type = "DTypeLike";
    static DType load(PyObject* o, const Where& where);
};
template <> struct Convert<Dims> {
    static constexpr const char* type = "int | Sequence[int]";
    static Dims load(PyObject* o, const Where& where);
};
template <> struct Convert<Ref<Generator>> { // None: the default generator
    static constexpr const char* type = "Generator | None";
    static Ref<Generator> load(PyObject* o, const Where& where);
};
template <> struct Convert<py::object> {
    static constexpr const char* type = "Any";
    static py::object load(PyObject* o, const Where&) { return py::reinterpret_borrow<py::object>(o); }
};
template <class T> struct Convert<std::optional<T>> {
    static std::optional<T> load(PyObject* o, const Where& where) {
        if (o == Py_None) return std::nullopt;
        return Convert<T>::load(o, where);
    }
};

struct TypeName { // of an argument
    const char* name;
    bool or_none = false;

    std::string text() const { return std::string(name) + (or_none ? " | None" : ""); }
};
template <class T> struct IsOptional : std::false_type {};
template <class T> struct IsOptional<std::optional<T>> : std::true_type {
    using Value = T;
};
template <class T> constexpr TypeName type_name() {
    if constexpr (IsOptional<T>::value)
        return {Convert<typename IsOptional<T>::Value>::type, true};
    else
        return {Convert<T>::type};
}

inline PyObject* to_python(Tensor t) { return wrap(std::move(t)); }
inline PyObject* to_python(bool v) { return PyBool_FromLong(v); }
inline PyObject* to_python(int64_t v) { return PyLong_FromLongLong(v); }
inline PyObject* to_python(int v) { return PyLong_FromLong(v); }
inline PyObject* to_python(double v) { return PyFloat_FromDouble(v); }
inline PyObject* to_python(const std::string& v) {
    return PyUnicode_FromStringAndSize(v.data(), static_cast<Py_ssize_t>(v.size()));
}
inline PyObject* to_python(DType d) { return Py_NewRef(dtype_object(d)); }
inline PyObject* to_python(py::object o) { return o.release().ptr(); }
PyObject* to_python(const Dims& dims);
PyObject* to_python(const std::vector<Tensor>& tensors); // a tuple
template <class... T> PyObject* to_python(const std::tuple<T...>& values) {
    return std::apply([](const auto&... v) { return to_python(std::vector<Tensor>{v...}); }, values);
}
template <class A, class B> PyObject* to_python(const std::pair<A, B>& v) {
    return to_python(std::vector<Tensor>{v.first, v.second});
}

template <class R> [[gnu::cold]] std::string result_type() {
    using T = std::decay_t<R>;
    if constexpr (std::is_void_v<R>)
        return "None";
    else if constexpr (std::is_same_v<T, Dims>)
        return "tuple[int, ...]";
    else if constexpr (std::is_same_v<T, int>)
        return "int";
    else if constexpr (std::is_same_v<T, DType>)
        return "dtype";
    else if constexpr (std::is_same_v<T, std::vector<Tensor>>)
        return "tuple[Tensor, ...]";
    else if constexpr (requires { std::tuple_size<T>::value; }) {
        std::string s = "tuple[";
        for (size_t i = 0; i < std::tuple_size_v<T>; ++i) s += i ? ", Tensor" : "Tensor";
        return s + "]";
    } else
        return type_name<T>().text();
}

} // namespace dt::bindings
