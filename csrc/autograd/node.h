#pragma once
#include <functional>
#include <initializer_list>
#include <utility>
#include <vector>

#include "core/tensor.h"

namespace dt::autograd {

class Node;
class Leaf;

// Where a gradient goes: into output `slot` of `node`.
struct Edge {
    Ref<Node> node;
    int slot = 0;
    explicit operator bool() const { return bool(node); }
};

using Hook = std::function<Tensor(const Tensor& grad)>; // an undefined result keeps the gradient
// Shared by a hook and whoever may remove it; neither keeps the other's tensors alive.
struct HookState : Counted {
    std::atomic<bool> removed{false};
};
struct HookEntry {
    int slot;
    Hook hook;
    Ref<HookState> state;
    bool retains = false; // belongs to retain_grad and runs after the user's, which may change the gradient
};

// What a backward function works with: the gradients of its outputs come in, those of its inputs go out.
class Backward {
  public:
    explicit Backward(Node& node) : node_(node) {}
    const Tensor& grad(int output = 0) const; // undefined where nothing flowed into that output
    bool owns_grad() const; // nobody else looks at grad(): a backward function may write to it
    bool needs(int input) const;
    // What has flowed into this input so far, where a backward function may add its part in place instead of
    // giving it: contiguous, and nobody else looks at it. Else undefined.
    Tensor waiting(int input) const;
    void give(int input, Tensor grad); // an undefined tensor counts as zero

  private:
    Node& node_;
};

// One recorded op: the edges to its inputs, and a backward function with what it saved.
class Node : public Counted {
  public:
    Node(const char* name, int outputs);
    ~Node() override;

    virtual void backward(Backward& b) = 0;
    virtual void free() = 0; // drops what was saved
    virtual bool is_leaf() const { return false; }
    virtual std::string label() const { return name; }

    const char* name;
    uint64_t sequence; // order of recording; leaves have 0
    double work = 0;   // estimated nanoseconds of the backward function
    bool freed = false;
    std::vector<Edge> edges;     // one per input, empty where it needs no gradient
    std::vector<Tensor> pending; // gradients of the outputs, summed during a walk
    std::vector<HookEntry> hooks;
    uint64_t queued_in = 0; // number of the walk that has this node in its queue

  protected:
    void destroy() override; // iterative: a long chain of nodes must not overflow the stack
};

// The end of the tape: a tensor that requires a gradient, or keeps one (retain_grad).
class Leaf final : public Node {
  public:
    Leaf() : Node("leaf", 1) { sequence = 0; }
    void backward(Backward& b) override;      // adds to `grad`
    void add(const Tensor& g, bool may_take); // may_take: g's memory may become the gradient's
    void free() override {}
    bool is_leaf() const override { return true; }

    Tensor grad;
};

struct Meta final : Counted {
    bool requires_grad = false; // set on leaves by the user
    Ref<Leaf> leaf;             // holds .grad
    Edge history;               // set on results of recorded ops
    uint32_t generation = 0;    // grows when the history is replaced by an in-place write
};

// A tensor saved for backward: shares the memory, keeps no history, notices changes in place.
class Saved {
  public:
    Saved() = default;
    explicit Saved(const Tensor& t);
    const Tensor& get() const; // RuntimeError where the tensor was modified in place since
    explicit operator bool() const { return tensor_.defined(); }

  private:
    Tensor tensor_;
    uint32_t version_ = 0;
};

// The same for tensors that the backward function reads through a struct of its own; undefined ones do not
// count.
class Unchanged {
  public:
    Unchanged(std::initializer_list<Tensor> tensors);
    Unchanged(const std::vector<Tensor>& tensors);
    void check() const; // RuntimeError as above

  private:
    std::vector<Saved> saved_;
};

Meta& meta_of(const Tensor& t);   // made on demand
Edge history_of(const Tensor& t); // empty where t requires no gradient; renews the history of a changed view
bool requires_grad(const Tensor& t);
bool is_leaf(const Tensor& t); // true for everything that no recorded op made
void set_requires_grad(const Tensor& t, bool on);
Tensor grad_of(const Tensor& t);
void set_grad(const Tensor& t, Tensor grad); // undefined: none
void retain_grad(const Tensor& t);
Ref<HookState> register_hook(const Tensor& t, Hook hook); // RuntimeError where t requires no gradient
// The sequence number of the next node: everything recorded before has a smaller one.
uint64_t sequence_now();
// The name of the op whose backward function runs on this thread, for messages.
const char* current_op();

} // namespace dt::autograd
