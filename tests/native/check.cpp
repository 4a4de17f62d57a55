#include "check.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>

#include "core/parallel.h"
#include "kernels/isa.h"

// The kernels of the level amx over plain loops in place of its tiles, for CPUs without them.
#ifdef DT_HAVE_amx_emulated
namespace dt::cpu::amx_emulated {
void add_half(Gemm& table);
}
#endif

namespace dt::check {
namespace {

constexpr unsigned char kUnwritten = 0xA5;
constexpr int64_t kShownFailures = 10; // of a family
constexpr size_t kEntries = sizeof(Kernels) / sizeof(void*);
static_assert(sizeof(Kernels) % sizeof(void*) == 0, "the table holds function pointers only");

char crash_note[512]; // what a signal handler may print

struct Family {
    const char* name;
    void (*check)(Checks&);
    size_t first, count; // entries of the table
};

#define X(Type, name)                                                                                        \
    {#name, check_##name, offsetof(Kernels, name) / sizeof(void*), sizeof(Type) / sizeof(void*)},
constexpr Family kFamilies[] = {DT_FAMILIES(X)};
#undef X

double value_of_half(uint16_t bits, int exponent_bits, int mantissa_bits) {
    const int exponent = bits >> mantissa_bits & ((1 << exponent_bits) - 1);
    const int mantissa = bits & ((1 << mantissa_bits) - 1);
    const int bias = (1 << (exponent_bits - 1)) - 1;
    const double sign = bits >> 15 ? -1 : 1;
    if (exponent == (1 << exponent_bits) - 1) return mantissa ? NAN : sign * INFINITY;
    if (exponent == 0) return sign * std::ldexp(mantissa, 1 - bias - mantissa_bits);
    return sign * std::ldexp(mantissa + (1 << mantissa_bits), exponent - bias - mantissa_bits);
}

// The nearest value of the format, the even one of two; found by scaling to whole numbers.
uint16_t half_of_value(double x, int exponent_bits, int mantissa_bits) {
    const int bias = (1 << (exponent_bits - 1)) - 1, top = (1 << exponent_bits) - 1;
    const uint16_t sign = std::signbit(x) ? 0x8000 : 0;
    if (std::isnan(x)) return uint16_t(sign | top << mantissa_bits | 1 << (mantissa_bits - 1));
    x = std::fabs(x);
    if (std::isinf(x)) return uint16_t(sign | top << mantissa_bits);
    if (x == 0) return sign;
    const int exponent = std::max(std::ilogb(x), 1 - bias);
    double mantissa = std::nearbyint(std::ldexp(x, mantissa_bits - exponent));
    int biased = exponent + bias;
    if (mantissa < (1 << mantissa_bits)) return uint16_t(sign | uint16_t(mantissa)); // below the normal ones
    if (mantissa == 2 << mantissa_bits) {
        mantissa /= 2;
        ++biased;
    }
    if (biased >= top) return uint16_t(sign | top << mantissa_bits);
    return uint16_t(sign | biased << mantissa_bits | (uint16_t(mantissa) - (1 << mantissa_bits)));
}

struct Format {
    double epsilon, smallest; // distance behind 1; smallest number above 0
};
Format format_of(DType dtype) {
    switch (dtype) {
    case DType::float16:
        return {0x1p-10, 0x1p-24};
    case DType::bfloat16:
        return {0x1p-7, 0x1p-133};
    case DType::float32:
        return {0x1p-23, 0x1p-149};
    case DType::float64:
        return {0x1p-52, 0x1p-1074};
    default:
        return {0, 0};
    }
}

} // namespace

double value(float16_t x) { return value_of_half(x.bits, 5, 10); }
double value(bfloat16_t x) { return value_of_half(x.bits, 8, 7); }
template <> float16_t rounded<float16_t>(double x) { return {half_of_value(x, 5, 10)}; }
template <> bfloat16_t rounded<bfloat16_t>(double x) { return {half_of_value(x, 8, 7)}; }

std::string text(const char* x) { return x; }
std::string text(const std::string& x) { return x; }
std::string text(int64_t x) { return std::to_string(x); }
std::string text(int x) { return std::to_string(x); }
std::string text(double x) {
    char buffer[40];
    std::snprintf(buffer, sizeof buffer, "%.17g", x);
    return buffer;
}

// "... [with auto value = dt::UnaryOp::exp]"; a value without a name is spelled "(dt::UnaryOp)99".
std::string enumerator_of(const std::string& spelled) {
    const size_t end = spelled.rfind(']'), colon = spelled.rfind(':'), bracket = spelled.rfind(')');
    if (colon == std::string::npos || (bracket != std::string::npos && bracket > colon)) return "";
    return spelled.substr(colon + 1, end - colon - 1);
}

Memory::Memory(size_t bytes) : bytes_(bytes) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    mapped_ = (bytes + page - 1) / page * page + 2 * page; // one page more in front, one behind
    base_ = static_cast<unsigned char*>(
        mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (base_ == MAP_FAILED) throw std::bad_alloc();
    mprotect(base_ + mapped_ - page, page, PROT_NONE);
    data_ = base_ + mapped_ - page - bytes;
    std::memset(base_, kUnwritten, mapped_ - page);
}
Memory::Memory(const Memory& other) : Memory(other.bytes_) { std::memcpy(data_, other.data_, bytes_); }
Memory::~Memory() { munmap(base_, mapped_); }
bool Memory::intact() const {
    return std::all_of(base_, data_, [](unsigned char byte) { return byte == kUnwritten; });
}

Checks::Checks(const Kernels& kernels) : table(kernels), called_(kEntries) {}

void Checks::begin_pass(int pass, int threads) {
    pass_ = pass;
    threads_ = threads;
    next_ = 0;
}

void Checks::begin_family(const char* name) {
    family_ = name;
    where_.clear();
    family_failures_ = 0;
    random.seed(1); // every pass sees the same numbers
}

void Checks::mark(const void* entry) {
    const size_t offset =
        static_cast<size_t>(static_cast<const char*>(entry) - reinterpret_cast<const char*>(&table));
    if (offset < sizeof(Kernels)) called_[offset / sizeof(void*)] = true;
    std::snprintf(crash_note, sizeof crash_note, "%s, %s: %s, %d threads: ended by a signal\n",
                  current_level().c_str(), family_.c_str(), where_.c_str(), threads_);
}

void Checks::fail(const std::string& message) {
    ++failures_;
    if (++family_failures_ <= kShownFailures)
        std::printf("WRONG %s, %s: %s: %s\n", current_level().c_str(), family_.c_str(), where_.c_str(),
                    message.c_str());
}

void Checks::wrong(const char* what, DType dtype, int64_t i, const std::string& got, const std::string& want,
                   double allowed) {
    std::string message =
        std::string(what) + " (" + name(dtype) + ")[" + text(i) + "] is " + got + ", expected " + want;
    if (allowed > 0) message += " within " + text(allowed);
    fail(message);
}

void Checks::expect_true(const char* what, bool right) {
    ++comparisons_;
    if (!right) fail(what);
}

// Remembers the bytes in the first pass and compares with them later.
bool Checks::compare_bits(const char* what, DType dtype, const Memory& got, size_t item) {
    ++comparisons_;
    if (!got.intact()) {
        fail(std::string(what) + " (" + name(dtype) + "): written before its first element");
        return false;
    }
    if (first_pass()) {
        first_.emplace_back(got.data(), got.data() + got.size());
        return true;
    }
    const size_t number = next_++;
    if (number >= first_.size() || first_[number].size() != got.size()) {
        fail(std::string(what) + ": another comparison than in the first pass");
        return false;
    }
    for (size_t i = 0; i < got.size(); ++i)
        if (got.data()[i] != first_[number][i]) {
            fail(std::string(what) + " (" + name(dtype) + ")[" + text(int64_t(i / item)) +
                 "] has other bits with " + text(threads_) + " threads than with one");
            return false;
        }
    return true;
}

double Checks::allowed(DType dtype, const Want& want, double roundings) {
    const Format format = format_of(dtype);
    if (!is_half(dtype)) return roundings * format.epsilon * want.size + format.smallest;
    return roundings * 0x1p-23 * want.size + 0.5001 * format.epsilon * std::fabs(want.value) +
           format.smallest;
}

bool Checks::close(DType dtype, double got, const Want& want, double roundings) const {
    if (std::isnan(want.value) || std::isnan(got)) return std::isnan(want.value) && std::isnan(got);
    if (got == want.value) return true;
    if (std::isinf(got)) { // the nearest value may be infinity
        const double largest = dtype == DType::float16    ? 65504
                               : dtype == DType::bfloat16 ? 0x1.fep127
                               : dtype == DType::float32  ? 0x1.fffffep127
                                                          : INFINITY;
        return std::signbit(got) == std::signbit(want.value) &&
               std::fabs(want.value) + allowed(dtype, want, roundings) > largest;
    }
    return std::fabs(got - want.value) <= allowed(dtype, want, roundings);
}

int64_t Checks::entries() const { return std::count(called_.begin(), called_.end(), true); }

void Checks::report_uncalled() {
    for (const Family& family : kFamilies)
        for (size_t i = 0; i < family.count; ++i)
            if (!called_[family.first + i]) {
                begin_family(family.name);
                fail("entry " + text(int64_t(i)) + " (from 0) of the struct in csrc/kernels/" + family.name +
                     ".h is never called: add a check to tests/native/" + family.name + ".cpp");
            }
}

namespace {

void on_crash(int signal) {
    [[maybe_unused]] ssize_t written = write(STDOUT_FILENO, crash_note, std::strlen(crash_note));
    _exit(128 + signal);
}

bool named(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

// The kernels of a level; `inherited` are those that it may have from another one, all checked there.
Kernels kernels_of(const std::string& level, Kernels& inherited) {
    inherited = {};
    const bool extends_v4 = level == "v4_bf16" || level.rfind("amx", 0) == 0;
    if (extends_v4) {
        set_level("v4");
        inherited = kernels();
    }
#ifdef DT_HAVE_amx_emulated
    if (level == "amx_emulated") {
        Kernels table = inherited;
        cpu::amx_emulated::add_half(table.gemm);
        return table;
    }
#endif
    set_level(level);
    return kernels();
}

// All families on one level, with one thread and with three. Returns the number of failures.
int64_t check_level(const std::string& level, const std::vector<std::string>& wanted) {
    const auto started = std::chrono::steady_clock::now();
    Kernels inherited;
    const Kernels table = kernels_of(level, inherited);
    Checks checks(table);
    int pass = 0;
    for (int threads : {1, 3}) {
        set_thread_count(threads);
        checks.begin_pass(pass++, threads);
        for (const Family& family : kFamilies) {
            const size_t first = family.first * sizeof(void*);
            const bool same = std::memcmp(reinterpret_cast<const char*>(&table) + first,
                                          reinterpret_cast<const char*>(&inherited) + first,
                                          family.count * sizeof(void*)) == 0;
            if (same || (!wanted.empty() && !named(wanted, family.name))) continue;
            checks.begin_family(family.name);
            family.check(checks);
        }
    }
    if (wanted.empty() && !inherited.gemm.f32) checks.report_uncalled();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - started;
    std::printf("%s: %lld entries of the table called, %lld comparisons, %lld wrong (%.1f s)\n",
                level.c_str(), static_cast<long long>(checks.entries()),
                static_cast<long long>(checks.comparisons()), static_cast<long long>(checks.failures()),
                seconds.count());
    std::fflush(stdout);
    return checks.failures();
}

int run(int count, char** arguments) {
    std::vector<std::string> built = built_levels(), supported = supported_levels();
#ifdef DT_HAVE_amx_emulated
    built.push_back("amx_emulated");
    if (named(supported, "v4")) supported.push_back("amx_emulated");
#endif
    std::vector<std::string> levels, families;
    for (int i = 1; i < count; ++i) {
        const std::string argument = arguments[i];
        const bool family = std::any_of(std::begin(kFamilies), std::end(kFamilies),
                                        [&](const Family& f) { return argument == f.name; });
        if (family)
            families.push_back(argument);
        else if (named(built, argument))
            levels.push_back(argument);
        else {
            std::fprintf(stderr, "check_kernels: '%s' is neither a level of this build nor a family\n",
                         argument.c_str());
            return 2;
        }
    }
    for (const std::string& level : built)
        if (levels.empty() && !named(supported, level))
            std::printf("%s: not checked, this CPU does not have it\n", level.c_str());
    int64_t failures = 0;
    for (const std::string& level : levels.empty() ? supported : levels)
        failures += check_level(level, families);
    return failures != 0;
}

} // namespace
} // namespace dt::check

// check_kernels [level or family ...]
int main(int count, char** arguments) {
    std::setvbuf(stdout, nullptr, _IOLBF, 0); // what stands before a crash is seen
    std::signal(SIGSEGV, dt::check::on_crash);
    std::signal(SIGBUS, dt::check::on_crash);
    std::signal(SIGFPE, dt::check::on_crash);
    std::signal(SIGILL, dt::check::on_crash);
    try {
        return dt::check::run(count, arguments);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "check_kernels: %s\n", e.what());
        return 2;
    }
}
