#include <pybind11/pybind11.h>

#include "bindings/families.h"
#include "bindings/op.h"

namespace {

pybind11::list public_names(const pybind11::module_& m) {
    pybind11::list names;
    for (auto [name, value] : m.attr("__dict__").cast<pybind11::dict>())
        if (name.cast<std::string>()[0] != '_') names.append(name);
    names.attr("sort")();
    return names;
}

} // namespace

PYBIND11_MODULE(_core, m) {
    using namespace dt::bindings;
    m.doc() = "The compiled core of drivetrain.";
    m.attr("__version__") = DT_VERSION;
    add_dtypes(m);
    bind_tensor(m);
    bind_attention(m);
    bind_autograd(m);
    bind_buffer(m);
    bind_color(m);
    bind_conv(m);
    bind_coordinate_descent(m);
    bind_copy(m);
    bind_cut(m);
    bind_dlpack(m);
    bind_dropout(m);
    bind_elementwise(m);
    bind_embedding(m);
    bind_exchange(m);
    bind_function(m);
    bind_gemm(m);
    bind_loss(m);
    bind_norm(m);
    bind_optim(m);
    bind_penalty(m);
    bind_unary(m);
    bind_activation(m);
    bind_compare(m);
    bind_reduce(m);
    bind_pool(m);
    bind_shape(m);
    bind_index(m);
    bind_create(m);
    bind_probe(m);
    bind_profile(m);
    bind_random(m);
    bind_resize(m);
    bind_rnn(m);
    bind_softmax(m);
    bind_system(m);
    bind_warp(m);
    bind_word_vectors(m);
    m.attr("_signatures") = signatures();
    m.attr("__all__") = public_names(m);
}
