#pragma once
#include <vector>

#include "ops/checks.h"

namespace dt::ops {

// Where the sequences of a batch stand. Without lengths they lie as in the input; with lengths their rows are
// taken out of the padding, one sequence behind the other.
struct RnnLayout {
    int64_t batch = 0, time = 0, rows = 0;
    bool ragged = false;
    std::vector<int64_t> order, first, length; // by rank, the longest sequence first

    RnnLayout(const char* op, const Tensor& input, const Optional& lengths);

    Tensor pack(const Tensor& padded) const;   // (batch, time, features) to (rows, features)
    Tensor unpack(const Tensor& packed) const; // and back, 0 behind the lengths
    // What the states were before each row: (rows, state), of which `states` (rows, directions * state) has
    // one direction from column `at` on; `initial` (batch, state) before the first step.
    Tensor previous(const Tensor& states, int64_t at, int64_t state, bool reverse,
                    const Tensor& initial) const;
};

} // namespace dt::ops
