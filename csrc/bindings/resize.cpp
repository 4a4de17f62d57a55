#include "ops/resize.h"

#include "bindings/families.h"
#include "bindings/op.h"

namespace dt::bindings {

void bind_resize(py::module_& m) {
    op<&ops::resize_images>(
        m, "resize_images",
        {"Images in another size, cropped and mirrored in the same pass, as Pillow's resize does it.\n\n"
         "uint8 differs from Pillow's by 1 at most, and is the same on every ISA level. Records no gradient.",
         "images: Tensor (n, h, w, channels), uint8 or float32.\n"
         "size: Height and width of the result, one number for both or a pair.\n"
         "interpolation: 'nearest', 'box', 'bilinear', 'bicubic' (Keys, 1981, a = -0.5) or 'lanczos'.\n"
         "antialias: When images become smaller, filters widen, so that every pixel counts.\n"
         "boxes: Tensor (n, 4), float64 or float32: left, top, right and bottom of the part of each image "
         "that is\n"
         "    shown, in pixels from its corner, not necessarily whole; None for all of it. Pixels beside the "
         "part\n"
         "    count where the filter reaches them.\n"
         "flips: Tensor (n,), bool: which samples are mirrored left to right; None for none.",
         "Tensor (n, *size, channels) of the dtype of images.",
         "ValueError: for shapes that do not fit, boxes that are empty or not within the image, unknown "
         "words.\n"
         "TypeError: for other dtypes.",
         ">>> image = dt.tensor([[[[0.0], [1.0], [2.0], [3.0]]]])\n"
         ">>> dt.resize_images(image, (1, 2), 'box').flatten().tolist()\n[0.5, 2.5]"},
        {"images"_a, "size"_a, "interpolation"_a = "bilinear", "antialias"_a = true, "boxes"_a = py::none(),
         "flips"_a = py::none()});
}

} // namespace dt::bindings
