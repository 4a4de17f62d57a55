// Products with every layout, batch, epilogue and size of the tiles.
#include "kernels/gemm.h"
#include "check.h"
#include "reference.h"

namespace dt::check {
namespace {

enum class Layout { plain, transposed, spread, repeated };
const char* kLayouts[] = {"plain", "transposed", "every second", "one row repeated"};

// An operand rows x cols with its strides.
template <class T> struct Operand {
    Array<T> values;
    int64_t batch, row, col;
    double at(int64_t b, int64_t i, int64_t j) const { return values.at(b * batch + i * row + j * col); }
};
template <class T> Operand<T> operand(Checks& c, Layout layout, int64_t batch, int64_t rows, int64_t cols) {
    const int64_t n = rows * cols;
    switch (layout) {
    case Layout::plain:
        return {c.uniform_array<T>(batch * n), n, cols, 1};
    case Layout::transposed:
        return {c.uniform_array<T>(batch * n), n, 1, rows};
    case Layout::spread:
        return {c.uniform_array<T>(2 * batch * n), 2 * n, 2 * cols, 2};
    case Layout::repeated:
        break;
    }
    return {c.uniform_array<T>(batch * cols), cols, 0, 1};
}

struct Case {
    int64_t batch, m, n, k;
    Layout a = Layout::plain, b = Layout::plain;
    bool share_b = false, accumulate = false, bias = false;
    Activation activation = Activation::none;
    int64_t padding = 0; // columns of C behind each row
};

// T is the dtype of A and B, Out that of C; the bias of half formats is float32.
template <class T, class Out>
void check_product(Checks& c, void (*const& product)(const GemmArgs&), const Case& p) {
    using Bias = Beside<T>;
    const Operand<T> a = operand<T>(c, p.a, p.batch, p.m, p.k);
    Operand<T> b = operand<T>(c, p.b, p.share_b ? 1 : p.batch, p.k, p.n);
    if (p.share_b) b.batch = 0;
    const Array<Bias> bias = c.uniform_array<Bias>(p.n);
    const int64_t row = p.n + p.padding, image = p.m * row;
    const Array<Out> before = c.uniform_array<Out>(p.batch * image);
    Array<Out> out = before;
    GemmArgs args;
    args.batch = p.batch, args.m = p.m, args.n = p.n, args.k = p.k;
    args.a = a.values.data(), args.a_batch = a.batch, args.a_row = a.row, args.a_col = a.col;
    args.b = b.values.data(), args.b_batch = b.batch, args.b_row = b.row, args.b_col = b.col;
    args.c = out.data(), args.c_batch = image, args.c_row = row;
    args.accumulate = p.accumulate;
    args.bias = p.bias ? bias.data() : nullptr;
    args.activation = p.activation;
    args.c_float32 = is_half(dtype_of<T>) && !is_half(dtype_of<Out>);
    c.at(name(dtype_of<T>), " to ", name(dtype_of<Out>), ", batch ", p.batch, p.share_b ? " (one B)" : "",
         ", m ", p.m, ", n ", p.n, ", k ", p.k, ", A ", kLayouts[int(p.a)], ", B ", kLayouts[int(p.b)],
         p.accumulate ? ", accumulate" : "", p.bias ? ", bias" : "", ", activation ", int(p.activation),
         ", padding ", p.padding);
    c.call(product, args);
    c.expect("C", out, 8 + std::sqrt(double(p.k)), [&](int64_t at) -> Want {
        const int64_t image_at = image ? at / image : 0, i = at % image / row, j = at % row;
        if (j >= p.n) return before.at(at);
        Sum sum;
        if (p.accumulate) sum.add(before.at(at));
        for (int64_t q = 0; q < p.k; ++q) sum.add(a.at(image_at, i, q) * b.at(image_at, q, j));
        if (p.bias) sum.add(bias.at(j));
        return activated(p.activation, sum);
    });
}

template <class T, class Out = T> void check_all(Checks& c, void (*const& product)(const GemmArgs&)) {
    const int64_t small[] = {0, 1, 2, 5, 9, 17};
    for (int64_t m : small)
        for (int64_t n : small)
            for (int64_t k : small)
                for (bool accumulate : {false, true})
                    check_product<T, Out>(c, product,
                                          {.batch = 1, .m = m, .n = n, .k = k, .accumulate = accumulate});
    // One less, equal, one more than tiles and vectors of all levels, and whole tiles with a rest.
    for (int64_t m : {3, 4, 6, 7, 11, 12, 13, 14, 15, 29})
        for (int64_t n : {3, 4, 7, 8, 15, 16, 31, 32, 33, 47, 65})
            check_product<T, Out>(c, product,
                                  {.batch = 1, .m = m, .n = n, .k = 19, .bias = true, .padding = n % 3});
    for (Layout a : {Layout::plain, Layout::transposed, Layout::spread, Layout::repeated})
        for (Layout b : {Layout::plain, Layout::transposed, Layout::spread, Layout::repeated})
            for (int64_t m : {1, 3, 23, 70})
                for (int64_t n : {1, 3, 37, 70})
                    check_product<T, Out>(
                        c, product, {.batch = 2, .m = m, .n = n, .k = 33, .a = a, .b = b, .padding = 2});
    for (const auto& [activation, name] : enumerators<Activation>())
        for (int64_t m : {1, 2, 20})
            for (int64_t n : {1, 5, 40})
                for (bool bias : {false, true})
                    for (bool accumulate : {false, true})
                        check_product<T, Out>(c, product,
                                              {.batch = 3,
                                               .m = m,
                                               .n = n,
                                               .k = 13,
                                               .b = Layout::transposed,
                                               .share_b = true,
                                               .accumulate = accumulate,
                                               .bias = bias,
                                               .activation = activation});
    // Above what one thread does alone: many rows, many columns, great depth, a batch of small ones; depths
    // around the blocks.
    const Case large[] = {
        {.batch = 1, .m = 301, .n = 75, .k = 70, .bias = true, .activation = Activation::relu},
        {.batch = 1, .m = 75, .n = 301, .k = 70, .b = Layout::transposed, .accumulate = true},
        {.batch = 1, .m = 17, .n = 19, .k = 4500, .a = Layout::transposed, .bias = true},
        {.batch = 1,
         .m = 20,
         .n = 40,
         .k = 2049,
         .accumulate = true,
         .bias = true,
         .activation = Activation::tanh},
        {.batch = 60, .m = 17, .n = 40, .k = 31},
        {.batch = 3, .m = 130, .n = 120, .k = 100, .a = Layout::transposed, .share_b = true},
        {.batch = 1, .m = 1, .n = 700, .k = 800, .bias = true},
        {.batch = 1, .m = 800, .n = 1, .k = 700, .bias = true},
        {.batch = 1, .m = 3, .n = 500, .k = 700, .b = Layout::transposed},
        {.batch = 1, .m = 60, .n = 70, .k = 255},
        {.batch = 1, .m = 60, .n = 70, .k = 256},
        {.batch = 1, .m = 60, .n = 70, .k = 257},
        {.batch = 1, .m = 90, .n = 1100, .k = 30, .padding = 5},
        // Depths of several blocks and pieces, C accumulated, turned, and with the depth of its operands
        // apart.
        {.batch = 1, .m = 40, .n = 50, .k = 1023, .accumulate = true, .bias = true},
        {.batch = 1, .m = 40, .n = 50, .k = 1025, .b = Layout::transposed, .accumulate = true, .bias = true},
        {.batch = 1, .m = 50, .n = 240, .k = 1100, .b = Layout::transposed, .bias = true, .padding = 3},
        {.batch = 1,
         .m = 70,
         .n = 1030,
         .k = 1300,
         .a = Layout::transposed,
         .accumulate = true,
         .padding = 1},
        {.batch = 1, .m = 200, .n = 210, .k = 1201, .b = Layout::spread, .activation = Activation::silu},
    };
    for (const Case& p : large) check_product<T, Out>(c, product, p);
}

} // namespace

void check_gemm(Checks& c) {
    check_all<float>(c, c.table.gemm.f32);
    check_all<double>(c, c.table.gemm.f64);
    check_all<float16_t>(c, c.table.gemm.f16);
    check_all<float16_t, float>(c, c.table.gemm.f16);
    check_all<bfloat16_t>(c, c.table.gemm.bf16);
    check_all<bfloat16_t, float>(c, c.table.gemm.bf16);
}

} // namespace dt::check
