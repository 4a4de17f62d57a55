#include <algorithm>
#include <unordered_set>

#include "autograd/engine.h"
#include "autograd/plain.h"
#include "autograd/record.h"
#include "bindings/families.h"
#include "bindings/op.h"
#include "bindings/python_object.h"

// What drivetrain.autograd.Function and drivetrain.checkpoint stand on: nodes whose backward is written in
// Python.
namespace dt::bindings {
namespace {

using autograd::Backward;
using autograd::Edge;
using autograd::Node;
using autograd::Saved;

struct Form { // of a tensor: what its gradient must look like
    Dims shape;
    DType dtype;
    explicit Form(const Tensor& t) : shape(t.shape()), dtype(t.dtype()) {}
};

std::vector<Form> forms_of(const std::vector<Tensor>& tensors) { return {tensors.begin(), tensors.end()}; }

// A node that calls `backward(*grads)` of Python, which returns one gradient or None per input.
class PythonNode final : public Node {
  public:
    PythonNode(const std::string& name, py::object backward, const std::vector<Tensor>& inputs,
               const std::vector<Tensor>& outputs, bool fill_zeros)
        : Node("", static_cast<int>(outputs.size())), label_(name), backward_(backward),
          inputs_(forms_of(inputs)), outputs_(forms_of(outputs)), fill_zeros_(fill_zeros) {
        this->name = label_.c_str();
        work = 1e5;
    }
    void free() override { backward_.drop(); }
    void backward(Backward& b) override {
        WithInterpreter lock;
        py::tuple grads(outputs_.size());
        for (size_t i = 0; i < outputs_.size(); ++i) {
            Tensor g = b.grad(static_cast<int>(i));
            if (!g.defined() && fill_zeros_) g = plain::zeros(outputs_[i].shape, outputs_[i].dtype);
            grads[i] = py::reinterpret_steal<py::object>(wrap(g));
        }
        auto result = py::reinterpret_steal<py::object>(PyObject_CallObject(backward_.get(), grads.ptr()));
        if (!result) throw py::error_already_set();
        give(b, result);
    }

  private:
    void give(Backward& b, const py::object& result) {
        py::tuple given;
        if (py::isinstance<py::tuple>(result) || py::isinstance<py::list>(result))
            given = py::tuple(result);
        else
            given = py::make_tuple(result);
        if (given.size() != inputs_.size())
            value_error({label_, ".backward: returned ", given.size(), " gradients, but forward has ",
                         inputs_.size(), " arguments; return one per argument, None where there is none"});
        for (size_t i = 0; i < inputs_.size(); ++i) {
            py::object g = given[i];
            if (g.is_none() || !b.needs(static_cast<int>(i))) continue;
            b.give(static_cast<int>(i), checked(g.ptr(), i));
        }
    }
    Tensor checked(PyObject* g, size_t i) const {
        if (!is_tensor(g))
            type_error({label_, ".backward: the gradient of argument ", i, " must be a Tensor or None, got ",
                        Py_TYPE(g)->tp_name});
        const Tensor& t = unwrap(g);
        if (!(t.shape() == inputs_[i].shape))
            value_error({label_, ".backward: the gradient of argument ", i, " has shape ", t.shape(),
                         ", but the argument has shape ", inputs_[i].shape});
        if (t.dtype() != inputs_[i].dtype)
            type_error({label_, ".backward: the gradient of argument ", i, " has dtype ", t.dtype(),
                        ", but the argument has dtype ", inputs_[i].dtype});
        return t.alias();
    }

