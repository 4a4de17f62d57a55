#include "autograd/autocast.h"
#include "autograd/engine.h"
#include "autograd/grad_mode.h"
#include "bindings/docs.h"
#include "bindings/families.h"
#include "bindings/op.h"
#include "bindings/python_object.h"

namespace dt::bindings {
namespace {

bool requires_grad(const Tensor& t) { return autograd::requires_grad(t); }
bool is_leaf(const Tensor& t) { return autograd::is_leaf(t); }
Tensor grad(const Tensor& t) { return autograd::grad_of(t); }
Tensor detach(const Tensor& t) { return t.alias(); }
Tensor requires_grad_(const Tensor& t, bool requires_grad) {
    autograd::set_requires_grad(t, requires_grad);
    return t;
}

void backward(const Tensor& t, const std::optional<Tensor>& gradient, bool retain_graph,
              const std::optional<std::vector<Tensor>>& inputs) {
    autograd::backward({t}, {gradient.value_or(Tensor())}, retain_graph, inputs ? &*inputs : nullptr);
}

int set_attribute(PyObject* self, PyObject* value, void (*set)(const Tensor&, PyObject*)) {
    try {
        if (!value) type_error({"an attribute of a tensor cannot be deleted; set it to None"});
        set(unwrap(self), value);
        return 0;
    } catch (...) {
        set_python_error();
        return -1;
    }
}

int set_requires_grad(PyObject* self, PyObject* value, void*) {
    return set_attribute(self, value, [](const Tensor& t, PyObject* v) {
        autograd::set_requires_grad(t, Convert<bool>::load(v, {"requires_grad", "value"}));
    });
}

int set_grad(PyObject* self, PyObject* value, void*) {
    return set_attribute(self, value, [](const Tensor& t, PyObject* v) {
        autograd::set_grad(t, v == Py_None ? Tensor() : Convert<Tensor>::load(v, {"grad", "value"}));
    });
}

// A hook written in Python; dropping it drops the function.
struct PythonHook : Counted {
    SharedObject function;
};

Tensor call_hook(PythonHook& hook, const Tensor& grad) {
    WithInterpreter lock;
    py::object function = py::reinterpret_borrow<py::object>(hook.function.get());
    if (!function) return {};
    py::object given = py::reinterpret_steal<py::object>(wrap(grad));
    py::object made = py::reinterpret_steal<py::object>(PyObject_CallOneArg(function.ptr(), given.ptr()));
    if (!made) throw py::error_already_set();
    if (made.is_none()) return {};
    const Tensor& changed = Convert<Tensor>::load(made.ptr(), {"register_hook", "the hook's result"});
    if (!(changed.shape() == grad.shape()))
        value_error({"register_hook: the hook returned a gradient of shape ", changed.shape(),
                     ", but was given one of shape ", grad.shape()});
    if (changed.dtype() != grad.dtype())
        type_error({"register_hook: the hook returned a gradient of dtype ", changed.dtype(),
                    ", but was given one of dtype ", grad.dtype()});
    return changed.alias();
}

struct RemovableHandle {
    Ref<PythonHook> hook;
    Ref<autograd::HookState> state;
    void remove() {
        state->removed.store(true);
        hook->function.drop();
    }
};

py::object register_hook(const Tensor& t, const py::object& hook) {
    if (!PyCallable_Check(hook.ptr())) wrong_type({"register_hook", "hook"}, "callable", hook.ptr());
    auto python = make_ref<PythonHook>();
    python->function = SharedObject(hook);
    auto state = autograd::register_hook(t, [python](const Tensor& g) { return call_hook(*python, g); });
    return py::cast(RemovableHandle{python, state});
}

void retain_grad(const Tensor& t) { autograd::retain_grad(t); }

// A look at the tape from Python.
struct PyNode {
    Ref<autograd::Node> node;
};

py::object wrap_node(const Ref<autograd::Node>& node) { return node ? py::cast(PyNode{node}) : py::none(); }

py::object grad_fn(const Tensor& t) {
    if (autograd::is_leaf(t)) return py::none();
    return wrap_node(autograd::history_of(t).node);
}

py::object next_functions(const PyNode& n) {
    py::tuple next(n.node->edges.size());
    for (size_t i = 0; i < next.size(); ++i) {
        const autograd::Edge& e = n.node->edges[i];
        next[i] = py::make_tuple(wrap_node(e.node), e.slot);
    }
    return next;
}

void bind_nodes(py::module_& m) {
    py::class_<RemovableHandle>(
        m, "RemovableHandle",
        "What `register_hook` returns.\n\nExample:\n    >>> handle = dt.tensor([1.0], "
        "requires_grad=True).register_hook(print)\n    >>> handle.remove()")
        .def("remove", &RemovableHandle::remove, "The hook is not called again.");
    py::class_<PyNode>(m, "Node",
                       "A recorded op, as `Tensor.grad_fn` gives it.\n\nExample:\n    >>> (dt.tensor([1.0], "
                       "requires_grad=True) * 2).grad_fn.name()\n    'multiply'")
        .def(
            "name", [](const PyNode& n) { return n.node->label(); }, "The name of the op.")
        .def_property_readonly("next_functions", &next_functions,
                               "Per input of the op, the node that made it (None where it needs no "
                               "gradient) and which of that node's outputs it is.")
        .def("__eq__", [](const PyNode& a, const PyNode& b) { return a.node == b.node; })
        .def("__hash__", [](const PyNode& n) { return reinterpret_cast<uintptr_t>(n.node.get()) >> 4; })
        .def("__repr__", [](const PyNode& n) { return "<" + n.node->label() + ">"; });
}

void walk_backward(const std::vector<Tensor>& tensors, const py::object& grads, bool retain_graph,
                   const std::optional<std::vector<Tensor>>& inputs) {
    std::vector<Tensor> given;
    if (!grads.is_none())
        for (py::handle g : grads)
            given.push_back(g.is_none() ? Tensor() : read_tensor(g.ptr(), {"backward", "grads"}));
    autograd::backward(tensors, given, retain_graph, inputs ? &*inputs : nullptr);
}

std::vector<Tensor> walk_grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                              const py::object& grads, bool retain_graph) {
    std::vector<Tensor> given;
    if (!grads.is_none())
        for (py::handle g : grads)
            given.push_back(g.is_none() ? Tensor() : read_tensor(g.ptr(), {"grad", "grad_outputs"}));
    return autograd::grad(outputs, given, retain_graph, inputs);
}

bool is_grad_enabled() { return autograd::grad_enabled(); }
void set_grad_enabled(bool mode) { autograd::set_grad_enabled(mode); }

py::object dtype_or_none(std::optional<DType> dtype) {
    return dtype ? py::reinterpret_borrow<py::object>(dtype_object(*dtype)) : py::none();
}
bool is_autocast_enabled() { return autograd::autocast_dtype().has_value(); }
py::object get_autocast_dtype() { return dtype_or_none(autograd::autocast_dtype()); }
py::object enter_autocast(const std::optional<DType>& dtype) {
    if (dtype && !is_half(*dtype))
        type_error({"autocast: dtype is ", *dtype, ", expected float16 or bfloat16"});
    return dtype_or_none(autograd::enter_autocast(dtype));
}
void leave_autocast(const std::optional<DType>& before) { autograd::leave_autocast(before); }
int64_t autocast_cache_size() { return autograd::cached_casts(); }

void bind_autocast(py::module_& m) {
    op<&is_autocast_enabled>(m, "is_autocast_enabled",
                             {"Whether this thread is within a region of `autocast`.", "", "bool", "",
                              ">>> dt.is_autocast_enabled()\nFalse"},
                             {});
    op<&get_autocast_dtype>(m, "get_autocast_dtype",
                            {"The dtype that products and convolutions of this thread compute in.", "",
                             "float16 or bfloat16; None outside of `autocast`.", "",
                             ">>> with dt.autocast():\n...     dt.get_autocast_dtype()\n"
                             "drivetrain.bfloat16"},
                            {});
    op<&enter_autocast>(m, "_enter_autocast",
                        "Begins a region with this dtype, or with None one without autocast. Returns what "
                        "held before it.",
                        {"dtype"_a});
    op<&leave_autocast>(m, "_leave_autocast", "Ends a region; `before` is what entering it returned.",
                        {"before"_a});
    op<&autocast_cache_size>(m, "_autocast_cache_size", "Cast weights that this thread keeps.", {});
}

} // namespace

