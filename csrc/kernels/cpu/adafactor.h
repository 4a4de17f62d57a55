#pragma once
// Adafactor: of the mean squared gradients of a matrix the means of its rows and columns are kept. Three
// passes, as every element's step waits for all sums: squares; the size of the update; the step. Sums are
// taken by block and joined in the blocks' order.
#include "kernels/cpu/optim_parts.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {
namespace {

constexpr int64_t kFactoredBlock = 65536; // elements, about

inline double added(const double* values, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += values[i];
    return sum;
}

// What a tensor's update is multiplied by, from the sums of its squared elements and of the squared update.
inline double adafactor_rate(const AdafactorArgs& a, double size, double parameters, double updates) {
    const double root = __builtin_sqrt(parameters / size);
    const double change = __builtin_sqrt(updates / size) / a.threshold;
    return (root > a.least_size ? root : a.least_size) * a.rate / (change > 1 ? change : 1);
}

template <class T> void adafactor_vector(const AdafactorArgs& a, const FactoredTensor& t) {
    const int64_t n = t.columns, blocks = ceil_div(n, kBlock);
    T* parameter = static_cast<T*>(t.parameter);
    const T* gradient = static_cast<const T*>(t.gradient);
    T* square = static_cast<T*>(t.square);
    double* sums = scratch<double>(Scratch::kernel, 2 * blocks);
    const T share = T(a.share), most = T(1 / a.epsilon), left = T(a.weight_left);
    const Reader<T> reader{T(a.gradient_scale), T(a.largest), {a.nonfinite}};
    const auto update = [&](Vec<T> g, Vec<T> v) DT_INLINE_LAMBDA {
        return g * min_or_second(broadcast(most), broadcast(T(1)) / sqrt(v));
    };
    parallel(n, kBlock, [&](int64_t begin, int64_t end) {
        Reader<T> read = reader;
        Vec<T> parameters{}, updates{};
        for_vectors<T>(end - begin, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
            i += begin;
            const Vec<T> g = read(load(gradient + i, part)), p = load(parameter + i, part);
            const Vec<T> old = load(square + i, part), v = old + (g * g - old) * share;
            const Vec<T> u = update(g, v);
            store(square + i, v, part);
            parameters += p * p;
            updates += fill_rest(u * u, T(0), part);
        });
        sums[begin / kBlock] = double(sum(parameters));
        sums[blocks + begin / kBlock] = double(sum(updates));
        read.watch.report();
    });
    const T rate = T(adafactor_rate(a, double(n), added(sums, blocks), added(sums + blocks, blocks)));
    parallel(n, kBlock, [&](int64_t begin, int64_t end) {
        Reader<T> read = reader;
        for_vectors<T>(end - begin, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
            i += begin;
            const Vec<T> u = update(read(load(gradient + i, part)), load(square + i, part));
            store(parameter + i, load(parameter + i, part) * left - u * rate, part);
        });
    });
}

