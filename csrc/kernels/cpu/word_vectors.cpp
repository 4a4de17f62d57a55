#include "kernels/word_vectors.h"

#include "kernels/cpu/activation.h"
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/transpose.h"

namespace dt::cpu::DT_LEVEL {
namespace {

constexpr int64_t kLane = kLanes<float>;
constexpr float kSettled = 6; // scores of this size move nothing

// Rows of a product at a time: what the registers hold two columns of.
#if defined(DT_LEVEL_v4)
constexpr int kRows = 8;
#else
constexpr int kRows = 4;
#endif

struct Factor {
    const float* at;
    int64_t row, step; // from one row, from one term of a sum to the next
};

// C (rows, columns * kLane) = X Y, terms of a sum in their order.
template <int rows, int columns>
DT_INLINE void tile(int64_t terms, Factor x, const float* y, int64_t y_row, float* c, int64_t c_row) {
    Vec<float> total[rows][columns] = {};
    for (int64_t k = 0; k < terms; ++k) {
        Vec<float> part[columns];
#pragma GCC unroll 2
        for (int j = 0; j < columns; ++j) part[j] = load(y + k * y_row + j * kLane);
#pragma GCC unroll 8
        for (int i = 0; i < rows; ++i)
#pragma GCC unroll 2
            for (int j = 0; j < columns; ++j)
                total[i][j] = fma(broadcast(x.at[i * x.row + k * x.step]), part[j], total[i][j]);
    }
#pragma GCC unroll 8
    for (int i = 0; i < rows; ++i)
#pragma GCC unroll 2
        for (int j = 0; j < columns; ++j) store(c + i * c_row + j * kLane, total[i][j]);
}

template <int rows>
void tile_rows(int64_t n, int64_t terms, Factor x, const float* y, int64_t y_row, float* c, int64_t c_row) {
    int64_t j = 0;
    for (; j + 2 * kLane <= n; j += 2 * kLane) tile<rows, 2>(terms, x, y + j, y_row, c + j, c_row);
    if (j < n) tile<rows, 1>(terms, x, y + j, y_row, c + j, c_row);
}

// C (m, n) = X Y; n is a multiple of the lanes.
void product(int64_t m, int64_t n, int64_t terms, Factor x, const float* y, int64_t y_row, float* c,
             int64_t c_row) {
    for (; m >= kRows; m -= kRows, x.at += kRows * x.row, c += kRows * c_row)
        tile_rows<kRows>(n, terms, x, y, y_row, c, c_row);
    for (; m >= 2; m -= 2, x.at += 2 * x.row, c += 2 * c_row) tile_rows<2>(n, terms, x, y, y_row, c, c_row);
    if (m) tile_rows<1>(n, terms, x, y, y_row, c, c_row);
}

// The mean (or the sum) of the rows of each input.
void gather_inputs(const WordStep& s, float* inputs) {
    for (int64_t i = 0; i < s.inputs; ++i) {
        const int32_t first = s.start[i], last = s.start[i + 1];
        const float share = s.mean && last > first + 1 ? 1 / float(last - first) : 1;
        for (int64_t j = 0; j < s.stride; j += kLane) {
            Vec<float> total{};
            for (int32_t r = first; r < last; ++r) total += load(s.rows[r] + j);
            store(inputs + i * s.stride + j, total * share);
        }
    }
}

void scatter_inputs(const WordStep& s, const float* changes) {
    for (int64_t i = 0; i < s.inputs; ++i) {
        const int32_t first = s.start[i], last = s.start[i + 1];
        const float share = !s.mean && last > first + 1 ? 1 / float(last - first) : 1;
        for (int32_t r = first; r < last; ++r)
            for (int64_t j = 0; j < s.stride; j += kLane)
                store(s.rows[r] + j,
                      fma(load(changes + i * s.stride + j), broadcast(share), load(s.rows[r] + j)));
    }
}

// The output rows one below the other, and turned: (stride, padded), where the lanes behind the last are 0.
void gather_outputs(const WordStep& s, int64_t padded, float* outputs, float* turned) {
    for (int64_t o = 0; o < padded; o += kLane)
        for (int64_t j = 0; j < s.stride; j += kLane) {
            Vec<float> square[kLane];
            for (int64_t r = 0; r < kLane; ++r) {
                square[r] = o + r < s.outputs ? load(s.output_rows[o + r] + j) : Vec<float>{};
                store(outputs + (o + r) * s.stride + j, square[r]);
            }
            transpose_rows<1>(square);
            for (int64_t r = 0; r < kLane; ++r) store(turned + (j + r) * padded + o, square[r]);
        }
}

// What the scores become: by how much each pair moves its vectors.
void slopes(const WordStep& s, int64_t padded, float* scores) {
    Vec<double> cost{};
    for (int64_t i = 0; i < s.inputs; ++i)
        for (int64_t o = 0; o < padded; o += kLane) {
            const Vec<float> x = load(scores + i * padded + o), w = load(s.weight + i * s.weight_stride + o),
                             label = load(s.label + o);
            store(scores + i * padded + o, select(abs(x) < kSettled, w * (label - sigmoid(x)), Vec<float>{}));
            if (!s.loss) continue;
            alignas(64) float costs[kLane];
            store(costs, w * (softplus(x) - label * x));
            cost += load_double(costs) + load_double(costs + kLane / 2);
        }
    if (s.loss) *s.loss += sum(cost);
}

void step(const WordStep& s) {
    const int64_t padded = round_up(s.outputs, 16);
    float* inputs = s.scratch;
    float* changes = inputs + s.inputs * s.stride;
    float* outputs = changes + s.inputs * s.stride;
    float* turned = outputs + padded * s.stride;
    float* output_changes = turned + padded * s.stride;
    float* scores = output_changes + padded * s.stride;
    gather_inputs(s, inputs);
    gather_outputs(s, padded, outputs, turned);
    product(s.inputs, padded, s.stride, {inputs, s.stride, 1}, turned, padded, scores, padded);
    slopes(s, padded, scores);
    product(s.inputs, s.stride, s.outputs, {scores, padded, 1}, outputs, s.stride, changes, s.stride);
    product(s.outputs, s.stride, s.inputs, {scores, 1, padded}, inputs, s.stride, output_changes, s.stride);
    scatter_inputs(s, changes);
    for (int64_t o = 0; o < s.outputs; ++o)
        for (int64_t j = 0; j < s.stride; j += kLane)
            store(s.output_rows[o] + j, load(s.output_rows[o] + j) + load(output_changes + o * s.stride + j));
}

// x and its sum of squares after a step of AdaGrad along `gradient`, which the rate has scaled.
DT_INLINE void adagrad(float& x, float& squares, float gradient) {
    x -= gradient / sqrt(squares);
    squares += gradient * gradient;
}

void glove(const GloveStep& s) {
    const int64_t width = s.width, half = width + 1;
    for (int64_t e = 0; e < s.entries; ++e) {
        float *a = s.rows[e], *b = s.columns[e];
        const float dot = sum_vectors<float>(width, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
            return load(a + i, part) * load(b + i, part);
        });
        const float miss = dot + a[width] + b[width] - s.logarithm[e];
        *s.loss += 0.5 * double(s.weight[e]) * double(miss) * double(miss);
        const float slope = s.rate * s.weight[e] * miss;
        for_vectors<float>(width, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
            const Vec<float> x = load(a + i, part), y = load(b + i, part), to_x = slope * y, to_y = slope * x,
                             squares_x = fill_rest(load(a + half + i, part), 1.0f, part),
                             squares_y = fill_rest(load(b + half + i, part), 1.0f, part);
            store(a + i, x - to_x / sqrt(squares_x), part);
            store(b + i, y - to_y / sqrt(squares_y), part);
            store(a + half + i, squares_x + to_x * to_x, part);
            store(b + half + i, squares_y + to_y * to_y, part);
        });
        adagrad(a[width], a[half + width], slope);
        adagrad(b[width], b[half + width], slope);
    }
}

void take_row(int64_t width, int64_t stride, const float* row, float* copy) {
    for_vectors<float>(width,
                       [&](int64_t j, auto part) DT_INLINE_LAMBDA { store(copy + j, load(row + j, part)); });
    for (int64_t j = round_up(width, kLane); j < stride; j += kLane) store(copy + j, Vec<float>{});
}

void subtract(int64_t n, int64_t width, int64_t stride, const int32_t* ids, const float* table,
              float* copies) {
    for (int64_t i = 0; i < n; ++i) {
        const float* row = table + ids[i] * width;
        float* copy = copies + i * stride;
        for_vectors<float>(width, [&](int64_t j, auto part) DT_INLINE_LAMBDA {
            store(copy + j, load(copy + j, part) - load(row + j, part), part);
        });
    }
}

void add(int64_t width, float share, const float* change, float* row) {
    for_vectors<float>(width, [&](int64_t j, auto part) DT_INLINE_LAMBDA {
        store(row + j, fma(load(change + j, part), broadcast(share), load(row + j, part)), part);
    });
}

} // namespace

WordVectors word_vectors() { return {step, glove, take_row, subtract, add}; }

} // namespace dt::cpu::DT_LEVEL
