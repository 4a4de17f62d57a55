#pragma once
#include <initializer_list>
#include <optional>

#include "core/tensor.h"

// Autocast: within a region, products and convolutions of this thread compute in a half format.
namespace dt::autograd {

std::optional<DType> autocast_dtype(); // none where autocast is off

// Begins a region (none: one without autocast) and returns what held before it, for leave_autocast. The cast
// weights are kept until the outermost region ends.
std::optional<DType> enter_autocast(std::optional<DType> dtype);
void leave_autocast(std::optional<DType> before);

// Off while it lives: a backward function computes in the types that were recorded.
class AutocastOff {
  public:
    AutocastOff();
    ~AutocastOff();
    AutocastOff(const AutocastOff&) = delete;

  private:
    std::optional<DType> before_;
};

// True where an op on these operands is to be cast: autocast is on, and all of them are floats other than
// float64.
bool autocasts(std::initializer_list<const Tensor*> operands);
// `t` in the format of the region, without history. Weights (leaves) are cast once until they change.
Tensor autocast(const Tensor& t);
Tensor autocast_weight(const Tensor& t);
int64_t cached_casts(); // of this thread, for tests

} // namespace dt::autograd
