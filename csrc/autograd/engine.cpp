#include "autograd/engine.h"

#include <pthread.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <unordered_set>

#include "autograd/autocast.h"
#include "autograd/grad_mode.h"
#include "autograd/plain.h"
#include "core/long_work.h"
#include "core/profile.h"

namespace dt::autograd {
namespace {

// One walk at a time: leaves are shared between graphs. Recursive, because a backward function may walk a
// graph of its own.
std::recursive_mutex walking;
std::atomic<uint64_t> walks{0};
thread_local const Node* running = nullptr;
thread_local class Walk* current_walk = nullptr;

const std::string kBackward = "backward";

bool sole_owner(const Tensor& t) {
    return t.impl()->use_count() == 1 && t.storage().use_count() == 1 && !overlaps_itself(t) &&
           t.storage().owns_memory();
}

void accumulate(Tensor& sum, Tensor grad) {
    if (!sum.defined()) {
        sum = std::move(grad);
    } else if (sole_owner(sum)) {
        plain::add_to(sum, grad);
    } else if (sole_owner(grad)) {
        plain::add_to(grad, sum);
        sum = std::move(grad);
    } else {
        sum = plain::add(sum, grad);
    }
}

class Walk {
  public:
    Walk(bool retain_graph)
        : id_(++walks), retain_graph_(retain_graph), outer_(std::exchange(current_walk, this)) {
        queue_.reserve(16);
        leaves_.reserve(16);
    }
    ~Walk() {
        for (const auto* list : {&queue_, &leaves_})
            for (const Ref<Node>& node : *list) {
                std::fill(node->pending.begin(), node->pending.end(), Tensor());
                node->queued_in = 0;
            }
        for (Stashed& s : stashed_) {
            s.node->pending = std::move(s.pending);
            s.node->queued_in = s.queued_in;
        }
        current_walk = outer_;
    }

    // Restricts the walk to what leads to `targets`; with `stop`, it ends there even where a target leads on
    // to another, and runs no hooks of theirs.
    void aim_at(const std::vector<Edge>& targets, const std::vector<Edge>& roots, bool stop);
    bool wanted(const Edge& e) const {
        return e && (!aimed_ || leads_.count(e.node.get()) || targets_.count(e.node.get()));
    }
    void give(const Edge& edge, Tensor grad) {
        Node& node = *edge.node;
        if (node.queued_in == id_) {
            accumulate(node.pending[edge.slot], std::move(grad));
            return;
        }
        // A walk within a walk (checkpoint, or a hook that calls backward): what the outer one has summed up
        // here is put aside until the inner one has ended.
        if (outer_ && std::any_of(node.pending.begin(), node.pending.end(),
                                  [](const Tensor& t) { return t.defined(); })) {
            stashed_.push_back({edge.node, node.pending, node.queued_in});
            std::fill(node.pending.begin(), node.pending.end(), Tensor());
        }
        node.pending[edge.slot] = std::move(grad);
        node.queued_in = id_;
        if (node.is_leaf()) {
            leaves_.push_back(edge.node);
            return;
        }
        queue_.push_back(edge.node);
        std::push_heap(queue_.begin(), queue_.end(), later_last);
    }
    Tensor waiting(const Edge& edge) const {
        if (!wanted(edge) || edge.node->queued_in != id_) return {};
        const Tensor& sum = edge.node->pending[edge.slot];
        return sum.defined() && sole_owner(sum) && sum.is_contiguous() ? sum : Tensor();
    }
    // `capture` sees each target before it is spent; leaves collect gradients only where `into_leaves`.
    template <class Capture> void run(bool into_leaves, Capture capture) {
        std::unique_ptr<LongWork> unlocked; // from where the walk turns out to be long
        double work = 0;
        while (Ref<Node> node = next()) {
            node->queued_in = 0;
            work += node->work;
            if (!unlocked && work > kLongWork) unlocked = std::make_unique<LongWork>(work);
            struct Spent { // whatever happens, no gradient stays behind
                Node& node;
                ~Spent() {
                    for (Tensor& t : node.pending) t = Tensor();
                }
            } spent{*node};
            const bool target = targets_.count(node.get()) > 0;
            if (target && stop_) {
                capture(*node);
                continue;
            }
            run_hooks(*node);
            if (target) capture(*node);
            if (node->is_leaf() ? into_leaves : !aimed_ || leads_.count(node.get())) run_backward(*node);
        }
    }

