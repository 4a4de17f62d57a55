#pragma once
// What the cells of recurrent networks do to a row of units between the products, and the way back.
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/math.h"
#include "kernels/rnn.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

namespace dt::cpu::DT_LEVEL {
namespace {

// Some units of one sequence at one step. Gate g of unit j is at gates[g * hidden + j], what the product with
// the state gave for it at sums[g * sums_step + j].
template <class R> struct CellRow {
    R* gates;
    int64_t hidden;
    const R* sums;
    int64_t sums_step;
    R* carry;      // c of an LSTM, h of a GRU: of the step before, then of this one
    R* cell;       // kept for the way back: c of an LSTM, the product of a GRU's third gate
    const R* bias; // of the latter, or none
    R* h;
};

template <class R> void rnn_row(const CellRow<R>& c, int64_t n, bool relu) {
    for_vectors<R>(n, [&](int64_t j, auto part) DT_INLINE_LAMBDA {
        const Vec<R> x = load(c.gates + j, part) + load(c.sums + j, part);
        const Vec<R> h = relu ? max(x, zero<R>()) : tanh(x);
        store(c.gates + j, h, part);
        store(c.h + j, h, part);
    });
}

template <class R> void lstm_row(const CellRow<R>& c, int64_t n) {
    for_vectors<R>(n, [&](int64_t j, auto part) DT_INLINE_LAMBDA {
        const auto gate = [&](int64_t g) DT_INLINE_LAMBDA {
            return load(c.gates + g * c.hidden + j, part) + load(c.sums + g * c.sums_step + j, part);
        };
        const Vec<R> input = sigmoid(gate(0)), forget = sigmoid(gate(1)), candidate = tanh(gate(2)),
                     output = sigmoid(gate(3));
        const Vec<R> state = fma(forget, load(c.carry + j, part), input * candidate);
        store(c.gates + j, input, part);
        store(c.gates + c.hidden + j, forget, part);
        store(c.gates + 2 * c.hidden + j, candidate, part);
        store(c.gates + 3 * c.hidden + j, output, part);
        store(c.carry + j, state, part);
        store(c.cell + j, state, part);
        store(c.h + j, output * tanh(state), part);
    });
}

template <class R> void gru_row(const CellRow<R>& c, int64_t n) {
    for_vectors<R>(n, [&](int64_t j, auto part) DT_INLINE_LAMBDA {
        const auto sum = [&](int64_t g) DT_INLINE_LAMBDA { return load(c.sums + g * c.sums_step + j, part); };
        const Vec<R> reset = sigmoid(load(c.gates + j, part) + sum(0)),
                     update = sigmoid(load(c.gates + c.hidden + j, part) + sum(1));
        const Vec<R> product = c.bias ? sum(2) + load(c.bias + j, part) : sum(2);
        const Vec<R> candidate = tanh(fma(reset, product, load(c.gates + 2 * c.hidden + j, part)));
        const Vec<R> h = fma(update, load(c.carry + j, part) - candidate, candidate);
        store(c.gates + j, reset, part);
        store(c.gates + c.hidden + j, update, part);
        store(c.gates + 2 * c.hidden + j, candidate, part);
        store(c.cell + j, product, part);
        store(c.carry + j, h, part);
        store(c.h + j, h, part);
    });
}

template <class R> void cell_row(Cell cell, const CellRow<R>& c, int64_t n) {
    if (cell == Cell::lstm)
        lstm_row(c, n);
    else if (cell == Cell::gru)
        gru_row(c, n);
    else
        rnn_row(c, n, cell == Cell::rnn_relu);
}

// The same units on the way back. Gradient of gate g of unit j: grads[g * grads_step + j].
template <class R> struct CellGradRow {
    const R* gates;
    int64_t hidden;
    const R* cell;
    const R* before; // c of an LSTM, h of a GRU, at the step before; none: 0
    R* h_grad;       // of all that h went into but the GRU's own next state
    R* carry;        // gradient of what is carried: of this step, then of the one before
    R* grads;
    int64_t grads_step;
    R* cell_grads; // GRU: of the product of the third gate
};

template <class R> void rnn_grad_row(const CellGradRow<R>& c, int64_t n, bool relu) {
    for_vectors<R>(n, [&](int64_t j, auto part) DT_INLINE_LAMBDA {
        const Vec<R> h = load(c.gates + j, part), g = load(c.h_grad + j, part);
        store(c.grads + j, relu ? select(h > zero<R>(), g, zero<R>()) : g * fma(-h, h, broadcast(R(1))),
              part);
    });
}

template <class R> void lstm_grad_row(const CellGradRow<R>& c, int64_t n) {
    for_vectors<R>(n, [&](int64_t j, auto part) DT_INLINE_LAMBDA {
        const Vec<R> input = load(c.gates + j, part), forget = load(c.gates + c.hidden + j, part),
                     candidate = load(c.gates + 2 * c.hidden + j, part),
                     output = load(c.gates + 3 * c.hidden + j, part);
        const Vec<R> one = broadcast(R(1)), g = load(c.h_grad + j, part);
        const Vec<R> t = tanh(load(c.cell + j, part));
        const Vec<R> state = fma(g * output, fma(-t, t, one), load(c.carry + j, part));
        const Vec<R> before = c.before ? load(c.before + j, part) : zero<R>();
        store(c.grads + j, state * candidate * input * (one - input), part);
        store(c.grads + c.grads_step + j, state * before * forget * (one - forget), part);
        store(c.grads + 2 * c.grads_step + j, state * input * fma(-candidate, candidate, one), part);
        store(c.grads + 3 * c.grads_step + j, g * t * output * (one - output), part);
        store(c.carry + j, state * forget, part);
    });
}

template <class R> void gru_grad_row(const CellGradRow<R>& c, int64_t n) {
    for_vectors<R>(n, [&](int64_t j, auto part) DT_INLINE_LAMBDA {
        const Vec<R> reset = load(c.gates + j, part), update = load(c.gates + c.hidden + j, part),
                     candidate = load(c.gates + 2 * c.hidden + j, part);
        const Vec<R> one = broadcast(R(1)), g = load(c.h_grad + j, part) + load(c.carry + j, part);
        const Vec<R> before = c.before ? load(c.before + j, part) : zero<R>();
        const Vec<R> third = g * (one - update) * fma(-candidate, candidate, one);
        store(c.grads + j, third * load(c.cell + j, part) * reset * (one - reset), part);
        store(c.grads + c.grads_step + j, g * (before - candidate) * update * (one - update), part);
        store(c.grads + 2 * c.grads_step + j, third, part);
        store(c.cell_grads + j, third * reset, part);
        store(c.carry + j, g * update, part);
    });
}

template <class R> void cell_grad_row(Cell cell, const CellGradRow<R>& c, int64_t n) {
    if (cell == Cell::lstm)
        lstm_grad_row(c, n);
    else if (cell == Cell::gru)
        gru_grad_row(c, n);
    else
        rnn_grad_row(c, n, cell == Cell::rnn_relu);
}

} // namespace
} // namespace dt::cpu::DT_LEVEL
#pragma GCC diagnostic pop
