#pragma once
#include "core/random.h"
#include "ops/checks.h"

namespace dt::ops {

Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const Optional& attn_mask, double dropout_p, bool is_causal,
                                    const std::optional<double>& scale, bool enable_gqa,
                                    const Ref<Generator>& generator);
// The same for queries, keys and values that one projection gave, side by side: (batch, time, features of
// `heads` queries, of `key_heads` keys and as many values). Returns (batch, time, heads of features). One
// gradient, written at once, takes the place of those of three views.
Tensor self_attention(const Tensor& projected, int64_t heads, int64_t key_heads, const Optional& attn_mask,
                      double dropout_p, bool is_causal, const Ref<Generator>& generator);

} // namespace dt::ops
