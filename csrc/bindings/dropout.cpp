#include "ops/dropout.h"

#include "bindings/docs.h"
#include "bindings/families.h"
#include "bindings/op.h"

namespace dt::bindings {

void bind_dropout(py::module_& m) {
    op<&ops::dropout>(
        m, "dropout",
        {"In training, zeros elements at random (Srivastava et al., 2014).\n\n"
         "The mask is not stored: the backward pass draws it again.",
         "input: Tensor of any shape, of floats.\np: The probability of a zero; the others "
         "are divided by 1 - p.\n"
         "training: False gives input itself.\ngenerator: Where the random numbers come from; None "
         "for the default generator.",
         "Tensor of the shape and dtype of input.",
         "ValueError: unless 0 <= p <= 1.\nTypeError: for other dtypes.",
         ">>> dt.dropout(dt.tensor([1.0, 2.0]), p=0.5, training=False).tolist()\n[1.0, 2.0]"},
        {"input"_a, "p"_a = 0.5, "training"_a = true, keyword("generator"_a = py::none())});
    const char* arguments =
        "input: Tensor of any shape, of floats.\np: The probability of being dropped.\n"
        "shared: For each axis of input its size, or 1 where all elements along it are kept "
        "or dropped together.\n"
        "training: False gives input itself.\ngenerator: Where the random numbers come from; "
        "None for the default generator.";
    const char* raises = "ValueError: unless 0 <= p <= 1, and where shared does not fit.\n"
                         "TypeError: for other dtypes.";
    const std::vector<Arg> given{"input"_a, "p"_a, "shared"_a, "training"_a = true,
                                 keyword("generator"_a = py::none())};
    op<&ops::shared_dropout>(
        m, "shared_dropout",
        {"Dropout of whole channels, rows or samples (Tompson et al., 2015; Huang et al., 2016).\n\n"
         "The backward pass draws the same mask again.",
         arguments, "Tensor of the shape and dtype of input.", raises,
         ">>> x = dt.shared_dropout(dt.ones((2, 4, 4, 3)), 0.5, (2, 1, 1, 3))\n"
         ">>> (x == x[:, :1, :1]).all().item()\nTrue"},
        given);
    op<&ops::alpha_dropout>(
        m, "alpha_dropout",
        {"Dropout for networks of SELU, which keeps mean 0 and variance 1 (Klambauer et al., 2017).\n\n"
         "What is dropped becomes the least value of SELU; then all is scaled and shifted.",
         arguments, "Tensor of the shape and dtype of input.", raises,
         ">>> dt.alpha_dropout(dt.ones((2,)), 0.5, (2,), training=False).tolist()\n[1.0, 1.0]"},
        given);
}

} // namespace dt::bindings