void bind_autograd(py::module_& m) {
    add_attribute("requires_grad", "True where backward computes a gradient for this tensor.", "bool",
                  &get_attribute<&requires_grad>, &set_requires_grad);
    add_attribute("grad", "The gradient that backward has summed up, or None.", "Tensor | None",
                  &get_attribute<&grad>, &set_grad);
    attribute<&is_leaf>("is_leaf", "True for tensors that no recorded op made.");
    attribute<&grad_fn>("grad_fn", "The recorded op that made this tensor; None for leaves.");
    method<&register_hook>(
        "register_hook",
        {"Has a function called whenever backward has computed the gradient of this tensor.",
         "hook: Called as hook(grad); a tensor that it returns takes the gradient's place.",
         "RemovableHandle, whose remove() ends it.",
         "RuntimeError: where the tensor requires no gradient.\nTypeError: for what cannot be called.",
         ">>> w = dt.tensor([1.0], requires_grad=True)\n>>> handle = w.register_hook(lambda g: 10 * g)\n"
         ">>> (2 * w).sum().backward()\n>>> w.grad\ntensor([20.])"},
        {"hook"_a});
    method<&retain_grad>("retain_grad",
                         {"Has backward keep the gradient of this tensor, which is no leaf, in .grad.", "",
                          "", "RuntimeError: where it requires no gradient.",
                          ">>> w = dt.tensor([1.0], requires_grad=True)\n>>> y = 2 * w\n>>> "
                          "y.retain_grad()\n>>> y.sum().backward()\n>>> y.grad\ntensor([1.])"});
    method<&detach>("detach",
                    {"The same memory without the history: gradients do not flow through it.", "", "Tensor",
                     "", ">>> dt.tensor([1.0], requires_grad=True).detach().requires_grad\nFalse"});
    method<&requires_grad_>("requires_grad_",
                            {"Sets requires_grad.", "requires_grad: A bool.", "The tensor.",
                             "RuntimeError: for a tensor that is no leaf.\nTypeError: for other than floats.",
                             ">>> dt.tensor([1.0]).requires_grad_().requires_grad\nTrue"},
                            {"requires_grad"_a = true});
    method<&backward>(
        "backward",
        {"Adds the gradients of this tensor to the .grad of the leaves it was computed from.",
         "gradient: Tensor of its shape, by which they are multiplied; may be left out for one element.\n"
         "retain_graph: Whether the history is kept for another backward.\n"
         "inputs: Sequence of the leaves to treat; None for all.",
         "",
         "RuntimeError: where the tensor requires no gradient, its history was freed, or what it\n    "
         "needs was changed in place.\n"
         "ValueError: where gradient has another shape.",
         ">>> w = dt.tensor([3.0], requires_grad=True)\n>>> (w * w).sum().backward()\n>>> "
         "w.grad\ntensor([6.])"},
        {"gradient"_a = py::none(), "retain_graph"_a = false, "inputs"_a = py::none()});
    bind_nodes(m);
    op<&walk_backward>(m, "_backward", "", {"tensors"_a, "grads"_a, "retain_graph"_a, "inputs"_a});
    op<&walk_grad>(m, "_grad", "", {"outputs"_a, "inputs"_a, "grads"_a, "retain_graph"_a});
    op<&is_grad_enabled>(m, "is_grad_enabled",
                         {"Whether ops are recorded for backward, in this thread.", "", "bool", "",
                          ">>> dt.is_grad_enabled()\nTrue"},
                         {});
    op<&set_grad_enabled>(m, "_set_grad_enabled", "Switches recording on or off for this thread.",
                          {"mode"_a});
    bind_autocast(m);
}

} // namespace dt::bindings
