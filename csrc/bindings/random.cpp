#include <pybind11/pybind11.h>

#include "ops/random.h"

#include "bindings/families.h"
#include "bindings/op.h"

namespace dt::bindings {
namespace {

struct PyGenerator {
    Ref<Generator> generator;
};

void bind_draws(py::module_& m) {
    const auto none = py::none();
    op<&ops::rand>(
        m, "rand",
        "Uniform numbers in [0, 1). shape: ints, or one sequence of ints; dtype: a floating-point one.\n\n"
        ">>> dt.rand((2, 3)).shape\n"
        "(2, 3)",
        {many("shape"_a), keyword("dtype"_a = "float32"), keyword("generator"_a = none)});
    op<&ops::randn>(m, "randn", "Normal numbers with mean 0 and standard deviation 1; arguments as for rand.",
                    {many("shape"_a), keyword("dtype"_a = "float32"), keyword("generator"_a = none)});
    op<&ops::uniform>(
        m, "uniform", "Uniform numbers in [low, high), ValueError unless low <= high.",
        {"shape"_a, "low"_a = 0.0, "high"_a = 1.0, "dtype"_a = "float32", keyword("generator"_a = none)});
    op<&ops::normal>(
        m, "normal", "Normal numbers of the given mean and standard deviation (0 or more).",
        {"shape"_a, "mean"_a = 0.0, "std"_a = 1.0, "dtype"_a = "float32", keyword("generator"_a = none)});
    op<&ops::randint>(
        m, "randint",
        "Integers in [low, high), each equally likely. dtype: an integer one that holds them all.\n\n"
        ">>> dt.randint(5, 6, 3).tolist()\n"
        "[5, 5, 5]",
        {"low"_a, "high"_a, "shape"_a, "dtype"_a = "int64", keyword("generator"_a = none)});
    op<&ops::randperm>(m, "randperm", "The numbers 0 ... n - 1 in random order, int64.",
                       {"n"_a, keyword("generator"_a = none)});
    op<&ops::bernoulli>(
        m, "bernoulli",
        "1 with the probability that input gives for each element, else 0; of input's shape and dtype,\n"
        "float32 or float64.\n\n"
        ">>> dt.bernoulli(dt.tensor([0.0, 1.0])).tolist()\n"
        "[0.0, 1.0]",
        {"input"_a, keyword("generator"_a = none)});
    method<&ops::fill_uniform>("uniform_", "Fills the tensor with uniform numbers in [low, high), in place.",
                               {"low"_a = 0.0, "high"_a = 1.0, keyword("generator"_a = none)});
    method<&ops::fill_normal>("normal_", "Fills the tensor with normal numbers, in place.",
                              {"mean"_a = 0.0, "std"_a = 1.0, keyword("generator"_a = none)});
}

} // namespace

PyTypeObject* generator_type() {
    static auto* type = reinterpret_cast<PyTypeObject*>(py::type::of<PyGenerator>().release().ptr());
    return type;
}

const Ref<Generator>& unwrap_generator(PyObject* o) { return py::handle(o).cast<PyGenerator&>().generator; }

void bind_random(py::module_& m) {
    py::class_<PyGenerator>(
        m, "Generator",
        "A source of random numbers (Philox 4x32-10). Its state is two integers: the seed, and the number "
        "of draws made so far.")
        .def(py::init([](uint64_t seed) { return PyGenerator{make_ref<Generator>(seed)}; }),
             py::arg("seed") = 0)
        .def_property_readonly("seed", [](PyGenerator& g) { return g.generator->state().seed; })
        .def("get_state",
             [](PyGenerator& g) {
                 auto s = g.generator->state();
                 return py::make_tuple(s.seed, s.stream);
             })
        .def("set_state",
             [](PyGenerator& g, std::pair<uint64_t, uint64_t> state) {
                 g.generator->set_state({state.first, state.second});
             })
        .def("manual_seed",
             [](PyGenerator& g, uint64_t seed) {
                 g.generator->set_state({seed, 0});
                 return g;
             })
        .def("__repr__", [](PyGenerator& g) {
            auto s = g.generator->state();
            return "Generator(seed=" + std::to_string(s.seed) + ", draws=" + std::to_string(s.stream) + ")";
        });
    m.attr("default_generator") = PyGenerator{default_generator()};
    m.def(
        "manual_seed", [](uint64_t seed) { default_generator()->set_state({seed, 0}); }, py::arg("seed"),
        "Seeds the default generator; everything random that follows is determined by it.");
    bind_draws(m);
}

} // namespace dt::bindings
