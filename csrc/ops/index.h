#pragma once
#include <optional>
#include <vector>

#include "ops/scalar.h"

// Indexing as in NumPy, and the ops that pick or place elements by their positions.
namespace dt::ops {

// One entry between the brackets of x[...].
struct IndexItem {
    enum class Kind : uint8_t { integer, slice, new_axis, ellipsis, array } kind = Kind::slice;
    int64_t start = 0, stop = 0,
            step = 1; // start alone for an integer; Python's limits where a slice leaves them out
    Tensor array;     // integers or bool
};

Tensor get_item(const Tensor& x, const std::vector<IndexItem>& items);
void set_item(const Tensor& x, const std::vector<IndexItem>& items, const Operand& value);

// Entries of x along an axis; `indices` may have any shape. Without an axis, x must have one dimension.
Tensor take(const Tensor& x, const Tensor& indices, const std::optional<int64_t>& axis);
// out[i][j] = x[indices[i][j]][j] for axis 0; the other axes of indices may be shorter than those of x.
Tensor gather(const Tensor& x, const Tensor& indices, int64_t axis);
// A copy of x, with source[i][j] added to [indices[i][j]][j] for axis 0.
Tensor scatter_add(const Tensor& x, const Tensor& indices, const Tensor& source, int64_t axis);
Tensor scatter_add_(const Tensor& x, const Tensor& indices, const Tensor& source, int64_t axis);
// 1 at the positions, in a new last axis of size num_classes (by default the largest position plus one).
Tensor one_hot(const Tensor& indices, const std::optional<int64_t>& num_classes, const DType& dtype);
// The positions of what is not 0, one tensor for each axis.
std::vector<Tensor> nonzero(const Tensor& x);

// Sorting along an axis: stable, NaN last.
Tensor argsort(const Tensor& x, int64_t axis, bool descending);
Tensor sort(const Tensor& x, int64_t axis, bool descending);
// The k largest (or smallest) elements in order, and their positions.
std::pair<Tensor, Tensor> topk(const Tensor& x, int64_t k, int64_t axis, bool largest);

} // namespace dt::ops
