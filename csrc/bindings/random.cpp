#include <pybind11/pybind11.h>

#include "core/random.h"

#include "bindings/families.h"
#include "bindings/op.h"

namespace dt::bindings {
namespace {

struct PyGenerator {
    Ref<Generator> generator;
};

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
}

} // namespace dt::bindings
