#include <pybind11/pybind11.h>

#include "ops/random.h"

#include "bindings/docs.h"
#include "bindings/families.h"
#include "bindings/op.h"

namespace dt::bindings {
namespace {

struct PyGenerator {
    Ref<Generator> generator;
};

uint64_t read_seed(const char* op, const py::object& seed) {
    const std::string head = std::string(op) + ": seed ";
    if (PyBool_Check(seed.ptr()) || !PyIndex_Check(seed.ptr()))
        throw py::type_error(head + "must be an int from 0 to 2**64 - 1, got " +
                             Py_TYPE(seed.ptr())->tp_name);
    py::object index = py::reinterpret_steal<py::object>(PyNumber_Index(seed.ptr()));
    if (!index) throw py::error_already_set();
    const uint64_t value = PyLong_AsUnsignedLongLong(index.ptr());
    if (value == static_cast<uint64_t>(-1) && PyErr_Occurred()) {
        PyErr_Clear();
        throw py::value_error(head + "is " + std::string(py::str(index)) + ", expected 0 to 2**64 - 1");
    }
    return value;
}

void bind_draws(py::module_& m) {
    const auto none = py::none();
    const auto draws = [](const char* summary, const std::string& args, const char* raises,
                          const char* example) {
        const std::string all =
            args + "generator: Where the numbers come from; None for the default generator.";
        return to_text({summary, all.c_str(), "Tensor", raises, example});
    };
    const char *spread = "shape: Sizes, as ints or as one sequence of ints.\ndtype: A floating-point one.\n",
               *sized = "shape: An int or a sequence of ints.\n", *real = "dtype: A floating-point one.\n",
               *dtype_error = "ValueError: for negative sizes.\nTypeError: for other dtypes.";
    op<&ops::rand>(
        m, "rand",
        draws("Uniform numbers in [0, 1).", spread, dtype_error, ">>> dt.rand((2, 3)).shape\n(2, 3)"),
        {many("shape"_a), keyword("dtype"_a = "float32"), keyword("generator"_a = none)});
    op<&ops::randn>(m, "randn",
                    draws("Normal numbers with mean 0 and standard deviation 1.", spread, dtype_error,
                          ">>> dt.randn((2, 3)).shape\n(2, 3)"),
                    {many("shape"_a), keyword("dtype"_a = "float32"), keyword("generator"_a = none)});
    op<&ops::uniform>(
        m, "uniform",
        draws("Uniform numbers in [low, high).", std::string(sized) + "low, high: Finite numbers.\n" + real,
              "ValueError: unless low <= high.\nTypeError: for other dtypes.",
              ">>> dt.uniform((2, 3), -1, 1).shape\n(2, 3)"),
        {"shape"_a, "low"_a = 0.0, "high"_a = 1.0, "dtype"_a = "float32", keyword("generator"_a = none)});
    op<&ops::normal>(
        m, "normal",
        draws("Normal numbers.", std::string(sized) + "mean, std: Finite numbers, std 0 or more.\n" + real,
              "ValueError: for a negative std.\nTypeError: for other dtypes.",
              ">>> dt.normal((2,), mean=3, std=0)\ntensor([3., 3.])"),
        {"shape"_a, "mean"_a = 0.0, "std"_a = 1.0, "dtype"_a = "float32", keyword("generator"_a = none)});
    op<&ops::randint>(
        m, "randint",
        draws("Integers in [low, high), each equally likely.",
              std::string("low, high: Ints.\n") + sized + "dtype: An integer one that holds them all.\n",
              "ValueError: unless low < high, and where the dtype cannot hold them.\nTypeError: for other "
              "dtypes.",
              ">>> dt.randint(5, 6, 3)\ntensor([5, 5, 5])"),
        {"low"_a, "high"_a, "shape"_a, "dtype"_a = "int64", keyword("generator"_a = none)});
    op<&ops::randperm>(m, "randperm",
                       draws("The numbers 0 ... n - 1 in random order, int64.", "n: An int.\n",
                             "ValueError: for a negative n.",
                             ">>> dt.sort(dt.randperm(4))\ntensor([0, 1, 2, 3])"),
                       {"n"_a, keyword("generator"_a = none)});
    op<&ops::bernoulli>(
        m, "bernoulli",
        draws("1 with the probability that input gives for each element, else 0.",
              "input: Tensor of any shape, float32 or float64, of probabilities from 0 to 1.\n",
              "TypeError: for other dtypes.\nValueError: for numbers that are no "
              "probabilities.",
              ">>> dt.bernoulli(dt.tensor([0.0, 1.0]))\ntensor([0., 1.])"),
        {"input"_a, keyword("generator"_a = none)});
    op<&ops::draw_uniform>(
        m, "draw_uniform",
        {"Uniform numbers in [0, 1) that depend on their place alone, for augmentation.\n\n"
         "Row i holds what Philox 4x32-10 makes of (seed, stream, positions[i]), whatever the others are.",
         "seed, stream: Ints of 64 bits.\npositions: Tensor (n,) of integers.\n"
         "count: How many numbers a row has.\n",
         "Tensor (n, count), float64.",
         "ValueError: for a negative count or positions of another shape.\nTypeError: for other dtypes.",
         ">>> a = dt.draw_uniform(7, 0, dt.tensor([3, 5]), 2)\n"
         ">>> b = dt.draw_uniform(7, 0, dt.tensor([5]), 2)\n>>> dt.array_equal(a[1:], b)\nTrue"},
        {"seed"_a, "stream"_a, "positions"_a, "count"_a});
    method<&ops::fill_uniform>("uniform_",
                               draws("Fills the tensor with uniform numbers in [low, high), in place.",
                                     "low, high: Finite numbers.\n",
                                     "ValueError: unless low <= high.\nTypeError: for other than floats.",
                                     ">>> dt.zeros(2).uniform_(3, 3)\ntensor([3., 3.])"),
                               {"low"_a = 0.0, "high"_a = 1.0, keyword("generator"_a = none)});
    method<&ops::fill_normal>("normal_",
                              draws("Fills the tensor with normal numbers, in place.",
                                    "mean, std: Finite numbers, std 0 or more.\n",
                                    "ValueError: for a negative std.\nTypeError: for other than floats.",
                                    ">>> dt.zeros(2).normal_(3, 0)\ntensor([3., 3.])"),
                              {"mean"_a = 0.0, "std"_a = 1.0, keyword("generator"_a = none)});
}

py::object default_state() {
    const auto state = default_generator()->state();
    return py::make_tuple(state.seed, state.stream);
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
        "A source of random numbers: Philox 4x32-10 (Salmon et al., 2011).\n\n"
        "Its state is two integers: the seed, and the number of draws made so far.\n\n"
        "Args:\n    seed: 0 to 2**64 - 1.\n\n"
        "Example:\n    >>> g = dt.Generator(7)\n    >>> a = dt.rand(3, generator=g)\n"
        "    >>> g.set_state((7, 0))\n    >>> dt.array_equal(a, dt.rand(3, generator=g))\n    True")
        .def(py::init([](const py::object& seed) {
                 return PyGenerator{make_ref<Generator>(read_seed("Generator", seed))};
             }),
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
             [](PyGenerator& g, const py::object& seed) {
                 g.generator->set_state({read_seed("manual_seed", seed), 0});
                 return g;
             })
        .def("__repr__", [](PyGenerator& g) {
            auto s = g.generator->state();
            return "Generator(seed=" + std::to_string(s.seed) + ", draws=" + std::to_string(s.stream) + ")";
        });
    m.attr("default_generator") = PyGenerator{default_generator()};
    m.def(
        "manual_seed",
        [](const py::object& seed) { default_generator()->set_state({read_seed("manual_seed", seed), 0}); },
        py::arg("seed"),
        "Seeds the default generator; everything random that follows is determined by it.\n\n"
        "Args:\n    seed: 0 to 2**64 - 1.\n\nExample:\n    >>> dt.manual_seed(7)\n    >>> a = dt.rand(3)\n"
        "    >>> dt.manual_seed(7)\n    >>> dt.array_equal(a, dt.rand(3))\n    True");
    // Once per step of `fit`, where the method would cost three times as much.
    op<&default_state>(m, "_default_state", "What default_generator.get_state() returns.", {});
    bind_draws(m);
}

} // namespace dt::bindings
