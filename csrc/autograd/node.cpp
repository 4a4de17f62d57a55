#include "autograd/node.h"

#include <algorithm>

#include "autograd/grad_mode.h"
#include "autograd/plain.h"
#include "autograd/record.h"

namespace dt::autograd {
namespace {

thread_local bool enabled = true;
std::atomic<uint64_t> next_sequence{1};

Meta* find_meta(const Tensor& t) { return static_cast<Meta*>(t.impl()->autograd.get()); }
Meta* find_meta(const TensorImpl& impl) { return static_cast<Meta*>(impl.autograd.get()); }

uint32_t generation(const TensorImpl& impl) {
    Meta* meta = find_meta(impl);
    return meta ? meta->generation : 0;
}

// Where the elements of one tensor lie among those of another that shares its storage.
struct Geometry {
    Dims shape, strides;
    int64_t offset;
    explicit Geometry(const Tensor& t) : shape(t.shape()), strides(t.strides()), offset(t.offset()) {}
};

// Memory with the layout of `base`, zero but for `grad` in the place of base. `low` is base's lowest offset.
struct Canvas {
    Tensor buffer;
    int64_t low;
    Canvas(const Geometry& base, DType dtype) {
        int64_t high = low = base.offset;
        for (int i = 0; i < base.shape.rank(); ++i) {
            int64_t reach = (base.shape[i] - 1) * base.strides[i];
            (reach < 0 ? low : high) += reach;
        }
        buffer = plain::zeros({high - low + 1}, dtype);
    }
    Tensor at(const Geometry& g) const { return buffer.alias(g.shape, g.strides, g.offset - low); }
};

// The gradient of a view, put in its place within the base.
Tensor grad_of_base(const Geometry& base, const Geometry& view, const Tensor& grad) {
    if (grad.size() == 0) return plain::zeros(base.shape, grad.dtype());
    Canvas canvas(base, grad.dtype());
    plain::copy(canvas.at(view), grad);
    return canvas.at(base);
}

void renew_view_history(const Tensor& t) {
    Tensor base{t.impl()->base};
    t.impl()->base_generation = generation(*base.impl());
    GradMode on(true);
    auto f = [b = Geometry(base), v = Geometry(t)](Backward& out) {
        out.give(0, grad_of_base(b, v, out.grad()));
    };
    if (recording({&base})) record("view", t, {&base}, std::move(f));
}

} // namespace

bool grad_enabled() { return enabled; }
void set_grad_enabled(bool on) { enabled = on; }

Node::Node(const char* n, int outputs) : name(n), sequence(next_sequence.fetch_add(1)), pending(outputs) {}
Node::~Node() = default;

void Node::destroy() {
    thread_local std::vector<Node*>* waiting = nullptr;
    if (waiting) {
        waiting->push_back(this);
        return;
    }
    std::vector<Node*> list{this};
    waiting = &list;
    while (!list.empty()) {
        Node* node = list.back();
        list.pop_back();
        delete node;
    }
    waiting = nullptr;
}

const Tensor& Backward::grad(int output) const { return node_.pending[output]; }

void Leaf::backward(Backward& b) {
    if (b.grad().defined()) add(b.grad(), true);
}

void Leaf::add(const Tensor& g, bool may_take) {
    if (!grad.defined()) {
        // Taken over where nobody else holds the memory: the walk is the one owner.
        const bool sole = may_take && g.impl()->use_count() == 1 && g.storage().use_count() == 1 &&
                          g.storage().owns_memory() && g.is_contiguous() && g.bytes() == g.storage().bytes();
        grad = sole ? g : plain::clone(g);
    } else if (grad.storage().writable() && !overlaps_itself(grad)) {
        plain::add_to(grad, g);
        grad.storage().bump_version();
    } else { // a gradient that the user has set
        grad = plain::add(grad, g);
    }
}

Saved::Saved(const Tensor& t) {
    if (!t.defined()) return;
    tensor_ = t.alias();
    version_ = t.version();
}

const Tensor& Saved::get() const {
    if (tensor_.defined() && tensor_.version() != version_)
        runtime_error({"a tensor of shape ", tensor_.shape(),
                       " was modified in place after it was saved for the backward of ", current_op()});
    return tensor_;
}

Unchanged::Unchanged(std::initializer_list<Tensor> tensors) : Unchanged(std::vector<Tensor>(tensors)) {}
Unchanged::Unchanged(const std::vector<Tensor>& tensors) {
    for (const Tensor& t : tensors)
        if (t.defined()) saved_.emplace_back(t);
}
void Unchanged::check() const {
    for (const Saved& s : saved_) s.get();
}

Meta& meta_of(const Tensor& t) {
    if (!t.impl()->autograd) t.impl()->autograd = make_ref<Meta>();
    return *find_meta(t);
}

namespace {
// Up to date, or null.
Meta* current_meta(const Tensor& t) {
    if (!is_floating(t.dtype())) return nullptr;
    if (const TensorImpl* base = t.impl()->base.get(); base && generation(*base) != t.impl()->base_generation)
        renew_view_history(t);
    return find_meta(t);
}
} // namespace

Edge history_of(const Tensor& t) {
    Meta* meta = current_meta(t);
    if (!meta) return {};
    if (meta->history) return meta->history;
    if (meta->requires_grad) return {meta->leaf, 0};
    return {};
}

bool requires_grad(const Tensor& t) {
    Meta* meta = current_meta(t);
    return meta && (meta->history || meta->requires_grad);
}

bool is_leaf(const Tensor& t) {
    Meta* meta = (history_of(t), find_meta(t));
    return !meta || !meta->history;
}

void set_requires_grad(const Tensor& t, bool on) {
    if (on && !is_floating(t.dtype()))
        type_error({"requires_grad: only floating-point tensors can require a gradient, got ", t.dtype()});
    if (!is_leaf(t)) {
        if (!on)
            runtime_error(
                {"requires_grad: only leaves can change it; use detach() for a tensor without history"});
        return;
    }
    if (!on && !find_meta(t)) return;
    Meta& meta = meta_of(t);
    if (on && !meta.leaf) meta.leaf = make_ref<Leaf>();
    meta.requires_grad = on;
}

Tensor grad_of(const Tensor& t) {
    Meta* meta = find_meta(t);
    return meta && meta->leaf ? meta->leaf->grad : Tensor();
}

void set_grad(const Tensor& t, Tensor g) {
    if (g.defined()) {
        if (!(g.shape() == t.shape()))
            value_error({"grad: shape ", g.shape(), " does not match the tensor's shape ", t.shape()});
        if (g.dtype() != t.dtype())
            type_error({"grad: dtype ", g.dtype(), " does not match the tensor's dtype ", t.dtype()});
    } else if (!find_meta(t)) {
        return;
    }
    Meta& meta = meta_of(t);
    if (!meta.leaf) meta.leaf = make_ref<Leaf>();
    meta.leaf->grad = g.defined() ? g.alias() : g; // the memory, not the history
}

uint64_t sequence_now() { return next_sequence.load(); }

Ref<HookState> register_hook(const Tensor& t, Hook hook) {
    Edge edge = history_of(t);
    if (!edge) runtime_error({"register_hook: this tensor does not require a gradient"});
    auto& hooks = edge.node->hooks;
    std::erase_if(hooks, [](const HookEntry& e) { return e.state->removed.load(); });
    auto at = std::find_if(hooks.begin(), hooks.end(), [](const HookEntry& e) { return e.retains; });
    auto state = make_ref<HookState>();
    hooks.insert(at, {edge.slot, std::move(hook), state});
    return state;
}

void retain_grad(const Tensor& t) {
    if (!requires_grad(t)) runtime_error({"retain_grad: this tensor does not require a gradient"});
    if (is_leaf(t)) return;
    Meta& meta = meta_of(t);
    if (meta.leaf) return;
    meta.leaf = make_ref<Leaf>();
    // The hook belongs to the node and must not keep it alive through the leaf: a leaf has no edges.
    Edge edge = history_of(t);
    auto keep = [leaf = meta.leaf](const Tensor& g) {
        leaf->add(g, false);
        return Tensor();
    };
    edge.node->hooks.push_back({edge.slot, keep, make_ref<HookState>(), true});
}

bool recording(std::initializer_list<const Tensor*> inputs) {
    if (!enabled) return false;
    for (const Tensor* t : inputs)
        if (t->defined() && requires_grad(*t)) return true;
    return false;
}

bool recording(const std::vector<Tensor>& inputs) {
    if (!enabled) return false;
    for (const Tensor& t : inputs)
        if (t.defined() && requires_grad(t)) return true;
    return false;
}

void attach(Node& node, std::initializer_list<const Tensor*> inputs) {
    node.edges.reserve(inputs.size());
    for (const Tensor* t : inputs) node.edges.push_back(t->defined() ? history_of(*t) : Edge{});
}

void attach(Node& node, const std::vector<Tensor>& inputs) {
    node.edges.reserve(inputs.size());
    for (const Tensor& t : inputs) node.edges.push_back(t.defined() ? history_of(t) : Edge{});
}

void set_history(const Tensor& output, Node& node, int slot) {
    if (is_floating(output.dtype())) meta_of(output).history = {Ref<Node>(&node), slot};
}

void link_view(const Tensor& view, const Tensor& source) {
    if (!is_floating(source.dtype())) return;
    view.impl()->base = source.impl()->base ? source.impl()->base : source.ref();
    view.impl()->base_generation = generation(*view.impl()->base);
}

void check_in_place(const char* op, const Tensor& target) {
    if (!target.storage().writable())
        value_error({op, ": the tensor shares read-only memory; write to a clone()"});
    if (overlaps_itself(target))
        value_error({op, ": elements of the tensor share memory (it was expanded); write to a clone()"});
    if (!enabled) return;
    const TensorImpl* base = target.impl()->base.get();
    Tensor owner = base ? Tensor(target.impl()->base) : target;
    const bool owner_refuses = is_leaf(owner) && requires_grad(owner);
    if (owner_refuses || (is_leaf(target) && requires_grad(target)))
        runtime_error({op, ": ", base && owner_refuses ? "a view of " : "",
                       "a leaf that requires a gradient cannot be changed in place; ",
                       "do it under no_grad() or on a clone()"});
}

void record_in_place(const char* op, const Tensor& target, const Tensor& source) {
    target.storage().bump_version();
    if (!enabled || !is_floating(target.dtype())) return;
    const bool from_source = source.defined() && requires_grad(source);
    Tensor owner = target.impl()->base ? Tensor(target.impl()->base) : target;
    if (!from_source && !requires_grad(owner)) return;
    if (!target.impl()->base) {
        record(op, target, {&source}, [](Backward& b) { b.give(0, b.grad()); });
        ++meta_of(target).generation;
        return;
    }
    // The base's gradient passes through except where the view was written; that part goes to the source.
    auto f = [base = Geometry(owner), view = Geometry(target)](Backward& b) {
        Canvas canvas(base, b.grad().dtype());
        plain::copy(canvas.at(base), b.grad());
        Tensor part = canvas.at(view);
        if (b.needs(1)) b.give(1, plain::clone(part));
        if (b.needs(0)) {
            plain::copy(part, plain::zeros(part.shape(), part.dtype()));
            b.give(0, canvas.at(base));
        }
    };
    record(op, owner, {&owner, &source}, std::move(f));
    ++meta_of(owner).generation;
}

} // namespace dt::autograd
