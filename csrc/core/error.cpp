#include "core/error.h"

#include <cstdio>

namespace dt {

std::string to_string(const Dims& d) {
    std::string s = "(";
    for (int i = 0; i < d.rank(); ++i) {
        if (i) s += ", ";
        s += std::to_string(d[i]);
    }
    if (d.rank() == 1) s += ",";
    return s + ")";
}

const char* name(DType d) {
    constexpr const char* names[] = {"bool",    "uint8",    "int32",   "int64",
                                     "float16", "bfloat16", "float32", "float64"};
    return names[static_cast<int>(d)];
}

DType promote(DType a, DType b) {
    if (a == b) return a;
    if (is_half(a) && is_half(b)) return DType::float32;
    if (is_floating(a) != is_floating(b)) return is_floating(a) ? a : b;
    return a > b ? a : b;
}

void Text::append_to(std::string& s) const {
    switch (kind_) {
    case Kind::characters:
        s += characters_;
        return;
    case Kind::string:
        s += *string_;
        return;
    case Kind::view:
        s += *view_;
        return;
    case Kind::integer:
        s += std::to_string(integer_);
        return;
    case Kind::dims:
        s += to_string(*dims_);
        return;
    case Kind::dtype:
        s += name(dtype_);
        return;
    case Kind::real:
        break;
    }
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "%g", real_);
    s += real_ != real_ ? "nan" : buffer; // never "-nan"
}

std::string join(std::initializer_list<Text> parts) {
    std::string s;
    for (const Text& p : parts) p.append_to(s);
    return s;
}

void value_error(std::initializer_list<Text> parts) { throw ValueError(join(parts)); }
void type_error(std::initializer_list<Text> parts) { throw TypeError(join(parts)); }
void index_error(std::initializer_list<Text> parts) { throw IndexError(join(parts)); }
void runtime_error(std::initializer_list<Text> parts) { throw RuntimeError(join(parts)); }
void float_error(std::initializer_list<Text> parts) { throw FloatError(join(parts)); }

} // namespace dt
