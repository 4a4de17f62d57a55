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
}

} // namespace dt::bindings
