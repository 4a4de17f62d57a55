#pragma once
// The harness of the kernel checks: arrays that notice what is read or written outside them, comparison with
// a reference and between thread counts, and a list of the entries that were called.
//
// A family's check is `void check_<family>(Checks& c)` in <family>.cpp: it calls every entry of its struct
// through c.call() and compares what came out with plain loops in double. Main finds the checks through
// DT_FAMILIES, so a family without one does not link, and an entry that no check calls is an error at run
// time.
#include <array>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/dims.h"
#include "core/dtype.h"
#include "kernels/precision.h"
#include "kernels/table.h"

namespace dt::check {

struct Boolean {
    uint8_t value;
};

template <class T> inline constexpr DType dtype_of = DType::boolean;
template <> inline constexpr DType dtype_of<uint8_t> = DType::uint8;
template <> inline constexpr DType dtype_of<int32_t> = DType::int32;
template <> inline constexpr DType dtype_of<uint32_t> = DType::int32; // random words
template <> inline constexpr DType dtype_of<int64_t> = DType::int64;
template <> inline constexpr DType dtype_of<float16_t> = DType::float16;
template <> inline constexpr DType dtype_of<bfloat16_t> = DType::bfloat16;
template <> inline constexpr DType dtype_of<float> = DType::float32;
template <> inline constexpr DType dtype_of<double> = DType::float64;

template <class T> inline constexpr bool kFloat = is_floating(dtype_of<T>);

// Values of every storage type as double, and back with one rounding (floats only).
double value(float16_t x);
double value(bfloat16_t x);
inline double value(Boolean x) { return x.value; }
template <class T> double value(T x) { return static_cast<double>(x); }
template <class T> T rounded(double x) { return static_cast<T>(x); }
template <> float16_t rounded<float16_t>(double x);
template <> bfloat16_t rounded<bfloat16_t>(double x);
template <> inline Boolean rounded<Boolean>(double x) { return {x != 0}; }

// body(T()) for the storage types.
template <class F> void for_floats(F body) { body(float()), body(double()); }
template <class F> void for_all_floats(F body) { for_floats(body), body(float16_t()), body(bfloat16_t()); }
template <class F> void for_integers(F body) { body(uint8_t()), body(int32_t()), body(int64_t()); }
template <class F> void for_dtypes(F body) { body(Boolean()), for_integers(body), for_all_floats(body); }

// What stands beside large arrays of T: parameters, statistics, losses; float32 beside a half format.
template <class T> using Beside = std::conditional_t<is_half(dtype_of<T>), float, T>;

// The name of a type or an enumerator, as the compiler spells it.
template <auto value> constexpr const char* spelled() { return __PRETTY_FUNCTION__; }
std::string enumerator_of(const std::string& spelled); // empty for a value that has no name

// The enumerators of E with their names: whoever adds one has it checked.
template <class E> std::vector<std::pair<E, std::string>> enumerators() {
    constexpr int most = 128;
    std::vector<std::pair<E, std::string>> list;
    [&]<int... i>(std::integer_sequence<int, i...>) {
        const auto add = [&](E e, const std::string& name) {
            if (!name.empty() && name != "count") list.emplace_back(e, name);
        };
        (add(E(i), enumerator_of(spelled<E(i)>())), ...);
    }(std::make_integer_sequence<int, most>{});
    return list;
}

// Memory that ends where the next page may not be touched; the bytes before it are watched.
class Memory {
  public:
    explicit Memory(size_t bytes);
    Memory(const Memory& other);
    Memory& operator=(const Memory&) = delete;
    ~Memory();
    unsigned char* data() const { return data_; }
    size_t size() const { return bytes_; }
    bool intact() const; // nothing was written before the first byte

  private:
    size_t bytes_, mapped_;
    unsigned char *base_, *data_;
};

// n values; what is not written keeps a pattern that no kernel computes.
template <class T> class Array {
  public:
    explicit Array(int64_t n) : n_(n), memory_(static_cast<size_t>(n) * sizeof(T)) {}
    T* data() { return reinterpret_cast<T*>(memory_.data()); }
    const T* data() const { return reinterpret_cast<const T*>(memory_.data()); }
    int64_t size() const { return n_; }
    T& operator[](int64_t i) { return data()[i]; }
    const T& operator[](int64_t i) const { return data()[i]; }
    double at(int64_t i) const { return value((*this)[i]); }
    const Memory& memory() const { return memory_; }

  private:
    int64_t n_;
    Memory memory_;
};

// An expected value, and the size of the terms that it is the sum of: rounding errors are relative to that.
struct Want {
    double value, size;
    Want(double v) : value(v), size(std::fabs(v)) {}
    Want(double v, double terms) : value(v), size(terms) {}
};

// A sum with the size of its terms. What an addition loses (Knuth, 1969) goes into the next one: a long sum
// in double is itself no reference for sums in double.
struct Sum {
    double value = 0, size = 0, lost = 0;
    void add(double x) {
        x += lost;
        const double sum = value + x, part = sum - value;
        lost = (value - (sum - part)) + (x - part);
        value = sum;
        size += std::fabs(x);
    }
    operator Want() const { return {value, size}; }
};

std::string text(const char* x);
std::string text(const std::string& x);
std::string text(int64_t x);
std::string text(int x);
std::string text(double x);

class Checks {
  public:
    explicit Checks(const Kernels& table);

