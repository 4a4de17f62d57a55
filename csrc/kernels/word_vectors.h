#pragma once
#include <cstdint>

namespace dt {

// A step of gradient descent on pairs of an input and an output: pair (i, o) with the score s = input_i .
// output_o costs -weight (label log sigmoid(s) + (1 - label) log(1 - sigmoid(s))). Scores and gradients are
// small matrix products of vectors as they were before the step; rows that stand twice get both changes.
// Pairs with a score of 6 or more, or -6 or less, stay as they are, as in word2vec: nothing runs off.
// Rows have `stride` values, a multiple of 16, those behind the width are 0 and stay so.
struct WordStep {
    int64_t stride = 0, inputs = 0, outputs = 0, weight_stride = 0;
    const int32_t* start =
        nullptr; // (inputs + 1): input i is the mean of rows[start[i]] .. rows[start[i + 1] - 1]
    float* const* rows = nullptr; // each gets the whole gradient of the mean
    float* const* output_rows = nullptr;
    const float* weight = nullptr; // (inputs, weight_stride), a multiple of 16; the learning rate is in it
    const float* label = nullptr;  // (weight_stride); weights behind the last output are 0
    bool mean = true;              // false: the sum instead, and a share of its gradient each
    float* scratch = nullptr;      // word_step_scratch(...) values
    double* loss = nullptr;        // what the pairs cost before the step is added, where it is wanted
};
constexpr int64_t word_step_scratch(int64_t stride, int64_t inputs, int64_t weight_stride) {
    return stride * (2 * inputs + 3 * weight_stride) + inputs * weight_stride;
}

// AdaGrad on entries (row, column, logarithm of the count, weight) of a matrix of co-occurrences, one after
// the other: weight (row . column + bias + bias - logarithm)^2 / 2. A row is a vector of `width` values and
// its bias, then as many sums of squared gradients.
struct GloveStep {
    int64_t width = 0, entries = 0;
    float* const* rows = nullptr;
    float* const* columns = nullptr;
    const float *logarithm = nullptr, *weight = nullptr;
    float rate = 0;
    double* loss = nullptr; // what the entries cost is added
};

struct WordVectors {
    void (*step)(const WordStep& step);
    void (*glove)(const GloveStep& step);
    // Copies of rows of a table, kept apart while other threads read it.
    void (*take_row)(int64_t width, int64_t stride, const float* row, float* copy); // 0 behind the width
    // copies[i] -= table[ids[i]]
    void (*subtract)(int64_t n, int64_t width, int64_t stride, const int32_t* ids, const float* table,
                     float* copies);
    void (*add)(int64_t width, float share, const float* change, float* row); // row += share * change
};

} // namespace dt
