#include "ops/embedding.h"

#include "bindings/docs.h"
#include "bindings/families.h"
#include "bindings/op.h"

namespace dt::bindings {

void bind_embedding(py::module_& m) {
    op<&ops::embedding>(
        m, "embedding",
        {"The rows of weight that input names.",
         "input: Integers of any shape, each in [0, rows).\nweight: Tensor (rows, features), float32 "
         "or float64.\n"
         "padding_idx: The row that gets no gradient, or None.",
         "Tensor input.shape + (features,).",
         "ValueError: for indices out of range.\nTypeError: for wrong dtypes.",
         ">>> dt.embedding(dt.tensor([1, 0]), dt.tensor([[1.0, 2.0], [3.0, 4.0]])).tolist()\n"
         "[[3.0, 4.0], [1.0, 2.0]]"},
        {"input"_a, "weight"_a, "padding_idx"_a = py::none()});
    op<&ops::embedding_rows>(
        m, "_embedding_rows",
        {"The gradient of a table as the rows that input names, each once, ascending, and their sums.\n\n"
         "input has any shape, grad the features behind it; rows is the number of rows of the table, "
         "padding_idx one that\ngets no gradient, or None."},
        {"input"_a, "grad"_a, "rows"_a, "padding_idx"_a = py::none()}, "embedding_rows");
}

} // namespace dt::bindings
