#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace dt {

// The order within a kind is the order of promotion.
enum class DType : uint8_t { boolean, uint8, int32, int64, float16, bfloat16, float32, float64 };
inline constexpr int kDTypeCount = 8;

// Always inline: kernels compiled for size would keep a copy, which others could be linked with.
[[gnu::always_inline]] inline constexpr size_t item_size(DType d) {
    constexpr size_t sizes[] = {1, 1, 4, 8, 2, 2, 4, 8};
    return sizes[static_cast<int>(d)];
}
inline constexpr bool is_floating(DType d) { return d >= DType::float16; }
inline constexpr bool is_half(DType d) { return d == DType::float16 || d == DType::bfloat16; }
inline constexpr bool is_integer(DType d) { return d >= DType::uint8 && d <= DType::int64; }
const char* name(DType d);

// Array API promotion; an integer with a float gives the float's dtype, float16 with bfloat16 float32.
DType promote(DType a, DType b);
// The dtype of a result of true division or of exp, sqrt, ...: integers and bool become float32.
inline constexpr DType floating_of(DType d) { return is_floating(d) ? d : DType::float32; }

// Storage types of the half formats, converted with round to nearest even; NaN stays NaN.
struct bfloat16_t {
    uint16_t bits;
};
struct float16_t {
    uint16_t bits;
};

} // namespace dt
