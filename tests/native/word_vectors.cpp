#include "kernels/word_vectors.h"

#include "check.h"

namespace dt::check {
namespace {

struct Rows {
    int64_t stride;
    Array<float> values;
    std::vector<float*> at;
};

// Rows of `width` values and zeros up to the stride; the pointers visit them in an order that repeats some.
Rows make_rows(Checks& c, int64_t count, int64_t width, int64_t stride, int64_t pointers) {
    Rows r{stride, Array<float>(count * stride), {}};
    for (int64_t i = 0; i < count * stride; ++i)
        r.values[i] = i % stride < width ? float(c.uniform(-1, 1)) : 0.0f;
    for (int64_t i = 0; i < pointers; ++i) r.at.push_back(r.values.data() + i * 3 % count * stride);
    return r;
}

// The first `inputs` inputs have 0, 1, 2, 0, ... more rows than one.
void check_step(Checks& c, int64_t width, int64_t inputs, int64_t outputs, bool mean, bool with_loss) {
    c.at("step, width ", width, ", inputs ", inputs, ", outputs ", outputs, mean ? ", mean" : ", sum");
    const int64_t stride = (width + 15) / 16 * 16, padded = (outputs + 15) / 16 * 16 + 16;
    std::vector<int32_t> start(1, 0);
    for (int64_t i = 0; i < inputs; ++i) start.push_back(start.back() + 1 + int32_t(i % 3));
    Rows rows = make_rows(c, start.back() > 4 ? start.back() - 2 : start.back(), width, stride, start.back());
    Rows to = make_rows(c, outputs > 4 ? outputs - 1 : outputs, width, stride, outputs);
    Array<float> weight(inputs * padded), label(padded);
    for (int64_t i = 0; i < inputs * padded; ++i)
        weight[i] = i % padded < outputs && i % 5 ? float(c.uniform(0, 0.5)) : 0.0f;
    for (int64_t o = 0; o < padded; ++o) label[o] = o < outputs && o % 3 == 0 ? 1.0f : 0.0f;
    const Array<float> rows_before = rows.values, to_before = to.values;
    Array<float> scratch(word_step_scratch(stride, inputs, padded));
    Array<double> loss(1);
    loss[0] = 1;
    WordStep s;
    s.stride = stride, s.inputs = inputs, s.outputs = outputs, s.weight_stride = padded;
    s.start = start.data(), s.rows = rows.at.data(), s.output_rows = to.at.data();
    s.weight = weight.data(), s.label = label.data(), s.mean = mean, s.scratch = scratch.data();
    s.loss = with_loss ? loss.data() : nullptr;
    c.call(c.table.word_vectors.step, s);

    std::vector<double> rows_want(size_t(rows.values.size())), to_want(size_t(to.values.size()));
    for (int64_t i = 0; i < rows.values.size(); ++i) rows_want[size_t(i)] = rows_before[i];
    for (int64_t i = 0; i < to.values.size(); ++i) to_want[size_t(i)] = to_before[i];
    double cost = 1;
    for (int64_t i = 0; i < inputs; ++i) {
        const int32_t first = start[size_t(i)], last = start[size_t(i + 1)];
        std::vector<double> x(size_t(stride), 0.0), change(size_t(stride), 0.0);
        for (int32_t r = first; r < last; ++r)
            for (int64_t j = 0; j < stride; ++j)
                x[size_t(j)] +=
                    rows_before[rows.at[size_t(r)] - rows.values.data() + j] / (mean ? last - first : 1.0);
        for (int64_t o = 0; o < outputs; ++o) {
            const int64_t row = to.at[size_t(o)] - to.values.data();
            double score = 0;
            for (int64_t j = 0; j < stride; ++j) score += x[size_t(j)] * to_before[row + j];
            const double w = weight[i * padded + o],
                         slope = std::fabs(score) < 6 ? w * (label[o] - 1 / (1 + std::exp(-score))) : 0;
            cost += w * (std::log1p(std::exp(score)) - label[o] * score);
            for (int64_t j = 0; j < stride; ++j) {
                change[size_t(j)] += slope * to_before[row + j];
                to_want[size_t(row + j)] += slope * x[size_t(j)];
            }
        }
        for (int32_t r = first; r < last; ++r)
            for (int64_t j = 0; j < stride; ++j)
                rows_want[size_t(rows.at[size_t(r)] - rows.values.data() + j)] +=
                    change[size_t(j)] / (mean ? 1.0 : last - first);
    }
    const double size = 2 + 0.3 * double(inputs + outputs);
    c.expect("inputs", rows.values, 64, [&](int64_t i) { return Want(rows_want[size_t(i)], size); });
    c.expect("outputs", to.values, 64, [&](int64_t i) { return Want(to_want[size_t(i)], size); });
    if (with_loss) c.expect_true("loss", std::fabs(loss[0] - cost) < 1e-5 * (1 + cost));
    for (int64_t i = 0; i < rows.values.size(); ++i)
        if (i % stride >= width && rows.values[i] != 0) c.expect_true("zeros behind the width", false);
}

void check_glove(Checks& c, int64_t width, int64_t entries) {
    c.at("glove, width ", width, ", entries ", entries);
    const int64_t size = 2 * width + 2;
    const double root = std::sqrt(double(width));
    Array<float> main = c.uniform_array<float>(3 * size, 0.5 / root, 1.5 / root),
                 context = c.uniform_array<float>(2 * size, 0.5 / root, 1.5 / root);
    Array<float> logarithm = c.uniform_array<float>(entries, 0, 3),
                 weight = c.uniform_array<float>(entries, 0, 1);
    std::vector<double> a(size_t(3 * size)), b(size_t(2 * size));
    for (size_t i = 0; i < a.size(); ++i) a[i] = main[int64_t(i)];
    for (size_t i = 0; i < b.size(); ++i) b[i] = context[int64_t(i)];
    std::vector<float*> rows, columns;
    Array<double> loss(1);
    loss[0] = 0;
    double cost = 0;
    const auto adagrad = [](double& x, double& squares, double gradient) {
        x -= gradient / std::sqrt(squares);
        squares += gradient * gradient;
    };
    for (int64_t e = 0; e < entries; ++e) {
        rows.push_back(main.data() + e % 3 * size);
        columns.push_back(context.data() + e % 2 * size);
        double *x = a.data() + e % 3 * size, *y = b.data() + e % 2 * size,
               miss = x[width] + y[width] - logarithm[e];
        for (int64_t j = 0; j < width; ++j) miss += x[j] * y[j];
        cost += 0.5 * weight[e] * miss * miss;
        const double slope = float(0.05) * weight[e] * miss;
        for (int64_t j = 0; j < width; ++j) {
            const double to_x = slope * y[j], to_y = slope * x[j];
            adagrad(x[j], x[width + 1 + j], to_x);
            adagrad(y[j], y[width + 1 + j], to_y);
        }
        adagrad(x[width], x[2 * width + 1], slope);
        adagrad(y[width], y[2 * width + 1], slope);
    }
    GloveStep s;
    s.width = width, s.entries = entries, s.rows = rows.data(), s.columns = columns.data();
    s.logarithm = logarithm.data(), s.weight = weight.data(), s.rate = 0.05f, s.loss = loss.data();
    c.call(c.table.word_vectors.glove, s);
    const double terms = 20 + 2 * double(width);
    c.expect("main", main, 64, [&](int64_t i) { return Want(a[size_t(i)], terms); });
    c.expect("context", context, 64, [&](int64_t i) { return Want(b[size_t(i)], terms); });
    c.expect_true("loss", std::fabs(loss[0] - cost) < 1e-4 * (1 + cost));
}

void check_rows(Checks& c, int64_t width) {
    c.at("rows, width ", width);
    const int64_t stride = (width + 15) / 16 * 16;
    const Array<float> table = c.uniform_array<float>(5 * width), change = c.uniform_array<float>(width);
    Array<float> copies = c.uniform_array<float>(3 * stride), copy(stride),
                 row = c.uniform_array<float>(width);
    const Array<float> before = copies, row_before = row;
    c.call(c.table.word_vectors.take_row, width, stride, table.data() + 2 * width, copy.data());
    c.expect_exactly("copy", copy, [&](int64_t i) { return i < width ? table[2 * width + i] : 0.0f; });
    const int32_t ids[] = {4, 0, 2};
    c.call(c.table.word_vectors.subtract, int64_t(3), width, stride, &ids[0], table.data(), copies.data());
    c.expect_exactly("difference", copies, [&](int64_t i) {
        const int64_t j = i % stride;
        return j < width ? before[i] - table[ids[i / stride] * width + j] : before[i];
    });
    c.call(c.table.word_vectors.add, width, 0.25f, change.data(), row.data());
    c.expect("sum", row, 1, [&](int64_t i) { return Want(row_before[i] + 0.25 * change[i], 1.25); });
}

} // namespace

void check_word_vectors(Checks& c) {
    for (int64_t width : {1, 15, 16, 17, 40, 100}) {
        check_rows(c, width);
        for (int64_t entries : {1, 7}) check_glove(c, width, entries);
        for (int64_t inputs : {1, 2, 3, 4, 7, 8, 10})
            for (int64_t outputs : {1, 2, 5, 16, 17, 33})
                check_step(c, width, inputs, outputs, inputs % 2 == 0, outputs % 2 == 1);
    }
}

} // namespace dt::check
