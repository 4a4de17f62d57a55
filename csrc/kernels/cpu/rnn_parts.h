#pragma once
// What both ways through a recurrent network need: sequences cut into tasks, weights packed once for all
// steps, rows of states as operands of the next product. T is what products multiply, as in gemm_micro.h.
#include "kernels/cpu/gemm_pack.h"
#include "kernels/cpu/gemm_plan.h"
#include "kernels/cpu/rnn_cells.h"
#if defined(DT_MULTIPLIES_PAIRS)
#include "kernels/cpu/gemm_pairs.h"
#endif

namespace dt::cpu::DT_LEVEL {
namespace {

// What an operand is an array of, and how many of it are multiplied at a time.
template <class T> struct ElementOf {
    using type = T;
};
#if defined(DT_MULTIPLIES_PAIRS)
template <> struct ElementOf<Pair> {
    using type = bfloat16_t;
};
#endif
template <class T> using Element = typename ElementOf<T>::type;
template <class T> inline constexpr int64_t kElements = sizeof(T) / sizeof(Element<T>);

// A matrix as `multiply` reads it: panels of kTileCols items, each `units` deep.
template <class T> struct PackedItems {
    T* data = nullptr;
    int64_t items = 0, units = 0;
    int64_t deepest = depth_blocks<T>(units).size; // of the pieces that are multiplied at a time
    static int64_t size(int64_t items, int64_t depth) {
        return round_up(items, kTileCols<T>) * ceil_div(depth, kElements<T>);
    }
    int64_t panels() const { return ceil_div(items, kTileCols<T>); }
    int64_t cols(int64_t panel) const { return min(kTileCols<T>, items - panel * kTileCols<T>); }
    const T* panel(int64_t i) const { return data + i * kTileCols<T> * units; }
};

// What is multiplied at a time of `count` items that lie side by side; of pairs, the second element is in the
// next row of the matrix, if it is `whole`.
template <class T>
void pack_unit(T* to, [[maybe_unused]] DType storage, const char* from, int64_t, int64_t count, bool) {
    if constexpr (sizeof(T) == 4)
        if (storage != DType::float32)
            return halves_to_floats(storage, count, reinterpret_cast<const uint16_t*>(from), to);
    copy_row(to, reinterpret_cast<const T*>(from), count);
}
#if defined(DT_MULTIPLIES_PAIRS)
inline void pack_unit(Pair* to, DType, const char* from, int64_t row, int64_t count, bool whole) {
    const auto* low = reinterpret_cast<const bfloat16_t*>(from);
    for (int64_t i = 0; i < count; i += kLanes<Pair>) {
        const int64_t here = min(count - i, int64_t{kLanes<Pair>});
        store(to + i, join_rows(low + i, whole ? low + row + i : nullptr, here));
    }
}
#endif

// From a matrix (depth, items) of the storage type, rows `row` apart.
template <class T>
PackedItems<T> pack_items(T* to, DType storage, const void* from, int64_t row, int64_t items, int64_t depth) {
    const PackedItems<T> packed{to, items, ceil_div(depth, kElements<T>)};
    parallel(packed.panels(), grain_for(kTileCols<T> * depth), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const char* at = static_cast<const char*>(from) + i * kTileCols<T> * int64_t(item_size(storage));
            for (int64_t p = 0; p < packed.units; ++p)
                pack_unit(to + (i * packed.units + p) * kTileCols<T>, storage,
                          at + p * kElements<T> * row * int64_t(item_size(storage)), row, packed.cols(i),
                          (p + 1) * kElements<T> <= depth);
        }
    });
    return packed;
}

// sums[r * kTileCols + j] = the product of row r of `a` with item j of a panel.
template <class T>
void multiply(const Element<T>* a, int64_t a_row, int64_t rows, const PackedItems<T>& b, int64_t panel,
              SumOf<T>* sums) {
    for (int64_t p = 0; p < b.units; p += b.deepest) {
        Tile<T> tile;
        tile.depth = min(b.deepest, b.units - p);
        tile.a_row = a_row / kElements<T>;
        tile.a_depth = 1;
        tile.b = b.panel(panel) + p * kTileCols<T>;
        tile.b_row = kTileCols<T>;
        tile.c_row = kTileCols<T>;
        tile.cols = b.cols(panel);
        tile.accumulate = p > 0;
        const RowPanels panels(rows);
        for (int64_t i = 0; i < panels.panels; ++i) {
            const int64_t first = panels.start(i);
            tile.rows = panels.start(i + 1) - first;
            tile.a = reinterpret_cast<const T*>(a + first * a_row) + p;
            tile.c = sums + first * kTileCols<T>;
            compute_tile(tile);
        }
    }
}

