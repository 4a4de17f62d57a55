#include "kernels/attention.h"

#include "check.h"
#include "philox.h"

namespace dt::check {
namespace {

struct Case {
    int64_t batch, heads, shared, queries, keys, size, value_size;
    bool causal;
    int mask; // 0: none, 1: bool for each pair, 2: numbers for each query and key, 3: bool for each key
    double dropout;
};

std::string describe(const Case& s) {
    return text(s.batch) + " x " + text(s.heads) + " heads (" + text(s.shared) + " share), " +
           text(s.queries) + " queries, " + text(s.keys) + " keys, sizes " + text(s.size) + " and " +
           text(s.value_size) + (s.causal ? ", causal" : "") + ", mask " + text(s.mask) + ", dropout " +
           text(s.dropout);
}

// Rows of all heads of a place side by side, as of one projection, `gap` elements between places.
HeadArray by_time(void* data, int64_t heads, int64_t time, int64_t size, int64_t gap) {
    const int64_t row = heads * size + gap;
    return {data, time * row, size, row};
}

template <class T> struct Model {
    const Case& s;
    const RandomSource source{7, 3, 0};
    const double scale = 0.25;
    const int64_t kv = s.heads / s.shared, gap = 3;
    Array<T> q, k, v, grad;
    Array<uint8_t> allowed;
    Array<Beside<T>> bias;

    Model(Checks& c, const Case& shape)
        : s(shape), q(c.uniform_array<T>(place(s.heads, s.queries, s.size), -2, 2)),
          k(c.uniform_array<T>(place(kv, s.keys, s.size), -2, 2)),
          v(c.uniform_array<T>(place(kv, s.keys, s.value_size))),
          grad(c.uniform_array<T>(place(s.heads, s.queries, s.value_size))),
          allowed(s.mask == 3   ? s.batch * s.keys
                  : s.mask == 1 ? s.heads * s.queries * s.keys
                                : 0),
          bias(c.uniform_array<Beside<T>>(s.mask == 2 ? s.queries * s.keys : 0)) {
        for (int64_t i = 0; i < allowed.size(); ++i) allowed[i] = c.whole(0, 3) > 0;
    }
    int64_t place(int64_t heads, int64_t time, int64_t size) const {
        return s.batch * time * (heads * size + gap);
    }
    // Of one element, in an array laid out by by_time.
    int64_t at(int64_t heads, int64_t time, int64_t size, int64_t b, int64_t h, int64_t t, int64_t i) const {
        return (b * time + t) * (heads * size + gap) + h * size + i;
    }
    double score(int64_t b, int64_t h, int64_t i, int64_t j) const {
        if (s.causal && j > i + s.keys - s.queries) return -INFINITY;
        if (s.mask == 1 && !allowed[(h * s.queries + i) * s.keys + j]) return -INFINITY;
        if (s.mask == 3 && !allowed[b * s.keys + j]) return -INFINITY;
        double sum = s.mask == 2 ? bias.at(i * s.keys + j) : 0;
        for (int64_t d = 0; d < s.size; ++d)
            sum += scale * q.at(at(s.heads, s.queries, s.size, b, h, i, d)) *
                   k.at(at(kv, s.keys, s.size, b, h / s.shared, j, d));
        return sum;
    }
    double kept(int64_t b, int64_t h, int64_t i, int64_t j) const {
        if (s.dropout == 0) return 1;
        const int64_t row = (b * s.heads + h) * ((s.queries + 31) / 32) + i / 32;
        const int64_t n = (row * ((s.keys + 7) / 8) + j / 8) * 256 + j % 8 * 32 + i % 32;
        const uint32_t number =
            word(source, n / 4) >> (8 * (n % 4)) << 24 | word(dropout_details(source), n) >> 8;
        return number * 0x1p-32 < s.dropout ? 0 : 1 / (1 - s.dropout);
    }
    AttentionArgs args(Array<T>& out, Array<Beside<T>>& log_sums) {
        AttentionArgs a;
        a.batch = s.batch, a.heads = s.heads, a.key_heads = kv, a.queries = s.queries, a.keys = s.keys;
        a.size = s.size, a.value_size = s.value_size, a.causal = s.causal, a.scale = scale;
        a.dropout = s.dropout, a.random = source, a.log_sums = log_sums.data();
        a.query = by_time(q.data(), s.heads, s.queries, s.size, gap);
        a.key = by_time(k.data(), kv, s.keys, s.size, gap);
        a.value = by_time(v.data(), kv, s.keys, s.value_size, gap);
        a.output = by_time(out.data(), s.heads, s.queries, s.value_size, 0);
        if (s.mask == 1)
            a.mask = {AttentionMask::Kind::boolean, allowed.data(), 0, s.queries * s.keys, s.keys, 1};
        if (s.mask == 2) a.mask = {AttentionMask::Kind::number, bias.data(), 0, 0, s.keys, 1};
        if (s.mask == 3) a.mask = {AttentionMask::Kind::boolean, allowed.data(), s.keys, 0, 0, 1};
        return a;
    }
};

// All values of one call in double, with the sizes of their terms.
struct Expected {
    std::vector<Sum> out, query_grad, key_grad, value_grad;
    std::vector<double> log_sums;
};

template <class T> Expected expected(const Model<T>& m, const Array<T>& given_out) {
    const Case& s = m.s;
    const auto dense = [&](int64_t heads, int64_t time, int64_t size) {
        return std::vector<Sum>(size_t(s.batch * heads * time * size));
    };
    Expected e{dense(s.heads, s.queries, s.value_size),
               dense(s.heads, s.queries, s.size),
               dense(m.kv, s.keys, s.size),
               dense(m.kv, s.keys, s.value_size),
               {}};
    for (int64_t b = 0; b < s.batch; ++b)
        for (int64_t h = 0; h < s.heads; ++h)
            for (int64_t i = 0; i < s.queries; ++i) {
                std::vector<double> w(size_t(s.keys));
                double top = -INFINITY, total = 0;
                for (int64_t j = 0; j < s.keys; ++j) top = std::fmax(top, w[size_t(j)] = m.score(b, h, i, j));
                for (int64_t j = 0; j < s.keys; ++j)
                    total += w[size_t(j)] = top > -INFINITY ? std::exp(w[size_t(j)] - top) : 0;
                e.log_sums.push_back(total > 0 ? top + std::log(total) : INFINITY);
                const auto index = [&](int64_t heads, int64_t time, int64_t size, int64_t head, int64_t t,
                                       int64_t d) {
                    return size_t(((b * time + t) * heads + head) * size + d);
                };
                Sum dot; // of the output and its gradient
                for (int64_t d = 0; d < s.value_size; ++d)
                    dot.add(m.grad.at(m.at(s.heads, s.queries, s.value_size, b, h, i, d)) *
                            given_out.at(int64_t(index(s.heads, s.queries, s.value_size, h, i, d))));
                for (int64_t j = 0; j < s.keys; ++j) {
                    if (w[size_t(j)] == 0) continue;
                    const double p = w[size_t(j)] / total, kept = m.kept(b, h, i, j);
                    const int64_t g = h / s.shared;
                    Sum dp;
                    for (int64_t d = 0; d < s.value_size; ++d) {
                        const double dy = m.grad.at(m.at(s.heads, s.queries, s.value_size, b, h, i, d));
                        const double value = m.v.at(m.at(m.kv, s.keys, s.value_size, b, g, j, d));
                        e.out[index(s.heads, s.queries, s.value_size, h, i, d)].add(p * kept * value);
                        e.value_grad[index(m.kv, s.keys, s.value_size, g, j, d)].add(p * kept * dy);
                        dp.add(dy * value * kept);
                    }
                    const double ds = m.scale * p * (dp.value - dot.value),
                                 size = m.scale * p * (dp.size + dot.size);
                    for (int64_t d = 0; d < s.size; ++d) {
                        const double key = m.k.at(m.at(m.kv, s.keys, s.size, b, g, j, d)),
                                     query = m.q.at(m.at(s.heads, s.queries, s.size, b, h, i, d));
                        Sum& dq = e.query_grad[index(s.heads, s.queries, s.size, h, i, d)];
                        Sum& dk = e.key_grad[index(m.kv, s.keys, s.size, g, j, d)];
                        dq.add(ds * key), dk.add(ds * query);
                        dq.size += size * std::fabs(key), dk.size += size * std::fabs(query);
                    }
                }
            }
    return e;
}

template <class T> void check_case(Checks& c, const Case& s) {
    const int which = precision(dtype_of<T>);
    c.at(describe(s));
    Model<T> m(c, s);
    const int64_t places = s.batch * s.queries * s.heads;
    Array<T> out(places * s.value_size), dq(places * s.size), dk(s.batch * s.keys * m.kv * s.size),
        dv(s.batch * s.keys * m.kv * s.value_size);
    Array<Beside<T>> log_sums(places);
    const AttentionArgs args = m.args(out, log_sums);
    c.call(c.table.attention.forward[which], args);
    AttentionGradArgs grads{args, {}, {}, {}, {}};
    grads.output_grad = by_time(m.grad.data(), s.heads, s.queries, s.value_size, m.gap);
    grads.query_grad = by_time(dq.data(), s.heads, s.queries, s.size, 0);
    grads.key_grad = by_time(dk.data(), m.kv, s.keys, s.size, 0);
    grads.value_grad = by_time(dv.data(), m.kv, s.keys, s.value_size, 0);
    Array<Beside<T>> partial(c.call(c.table.attention.partial_size, args));
    grads.partial = partial.data();
    c.call(c.table.attention.backward[which], grads);

    const Expected e = expected(m, out);
    // exp turns absolute errors of scores into relative ones. Weights may be rounded to bfloat16 before they
    // are multiplied, 2^-9 of each term; float16 goes the way of other levels' bfloat16 and is held to
    // float32.
    const double some = 40 + 2 * double(s.size) + (dtype_of<T> == DType::bfloat16 ? 1 << 15 : 0);
    const auto sums = [](const std::vector<Sum>& all) {
        return [&all](int64_t i) -> Want { return {all[size_t(i)].value, 1e-3 + all[size_t(i)].size}; };
    };
    c.expect("output", out, some, sums(e.out));
    c.expect("log_sums", log_sums, some, [&](int64_t i) -> Want {
        const int64_t t = i % s.queries, h = i / s.queries % s.heads, b = i / s.queries / s.heads;
        const double want = e.log_sums[size_t((b * s.heads + h) * s.queries + t)];
        return {want, std::isinf(want) ? want : 1 + std::fabs(want)};
    });
    c.expect("query_grad", dq, 2 * some, sums(e.query_grad));
    c.expect("key_grad", dk, 2 * some, sums(e.key_grad));
    c.expect("value_grad", dv, 2 * some, sums(e.value_grad));
}

} // namespace

void check_attention(Checks& c) {
    const Case cases[] = {{1, 1, 1, 1, 1, 1, 1, false, 0, 0},     {2, 3, 1, 5, 7, 4, 6, false, 0, 0},
                          {1, 2, 2, 33, 17, 8, 16, false, 1, 0},  {2, 2, 1, 40, 40, 16, 16, true, 0, 0},
                          {1, 4, 2, 31, 64, 33, 17, true, 2, 0},  {2, 2, 1, 16, 130, 64, 64, false, 3, 0.25},
                          {1, 2, 1, 70, 65, 24, 5, true, 0, 0.5}, {1, 1, 1, 130, 129, 8, 8, true, 1, 0.1},
                          {1, 2, 2, 100, 530, 12, 8, true, 0, 0}, {1, 3, 3, 1, 300, 32, 32, true, 0, 0}};
    for_all_floats([&]<class T>(T) {
        for (const Case& s : cases) check_case<T>(c, s);
    });
}

} // namespace dt::check
