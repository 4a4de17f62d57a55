#include "ops/warp.h"

#include "bindings/families.h"
#include "bindings/op.h"

namespace dt::bindings {

void bind_warp(py::module_& m) {
#define DT_LOOK                                                                                              \
    "interpolation: 'nearest', 'bilinear' or 'bicubic' (Keys, 1981, a = -0.5).\n"                            \
    "fill_mode: What lies outside the image, in the words of scipy.ndimage: 'constant' (fill_value),\n"      \
    "    'nearest' (a a | a b c d | d d), 'reflect' (b a | a b c d | d c), 'mirror' (c b | a b c d | c "     \
    "b),\n"                                                                                                  \
    "    'wrap' (repeats after n - 1 pixels), 'grid-wrap' (c d | a b c d | a b) or 'grid-constant'\n"        \
    "    (fill_value, mixed with the pixels at the edge).\n"                                                 \
    "fill_value: In the units of the images."
    op<&ops::warp_images>(
        m, "warp_images",
        {"Images seen through matrices: rotated, shifted, zoomed, sheared, in perspective.\n\n"
         "Records no gradient; results are the same on every ISA level. uint8 is rounded to nearest.",
         "images: Tensor (n, h, w, channels), uint8 or float32.\n"
         "matrices: Tensor (n, 3, 3), float64 or float32. Pixel (x, y) of the result shows the place (x', "
         "y')\n"
         "    of the image, where (x' s, y' s, s) = matrix (x, y, 1); pixel centres are whole numbers.\n"
         "size: Height and width of the result, one number for both or a pair.\n" DT_LOOK,
         "Tensor (n, *size, channels) of the dtype of images.",
         "ValueError: for shapes that do not fit, numbers that are not finite and unknown words.\n"
         "TypeError: for other dtypes.",
         ">>> image = dt.tensor([[[[1.0], [2.0], [3.0]]]])\n"
         ">>> to_the_left = dt.tensor([[[1.0, 0, 1], [0, 1, 0], [0, 0, 1]]], dtype='float64')\n"
         ">>> dt.warp_images(image, to_the_left, (1, 3)).flatten().tolist()\n[2.0, 3.0, 0.0]"},
        {"images"_a, "matrices"_a, "size"_a, "interpolation"_a = "bilinear", "fill_mode"_a = "constant",
         "fill_value"_a = 0.0});
    op<&ops::displace_images>(
        m, "displace_images",
        {"Images with every pixel taken from a place of its own: elastic and optical distortions.\n\n"
         "Records no gradient; results are the same on every ISA level. uint8 is rounded to nearest.",
         "images: Tensor (n, h, w, channels), uint8 or float32.\n"
         "field: Tensor (n, h', w', 2), float32. Pixel (x, y) of the result shows the place\n"
         "    (x + field[y, x, 0], y + field[y, x, 1]) of the image; NaN is outside.\n" DT_LOOK,
         "Tensor (n, h', w', channels) of the dtype of images.",
         "ValueError: for shapes that do not fit and unknown words.\nTypeError: for other dtypes.",
         ">>> image = dt.tensor([[[[1.0], [2.0], [3.0]]]])\n"
         ">>> field = dt.tensor([[[[0.5, 0.0], [0.0, 0.0], [-2.0, 0.0]]]])\n"
         ">>> dt.displace_images(image, field).flatten().tolist()\n[1.5, 2.0, 1.0]"},
        {"images"_a, "field"_a, "interpolation"_a = "bilinear", "fill_mode"_a = "constant",
         "fill_value"_a = 0.0});
#undef DT_LOOK
}

} // namespace dt::bindings
