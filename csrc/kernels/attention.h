#pragma once
#include <cstdint>

#include "kernels/precision.h"
#include "kernels/random.h"

namespace dt {

// An array of (batch, heads, time, features) as it lies in memory: the steps count elements, and the features
// of one place are adjacent.
struct HeadArray {
    void* data = nullptr;
    int64_t batch = 0, head = 0, time = 0;
};

// Added to the scores where it holds numbers; where it holds bool, 0 forbids a query to attend to a key. Any
// steps, 0 repeats.
struct AttentionMask {
    enum class Kind : uint8_t { none, boolean, number };
    Kind kind = Kind::none;
    const void* data = nullptr;
    int64_t batch = 0, head = 0, query = 0, key = 0;
};

// output = softmax(scale * query key^T + mask) value for each head, by tiles: no array has queries times keys
// elements. `heads` is a multiple of `key_heads`; so many neighbours share a head of key and value. With
// `causal` query i attends to keys up to i + keys - queries. A query that may attend to nothing gives 0.
// Dropout acts on the weights after softmax; an element is kept as dropout would, its number being
//     (((batch heads + head) ceil(queries / 32) + query / 32) ceil(keys / 8) + key / 8) 256 + key % 8 * 32 +
//     query % 32.
struct AttentionArgs {
    int64_t batch = 0, heads = 0, key_heads = 0, queries = 0, keys = 0;
    int64_t size = 0, value_size = 0; // features of query and key, and of value and output
    HeadArray query, key, value, output;
    AttentionMask mask;
    bool causal = false;
    double scale = 1, dropout = 0;
    RandomSource random;
    void* log_sums = nullptr; // (batch, heads, queries): log of the sum of exp(score), infinite for none
};

// What was dropped comes of the same random numbers again. Of the forward's arrays all are read.
struct AttentionGradArgs {
    AttentionArgs forward;
    HeadArray output_grad, query_grad, key_grad, value_grad;
    void* partial = nullptr; // partial_size() values: sums of query_grad over parts of the keys
};

// By precision. Mask and log_sums of the half formats are float32, and so is all arithmetic; levels that
// multiply bfloat16 as it is round weights, and the gradients of scores, to it before they multiply them.
struct Attention {
    int64_t (*partial_size)(const AttentionArgs& args);
    void (*forward[kPrecisions])(const AttentionArgs& args);
    void (*backward[kPrecisions])(const AttentionGradArgs& args);
};

} // namespace dt
