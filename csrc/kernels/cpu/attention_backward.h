#pragma once
// The gradients of attention: the weights are computed again tile by tile. A task takes a part of the keys of
// one head and all queries that see them, so that the sums of its key and value gradients are its own. The
// query gradients of several parts are added up in order at last.
#include "kernels/cpu/attention_parts.h"
#include "kernels/cpu/half.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

namespace dt::cpu::DT_LEVEL {
namespace {

constexpr int64_t kBackwardBlock = 64; // queries, and keys, of a step
constexpr int64_t kPartKeys = 256, kParts = 8,
                  kHeads = 16; // least keys of a part, most parts, tasks that suffice

struct KeyParts {
    int64_t parts, size;
    explicit KeyParts(const AttentionArgs& args) {
        const int64_t wanted = ceil_div(kHeads, args.batch * args.key_heads);
        const int64_t most = clamp(args.keys / kPartKeys, int64_t{1}, kParts);
        size = round_up(ceil_div(args.keys, min(wanted, most)), kBackwardBlock);
        parts = ceil_div(args.keys, size);
    }
};

inline int64_t partial_size(const AttentionArgs& args) {
    const int64_t parts = KeyParts(args).parts;
    return parts == 1 ? 0 : parts * args.batch * args.heads * args.queries * args.size;
}

// M is what products multiply.
template <class T, class M> struct BackwardTask {
    using V = Vec<T>;
    const Problem<T>& p;
    const AttentionGradArgs& grads;
    const AttentionArgs& args = grads.forward;
    int64_t b, kv, part, parts, c0, c1; // keys [c0, c1)
    const int64_t width = p.width(args.size), value_width = p.width(args.value_size);
    const int64_t block = kBackwardBlock, panel_step = kBackwardBlock * kPanel<T>;
    M *key_copy = nullptr, *value_copy = nullptr;
    T *key_grad = nullptr, *value_grad = nullptr;
    M *queries = nullptr, *queries_turned = nullptr, *out_grad = nullptr, *out_grad_turned = nullptr;
    T *weights = nullptr, *score_grads = nullptr, *mask = nullptr, *query_grad = nullptr, *line = nullptr;
    Rows<M> key{}, value{}, keys_joined{};
    // Of pairs: weights and gradients of scores as rows of keys, gradients as pairs of keys.
    Pair *weight_rows = nullptr, *grad_rows = nullptr, *grad_pairs = nullptr;
    alignas(64) T log_sums[kBackwardBlock] = {}, dots[kBackwardBlock] = {};
    // Of the block of queries at hand.
    int64_t h = 0, q0 = 0, count = 0;

    // The query gradient, or its part, from row q0 on.
    void write_query_grad() {
        for (int64_t i = 0; i < count; ++i) {
            T* const row = query_grad + i * width;
            if (parts == 1) {
                for (int64_t j = 0; j < width; j += kLanes<T>)
                    store(row + j, load(row + j) * (kOfPairs<M> ? T(1) : T(args.scale)));
                p.write(row, args.size, p.address(grads.query_grad, b, h, q0 + i));
            } else {
                const int64_t at = ((part * args.batch + b) * args.heads + h) * args.queries + q0 + i;
                copy_row(static_cast<T*>(grads.partial) + at * args.size, row, args.size);
            }
        }
    }
    void load_queries() {
#if defined(DT_LEVEL_v4_bf16)
        const PairReader pairs{p};
        pairs.turn(args.query, args.size, b, h, q0, count, queries_turned);
        pairs.join(args.query, args.size, b, h, q0, count, block, queries);
        pairs.turn(grads.output_grad, args.value_size, b, h, q0, count, out_grad_turned);
        pairs.join(grads.output_grad, args.value_size, b, h, q0, count, block, out_grad);
#else
        p.scaled_rows(args.query, args.size, b, h, q0, count, T(args.scale), queries);
        p.turn(queries, args.size, block, queries_turned);
        p.scaled_rows(grads.output_grad, args.value_size, b, h, q0, count, T(1), out_grad);
        p.turn(out_grad, args.value_size, block, out_grad_turned);
#endif
        const T* const sums = static_cast<const T*>(args.log_sums) + (b * args.heads + h) * args.queries + q0;
        for (int64_t i = 0; i < block; ++i) {
            log_sums[i] = i < count ? sums[i] : T(kInfinity);
            dots[i] = 0;
            if (i >= count) continue;
            p.read(p.address(args.output, b, h, q0 + i), args.value_size, line);
            p.read(p.address(grads.output_grad, b, h, q0 + i), args.value_size, line + value_width);
            const T* const grad = line + value_width;
            dots[i] = sum_vectors<T>(args.value_size, [&](int64_t j, auto n) DT_INLINE_LAMBDA {
                return load(grad + j, n) * load(line + j, n);
            });
        }
    }
    // Scores and gradients of weights become weights and gradients of scores, of the panel from query `first`
    // on.
    void differentiate(T* s, T* ds, int64_t first, int64_t k0, int64_t n) {
        const auto row = [&](int64_t k, auto&& dropped) DT_INLINE_LAMBDA {
            for (int64_t j = 0; j < kPanel<T>; j += kLanes<T>) {
                T *const at = s + k * kPanel<T> + j, *const grad = ds + k * kPanel<T> + j;
                const V w = exp(load(at) - load(log_sums + first + j));
                const T scale = kOfPairs<M> ? T(args.scale) : T(1);
                store(grad, w * (dropped(load(grad), j) - load(dots + first + j)) * scale);
                store(at, dropped(w, j));
            }
        };
        if (args.dropout > 0)
            p.for_kept(b, h, q0 + first, k0, n, [&](int64_t k, uint64_t bits) DT_INLINE_LAMBDA {
                row(k, [&](V x, int64_t j) DT_INLINE_LAMBDA { return keep(x, bits >> j, p.kept_scale()); });
            });
        else
            for (int64_t k = 0; k < n; ++k) row(k, [](V x, int64_t) DT_INLINE_LAMBDA { return x; });
    }
    // Keys [k0, k0 + n) with the block of queries.
    void step(int64_t k0, int64_t n) {
        const Rows<M> k = key.from(k0 - c0), v = value.from(k0 - c0);
        int64_t seen = count; // the first query that sees one of the keys, down to a panel
        for (int64_t first = 0; first < count; first += kPanel<T>) {
            const int64_t rows = min(count - first, kPanel<T>);
            const int64_t here = min(n, p.visible(q0 + first + rows - 1) - k0);
            if (here <= 0) continue;
            seen = min(seen, first);
            T *const s = weights + first * block, *const ds = score_grads + first * block;
            p.score(b, h, q0 + first, rows, kPanel<T>,
                    queries_turned + first * p.template depth_of<M>(args.size), k, k0, here, s, mask);
            const int64_t depth = p.template depth_of<M>(args.value_size);
            Product<M>{v.at,  v.step, 1,        {out_grad_turned + first * depth, kPanel<T>}, here, kPanel<T>,
                       depth, ds,     kPanel<T>}
                .run();
            differentiate(s, ds, first, k0, here);
            add_query_grad(s, ds, first, rows, here, n, k0);
        }
        if (seen >= count) return;
        const int64_t panels = ceil_div(count - seen, kPanel<T>), depth = p.template depth_of<M>(kPanel<T>);
        const auto add = [&](const M* a, const M* from, T* to, int64_t size, int64_t step) {
            Product<M>{a + seen * p.template depth_of<M>(block),
                       depth,
                       1,
                       {from + p.template depth_of<M>(seen) * step, step},
                       n,
                       size,
                       depth,
                       to + (k0 - c0) * step,
                       step,
                       true,
                       panels,
                       p.template depth_of<M>(panel_step)}
                .run();
        };
#if defined(DT_LEVEL_v4_bf16)
        const Pair *const w = weight_rows, *const g = grad_rows;
#else
        const T *const w = weights, *const g = score_grads;
#endif
        if (grads.value_grad.data) add(w, out_grad, value_grad, args.value_size, value_width);
        if (grads.key_grad.data) add(g, queries, key_grad, args.size, width);
    }
    // Of the panel from query `first` on; keys from `here` to n get zeros for the sums over queries.
    void add_query_grad(T* s, T* ds, int64_t first, int64_t rows, int64_t here, int64_t n, int64_t k0) {
        const M* grad_of_keys = nullptr;
#if defined(DT_LEVEL_v4_bf16)
        Pair* to[] = {weight_rows + first * block / 2, grad_rows + first * block / 2};
        for (int i = 0; i < 2; ++i) {
            const float* from = i ? ds : s;
            for (int64_t k = 0; k < n; ++k)
                store(to[i] + k * kPanel<T> / 2,
                      k < here
                          ? put_rounded(load(from + k * kPanel<T>), load(from + k * kPanel<T> + kLanes<T>))
                          : Vec<Pair>{});
        }
        join_keys(ds, here, grad_pairs);
        grad_of_keys = grad_pairs;
        const Rows<M> k = keys_joined.from((k0 - c0) / 2);
#else
        for (T* rest : {s, ds})
            memset(rest + here * kPanel<T>, 0, size_t((n - here) * kPanel<T>) * sizeof(T));
        grad_of_keys = ds;
        const Rows<M> k = key.from(k0 - c0);
#endif
        if (grads.query_grad.data)
            Product<M>{grad_of_keys,
                       1,
                       kPanel<T>,
                       k,
                       rows,
                       args.size,
                       p.template depth_of<M>(here),
                       query_grad + first * width,
                       width,
                       true}
                .run();
    }
    void take_memory() {
        const int64_t n = c1 - c0, pairs = kOfPairs<M> ? block * block / 2 : 0;
        take<T>({p.template copied<M>(args.key, args.size, n),
                 p.template copied<M>(args.value, args.value_size, n), n * width, n * value_width,
                 block * width, block * args.size, block * value_width, block * args.value_size,
                 block * block, block * block, args.mask.data ? p.mask_memory(block) : 0, block * width,
                 2 * value_width, pairs, pairs, kOfPairs<M> ? block / 2 * kPanel<T> : 0},
                {&key_copy, &value_copy, &key_grad, &value_grad, &queries, &queries_turned, &out_grad,
                 &out_grad_turned, &weights, &score_grads, &mask, &query_grad, &line, &weight_rows,
                 &grad_rows, &grad_pairs});
    }
    void run() {
        take_memory();
        const int64_t n = c1 - c0, shared = args.heads / args.key_heads;
#if defined(DT_LEVEL_v4_bf16)
        const PairReader pairs{p};
        keys_joined = {key_copy, width};
        pairs.join(args.key, args.size, b, kv, c0, n, n, key_copy);
        key = pairs.rows(args.key, args.size, b, kv, c0, n, key_copy + (n + 1) / 2 * width);
        value = pairs.rows(args.value, args.value_size, b, kv, c0, n, value_copy);
#else
        key = p.rows(args.key, args.size, b, kv, c0, n, key_copy);
        value = p.rows(args.value, args.value_size, b, kv, c0, n, value_copy);
#endif
        memset(key_grad, 0, size_t(n * width) * sizeof(T));
        memset(value_grad, 0, size_t(n * value_width) * sizeof(T));
        for (h = kv * shared; h < (kv + 1) * shared; ++h)
            for (q0 = 0; q0 < args.queries; q0 += block) {
                count = min(block, args.queries - q0);
                const int64_t end = min(c1, p.visible(q0 + count - 1));
                if (end <= c0 && part > 0) continue; // add_parts leaves it out
                memset(query_grad, 0, size_t(block * width) * sizeof(T));
                if (end > c0) load_queries();
                for (int64_t k0 = c0; k0 < end; k0 += block) step(k0, min(block, end - k0));
                if (grads.query_grad.data) write_query_grad();
            }
        for (int64_t i = 0; i < n; ++i) {
            if (grads.key_grad.data)
                p.write(key_grad + i * width, args.size, p.address(grads.key_grad, b, kv, c0 + i));
            if (grads.value_grad.data)
                p.write(value_grad + i * value_width, args.value_size,
                        p.address(grads.value_grad, b, kv, c0 + i));
        }
    }
};

// The parts of the query gradients, in order.
template <class T>
void add_parts(const Problem<T>& p, const AttentionGradArgs& grads, const KeyParts& cut, T scale) {
    const AttentionArgs& args = p.args;
    const int64_t rows = args.batch * args.heads * args.queries;
    parallel(rows, grain_for(cut.parts * args.size / 4), [&](int64_t begin, int64_t end) {
        T* const sum = scratch<T>(Scratch::kernel, p.width(args.size));
        for (int64_t r = begin; r < end; ++r) {
            const int64_t q = r % args.queries, head = r / args.queries;
            const int64_t last = min(q / kBackwardBlock * kBackwardBlock + kBackwardBlock, args.queries) - 1;
            const int64_t parts = max(int64_t{1}, ceil_div(p.visible(last), cut.size));
            for (int64_t j = 0; j < args.size; j += kLanes<T>) {
                Vec<T> total{};
                for (int64_t c = 0; c < parts; ++c)
                    total += load_upto(static_cast<const T*>(grads.partial) + (c * rows + r) * args.size + j,
                                       args.size - j);
                store(sum + j, total * scale);
            }
            p.write(sum, args.size, p.address(grads.query_grad, head / args.heads, head % args.heads, q));
        }
    });
}

template <class T, class M = T> void backward_as(const AttentionGradArgs& grads, DType stored) {
    const AttentionArgs& args = grads.forward;
    const Problem<T> p{args, stored};
    const KeyParts cut(args);
    const int64_t heads = args.batch * args.key_heads;
    const int64_t work = args.queries * cut.size * (args.size + args.value_size) / 8;
    parallel(heads * cut.parts, grain_for(work), [&](int64_t begin, int64_t end) {
        for (int64_t t = begin; t < end; ++t) {
            const int64_t head = t % heads, part = t / heads;
            BackwardTask<T, M>{.p = p,
                               .grads = grads,
                               .b = head / args.key_heads,
                               .kv = head % args.key_heads,
                               .part = part,
                               .parts = cut.parts,
                               .c0 = part * cut.size,
                               .c1 = min((part + 1) * cut.size, args.keys)}
                .run();
        }
    });
    if (cut.parts > 1 && grads.query_grad.data) add_parts(p, grads, cut, kOfPairs<M> ? T(1) : T(args.scale));
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
