// Windows of images by the definition in csrc/kernels/cut.h.
#include "kernels/cut.h"

#include "check.h"

namespace dt::check {
namespace {

// The pixel that stands for pixel i of n; -1: the fill pixel.
int64_t stands_for(int64_t i, int64_t n, Fill fill) {
    if (fill == Fill::grid_constant && (i < 0 || i >= n)) return -1;
    while (i < 0 || i >= n) {
        if (fill == Fill::reflect)
            i = i < 0 ? -1 - i : 2 * n - 1 - i;
        else if (fill == Fill::mirror)
            i = n == 1 ? 0 : i < 0 ? -i : 2 * n - 2 - i;
        else if (fill == Fill::grid_wrap)
            i += i < 0 ? n : -n;
        else
            i = i < 0 ? 0 : n - 1;
    }
    return i;
}

void check_case(Checks& c, CutArgs a, int64_t reach) {
    Array<uint8_t> images(a.batch * a.in_h * a.in_w * a.bytes), flips(a.batch), pixel(a.bytes);
    Array<uint8_t> out(a.batch * a.out_h * a.out_w * a.bytes);
    Array<int64_t> corners(a.batch * 2);
    for (int64_t i = 0; i < images.size(); ++i) images[i] = uint8_t(c.whole(0, 256));
    for (int64_t i = 0; i < a.bytes; ++i) pixel[i] = uint8_t(200 + i);
    for (int64_t i = 0; i < a.batch; ++i) {
        flips[i] = uint8_t(i % 4);
        corners[2 * i] = i < 4 ? 0 : c.whole(-reach, a.in_w + reach);
        corners[2 * i + 1] = i < 4 ? 0 : c.whole(-reach, a.in_h + reach);
    }
    a.images = images.data(), a.output = out.data(), a.corners = corners.data(), a.flips = flips.data();
    a.fill_pixel = pixel.data();
    c.at("images (", a.batch, ", ", a.in_h, ", ", a.in_w, ") of ", a.bytes, " bytes, windows ", a.out_h, "x",
         a.out_w, ", fill ", int(a.fill));
    for (bool flipped : {true, false}) {
        a.flips = flipped ? flips.data() : nullptr;
        c.call(c.table.cut.cut, a);
        c.expect_exactly("output", out, [&](int64_t i) {
            const int64_t byte = i % a.bytes, j = i / a.bytes % a.out_w, y = i / a.bytes / a.out_w % a.out_h;
            const int64_t sample = i / a.bytes / a.out_w / a.out_h, flip = flipped ? flips[sample] : 0;
            const int64_t column = corners[2 * sample] + (flip & 1 ? a.out_w - 1 - j : j);
            const int64_t row = corners[2 * sample + 1] + (flip & 2 ? a.out_h - 1 - y : y);
            const int64_t q = stands_for(column, a.in_w, a.fill), r = stands_for(row, a.in_h, a.fill);
            if (q < 0 || r < 0) return pixel[byte];
            return images[((sample * a.in_h + r) * a.in_w + q) * a.bytes + byte];
        });
    }
}

} // namespace

void check_cut(Checks& c) {
    for (Fill fill : {Fill::grid_constant, Fill::nearest, Fill::reflect, Fill::mirror, Fill::grid_wrap})
        for (int64_t bytes : {1, 2, 3, 4, 5, 9, 12, 16, 20}) {
            CutArgs a;
            a.fill = fill, a.bytes = bytes;
            a.batch = 12, a.in_h = 7, a.in_w = 23, a.out_h = 7, a.out_w = 23;
            check_case(c, a, 4);
            a.out_h = 3, a.out_w = 10;
            check_case(c, a, 15);
            a.batch = 6, a.in_h = 1, a.in_w = 1, a.out_h = 4, a.out_w = 5;
            check_case(c, a, 9);
        }
    CutArgs a; // several blocks of rows
    a.bytes = 3, a.batch = 9, a.in_h = a.in_w = 90, a.out_h = 80, a.out_w = 90;
    check_case(c, a, 20);
    a.batch = 0;
    check_case(c, a, 0);
}

} // namespace dt::check
