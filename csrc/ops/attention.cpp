#include "ops/attention.h"

#include <cmath>

namespace dt::ops {
namespace {

constexpr const char* kOp = "scaled_dot_product_attention";

// (batch, heads, time, features); with fewer dimensions there is one head, or one batch of one.
struct Axes {
    int64_t batch, heads, time, features;
    explicit Axes(const Tensor& t)
        : batch(t.rank() > 2 ? t.shape(0) : 1), heads(t.rank() > 3 ? t.shape(1) : 1),
          time(t.shape(t.rank() - 2)), features(t.shape().back()) {}
};

HeadArray head_array(const Tensor& t) {
    if (!t.defined()) return {};
    const Dims& s = t.strides();
    const int rank = t.rank();
    return {t.data(), rank > 2 ? s[0] : 0, rank > 3 ? s[1] : 0, s[rank - 2]};
}

// As the kernels read it: any strides but for the features, which are adjacent.
Tensor readable(const Tensor& t) {
    return t.strides().back() == 1 || t.shape().back() == 1 ? t : plain::contiguous(t);
}

// Uninitialised; in memory (batch, time, heads, features) where `by_time`, so that the heads of a place are
// neighbours and joining them is a view.
Tensor empty_heads(const Dims& shape, DType dtype, bool by_time) {
    if (shape.rank() != 4 || !by_time) return Tensor::empty(shape, dtype, Device::cpu, kOp);
    const int64_t b = shape[0], h = shape[1], t = shape[2], d = shape[3];
    return Tensor::empty({b, t, h, d}, dtype, Device::cpu, kOp).alias(shape, {t * h * d, d, h * d, 1}, 0);
}
Tensor gradient_like(const Tensor& t, DType dtype) {
    return empty_heads(t.shape(), dtype, t.rank() == 4 && t.strides()[1] < t.strides()[2]);
}

void check_shapes(const Tensor& query, const Tensor& key, const Tensor& value, bool enable_gqa) {
    const Axes q(query), k(key), v(value);
    const auto fail = [](const char* argument, const Tensor& t, const std::string& expected) {
        value_error({kOp, ": ", argument, " has shape ", t.shape(), ", expected ", expected});
    };
    const auto beside = [](const char* name, const Tensor& t) {
        return std::string(name) + " (shape " + to_string(t.shape()) + ")";
    };
    for (auto [name, t] : {std::pair{"key", &key}, std::pair{"value", &value}})
        if (t->rank() != query.rank()) fail(name, *t, "as many dimensions as " + beside("query", query));
    if (k.batch != q.batch) fail("key", key, "the batch of " + beside("query", query));
    if (k.features != q.features) fail("key", key, "the features (last axis) of " + beside("query", query));
    if (v.batch != k.batch || v.heads != k.heads || v.time != k.time)
        fail("value", value, "but for the last axis that of " + beside("key", key));
    if (q.features == 0) fail("query", query, "at least one feature (last axis)");
    if (k.heads == q.heads) return;
    if (!enable_gqa)
        fail("key", key,
             "the heads (axis 1) of " + beside("query", query) + "; enable_gqa=True lets heads share");
    if (k.heads == 0 || q.heads % k.heads)
        fail("key", key, "a number of heads (axis 1) that divides those of " + beside("query", query));
}

// The mask as the kernel reads it, and its steps.
Tensor take_mask(const Tensor& mask, const Tensor& query, int64_t keys, AttentionMask& to) {
    if (!mask.defined()) return mask;
    const bool boolean = mask.dtype() == DType::boolean;
    if (!boolean) {
        if (!is_floating(mask.dtype()))
            type_error({kOp, ": attn_mask must have dtype bool or that of query, got ", mask.dtype()});
        check_beside(kOp, "attn_mask", mask, query);
        check_constant(kOp, "attn_mask", mask);
    }
    Dims full = query.shape();
    full[full.rank() - 1] = keys;
    bool fits = mask.rank() <= full.rank();
    for (int i = 1; fits && i <= mask.rank(); ++i) {
        const int64_t n = mask.shape(mask.rank() - i);
        fits = n == 1 || n == full[full.rank() - i];
    }
    if (!fits)
        value_error({kOp, ": attn_mask has shape ", mask.shape(), ", expected one that broadcasts to ", full,
                     " (query's axes, and the number of keys)"});
    const Tensor m = boolean ? mask : plain::convert(mask, computing_dtype(query.dtype()));
    const Dims steps = broadcast_strides(m, full);
    const int rank = full.rank();
    to = {boolean ? AttentionMask::Kind::boolean : AttentionMask::Kind::number,
          m.data(),
          rank > 2 ? steps[0] : 0,
          rank > 3 ? steps[1] : 0,
          steps[rank - 2],
          steps[rank - 1]};
    return m;
}

// Nanoseconds of the forward.
double estimate(const AttentionArgs& a) {
    const double pairs = double(a.batch) * double(a.heads) * double(a.queries) * double(a.keys);
    return pairs * double(a.size + a.value_size) * (a.causal ? 0.05 : 0.1);
}

struct Recorded {
    AttentionArgs args;
    Saved query, key, value, mask, output;
    Tensor log_sums;
    Dims shapes[3];
    DType dtypes[3];
};

// The gradients of query, key and value, where memory is given for them.
void differentiate(AttentionGradArgs& args, DType dtype) {
    const auto& attention = kernels().attention;
    Tensor partial;
    const int64_t size = args.query_grad.data ? attention.partial_size(args.forward) : 0;
    if (size) partial = Tensor::empty({size}, computing_dtype(dtype), Device::cpu, kOp);
    args.partial = data_of(partial);
    attention.backward[precision(dtype)](args);
}

void backward_of(Backward& b, const Recorded& kept) {
    const Tensor* const inputs[] = {&kept.query.get(), &kept.key.get(), &kept.value.get()};
    kept.output.get();
    if (kept.mask) kept.mask.get();
    const DType dtype = inputs[0]->dtype();
    AttentionGradArgs args{kept.args, {}, {}, {}, {}};
    if (!kept.args.log_sums) { // nothing was computed
        for (int i : {0, 1, 2})
            if (b.needs(i)) b.give(i, plain::zeros(kept.shapes[i], kept.dtypes[i]));
        return;
    }
    const Tensor grad = readable(plain::convert(b.grad(), dtype));
    args.output_grad = head_array(grad);
    Tensor grads[3];
    for (int i : {0, 1, 2})
        if (b.needs(i)) grads[i] = gradient_like(*inputs[i], dtype);
    args.query_grad = head_array(grads[0]);
    args.key_grad = head_array(grads[1]);
    args.value_grad = head_array(grads[2]);
    differentiate(args, dtype);
    for (int i : {0, 1, 2})
        if (grads[i].defined()) b.give(i, plain::convert(grads[i], kept.dtypes[i]));
}

// Queries, keys and values of one projection, (batch, time, heads + 2 key_heads of features).
struct Projection {
    HeadArray query, key, value;
    Projection(const Tensor& t, int64_t heads, int64_t key_heads, int64_t size) {
        const int64_t row = t.shape(2), item = static_cast<int64_t>(item_size(t.dtype()));
        const auto part = [&](int64_t first) {
            return HeadArray{static_cast<char*>(t.data()) + first * size * item, t.shape(1) * row, size, row};
        };
        query = part(0), key = part(heads), value = part(heads + key_heads);
    }
};

void draw_random(AttentionArgs& args, const Ref<Generator>& generator) {
    if (args.dropout == 0) return;
    const Generator::Stream stream = generator->next();
    args.random = {stream.seed, stream.stream, 0};
}

// Fills `out`; returns the logarithms of the sums.
Tensor compute(AttentionArgs& args, const Tensor& out) {
    const Tensor log_sums =
        Tensor::empty({args.batch, args.heads, args.queries}, computing_dtype(out.dtype()));
    args.log_sums = log_sums.data();
    LongWork work(estimate(args));
    kernels().attention.forward[precision(out)](args);
    return log_sums;
}

} // namespace

Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const Optional& attn_mask, double dropout_p, bool is_causal,
                                    const std::optional<double>& scale, bool enable_gqa,
                                    const Ref<Generator>& generator) {
    check_floating(kOp, "query", query);
    if (query.rank() < 2 || query.rank() > 4)
        value_error({kOp, ": query must have 2 to 4 dimensions (batch, heads, time, features), got ",
                     query.rank(), " (shape ", query.shape(), ")"});
    const bool casts = autograd::autocasts({&query, &key, &value});
    if (!casts) {
        check_same_dtype(kOp, "query", query, "key", key);
        check_same_dtype(kOp, "query", query, "value", value);
    }
    check_between(kOp, "dropout_p", dropout_p, 0, 1);
    check_shapes(query, key, value, enable_gqa);
    const auto prepare = [&](const Tensor& t) { return readable(casts ? autograd::autocast(t) : t); };
    const Tensor q = prepare(query), k = prepare(key), v = prepare(value);
    const Axes queries(q), keys(k), values(v);
    AttentionArgs args;
    args.batch = queries.batch, args.heads = queries.heads, args.key_heads = keys.heads;
    args.queries = queries.time, args.keys = keys.time;
    args.size = queries.features, args.value_size = values.features;
    args.query = head_array(q), args.key = head_array(k), args.value = head_array(v);
    args.causal = is_causal;
    args.scale = scale ? *scale : 1 / std::sqrt(double(args.size));
    args.dropout = dropout_p;
    const Tensor mask = take_mask(given(attn_mask), q, args.keys, args.mask);
    draw_random(args, generator);
    Dims shape = q.shape();
    shape[shape.rank() - 1] = args.value_size;
    Tensor out = empty_heads(shape, q.dtype(), true), log_sums;
    if (out.size() && args.keys) {
        args.output = head_array(out);
        log_sums = compute(args, out);
    } else if (out.size()) {
        plain::copy(out, plain::zeros(shape, q.dtype()));
    }
    if (recording({&query, &key, &value}))
        record(
            kOp, out, {&query, &key, &value},
            [kept = Recorded{args,
                             Saved(q),
                             Saved(k),
                             Saved(v),
                             mask.defined() ? Saved(mask) : Saved(),
                             Saved(out),
                             log_sums,
                             {query.shape(), key.shape(), value.shape()},
                             {query.dtype(), key.dtype(), value.dtype()}}](Backward& b) {
                backward_of(b, kept);
            },
            2.5 * estimate(args));
    return out;
}

