#pragma once
#include <initializer_list>
#include <optional>

#include "autograd/grad_mode.h"
#include "autograd/node.h"

namespace dt::autograd {

// True where an op must record: the tape is on and one of the inputs requires a gradient.
bool recording(std::initializer_list<const Tensor*> inputs);
bool recording(const std::vector<Tensor>& inputs);

template <class F> class FunctionNode final : public Node {
  public:
    FunctionNode(const char* name, int outputs, F function)
        : Node(name, outputs), function_(std::move(function)) {}
    void backward(Backward& b) override { (*function_)(b); }
    void free() override { function_.reset(); }

  private:
    std::optional<F> function_;
};

// Connect a node with its inputs (undefined tensors count as inputs without gradient) and with one of its
// outputs.
void attach(Node& node, std::initializer_list<const Tensor*> inputs);
void attach(Node& node, const std::vector<Tensor>& inputs);
void set_history(const Tensor& output, Node& node, int slot);

// Records an op. Call it only where `recording(inputs)`, so that nothing is saved in vain:
//     if (recording({&x})) record("relu", y, {&x}, [y = Saved(y)](Backward& b) { b.give(0,
//     relu_grad(b.grad(), y.get())); });
// `work` is the estimated time of the backward function in nanoseconds.
template <class F>
Node& record(const char* name, const Tensor& output, std::initializer_list<const Tensor*> inputs, F f,
             double work = 0) {
    auto node = make_ref<FunctionNode<F>>(name, 1, std::move(f));
    node->work = work ? work : 0.5 * static_cast<double>(output.size());
    attach(*node, inputs);
    set_history(output, *node, 0);
    return *node;
}
template <class F>
Node& record(const char* name, const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs, F f,
             double work = 0) {
    auto node = make_ref<FunctionNode<F>>(name, static_cast<int>(outputs.size()), std::move(f));
    node->work = work;
    attach(*node, inputs);
    for (size_t i = 0; i < outputs.size(); ++i) set_history(outputs[i], *node, static_cast<int>(i));
    return *node;
}

// A differentiable view of `source`: shares its memory and follows writes to it in both directions.
void link_view(const Tensor& view, const Tensor& source);
template <class F>
Tensor view(const char* name, const Tensor& source, const Dims& shape, const Dims& strides, int64_t offset,
            F f) {
    Tensor out = source.alias(shape, strides, offset);
    if (recording({&source})) record(name, out, {&source}, std::move(f), 100);
    link_view(out, source);
    return out;
}

// Before an op writes to `target` in place: refuses read-only memory, overlapping views, leaves that require
// a gradient.
void check_in_place(const char* op, const Tensor& target);
// After `target` was overwritten with the value of `source` (same shape and dtype; undefined: a constant).
void record_in_place(const char* op, const Tensor& target, const Tensor& source);

} // namespace dt::autograd
