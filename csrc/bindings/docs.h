#pragma once
#include <string>

// The docstrings of the compiled functions: one style (Google's), and the sentences that many of them share.
namespace dt::bindings {

struct Doc {
    const char* summary;
    const char* args; // "x: Tensor of any shape.\naxis: ..."; a line that begins with a blank goes on
    const char* returns;
    const char* raises;  // "ValueError: where ..."
    const char* example; // ">>> ...\n..."

    // From one string too: a docstring that is written out, or for what is private.
    Doc(const char* summary_, const char* args_ = "", const char* returns_ = "", const char* raises_ = "",
        const char* example_ = "")
        : summary(summary_), args(args_), returns(returns_), raises(raises_), example(example_) {}
    // The same for one that a function put together: to be read while that string lives.
    Doc(const std::string& written) : Doc(written.c_str()) {}
};

[[gnu::cold]] inline void add_section(std::string& text, const char* title, const char* lines) {
    if (!*lines) return;
    text += std::string("\n\n") + title + ":";
    std::string line;
    for (const char* c = lines;; ++c) {
        if (*c && *c != '\n') {
            line += *c;
            continue;
        }
        text += "\n    " + line;
        line.clear();
        if (!*c) return;
    }
}

[[gnu::cold]] inline std::string to_text(const Doc& doc) {
    std::string text = doc.summary;
    add_section(text, "Args", doc.args);
    add_section(text, "Returns", doc.returns);
    add_section(text, "Raises", doc.raises);
    add_section(text, "Example", doc.example);
    return text;
}

// What an elementwise function takes, and what comes out.
enum class Takes { numbers, any, floats, bits, tests };

[[gnu::cold]] inline Doc elementwise(Takes takes, const char* summary, const char* example) {
    switch (takes) {
    case Takes::numbers:
        return {summary, "x: Tensor of any shape, of integers or floats.",
                "Tensor of the shape and dtype of x.", "TypeError: for bool, and for what is no Tensor.",
                example};
    case Takes::any:
        return {summary, "x: Tensor of any shape and dtype.",
                "Tensor of the shape of x; bool and integers give float32, floats keep their dtype.",
                "TypeError: for what is no Tensor.", example};
    case Takes::floats:
        return {summary, "x: Tensor of any shape, of a floating-point dtype.",
                "Tensor of the shape and dtype of x.",
                "TypeError: for bool and integers, and for what is no Tensor.", example};
    case Takes::bits:
        return {summary, "x: Tensor of any shape, of bool or integers.",
                "Tensor of the shape and dtype of x.", "TypeError: for floats, and for what is no Tensor.",
                example};
    default:
        return {summary, "x: Tensor of any shape and dtype.", "Tensor of bool, of the shape of x.",
                "TypeError: for what is no Tensor.", example};
    }
}

[[gnu::cold]] inline Doc elementwise_pair(Takes takes, const char* summary, const char* example) {
    const char* args =
        "x1, x2: Tensors whose shapes broadcast; one of them may be a number, which takes the dtype of\n"
        "    the other.";
    switch (takes) {
    case Takes::numbers:
        return {summary, args, "Tensor of the broadcast shape and the promoted dtype.",
                "ValueError: where the shapes do not broadcast.\nTypeError: for bool, and for other kinds.",
                example};
    case Takes::bits:
        return {summary, args, "Tensor of the broadcast shape and the promoted dtype.",
                "ValueError: where the shapes do not broadcast.\nTypeError: for floats, and for other kinds.",
                example};
    case Takes::tests:
        return {summary, args, "Tensor of bool, of the broadcast shape.",
                "ValueError: where the shapes do not broadcast.\nTypeError: for other kinds.", example};
    default:
        return {summary, args,
                "Tensor of the broadcast shape and the promoted dtype; bool and integers give float32.",
                "ValueError: where the shapes do not broadcast.\nTypeError: for other kinds.", example};
    }
}

// A function over `axis`; `returns` ends the sentence "Tensor without those axes ...".
[[gnu::cold]] inline Doc reduction(const char* summary, const char* returns, const char* example,
                                   const char* more = "") {
    static std::string args; // read before the next call
    args = std::string("x: Tensor of any shape and dtype.\n"
                       "axis: An int, several, or None for all axes.\n") +
           more + "keepdims: Whether the reduced axes stay, with size 1.";
    return {summary, args.c_str(), returns,
            "IndexError: where axis is out of range.\nTypeError: for what is no Tensor.", example};
}

// "t.exp_()": the function of that name, in place.
[[gnu::cold]] inline std::string in_place_doc(const std::string& name, const std::string& arguments = "") {
    return "The same as `" + name +
           "`, in place.\n\nReturns:\n    The tensor itself.\n\nRaises:\n"
           "    TypeError: where the result would have another dtype.\n"
           "    RuntimeError: for a leaf that requires a gradient.\n\nExample:\n"
           "    >>> t = dt.tensor([0.5, 1.0])\n    >>> t." +
           name + "_(" + arguments + ") is t\n    True";
}

} // namespace dt::bindings
