#include "ops/dropout.h"

#include "bindings/families.h"
#include "bindings/op.h"

namespace dt::bindings {

void bind_dropout(py::module_& m) {
    op<&ops::dropout>(m, "dropout",
                      "In training, every element is 0 with probability p, and the others are divided by 1 - "
                      "p (Srivastava et al.,\n"
                      "2014); otherwise input itself. input: any shape, float32 or float64. The mask is not "
                      "stored: the backward pass\n"
                      "draws it again. generator: the source of random numbers, None for the default one.\n\n"
                      ">>> dt.dropout(dt.tensor([1.0, 2.0]), p=0.5, training=False).tolist()\n"
                      "[1.0, 2.0]",
                      {"input"_a, "p"_a = 0.5, "training"_a = true, keyword("generator"_a = py::none())});
}

} // namespace dt::bindings