template <class R> [[gnu::noinline]] void copy_values(R* to, const R* from, int64_t n) {
    copy_row(to, from, n);
}
// What was given, else zeros.
template <class R> [[gnu::noinline]] void fill_or_copy(R* to, const R* from, int64_t n) {
    if (from)
        copy_row(to, from, n);
    else
        fill_row(to, R(0), n);
}

#if defined(DT_MULTIPLIES_PAIRS)
// n values of a panel, rounded by the instruction, which takes subnormal numbers for zero, as products do.
inline void put_halves(const float* values, int64_t n, bfloat16_t* to) {
    constexpr int64_t lanes = kLanes<float>;
    const Vec<float> low = load_tail(values, min(n, lanes)),
                     high = load_tail(values + lanes, max(n - lanes, int64_t{0}));
    const __m512bh halves = _mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
    _mm512_mask_storeu_epi16(to, __mmask32((uint64_t{1} << n) - 1), (__m512i)halves);
}
#endif

// Puts n values that were computed where they are stored, and where the next product reads them, rounded as
// stored.
template <class T>
[[gnu::noinline]] void put_row([[maybe_unused]] DType storage, const SumOf<T>* values, int64_t n,
                               void* stored, Element<T>* operand) {
    if constexpr (kElements<T> == 2) {
        put_halves(values, n, operand);
        if (stored) put_halves(values, n, static_cast<bfloat16_t*>(stored));
    } else {
        if constexpr (sizeof(T) == 4)
            if (storage != DType::float32) {
                uint16_t halves[kTileCols<T>];
                void* to = stored ? stored : halves;
                floats_to_halves(storage, n, values, to);
                return halves_to_floats(storage, n, to, operand);
            }
        copy_row(operand, values, n);
        if (stored) copy_row(static_cast<T*>(stored), values, n);
    }
}

// Sequences that are computed together, from their first step to the last, are a task: nobody waits for
// anybody. Few of them with much work at each step are cut by units instead, and meet after each step. Small
// networks gain too: the products before and after keep the threads awake.
constexpr int64_t kTaskRows = 16;
struct RnnTasks {
    int64_t blocks = 1;
    bool by_units = false;
};
inline RnnTasks rnn_tasks(const RnnArgs& args,
                          double step_work) { // multiplications of a step of all sequences
    RnnTasks tasks;
    const double work = step_work * double(args.batch ? args.length[0] : 0);
    if (work < kParallelWork) return tasks;
    if (args.batch < 8 && step_work >= 2 * kParallelWork && !args.projection)
        tasks.by_units = true;
    else
        tasks.blocks = min(args.batch, round_up(ceil_div(args.batch, kTaskRows), 2));
    return tasks;
}

// One direction of a layer, whichever way it is walked.
template <class T> struct Sequences {
    using R = SumOf<T>;
    using E = Element<T>;
    const RnnArgs& args;
    DType storage;
    int64_t gates = gates_of(args.cell), steps = args.batch ? args.length[0] : 0;

    int64_t row(int64_t rank, int64_t step) const {
        return args.first[rank] + (args.reverse ? args.length[rank] - 1 - step : step);
    }
    // Of the ranks below `end`, those that have such a step.
    int64_t active(int64_t end, int64_t step) const {
        while (end > 0 && args.length[end - 1] <= step) --end;
        return end;
    }
    int64_t item() const { return int64_t(item_size(storage)); }
    // A place in an array of stored values.
    template <class V> V* stored(V* array, int64_t at) const {
        using Byte = std::conditional_t<std::is_const_v<V>, const char, char>;
        return array ? static_cast<Byte*>(array) + at * item() : nullptr;
    }
    static R* real(void* array, int64_t at) { return array ? static_cast<R*>(array) + at : nullptr; }
    static const R* real(const void* array, int64_t at) {
        return array ? static_cast<const R*>(array) + at : nullptr;
    }
    // Rows of states as operands are as wide as whole units of what is multiplied.
    static int64_t padded(int64_t width) { return round_up(width, kElements<T>); }
};

// Pieces of one block of scratch memory, each on cache lines of its own.
class Pieces {
  public:
    explicit Pieces(Scratch slot) : slot_(slot) {}
    template <class V> int64_t add(int64_t n) {
        const int64_t at = bytes_;
        bytes_ += round_up(n * int64_t(sizeof(V)), 64) + 64;
        return at;
    }
    void allocate() { memory_ = scratch<char>(slot_, bytes_); }
    template <class V> V* at(int64_t piece) const { return reinterpret_cast<V*>(memory_ + piece); }

  private:
    Scratch slot_;
    int64_t bytes_ = 0;
    char* memory_ = nullptr;
};

} // namespace
} // namespace dt::cpu::DT_LEVEL
