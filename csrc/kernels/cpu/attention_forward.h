#pragma once
// Attention by tiles with softmax on the way (Dao, "FlashAttention-2", 2023; Milakov and Gimelshein, 2018).
#include "kernels/cpu/attention_parts.h"
#include "kernels/cpu/half.h"

namespace dt::cpu::DT_LEVEL {
namespace {

constexpr int64_t kBlockQueries = 128, kBlockKeys = 128; // of a task, and of a step of it

// A block of queries of one head against all keys, kBlockKeys at a time.
// M is what products multiply.
template <class T, class M> struct ForwardTask {
    using V = Vec<T>;
    const Problem<T>& p;
    const AttentionArgs& args = p.args;
    int64_t b, h, q0, count;
    const int64_t out_width = p.width(args.value_size);
    T *queries = nullptr, *scores = nullptr, *mask = nullptr, *out = nullptr;
    M *turned = nullptr, *keys = nullptr, *values = nullptr, *weights = nullptr;
    // For each query the largest score so far and the sum of exp(score - largest); factors for what was
    // summed with a smaller one.
    alignas(64) T largest[kBlockQueries] = {}, total[kBlockQueries] = {}, factor[kBlockQueries] = {};

    // Scores of a panel become weights. True where earlier sums have to be multiplied by their factors.
    bool weigh(T* s, int64_t n, int64_t first, int64_t cols) {
        bool grew = false;
        for (int64_t j = 0; j < cols; j += kLanes<T>) {
            T* const column = s + j;
            const V before = load(largest + first + j);
            V top[4] = {before, before, before, before};
            int64_t k = 0;
            for (; k + 4 <= n; k += 4)
#pragma GCC unroll 4
                for (int i = 0; i < 4; ++i)
                    top[i] = max_or_second(load(column + (k + i) * kPanel<T>), top[i]);
            for (; k < n; ++k) top[0] = max_or_second(load(column + k * kPanel<T>), top[0]);
            const V now = max_or_second(max_or_second(top[0], top[1]), max_or_second(top[2], top[3]));
            const V shift = select(now == broadcast(T(-kInfinity)), V{}, now);
            const V shrink = exp(before - shift);
            grew |= any(before != now);
            V sum = load(total + first + j) * shrink;
            for (k = 0; k < n; ++k) {
                const V w = exp(load(column + k * kPanel<T>) - shift);
                store(column + k * kPanel<T>, w);
                sum += w;
            }
            store(largest + first + j, now);
            store(total + first + j, sum);
            store(factor + first + j, shrink);
        }
        return grew;
    }
    void drop(T* s, int64_t first, int64_t k0, int64_t n, int64_t cols) {
        const T scale = p.kept_scale();
        p.for_kept(b, h, q0 + first, k0, n, [&](int64_t k, uint64_t bits) DT_INLINE_LAMBDA {
            for (int64_t j = 0; j < cols; j += kLanes<T>) {
                T* at = s + k * kPanel<T> + j;
                store(at, keep(load(at), bits >> j, scale));
            }
        });
    }
    void step(int64_t k0, int64_t n, const Rows<M>& key, const Rows<M>& value) {
        for (int64_t first = 0; first < count; first += kPanel<T>) {
            const int64_t rows = min(count - first, kPanel<T>), cols = round_up(rows, kLanes<T>);
            const int64_t here = min(n, p.visible(q0 + first + rows - 1) - k0);
            if (here <= 0) continue;
            p.score(b, h, q0 + first, rows, cols, turned + first * p.template depth_of<M>(args.size), key, k0,
                    here, scores, mask);
            T* const sums = out + first * out_width;
            if (weigh(scores, here, first, cols) && k0 > 0)
                for (int64_t i = 0; i < rows; ++i)
                    for (int64_t j = 0; j < out_width; j += kLanes<T>)
                        store(sums + i * out_width + j, load(sums + i * out_width + j) * factor[first + i]);
            if (args.dropout > 0) drop(scores, first, k0, here, cols);
            const M* factors = weights;
#if defined(DT_LEVEL_v4_bf16)
            join_keys(scores, here, weights);
#else
            factors = scores;
#endif
            Product<M>{
                factors, 1,         kPanel<T>, value, rows, args.value_size, p.template depth_of<M>(here),
                sums,    out_width, k0 > 0}
                .run();
        }
    }
    void finish() {
        T* const log_sums = static_cast<T*>(args.log_sums) + (b * args.heads + h) * args.queries + q0;
        for (int64_t i = 0; i < count; i += kLanes<T>) {
            const V sum = load(total + i);
            const Mask<T> none = sum == V{};
            store(factor + i, select(none, V{}, T(1) / sum));
            store_upto(log_sums + i, select(none, broadcast(T(kInfinity)), load(largest + i) + log(sum)),
                       count - i);
        }
        for (int64_t i = 0; i < count; ++i) {
            T* const row = out + i * out_width;
            if (p.visible(q0 + i) == 0) memset(row, 0, size_t(out_width) * sizeof(T));
            for (int64_t j = 0; j < out_width; j += kLanes<T>) store(row + j, load(row + j) * factor[i]);
            p.write(row, args.value_size, p.address(args.output, b, h, q0 + i));
        }
    }
    void run() {
        const int64_t padded = round_up(count, kPanel<T>), kv = h / (args.heads / args.key_heads);
        const int64_t block = min(kBlockKeys, args.keys);
        const int64_t mask_size = args.mask.data ? p.mask_memory(block) : 0;
        take<T>({block * kPanel<T>, mask_size, padded * out_width, padded * p.width(args.size),
                 padded * p.template depth_of<M>(args.size), p.template copied<M>(args.key, args.size, block),
                 p.template copied<M>(args.value, args.value_size, block),
                 kOfPairs<M> ? (block + 1) / 2 * kPanel<T> : 0},
                {&scores, &mask, &out, &queries, &turned, &keys, &values, &weights});
        for (int64_t i = 0; i < padded; ++i) largest[i] = T(-kInfinity), total[i] = 0;
        const int64_t end = p.visible(q0 + count - 1);
#if defined(DT_LEVEL_v4_bf16)
        const PairReader pairs{p};
        pairs.turn(args.query, args.size, b, h, q0, count, turned);
        for (int64_t k0 = 0; k0 < end; k0 += kBlockKeys) {
            const int64_t n = min(kBlockKeys, end - k0);
            pairs.join(args.value, args.value_size, b, kv, k0, n, n, values);
            step(k0, n, pairs.rows(args.key, args.size, b, kv, k0, n, keys), {values, out_width});
        }
#else
        p.scaled_rows(args.query, args.size, b, h, q0, count, T(args.scale), queries);
        p.turn(queries, args.size, padded, turned);
        for (int64_t k0 = 0; k0 < end; k0 += kBlockKeys) {
            const int64_t n = min(kBlockKeys, end - k0);
            step(k0, n, p.rows(args.key, args.size, b, kv, k0, n, keys),
                 p.rows(args.value, args.value_size, b, kv, k0, n, values));
        }
#endif
        finish();
    }
};

template <class T, class M = T> void forward_as(const AttentionArgs& args, DType stored) {
    const Problem<T> p{args, stored};
    const int64_t blocks = ceil_div(args.queries, kBlockQueries), tasks = args.batch * args.heads * blocks;
    const int64_t work = min(args.queries, kBlockQueries) * args.keys * (args.size + args.value_size) / 32;
    parallel(tasks, grain_for(work), [&](int64_t begin, int64_t end) {
        for (int64_t t = begin; t < end; ++t) { // the last queries, which see most keys, first
            const int64_t head = t % (args.batch * args.heads),
                          q0 = (blocks - 1 - t / (args.batch * args.heads)) * kBlockQueries;
            ForwardTask<T, M>{.p = p,
                              .b = head / args.heads,
                              .h = head % args.heads,
                              .q0 = q0,
                              .count = min(args.queries - q0, kBlockQueries)}
                .run();
        }
    });
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
