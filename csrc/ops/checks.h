#pragma once
#include <optional>

#include "kernels/precision.h"
#include "ops/common.h"

// Checks and small tools of the ops whose kernels come by precision, or compute half formats in float32.
namespace dt::ops {

using Optional = std::optional<Tensor>;

inline Tensor given(const Optional& t) { return t ? *t : Tensor(); } // undefined where there is none
inline void* data_of(const Tensor& t) { return t.defined() ? t.data() : nullptr; }
inline int precision(const Tensor& t) { return precision(t.dtype()); }
Tensor scratch(int64_t doubles);

// Half formats are computed in float32.
inline DType computing_dtype(DType dtype) { return is_half(dtype) ? DType::float32 : dtype; }
// Contiguous, and of a dtype to compute in. Undefined stays so.
inline Tensor prepared(const Tensor& t) {
    return t.defined() ? plain::contiguous(plain::convert(t, computing_dtype(t.dtype()))) : t;
}

// TypeError unless the dtype is float32 or float64.
void check_real(const char* op, const char* argument, const Tensor& t);
// TypeError unless t has the dtype of the input, or is float32 beside an input of a half format.
void check_beside(const char* op, const char* argument, const Tensor& t, const Tensor& input);
// ValueError unless t has the shape; `why` ends the message: " (one value per channel)".
void check_shape(const char* op, const char* argument, const Tensor& t, const Dims& shape,
                 const char* why = "");
// A parameter per channel (or the like) beside the input: dtype of the input, or float32 beside a half
// format, and the shape given. Undefined passes.
void check_parameter(const char* op, const char* argument, const Tensor& t, const Tensor& input,
                     const Dims& shape, const char* why);
// RuntimeError where a gradient is wanted for an argument that has none.
void check_constant(const char* op, const char* argument, const Tensor& t);
// ValueError unless low <= value <= high.
void check_between(const char* op, const char* argument, double value, double low, double high);

// Integer labels or indices as contiguous int64, in memory of their own: what was checked stays so, even
// where NumPy writes to the tensor's memory. TypeError for other dtypes; `hint` ends its message.
Tensor own_indices(const char* op, const char* argument, const Tensor& t, const char* hint = "");

} // namespace dt::ops