Tensor self_attention(const Tensor& projected, int64_t heads, int64_t key_heads, const Optional& attn_mask,
                      double dropout_p, bool is_causal, const Ref<Generator>& generator) {
    constexpr const char* op = "self_attention";
    check_floating(op, "projected", projected);
    check_rank(op, "projected", projected, 3, "(batch, time, features)");
    check_between(op, "dropout_p", dropout_p, 0, 1);
    const int64_t features = projected.shape(2), all = heads + 2 * key_heads;
    if (heads < 1 || key_heads < 1 || heads % key_heads || features == 0 || features % all)
        value_error({op, ": projected has ", features, " features (shape ", projected.shape(), "), expected ",
                     all, " heads of one size: those of ", heads, " queries and of ", key_heads,
                     " keys and values, a divisor of that"});
    const Tensor x = plain::contiguous(projected);
    const int64_t batch = x.shape(0), time = x.shape(1), size = features / all;
    AttentionArgs args;
    args.batch = batch, args.heads = heads, args.key_heads = key_heads;
    args.queries = args.keys = time;
    args.size = args.value_size = size;
    const Projection in(x, heads, key_heads, size);
    args.query = in.query, args.key = in.key, args.value = in.value;
    args.causal = is_causal;
    args.scale = 1 / std::sqrt(double(size));
    args.dropout = dropout_p;
    const Tensor like = x.alias({batch, heads, time, size}, {0, 0, 0, 0}, x.offset());
    const Tensor mask = take_mask(given(attn_mask), like, time, args.mask);
    draw_random(args, generator);
    Tensor out = Tensor::empty({batch, time, heads * size}, x.dtype(), Device::cpu, op), log_sums;
    if (out.size()) {
        args.output = {out.data(), time * heads * size, size, heads * size};
        log_sums = compute(args, out);
    }
    if (recording({&projected}))
        record(
            op, out, {&projected},
            [args, x = Saved(x), mask = mask.defined() ? Saved(mask) : Saved(), y = Saved(out),
             log_sums](Backward& b) {
                const Tensor &input = x.get(), grad = plain::contiguous(b.grad());
                y.get();
                if (mask) mask.get();
                Tensor input_grad = empty_like(input);
                if (grad.size()) {
                    const int64_t row = grad.shape(2);
                    const Projection to(input_grad, args.heads, args.key_heads, args.size);
                    AttentionGradArgs all{args, {}, to.query, to.key, to.value};
                    all.output_grad = {grad.data(), grad.shape(1) * row, args.size, row};
                    differentiate(all, input.dtype());
                }
                b.give(0, input_grad);
            },
            2.5 * estimate(args));
    return out;
}

} // namespace dt::ops
