#include "ops/cut.h"

#include "bindings/families.h"
#include "bindings/op.h"

namespace dt::bindings {

void bind_cut(py::module_& m) {
    op<&ops::cut_images>(
        m, "cut_images",
        {"Windows of images, also beyond their borders and mirrored: crops, padding and flips as copies.\n\n"
         "Records no gradient.",
         "images: Tensor (n, h, w, channels), uint8 or float32; with rows, any number of them.\n"
         "corners: Tensor (n, 2), int64: column and row of the first pixel of each window.\n"
         "size: Height and width of the windows, one number for both or a pair.\n"
         "flips: Tensor (n,), uint8: 1 mirrors left to right, 2 top to bottom, 3 both; None for none.\n"
         "fill_mode: What lies outside the image: 'constant' (fill_value), 'nearest', 'reflect', 'mirror' "
         "or\n"
         "    'grid-wrap', as in warp_images.\n"
         "fill_value: In the units of the images.\n"
         "rows: Tensor (n,), int64: which of the images each window is of; None for one of each.",
         "Tensor (n, *size, channels) of the dtype of images.",
         "ValueError: for shapes that do not fit and unknown words.\nTypeError: for other dtypes.",
         ">>> image = dt.tensor([[[[1.0], [2.0], [3.0]]]])\n"
         ">>> dt.cut_images(image, dt.tensor([[1, 0]]), (1, 3)).flatten().tolist()\n[2.0, 3.0, 0.0]"},
        {"images"_a, "corners"_a, "size"_a, "flips"_a = py::none(), "fill_mode"_a = "constant",
         "fill_value"_a = 0.0, "rows"_a = py::none()});
}

} // namespace dt::bindings
