// Conversions between dtypes.
#include "kernels/cpu/common.h"
#include "kernels/cpu/elementwise_parts.h"
#include "kernels/cpu/half.h"
#include "kernels/cpu/map.h"

namespace dt::cpu::DT_LEVEL {
namespace {

template <class To, class From> DT_INLINE To convert_value(From x) {
    constexpr bool holds_limits = sizeof(To) == 1 || (sizeof(To) == 4 && sizeof(From) == 8);
    if constexpr (kFloating<From> && !kFloating<To> && holds_limits) {
        constexpr From low = From(sizeof(To) == 1 ? 0 : INT32_MIN);
        constexpr From high = From(sizeof(To) == 1 ? UINT8_MAX : INT32_MAX);
        const From above = x > low ? x : sizeof(To) == 1 || x == x ? low : From(0);
        return To(int32_t(above < high ? above : high));
    } else if constexpr (kFloating<From> && !kFloating<To>) {
        // The limits as the float type holds them: the highest integer rounds up to a power of two, which is
        // out of range.
        constexpr From low = From(sizeof(To) == 4 ? -0x1p31 : -0x1p63);
        constexpr From high = From(sizeof(To) == 4 ? 0x1p31 : 0x1p63);
        constexpr To highest = To((uint64_t{1} << (8 * sizeof(To) - 1)) - 1),
                     lowest = To(-int64_t(highest) - 1);
        if (x != x) return 0;
        if (!(x < high)) return highest;
        if (!(x > low)) return lowest;
    }
    return To(x);
}

template <class To, class From> void convert_run(int64_t n, void* const* data, const void*) {
    To* out = static_cast<To*>(data[0]);
    const From* in = static_cast<const From*>(data[1]);
    for (int64_t i = 0; i < n; ++i) out[i] = convert_value<To>(in[i]);
}
#if defined(DT_LEVEL_v3) || defined(DT_LEVEL_v4)
// The compiler's own loops for these take two to three times as long. What is out of range comes out as the
// smallest integer: of too large values all bits are turned.
void single_run(int64_t n, void* const* data, const void*) {
    int32_t* out = static_cast<int32_t*>(data[0]);
    const float* in = static_cast<const float*>(data[1]);
    for_vectors<float>(n, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
        const Vec<float> x = load(in + i, part);
#if defined(DT_LEVEL_v4)
        const __mmask16 number = _mm512_cmp_ps_mask((__m512)x, (__m512)x, _CMP_ORD_Q);
        const __mmask16 large = _mm512_cmp_ps_mask((__m512)x, _mm512_set1_ps(0x1p31f), _CMP_GE_OQ);
        const __m512i whole = _mm512_maskz_cvttps_epi32(number, (__m512)x);
        const Vec<int32_t> y =
            (Vec<int32_t>)_mm512_mask_mov_epi32(whole, large, _mm512_set1_epi32(INT32_MAX));
#else
        const Vec<int32_t> y = ((Vec<int32_t>)_mm256_cvttps_epi32((__m256)x) ^ (x >= 0x1p31f)) & (x == x);
#endif
        store(out + i, y, part);
    });
}
template <class To> void double_run(int64_t n, void* const* data, const void*) {
    To* out = static_cast<To*>(data[0]);
    const double* in = static_cast<const double*>(data[1]);
    constexpr bool byte = sizeof(To) == 1;
    const Vec<double> low = broadcast(byte ? 0.0 : -0x1p31), high = broadcast(byte ? 255.0 : 0x1p31 - 1);
    int64_t i = 0;
    for (; i + kLanes<double> <= n; i += kLanes<double>) {
        const Vec<double> x = load(in + i);
        const Vec<double> number = (Vec<double>)((Vec<int64_t>)clamp(x, low, high) & (x == x)); // NaN gives 0
#if defined(DT_LEVEL_v4)
        const __m256i whole = _mm512_maskz_cvttpd_epi32(__mmask8(-1), (__m512d)number);
        const __m128i bytes = _mm256_maskz_cvtepi32_epi8(__mmask8(-1), whole);
#else
        const __m128i whole = _mm256_cvttpd_epi32((__m256d)number);
        const __m128i pairs = _mm_packus_epi32(whole, whole), bytes = _mm_packus_epi16(pairs, pairs);
#endif
        if constexpr (byte)
            memcpy(out + i, &bytes, kLanes<double>);
        else
            memcpy(out + i, &whole, sizeof whole);
    }
    for (; i < n; ++i) out[i] = convert_value<To>(in[i]);
}
#endif
template <class From> void bool_run(int64_t n, void* const* data, const void*) {
    uint8_t* out = static_cast<uint8_t*>(data[0]);
    const From* in = static_cast<const From*>(data[1]);
    for (int64_t i = 0; i < n; ++i) out[i] = in[i] != 0;
}
// On the way to a half format: rounding to odd keeps the second rounding from going wrong. Of an integer with
// too many bits the lowest are replaced by one that says whether there were any.
DT_INLINE float odd_float(double x) {
    const float y = float(x);
    uint32_t bits = __builtin_bit_cast(uint32_t, y);
    const double ax = __builtin_fabs(x), ay = __builtin_fabs(double(y));
    if (ay > ax) bits -= 1; // back to truncation; of infinity the greatest float
    if (ay != ax && x == x) bits |= 1;
    return __builtin_bit_cast(float, bits);
}
DT_INLINE float odd_float(int32_t x) {
    const int32_t few = (x & ~0xff) | (x & 0xff ? 0x80 : 0);
    return float(x >= -(1 << 24) && x <= 1 << 24 ? x : few);
}
DT_INLINE float odd_float(int64_t x) {
    const int64_t few = (x & ~int64_t{0x7ff}) | (x & 0x7ff ? 0x400 : 0);
    return odd_float(double(x >= -(int64_t{1} << 53) && x <= int64_t{1} << 53 ? x : few));
}
template <class From> void odd_float_run(int64_t n, void* const* data, const void*) {
    float* out = static_cast<float*>(data[0]);
    const From* in = static_cast<const From*>(data[1]);
    if constexpr (!kFloating<From>) { // mostly all of them are exact
        constexpr uint64_t limit = uint64_t{1} << 24;
        uint64_t beyond = 0;
        for (int64_t i = 0; i < n; ++i) beyond |= (uint64_t(int64_t(in[i])) + limit) & -(2 * limit);
        if (!beyond) return convert_run<float, From>(n, data, nullptr);
    }
    for (int64_t i = 0; i < n; ++i) out[i] = odd_float(in[i]);
}

#if defined(DT_LEVEL_v4)
// kLanes<float> values as floats rounded to odd, or exact.
DT_INLINE Vec<float> odd_floats(const uint8_t* p) {
    constexpr __mmask16 all = __mmask16(-1);
    const __m512i whole =
        _mm512_maskz_cvtepu8_epi32(all, _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    return (Vec<float>)_mm512_maskz_cvtepi32_ps(all, whole);
}
DT_INLINE Vec<float> odd_floats(const int32_t* p) {
    constexpr int32_t limit = 1 << 24;
    const __m512i x = _mm512_loadu_si512(p), lowest = _mm512_set1_epi32(0xff);
    const __mmask16 far = _mm512_cmp_epu32_mask(_mm512_add_epi32(x, _mm512_set1_epi32(limit)),
                                                _mm512_set1_epi32(2 * limit), _MM_CMPINT_NLE);
    const __mmask16 more = _mm512_mask_test_epi32_mask(far, x, lowest);
    const __m512i few = _mm512_mask_andnot_epi32(x, far, lowest, x);
    const __m512i kept = _mm512_mask_or_epi32(few, more, few, _mm512_set1_epi32(0x80));
    return (Vec<float>)_mm512_maskz_cvtepi32_ps(__mmask16(-1), kept);
}
DT_INLINE HalfVec<float> odd_half(__m512d x) { // towards zero, then the last bit where that was not exact
    constexpr __mmask8 all = __mmask8(-1);
    const __m256 y = _mm512_maskz_cvt_roundpd_ps(all, x, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
    const __mmask8 inexact = _mm512_cmp_pd_mask(_mm512_maskz_cvtps_pd(all, y), x, _CMP_NEQ_OQ);
    return (HalfVec<float>)_mm256_mask_or_epi32((__m256i)y, inexact, (__m256i)y, _mm256_set1_epi32(1));
}
DT_INLINE Vec<float> odd_floats(const double* p) {
    return join(odd_half(_mm512_loadu_pd(p)), odd_half(_mm512_loadu_pd(p + 8)));
}
// To a half format as it lies in memory. Bytes need no rounding.
template <class S, class From> void half_from_run(int64_t n, void* const* data, const void*) {
    constexpr int64_t w = kLanes<float>;
    S* out = static_cast<S*>(data[0]);
    const From* in = static_cast<const From*>(data[1]);
    int64_t i = 0;
    for (; i + 2 * w <= n; i += 2 * w)
        store_pair<S, sizeof(From) == 1>(out + i, odd_floats(in + i), odd_floats(in + i + w));
    if (i == n) return;
    From rest[2 * w] = {};
    memcpy(rest, in + i, size_t(n - i) * sizeof(From));
    for (int64_t j = 0; j < n - i; j += w) store_upto(out + i + j, odd_floats(rest + j), n - i - j);
}
template <class From> Run half_run_from(DType to) {
    return to == DType::float16 ? half_from_run<float16_t, From> : half_from_run<bfloat16_t, From>;
}
Run direct_conversion(DType from, DType to) {
    if (!is_half(to)) return nullptr;
    switch (from) {
    case DType::boolean:
    case DType::uint8:
        return half_run_from<uint8_t>(to);
    case DType::int32:
        return half_run_from<int32_t>(to);
    case DType::float64:
        return half_run_from<double>(to);
    default:
        return nullptr;
    }
}
#else
Run direct_conversion(DType, DType) { return nullptr; }
#endif

constexpr int64_t kFetchAhead = 8192; // bytes

// float32 from and to the half formats as they lie in memory.
template <class S> void widen_run(int64_t n, void* const* data, const void*) {
    convert_array<S>(n, static_cast<const uint16_t*>(data[1]), static_cast<float*>(data[0]));
}
// Past the caches, without the buffer that walk() would take; what is read is asked for in time.
template <class To, class From> void stream_values(const Loop& loop) {
    constexpr int64_t w = kLanes<float>;
    To* to = static_cast<To*>(loop.data[0]);
    const From* from = static_cast<const From*>(loop.data[1]);
    parallel(loop.shape.product(), kCheapGrain, [&](int64_t begin, int64_t end) {
        int64_t i = begin;
        for (; i + 4 * w <= end; i += 4 * w) {
            for (int64_t j = 0; j < 4 * w; j += 64 / int64_t(sizeof(From)))
                __builtin_prefetch(from + i + j + kFetchAhead / int64_t(sizeof(From)));
            Vec<float> v[4];
            for (int j = 0; j < 4; ++j) v[j] = load(from + i + j * w);
            for (int j = 0; j < 4; ++j) stream(to + i + j * w, v[j], Whole{});
        }
        for_vectors<float>(end - i, [&](int64_t j, auto part) DT_INLINE_LAMBDA {
            stream(to + i + j, load(from + i + j, part), part);
        });
        finish_streaming();
    });
}
template <class S> void narrow_run(int64_t n, void* const* data, const void*) {
    convert_array<S>(n, static_cast<const float*>(data[1]), static_cast<uint16_t*>(data[0]));
}

template <class From> Run run_from(DType to) {
#if defined(DT_LEVEL_v3) || defined(DT_LEVEL_v4)
    if constexpr (__is_same(From, float)) {
        if (to == DType::int32) return single_run;
    }
    if constexpr (kFloating<From> && sizeof(From) == 8) {
        if (to == DType::uint8) return double_run<uint8_t>;
        if (to == DType::int32) return double_run<int32_t>;
    }
#endif
    switch (to) {
    case DType::boolean:
        return bool_run<From>;
    case DType::uint8:
        return convert_run<uint8_t, From>;
    case DType::int32:
        return convert_run<int32_t, From>;
    case DType::int64:
        return convert_run<int64_t, From>;
    case DType::float64:
        return convert_run<double, From>;
    default:
        return convert_run<float, From>;
    }
}

bool streams(const Loop& loop, int64_t to_item, int64_t from_item) {
    int64_t n = 1;
    for (int d = loop.shape.rank() - 1; d >= 0; n *= loop.shape[d--])
        if (loop.shape[d] != 1 && (loop.strides[0][d] != n * to_item || loop.strides[1][d] != n * from_item))
            return false;
    return can_stream(static_cast<const char*>(loop.data[0]), n * to_item, kVectorBytes);
}

Run conversion(DType from, DType to) {
    if (is_half(to)) {
        if (from == DType::float64) return odd_float_run<double>;
        if (from == DType::int32) return odd_float_run<int32_t>;
        if (from == DType::int64) return odd_float_run<int64_t>;
    }
    switch (from) {
    case DType::boolean:
    case DType::uint8:
        return run_from<uint8_t>(to);
    case DType::int32:
        return run_from<int32_t>(to);
    case DType::int64:
        return run_from<int64_t>(to);
    case DType::float64:
        return run_from<double>(to);
    default:
        return run_from<float>(to);
    }
}

} // namespace

void convert(DType from, DType to, const Loop& loop) {
    if (from == to) return copy(from, loop);
    if ((from == DType::float32 && is_half(to)) || (to == DType::float32 && is_half(from))) {
        const Storage storage[] = {raw_storage_of(to), raw_storage_of(from)};
        const Run run = to == DType::float16     ? narrow_run<float16_t>
                        : to == DType::bfloat16  ? narrow_run<bfloat16_t>
                        : from == DType::float16 ? widen_run<float16_t>
                                                 : widen_run<bfloat16_t>;
        if (streams(loop, int64_t(item_size(to)), int64_t(item_size(from))))
            return to == DType::float16     ? stream_values<float16_t, float>(loop)
                   : to == DType::bfloat16  ? stream_values<bfloat16_t, float>(loop)
                   : from == DType::float16 ? stream_values<float, float16_t>(loop)
                                            : stream_values<float, bfloat16_t>(loop);
        return walk(loop, storage, run, nullptr, kCheapGrain);
    }
    const Storage storage[] = {storage_of(to), storage_of(from)};
    walk(loop, storage, conversion(from, to), nullptr, kCheapGrain, direct_conversion(from, to));
}

} // namespace dt::cpu::DT_LEVEL
