#pragma once
// What the cells of recurrent networks do to a row of units between the products, and the way back.
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/math.h"
#include "kernels/rnn.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

namespace dt::cpu::DT_LEVEL {
namespace {

// Some units of one sequence at one step, in whole vectors: what stands behind the units may be anything.
// Gate g of unit j is at gates[g * hidden + j], what the product with the state gave for it at sums[g *
// sums_step + j].
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

template <class R> DT_INLINE void rnn_row(const CellRow<R>& c, int64_t n, bool relu) {
    for (int64_t j = 0; j < n; j += kLanes<R>) {
        const Vec<R> x = load(c.gates + j) + load(c.sums + j);
        const Vec<R> h = relu ? max(x, zero<R>()) : tanh(x);
        store(c.gates + j, h);
        store(c.h + j, h);
    }
}

template <class R> DT_INLINE void lstm_row(const CellRow<R>& c, int64_t n) {
    for (int64_t j = 0; j < n; j += kLanes<R>) {
        const auto gate = [&](int64_t g) DT_INLINE_LAMBDA {
            return load(c.gates + g * c.hidden + j) + load(c.sums + g * c.sums_step + j);
        };
        const Vec<R> input = sigmoid(gate(0)), forget = sigmoid(gate(1)), candidate = tanh(gate(2)),
                     output = sigmoid(gate(3));
        const Vec<R> state = fma(forget, load(c.carry + j), input * candidate);
        store(c.gates + j, input);
        store(c.gates + c.hidden + j, forget);
        store(c.gates + 2 * c.hidden + j, candidate);
        store(c.gates + 3 * c.hidden + j, output);
        store(c.carry + j, state);
        store(c.cell + j, state);
        store(c.h + j, output * tanh(state));
    }
}

template <class R> DT_INLINE void gru_row(const CellRow<R>& c, int64_t n) {
    for (int64_t j = 0; j < n; j += kLanes<R>) {
        const auto sum = [&](int64_t g) DT_INLINE_LAMBDA { return load(c.sums + g * c.sums_step + j); };
        const Vec<R> reset = sigmoid(load(c.gates + j) + sum(0)),
                     update = sigmoid(load(c.gates + c.hidden + j) + sum(1));
        const Vec<R> product = c.bias ? sum(2) + load(c.bias + j) : sum(2);
        const Vec<R> candidate = tanh(fma(reset, product, load(c.gates + 2 * c.hidden + j)));
        const Vec<R> h = fma(update, load(c.carry + j) - candidate, candidate);
        store(c.gates + j, reset);
        store(c.gates + c.hidden + j, update);
        store(c.gates + 2 * c.hidden + j, candidate);
        store(c.cell + j, product);
        store(c.carry + j, h);
        store(c.h + j, h);
    }
}

template <class R> [[gnu::noinline]] void cell_row(Cell cell, const CellRow<R>& c, int64_t n) {
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

template <class R> DT_INLINE void rnn_grad_row(const CellGradRow<R>& c, int64_t n, bool relu) {
    for (int64_t j = 0; j < n; j += kLanes<R>) {
        const Vec<R> h = load(c.gates + j), g = load(c.h_grad + j);
        store(c.grads + j, relu ? select(h > zero<R>(), g, zero<R>()) : g * fma(-h, h, broadcast(R(1))));
    }
}

template <class R> DT_INLINE void lstm_grad_row(const CellGradRow<R>& c, int64_t n) {
    for (int64_t j = 0; j < n; j += kLanes<R>) {
        const Vec<R> input = load(c.gates + j), forget = load(c.gates + c.hidden + j),
                     candidate = load(c.gates + 2 * c.hidden + j), output = load(c.gates + 3 * c.hidden + j);
        const Vec<R> one = broadcast(R(1)), g = load(c.h_grad + j);
        const Vec<R> t = tanh(load(c.cell + j));
        const Vec<R> state = fma(g * output, fma(-t, t, one), load(c.carry + j));
        const Vec<R> before = c.before ? load(c.before + j) : zero<R>();
        store(c.grads + j, state * candidate * input * (one - input));
        store(c.grads + c.grads_step + j, state * before * forget * (one - forget));
        store(c.grads + 2 * c.grads_step + j, state * input * fma(-candidate, candidate, one));
        store(c.grads + 3 * c.grads_step + j, g * t * output * (one - output));
        store(c.carry + j, state * forget);
    }
}

template <class R> DT_INLINE void gru_grad_row(const CellGradRow<R>& c, int64_t n) {
    for (int64_t j = 0; j < n; j += kLanes<R>) {
        const Vec<R> reset = load(c.gates + j), update = load(c.gates + c.hidden + j),
                     candidate = load(c.gates + 2 * c.hidden + j);
        const Vec<R> one = broadcast(R(1)), g = load(c.h_grad + j) + load(c.carry + j);
        const Vec<R> before = c.before ? load(c.before + j) : zero<R>();
        const Vec<R> third = g * (one - update) * fma(-candidate, candidate, one);
        store(c.grads + j, third * load(c.cell + j) * reset * (one - reset));
        store(c.grads + c.grads_step + j, g * (before - candidate) * update * (one - update));
        store(c.grads + 2 * c.grads_step + j, third);
        store(c.cell_grads + j, third * reset);
        store(c.carry + j, g * update);
    }
}

template <class R> [[gnu::noinline]] void cell_grad_row(Cell cell, const CellGradRow<R>& c, int64_t n) {
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