// The matrices of a tensor, cut into blocks of whole rows.
template <class T> struct FactoredStep {
    const AdafactorArgs& a;
    const FactoredTensor& t;
    const int64_t rows, columns;
    const int64_t block_rows = kFactoredBlock / columns < 1      ? 1
                               : kFactoredBlock / columns > rows ? rows
                                                                 : kFactoredBlock / columns;
    const int64_t blocks = ceil_div(rows, block_rows), units = t.matrices * blocks;
    const int64_t grain = ceil_div(kFactoredBlock, block_rows* columns);
    T* const parameter = static_cast<T*>(t.parameter);
    const T* const gradient = static_cast<const T*>(t.gradient);
    T* const row_mean = static_cast<T*>(t.row_mean);
    T* const column_mean = static_cast<T*>(t.column_mean);
    // 1 / sqrt(mean square) is about row_factor * column_factor.
    double* const parameter_sums =
        scratch<double>(Scratch::kernel, 2 * units + (units * columns + t.matrices * (rows + columns)));
    double* const update_sums = parameter_sums + units;
    T* const column_sums = reinterpret_cast<T*>(update_sums + units);
    T* const row_factor = column_sums + units * columns;
    T* const column_factor = row_factor + t.matrices * rows;
    const Reader<T> reader{T(a.gradient_scale), T(a.largest), {a.nonfinite}};

    // body(unit, number of the matrix, number of the row in all matrices, its first element)
    template <class F> DT_INLINE void for_rows(int64_t unit, const F& body) const {
        const int64_t matrix = unit / blocks, first = unit % blocks * block_rows;
        const int64_t last = first + block_rows < rows ? first + block_rows : rows;
        for (int64_t r = first; r < last; ++r) {
            const int64_t row = matrix * rows + r;
            body(matrix, row, row * columns);
        }
    }

    void add_squares(int64_t unit) const {
        Reader<T> read = reader;
        T* sums = column_sums + unit * columns;
        for (int64_t c = 0; c < columns; ++c) sums[c] = 0;
        double parameters = 0;
        for_rows(unit, [&](int64_t, int64_t row, int64_t at) DT_INLINE_LAMBDA {
            Vec<T> of_row{}, of_parameters{};
            for_vectors<T>(columns, [&](int64_t c, auto part) DT_INLINE_LAMBDA {
                const Vec<T> g = read(load(gradient + at + c, part)), p = load(parameter + at + c, part);
                const Vec<T> square = g * g;
                of_row += square;
                of_parameters += p * p;
                store(sums + c, load(sums + c, part) + square, part);
            });
            row_mean[row] += (sum(of_row) / T(columns) - row_mean[row]) * T(a.share);
            parameters += double(sum(of_parameters));
        });
        parameter_sums[unit] = parameters;
        read.watch.report();
    }

    void find_factors(int64_t matrix) const {
        double mean = 0;
        for (int64_t r = 0; r < rows; ++r) mean += double(row_mean[matrix * rows + r]);
        mean /= double(rows);
        mean = mean > a.epsilon ? mean : a.epsilon;
        for (int64_t r = matrix * rows; r < (matrix + 1) * rows; ++r)
            row_factor[r] = T(__builtin_sqrt(mean / double(row_mean[r])));
        for_vectors<T>(columns, [&](int64_t c, auto part) DT_INLINE_LAMBDA {
            Vec<T> total{};
            for (int64_t b = 0; b < blocks; ++b)
                total += load(column_sums + (matrix * blocks + b) * columns + c, part);
            T* kept = column_mean + matrix * columns + c;
            const Vec<T> old = load(kept, part);
            const Vec<T> now = old + (total / broadcast(T(rows)) - old) * T(a.share);
            store(kept, now, part);
            store(column_factor + matrix * columns + c, broadcast(T(1)) / sqrt(now), part);
        });
    }

    // body(first element of a row, update) for the rows of a unit; update(c, part) is a vector of the row's.
    template <class F> DT_INLINE void for_updates(int64_t unit, const F& body) const {
        Reader<T> read = reader;
        const Vec<T> most = broadcast(T(1 / a.epsilon));
        for_rows(unit, [&](int64_t matrix, int64_t row, int64_t at) DT_INLINE_LAMBDA {
            const T factor = row_factor[row];
            const T* factors = column_factor + matrix * columns;
            body(at, [&](int64_t c, auto part) DT_INLINE_LAMBDA {
                const Vec<T> g = read(load(gradient + at + c, part));
                return g * min_or_second(load(factors + c, part) * factor, most);
            });
        });
    }

    void run() const {
        const auto for_units = [&](const auto& body) {
            parallel(units, grain, [&](int64_t begin, int64_t end) {
                for (int64_t u = begin; u < end; ++u) body(u);
            });
        };
        for_units([&](int64_t unit) { add_squares(unit); });
        parallel(t.matrices, grain_for(rows + columns * (blocks + 1)), [&](int64_t begin, int64_t end) {
            for (int64_t m = begin; m < end; ++m) find_factors(m);
        });
        for_units([&](int64_t unit) {
            double total = 0;
            for_updates(unit, [&](int64_t, auto update) DT_INLINE_LAMBDA {
                Vec<T> of_row{};
                for_vectors<T>(columns, [&](int64_t c, auto part) DT_INLINE_LAMBDA {
                    const Vec<T> u = update(c, part);
                    of_row += fill_rest(u * u, T(0), part);
                });
                total += double(sum(of_row));
            });
            update_sums[unit] = total;
        });
        const double size = double(t.matrices) * double(rows) * double(columns);
        const T rate = T(adafactor_rate(a, size, added(parameter_sums, units), added(update_sums, units)));
        const T left = T(a.weight_left);
        for_units([&](int64_t unit) {
            for_updates(unit, [&](int64_t at, auto update) DT_INLINE_LAMBDA {
                T* p = parameter + at;
                for_vectors<T>(columns, [&](int64_t c, auto part) DT_INLINE_LAMBDA {
                    store(p + c, load(p + c, part) * left - update(c, part) * rate, part);
                });
            });
        });
    }
};

template <class T> void adafactor(const AdafactorArgs& args) {
    for (int64_t i = 0; i < args.count; ++i) {
        const FactoredTensor& t = args.tensors[i];
        if (t.matrices * t.rows * t.columns == 0) continue;
        if (t.square)
            adafactor_vector<T>(args, t);
        else
            FactoredStep<T>{args, t, t.rows, t.columns}.run();
    }
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
