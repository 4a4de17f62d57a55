#include "kernels/index.h"

#include <algorithm>

#include "check.h"

namespace dt::check {
namespace {

void check_outside(Checks& c) {
    for (int64_t n : {int64_t(0), int64_t(1), int64_t(9), int64_t(65), kLargeSize})
        for (int64_t bad : {int64_t(-1), int64_t(0), n / 2, n - 1}) {
            if (bad >= n) continue;
            c.at("outside, size ", n, ", bad at ", bad);
            Array<int64_t> index = c.whole_array(n, -20, 20);
            if (bad >= 0) index[bad] = bad % 2 ? 20 : -21;
            c.expect_true("position", c.call(c.table.index.outside, n, index.data(), int64_t(20)) == bad);
        }
}

void check_positions(Checks& c) {
    for (const Dims& shape :
         {Dims{}, Dims{1}, Dims{0}, Dims{7}, Dims{3, 5}, Dims{4, 0, 3}, Dims{2, 3, 4, 5}, Dims{300, 70, 3}}) {
        Dims strides;
        for (int d = 0; d < shape.rank(); ++d) strides.push(d % 2 ? -40 * d : 8 + 100 * d);
        c.at("positions of shape ", to_string(shape));
        Array<int64_t> offsets(shape.product());
        c.call(c.table.index.positions, shape, strides, offsets.data());
        c.expect_exactly("offsets", offsets, [&](int64_t i) {
            int64_t offset = 0;
            for (int d = shape.rank() - 1; d >= 0; --d) {
                offset += i % shape[d] * strides[d];
                i /= shape[d];
            }
            return offset;
        });
    }
}

void check_find(Checks& c) {
    for (int64_t n : {int64_t(0), int64_t(1), int64_t(8), int64_t(17), int64_t(100), kLargeSize})
        for (int kind = 0; kind < 4; ++kind) { // none, all, some, few
            c.at("find, size ", n, ", kind ", kind);
            Array<uint8_t> mask(n);
            std::vector<int64_t> want;
            for (int64_t i = 0; i < n; ++i) {
                mask[i] = uint8_t(kind == 3 ? c.whole(0, 30) == 0 : kind == 2 ? c.whole(0, 2) : kind);
                if (mask[i]) want.push_back(i);
            }
            const int64_t room =
                int64_t(want.size()) - (kind >= 2 && want.size() > 2); // and one that does not fit
            Array<int64_t> out(room);
            c.expect_true("number", c.call(c.table.index.find, n, mask.data(), room, out.data()) ==
                                        int64_t(want.size()));
            c.expect_exactly("positions", out, [&](int64_t i) { return want[size_t(i)]; });
            Array<int32_t> values(n), packed(room);
            for (int64_t i = 0; i < n; ++i) values[i] = int32_t(c.whole(-99, 99));
            c.call(c.table.index.pack, DType::int32, n, mask.data(), room, values.data(), packed.data());
            c.expect_exactly("values", packed, [&](int64_t i) { return values[want[size_t(i)]]; });
        }
}

void check_unravel(Checks& c) {
    for (const Dims& shape : {Dims{7}, Dims{3, 5}, Dims{4, 1, 3}, Dims{300, 70, 3}})
        for (int64_t step : {1, 2, 11}) {
            c.at("unravel in shape ", to_string(shape), ", step ", step);
            const int64_t count = shape.product() / step;
            Array<int64_t> flat(count);
            for (int64_t i = 0; i < count; ++i) flat[i] = i * step;
            std::vector<Array<int64_t>> out;
            int64_t* rows[kMaxRank] = {};
            for (int d = 0; d < shape.rank(); ++d) out.emplace_back(count);
            for (int d = 0; d < shape.rank(); ++d) rows[d] = out[size_t(d)].data();
            c.call(c.table.index.unravel, count, flat.data(), shape, rows);
            int64_t behind = 1;
            for (int d = shape.rank() - 1; d >= 0; --d) {
                c.expect_exactly("index", out[size_t(d)],
                                 [&](int64_t i) { return flat[i] / behind % shape[d]; });
                behind *= shape[d];
            }
        }
}

template <class T> void check_take(Checks& c) {
    for (int64_t outer : {1, 3})
        for (int64_t inner : {1, 2, 3, 5, 9, 17, 200})
            for (int64_t count : {int64_t(0), int64_t(1), int64_t(40), int64_t(20000)})
                for (int64_t bad : {int64_t(-1), count / 2}) {
                    if (bad >= count || (count > 100 && inner > 3)) continue;
                    c.at("take of ", count, " times ", inner, " values of ", int64_t(sizeof(T)), " bytes, ",
                         outer, " blocks, bad at ", bad);
                    const int64_t size = 23;
                    Array<int64_t> index = c.whole_array(count, -size, size);
                    if (bad >= 0) index[bad] = bad % 2 ? size : -size - 1;
                    Array<T> in(outer * size * inner), out(outer * count * inner);
                    for (int64_t i = 0; i < outer * size * inner; ++i) in[i] = T(c.whole(0, 99));
                    TakeArgs args;
                    args.outer = outer, args.size = size, args.count = count, args.inner = inner;
                    args.index = index.data(), args.in = in.data(), args.out = out.data();
                    c.expect_true("position", c.call(c.table.index.take, dtype_of<T>, args) == bad);
                    if (bad >= 0) continue;
                    c.expect_exactly("items", out, [&](int64_t i) {
                        const int64_t at = index[i / inner % count];
                        return in[(i / inner / count * size + (at < 0 ? at + size : at)) * inner + i % inner];
                    });
                }
}

// Items of `rows` x `cols`, laid out plain on one side and within a wider table on the other.
template <class T>
void check_moves(Checks& c, int64_t count, int64_t rows, int64_t cols, bool repeat, bool turned, int by = 0) {
    const int64_t item = sizeof(T), places = 9, size = rows * cols;
    c.at("items of ", rows, "x", cols, ", ", count, " of them", repeat ? ", one for all" : "",
         turned ? ", turned" : "", ", found by way ", by);
    IndexArgs args;
    args.count = count;
    args.shape = {rows, cols};
    args.indexed_strides = turned ? Dims{item, rows * item} : Dims{cols * item, item};
    args.plain_strides = {cols * item, item};
    args.plain_step = repeat ? 0 : size * item;
    // Where items lie: by offsets, by an index, by two indices of 3 each, or by offsets and an index.
    Array<int64_t> chosen = c.whole_array(count, 0, places), offsets(count), first(count), second(count);
    for (int64_t i = 0; i < count; ++i) {
        first[i] = chosen[i] / 3, second[i] = chosen[i] % 3 - (i % 2 ? 3 : 0); // from the end as well
        offsets[i] = (by == 3 ? first[i] * 3 : chosen[i]) * size * item;
    }
    if (by == 0 || by == 3) args.offsets = offsets.data();
    if (by == 1) args.axis[args.axes++] = {chosen.data(), places, size * item};
    if (by == 2) args.axis[args.axes++] = {first.data(), 3, 3 * size * item};
    if (by >= 2) args.axis[args.axes++] = {second.data(), 3, size * item};
    const auto random = [&](int64_t n) {
        Array<T> a(n);
        for (int64_t i = 0; i < n; ++i) a[i] = rounded<T>(double(c.whole(0, 8))); // sums are exact
        return a;
    };
    const auto inner = [&](int64_t k) {
        return turned ? k / cols + k % cols * rows : k;
    }; // place in an indexed item
    const Array<T> table = random(places * size), plain = random(repeat ? size : count * size);

    if (!repeat) {
        Array<T> out(count * size);
        args.plain = out.data(), args.indexed = const_cast<T*>(table.data());
        c.call(c.table.index.get, dtype_of<T>, args);
        c.expect_exactly("get", out,
                         [&](int64_t i) { return table[chosen[i / size] * size + inner(i % size)]; });
    }
    Array<T> put = table, added = table;
    std::vector<double> put_want, added_want;
    for (int64_t i = 0; i < places * size; ++i) {
        put_want.push_back(table.at(i));
        added_want.push_back(table.at(i));
    }
    for (int64_t i = 0; i < count; ++i)
        for (int64_t k = 0; k < size; ++k) {
            const double x = plain.at(repeat ? k : i * size + k);
            const size_t to = size_t(chosen[i] * size + inner(k));
            put_want[to] = x;
            added_want[to] = value(rounded<T>(added_want[to] + x)); // half formats round each time
        }
    args.plain = const_cast<T*>(plain.data());
    args.indexed = put.data();
    c.call(c.table.index.put, dtype_of<T>, args);
    c.expect_exactly("put", put, [&](int64_t i) { return rounded<T>(put_want[size_t(i)]); });
    args.indexed = added.data();
    c.call(c.table.index.add, dtype_of<T>, args);
    c.expect_exactly("add", added, [&](int64_t i) { return rounded<T>(added_want[size_t(i)]); });
}

template <class T> void check_argsort(Checks& c, int64_t rows, int64_t n, bool descending) {
    c.at("argsort, rows ", rows, ", size ", n, descending ? ", descending" : "");
    Array<T> x(rows * n);
    for (int64_t i = 0; i < rows * n; ++i) {
        x[i] = rounded<T>(double(c.whole(0, 40) - (dtype_of<T> == DType::uint8 ? 0 : 20)));
        if (kFloat<T> && i % 13 == 5) x[i] = rounded<T>(NAN);
        if (dtype_of<T> == DType::int64 && i % 3 == 0) x[i] = rounded<T>(double(c.whole(-3, 3)) * 0x1p61);
    }
    std::vector<int64_t> want(size_t(rows * n));
    for (int64_t r = 0; r < rows; ++r) {
        const auto begin = want.begin() + r * n;
        for (int64_t i = 0; i < n; ++i) begin[i] = i;
        std::stable_sort(begin, begin + n, [&](int64_t a, int64_t b) {
            const double u = x.at(r * n + a), v = x.at(r * n + b);
            if (std::isnan(u) || std::isnan(v)) return !std::isnan(u) && std::isnan(v);
            return descending ? u > v : u < v;
        });
    }
    Array<int64_t> out(rows * n);
    c.call(c.table.index.argsort, dtype_of<T>, rows, n, descending, x.data(), out.data());
    c.expect_exactly("positions", out, [&](int64_t i) { return want[size_t(i)]; });
    for (int64_t k : {int64_t(1), int64_t(5), n / 3, n}) {
        if (k < 1 || k > n) continue;
        c.at("topk ", k, ", rows ", rows, ", size ", n, descending ? ", descending" : "");
        Array<T> best(rows * k);
        Array<int64_t> at(rows * k);
        c.call(c.table.index.topk, dtype_of<T>, rows, n, k, descending, x.data(), best.data(), at.data());
        const auto wanted = [&](int64_t i) { return want[size_t(i / k * n + i % k)]; };
        c.expect_exactly("positions", at, wanted);
        c.expect_exactly("values", best, [&](int64_t i) { return x[i / k * n + wanted(i)]; });
    }
    if (sizeof(T) == 2) return;
    Array<T> values(rows * n);
    c.call(c.table.index.sort, dtype_of<T>, rows, n, descending, x.data(), values.data());
    c.expect_exactly("values", values, [&](int64_t i) { return x[i / n * n + want[size_t(i)]]; });
}

} // namespace

void check_index(Checks& c) {
    check_outside(c);
    check_positions(c);
    check_find(c);
    check_unravel(c);
    check_take<uint8_t>(c);
    check_take<float>(c);
    check_take<double>(c);
    for_dtypes([&]<class T>(T) {
        for (bool repeat : {false, true})
            for (bool turned : {false, true}) {
                for (int64_t count : {0, 1, 5, 40})
                    for (int64_t cols : {1, 3, 16, 33}) check_moves<T>(c, count, 2, cols, repeat, turned);
                for (int by : {0, 1, 2, 3})
                    for (int64_t count : {1, 40, 700}) check_moves<T>(c, count, 1, 1, repeat, turned, by);
                for (int by : {1, 2, 3}) check_moves<T>(c, 40, 2, 3, repeat, turned, by);
                check_moves<T>(c, 6, 3, 5000, repeat, turned);
                check_moves<T>(c, 6, 3, 0, repeat, turned);
            }
        for (bool descending : {false, true}) {
            for (int64_t n : {0, 1, 2, 15, 16, 17, 33, 257, 1000, 5000, 70000})
                check_argsort<T>(c, 3, n, descending);
            check_argsort<T>(c, 40, 300, descending);
        }
    });
}

} // namespace dt::check