  private:
    // Leaves come when nothing else is left: a walk that fails has changed no gradient.
    Ref<Node> next() {
        std::vector<Ref<Node>>& from = queue_.empty() ? leaves_ : queue_;
        if (from.empty()) return {};
        if (&from == &queue_) std::pop_heap(queue_.begin(), queue_.end(), later_last);
        Ref<Node> node = std::move(from.back());
        from.pop_back();
        return node;
    }
    static bool later_last(const Ref<Node>& a, const Ref<Node>& b) { return a->sequence < b->sequence; }

    void run_hooks(Node& node) {
        for (size_t i = 0; i < node.hooks.size(); ++i) {
            HookEntry entry = node.hooks[i]; // a copy: a hook may remove itself
            Tensor& grad = node.pending[entry.slot];
            if (!grad.defined() || entry.state->removed.load()) continue;
            Tensor changed = entry.hook(grad);
            if (changed.defined()) grad = std::move(changed);
        }
    }
    void run_backward(Node& node) {
        if (node.freed)
            runtime_error(
                {"backward: the graph behind '", node.label(),
                 "' was freed by an earlier backward; pass retain_graph=True to the first to walk it twice"});
        const Node* before = std::exchange(running, &node);
        struct Restore {
            const Node* before;
            ~Restore() { running = before; }
        } restore{before};
        Backward b(node);
        const bool profiled = profile::on.load(std::memory_order_relaxed);
        const profile::Span span(profiled ? node.label() : std::string(), profile::Kind::backward_of,
                                 node.sequence);
        node.backward(b);
        if (!retain_graph_ && !node.is_leaf()) {
            node.free();
            node.freed = true;
        }
    }

