#include "kernels/cpu/common.h"
#include "kernels/cpu/elementwise_parts.h"
#include "kernels/cpu/map.h"

namespace dt::cpu::DT_LEVEL {
namespace {

#if defined(DT_LEVEL_v4)
// Comparisons give one bit for each lane, and 64 bits a vector of bytes: g++ 12 goes there by vectors of the
// compared type. F::bits(vectors...) compares; `same` where the second operand is one value.
template <class S, class F, int inputs, bool same> void bits_run(int64_t n, void* const* data, const void*) {
    using T = Arithmetic<S>;
    uint8_t* out = static_cast<uint8_t*>(data[0]);
    const S* a = static_cast<const S*>(data[1]);
    const S* b = static_cast<const S*>(data[inputs]);
    const __m512i one = _mm512_set1_epi8(1);
    [[maybe_unused]] const Vec<T> second = broadcast(load(b, Part{1})[0]);
    const auto bits_of = [&](int64_t i, auto part) DT_INLINE_LAMBDA {
        if constexpr (inputs == 1)
            return uint64_t(F::bits(load(a + i, part)));
        else if constexpr (same)
            return uint64_t(F::bits(load(a + i, part), second));
        else
            return uint64_t(F::bits(load(a + i, part), load(b + i, part)));
    };
    int64_t i = 0;
    for (; i + 64 <= n; i += 64) {
        uint64_t bits = 0;
        for (int j = 0; j < 64; j += kLanes<T>) bits |= bits_of(i + j, Whole{}) << j;
        _mm512_storeu_si512(out + i, _mm512_maskz_mov_epi8(bits, one));
    }
    if (i == n) return;
    uint64_t bits = 0;
    for_vectors<T>(n - i, [&](int64_t j, auto part) DT_INLINE_LAMBDA { bits |= bits_of(i + j, part) << j; });
    _mm512_mask_storeu_epi8(out + i, (uint64_t{1} << (n - i)) - 1, _mm512_maskz_mov_epi8(bits, one));
}

template <int of_floats, int of_integers> struct Compared {
    static DT_INLINE uint32_t bits(Vec<float> a, Vec<float> b) {
        return _mm512_cmp_ps_mask((__m512)a, (__m512)b, of_floats);
    }
    static DT_INLINE uint32_t bits(Vec<double> a, Vec<double> b) {
        return _mm512_cmp_pd_mask((__m512d)a, (__m512d)b, of_floats);
    }
    static DT_INLINE uint32_t bits(Vec<int32_t> a, Vec<int32_t> b) {
        return _mm512_cmp_epi32_mask((__m512i)a, (__m512i)b, of_integers);
    }
    static DT_INLINE uint32_t bits(Vec<int64_t> a, Vec<int64_t> b) {
        return _mm512_cmp_epi64_mask((__m512i)a, (__m512i)b, of_integers);
    }
};
using IsEqual = Compared<_CMP_EQ_OQ, _MM_CMPINT_EQ>;
using IsOther = Compared<_CMP_NEQ_UQ, _MM_CMPINT_NE>;
using IsLess = Compared<_CMP_LT_OQ, _MM_CMPINT_LT>;
using IsAtMost = Compared<_CMP_LE_OQ, _MM_CMPINT_LE>;
using IsMore = Compared<_CMP_GT_OQ, _MM_CMPINT_NLE>;
using IsAtLeast = Compared<_CMP_GE_OQ, _MM_CMPINT_NLT>;
template <char symbol> struct Logical {
    template <class V> static DT_INLINE uint32_t bits(V a, V b) {
        const uint32_t x = IsOther::bits(a, V{}), y = IsOther::bits(b, V{});
        return symbol == '&' ? x & y : symbol == '|' ? x | y : x ^ y;
    }
};
struct IsNan {
    template <class V> static DT_INLINE uint32_t bits(V x) { return Compared<_CMP_UNORD_Q, 0>::bits(x, x); }
};
struct IsZero {
    template <class V> static DT_INLINE uint32_t bits(V x) { return IsEqual::bits(x, V{}); }
};
template <int classes> struct Classified {
    static DT_INLINE uint32_t bits(Vec<float> x) { return _mm512_fpclass_ps_mask((__m512)x, classes); }
    static DT_INLINE uint32_t bits(Vec<double> x) { return _mm512_fpclass_pd_mask((__m512d)x, classes); }
};
using IsInfinite = Classified<0x18>;
struct IsFinite {
    template <class V> static DT_INLINE uint32_t bits(V x) {
        return ~Classified<0x99>::bits(x) & ((1u << kLanes<Lane<V>>)-1);
    }
};

template <class T, class F, int inputs, bool same> Mapped map_bits() {
    Mapped mapped{bits_run<T, F, inputs, same>};
    if constexpr (__is_same(T, float)) {
        mapped.float16 = bits_run<float16_t, F, inputs, same>;
        mapped.bfloat16 = bits_run<bfloat16_t, F, inputs, same>;
    }
    return mapped;
}
#define DT_BITS(type, T, inputs, same)                                                                       \
    if constexpr (sizeof(T) > 1)                                                                             \
        return same ? map_bits<T, type, inputs, true>() : map_bits<T, type, inputs, false>();
#else
#define DT_BITS(type, T, inputs, same)
#endif

template <class T> Mapped compare_op(CompareOp op, [[maybe_unused]] bool same_second) {
#define DT_COMPARE(name, type, body)                                                                         \
    case CompareOp::name:                                                                                    \
        DT_BITS(type, T, 2, same_second)                                                                     \
        return map_scalar<uint8_t, T, 2>([](T a, T b, T) DT_INLINE_LAMBDA { return uint8_t(body); });
    switch (op) {
        DT_COMPARE(equal, IsEqual, a == b)
        DT_COMPARE(not_equal, IsOther, a != b)
        DT_COMPARE(less, IsLess, a < b)
        DT_COMPARE(less_equal, IsAtMost, a <= b)
        DT_COMPARE(greater, IsMore, a > b)
        DT_COMPARE(greater_equal, IsAtLeast, a >= b)
        DT_COMPARE(logical_and, Logical<'&'>, (a != 0) & (b != 0))
        DT_COMPARE(logical_or, Logical<'|'>, (a != 0) | (b != 0))
        DT_COMPARE(logical_xor, Logical<'^'>, (a != 0) ^ (b != 0))
    case CompareOp::count:
        break;
    }
    return {};
}

#define DT_PREDICATE(name, type, body)                                                                       \
    case PredicateOp::name:                                                                                  \
        DT_BITS(type, T, 1, false)                                                                           \
        return map_scalar<uint8_t, T, 1>([](T x, T) DT_INLINE_LAMBDA { return uint8_t(body); });
// Of floats.
template <class T> Mapped predicate_op(PredicateOp op) {
    [[maybe_unused]] constexpr T infinity = T(__builtin_inf());
    switch (op) {
        DT_PREDICATE(is_nan, IsNan, x != x)
        DT_PREDICATE(is_finite, IsFinite, x < infinity && x > -infinity)
        DT_PREDICATE(is_inf, IsInfinite, x == infinity || x == -infinity)
        DT_PREDICATE(logical_not, IsZero, x == 0)
    case PredicateOp::count:
        break;
    }
    return {};
}
// Integers are always finite.
template <class T> Mapped integer_predicate(PredicateOp op) {
    switch (op) {
        DT_PREDICATE(logical_not, IsZero, x == 0)
    case PredicateOp::is_finite:
        return map_scalar<uint8_t, T, 1>([](T, T) DT_INLINE_LAMBDA { return uint8_t(1); });
    default:
        return map_scalar<uint8_t, T, 1>([](T, T) DT_INLINE_LAMBDA { return uint8_t(0); });
    }
}

template <class T> void select_run(int64_t n, void* const* data, const void*) {
    T* out = static_cast<T*>(data[0]);
    const uint8_t* condition = static_cast<const uint8_t*>(data[1]);
    const T *a = static_cast<const T*>(data[2]), *b = static_cast<const T*>(data[3]);
    for (int64_t i = 0; i < n; ++i) {
        const T yes = a[i], no = b[i];
        out[i] = condition[i] ? yes : no;
    }
}

} // namespace

void compare(CompareOp op, DType dtype, const Loop& loop) {
    const bool same_second = is_one_value(loop, 2);
    Mapped mapped;
    switch (dtype) {
    case DType::boolean:
    case DType::uint8:
        mapped = compare_op<uint8_t>(op, same_second);
        break;
    case DType::int32:
        mapped = compare_op<int32_t>(op, same_second);
        break;
    case DType::int64:
        mapped = compare_op<int64_t>(op, same_second);
        break;
    case DType::float64:
        mapped = compare_op<double>(op, same_second);
        break;
    default:
        mapped = compare_op<float>(op, same_second);
        break;
    }
    const Storage s = storage_of(dtype), storage[] = {Storage::bytes1, s, s};
    if (mapped.run) walk(loop, storage, mapped.run, nullptr, mapped.grain, mapped.half(dtype));
}

void predicate(PredicateOp op, DType dtype, const Loop& loop) {
    Mapped mapped;
    switch (dtype) {
    case DType::boolean:
    case DType::uint8:
        mapped = integer_predicate<uint8_t>(op);
        break;
    case DType::int32:
        mapped = integer_predicate<int32_t>(op);
        break;
    case DType::int64:
        mapped = integer_predicate<int64_t>(op);
        break;
    case DType::float64:
        mapped = predicate_op<double>(op);
        break;
    default:
        mapped = predicate_op<float>(op);
        break;
    }
    const Storage storage[] = {Storage::bytes1, storage_of(dtype)};
    if (mapped.run) walk(loop, storage, mapped.run, nullptr, mapped.grain, mapped.half(dtype));
}

void where(DType dtype, const Loop& loop) {
    const Storage s = raw_storage_of(dtype), storage[] = {s, Storage::bytes1, s, s};
    constexpr Run runs[] = {select_run<uint8_t>, select_run<uint16_t>, select_run<uint32_t>,
                            select_run<uint64_t>};
    walk(loop, storage, runs[int(s)], nullptr, kCheapGrain);
}

} // namespace dt::cpu::DT_LEVEL
