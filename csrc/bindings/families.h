#pragma once
namespace pybind11 {
class module_;
}

// One function per file of this folder. They run once: small rather than quick.
namespace dt::bindings {

[[gnu::cold]] void add_dtypes(pybind11::module_& m);
[[gnu::cold]] void bind_activation(pybind11::module_& m);
[[gnu::cold]] void bind_attention(pybind11::module_& m);
[[gnu::cold]] void bind_autograd(pybind11::module_& m);
[[gnu::cold]] void bind_buffer(pybind11::module_& m);
[[gnu::cold]] void bind_color(pybind11::module_& m);
[[gnu::cold]] void bind_compare(pybind11::module_& m);
[[gnu::cold]] void bind_conv(pybind11::module_& m);
[[gnu::cold]] void bind_coordinate_descent(pybind11::module_& m);
[[gnu::cold]] void bind_copy(pybind11::module_& m);
[[gnu::cold]] void bind_create(pybind11::module_& m);
[[gnu::cold]] void bind_cut(pybind11::module_& m);
[[gnu::cold]] void bind_dlpack(pybind11::module_& m);
[[gnu::cold]] void bind_dropout(pybind11::module_& m);
[[gnu::cold]] void bind_elementwise(pybind11::module_& m);
[[gnu::cold]] void bind_embedding(pybind11::module_& m);
[[gnu::cold]] void bind_exchange(pybind11::module_& m);
[[gnu::cold]] void bind_function(pybind11::module_& m);
[[gnu::cold]] void bind_gemm(pybind11::module_& m);
[[gnu::cold]] void bind_index(pybind11::module_& m);
[[gnu::cold]] void bind_loss(pybind11::module_& m);
[[gnu::cold]] void bind_norm(pybind11::module_& m);
[[gnu::cold]] void bind_optim(pybind11::module_& m);
[[gnu::cold]] void bind_penalty(pybind11::module_& m);
[[gnu::cold]] void bind_pool(pybind11::module_& m);
[[gnu::cold]] void bind_probe(pybind11::module_& m);
[[gnu::cold]] void bind_profile(pybind11::module_& m);
[[gnu::cold]] void bind_random(pybind11::module_& m);
[[gnu::cold]] void bind_reduce(pybind11::module_& m);
[[gnu::cold]] void bind_resize(pybind11::module_& m);
[[gnu::cold]] void bind_rnn(pybind11::module_& m);
[[gnu::cold]] void bind_shape(pybind11::module_& m);
[[gnu::cold]] void bind_softmax(pybind11::module_& m);
[[gnu::cold]] void bind_system(pybind11::module_& m);
[[gnu::cold]] void bind_tensor(pybind11::module_& m);
[[gnu::cold]] void bind_unary(pybind11::module_& m);
[[gnu::cold]] void bind_warp(pybind11::module_& m);
[[gnu::cold]] void bind_word_vectors(pybind11::module_& m);

} // namespace dt::bindings