    uint64_t id_;
    bool retain_graph_, aimed_ = false, stop_ = false;
    Walk* outer_;
    struct Stashed {
        Ref<Node> node;
        std::vector<Tensor> pending;
        uint64_t queued_in;
    };
    std::vector<Stashed> stashed_;
    std::vector<Ref<Node>> queue_; // a heap, latest recorded on top
    std::vector<Ref<Node>> leaves_;
    std::unordered_set<const Node*> leads_, targets_;
};

// Depth first without recursion; a node leads to a target if one of its inputs is one or leads to one.
void Walk::aim_at(const std::vector<Edge>& targets, const std::vector<Edge>& roots, bool stop) {
    aimed_ = true;
    stop_ = stop;
    for (const Edge& e : targets)
        if (e) targets_.insert(e.node.get());
    std::unordered_set<const Node*> seen;
    std::vector<std::pair<Node*, size_t>> stack;
    for (const Edge& root : roots) {
        if (root && seen.insert(root.node.get()).second) stack.push_back({root.node.get(), 0});
        while (!stack.empty()) {
            auto& [node, next] = stack.back();
            if (next < node->edges.size() && !(stop && targets_.count(node))) {
                Node* input = node->edges[next].node.get();
                ++next;
                if (input && seen.insert(input).second) stack.push_back({input, 0});
                continue;
            }
            if (!(stop && targets_.count(node)))
                for (const Edge& e : node->edges)
                    if (e && (targets_.count(e.node.get()) || leads_.count(e.node.get())))
                        leads_.insert(node);
            stack.pop_back();
        }
    }
}

Tensor root_grad(const Tensor& root, const Tensor& grad) {
    if (!grad.defined()) {
        if (root.size() != 1)
            value_error({"backward: a gradient must be given for a tensor of shape ", root.shape(),
                         "; without one only a tensor of one element has a gradient"});
        return plain::full(root.shape(), root.dtype(), 1);
    }
    if (!(grad.shape() == root.shape()))
        value_error(
            {"backward: the gradient has shape ", grad.shape(), ", but the tensor has shape ", root.shape()});
    if (grad.dtype() != root.dtype())
        type_error(
            {"backward: the gradient has dtype ", grad.dtype(), ", but the tensor has dtype ", root.dtype()});
    return grad.alias();
}

std::unique_lock<std::recursive_mutex> lock_walks() {
    // A forked child has none of the threads that may be walking.
    static const int renewed_in_children =
        pthread_atfork(nullptr, nullptr, [] { new (&walking) std::recursive_mutex; });
    (void)renewed_in_children;
    std::unique_lock lock(walking, std::try_to_lock);
    if (!lock.owns_lock()) {
        LongWork let_others_run(kLongAnyway); // the walk that holds the lock may need the interpreter
        lock.lock();
    }
    return lock;
}

void start(Walk& walk, const std::vector<Tensor>& roots, const std::vector<Tensor>& grads,
           const std::vector<Edge>* targets, bool stop = false) {
    std::vector<Edge> edges;
    for (const Tensor& root : roots) {
        edges.push_back(history_of(root));
        if (!edges.back())
            runtime_error({"backward: the tensor of shape ", root.shape(),
                           " does not require a gradient: no input of the ",
                           "computation that made it does, or it ran under no_grad()"});
    }
    if (targets) walk.aim_at(*targets, edges, stop);
    for (size_t i = 0; i < roots.size(); ++i) {
        Tensor grad = root_grad(roots[i], i < grads.size() ? grads[i] : Tensor());
        if (walk.wanted(edges[i])) walk.give(edges[i], std::move(grad));
    }
}

std::vector<Tensor> collect(Walk& walk, const std::vector<Edge>& targets) {
    std::vector<Tensor> found(targets.size());
    walk.run(false, [&](Node& node) {
        for (size_t i = 0; i < targets.size(); ++i)
            if (targets[i].node.get() == &node) found[i] = node.pending[targets[i].slot];
    });
    return found;
}

} // namespace

const char* current_op() { return running ? running->name : "an op"; }

void Backward::give(int input, Tensor grad) {
    const Edge& edge = node_.edges[input];
    if (grad.defined() && current_walk->wanted(edge)) current_walk->give(edge, std::move(grad));
}

bool Backward::owns_grad() const { return sole_owner(grad()); }
Tensor Backward::waiting(int input) const { return current_walk->waiting(node_.edges[input]); }
bool Backward::needs(int input) const { return current_walk->wanted(node_.edges[input]); }

void backward(const std::vector<Tensor>& roots, const std::vector<Tensor>& grads, bool retain_graph,
              const std::vector<Tensor>* inputs) {
    const profile::Span span(kBackward, profile::Kind::backward);
    auto lock = lock_walks();
    GradMode off(false);
    AutocastOff as_recorded;
    Walk walk(retain_graph);
    std::vector<Edge> targets;
    if (inputs)
        for (const Tensor& t : *inputs) {
            targets.push_back(history_of(t));
            if (!is_leaf(t) || !targets.back())
                runtime_error({"backward: inputs must be leaves that require a gradient"});
        }
    start(walk, roots, grads, inputs ? &targets : nullptr);
    walk.run(true, [](Node&) {});
}

std::vector<Tensor> grad(const std::vector<Tensor>& roots, const std::vector<Tensor>& grads,
                         bool retain_graph, const std::vector<Tensor>& inputs) {
    auto lock = lock_walks();
    GradMode off(false);
    AutocastOff as_recorded;
    Walk walk(retain_graph);
    std::vector<Edge> targets;
    for (const Tensor& t : inputs) {
        targets.push_back(history_of(t));
        if (!targets.back())
            runtime_error({"grad: an input of shape ", t.shape(), " does not require a gradient"});
    }
    start(walk, roots, grads, &targets);
    return collect(walk, targets);
}

std::vector<Tensor> grad_at(const std::vector<Tensor>& roots, const std::vector<Tensor>& grads,
                            const std::vector<Edge>& targets) {
    auto lock = lock_walks();
    GradMode off(false);
    AutocastOff as_recorded;
    Walk walk(false);
    start(walk, roots, grads, &targets, true);
    return collect(walk, targets);
}

} // namespace dt::autograd