    std::string label_;
    SharedObject backward_;
    std::vector<Form> inputs_, outputs_;
    bool fill_zeros_;
};

Tensor or_nothing(const py::handle& o) { return is_tensor(o.ptr()) ? unwrap(o.ptr()) : Tensor(); }

// `inputs`: every argument of forward, None in the place of what is no tensor. `outputs`: tensors without
// history, of which those in `changed` (positions) are inputs that forward wrote to; they get the new history
// themselves, the others as new tensors on the same memory.
py::object record_function(const std::string& name, const py::object& backward, const py::object& inputs,
                           const std::vector<Tensor>& outputs, const py::object& changed, bool fill_zeros) {
    std::vector<Tensor> sources;
    for (py::handle o : inputs) sources.push_back(or_nothing(o));
    Tensor nothing = Tensor::empty({0}, DType::float32);
    std::vector<Tensor> filled = sources;
    for (Tensor& t : filled)
        if (!t.defined()) t = nothing;
    auto node = make_ref<PythonNode>(name, backward, filled, outputs, fill_zeros);
    autograd::attach(*node, sources);
    py::tuple results(outputs.size());
    for (size_t i = 0; i < outputs.size(); ++i) {
        const bool in_place = changed.contains(i);
        Tensor out = in_place ? outputs[i] : outputs[i].alias();
        if (in_place) {
            if (out.impl()->base)
                runtime_error({name, ": mark_dirty of a view is not supported; write to a clone()"});
            autograd::check_in_place(name.c_str(), out);
            out.storage().bump_version();
        }
        autograd::set_history(out, *node, static_cast<int>(i));
        if (in_place) ++autograd::meta_of(out).generation;
        results[i] = py::reinterpret_steal<py::object>(wrap(out));
    }
    return results;
}

struct SavedTensor {
    Saved saved;
};

// Recomputes a piece of the graph in the backward walk.
class RecomputingNode final : public Node {
  public:
    RecomputingNode(py::object recompute, int outputs, size_t inputs)
        : Node("checkpoint", outputs), recompute_(recompute), inputs_(inputs) {
        work = 1e6;
    }
    void free() override { recompute_.drop(); }
    void backward(Backward& b) override {
        std::vector<Tensor> roots, grads;
        std::vector<Edge> targets;
        {
            WithInterpreter lock;
            auto made = py::reinterpret_steal<py::object>(PyObject_CallNoArgs(recompute_.get()));
            if (!made) throw py::error_already_set();
            auto [outputs, stubs] = made.cast<std::pair<py::list, py::list>>();
            if (outputs.size() != pending.size())
                runtime_error({"checkpoint: the function returned ", outputs.size(),
                               " tensors that require a gradient when it was computed again, ",
                               pending.size(), " at first"});
            for (size_t i = 0; i < pending.size(); ++i) {
                if (!pending[i].defined()) continue;
                roots.push_back(unwrap(outputs[i].ptr()));
                grads.push_back(pending[i]);
            }
            for (py::handle stub : stubs) targets.push_back(autograd::history_of(unwrap(stub.ptr())));
        }
        for (size_t i = inputs_; i < edges.size(); ++i) targets.push_back(edges[i]);
        std::vector<Tensor> found = autograd::grad_at(roots, grads, targets);
        for (size_t i = 0; i < found.size(); ++i) b.give(static_cast<int>(i), found[i]);
    }

  private:
    SharedObject recompute_;
    size_t inputs_;
};

// Where the graph behind `outputs` meets what was recorded before `start`: parameters and closed-over
// tensors.
std::vector<Edge> rim_of(const std::vector<Tensor>& outputs, const std::vector<Tensor>& stubs,
                         uint64_t start) {
    std::vector<Edge> rim;
    std::vector<Ref<Node>> stack;
    std::vector<const Node*> own;
    for (const Tensor& t : stubs) own.push_back(autograd::history_of(t).node.get());
    std::unordered_set<const Node*> seen;
    auto visit = [&](const Edge& e) {
        if (!e || std::find(own.begin(), own.end(), e.node.get()) != own.end()) return;
        if (e.node->sequence < start) { // leaves have 0
            for (const Edge& r : rim)
                if (r.node == e.node && r.slot == e.slot) return;
            rim.push_back(e);
        } else if (seen.insert(e.node.get()).second) {
            stack.push_back(e.node);
        }
    };
    for (const Tensor& t : outputs) visit(autograd::history_of(t));
    while (!stack.empty()) {
        Ref<Node> node = stack.back();
        stack.pop_back();
        for (const Edge& e : node->edges) visit(e);
    }
    return rim;
}

// `sources`: the tensors that forward was called with, `stubs`: what stood for them when it ran.
std::vector<Tensor> record_checkpoint(const py::object& recompute, const std::vector<Tensor>& sources,
                                      const std::vector<Tensor>& stubs, const std::vector<Tensor>& outputs,
                                      int64_t start) {
    auto node = make_ref<RecomputingNode>(recompute, static_cast<int>(outputs.size()), sources.size());
    autograd::attach(*node, sources);
    for (Edge& e : rim_of(outputs, stubs, static_cast<uint64_t>(start))) node->edges.push_back(std::move(e));
    std::vector<Tensor> results;
    for (size_t i = 0; i < outputs.size(); ++i) {
        results.push_back(outputs[i].alias());
        autograd::set_history(results.back(), *node, static_cast<int>(i));
    }
    return results;
}

int64_t sequence() { return static_cast<int64_t>(autograd::sequence_now()); }

} // namespace

void bind_function(py::module_& m) {
    py::class_<SavedTensor>(m, "_SavedTensor", "A tensor saved for backward, without its history.")
        .def(py::init([](const py::object& t) {
            return SavedTensor{Saved(Convert<Tensor>::load(t.ptr(), {"save_for_backward", "tensor"}))};
        }))
        .def("get", [](const SavedTensor& s) {
            try {
                return py::reinterpret_steal<py::object>(wrap(s.saved.get().alias()));
            } catch (const RuntimeError& e) { throw std::runtime_error(e.what()); }
        });
    op<&record_function>(m, "_record_function", "",
                         {"name"_a, "backward"_a, "inputs"_a, "outputs"_a, "changed"_a, "fill_zeros"_a});
    op<&record_checkpoint>(m, "_record_checkpoint", "",
                           {"recompute"_a, "sources"_a, "stubs"_a, "outputs"_a, "start"_a});
    op<&sequence>(m, "_sequence", "The number that the next recorded op gets.", {});
}

} // namespace dt::bindings
