#pragma once
#include <string>
#include <vector>

#include "core/random.h"
#include "ops/checks.h"

namespace dt::ops {

// A recurrent network over whole sequences, all layers and directions in one call. `mode` is rnn_tanh,
// rnn_relu, lstm or gru; input (batch, time, features); lengths (batch,), or none: all are `time` long; hx
// (layers * directions, batch, state) and an LSTM's cx (..., hidden), or none: 0. `weights` has for each
// layer, and in it for each direction, weight_ih, weight_hh, then bias_ih and bias_hh or neither, then an
// LSTM's weight_hr or none, as PyTorch has them. Returns the output (batch, time, directions * state), 0
// behind the lengths, and the states h_n (and c_n) after the last step of each sequence.
std::vector<Tensor> rnn(const std::string& mode, const Tensor& input, const std::vector<Tensor>& weights,
                        const Optional& hx, const Optional& cx, const Optional& lengths, int64_t layers,
                        bool bidirectional, double dropout, bool training, const Ref<Generator>& generator);

} // namespace dt::ops
