// The gradient before a relu and the sums of its columns: sizes around the blocks, each part wanted or not.
#include "kernels/epilogue.h"
#include "check.h"
#include "reference.h"

namespace dt::check {
namespace {

template <class T> void check_gradient(Checks& c, int64_t rows, int64_t cols, int parts, bool in_place) {
    const bool relu = parts & 1, sums = parts & 2;
    Array<T> grad = c.uniform_array<T>(rows * cols);
    const Array<T> given = grad, y = c.uniform_array<T>(rows * cols);
    Array<T> before(rows * cols);
    Array<Beside<T>> totals(cols);
    EpilogueGradArgs args;
    args.rows = rows;
    args.cols = cols;
    args.grad = grad.data();
    if (relu) {
        args.y = y.data();
        args.before = in_place ? grad.data() : before.data();
    }
    if (sums) args.sums = totals.data();
    c.at("gradient, ", rows, " x ", cols, relu ? ", relu" : "", sums ? ", sums" : "",
         in_place ? ", in place" : "");
    c.call(c.table.epilogue.gradient[precision(dtype_of<T>)], args);
    const auto want = [&](int64_t i) { return relu && y.at(i) <= 0 ? 0.0 : given.at(i); };
    if (relu) c.expect("before", in_place ? grad : before, 0, [&](int64_t i) -> Want { return want(i); });
    if (sums)
        c.expect("sums", totals, 8 + std::sqrt(double(rows)), [&](int64_t j) -> Want {
            Sum sum;
            for (int64_t i = 0; i < rows; ++i) sum.add(want(i * cols + j));
            return sum;
        });
}

} // namespace

void check_epilogue(Checks& c) {
    for_all_floats([&](auto type) {
        using T = decltype(type);
        const std::pair<int64_t, int64_t> sizes[] = {
            {0, 3},     {3, 0},     {1, 1},    {2, 15},   {5, 16},   {7, 17},   {3, 63},
            {3, 64},    {3, 81},    {255, 64}, {256, 64}, {257, 64}, {600, 3},  {257, 9},
            {17, 1023}, {16, 1024}, {33, 65},  {40, 512}, {64, 512}, {65, 512}, {4, 2050},
            {17, 1025}, {2000, 1},  {1023, 4}, {1024, 8}, {1031, 6}, {2063, 3}, {513, 2},
        };
        for (auto [rows, cols] : sizes)
            for (int parts : {1, 2, 3})
                for (bool in_place : {false, true}) check_gradient<T>(c, rows, cols, parts, in_place);
    });
}

} // namespace dt::check
