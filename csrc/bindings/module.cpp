#include <pybind11/pybind11.h>

#include "bindings/families.h"
#include "bindings/op.h"

PYBIND11_MODULE(_core, m) {
    using namespace dt::bindings;
    m.doc() = "The compiled core of drivetrain.";
    m.attr("__version__") = DT_VERSION;
    add_dtypes(m);
    bind_tensor(m);
    bind_exchange(m);
    bind_gemm(m);
    bind_autograd(m);
    bind_conv(m);
    bind_elementwise(m);
    bind_dropout(m);
    bind_embedding(m);
    bind_loss(m);
    bind_norm(m);
    bind_optim(m);
    bind_random(m);
    bind_softmax(m);
    bind_system(m);
    m.attr("_signatures") = signatures();
}
