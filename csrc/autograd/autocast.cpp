#include "autograd/autocast.h"

#include <unordered_map>

#include "autograd/node.h"
#include "autograd/plain.h"

namespace dt::autograd {
namespace {

// A weight's cast. The entry keeps the weight itself, so that no other tensor can take its address; entries
// that nobody else refers to are dropped whenever one is added.
struct Cast {
    Ref<TensorImpl> weight;
    uint32_t version;
    Tensor low;
};

struct Autocast {
    std::optional<DType> dtype;
    int64_t regions = 0;
    std::unordered_map<const TensorImpl*, Cast> casts;
};

thread_local Autocast state;

void drop_unused() {
    std::erase_if(state.casts, [](const auto& entry) { return entry.second.weight->use_count() == 1; });
}

} // namespace

std::optional<DType> autocast_dtype() { return state.dtype; }

std::optional<DType> enter_autocast(std::optional<DType> dtype) {
    ++state.regions;
    return std::exchange(state.dtype, dtype);
}

void leave_autocast(std::optional<DType> before) {
    state.dtype = before;
    if (--state.regions <= 0) {
        state.regions = 0;
        state.dtype.reset(); // regions of generators may have ended in another order than they nest
        state.casts.clear();
    }
}

AutocastOff::AutocastOff() : before_(std::exchange(state.dtype, std::nullopt)) {}
AutocastOff::~AutocastOff() { state.dtype = before_; }

bool autocasts(std::initializer_list<const Tensor*> operands) {
    if (!state.dtype) return false;
    for (const Tensor* t : operands)
        if (!is_floating(t->dtype()) || t->dtype() == DType::float64) return false;
    return true;
}

Tensor autocast(const Tensor& t) { return plain::convert(t, *state.dtype); }

Tensor autocast_weight(const Tensor& t) {
    if (t.dtype() == *state.dtype) return t;
    if (t.impl()->base || !is_leaf(t)) return autocast(t); // of this call only
    const auto found = state.casts.find(t.impl());
    if (found != state.casts.end()) {
        Cast& cast = found->second;
        if (cast.version != t.version() || cast.low.dtype() != *state.dtype)
            cast = {t.ref(), t.version(), autocast(t)};
        return cast.low;
    }
    drop_unused();
    return state.casts.emplace(t.impl(), Cast{t.ref(), t.version(), autocast(t)}).first->second.low;
}

int64_t cached_casts() { return static_cast<int64_t>(state.casts.size()); }

} // namespace dt::autograd
