#pragma once
#include "kernels/attention.h"
#include "kernels/color.h"
#include "kernels/conv.h"
#include "kernels/coordinate_descent.h"
#include "kernels/cut.h"
#include "kernels/dropout.h"
#include "kernels/elementwise.h"
#include "kernels/embedding.h"
#include "kernels/epilogue.h"
#include "kernels/gemm.h"
#include "kernels/index.h"
#include "kernels/loss.h"
#include "kernels/norm.h"
#include "kernels/optim.h"
#include "kernels/penalty.h"
#include "kernels/pool.h"
#include "kernels/probe.h"
#include "kernels/random.h"
#include "kernels/reduce.h"
#include "kernels/resize.h"
#include "kernels/rnn.h"
#include "kernels/softmax.h"
#include "kernels/warp.h"
#include "kernels/word_vectors.h"

// The kernel families: X(struct, name). A level defines `dt::cpu::<level>::<name>()`, which returns the
// filled struct.
// clang-format off
#define DT_FAMILIES(X)                       \
    X(Attention, attention)                  \
    X(Color, color)                          \
    X(Conv, conv)                            \
    X(CoordinateDescent, coordinate_descent) \
    X(Cut, cut)                              \
    X(Dropout, dropout)                      \
    X(Elementwise, elementwise)              \
    X(Embedding, embedding)                  \
    X(Epilogue, epilogue)                    \
    X(Gemm, gemm)                            \
    X(Index, index)                          \
    X(Loss, loss)                            \
    X(Norm, norm)                            \
    X(Optim, optim)                          \
    X(Penalty, penalty)                      \
    X(Pool, pool)                            \
    X(Probe, probe)                          \
    X(Random, random)                        \
    X(Reduce, reduce)                        \
    X(Resize, resize)                        \
    X(Rnn, rnn)                              \
    X(Softmax, softmax)                      \
    X(Warp, warp)                            \
    X(WordVectors, word_vectors)
// clang-format on

namespace dt {

struct Kernels {
#define X(Type, name) Type name;
    DT_FAMILIES(X)
#undef X
};

const Kernels& kernels(); // of the level in use

} // namespace dt
