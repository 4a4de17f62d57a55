#include "kernels/cpu/sort.h"

#include <cstdlib>

#include "kernels/cpu/common.h"
#include "kernels/cpu/half.h"

namespace dt::cpu::DT_LEVEL {
namespace {

// True where a stands before b in every stable order: NaN goes last whichever the direction.
template <class T> DT_INLINE bool before(T a, T b, bool descending) {
    if (b != b) return a == a;
    return descending ? a > b : a < b;
}

struct HalfKey {
    static float read(const float16_t& x) { return from_float16(x.bits); }
    static float read(const bfloat16_t& x) { return from_bfloat16(x.bits); }
    template <class T> static T read(const T& x) { return x; }
};

// Merge sort from runs of 16 that are sorted by insertion. `scratch` holds n positions.
template <class T> void sort_row(int64_t n, bool descending, const T* in, int64_t* out, int64_t* scratch) {
    constexpr int64_t run = 16;
    const auto less = [&](int64_t a, int64_t b) DT_INLINE_LAMBDA {
        return before(HalfKey::read(in[a]), HalfKey::read(in[b]), descending);
    };
    for (int64_t i = 0; i < n; ++i) out[i] = i;
    for (int64_t begin = 0; begin < n; begin += run) {
        const int64_t end = begin + run < n ? begin + run : n;
        for (int64_t i = begin + 1; i < end; ++i) {
            const int64_t x = out[i];
            int64_t j = i;
            for (; j > begin && less(x, out[j - 1]); --j) out[j] = out[j - 1];
            out[j] = x;
        }
    }
    int64_t *from = out, *to = scratch;
    for (int64_t width = run; width < n; width *= 2) {
        for (int64_t begin = 0; begin < n; begin += 2 * width) {
            const int64_t middle = begin + width < n ? begin + width : n;
            const int64_t end = middle + width < n ? middle + width : n;
            int64_t a = begin, b = middle;
            for (int64_t i = begin; i < end; ++i) {
                const bool right = a == middle || (b < end && less(from[b], from[a]));
                to[i] = right ? from[b++] : from[a++];
            }
        }
        int64_t* t = from;
        from = to;
        to = t;
    }
    if (from != out) memcpy(out, from, size_t(n) * sizeof(int64_t));
}

template <class T> void sort_rows(int64_t rows, int64_t n, bool descending, const void* in, int64_t* out) {
    parallel(rows, grain_for(n * 32), [&](int64_t begin, int64_t end) {
        int64_t on_stack[256];
        int64_t* scratch = n <= 256 ? on_stack : static_cast<int64_t*>(malloc(size_t(n) * sizeof(int64_t)));
        for (int64_t r = begin; r < end && scratch; ++r)
            sort_row(n, descending, static_cast<const T*>(in) + r * n, out + r * n, scratch);
        if (scratch != on_stack) free(scratch);
    });
}

} // namespace

void argsort(DType dtype, int64_t rows, int64_t n, bool descending, const void* in, int64_t* out) {
    switch (dtype) {
    case DType::boolean:
    case DType::uint8:
        return sort_rows<uint8_t>(rows, n, descending, in, out);
    case DType::int32:
        return sort_rows<int32_t>(rows, n, descending, in, out);
    case DType::int64:
        return sort_rows<int64_t>(rows, n, descending, in, out);
    case DType::float16:
        return sort_rows<float16_t>(rows, n, descending, in, out);
    case DType::bfloat16:
        return sort_rows<bfloat16_t>(rows, n, descending, in, out);
    case DType::float32:
        return sort_rows<float>(rows, n, descending, in, out);
    case DType::float64:
        return sort_rows<double>(rows, n, descending, in, out);
    }
}

} // namespace dt::cpu::DT_LEVEL
