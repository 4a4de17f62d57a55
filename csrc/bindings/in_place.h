#pragma once
#include "bindings/op.h"

namespace dt::bindings {

// An op that changes its first argument, as a method that returns the very object it was called on.
template <auto F> struct InPlace;
template <class R, class... A, R (*F)(const Tensor&, A...)> struct InPlace<F> {
    static py::object call(const py::object& self, A... args) {
        F(unwrap(self.ptr()), std::forward<A>(args)...);
        return self;
    }
};

} // namespace dt::bindings
