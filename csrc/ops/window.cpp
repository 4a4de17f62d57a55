#include "ops/window.h"

namespace dt::ops {

Pair read_pair(const char* op, const char* argument, const Dims& given, int axes, int64_t least,
               int64_t height) {
    const Text got = given.rank() == 1 ? Text(given[0]) : Text(given);
    if (given.rank() != 1 && given.rank() != axes)
        value_error(
            {op, ": ", argument, " must be an int", axes == 2 ? " or a pair of ints" : "", ", got ", given});
    for (int64_t v : given) {
        if (v < least) value_error({op, ": ", argument, " must be at least ", least, ", got ", got});
        if (v > kLargestSize)
            value_error({op, ": ", argument, " must be at most ", kLargestSize, ", got ", got});
    }
    return {axes == 1 ? height : given[0], given.back()};
}

Image read_image(const char* op, const Tensor& input, int axes) {
    const int rank = input.rank();
    if (rank != axes + 1 && rank != axes + 2)
        value_error({op, ": input must have ", axes + 2, " dimensions ",
                     axes == 2 ? "(batch, height, width, channels)" : "(batch, length, channels)", ", or ",
                     axes + 1, " without the batch, got ", rank, " (shape ", input.shape(), ")"});
    Image image;
    image.axes = axes;
    image.batched = rank == axes + 2;
    if (image.batched) image.batch = input.shape(0);
    if (axes == 2) image.h = input.shape(rank - 3);
    image.w = input.shape(rank - 2);
    image.channels = input.shape(rank - 1);
    if (image.h == 0 || image.w == 0)
        value_error({op, ": input has no elements along a spatial axis (shape ", input.shape(), ")"});
    if (image.h > kLargestSize || image.w > kLargestSize)
        value_error({op, ": input is too large (shape ", input.shape(), "); spatial axes have at most ",
                     kLargestSize, " elements"});
    return image;
}

Dims shape_like(const Image& image, Pair size, int64_t channels) {
    Dims shape;
    if (image.batched) shape.push(image.batch);
    if (image.axes == 2) shape.push(size.h);
    shape.push(size.w);
    shape.push(channels);
    return shape;
}

Dims to_dims(Pair pair, int axes) { return axes == 2 ? Dims{pair.h, pair.w} : Dims{pair.w}; }

} // namespace dt::ops
