#include "ops/color.h"

#include "bindings/families.h"
#include "bindings/op.h"

namespace dt::bindings {

void bind_color(py::module_& m) {
    const char *images_only = "images: Tensor (n, height, width, channels), uint8 or float32.\n",
               *raises =
                   "ValueError: for wrong shapes and values out of range.\nTypeError: for other dtypes.";
    const auto doc = [&](const char* summary, const char* args, const char* returns, const char* example) {
        return to_text({summary, (std::string(images_only) + args).c_str(), returns, raises, example});
    };
    const Arg white = "max_value"_a = 255.0;
    op<&ops::transform_colors>(
        m, "transform_colors",
        doc("Takes each pixel through steps of its sample, without rounding between them.\n\n"
            "A step is 13 numbers, its kind and what it needs; its result is cut to [0, max_value].\n"
            "0: nothing. 1: a matrix of 3 rows (red, green, blue, 1). 2: a factor of contrast, around the "
            "mean of\n"
            "the grey values; at most one for each sample. 3: turns of the hue, in [0, 1). Images of other "
            "than 3\n"
            "or 4 channels are grey: the matrix is its first number and its fourth. A fourth channel stays.",
            "steps: Tensor (n, steps, 13), float32.\nmax_value: White in float32 images; 255 in uint8.\n",
            "Tensor like images.",
            ">>> half = dt.tensor([[[1.0, 0.5, 0, 0, 0, 0, 0.5, 0, 0, 0, 0, 0.5, 0]]])\n"
            ">>> dt.transform_colors(dt.tensor([[[[10.0, 20.0, 40.0]]]]), half).tolist()\n"
            "[[[[5.0, 10.0, 20.0]]]]"),
        {"images"_a, "steps"_a, white});
    op<&ops::image_histograms>(
        m, "image_histograms",
        doc("How often each level comes in each image and channel.",
            "max_value: White in float32 images, which are rounded to 256 levels; 255 in uint8.\n",
            "Tensor (n, channels, 256), int64.",
            ">>> dt.image_histograms(dt.ones((1, 2, 2, 1), dtype='uint8'))[0, 0, :3].tolist()\n[0, 4, 0]"),
        {"images"_a, white});
    op<&ops::lookup_images>(
        m, "lookup_images",
        doc("Replaces every level by what a table has for it.",
            "tables: Tensor (n, channels, 256) or (n, 1, 256), uint8.\n"
            "max_value: White in float32 images, which are rounded to 256 levels; 255 in uint8.\n",
            "Tensor like images.",
            ">>> down = dt.flip(dt.arange(256).astype('uint8')).reshape((1, 1, 256))\n"
            ">>> dt.lookup_images(dt.ones((1, 1, 1, 1), dtype='uint8'), down).item()\n254"),
        {"images"_a, "tables"_a, white});
    op<&ops::noise_images>(
        m, "noise_images",
        doc("Adds noise, each sample's from the random stream of its key.",
            "kind: 'gaussian': normal numbers are added; 'speckle': they are multiples of the value;\n"
            "    'salt_and_pepper': pixels become white or black.\nkeys: Tensor (n,) of integers.\n"
            "amounts: Tensor (n, 2), float32: mean and standard deviation; or the share of pixels, and of "
            "salt\n"
            "    among them.\nmax_value: To which float32 images are cut; None: not at all.\n",
            "Tensor like images.",
            ">>> black = dt.zeros((1, 2, 2, 3), dtype='uint8')\n"
            ">>> salt = dt.noise_images(black, 'salt_and_pepper', dt.tensor([7]), dt.tensor([[1.0, 1.0]]))\n"
            ">>> salt.min().item()\n255"),
        {"images"_a, "kind"_a, "keys"_a, "amounts"_a, white});
    op<&ops::filter_images>(
        m, "filter_images",
        doc("Weighted sums of neighbours: centre times the pixel plus taps down and then across.\n\n"
            "The image is mirrored at its border, without repeating it.",
            "down, across: Tensors (n, taps), float32, of an odd number of taps each, up to 255.\n"
            "centre: Tensor (n,), float32; 0 if None.\n"
            "keep_border: Whether the outermost pixels stay as they are.\n"
            "max_value: To which float32 images are cut; None: not at all.\n",
            "Tensor like images.",
            ">>> third = dt.full((1, 3), 1 / 3)\n"
            ">>> dt.filter_images(dt.ones((1, 4, 4, 1)), third, third).mean().item()\n1.0"),
        {"images"_a, "down"_a, "across"_a, "centre"_a = py::none(), "keep_border"_a = false,
         "max_value"_a = py::none()});
    op<&ops::erase_images>(
        m, "erase_images",
        doc("Fills boxes of images with a colour or with random values.",
            "boxes: Tensor (n, boxes, 4) of integers x0, y0, x1, y1, the end excluded.\n"
            "values: Tensor (channels,), float32, or None.\n"
            "keys: Tensor (n,) of integers, streams of uniform numbers up to max_value; or None.\n"
            "max_value: White in float32 images; 255 in uint8.\n",
            "Tensor like images.",
            ">>> box = dt.tensor([[[0, 0, 1, 2]]])\n"
            ">>> dt.erase_images(dt.ones((1, 2, 2, 1)), box, dt.zeros(1))[0, :, :, 0].tolist()\n"
            "[[0.0, 1.0], [0.0, 1.0]]"),
        {"images"_a, "boxes"_a, "values"_a = py::none(), "keys"_a = py::none(), white});
    op<&ops::normalize_images>(
        m, "normalize_images",
        doc("images * scale + shift as float32, in one pass.",
            "scale, shift: Tensors (channels,), or (n, channels) for each sample; float32.\n",
            "Tensor (n, height, width, channels), float32.",
            ">>> dt.normalize_images(dt.ones((1, 1, 1, 1), dtype='uint8'), dt.ones(1), "
            "dt.ones(1)).item()\n2.0"),
        {"images"_a, "scale"_a, "shift"_a});
}

} // namespace dt::bindings
