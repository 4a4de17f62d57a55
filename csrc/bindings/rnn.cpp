#include "ops/rnn.h"

#include "bindings/families.h"
#include "bindings/op.h"

namespace dt::bindings {

void bind_rnn(py::module_& m) {
    op<&ops::rnn>(
        m, "_rnn",
        {"A recurrent network over whole sequences: all steps, layers and directions in one call.",
         "mode: 'rnn_tanh', 'rnn_relu', 'lstm' or 'gru'.\ninput: Tensor (batch, time, features).\n"
         "weights: For each layer and direction weight_ih, weight_hh, bias_ih and bias_hh or neither, "
         "and\n  an LSTM's weight_hr or none.\n"
         "hx: Tensor (layers * directions, batch, state), or None: 0.\n"
         "cx: Tensor (layers * directions, batch, hidden) of an LSTM, or None: 0.\n"
         "lengths: Integers (batch,) from 0 to time, or None: all are time.\n"
         "layers: Number of layers.\nbidirectional: Whether each layer also goes backwards.\n"
         "dropout: Probability of an output of a layer being dropped on its way to the next one.\n"
         "training: Whether there is dropout.\ngenerator: Of the dropout; None is the default one.",
         "output (batch, time, directions * state), 0 behind the lengths, and the last states h_n and, of "
         "an LSTM, c_n.",
         "ValueError: where shapes do not fit or lengths are out of range.\nTypeError: for wrong dtypes."},
        {"mode"_a, "input"_a, "weights"_a, "hx"_a = py::none(), "cx"_a = py::none(), "lengths"_a = py::none(),
         "layers"_a = 1, "bidirectional"_a = false, "dropout"_a = 0.0, "training"_a = false,
         "generator"_a = py::none()},
        "rnn");
}

} // namespace dt::bindings
