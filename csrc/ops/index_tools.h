#pragma once
#include "ops/common.h"

// Between index tensors and the byte offsets that the index kernels work with.
namespace dt::ops {

// What is picked from a tensor: for item i the entry index[k][i] along axis[k] for every k, whole along other
// axes.
struct Picks {
    std::vector<int> axes;
    std::vector<Tensor> indices; // int64, contiguous, all of `shape`
    Dims shape;                  // of the items
    int place = 0;               // how many of x's whole axes stand before the items' axes in the result
    Dims x_shape;                // of the tensor picked from

    bool picked(int axis) const;
    Dims result_shape() const;
};

// int64 indices, contiguous; IndexError for other dtypes.
Tensor as_indices(const char* op, const Tensor& t);
// Adds an axis of x, with its index for every item; IndexError as below.
void add_axis(const char* op, IndexArgs& args, const Tensor& x, int axis, const Tensor& indices);
// out = entries of the contiguous x along one axis; IndexError as below.
void take_along(const char* op, const Tensor& x, int axis, const Tensor& indices, const Tensor& out);
// IndexError naming the axis where an index is out of range.
Tensor pick(const char* op, const Tensor& x, const Picks& picks);
void place(const char* op, const Tensor& x, const Picks& picks, const Tensor& values); // x[picks] = values
void place_add(const char* op, const Tensor& x, const Picks& picks,
               const Tensor& values); // x[picks] += values

} // namespace dt::ops
