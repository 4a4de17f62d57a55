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
    bind_elementwise(m);
    bind_random(m);
    bind_system(m);
    m.attr("_signatures") = signatures();
}
