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
constexpr int64_t kMostSize = 24; // of the running values of one kept element

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

// Ops as the driver sees them, to which running values are so many bytes: there is one driver for all.
struct OpSteps {
    int64_t size; // of the running values of one kept element
    void (*init)(void* acc, int64_t n);
    void (*merge)(void* acc, const void* other, int64_t n);
    void (*write)(const void* acc, int64_t first, int64_t n, const Plan& p); // from kept element `first` on
    bool (*decided)(const void* acc); // nullptr where all values have to be seen
    void (*unfold)(void* acc, int64_t n, int64_t first, int64_t step);
};
struct Steps { // over values as they are stored
    const OpSteps* op;
    void (*rows)(void* acc, const char* x, int64_t n, int64_t first); // n values side by side
    void (*packed)(const Plan& p, int64_t begin, int64_t end);        // kept elements whose values are that
    void (*columns)(void* acc, int64_t columns, int64_t begin, int64_t end, const Plan& p, const char* in,
                    int64_t fold);
    void (*short_rows)(int64_t rows, int64_t n, const char* x, int64_t step, int64_t* place,
                       int64_t place_step); // nullptr for most
    int64_t most_short;
};

// Whether the result may be known before all values are seen: any, all.
template <class Op> constexpr bool kDecides = requires(typename Op::Acc acc) { Op::decided(acc); };
template <class Op> constexpr bool kUnfolds = requires(typename Op::Acc acc) { Op::unfold(acc, 0, 0); };
template <class Op> constexpr bool kHasShort = requires { Op::kShort; };

// Whether it wants nothing but the bits of half formats.
template <class Op> constexpr bool kReadsBits = requires { requires Op::kReadsBits; };

template <class Op> struct StepsOf {
    using Acc = typename Op::Acc;
    static void init(void* acc, int64_t n) {
        for (int64_t c = 0; c < n; ++c) static_cast<Acc*>(acc)[c] = Op::init();
    }
    static void merge(void* acc, const void* other, int64_t n) {
        for (int64_t c = 0; c < n; ++c)
            Op::merge(static_cast<Acc*>(acc)[c], static_cast<const Acc*>(other)[c]);
    }
    static void write(const void* acc, int64_t first, int64_t n, const Plan& p) {
        for (int64_t c = 0; c < n; ++c)
            Op::write(static_cast<const Acc*>(acc)[c],
                      {p.dtype, p.divisor, p.length, p.out + offset_at(first + c, p.kept, p.kept_out)});
    }
    static bool decided(const void* acc) {
        if constexpr (kDecides<Op>) return Op::decided(*static_cast<const Acc*>(acc));
        return false;
    }
    static void unfold(void* acc, int64_t n, int64_t first, int64_t step) {
        if constexpr (kUnfolds<Op>)
            for (int64_t c = 0; c < n; ++c) Op::unfold(static_cast<Acc*>(acc)[c], first, step);
    }
    static constexpr OpSteps steps{
        sizeof(Acc), init, merge, write, kDecides<Op> ? decided : nullptr, kUnfolds<Op> ? unfold : nullptr};
};

template <class Op, class S> struct StoredSteps {
    using Acc = typename Op::Acc;
    static void rows(void* to, const char* from, int64_t n, int64_t first) {
        Acc& acc = *static_cast<Acc*>(to);
        const S* x = reinterpret_cast<const S*>(from);
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
    static void packed(const Plan& p, int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
            Acc acc = Op::init();
            rows(&acc, p.in + offset_at(r, p.kept, p.kept_in), p.length, 0);
            StepsOf<Op>::write(&acc, r, 1, p);
        }
    }
    static void columns(void* acc, int64_t columns, int64_t begin, int64_t end, const Plan& p, const char* in,
                        int64_t fold) {
        Op::columns(static_cast<Acc*>(acc), columns, begin, end, RowFinder<S>{p, in, fold});
    }
    static constexpr Steps steps() {
        if constexpr (kHasShort<Op>)
            return {&StepsOf<Op>::steps, rows, packed, columns, Op::template short_rows<S>, Op::kShort};
        else
            return {&StepsOf<Op>::steps, rows, packed, columns, nullptr, 0};
    }
    static constexpr Steps value = steps();
};

