#pragma once
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>

#include "core/dims.h"
#include "core/dtype.h"

namespace dt {

struct ValueError : std::runtime_error {
    using std::runtime_error::runtime_error;
};
struct TypeError : std::runtime_error {
    using std::runtime_error::runtime_error;
};
struct IndexError : std::runtime_error {
    using std::runtime_error::runtime_error;
};
struct RuntimeError : std::runtime_error { // a call at the wrong time, e.g. a second backward
    using std::runtime_error::runtime_error;
};
struct FloatError : std::runtime_error { // infinity or NaN where they must not be
    using std::runtime_error::runtime_error;
};
struct MemoryError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// One piece of a message.
struct Text {
    std::string s;
    Text(const char* v) : s(v) {}
    Text(std::string v) : s(std::move(v)) {}
    Text(std::string_view v) : s(v) {}
    Text(int64_t v) : s(std::to_string(v)) {}
    Text(int v) : s(std::to_string(v)) {}
    Text(size_t v) : s(std::to_string(v)) {}
    Text(double v);
    Text(const Dims& v) : s(to_string(v)) {}
    Text(DType v) : s(name(v)) {}
};

std::string join(std::initializer_list<Text> parts);

// Messages read "conv2d: input has 3 channels (shape (32, 28, 28, 3), NHWC), but weight (8, 3, 3, 1) expects
// 1".
[[noreturn]] void value_error(std::initializer_list<Text> parts);
[[noreturn]] void type_error(std::initializer_list<Text> parts);
[[noreturn]] void index_error(std::initializer_list<Text> parts);
[[noreturn]] void runtime_error(std::initializer_list<Text> parts);
[[noreturn]] void float_error(std::initializer_list<Text> parts);

} // namespace dt
