#include "ops/embedding.h"

#include "bindings/families.h"
#include "bindings/op.h"

namespace dt::bindings {

void bind_embedding(py::module_& m) {
    op<&ops::embedding>(m, "embedding",
                        "The rows of weight that input names: input is integers of any shape in [0, rows), "
                        "weight (rows, features),\n"
                        "float32 or float64; the result is input.shape + (features,). The row padding_idx "
                        "gets no gradient. ValueError\n"
                        "for indices out of range, TypeError for wrong dtypes.\n\n"
                        ">>> dt.embedding(dt.tensor([1, 0]), dt.tensor([[1.0, 2.0], [3.0, 4.0]])).tolist()\n"
                        "[[3.0, 4.0], [1.0, 2.0]]",
                        {"input"_a, "weight"_a, "padding_idx"_a = py::none()});
}

} // namespace dt::bindings
