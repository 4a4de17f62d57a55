#pragma once
// Back-propagation through time for a layer of a recurrent network.
#include "kernels/cpu/rnn_parts.h"

namespace dt::cpu::DT_LEVEL {
namespace {

template <class T> struct RnnBackward : Sequences<T> {
    using Base = Sequences<T>;
    using Base::args, Base::gates, Base::storage, Base::steps;
    using typename Base::E;
    using typename Base::R;
    static constexpr int64_t kCols = kTileCols<T>;
    const RnnGradArgs& grad;

    int64_t width = Base::padded(gates * args.hidden), state_width = Base::padded(args.state);
    PackedItems<T> weight{}, projection{};
    E* operand[2] = {};       // gradients of the gates, of a step and the one behind it by turns
    E* state_grads = nullptr; // with a projection: (batch, state_width)
    R* carry = nullptr;       // (batch, hidden)

    void begin(int64_t r0, int64_t r1) const {
        for (int64_t r = r0; r < r1; ++r) {
            const bool keeps_c = args.cell == Cell::lstm;
            fill_or_copy(carry + r * args.hidden,
                         Base::real(keeps_c ? grad.c_n_grad : nullptr, args.order[r] * args.hidden),
                         args.hidden);
            for (E* o : operand)
                for (int64_t j = gates * args.hidden; j < width; ++j) o[r * width + j] = {};
            if (args.projection)
                for (int64_t j = args.state; j < state_width; ++j) state_grads[r * state_width + j] = {};
        }
    }
    // n stored values as computed with; `buffer` holds them where they are of a half format.
    const R* values(const void* from, [[maybe_unused]] int64_t n, [[maybe_unused]] R* buffer) const {
        if constexpr (sizeof(R) == 4)
            if (storage != DType::float32) {
                halves_to_floats(storage, n, from, buffer);
                return buffer;
            }
        return static_cast<const R*>(from);
    }
    // Adds what flows into the output of a rank at a step.
    [[gnu::noinline]] void add_output(int64_t r, int64_t step, int64_t j, int64_t n, R* h_grad) const {
        if (!grad.output_grad) return;
        R buffer[kCols];
        add_row(
            h_grad,
            values(Base::stored(grad.output_grad, Base::row(r, step) * grad.output_grad_row + j), n, buffer),
            n);
    }
    void compute_row(int64_t r, int64_t step, int64_t j, int64_t n, R* h_grad) const {
        const int64_t row = Base::row(r, step), wide = gates * args.hidden;
        R buffer[kCols], grads[4 * kCols], cell_grads[kCols], rest[7 * kCols];
        const R* before = nullptr;
        if (args.cell == Cell::lstm) {
            before = step ? Base::real(args.cells, Base::row(r, step - 1) * args.hidden + j)
                          : Base::real(args.c0, args.order[r] * args.hidden + j);
        } else if (args.cell == Cell::gru) {
            before = step ? values(Base::stored(static_cast<const void*>(args.output),
                                                Base::row(r, step - 1) * args.output_row + j),
                                   n, buffer)
                          : Base::real(args.h0, args.order[r] * args.hidden + j);
        }
        const R* gate = Base::real(static_cast<const void*>(args.gates), row * wide + j);
        const R* cell = Base::real(static_cast<const void*>(args.cells), row * args.hidden + j);
        R* carried = carry + r * args.hidden + j;
        CellGradRow<R> units{gate, args.hidden, cell, before, h_grad, carried, grads, kCols, cell_grads};
        const bool whole = n % kLanes<R> == 0;
        if (!whole) { // the units are no whole vectors
            for (int64_t g = 0; g < gates; ++g) copy_values(rest + g * kCols, gate + g * args.hidden, n);
            units.gates = rest, units.hidden = kCols;
            units.carry = rest + 4 * kCols;
            copy_values(units.carry, carried, n);
            if (cell) {
                copy_values(rest + 5 * kCols, cell, n);
                units.cell = rest + 5 * kCols;
            }
            if (before) {
                copy_values(rest + 6 * kCols, before, n);
                units.before = rest + 6 * kCols;
            }
        }
        cell_grad_row(args.cell, units, n);
        if (!whole) copy_values(carried, units.carry, n);
        E* next = operand[step % 2] + r * width + j;
        for (int64_t g = 0; g < gates; ++g)
            put_row<T>(storage, grads + g * kCols, n,
                       Base::stored(grad.gate_grads, row * wide + g * args.hidden + j),
                       next + g * args.hidden);
        if (args.cell == Cell::gru)
            put_row<T>(storage, cell_grads, n, Base::stored(grad.cell_grads, row * args.hidden + j),
                       next + 2 * args.hidden);
    }
    // Panels [p0, p1) of units of the ranks [r0, r1) at one step; those from `continuing` on end there.
    void compute(int64_t step, int64_t r0, int64_t r1, int64_t continuing, int64_t p0, int64_t p1) const {
        const int64_t rows = r1 - r0;
        R* sums = scratch<R>(Scratch::gemm_sums, rows * kCols);
        for (int64_t p = p0; p < p1; ++p) {
            const int64_t j = p * kCols, n = weight.cols(p);
            if (continuing > r0)
                multiply(operand[(step + 1) % 2] + r0 * width, width, continuing - r0, weight, p, sums);
            for (int64_t r = r0; r < r1; ++r) {
                R* h_grad = sums + (r - r0) * kCols;
                if (r >= continuing)
                    fill_or_copy(h_grad, Base::real(grad.h_n_grad, args.order[r] * args.state + j), n);
                add_output(r, step, j, n, h_grad);
                if (args.projection)
                    put_row<T>(storage, h_grad, n,
                               Base::stored(grad.state_grads, Base::row(r, step) * args.state + j),
                               state_grads + r * state_width + j);
                else
                    compute_row(r, step, j, n, h_grad);
            }
        }
        if (!args.projection) return;
        for (int64_t p = 0; p < projection.panels(); ++p) {
            multiply(state_grads + r0 * state_width, state_width, rows, projection, p, sums);
            for (int64_t r = r0; r < r1; ++r)
                compute_row(r, step, p * kCols, projection.cols(p), sums + (r - r0) * kCols);
        }
    }
    // Gradients of the initial states.
    void finish(int64_t r0, int64_t r1) const {
        const int64_t begun = Base::active(r1, 0), rows = max(int64_t{0}, begun - r0);
        R* sums = scratch<R>(Scratch::gemm_sums, (r1 - r0) * kCols);
        for (int64_t p = 0; grad.h0_grad && p < weight.panels(); ++p) {
            const int64_t j = p * kCols, n = weight.cols(p);
            if (rows) multiply(operand[0] + r0 * width, width, rows, weight, p, sums);
            for (int64_t r = r0; r < r1; ++r) {
                const int64_t at = args.order[r] * args.state + j;
                R* to = Base::real(grad.h0_grad, at);
                fill_or_copy(to, r < begun ? sums + (r - r0) * kCols : Base::real(grad.h_n_grad, at), n);
                if (args.cell == Cell::gru) add_row(to, carry + r * args.hidden + j, n);
            }
        }
        for (int64_t r = r0; grad.c0_grad && r < r1; ++r)
            copy_values(Base::real(grad.c0_grad, args.order[r] * args.hidden), carry + r * args.hidden,
                        args.hidden);
    }
    void run() {
        const int64_t panels = ceil_div(args.state, kCols), wide = gates * args.hidden;
        Pieces pieces(Scratch::kernel);
        const int64_t packed = pieces.template add<T>(PackedItems<T>::size(args.state, wide)),
                      packed_projection = pieces.template add<T>(
                          args.projection ? PackedItems<T>::size(args.hidden, args.state) : 0),
                      gate_operands = pieces.template add<E>(2 * args.batch * width),
                      state_operands = pieces.template add<E>(args.projection ? args.batch * state_width : 0),
                      carried = pieces.template add<R>(args.batch * args.hidden);
        pieces.allocate();
        weight =
            pack_items(pieces.template at<T>(packed), storage, args.weight, args.state, args.state, wide);
        if (args.projection)
            projection = pack_items(pieces.template at<T>(packed_projection), storage, args.projection,
                                    args.hidden, args.hidden, args.state);
        operand[0] = pieces.template at<E>(gate_operands);
        operand[1] = operand[0] + args.batch * width;
        state_grads = pieces.template at<E>(state_operands);
        carry = pieces.template at<R>(carried);

        const RnnTasks tasks = rnn_tasks(args, double(args.batch) * double(wide * args.state));
        if (tasks.by_units) {
            begin(0, args.batch);
            for (int64_t step = steps - 1; step >= 0; --step) {
                const int64_t end = Base::active(args.batch, step), continuing = Base::active(end, step + 1);
                parallel(panels, 1,
                         [&](int64_t p0, int64_t p1) { compute(step, 0, end, continuing, p0, p1); });
            }
            return finish(0, args.batch);
        }
        parallel(tasks.blocks, 1, [&](int64_t b0, int64_t b1) {
            for (int64_t b = b0; b < b1; ++b) {
                const int64_t first = args.batch * b / tasks.blocks,
                              last = args.batch * (b + 1) / tasks.blocks;
                begin(first, last);
                for (int64_t step = first < last ? args.length[first] - 1 : -1; step >= 0; --step) {
                    const int64_t end = Base::active(last, step);
                    compute(step, first, end, max(first, Base::active(end, step + 1)), 0, panels);
                }
                finish(first, last);
            }
        });
    }
};

} // namespace
} // namespace dt::cpu::DT_LEVEL
