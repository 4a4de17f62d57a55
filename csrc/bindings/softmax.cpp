#include "ops/softmax.h"

#include "bindings/families.h"
#include "bindings/op.h"

namespace dt::bindings {

void bind_softmax(py::module_& m) {
    op<&ops::softmax>(
        m, "softmax",
        "exp(input) / sum(exp(input)) along `axis`, without overflow. The result has input's shape and\n"
        "dtype, float32 or float64 (TypeError otherwise).\n\n"
        ">>> dt.softmax(dt.tensor([0.0, 0.0])).tolist()\n"
        "[0.5, 0.5]",
        {"input"_a, "axis"_a = -1});
    op<&ops::log_softmax>(
        m, "log_softmax",
        "log(softmax(input)) along `axis`, computed without the detour through tiny probabilities.\n"
        "The result has input's shape and dtype, float32 or float64 (TypeError otherwise).\n\n"
        ">>> dt.log_softmax(dt.tensor([1000.0, 0.0])).tolist()\n"
        "[0.0, -1000.0]",
        {"input"_a, "axis"_a = -1});
    method<&ops::softmax>("softmax", "softmax(self, axis)", {"axis"_a = -1});
    method<&ops::log_softmax>("log_softmax", "log_softmax(self, axis)", {"axis"_a = -1});
}

} // namespace dt::bindings