    const Kernels& table;
    std::mt19937_64 random;

    // Says what is checked from here on: "forward", "rows ", 3.
    template <class... P> void at(const P&... parts) { where_ = (text(parts) + ...); }

    // Calls an entry of `table`.
    template <class R, class... P, class... A> R call(R (*const& entry)(P...), A&&... arguments) {
        mark(&entry);
        return entry(std::forward<A>(arguments)...);
    }

    // Each element must equal want(i), a Want, within `roundings` of its dtype; half formats are computed in
    // float32 and rounded once.
    template <class T, class F>
    void expect(const char* what, const Array<T>& got, double roundings, const F& want) {
        if (!compare_bits(what, dtype_of<T>, got.memory(), sizeof(T))) return;
        if (!first_pass()) return;
        for (int64_t i = 0; i < got.size(); ++i) {
            const Want w = want(i);
            if (!close(dtype_of<T>, got.at(i), w, roundings))
                return wrong(what, dtype_of<T>, i, text(got.at(i)), text(w.value),
                             allowed(dtype_of<T>, w, roundings));
        }
    }
    // Exactly want(i), integers without a way through double; NaN equals NaN.
    template <class T, class F> void expect_exactly(const char* what, const Array<T>& got, const F& want) {
        if (!compare_bits(what, dtype_of<T>, got.memory(), sizeof(T))) return;
        if (!first_pass()) return;
        for (int64_t i = 0; i < got.size(); ++i) {
            const auto w = want(i);
            if constexpr (kFloat<T>) {
                const double a = got.at(i), b = value(w);
                if (!(a == b || (a != a && b != b))) return wrong(what, dtype_of<T>, i, text(a), text(b), 0);
            } else if (int64_t(plain(got[i])) != int64_t(plain(w))) {
                return wrong(what, dtype_of<T>, i, text(int64_t(plain(got[i]))), text(int64_t(plain(w))), 0);
            }
        }
    }
    void expect_true(const char* what, bool right);

    // Values in [low, high); whole numbers for integers.
    double uniform(double low, double high) {
        return low + (high - low) * static_cast<double>(random() >> 11) * 0x1p-53;
    }
    int64_t whole(int64_t low, int64_t high) { // high excluded
        return low + static_cast<int64_t>(random() % static_cast<uint64_t>(high - low));
    }
    template <class T> Array<T> uniform_array(int64_t n, double low = -1, double high = 1) {
        Array<T> a(n);
        for (int64_t i = 0; i < n; ++i) a[i] = rounded<T>(uniform(low, high));
        return a;
    }
    Array<int64_t> whole_array(int64_t n, int64_t low, int64_t high) {
        Array<int64_t> a(n);
        for (int64_t i = 0; i < n; ++i) a[i] = whole(low, high);
        return a;
    }

    // --- For main ---
    void begin_pass(int pass, int threads);
    void begin_family(const char* name);
    void report_uncalled();
    int64_t failures() const { return failures_; }
    int64_t comparisons() const { return comparisons_; }
    int64_t entries() const;

  private:
    static int64_t plain(Boolean x) { return x.value; }
    template <class T> static T plain(T x) { return x; }
    void mark(const void* entry);
    bool first_pass() const { return pass_ == 0; }
    bool compare_bits(const char* what, DType dtype, const Memory& got, size_t item);
    bool close(DType dtype, double got, const Want& want, double roundings) const;
    static double allowed(DType dtype, const Want& want, double roundings);
    void wrong(const char* what, DType dtype, int64_t i, const std::string& got, const std::string& want,
               double allowed);
    void fail(const std::string& message);

    std::string family_, where_;
    int pass_ = 0, threads_ = 1;
    size_t next_ = 0;                               // comparison of this pass
    std::vector<std::vector<unsigned char>> first_; // what the comparisons of the first pass saw
    std::vector<bool> called_;
    int64_t failures_ = 0, family_failures_ = 0, comparisons_ = 0;
};

// Sizes around whole vectors of every width.
inline constexpr int64_t kSizes[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100};
inline constexpr int64_t kLargeSize = 70003; // several blocks of any kernel

#define X(Type, name) void check_##name(Checks& c);
DT_FAMILIES(X)
#undef X

} // namespace dt::check
