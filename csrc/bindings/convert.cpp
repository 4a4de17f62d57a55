#include "bindings/convert.h"

#include <cmath>

namespace dt::bindings {
namespace {

// Numbers of NumPy (numpy.float32(2), numpy.int64(3), numpy.bool_(True)) are scalars without dimensions too.
bool is_number(PyObject* o) {
    if (PyFloat_Check(o) || PyLong_Check(o)) return true;
    if (is_tensor(o) || is_array(o)) return false;
    PyNumberMethods* n = Py_TYPE(o)->tp_as_number;
    return n && (n->nb_float || n->nb_index) && !PyComplex_Check(o);
}

bool is_numpy_bool(PyObject* o) {
    const char* type = Py_TYPE(o)->tp_name;
    return std::strcmp(type, "numpy.bool") == 0 || std::strcmp(type, "numpy.bool_") == 0;
}

// False for what is no integer; ValueError from `where` past 64 bits.
bool integer_for(PyObject* o, int64_t& value, const Where& where) {
    if (PyBool_Check(o) || is_tensor(o) || is_array(o) || !PyIndex_Check(o)) return false;
    py::object index = py::reinterpret_steal<py::object>(PyNumber_Index(o));
    if (!index) throw py::error_already_set();
    int overflow = 0;
    value = PyLong_AsLongLongAndOverflow(index.ptr(), &overflow);
    if (!overflow) return true;
    py::object text = py::reinterpret_steal<py::object>(PyObject_Str(index.ptr()));
    if (!text) PyErr_Clear(); // Python prints no integer of thousands of digits
    value_error({where.op, ": ", where.arg, *where.arg ? ": " : "", "the integer ",
                 text ? std::string(py::str(text)) : std::string("given"), " does not fit into 64 bits"});
}

} // namespace

void wrong_type(const Where& where, const char* expected, PyObject* got) {
    type_error({where.op, ": ", where.arg, " must be ", expected, ", got ", Py_TYPE(got)->tp_name});
}

bool read_integer(PyObject* o, int64_t& value) { return integer_for(o, value, {"index", ""}); }

bool read_dims(PyObject* o, Dims& dims, const Where& where) {
    int64_t value;
    if (integer_for(o, value, where)) {
        dims.push(value);
        return true;
    }
    if (!PyTuple_Check(o) && !PyList_Check(o)) return false;
    const py::tuple items(py::reinterpret_borrow<py::object>(o)); // an __index__ may change the list
    const Py_ssize_t n = PyTuple_GET_SIZE(items.ptr());
    if (n > kMaxRank)
        value_error({where.op, ": ", where.arg, " has ", static_cast<int64_t>(n),
                     " entries; tensors have at most ", kMaxRank, " dimensions"});
    for (Py_ssize_t i = 0; i < n; ++i) {
        if (!integer_for(PyTuple_GET_ITEM(items.ptr(), i), value, where)) return false;
        dims.push(value);
    }
    return true;
}

Scalar read_scalar(PyObject* o, const Where& where) {
    Scalar s;
    if (PyBool_Check(o) || is_numpy_bool(o)) {
        s.kind = DType::boolean;
        s.integer = PyObject_IsTrue(o);
        s.real = static_cast<double>(s.integer);
        return s;
    }
    if (!is_number(o)) wrong_type(where, "a number", o);
    if (integer_for(o, s.integer, where)) {
        s.real = static_cast<double>(s.integer);
        return s;
    }
    s.kind = DType::float64;
    s.real = PyFloat_AsDouble(o);
    if (s.real == -1 && PyErr_Occurred()) throw py::error_already_set();
    s.integer = std::abs(s.real) < 0x1p63 ? static_cast<int64_t>(s.real) : 0;
    return s;
}

Operand read_operand(PyObject* o, const Where& where) {
    if (is_tensor(o)) return {unwrap(o), {}};
    if (is_array(o)) return {share_array(where.op, o), {}};
    if (PyBool_Check(o) || is_numpy_bool(o) || is_number(o)) return {{}, read_scalar(o, where)};
    wrong_type(where, "a Tensor or a number", o);
}

const Tensor& read_tensor(PyObject* o, const Where& where) {
    if (is_tensor(o)) return unwrap(o);
    if (is_array(o))
        type_error({where.op, ": ", where.arg,
                    " must be a Tensor, got numpy.ndarray; use drivetrain.tensor(array), which copies, or ",
                    "drivetrain.from_numpy(array), which shares the memory"});
    wrong_type(where, "a Tensor", o);
}

std::vector<Tensor> read_tensors(PyObject* o, const Where& where) {
    if (is_tensor(o) || PyUnicode_Check(o) || PyDict_Check(o)) wrong_type(where, "a sequence of Tensors", o);
    py::object list = py::reinterpret_steal<py::object>(PySequence_Fast(o, ""));
    if (!list) {
        PyErr_Clear();
        wrong_type(where, "a sequence of Tensors", o);
    }
    std::vector<Tensor> tensors;
    const Py_ssize_t n = PySequence_Fast_GET_SIZE(list.ptr());
    tensors.reserve(static_cast<size_t>(n));
    for (Py_ssize_t i = 0; i < n; ++i) {
        PyObject* item = PySequence_Fast_GET_ITEM(list.ptr(), i);
        if (!is_tensor(item))
            type_error({where.op, ": ", where.arg, " must hold Tensors only, got ", Py_TYPE(item)->tp_name,
                        " at position ", static_cast<int64_t>(i)});
        tensors.push_back(unwrap(item));
    }
    return tensors;
}

double Convert<double>::load(PyObject* o, const Where& where) {
    if (PyFloat_CheckExact(o)) return PyFloat_AS_DOUBLE(o);
    return read_scalar(o, where).real;
}

int64_t Convert<int64_t>::load(PyObject* o, const Where& where) {
    int64_t value;
    if (!integer_for(o, value, where)) wrong_type(where, "an int", o);
    return value;
}

bool Convert<bool>::load(PyObject* o, const Where& where) {
    if (o == Py_True) return true;
    if (o == Py_False) return false;
    if (is_numpy_bool(o)) return PyObject_IsTrue(o) == 1;
    wrong_type(where, "a bool", o);
}

std::string Convert<std::string>::load(PyObject* o, const Where& where) {
    if (!PyUnicode_Check(o)) wrong_type(where, "a str", o);
    Py_ssize_t size;
    const char* text = PyUnicode_AsUTF8AndSize(o, &size);
    if (!text) throw py::error_already_set();
    return {text, static_cast<size_t>(size)};
}

DType Convert<DType>::load(PyObject* o, const Where& where) {
    DType dtype;
    if (!read_dtype(o, dtype)) wrong_type(where, "a dtype of drivetrain, such as drivetrain.float32,", o);
    return dtype;
}

Dims Convert<Dims>::load(PyObject* o, const Where& where) {
    Dims dims;
    if (!read_dims(o, dims, where)) wrong_type(where, "an int or a sequence of ints", o);
    return dims;
}

Ref<Generator> Convert<Ref<Generator>>::load(PyObject* o, const Where& where) {
    if (o == Py_None) return default_generator();
    if (!PyObject_TypeCheck(o, generator_type())) wrong_type(where, "a Generator or None", o);
    return unwrap_generator(o);
}

PyObject* to_python(const Dims& dims) {
    PyObject* tuple = PyTuple_New(dims.rank());
    for (int i = 0; i < dims.rank(); ++i) PyTuple_SET_ITEM(tuple, i, PyLong_FromLongLong(dims[i]));
    return tuple;
}

PyObject* to_python(const std::vector<Tensor>& tensors) {
    PyObject* tuple = PyTuple_New(static_cast<Py_ssize_t>(tensors.size()));
    for (size_t i = 0; i < tensors.size(); ++i)
        PyTuple_SET_ITEM(tuple, static_cast<Py_ssize_t>(i), wrap(tensors[i]));
    return tuple;
}

} // namespace dt::bindings
