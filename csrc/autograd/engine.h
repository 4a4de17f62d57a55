#pragma once
#include <vector>

#include "autograd/node.h"

namespace dt::autograd {

// Walks the tape from `roots` in the reverse order of recording and adds the gradients to the leaves' .grad,
// or only to those of `inputs` where given. An undefined gradient stands for one, and is allowed only for a
// root of one element.
void backward(const std::vector<Tensor>& roots, const std::vector<Tensor>& grads, bool retain_graph,
              const std::vector<Tensor>* inputs = nullptr);

// The gradients of `inputs`, which are returned and not added anywhere; undefined where a root does not
// depend on it.
std::vector<Tensor> grad(const std::vector<Tensor>& roots, const std::vector<Tensor>& grads,
                         bool retain_graph, const std::vector<Tensor>& inputs);

// The same for places on the tape, where the walk stops, without running the hooks that are there: what a
// recomputed part of the graph hands on to the rest of it. Frees the graph.
std::vector<Tensor> grad_at(const std::vector<Tensor>& roots, const std::vector<Tensor>& grads,
                            const std::vector<Edge>& targets);

} // namespace dt::autograd
