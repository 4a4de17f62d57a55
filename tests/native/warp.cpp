// Warps by the definition in csrc/kernels/warp.h. Matrices and displacements are multiples of 1/32: places
// are exact, and so is which side of an edge they lie on.
#include "kernels/warp.h"

#include "check.h"

namespace dt::check {
namespace {

// The pixel that stands for pixel i, by steps; -1: the fill value.
int64_t stand_in(int64_t i, int64_t n, Fill fill) {
    while (i < 0 || i >= n) {
        const bool before = i < 0;
        switch (fill) {
        case Fill::grid_constant:
            return -1;
        case Fill::reflect:
            i = before ? -1 - i : 2 * n - 1 - i;
            break;
        case Fill::mirror:
            i = n == 1 ? 0 : before ? -i : 2 * n - 2 - i;
            break;
        case Fill::wrap:
            i = n == 1 ? 0 : before ? i + n - 1 : (i - n + 1) % (n - 1);
            break;
        case Fill::grid_wrap:
            i += before ? n : -n;
            break;
        case Fill::constant:
        case Fill::nearest:
        case Fill::count:
            return before ? 0 : n - 1;
        }
    }
    return i;
}

double cubic(double d) { // Keys, a = -0.5
    d = std::fabs(d);
    return d < 1 ? 1.5 * d * d * d - 2.5 * d * d + 1 : d < 2 ? -0.5 * d * d * d + 2.5 * d * d - 4 * d + 2 : 0;
}

// The weight of pixel i for a place.
double weight(Interpolation interpolation, double place, int64_t i) {
    const double d = double(i) - place;
    switch (interpolation) {
    case Interpolation::nearest:
        return i == int64_t(std::floor(place + 0.5));
    case Interpolation::bilinear:
        return std::fmax(0, 1 - std::fabs(d));
    case Interpolation::bicubic:
        return cubic(d);
    case Interpolation::count:
        break;
    }
    return NAN;
}

template <class T> struct Case {
    const WarpArgs& a;
    const Array<T>& images;

    Want at(int64_t image, double x, double y, int64_t channel) const {
        for (auto [place, n] : {std::pair(&x, a.in_w), std::pair(&y, a.in_h)}) {
            const double last = double(n - 1);
            if (*place >= 0 && *place <= last) continue;
            if (a.fill == Fill::constant) return a.fill_value;
            if (a.fill == Fill::wrap) *place = n == 1 ? 0 : *place - last * std::floor(*place / last);
            // The nearest pixel is found after the place was reflected, as by scipy: it decides between two.
            if (a.interpolation != Interpolation::nearest) continue;
            while (a.fill == Fill::reflect && (*place < -0.5 || *place > last + 0.5))
                *place = *place < 0 ? -1 - *place : 2 * last + 1 - *place;
            while (a.fill == Fill::mirror && (*place < 0 || *place > last))
                *place = n == 1 ? 0 : *place < 0 ? -*place : 2 * last - *place;
        }
        Sum sum;
        const int64_t left = int64_t(std::floor(x)) - 1, top = int64_t(std::floor(y)) - 1;
        for (int64_t row = top; row < top + 4; ++row)
            for (int64_t col = left; col < left + 4; ++col) {
                const double w = weight(a.interpolation, x, col) * weight(a.interpolation, y, row);
                if (w == 0) continue;
                const int64_t q = stand_in(col, a.in_w, a.fill), r = stand_in(row, a.in_h, a.fill);
                const double v = q < 0 || r < 0
                                     ? double(a.fill_value)
                                     : images.at(((image * a.in_h + r) * a.in_w + q) * a.channels + channel);
                sum.add(w * v);
            }
        return sum;
    }
    Want at(int64_t i) const {
        const int64_t channel = i % a.channels, col = i / a.channels % a.out_w;
        const int64_t row = i / a.channels / a.out_w % a.out_h, image = i / a.channels / a.out_w / a.out_h;
        const double x = double(col), y = double(row);
        if (!a.matrices) {
            const float* move = a.field + 2 * (i / a.channels);
            return at(image, x + double(move[0]), y + double(move[1]), channel);
        }
        const double* m = a.matrices + 9 * image;
        const double below = m[6] * x + m[7] * y + m[8];
        return at(image, (m[0] * x + m[1] * y + m[2]) / below, (m[3] * x + m[4] * y + m[5]) / below, channel);
    }
};

template <class T> void check_case(Checks& c, void (*const& warp)(const WarpArgs&), WarpArgs a) {
    Array<T> images(a.batch * a.in_h * a.in_w * a.channels), out(a.batch * a.out_h * a.out_w * a.channels);
    for (int64_t i = 0; i < images.size(); ++i)
        images[i] = T(i % 7 == 3 ? 255 : i % 7 == 4 ? 0 : double(c.whole(0, 256)));
    a.images = images.data(), a.output = out.data();
    c.call(warp, a);
    const Case<T> expected{a, images};
    if constexpr (kFloat<T>)
        c.expect("output", out, 8, [&](int64_t i) {
            const Want want = expected.at(i);
            return Want(want.value, std::fmax(255, want.size)); // places have 24 bits behind the point
        });
    else // at most the rounding to whole numbers, and what 16 bits lose
        c.expect_exactly("output", out, [&](int64_t i) {
            const double v = std::fmin(255, std::fmax(0, expected.at(i).value));
            return std::fabs(out.at(i) - v) < 0.56 ? out[i] : T(v + 0.5);
        });
}

void check_both(Checks& c, const WarpArgs& a, const char* kind) {
    c.at(kind, ", images (", a.batch, ", ", a.in_h, ", ", a.in_w, ", ", a.channels, "), output ", a.out_h,
         "x", a.out_w, ", interpolation ", int(a.interpolation), ", fill ", int(a.fill));
    check_case<uint8_t>(c, c.table.warp.u8, a);
    check_case<float>(c, c.table.warp.f32, a);
}

double step(Checks& c, int64_t low, int64_t high) { return double(c.whole(32 * low, 32 * high)) / 32; }

void check_kinds(Checks& c, WarpArgs a) {
    Array<double> matrices(a.batch * 9);
    for (int64_t i = 0; i < a.batch; ++i) {
        const double turned[9] = {step(c, -2, 2),
                                  step(c, -2, 2),
                                  step(c, -9, a.in_w + 9),
                                  step(c, -2, 2),
                                  step(c, -2, 2),
                                  step(c, -9, a.in_h + 9),
                                  0,
                                  0,
                                  1};
        for (int k = 0; k < 9; ++k) matrices[9 * i + k] = turned[k];
    }
    matrices[0] = 1, matrices[1] = 0, matrices[3] = 0, matrices[4] = 1; // the first image is only shifted
    a.matrices = matrices.data();
    check_both(c, a, "affine");
    for (int64_t i = 0; i < a.batch; ++i) matrices[9 * i + 8] = 2;
    check_both(c, a, "divided");
    if (a.fill != Fill::constant && a.interpolation == Interpolation::bilinear) { // no jumps in between
        for (int64_t i = 0; i < a.batch; ++i) matrices[9 * i + 6] = 0.01, matrices[9 * i + 7] = 0.02;
        check_both(c, a, "perspective");
    }
    Array<float> field(a.batch * a.out_h * a.out_w * 2);
    for (int64_t i = 0; i < field.size(); ++i) field[i] = float(step(c, -4, 4));
    a.matrices = nullptr, a.field = field.data();
    check_both(c, a, "displaced");
}

} // namespace

void check_warp(Checks& c) {
    for (const auto& [interpolation, name] : enumerators<Interpolation>())
        for (const auto& [fill, fill_name] : enumerators<Fill>())
            for (int64_t channels : {1, 2, 3, 4, 5}) {
                WarpArgs a;
                a.interpolation = interpolation, a.fill = fill, a.fill_value = 77, a.channels = channels;
                a.batch = 2, a.in_h = 9, a.in_w = 12, a.out_h = 11, a.out_w = 13;
                check_kinds(c, a);
                a.in_h = 1, a.in_w = 1, a.out_w = 5;
                check_kinds(c, a);
                a.in_h = 2, a.in_w = 3, a.out_h = 1, a.out_w = 1;
                check_kinds(c, a);
            }
    WarpArgs a; // several blocks of rows, and of a row
    a.fill_value = 3, a.channels = 3, a.batch = 3, a.in_h = a.in_w = 70, a.out_h = 65, a.out_w = 300;
    check_kinds(c, a);
    a.batch = 0;
    check_both(c, a, "no images");
}

} // namespace dt::check
