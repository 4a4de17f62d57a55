#include "kernels/rnn.h"

#include "kernels/cpu/rnn_backward.h"
#include "kernels/cpu/rnn_forward.h"

namespace dt::cpu::DT_LEVEL {
namespace {

template <class T, DType storage> void forward(const RnnArgs& args) { RnnForward<T>{{args, storage}}.run(); }
template <class T, DType storage> void backward(const RnnGradArgs& args) {
    RnnBackward<T>{{args.forward, storage}, args}.run();
}

} // namespace

Rnn rnn() {
    return {{forward<float, DType::float32>, forward<double, DType::float64>, forward<float, DType::float16>,
             forward<float, DType::bfloat16>},
            {backward<float, DType::float32>, backward<double, DType::float64>,
             backward<float, DType::float16>, backward<float, DType::bfloat16>}};
}

} // namespace dt::cpu::DT_LEVEL
