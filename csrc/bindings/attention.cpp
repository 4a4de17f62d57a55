#include "ops/attention.h"

#include "bindings/docs.h"
#include "bindings/families.h"
#include "bindings/op.h"

namespace dt::bindings {

void bind_attention(py::module_& m) {
    op<&ops::scaled_dot_product_attention>(
        m, "scaled_dot_product_attention",
        {"softmax(scale * query @ key.mT + mask) @ value for each head, by tiles.\n\n"
         "No array has queries times keys elements, forward or backward (Dao, 2023): memory grows linearly "
         "with\nthe length. A query that may attend to no key gives 0. Queries, keys and values may be views "
         "with any\nstrides but for the last axis; the result lies in memory as (batch, time, heads, "
         "features), "
         "so that joining\nits heads, `permute_dims((0, 2, 1, 3))` and `reshape`, copies nothing.",
         "query: Tensor (batch, heads, queries, features) of floats; (batch, queries, features) and "
         "(queries,\n"
         "    features) have one head.\n"
         "key: Tensor (batch, heads, keys, features).\nvalue: Tensor (batch, heads, keys, value features).\n"
         "attn_mask: Tensor that broadcasts to (batch, heads, queries, keys): of bool, True where a query "
         "may\n"
         "    attend to a key, or of query's dtype, added to the scores; it gets no gradient.\n"
         "dropout_p: The probability that a weight is dropped; the others are divided by 1 - dropout_p.\n"
         "is_causal: Whether query i attends to keys up to i + keys - queries only: the last query sees all, "
         "as\n"
         "    with a cache of earlier keys. (PyTorch aligns the first query with the first key.)\n"
         "scale: The factor of the scores; 1 / sqrt(features) where it is None.\n"
         "enable_gqa: Whether key and value may have fewer heads, whose number divides query's: "
         "neighbouring\n"
         "    heads of query share one (Ainslie et al., 2023).\n"
         "generator: Where the random numbers of dropout come from; None for the default generator.",
         "Tensor (batch, heads, queries, value features) of the dtype of query.",
         "ValueError: where shapes do not fit, and unless 0 <= dropout_p <= 1.\n"
         "TypeError: for other and for different dtypes.\n"
         "RuntimeError: where attn_mask requires a gradient.",
         ">>> q = dt.tensor([[1.0, 0.0], [0.0, 1.0]])\n"
         ">>> dt.scaled_dot_product_attention(q, q, q, is_causal=True, scale=0.0).tolist()\n"
         "[[1.0, 0.0], [0.5, 0.5]]"},
        {"query"_a, "key"_a, "value"_a, "attn_mask"_a = py::none(), "dropout_p"_a = 0.0,
         "is_causal"_a = false, "scale"_a = py::none(), "enable_gqa"_a = false,
         keyword("generator"_a = py::none())});
    op<&ops::self_attention>(
        m, "_self_attention",
        "Attention of what one projection gave: (batch, time, queries, keys and values).",
        {"projected"_a, "heads"_a, "key_heads"_a, "attn_mask"_a = py::none(), "dropout_p"_a = 0.0,
         "is_causal"_a = false, keyword("generator"_a = py::none())},
        "self_attention");
}

} // namespace dt::bindings
