#include "kernels/isa.h"

#include <atomic>
#include <cstdlib>

#include "core/error.h"
#include "kernels/table.h"

namespace dt {

#define DT_DECLARE_LEVEL(level)                                                                              \
    namespace cpu::level {                                                                                   \
    DT_FAMILIES(X)                                                                                           \
    }
#define X(Type, name) Type name();
#ifdef DT_HAVE_v2
DT_DECLARE_LEVEL(v2)
#endif
#ifdef DT_HAVE_v3
DT_DECLARE_LEVEL(v3)
#endif
#ifdef DT_HAVE_v4
DT_DECLARE_LEVEL(v4)
#endif
#ifdef DT_HAVE_neon
DT_DECLARE_LEVEL(neon)
#endif
#ifdef DT_HAVE_generic
DT_DECLARE_LEVEL(generic)
#endif
#undef X

namespace {

struct Level {
    const char* name;
    bool supported;
    Kernels kernels;
};

// __builtin_cpu_supports also asks the operating system (XGETBV) whether it saves the wide registers.
const std::vector<Level>& levels() {
    static const std::vector<Level> list = {
#define DT_ENTRY(level, supported) {#level, supported, Kernels{DT_FAMILIES(X)}},
#ifdef DT_HAVE_v2
#define X(Type, name) cpu::v2::name(),
        DT_ENTRY(v2, true)
#undef X
#endif
#ifdef DT_HAVE_v3
#define X(Type, name) cpu::v3::name(),
            DT_ENTRY(v3, bool(__builtin_cpu_supports("x86-64-v3")))
#undef X
#endif
#ifdef DT_HAVE_v4
#define X(Type, name) cpu::v4::name(),
                DT_ENTRY(v4, bool(__builtin_cpu_supports("x86-64-v4")))
#undef X
#endif
#ifdef DT_HAVE_neon
#define X(Type, name) cpu::neon::name(),
                    DT_ENTRY(neon, true)
#undef X
#endif
#ifdef DT_HAVE_generic
#define X(Type, name) cpu::generic::name(),
                        DT_ENTRY(generic, true)
#undef X
#endif
    };
    return list;
}

std::atomic<const Level*> current{nullptr};

const Level* best() {
    const Level* found = &levels().front();
    for (const Level& level : levels())
        if (level.supported) found = &level;
    return found;
}

// `asked_by` is what the messages begin with.
void choose(const char* asked_by, const std::string& wanted) {
    std::string known;
    for (const Level& level : levels()) {
        if (wanted == level.name) {
            if (!level.supported) value_error({asked_by, ": this CPU does not support level '", wanted, "'"});
            current.store(&level);
            return;
        }
        known += (known.empty() ? "'" : ", '") + std::string(level.name) + "'";
    }
    value_error({asked_by, ": unknown level '", wanted, "', expected one of ", known});
}

} // namespace

std::vector<std::string> built_levels() {
    std::vector<std::string> names;
    for (const Level& level : levels()) names.push_back(level.name);
    return names;
}

std::vector<std::string> supported_levels() {
    std::vector<std::string> names;
    for (const Level& level : levels())
        if (level.supported) names.push_back(level.name);
    return names;
}

const Kernels& kernels() {
    const Level* level = current.load(std::memory_order_acquire);
    if (!level) {
        if (const char* forced = std::getenv("DRIVETRAIN_ISA"); forced && *forced)
            choose("DRIVETRAIN_ISA", forced);
        else
            current.store(best());
        level = current.load();
    }
    return level->kernels;
}

std::string current_level() {
    kernels();
    return current.load()->name;
}

void set_level(const std::string& wanted) { choose("set_isa", wanted); }

bool cpu_has_amx() {
#if defined(__x86_64__)
    unsigned a = 7, b = 0, c = 0, d = 0;
    asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return (d >> 24) & 1; // AMX-TILE
#else
    return false;
#endif
}

} // namespace dt
