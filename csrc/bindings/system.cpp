#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <unistd.h>

#include "bindings/docs.h"
#include "bindings/families.h"
#include "bindings/op.h"
#include "core/long_work.h"
#include "core/paths.h"
#include "kernels/isa.h"

namespace dt::bindings {
namespace {

void set_num_threads(int64_t n) {
    if (n < 1) value_error({"set_num_threads: n must be at least 1, got ", n});
    set_thread_count(static_cast<int>(std::min<int64_t>(n, 1024)));
}
int64_t get_num_threads() { return thread_count(); }

py::object thread_limits_dict() {
    ThreadLimits l = thread_limits();
    py::dict d;
    d["OMP_NUM_THREADS"] = l.omp_num_threads ? py::object(py::int_(l.omp_num_threads)) : py::none();
    d["affinity"] = l.affinity;
    d["cgroup"] = l.cgroup ? py::object(py::int_(l.cgroup)) : py::none();
    d["hardware"] = l.hardware;
    return d;
}

py::object stats_dict() {
    MemoryStats s = memory_stats();
    py::dict d;
    d["in_use"] = s.in_use;
    d["peak"] = s.peak;
    d["cached"] = s.cached;
    d["system"] = s.system;
    d["allocations"] = s.allocations;
    d["from_system"] = s.from_system;
    return d;
}

py::object kernel_paths() {
    py::dict d;
    for (int i = 0; i < static_cast<int>(Path::count); ++i)
        d[path_name(static_cast<Path>(i))] = path_calls(static_cast<Path>(i));
    return d;
}

void clear_cache() { dt::empty_cache(); }
void reset_peak() { dt::reset_peak_memory(); }
void set_isa(const std::string& level) { set_level(level); }
std::string get_isa() { return current_level(); }
py::object isa_levels() { return py::cast(supported_levels()); }
py::object isa_built() { return py::cast(built_levels()); }

// PyGILState_Check tells whether this thread holds the lock; nested LongWork does nothing.
void install_hooks() {
    LongWork::set_hooks(
        []() -> void* { return PyGILState_Check() ? static_cast<void*>(PyEval_SaveThread()) : nullptr; },
        [](void* state) {
            // At the interpreter's end Python lets go of a daemon thread by unwinding its stack, which C++
            // ends with a crash of the whole process: such a thread rather sleeps until the process is gone.
            struct Sleep {
                bool needed = true;
                ~Sleep() {
                    while (needed) pause();
                }
            } sleep;
            PyEval_RestoreThread(static_cast<PyThreadState*>(state));
            sleep.needed = false;
        });
}

} // namespace

void bind_system(py::module_& m) {
    install_hooks();
    op<&set_num_threads>(m, "set_num_threads",
                         {"Sets the number of threads that kernels use. Results do not depend on it.",
                          "n: 1 or more.", "", "ValueError: for fewer.",
                          ">>> dt.set_num_threads(dt.get_num_threads())"},
                         {"n"_a});
    op<&get_num_threads>(
        m, "get_num_threads",
        {"The number of threads that kernels use.", "", "int", "", ">>> dt.get_num_threads() >= 1\nTrue"},
        {});
    op<&thread_limits_dict>(m, "_thread_limits", "What limits the default number of threads.", {});
    op<&stats_dict>(m, "memory_stats",
                    {"What the allocator holds.", "",
                     "dict: bytes in_use, their peak, bytes cached for reuse and held from the system;\n"
                     "allocations, and those from_system.",
                     "", ">>> dt.memory_stats()[\"in_use\"] >= 0\nTrue"},
                    {});
    op<&reset_peak>(
        m, "reset_peak_memory",
        {"Starts a new measurement of the peak of memory_stats().", "", "", "", ">>> dt.reset_peak_memory()"},
        {});
    op<&clear_cache>(
        m, "empty_cache",
        {"Gives memory that is cached for reuse back to the system.", "", "", "", ">>> dt.empty_cache()"},
        {});
    op<&set_isa>(m, "set_isa",
                 {"Uses the kernels of a lower ISA level. Results of two levels agree within rounding.",
                  "level: One of isa_levels().", "", "ValueError: for others.",
                  ">>> dt.set_isa(dt.get_isa())"},
                 {"level"_a});
    op<&get_isa>(m, "get_isa",
                 {"The ISA level whose kernels are in use.", "", "str", "",
                  ">>> dt.get_isa() in dt.isa_levels()\nTrue"},
                 {});
    op<&isa_levels>(m, "isa_levels",
                    {"The ISA levels that this machine can run, lowest first.", "", "list of str", "",
                     ">>> len(dt.isa_levels()) >= 1\nTrue"},
                    {});
    op<&isa_built>(m, "_isa_built", "The ISA levels in this binary.", {});
    op<&kernel_paths>(m, "_kernel_paths", "How often each path of the matrix products and convolutions ran.",
                      {});
}

} // namespace dt::bindings
