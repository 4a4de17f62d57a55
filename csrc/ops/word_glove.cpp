#include <cmath>

#include "ops/checks.h"
#include "ops/word_lanes.h"
#include "ops/word_vectors.h"

namespace dt::ops {
namespace {

constexpr const char* kOp = "train_glove";

void check_table(const char* name, const Tensor& table) {
    check_rank(kOp, name, table, 2, "(words, 2 width + 2)");
    if (table.dtype() != DType::float32)
        type_error({kOp, ": ", name, " has dtype ", table.dtype(), ", expected float32"});
    if (!table.is_contiguous() || table.shape(1) % 2 || table.shape(1) < 4)
        value_error(
            {kOp, ": ", name, " has shape ", table.shape(), ", expected a contiguous (words, 2 width + 2)"});
    autograd::check_in_place(kOp, table);
}

struct Entries {
    std::vector<int32_t> row, column;
    std::vector<float> logarithm, weight;
};

Entries read_entries(const Tensor& rows, const Tensor& columns, const Tensor& counts, int64_t words,
                     double most, double power) {
    const int64_t n = counts.size();
    const Tensor r = check_vector(kOp, "rows", rows, DType::int64, n),
                 c = check_vector(kOp, "columns", columns, DType::int64, n),
                 x = check_vector(kOp, "counts", counts, DType::float64, -1);
    Entries e;
    for (int64_t i = 0; i < n; ++i) {
        const int64_t row = r.data<int64_t>()[i], column = c.data<int64_t>()[i];
        const double count = x.data<double>()[i];
        if (row < 0 || row >= words || column < 0 || column >= words || !(count > 0))
            index_error({kOp, ": entry ", i, " is (", row, ", ", column, ", ", count,
                         "), expected words below ", words, " and a positive count"});
        e.row.push_back(static_cast<int32_t>(row));
        e.column.push_back(static_cast<int32_t>(column));
        e.logarithm.push_back(static_cast<float>(std::log(count)));
        e.weight.push_back(static_cast<float>(count < most ? std::pow(count / most, power) : 1.0));
    }
    return e;
}

class Lane {
  public:
    Lane(const Tensor& main, const Tensor& context)
        : main(main.data<float>(), main.shape(0), main.shape(1)),
          context(context.data<float>(), context.shape(0), context.shape(1)), width_(main.shape(1) / 2 - 1) {}

    RowCopies main, context;
    double loss = 0;

    void plan(int64_t begin, int64_t end) {
        begin_ = begin;
        end_ = end;
        main.begin(end - begin);
        context.begin(end - begin);
    }

    void train(const Entries& e, double rate) {
        take(e.row, main, rows_);
        take(e.column, context, columns_);
        GloveStep s;
        s.width = width_;
        s.entries = end_ - begin_;
        s.rows = rows_.data();
        s.columns = columns_.data();
        s.logarithm = e.logarithm.data() + begin_;
        s.weight = e.weight.data() + begin_;
        s.rate = static_cast<float>(rate);
        s.loss = &loss;
        kernels().word_vectors.glove(s);
        main.finish();
        context.finish();
    }

  private:
    void take(const std::vector<int32_t>& from, RowCopies& table, std::vector<float*>& rows) {
        ids_.assign(from.begin() + begin_, from.begin() + end_);
        table.take(ids_, rows);
    }

    int64_t width_, begin_ = 0, end_ = 0;
    std::vector<int32_t> ids_;
    std::vector<float*> rows_, columns_;
};

} // namespace

double train_glove(const Tensor& rows, const Tensor& columns, const Tensor& counts, const Tensor& main,
                   const Tensor& context, double rate, double most, double power, int64_t lanes,
                   int64_t run) {
    check_table("main", main);
    check_table("context", context);
    check_shape(kOp, "context", context, main.shape());
    check_between(kOp, "rate", rate, 0, 1e6);
    check_between(kOp, "most", most, 1e-6, 1e15);
    check_between(kOp, "power", power, 0, 100);
    check_between(kOp, "lanes", static_cast<double>(lanes), 1, 256);
    check_between(kOp, "run", static_cast<double>(run), 1, 1 << 20);
    const int64_t n = counts.size(), words = main.shape(0);
    LongWork work(300.0 * static_cast<double>(n));
    const Entries entries = read_entries(rows, columns, counts, words, most, power);
    std::vector<Lane> all(static_cast<size_t>(lanes), Lane(main, context));
    RowSums main_sums(words), context_sums(words);
    std::vector<RowCopies*> mains, contexts;
    for (Lane& lane : all) {
        mains.push_back(&lane.main);
        contexts.push_back(&lane.context);
    }
    for (int64_t begin = 0; begin < n;) {
        int64_t used = 0;
        for (; used < lanes && begin < n; ++used, begin += run)
            all[static_cast<size_t>(used)].plan(begin, std::min(n, begin + run));
        for_each_parallel(used, [&](int64_t i) { all[static_cast<size_t>(i)].train(entries, rate); });
        for_each_parallel(kRowParts, [&](int64_t part) {
            main_sums.add_part(part, mains, used);
            context_sums.add_part(part, contexts, used);
        });
    }
    main.storage().bump_version();
    context.storage().bump_version();
    double loss = 0;
    for (const Lane& lane : all) loss += lane.loss;
    return loss;
}

} // namespace dt::ops
