#include <pybind11/pybind11.h>

#include <algorithm>
#include <cctype>

#include "bindings/op.h"

// Files that include pytypes.h alone find the one definition here.
template std::string pybind11::handle::cast<std::string>() const;

namespace dt::bindings {
namespace {

py::dict& signature_table() {
    static auto* table = new py::dict;
    return *table;
}

// What NumPy, PyTorch and TensorFlow call our arguments.
const char* known_as(const std::string& name) {
    if (name == "dim" || name == "axes" || name == "dims") return "axis";
    if (name == "keepdim" || name == "keep_dims") return "keepdims";
    return nullptr;
}

[[noreturn]] void unknown_argument(const Spec& spec, const std::string& name) {
    std::string list;
    const char* better = known_as(name);
    bool has_better = false;
    for (size_t i = spec.is_method; i < spec.args.size(); ++i) {
        list += (list.empty() ? "" : ", ") + std::string(spec.args[i].name);
        has_better |= better && std::string(better) == spec.args[i].name;
    }
    if (has_better)
        type_error({spec.shown, ": unknown argument '", name, "'; here it is called '", better, "'"});
    type_error({spec.shown, ": unknown argument '", name, "'; the arguments are: ", list});
}

// A dtype by its name: inspect.signature reads literals only.
std::string shown_default(const py::object& value) {
    DType dtype;
    if (!PyUnicode_Check(value.ptr()) && read_dtype(value.ptr(), dtype))
        return std::string("'") + name(dtype) + "'";
    return std::string(py::str(py::repr(value)));
}

bool heads_message(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

// "maximum: shapes ..." from within clip is about clip. The walk over the tape speaks of ops called before.
std::string in_the_name_of(const Spec* spec, const std::string& message) {
    if (!spec || spec->shown[0] == '_' || spec->shown == "backward") return message;
    const size_t end = static_cast<size_t>(std::find_if_not(message.begin(), message.end(), heads_message) -
                                           message.begin());
    if (message.compare(end, 2, ": ") != 0 || !signature_table().contains(message.substr(0, end).c_str()))
        return message;
    return spec->shown + message.substr(end);
}

PyObject* tuple_of(PyObject* const* given, Py_ssize_t count, py::object& gathered) {
    gathered = py::reinterpret_steal<py::object>(PyTuple_New(count));
    for (Py_ssize_t i = 0; i < count; ++i) PyTuple_SET_ITEM(gathered.ptr(), i, Py_NewRef(given[i]));
    return gathered.ptr();
}

// Sorts the given arguments into `slots`.
void parse(const Spec& spec, PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* names,
           Slots slots, py::object& gathered) {
    const size_t n = spec.args.size();
    size_t next = 0;
    if (self) slots[next++] = self;
    for (Py_ssize_t i = 0; i < count; ++i) {
        if (next < n && spec.args[next].variadic && (count - i > 1 || PyLong_Check(given[i]))) {
            slots[next] = tuple_of(given + i, count - i, gathered);
            break;
        }
        if (next >= n || spec.args[next].keyword_only) {
            size_t most = 0;
            while (most < n && !spec.args[most].keyword_only) ++most;
            type_error({spec.shown, ": takes at most ", most - spec.is_method, " positional arguments, got ",
                        static_cast<int64_t>(count)});
        }
        slots[next++] = given[i];
    }
    if (names) {
        const Py_ssize_t named = PyTuple_GET_SIZE(names);
        for (Py_ssize_t k = 0; k < named; ++k) {
            PyObject* key = PyTuple_GET_ITEM(names, k);
            size_t i = spec.is_method;
            while (i < n && spec.args[i].interned != key) ++i;
            for (size_t j = spec.is_method; i == n && j < n; ++j)
                if (PyUnicode_Compare(spec.args[j].interned, key) == 0) i = j;
            if (i == n) unknown_argument(spec, std::string(py::str(key)));
            if (slots[i])
                type_error({spec.shown, ": got more than one value for argument '", spec.args[i].name, "'"});
            slots[i] = given[count + k];
        }
    }
    for (size_t i = 0; i < n; ++i)
        if (!slots[i] && !spec.args[i].value)
            type_error({spec.shown, ": missing argument '", spec.args[i].name, "'"});
}

// Its signature, twice: how CPython reads it from the docstring, and with types.
void describe(Spec& spec, const TypeName* types, const std::string& result) {
    std::string plain = spec.name + "(", typed = "(";
    bool star = false, typed_star = false; // what follows is keyword-only
    for (size_t i = 0; i < spec.args.size(); ++i) {
        const Parameter& arg = spec.args[i];
        const char* separator = i ? ", " : "";
        plain += separator + std::string(arg.keyword_only && !star ? "*, " : "") +
                 (spec.is_method && i == 0 ? "$self" : arg.name);
        typed += separator + std::string(arg.keyword_only && !typed_star ? "*, " : "") +
                 (arg.variadic ? "*" : "") + arg.name;
        star |= arg.keyword_only;
        typed_star |= arg.keyword_only || arg.variadic;
        if (!(spec.is_method && i == 0)) typed += ": " + types[i].text();
        if (arg.value) {
            const std::string shown = shown_default(arg.value);
            plain += "=" + shown;
            if (!arg.variadic) typed += " = " + shown;
        }
        if (spec.is_method && i == 0) plain += ", /";
    }
    spec.doc = plain + ")\n--\n\n" + spec.doc;
    spec.definition.ml_name = spec.name.c_str();
    spec.definition.ml_flags = METH_FASTCALL | METH_KEYWORDS;
    spec.definition.ml_doc = spec.doc.c_str();
    signature_table()[py::str((spec.is_method ? "Tensor." : "") + spec.name)] = typed + ") -> " + result;
}

Spec& make_spec(Binding& b, const char* name, const Doc& doc, Args args, const char* shown) {
    auto* spec = new Spec; // lives as long as the process, like the functions themselves
    spec->name = name;
    spec->shown = shown ? shown : name;
    spec->doc = to_text(doc);
    const auto add = [spec](const Arg& a) {
        spec->args.push_back(
            {a.name, PyUnicode_InternFromString(a.name), a.value(), a.keyword_only, a.variadic});
    };
    if (b.is_method) add(Arg("self"));
    for (size_t i = 0; i < args.size; ++i) add(args.data[i]);
    spec->is_method = b.is_method;
    spec->call = b.call;
    spec->definition.ml_meth = reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(b.function));
    if (!b.spec) b.spec = spec;
    if (spec->args.size() != b.signature->count) throw std::logic_error(std::string("arguments of ") + name);
    describe(*spec, b.signature->types, b.signature->result());
    return *spec;
}

} // namespace

void set_python_error(const Spec* spec) {
    const auto set = [spec](PyObject* type, const std::exception& e) {
        PyErr_SetString(type, in_the_name_of(spec, e.what()).c_str());
    };
    try {
        throw;
    } catch (py::error_already_set& e) { e.restore(); } catch (const ValueError& e) {
        set(PyExc_ValueError, e);
    } catch (const TypeError& e) { set(PyExc_TypeError, e); } catch (const IndexError& e) {
        set(PyExc_IndexError, e);
    } catch (const FloatError& e) { set(PyExc_FloatingPointError, e); } catch (const MemoryError& e) {
        PyErr_SetString(PyExc_MemoryError, e.what());
    } catch (const py::builtin_exception& e) { e.set_error(); } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
    } catch (const std::exception& e) { set(PyExc_RuntimeError, e); }
}