// The values [begin, end) behind one kept element, along the rows of the innermost reduced dimension.
void reduce_rows(const Steps& steps, const Plan& p, const char* in, int64_t begin, int64_t end, void* acc) {
    if (p.packed) return steps.rows(acc, in + begin * p.item, end - begin, begin);
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
        steps.rows(acc, from, n, i);
        if (steps.op->decided && steps.op->decided(acc)) return;
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
void reduce_tile(const Steps& steps, const Plan& p, const char* in, int64_t columns, int64_t begin,
                 int64_t end, char* acc) {
    alignas(64) Gathered gathered[kTileColumns];
    for (int64_t i = begin; i < end; i += kTileRows) {
        const int64_t n = end - i < kTileRows ? end - i : kTileRows;
        gather_tile(p, in, columns, i, n, gathered);
        for (int64_t c = 0; c < columns; ++c) steps.rows(acc + c * steps.op->size, gathered[c], n, i);
    }
}

// The same for columns that lie side by side, row by row; of few columns, several rows at a time.
void reduce_columns(const Steps& steps, const Plan& p, const char* in, int64_t columns, int64_t begin,
                    int64_t end, char* acc) {
    const int64_t fold = kFolded / columns, folded = fold > 1 ? (end - begin) / fold : 0;
    if (folded >= 8 && p.reduced.rank() == 1 && p.reduced_in[0] == columns * p.item) {
        const OpSteps& op = *steps.op;
        alignas(64) char wide[kFolded * kMostSize];
        op.init(wide, fold * columns);
        steps.columns(wide, fold * columns, 0, folded, p, in + begin * p.reduced_in[0], fold);
        for (int64_t f = 0; f < fold; ++f) {
            char* part = wide + f * columns * op.size;
            if (op.unfold) op.unfold(part, columns, begin + f, fold);
            op.merge(acc, part, columns);
        }
        begin += folded * fold;
    }
    steps.columns(acc, columns, begin, end, p, in, 1);
}

enum class Path : uint8_t { rows, columns, tile };

void reduce_range(const Steps& steps, Path path, const Plan& p, const char* in, int64_t columns,
                  int64_t begin, int64_t end, char* acc) {
    if (path == Path::rows) return reduce_rows(steps, p, in, begin, end, acc);
    if (path == Path::columns) return reduce_columns(steps, p, in, columns, begin, end, acc);
    reduce_tile(steps, p, in, columns, begin, end, acc);
}

// Cuts the kept elements into strips of neighbours, and long reductions with few strips into parts, whose
// results are merged in order. Everything depends on the shape alone.
void run(const Steps& steps, const Plan& p) {
    const OpSteps& op = *steps.op;
    const bool beside =
        magnitude(p.kept_in.back()) < magnitude(p.reduced_in.back()) && p.kept.back() > 1 && p.length > 1;
    const Path path = !beside ? Path::rows : p.kept_in.back() == p.item ? Path::columns : Path::tile;
    if (steps.short_rows && path == Path::rows && p.packed && p.kept.rank() == 1 &&
        p.length <= steps.most_short)
        return parallel(p.rows, grain_for(p.length), [&](int64_t begin, int64_t end) {
            const int64_t out_step = p.kept_out[0] / int64_t(sizeof(int64_t));
            steps.short_rows(end - begin, p.length, p.in + begin * p.kept_in[0], p.kept_in[0],
                             reinterpret_cast<int64_t*>(p.out) + begin * out_step, out_step);
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
    const int64_t strip_work = p.length * (inner < width ? inner : width);
    if (all >= 8 || strip_work < 2 * kPartWork) {
        parallel(all, grain_for(strip_work), [&](int64_t begin, int64_t end) {
            if (path == Path::rows && p.packed) return steps.packed(p, begin, end);
            alignas(64) char acc[kStrip * kMostSize];
            for (int64_t s = begin; s < end; ++s) {
                int64_t columns;
                const int64_t first = locate(s, columns);
                op.init(acc, columns);
                reduce_range(steps, path, p, p.in + offset_at(first, p.kept, p.kept_in), columns, 0, p.length,
                             acc);
                op.write(acc, first, columns, p);
            }
        });
        return;
    }
    int64_t parts = ceil_div(strip_work, kPartWork);
    if (parts > kMaxParts) parts = kMaxParts;
    const int64_t part_length = round_up(ceil_div(p.length, parts), 64);
    parts = ceil_div(p.length, part_length);
    for (int64_t s = 0; s < all; ++s) {
        const int64_t part_size = kStrip * op.size;
        char* acc = scratch<char>(Scratch::kernel, kMaxParts * part_size); // of each part
        int64_t columns;
        const int64_t first = locate(s, columns);
        const char* in = p.in + offset_at(first, p.kept, p.kept_in);
        if (op.decided) { // often at the beginning
            op.init(acc, 1);
            reduce_range(steps, path, p, in, columns, 0, path == Path::rows ? kSumBlock : 0, acc);
            if (op.decided(acc)) {
                op.write(acc, first, columns, p);
                continue;
            }
        }
        parallel(parts, 1, [&](int64_t begin, int64_t end) {
            for (int64_t k = begin; k < end; ++k) {
                char* own = acc + k * part_size;
                op.init(own, columns);
                const int64_t from = k * part_length, to = from + part_length;
                reduce_range(steps, path, p, in, columns, from, to < p.length ? to : p.length, own);
            }
        });
        for (int64_t k = 1; k < parts; ++k) op.merge(acc, acc + k * part_size, columns);
        op.write(acc, first, columns, p);
    }
}

// An op over float takes half formats too.
template <class Op> const Steps* steps_for(DType dtype) {
    static_assert(sizeof(typename Op::Acc) <= kMostSize);
    if constexpr (__is_same(typename Op::Value, float)) {
        if (dtype == DType::float16 || (kReadsBits<Op> && dtype == DType::bfloat16))
            return &StoredSteps<Op, float16_t>::value;
        if constexpr (!kReadsBits<Op>)
            if (dtype == DType::bfloat16) return &StoredSteps<Op, bfloat16_t>::value;
    }
    return &StoredSteps<Op, typename Op::Value>::value;
}

template <class T> const Steps* any_dtype_steps(ReduceOp op, DType dtype) {
    switch (op) {
    case ReduceOp::max:
        return steps_for<Stepped<Extreme<T, true>, T>>(dtype);
    case ReduceOp::min:
        return steps_for<Stepped<Extreme<T, false>, T>>(dtype);
    case ReduceOp::any:
        return steps_for<Stepped<Decision<T, false>, T>>(dtype);
    case ReduceOp::all:
        return steps_for<Stepped<Decision<T, true>, T>>(dtype);
    case ReduceOp::count_nonzero:
        return steps_for<Stepped<Count, T>>(dtype);
    case ReduceOp::argmax:
        return steps_for<Position<T, true>>(dtype);
    case ReduceOp::argmin:
        return steps_for<Position<T, false>>(dtype);
    default:
        return nullptr;
    }
}
template <class T> const Steps* float_steps(ReduceOp op, DType dtype) {
    switch (op) {
    case ReduceOp::sum:
        return steps_for<Stepped<Sum, T>>(dtype);
    case ReduceOp::prod:
        return steps_for<Stepped<FloatProduct, T>>(dtype);
    case ReduceOp::norm:
        return steps_for<Stepped<Norm, T>>(dtype);
    case ReduceOp::sum_absolute:
        return steps_for<Stepped<SumAbsolute, T>>(dtype);
    case ReduceOp::variance:
        return steps_for<Variance<T>>(dtype);
    default:
        return any_dtype_steps<T>(op, dtype);
    }
}
template <class T> const Steps* integer_steps(ReduceOp op, DType dtype) {
    switch (op) {
    case ReduceOp::sum:
        return steps_for<Stepped<IntegerSum, T>>(dtype);
    case ReduceOp::prod:
        return steps_for<Stepped<IntegerProduct, T>>(dtype);
    default:
        return any_dtype_steps<T>(op, dtype);
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
    const Steps* steps = nullptr;
    switch (dtype) {
    case DType::boolean:
    case DType::uint8:
        steps = integer_steps<uint8_t>(op, dtype);
        break;
    case DType::int32:
        steps = integer_steps<int32_t>(op, dtype);
        break;
    case DType::int64:
        steps = integer_steps<int64_t>(op, dtype);
        break;
    case DType::float64:
        steps = float_steps<double>(op, dtype);
        break;
    default:
        steps = float_steps<float>(op, dtype);
        break;
    }
    if (steps) run(*steps, p);
}

} // namespace

Reduce reduce() { return {reduce_entry, scan}; }

} // namespace dt::cpu::DT_LEVEL
