#include "kernels/isa.h"

#include <atomic>
#include <cstdlib>
#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "core/error.h"
#include "kernels/precision.h"
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
// Levels that have a few kernels of their own and all others from v4.
#ifdef DT_HAVE_v4_bf16
namespace cpu::v4_bf16 {
void add_half(Gemm& table);
void add_half(Rnn& table);
void add_half(Attention& table);
double products_bf16(int64_t iterations);
} // namespace cpu::v4_bf16
#endif
#ifdef DT_HAVE_amx
namespace cpu::amx {
void add_half(Gemm& table);
double products_bf16(int64_t iterations);
} // namespace cpu::amx
#endif

bool bfloat16_instructions = false;

namespace {

struct Level {
    const char* name;
    bool supported;
    Kernels kernels;
    int bf16_gain = 1;
};

#ifdef DT_HAVE_v4
[[maybe_unused]] Kernels improved(Kernels table, void (*add_half)(Gemm&), double (*products)(int64_t)) {
    add_half(table.gemm);
    cpu::v4_bf16::add_half(table.rnn); // for AMX too, whose tiles are larger than most steps
    table.probe.products_bf16 = products;
    return table;
}
#endif

#ifdef DT_HAVE_v4_bf16
Kernels with_pairs(Kernels table) {
    cpu::v4_bf16::add_half(table.attention);
    return improved(table, cpu::v4_bf16::add_half, cpu::v4_bf16::products_bf16);
}
#endif

// Linux gives the tile registers to processes that ask for them, once for all threads.
[[maybe_unused]] bool may_use_amx() {
#if defined(__x86_64__) && defined(__linux__)
    constexpr unsigned kAmxBf16 = 1u << 22, kAmxTile = 1u << 24;
    constexpr long kRequestPermission = 0x1023, kTileData = 18; // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & kAmxBf16) || !(d & kAmxTile)) return false;
    return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
    return false;
#endif
}

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
#ifdef DT_HAVE_v4_bf16
                    {"v4_bf16", __builtin_cpu_supports("x86-64-v4") && __builtin_cpu_supports("avx512bf16"),
                     with_pairs(Kernels{DT_FAMILIES(X)}), 2},
#endif
#ifdef DT_HAVE_amx
        {"amx", __builtin_cpu_supports("x86-64-v4") && __builtin_cpu_supports("avx512bf16") && may_use_amx(),
         improved(Kernels{DT_FAMILIES(X)}, cpu::amx::add_half, cpu::amx::products_bf16), 16},
#endif
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

void use(const Level* level) {
    __atomic_store_n(&bfloat16_instructions, level->bf16_gain > 1, __ATOMIC_RELAXED);
    current.store(level);
}

// `asked_by` is what the messages begin with.
void choose(const char* asked_by, const std::string& wanted) {
    std::string known;
    for (const Level& level : levels()) {
        if (wanted == level.name) {
            if (!level.supported) value_error({asked_by, ": this CPU does not support level '", wanted, "'"});
            use(&level);
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
            use(best());
        level = current.load();
    }
    return level->kernels;
}

int bf16_gain() {
    kernels();
    return current.load()->bf16_gain;
}

std::string current_level() {
    kernels();
    return current.load()->name;
}

void set_level(const std::string& wanted) { choose("set_isa", wanted); }

} // namespace dt
