#include "core/profile.h"

#include "autograd/node.h"
#include "bindings/families.h"
#include "bindings/op.h"

namespace dt::bindings {
namespace {

void start(int64_t limit) { profile::start(limit); }

int64_t begin(const std::string& name, const std::string& kind) {
    const bool is_layer = kind == "layer";
    return profile::begin(name, is_layer ? profile::Kind::layer : profile::Kind::phase,
                          autograd::sequence_now());
}
void end(int64_t event) { profile::end(event, autograd::sequence_now()); }

// (events as bytes, their names one a line, number of those dropped)
py::object stop() {
    const profile::Record record = profile::stop();
    std::string names;
    for (const std::string& name : record.names) names += name + "\n";
    PyObject* events =
        PyBytes_FromStringAndSize(reinterpret_cast<const char*>(record.events.data()),
                                  static_cast<Py_ssize_t>(record.events.size() * sizeof(profile::Event)));
    PyObject* result =
        Py_BuildValue("(NNL)", events, to_python(names), static_cast<long long>(record.dropped));
    if (!result) throw py::error_already_set();
    return py::reinterpret_steal<py::object>(result);
}

} // namespace

void bind_profile(py::module_& m) {
    op<&start>(m, "_profile_start", "Begins to record events, at most `limit`.", {"limit"_a});
    op<&stop>(m, "_profile_stop", "Ends it, and returns events, names and how many were dropped.", {});
    op<&begin>(m, "_profile_begin", "Begins an event of kind 'layer' or 'phase'.", {"name"_a, "kind"_a});
    op<&end>(m, "_profile_end", "Ends the event that `_profile_begin` gave.", {"event"_a});
}

} // namespace dt::bindings
