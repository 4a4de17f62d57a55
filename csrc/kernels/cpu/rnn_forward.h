#pragma once
// The way through a layer of a recurrent network, step by step.
#include "kernels/cpu/rnn_parts.h"

namespace dt::cpu::DT_LEVEL {
namespace {

template <class T> struct RnnForward : Sequences<T> {
    using Base = Sequences<T>;
    using Base::args, Base::gates, Base::storage, Base::steps;
    using typename Base::E;
    using typename Base::R;
    static constexpr int64_t kCols = kTileCols<T>;

    int64_t width = Base::padded(args.state), hidden_width = Base::padded(args.hidden);
    PackedItems<T> weight[4] = {}, projection{}; // by gate
    E* operand[2] = {};                          // states, before and after a step by turns: (batch, width)
    E* unprojected = nullptr;                    // (batch, hidden_width)
    R* carry = nullptr;                          // (batch, hidden)

    void begin(int64_t r0, int64_t r1) const {
        for (int64_t r = r0; r < r1; ++r) {
            const int64_t at = args.order[r];
            const R* h = Base::real(args.h0, at * args.state);
            const R* c = Base::real(args.cell == Cell::gru ? args.h0 : args.c0, at * args.hidden);
            fill_or_copy(carry + r * args.hidden, c, args.hidden);
            R zeros[kCols] = {};
            for (int64_t j = 0; j < args.state; j += kCols)
                put_row<T>(storage, h ? h + j : zeros, min(kCols, args.state - j), nullptr,
                           operand[0] + r * width + j);
            for (int64_t j = args.state; j < width; ++j)
                operand[0][r * width + j] = operand[1][r * width + j] = {};
            if (args.projection)
                for (int64_t j = args.hidden; j < hidden_width; ++j) unprojected[r * hidden_width + j] = {};
            if (args.length[r]) continue;
            fill_or_copy(Base::real(args.h_n, at * args.state), h, args.state);
            if (args.c_n) fill_or_copy(Base::real(args.c_n, at * args.hidden), c, args.hidden);
        }
    }
    // h of `n` units of a rank, or of its projection, goes to the output and into the next product.
    void put_state(int64_t r, int64_t step, int64_t j, int64_t n, const R* h) const {
        put_row<T>(storage, h, n, Base::stored(args.output, Base::row(r, step) * args.output_row + j),
                   operand[(step + 1) % 2] + r * width + j);
        if (step + 1 == args.length[r]) copy_row(Base::real(args.h_n, args.order[r] * args.state + j), h, n);
    }
    void compute_row(int64_t r, int64_t step, int64_t j, int64_t n, const R* sums, int64_t sums_step) const {
        const int64_t row = Base::row(r, step);
        R h[kCols], rest[7 * kCols]; // where the units are no whole vectors
        R *gate = Base::real(args.gates, row * gates * args.hidden + j),
          *carried = carry + r * args.hidden + j, *cell = Base::real(args.cells, row * args.hidden + j);
        CellRow<R> units{gate, args.hidden, sums, sums_step, carried, cell, Base::real(args.bias, j), h};
        const bool whole = n % kLanes<R> == 0;
        if (!whole) {
            for (int64_t g = 0; g < gates; ++g) copy_values(rest + g * kCols, gate + g * args.hidden, n);
            units.gates = rest, units.hidden = kCols;
            units.carry = rest + 4 * kCols, units.cell = rest + 5 * kCols;
            copy_values(units.carry, carried, n);
            if (args.bias) {
                copy_values(rest + 6 * kCols, units.bias, n);
                units.bias = rest + 6 * kCols;
            }
        }
        cell_row(args.cell, units, n);
        if (!whole) {
            for (int64_t g = 0; g < gates; ++g) copy_values(gate + g * args.hidden, rest + g * kCols, n);
            copy_values(carried, units.carry, n);
            if (cell) copy_values(cell, units.cell, n);
        }
        if (args.c_n && step + 1 == args.length[r])
            copy_values(Base::real(args.c_n, args.order[r] * args.hidden + j), carried, n);
        if (args.projection)
            put_row<T>(storage, h, n, Base::stored(args.unprojected, row * args.hidden + j),
                       unprojected + r * hidden_width + j);
        else
            put_state(r, step, j, n, h);
    }
    // Panels [p0, p1) of units of the ranks [r0, r1) at one step.
    void compute(int64_t step, int64_t r0, int64_t r1, int64_t p0, int64_t p1) const {
        const int64_t rows = r1 - r0;
        R* sums = scratch<R>(Scratch::gemm_sums, gates * rows * kCols);
        if (step == 0 && !args.h0) fill_or_copy<R>(sums, nullptr, gates * rows * kCols);
        for (int64_t p = p0; p < p1; ++p) {
            if (step > 0 || args.h0)
                for (int64_t g = 0; g < gates; ++g)
                    multiply(operand[step % 2] + r0 * width, width, rows, weight[g], p,
                             sums + g * rows * kCols);
            for (int64_t r = r0; r < r1; ++r)
                compute_row(r, step, p * kCols, weight[0].cols(p), sums + (r - r0) * kCols, rows * kCols);
        }
        if (!args.projection) return;
        for (int64_t p = 0; p < projection.panels(); ++p) {
            multiply(unprojected + r0 * hidden_width, hidden_width, rows, projection, p, sums);
            for (int64_t r = r0; r < r1; ++r)
                put_state(r, step, p * kCols, projection.cols(p), sums + (r - r0) * kCols);
        }
    }
    void run() {
        const int64_t panels = ceil_div(args.hidden, kCols);
        const int64_t wide = gates * args.hidden;
        Pieces pieces(Scratch::kernel);
        const int64_t one = PackedItems<T>::size(args.hidden, args.state),
                      packed = pieces.template add<T>(gates * one),
                      packed_projection = pieces.template add<T>(
                          args.projection ? PackedItems<T>::size(args.state, args.hidden) : 0),
                      states = pieces.template add<E>(2 * args.batch * width),
                      states_before = pieces.template add<E>(args.projection ? args.batch * hidden_width : 0),
                      carried = pieces.template add<R>(args.batch * args.hidden);
        pieces.allocate();
        for (int64_t g = 0; g < gates; ++g)
            weight[g] = pack_items(pieces.template at<T>(packed) + g * one, storage,
                                   Base::stored(args.weight, g * args.hidden), wide, args.hidden, args.state);
        if (args.projection)
            projection = pack_items(pieces.template at<T>(packed_projection), storage, args.projection,
                                    args.state, args.state, args.hidden);
        operand[0] = pieces.template at<E>(states);
        operand[1] = operand[0] + args.batch * width;
        unprojected = pieces.template at<E>(states_before);
        carry = pieces.template at<R>(carried);

        const RnnTasks tasks = rnn_tasks(args, double(args.batch) * double(wide) * double(args.state));
        if (tasks.by_units) {
            begin(0, args.batch);
            for (int64_t step = 0; step < steps; ++step) {
                const int64_t end = Base::active(args.batch, step);
                parallel(panels, 1, [&](int64_t p0, int64_t p1) { compute(step, 0, end, p0, p1); });
            }
            return;
        }
        parallel(tasks.blocks, 1, [&](int64_t b0, int64_t b1) {
            for (int64_t b = b0; b < b1; ++b) {
                const int64_t first = args.batch * b / tasks.blocks;
                int64_t end = args.batch * (b + 1) / tasks.blocks;
                begin(first, end);
                for (int64_t step = 0;; ++step) {
                    end = Base::active(end, step);
                    if (end <= first) break;
                    compute(step, first, end, 0, panels);
                }
            }
        });
    }
};

} // namespace
} // namespace dt::cpu::DT_LEVEL
