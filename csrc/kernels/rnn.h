#pragma once
#include <cstdint>

#include "kernels/precision.h"

namespace dt {

enum class Cell : uint8_t { rnn_tanh, rnn_relu, lstm, gru };

// Inlined everywhere: a copy of its own would be shared by the ISA levels.
[[gnu::always_inline]] constexpr int64_t gates_of(Cell cell) {
    return cell == Cell::lstm ? 4 : cell == Cell::gru ? 3 : 1;
}

// One direction of one layer over whole sequences. S is the storage type, R what it is computed in: float32
// for half formats. Sequences stand one behind the other, without padding: sequence order[r] has length[r]
// rows from first[r] on, for r < batch, the longest first. Gates in PyTorch's order: LSTM i f g o, GRU r z n.
struct RnnArgs {
    Cell cell = Cell::lstm;
    bool reverse = false; // from the last row to the first
    // `state` is the width of what is carried from step to step: hidden, or less behind an LSTM's projection.
    int64_t batch = 0, hidden = 0, state = 0;
    const int64_t *order = nullptr, *first = nullptr, *length = nullptr;
    const void* weight = nullptr;     // S (state, gates * hidden): weight_hh turned; on the way back as it is
    const void* projection = nullptr; // S (hidden, state), turned too; on the way back as it is; or none
    const void* bias = nullptr;       // R (hidden), of a GRU's product with W_hn; or none
    const void *h0 = nullptr, *c0 = nullptr; // R (batch, state), (batch, hidden); none: 0
    void *h_n = nullptr, *c_n = nullptr;     // R, the same shapes
    void* gates = nullptr;                   // R (rows, gates * hidden); W x + b, overwritten with the gates
    void* cells = nullptr;                   // R (rows, hidden): LSTM's c; GRU's W_hn h + b_hn
    void* unprojected = nullptr;             // S (rows, hidden): what is projected
    void* output = nullptr;                  // S (rows, state), rows `output_row` apart
    int64_t output_row = 0;
};

// The way back. The gradient of the gates before their activations, `gate_grads`, is that of W x + b too; of
// a GRU's W_hn h + b_hn it is `cell_grads`.
struct RnnGradArgs {
    RnnArgs forward;                   // of what it computed `gates`, `cells` and `output`
    const void* output_grad = nullptr; // S (rows, state), rows `output_grad_row` apart; or none
    int64_t output_grad_row = 0;
    const void *h_n_grad = nullptr, *c_n_grad = nullptr; // R; or none
    void *h0_grad = nullptr, *c0_grad = nullptr;         // R; c0_grad of an LSTM alone
    void* gate_grads = nullptr;                          // S (rows, gates * hidden)
    void* cell_grads = nullptr;                          // S (rows, hidden), GRU
    void* state_grads = nullptr;                         // S (rows, state), with a projection
};

struct Rnn {
    void (*forward[kPrecisions])(const RnnArgs& args);
    void (*backward[kPrecisions])(const RnnGradArgs& args);
};

} // namespace dt
