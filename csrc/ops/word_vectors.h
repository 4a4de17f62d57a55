#pragma once
#include <optional>
#include <tuple>

#include "core/tensor.h"

namespace dt::ops {

// Trains word vectors on a stretch of text: see bindings/word_vectors.cpp. Returns the loss of a sample of
// the pairs, their number, and the words that were kept, as float64.
Tensor train_words(const Tensor& words, const Tensor& keep, const Tensor& input, const Tensor& output,
                   const std::optional<Tensor>& noise, const std::optional<Tensor>& row_start,
                   const std::optional<Tensor>& rows, const std::optional<Tensor>& path_start,
                   const std::optional<Tensor>& path, int64_t window, int64_t negative, bool skip_gram,
                   bool mean, bool shrink, double first_rate, double last_rate, int64_t seed, int64_t epoch,
                   int64_t position, int64_t lanes, int64_t run);

// One pass over entries of a matrix of co-occurrences in the order given; returns the loss before.
double train_glove(const Tensor& rows, const Tensor& columns, const Tensor& counts, const Tensor& main,
                   const Tensor& context, double rate, double most, double power, int64_t lanes, int64_t run);

// How often pairs of words stand within `window`, near ones counting more: keys row * words + column with row
// <= column, sorted, and their counts. Pairs that end before words[first] are left out.
std::tuple<Tensor, Tensor> count_pairs(const Tensor& words, int64_t vocabulary, int64_t window,
                                       int64_t first);
// Equal keys become one, with the sum of their counts; sorted.
std::tuple<Tensor, Tensor> sum_by_key(const Tensor& keys, const Tensor& counts);

// fastText's buckets of the character n-grams of words: UTF-8 in `text`, word i from start[i] to start[i +
// 1]. Returns where each word's begin, and the buckets.
std::tuple<Tensor, Tensor> subwords(const Tensor& text, const Tensor& start, int64_t min_n, int64_t max_n,
                                    int64_t buckets);

} // namespace dt::ops