py::object Arg::value() const {
    switch (kind) {
    case Default::boolean:
        return py::bool_(boolean);
    case Default::integer:
        return py::int_(integer);
    case Default::real:
        return py::float_(real);
    case Default::text:
        return py::str(text);
    default:
        return py::reinterpret_borrow<py::object>(object);
    }
}

PyObject* call(const Spec& spec, PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* names) {
    FloatMode mode;
    try {
        PyObject* slots[kMostArguments];
        constexpr size_t usual = 8; // of a length known here: no call
        std::fill_n(slots, usual, nullptr);
        if (spec.args.size() > usual) std::fill_n(slots + usual, spec.args.size() - usual, nullptr);
        py::object gathered;
        parse(spec, self, given, count, names, slots, gathered);
        const profile::Span span(spec.shown, profile::Kind::op);
        return spec.call(spec, slots);
    } catch (...) {
        set_python_error(&spec);
        return nullptr;
    }
}

void add_function(py::module_& m, Binding& binding, const char* name, const Doc& doc, Args args,
                  const char* shown) {
    Spec& spec = make_spec(binding, name, doc, args, shown);
    py::object module_name = m.attr("__name__");
    PyObject* f = PyCFunction_NewEx(&spec.definition, m.ptr(), module_name.ptr());
    if (!f) throw py::error_already_set();
    m.attr(spec.name.c_str()) = py::reinterpret_steal<py::object>(f);
}

void add_method(Binding& binding, const char* name, const Doc& doc, Args args, const char* shown) {
    Spec& spec = make_spec(binding, name, doc, args, shown);
    PyObject* f = PyDescr_NewMethod(tensor_type(), &spec.definition);
    if (!f || PyObject_SetAttrString(reinterpret_cast<PyObject*>(tensor_type()), spec.name.c_str(), f) < 0)
        throw py::error_already_set();
    Py_DECREF(f);
}

void add_attribute(const char* name, const char* doc, const char* type, getter get, setter set) {
    auto* definition = new PyGetSetDef{name, get, set, doc, nullptr};
    PyObject* d = PyDescr_NewGetSet(tensor_type(), definition);
    if (!d || PyObject_SetAttrString(reinterpret_cast<PyObject*>(tensor_type()), name, d) < 0)
        throw py::error_already_set();
    Py_DECREF(d);
    signature_table()[py::str(std::string("Tensor.") + name)] =
        std::string(set ? "attribute " : "property ") + type;
}

py::dict signatures() { return signature_table(); }

} // namespace dt::bindings
