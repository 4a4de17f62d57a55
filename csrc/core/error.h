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

// One piece of a message. Refers to what it was made of, and so lasts no longer than the call it stands in: a
// check then costs little code where it is written.
class Text {
  public:
    Text(const char* v) : kind_(Kind::characters), characters_(v) {}
    Text(const std::string& v) : kind_(Kind::string), string_(&v) {}
    Text(const std::string_view& v) : kind_(Kind::view), view_(&v) {}
    Text(int64_t v) : kind_(Kind::integer), integer_(v) {}
    Text(int v) : Text(int64_t{v}) {}
    Text(size_t v) : Text(static_cast<int64_t>(v)) {}
    Text(double v) : kind_(Kind::real), real_(v) {}
    Text(const Dims& v) : kind_(Kind::dims), dims_(&v) {}
    Text(DType v) : kind_(Kind::dtype), dtype_(v) {}
    void append_to(std::string& s) const;

  private:
    enum class Kind { characters, string, view, integer, real, dims, dtype } kind_;
    union {
        const char* characters_;
        const std::string* string_;
        const std::string_view* view_;
        int64_t integer_;
        double real_;
        const Dims* dims_;
        DType dtype_;
    };
};

[[gnu::cold]] std::string join(std::initializer_list<Text> parts);

// Messages read "conv2d: input has 3 channels (shape (32, 28, 28, 3), NHWC), but weight (8, 3, 3, 1) expects
// 1".
[[noreturn, gnu::cold]] void value_error(std::initializer_list<Text> parts);
[[noreturn, gnu::cold]] void type_error(std::initializer_list<Text> parts);
[[noreturn, gnu::cold]] void index_error(std::initializer_list<Text> parts);
[[noreturn, gnu::cold]] void runtime_error(std::initializer_list<Text> parts);
[[noreturn, gnu::cold]] void float_error(std::initializer_list<Text> parts);

} // namespace dt
