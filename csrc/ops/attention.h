#pragma once
#include "core/random.h"
#include "ops/checks.h"

namespace dt::ops {

Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const Optional& attn_mask, double dropout_p, bool is_causal,
                                    const std::optional<double>& scale, bool enable_gqa,
                                    const Ref<Generator>& generator);

} // namespace dt::ops
