#include "autograd/engine.h"
#include "autograd/grad_mode.h"
#include "bindings/families.h"
#include "bindings/op.h"

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

bool is_grad_enabled() { return autograd::grad_enabled(); }
void set_grad_enabled(bool mode) { autograd::set_grad_enabled(mode); }

} // namespace

void bind_autograd(py::module_& m) {
    add_attribute("requires_grad", "True where backward computes a gradient for this tensor.", "bool",
                  &get_attribute<&requires_grad>, &set_requires_grad);
    add_attribute("grad", "The gradient that backward has summed up, or None.", "Tensor | None",
                  &get_attribute<&grad>, &set_grad);
    attribute<&is_leaf>("is_leaf", "True for tensors that no recorded op made.");
    method<&detach>("detach", "The same memory without the history: gradients do not flow through it.");
    method<&requires_grad_>("requires_grad_", "Sets requires_grad and returns the tensor.",
                            {"requires_grad"_a = true});
    method<&backward>("backward",
                      "Adds the gradients of this tensor to the .grad of the leaves it was computed from.",
                      {"gradient"_a = py::none(), "retain_graph"_a = false, "inputs"_a = py::none()});
    op<&is_grad_enabled>(m, "is_grad_enabled", "True where ops are recorded for backward (in this thread).",
                         {});
    op<&set_grad_enabled>(m, "_set_grad_enabled", "Switches recording on or off for this thread.",
                          {"mode"_a});
}

} // namespace dt::bindings
