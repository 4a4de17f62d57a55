#include "kernels/reduce.h"

#include "kernels/cpu/reduce_special.h"
#include "kernels/cpu/scan.h"
#include "kernels/cpu/walk.h"

namespace dt::cpu::DT_LEVEL {

namespace {

constexpr int64_t kChunk = 512;     // values gathered at a time
constexpr int64_t kTileColumns = 8; // kept elements gathered side by side
constexpr int64_t kTileRows = 256;
constexpr int64_t kFolded = 128; // columns that rows of few are read as
constexpr int kMaxParts = 16;    // parts that one long reduction is cut into
constexpr int64_t kPartWork = 32768;

// One input seen as kept x reduced, dimensions merged where they are one.
struct Plan {
    Dims kept, kept_in, kept_out, reduced, reduced_in;
    int64_t rows = 1, length = 1; // number of kept elements; values behind each
    int64_t item = 0;
    bool packed = false; // the values behind a kept element lie side by side, as the ops want them
    const char* in = nullptr;
    char* out = nullptr;
    DType dtype = DType::float32;
    double divisor = 1;
};

int64_t magnitude(int64_t x) { return x < 0 ? -x : x; }

// Sorts dimensions by the strides in `by`, largest first, and merges neighbours.
void normalise(Dims& shape, Dims& by, Dims* other, bool sort) {
    Dims s, a, b;
    for (int d = 0; d < shape.rank(); ++d) {
        if (shape[d] == 1) continue;
        int at = s.rank();
        while (sort && at > 0 && magnitude(a[at - 1]) < magnitude(by[d])) --at;
        s.insert(at, shape[d]);
        a.insert(at, by[d]);
        if (other) b.insert(at, (*other)[d]);
    }
    for (int d = s.rank() - 2; d >= 0; --d) {
        if (a[d] != a[d + 1] * s[d + 1] || (other && b[d] != b[d + 1] * s[d + 1])) continue;
        a[d] = a[d + 1];
        a.erase(d + 1);
        if (other) {
            b[d] = b[d + 1];
            b.erase(d + 1);
        }
        s[d] *= s[d + 1];
        s.erase(d + 1);
    }
    if (s.empty()) {
        s.push(1);
        a.push(0);
        b.push(0);
    }
    shape = s;
    by = a;
    if (other) *other = b;
}

[[gnu::noinline]] int64_t offset_at(int64_t position, const Dims& shape, const Dims& strides) {
    int64_t offset = 0;
    for (int d = shape.rank() - 1; d > 0; --d) {
        offset += position % shape[d] * strides[d];
        position /= shape[d];
    }
    return offset + position * strides[0];
}

// Whether the result may be known before all values are seen: any, all.
template <class Op> constexpr bool kDecides = requires(typename Op::Acc acc) { Op::decided(acc); };

// Whether it wants nothing but the bits of half formats.
template <class Op> constexpr bool kReadsBits = requires { requires Op::kReadsBits; };

// n values side by side, `first` being the place of the first.
template <class Op, class S> void take(typename Op::Acc& acc, const S* x, int64_t n, int64_t first) {
    if constexpr (kCostly<S> && !kReadsBits<Op>) {
        float floats[kChunk];
        for (int64_t i = 0; i < n; i += kChunk) {
            const int64_t m = n - i < kChunk ? n - i : kChunk;
            convert_array<S>(m, reinterpret_cast<const uint16_t*>(x + i), floats);
            Op::rows(acc, floats, m, first + i);
        }
    } else {
        Op::rows(acc, x, n, first);
    }
}

// The values [begin, end) behind one kept element, along the rows of the innermost reduced dimension.
template <class Op, class S>
void reduce_rows(const Plan& p, const char* in, int64_t begin, int64_t end, typename Op::Acc& acc) {
    alignas(64) char gathered[kChunk * 8];
    const int64_t inner = p.reduced.back(), step = p.reduced_in.back();
    const bool direct = step == p.item;
    for (int64_t i = begin; i < end;) {
        const int64_t at = p.reduced.rank() == 1 ? i : i % inner;
        int64_t n = inner - at < end - i ? inner - at : end - i;
        if (!direct && n > kChunk) n = kChunk;
        const char* from = in + offset_at(i, p.reduced, p.reduced_in);
        if (!direct) {
            copy_strided(int(p.item), n, gathered, p.item, from, step);
            from = gathered;
        }
        take<Op>(acc, reinterpret_cast<const S*>(from), n, i);
        if constexpr (kDecides<Op>)
            if (Op::decided(acc)) return;
        i += n;
    }
}

// Values [begin, begin + n) behind each of `columns` kept elements, side by side in buffers.
using Gathered = char[kTileRows * 8];
void gather_tile(const Plan& p, const char* in, int64_t columns, int64_t begin, int64_t n,
                 Gathered* gathered) {
    const int64_t column_step = p.kept_in.back();
    for (int64_t r = 0; r < n; ++r) {
        const char* from = in + offset_at(begin + r, p.reduced, p.reduced_in);
        for (int64_t c = 0; c < columns; ++c)
            memcpy(gathered[c] + r * p.item, from + c * column_step, size_t(p.item));
    }
}

// The same for `columns` kept elements that lie closer together than the values behind each.
template <class Op, class S>
void reduce_tile(const Plan& p, const char* in, int64_t columns, int64_t begin, int64_t end,
                 typename Op::Acc* acc) {
    alignas(64) Gathered gathered[kTileColumns];
    for (int64_t i = begin; i < end; i += kTileRows) {
        const int64_t n = end - i < kTileRows ? end - i : kTileRows;
        gather_tile(p, in, columns, i, n, gathered);
        for (int64_t c = 0; c < columns; ++c) take<Op>(acc[c], reinterpret_cast<const S*>(gathered[c]), n, i);
    }
}

// Finds rows of columns side by side for Op::columns(), `fold` rows being one where nothing lies between.
template <class S> struct RowFinder {
    using Storage = S;
    const Plan& p;
    const char* in;
    int64_t fold;
    DT_INLINE const S* operator()(int64_t row) const {
        return reinterpret_cast<const S*>(in + offset_at(row * fold, p.reduced, p.reduced_in));
    }
};

// The same for columns that lie side by side, row by row; of few columns, several rows at a time.
template <class Op, class S>
void reduce_columns(const Plan& p, const char* in, int64_t columns, int64_t begin, int64_t end,
                    typename Op::Acc* acc) {
    using Row = RowFinder<S>;
    const int64_t fold = kFolded / columns, folded = fold > 1 ? (end - begin) / fold : 0;
    if (folded >= 8 && p.reduced.rank() == 1 && p.reduced_in[0] == columns * p.item) {
        typename Op::Acc wide[kFolded];
        for (int64_t c = 0; c < fold * columns; ++c) wide[c] = Op::init();
        Op::columns(wide, fold * columns, 0, folded, Row{p, in + begin * p.reduced_in[0], fold});
        for (int64_t c = 0; c < fold * columns; ++c) {
            if constexpr (requires { Op::unfold(wide[c], begin, fold); })
                Op::unfold(wide[c], begin + c / columns, fold);
            Op::merge(acc[c % columns], wide[c]);
        }
        begin += folded * fold;
    }
    Op::columns(acc, columns, begin, end, Row{p, in, 1});
}

enum class Path : uint8_t { rows, columns, tile };

template <class Op, class S>
[[gnu::noinline, gnu::noclone]] void reduce_stored(Path path, const Plan& p, const char* in, int64_t columns,
                                                   int64_t begin, int64_t end, typename Op::Acc* acc) {
    if (path == Path::rows && p.packed)
        return take<Op>(*acc, reinterpret_cast<const S*>(in) + begin, end - begin, begin);
    if (path == Path::rows) return reduce_rows<Op, S>(p, in, begin, end, *acc);
    if (path == Path::columns) return reduce_columns<Op, S>(p, in, columns, begin, end, acc);
    reduce_tile<Op, S>(p, in, columns, begin, end, acc);
}

// body(a value as it is stored): an op over float takes half formats too.
template <class Op, class F> DT_INLINE void with_storage(DType dtype, const F& body) {
    if constexpr (__is_same(typename Op::Value, float)) {
        if (dtype == DType::float16 || (kReadsBits<Op> && dtype == DType::bfloat16)) return body(float16_t{});
        if constexpr (!kReadsBits<Op>)
            if (dtype == DType::bfloat16) return body(bfloat16_t{});
    }
    body(typename Op::Value{});
}

template <class Op>
void reduce_range(Path path, const Plan& p, const char* in, int64_t columns, int64_t begin, int64_t end,
                  typename Op::Acc* acc) {
    with_storage<Op>(p.dtype, [&](auto stored) {
        reduce_stored<Op, decltype(stored)>(path, p, in, columns, begin, end, acc);
    });
}

// Cuts the kept elements into strips of neighbours, and long reductions with few strips into parts, whose
// results are merged in order. Everything depends on the shape alone.
template <class Op> void run(const Plan& p) {
    using Acc = typename Op::Acc;
    const bool beside =
        magnitude(p.kept_in.back()) < magnitude(p.reduced_in.back()) && p.kept.back() > 1 && p.length > 1;
    const Path path = !beside ? Path::rows : p.kept_in.back() == p.item ? Path::columns : Path::tile;
    if constexpr (requires { Op::kShort; })
        if (path == Path::rows && p.packed && p.kept.rank() == 1 && p.length <= Op::kShort)
            return parallel(p.rows, grain_for(p.length), [&](int64_t begin, int64_t end) {
                const int64_t out_step = p.kept_out[0] / int64_t(sizeof(int64_t));
                with_storage<Op>(p.dtype, [&](auto stored) {
                    Op::template short_rows<decltype(stored)>(
                        end - begin, p.length, p.in + begin * p.kept_in[0], p.kept_in[0],
                        reinterpret_cast<int64_t*>(p.out) + begin * out_step, out_step);
                });
            });
    const int64_t width = path == Path::rows ? 1 : path == Path::columns ? kStrip : kTileColumns;
    const int64_t inner = p.kept.back(), strips = ceil_div(inner, width), all = p.rows / inner * strips;
    const auto locate = [&](int64_t strip, int64_t& columns) DT_INLINE_LAMBDA {
        if (width == 1) {
            columns = 1;
            return strip;
        }
        const int64_t first = strip % strips * width;
        columns = inner - first < width ? inner - first : width;
        return strip / strips * inner + first;
    };
    const auto finish = [&](int64_t first, int64_t columns, const Acc* acc) {
        for (int64_t c = 0; c < columns; ++c)
            Op::write(acc[c],
                      {p.dtype, p.divisor, p.length, p.out + offset_at(first + c, p.kept, p.kept_out)});
    };
    const int64_t strip_work = p.length * (inner < width ? inner : width);
    if (all >= 8 || strip_work < 2 * kPartWork) {
        parallel(all, grain_for(strip_work), [&](int64_t begin, int64_t end) {
            Acc acc[kStrip];
            for (int64_t s = begin; s < end; ++s) {
                int64_t columns;
                const int64_t first = locate(s, columns);
                for (int64_t c = 0; c < columns; ++c) acc[c] = Op::init();
                reduce_range<Op>(path, p, p.in + offset_at(first, p.kept, p.kept_in), columns, 0, p.length,
                                 acc);
                finish(first, columns, acc);
            }
        });
        return;
    }
    int64_t parts = ceil_div(strip_work, kPartWork);
    if (parts > kMaxParts) parts = kMaxParts;
    const int64_t part_length = round_up(ceil_div(p.length, parts), 64);
    parts = ceil_div(p.length, part_length);
    for (int64_t s = 0; s < all; ++s) {
        Acc* acc = scratch<Acc>(Scratch::kernel, kMaxParts * kStrip); // of each part
        int64_t columns;
        const int64_t first = locate(s, columns);
        const char* in = p.in + offset_at(first, p.kept, p.kept_in);
        if constexpr (kDecides<Op>) { // often at the beginning
            acc[0] = Op::init();
            reduce_range<Op>(path, p, in, columns, 0, path == Path::rows ? kSumBlock : 0, acc);
            if (Op::decided(acc[0])) {
                finish(first, columns, acc);
                continue;
            }
        }
        parallel(parts, 1, [&](int64_t begin, int64_t end) {
            for (int64_t k = begin; k < end; ++k) {
                Acc* own = acc + k * kStrip;
                for (int64_t c = 0; c < columns; ++c) own[c] = Op::init();
                const int64_t from = k * part_length, to = from + part_length;
                reduce_range<Op>(path, p, in, columns, from, to < p.length ? to : p.length, own);
            }
        });
        for (int64_t k = 1; k < parts; ++k)
            for (int64_t c = 0; c < columns; ++c) Op::merge(acc[c], acc[k * kStrip + c]);
        finish(first, columns, acc);
    }
}

using PlanRun = void (*)(const Plan&);

template <class T> PlanRun any_dtype_run(ReduceOp op) {
    switch (op) {
    case ReduceOp::max:
        return run<Stepped<Extreme<T, true>, T>>;
    case ReduceOp::min:
        return run<Stepped<Extreme<T, false>, T>>;
    case ReduceOp::any:
        return run<Stepped<Decision<T, false>, T>>;
    case ReduceOp::all:
        return run<Stepped<Decision<T, true>, T>>;
    case ReduceOp::count_nonzero:
        return run<Stepped<Count, T>>;
    case ReduceOp::argmax:
        return run<Position<T, true>>;
    case ReduceOp::argmin:
        return run<Position<T, false>>;
    default:
        return nullptr;
    }
}
template <class T> PlanRun float_run(ReduceOp op) {
    switch (op) {
    case ReduceOp::sum:
        return run<Stepped<Sum, T>>;
    case ReduceOp::prod:
        return run<Stepped<FloatProduct, T>>;
    case ReduceOp::norm:
        return run<Stepped<Norm, T>>;
    case ReduceOp::sum_absolute:
        return run<Stepped<SumAbsolute, T>>;
    case ReduceOp::variance:
        return run<Variance<T>>;
    default:
        return any_dtype_run<T>(op);
    }
}
template <class T> PlanRun integer_run(ReduceOp op) {
    switch (op) {
    case ReduceOp::sum:
        return run<Stepped<IntegerSum, T>>;
    case ReduceOp::prod:
        return run<Stepped<IntegerProduct, T>>;
    default:
        return any_dtype_run<T>(op);
    }
}

void reduce_entry(ReduceOp op, DType dtype, const Reduction& args, const double* params) {
    Plan p;
    p.kept = args.kept;
    p.kept_in = args.kept_in;
    p.kept_out = args.kept_out;
    p.reduced = args.reduced;
    p.reduced_in = args.reduced_in;
    p.rows = p.kept.product();
    p.length = p.reduced.product();
    if (p.rows == 0) return;
    const bool positions = op == ReduceOp::argmax || op == ReduceOp::argmin;
    normalise(p.kept, p.kept_in, &p.kept_out, true);
    normalise(p.reduced, p.reduced_in, nullptr, !positions);
    p.item = int64_t(item_size(dtype));
    p.packed = p.reduced.rank() == 1 && p.reduced_in[0] == p.item;
    p.in = static_cast<const char*>(args.in);
    p.out = static_cast<char*>(args.out);
    p.dtype = dtype;
    p.divisor = params ? params[0] : 1;
    PlanRun f = nullptr;
    switch (dtype) {
    case DType::boolean:
    case DType::uint8:
        f = integer_run<uint8_t>(op);
        break;
    case DType::int32:
        f = integer_run<int32_t>(op);
        break;
    case DType::int64:
        f = integer_run<int64_t>(op);
        break;
    case DType::float64:
        f = float_run<double>(op);
        break;
    default:
        f = float_run<float>(op);
        break;
    }
    if (f) f(p);
}

} // namespace

Reduce reduce() { return {reduce_entry, scan}; }

} // namespace dt::cpu::DT_LEVEL
