#include "kernels/cpu/common.h"
#include "kernels/cpu/elementwise_parts.h"
#include "kernels/cpu/map.h"

namespace dt::cpu::DT_LEVEL {
namespace {

template <class T> Mapped compare_op(CompareOp op) {
#define DT_COMPARE(name, symbol)                                                                             \
    case CompareOp::name:                                                                                    \
        return map_scalar<uint8_t, T, 2>([](T a, T b, T) DT_INLINE_LAMBDA { return uint8_t(a symbol b); });
    switch (op) {
        DT_COMPARE(equal, ==)
        DT_COMPARE(not_equal, !=)
        DT_COMPARE(less, <)
        DT_COMPARE(less_equal, <=)
        DT_COMPARE(greater, >)
        DT_COMPARE(greater_equal, >=)
    case CompareOp::count:
        break;
    }
    return {};
}

// Of floats.
template <class T> Mapped predicate_op(PredicateOp op) {
    constexpr T infinity = T(__builtin_inf());
    switch (op) {
    case PredicateOp::is_nan:
        return map_scalar<uint8_t, T, 1>([](T x, T) DT_INLINE_LAMBDA { return uint8_t(x != x); });
    case PredicateOp::is_finite:
        return map_scalar<uint8_t, T, 1>(
            [](T x, T) DT_INLINE_LAMBDA { return uint8_t(x < infinity && x > -infinity); });
    case PredicateOp::is_inf:
        return map_scalar<uint8_t, T, 1>(
            [](T x, T) DT_INLINE_LAMBDA { return uint8_t(x == infinity || x == -infinity); });
    case PredicateOp::logical_not:
        return map_scalar<uint8_t, T, 1>([](T x, T) DT_INLINE_LAMBDA { return uint8_t(x == 0); });
    case PredicateOp::count:
        break;
    }
    return {};
}
// Integers are always finite.
template <class T> Mapped integer_predicate(PredicateOp op) {
    if (op == PredicateOp::logical_not)
        return map_scalar<uint8_t, T, 1>([](T x, T) DT_INLINE_LAMBDA { return uint8_t(x == 0); });
    if (op == PredicateOp::is_finite)
        return map_scalar<uint8_t, T, 1>([](T, T) DT_INLINE_LAMBDA { return uint8_t(1); });
    return map_scalar<uint8_t, T, 1>([](T, T) DT_INLINE_LAMBDA { return uint8_t(0); });
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
    Mapped mapped;
    switch (dtype) {
    case DType::boolean:
    case DType::uint8:
        mapped = compare_op<uint8_t>(op);
        break;
    case DType::int32:
        mapped = compare_op<int32_t>(op);
        break;
    case DType::int64:
        mapped = compare_op<int64_t>(op);
        break;
    case DType::float64:
        mapped = compare_op<double>(op);
        break;
    default:
        mapped = compare_op<float>(op);
        break;
    }
    const Storage s = storage_of(dtype), storage[] = {Storage::bytes1, s, s};
    if (mapped.run) walk(loop, storage, mapped.run, nullptr, mapped.grain);
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
    if (mapped.run) walk(loop, storage, mapped.run, nullptr, mapped.grain);
}

void where(DType dtype, const Loop& loop) {
    const Storage s = raw_storage_of(dtype), storage[] = {s, Storage::bytes1, s, s};
    constexpr Run runs[] = {select_run<uint8_t>, select_run<uint16_t>, select_run<uint32_t>,
                            select_run<uint64_t>};
    walk(loop, storage, runs[int(s)], nullptr, kCheapGrain);
}

} // namespace dt::cpu::DT_LEVEL
