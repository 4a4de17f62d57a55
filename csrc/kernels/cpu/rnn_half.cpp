// Recurrent networks of bfloat16 where the level multiplies it as it is.
#include "kernels/cpu/rnn_backward.h"
#include "kernels/cpu/rnn_forward.h"

namespace dt::cpu::DT_LEVEL {

void add_half(Rnn& table) {
    constexpr int at = precision(DType::bfloat16);
    table.forward[at] = [](const RnnArgs& args) { RnnForward<Pair>{{args, DType::bfloat16}}.run(); };
    table.backward[at] = [](const RnnGradArgs& args) {
        RnnBackward<Pair>{{args.forward, DType::bfloat16}, args}.run();
    };
}

} // namespace dt::cpu::DT_LEVEL
