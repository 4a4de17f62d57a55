// Group norm in its forms (batch norm, instance norm, group norm) and layer norm, forward and backward.
#include "kernels/norm.h"

#include "check.h"

namespace dt::check {
namespace {

struct Shape {
    int64_t samples, spatial, channels, groups;
    int64_t size() const { return samples * spatial * channels; }
    int64_t statistics() const { return samples * groups; }
    int64_t per_group() const { return spatial * (channels / groups); }
    int64_t channel(int64_t i) const { return i % channels; }
    int64_t group(int64_t i) const {
        return i / channels / spatial * groups + i % channels / (channels / groups);
    }
};

std::string describe(const Shape& s) {
    return "(" + text(s.samples) + ", " + text(s.spatial) + ", " + text(s.channels) + "), groups " +
           text(s.groups);
}

struct Statistics {
    std::vector<double> mean, variance;
};
template <class T> Statistics measure(const Shape& s, const Array<T>& x) {
    Statistics m{std::vector<double>(size_t(s.statistics())), std::vector<double>(size_t(s.statistics()))};
    for (int64_t i = 0; i < s.size(); ++i) m.mean[size_t(s.group(i))] += x.at(i) / double(s.per_group());
    for (int64_t i = 0; i < s.size(); ++i) {
        const double d = x.at(i) - m.mean[size_t(s.group(i))];
        m.variance[size_t(s.group(i))] += d * d / double(s.per_group());
    }
    return m;
}

constexpr double kEpsilon = 0.125; // keeps 1 / std small, so that the error of a mean is not magnified

template <class T> void check_group_forward(Checks& c, const Shape& s, int variant) {
    using P = Beside<T>;
    const int which = precision(dtype_of<T>);
    const bool affine = variant & 1, relu = variant & 2,
               running = variant & 4 && s.groups == s.channels && s.spatial > 1, add = variant & 8;
    c.at("group_forward ", describe(s), ", variant ", variant);
    const Array<T> x = c.uniform_array<T>(s.size(), -1, 2);
    const Array<P> weight = c.uniform_array<P>(s.channels), bias = c.uniform_array<P>(s.channels);
    const Array<T> residual = c.uniform_array<T>(s.size());
    Array<T> y(s.size());
    Array<P> mean(s.statistics()), inverse(s.statistics());
    Array<P> running_mean = c.uniform_array<P>(s.channels),
             running_variance = c.uniform_array<P>(s.channels, 0, 1);
    const Array<P> mean_before = running_mean, variance_before = running_variance;
    Array<double> scratch(c.call(c.table.norm.group_scratch, s.samples, s.spatial, s.channels, s.groups));
    GroupNormArgs args;
    args.samples = s.samples, args.spatial = s.spatial, args.channels = s.channels, args.groups = s.groups;
    args.input = x.data(), args.output = y.data(), args.epsilon = kEpsilon, args.relu = relu;
    args.weight = affine ? weight.data() : nullptr;
    args.bias = affine ? bias.data() : nullptr;
    args.mean = mean.data(), args.inverse_std = inverse.data(), args.scratch = scratch.data();
    args.momentum = 0.25;
    args.residual = add ? residual.data() : nullptr;
    args.running_mean = running ? running_mean.data() : nullptr;
    args.running_variance = running ? running_variance.data() : nullptr;
    c.call(c.table.norm.group_forward[which], args);

    const Statistics m = measure(s, x);
    const auto inverse_of = [&](int64_t g) { return 1 / std::sqrt(m.variance[size_t(g)] + kEpsilon); };
    const double some = 16;
    c.expect("mean", mean, some, [&](int64_t g) { return Want(m.mean[size_t(g)], 2); });
    c.expect("inverse_std", inverse, some, [&](int64_t g) { return Want(inverse_of(g)); });
    const auto normal = [&](int64_t i, double the_mean, double the_inverse) -> Want {
        const double scale = the_inverse * (affine ? weight.at(s.channel(i)) : 1);
        double v = (x.at(i) - the_mean) * scale + (affine ? bias.at(s.channel(i)) : 0);
        if (add) v += residual.at(i);
        if (relu && v < 0) v = 0;
        return {v, 4 * std::fabs(scale) + 2};
    };
    c.expect("output", y, some,
             [&](int64_t i) { return normal(i, m.mean[size_t(s.group(i))], inverse_of(s.group(i))); });
    if (running) {
        const auto average = [&](int64_t channel, const std::vector<double>& v, double factor) {
            double sum = 0;
            for (int64_t n = 0; n < s.samples; ++n) sum += v[size_t(n * s.channels + channel)] * factor;
            return sum / double(s.samples);
        };
        const double unbiased = double(s.spatial) / double(s.spatial - 1);
        c.expect("running_mean", running_mean, some,
                 [&](int64_t i) { return Want(0.75 * mean_before.at(i) + 0.25 * average(i, m.mean, 1), 2); });
        c.expect("running_variance", running_variance, some, [&](int64_t i) {
            return Want(0.75 * variance_before.at(i) + 0.25 * average(i, m.variance, unbiased), 4);
        });
    }

    c.at("group_apply ", describe(s), ", variant ", variant);
    Array<P> given_mean = c.uniform_array<P>(s.statistics()),
             given_inverse = c.uniform_array<P>(s.statistics(), 0.5, 2);
    Array<T> applied(s.size());
    args.mean = given_mean.data(), args.inverse_std = given_inverse.data(), args.output = applied.data();
    c.call(c.table.norm.group_apply[which], args);
    c.expect("output", applied, some,
             [&](int64_t i) { return normal(i, given_mean.at(s.group(i)), given_inverse.at(s.group(i))); });
}

// The gradient through y = (x - mean) inverse weight + bias by the rules of calculus: with n values in a
// group and h = weight * dy, dx = inverse (h - mean(h) - xhat mean(h xhat)).
template <class T> void check_group_backward(Checks& c, const Shape& s, int variant) {
    using P = Beside<T>;
    const bool affine = variant & 1, relu = variant & 2, fixed = variant & 4;
    const bool residual = relu && variant & 8, in_place = variant & 16;
    c.at("group_backward ", describe(s), ", variant ", variant);
    const Array<T> x = c.uniform_array<T>(s.size(), -1, 2), other = c.uniform_array<T>(s.size()),
                   dy = c.uniform_array<T>(s.size());
    const Array<P> weight = c.uniform_array<P>(s.channels), bias = c.uniform_array<P>(s.channels);
    Array<T> y(s.size()), residual_grad(s.size()), dx(s.size());
    Array<P> mean(s.statistics()), inverse(s.statistics()), dw(s.channels), db(s.channels);
    const Statistics m = measure(s, x);
    for (int64_t g = 0; g < s.statistics(); ++g) {
        mean[g] = P(m.mean[size_t(g)]);
        inverse[g] = P(1 / std::sqrt(m.variance[size_t(g)] + kEpsilon));
    }
    const auto hat = [&](int64_t i) { return (x.at(i) - mean.at(s.group(i))) * inverse.at(s.group(i)); };
    Array<double> scratch(c.call(c.table.norm.group_scratch, s.samples, s.spatial, s.channels, s.groups));
    Array<uint8_t> bits(c.call(c.table.norm.relu_bytes, s.samples, s.spatial, s.channels, s.groups));
    GroupNormArgs forward; // writes what ReLU lets pass
    forward.samples = s.samples, forward.spatial = s.spatial, forward.channels = s.channels,
    forward.groups = s.groups, forward.input = x.data(), forward.weight = affine ? weight.data() : nullptr,
    forward.bias = affine ? bias.data() : nullptr, forward.residual = residual ? other.data() : nullptr;
    forward.relu = true, forward.relu_bits = bits.data(), forward.output = y.data();
    forward.mean = mean.data(), forward.inverse_std = inverse.data(), forward.scratch = scratch.data();
    if (relu) c.call(c.table.norm.group_apply[precision(dtype_of<T>)], forward);
    GroupNormGradArgs args;
    args.samples = s.samples, args.spatial = s.spatial, args.channels = s.channels, args.groups = s.groups;
    args.input = x.data(), args.weight = affine ? weight.data() : nullptr;
    args.relu_bits = relu ? bits.data() : nullptr;
    args.residual_grad = residual ? residual_grad.data() : nullptr;
    Array<T>& taken = residual ? residual_grad : dx; // in place: the result that takes dy's memory
    for (int64_t i = 0; in_place && i < s.size(); ++i) taken[i] = dy[i];
    args.mean = mean.data(), args.inverse_std = inverse.data();
    args.output_grad = in_place ? taken.data() : dy.data();
    args.fixed_statistics = fixed, args.input_grad = dx.data(), args.scratch = scratch.data();
    args.weight_grad = affine ? dw.data() : nullptr;
    args.bias_grad = affine ? db.data() : nullptr;
    c.call(c.table.norm.group_backward[precision(dtype_of<T>)], args);

    const auto grad = [&](int64_t i) { return relu && !(y.at(i) > 0) ? 0 : dy.at(i); };
    std::vector<Sum> first(size_t(s.statistics())), second(first), weight_sums(size_t(s.channels)),
        bias_sums(weight_sums);
    for (int64_t i = 0; i < s.size(); ++i) {
        const double h = grad(i) * (affine ? weight.at(s.channel(i)) : 1);
        first[size_t(s.group(i))].add(h / double(s.per_group()));
        second[size_t(s.group(i))].add(h * hat(i) / double(s.per_group()));
        weight_sums[size_t(s.channel(i))].add(grad(i) * hat(i));
        bias_sums[size_t(s.channel(i))].add(grad(i));
    }
    c.expect("input_grad", dx, 24, [&](int64_t i) -> Want {
        const size_t g = size_t(s.group(i));
        const double h = grad(i) * (affine ? weight.at(s.channel(i)) : 1);
        const double inner = fixed ? h : h - first[g].value - hat(i) * second[g].value;
        return {inverse.at(s.group(i)) * inner,
                inverse.at(s.group(i)) * (std::fabs(h) + first[g].size + 3 * second[g].size)};
    });
    if (residual)
        c.expect_exactly("residual_grad", residual_grad, [&](int64_t i) { return rounded<T>(grad(i)); });
    if (!affine) return;
    c.expect("weight_grad", dw, 24,
             [&](int64_t i) { return Want(weight_sums[size_t(i)].value, 3 * bias_sums[size_t(i)].size); });
    c.expect("bias_grad", db, 24, [&](int64_t i) { return bias_sums[size_t(i)]; });
}

template <class T> void check_inverse_std(Checks& c) {
    for (int64_t n : {0, 1, 5, 64, 65}) {
        c.at("inverse_std, size ", n);
        const Array<T> variance = c.uniform_array<T>(n, 0, 3);
        Array<T> out(n);
        c.call(c.table.norm.inverse_std[sizeof(T) == 8], n, variance.data(), 1e-3, out.data());
        c.expect("output", out, 2, [&](int64_t i) { return Want(1 / std::sqrt(variance.at(i) + 1e-3)); });
    }
}

template <class T> void check_layer(Checks& c, int64_t rows, int64_t size, bool affine, bool centred) {
    using P = Beside<T>;
    const int which = precision(dtype_of<T>);
    const int64_t n = rows * size;
    c.at(centred ? "layer norm of (" : "RMS norm of (", rows, ", ", size, ")",
         affine ? ", weight and bias" : "");
    const Array<T> x = c.uniform_array<T>(n, -1, 2), dy = c.uniform_array<T>(n);
    const Array<P> weight = c.uniform_array<P>(size), bias = c.uniform_array<P>(size);
    Array<T> y(n), dx(n);
    Array<P> mean(rows), inverse(rows), dw(size), db(size);
    LayerNormArgs args;
    args.rows = rows, args.size = size, args.input = x.data(), args.output = y.data(),
    args.epsilon = kEpsilon;
    args.weight = affine ? weight.data() : nullptr;
    args.bias = affine ? bias.data() : nullptr;
    args.centred = centred, args.mean = centred ? mean.data() : nullptr;
    args.inverse_std = inverse.data();
    c.call(c.table.norm.layer.forward[which], args);
    const Shape s{rows, size, 1, 1};
    Statistics m = measure(s, x);
    if (!centred)
        for (int64_t r = 0; r < rows; ++r) {
            double& mean_of_row = m.mean[size_t(r)];
            m.variance[size_t(r)] += mean_of_row * mean_of_row;
            mean_of_row = 0;
        }
    const auto inverse_of = [&](int64_t r) { return 1 / std::sqrt(m.variance[size_t(r)] + kEpsilon); };
    const auto hat = [&](int64_t i) { return (x.at(i) - m.mean[size_t(i / size)]) * inverse_of(i / size); };
    const double some = 16 + std::sqrt(double(size));
    if (centred) c.expect("mean", mean, some, [&](int64_t r) { return Want(m.mean[size_t(r)], 2); });
    c.expect("inverse_std", inverse, some, [&](int64_t r) { return Want(inverse_of(r)); });
    c.expect("output", y, some, [&](int64_t i) {
        return Want(hat(i) * (affine ? weight.at(i % size) : 1) + (affine ? bias.at(i % size) : 0), 12);
    });

    LayerNormGradArgs grad;
    Array<double> scratch(c.call(c.table.norm.layer.scratch, rows, size));
    grad.rows = rows, grad.size = size, grad.input = x.data(), grad.weight = affine ? weight.data() : nullptr;
    grad.centred = centred, grad.mean = args.mean, grad.inverse_std = inverse.data();
    grad.output_grad = dy.data();
    grad.input_grad = dx.data(), grad.scratch = scratch.data();
    grad.weight_grad = affine ? dw.data() : nullptr;
    grad.bias_grad = affine && centred ? db.data() : nullptr;
    c.call(c.table.norm.layer.backward[which], grad);
    std::vector<Sum> first(static_cast<size_t>(rows)), second(first), weight_sums(static_cast<size_t>(size)),
        bias_sums(weight_sums);
    const auto h = [&](int64_t i) { return dy.at(i) * (affine ? weight.at(i % size) : 1); };
    for (int64_t i = 0; i < n; ++i) {
        if (centred) first[size_t(i / size)].add(h(i) / double(size));
        second[size_t(i / size)].add(h(i) * hat(i) / double(size));
        weight_sums[size_t(i % size)].add(dy.at(i) * hat(i));
        bias_sums[size_t(i % size)].add(dy.at(i));
    }
    c.expect("input_grad", dx, some, [&](int64_t i) {
        const size_t r = size_t(i / size);
        return Want(inverse_of(i / size) * (h(i) - first[r].value - hat(i) * second[r].value), 12);
    });
    if (!affine) return;
    c.expect("weight_grad", dw, 32,
             [&](int64_t i) { return Want(weight_sums[size_t(i)].value, 4 * bias_sums[size_t(i)].size); });
    if (centred) c.expect("bias_grad", db, 32, [&](int64_t i) { return bias_sums[size_t(i)]; });
}

} // namespace

void check_norm(Checks& c) {
    const Shape shapes[] = {{1, 1, 1, 1},     {1, 7, 1, 1},    {1, 9, 3, 3},  {1, 33, 4, 4},
                            {1, 40, 17, 17},  {2, 12, 8, 2},   {3, 5, 6, 6},  {3, 5, 6, 1},
                            {1, 100, 64, 64}, {1, 65, 65, 65}, {2, 30, 96, 4}};
    const Shape large[] = {
        {1, 14000, 5, 5}, {1, 2000, 40, 40}, {4, 500, 32, 8}, {1, 600, 130, 130}}; // several blocks
    for_all_floats([&]<class T>(T) {
        for (const Shape& s : shapes)
            for (int variant = 0; variant < 16; ++variant) {
                check_group_forward<T>(c, s, variant);
                check_group_backward<T>(c, s, variant);
                check_group_backward<T>(c, s, variant | 16);
            }
        for (const Shape& s : large)
            for (int variant : {0, 7, 10, 11}) {
                check_group_forward<T>(c, s, variant);
                check_group_backward<T>(c, s, variant);
                check_group_backward<T>(c, s, variant | 16);
            }
        if constexpr (!is_half(dtype_of<T>)) check_inverse_std<T>(c);
        for (bool centred : {false, true}) {
            for (bool affine : {false, true})
                for (int64_t rows : {0, 1, 3, 20})
                    for (int64_t size : {1, 3, 4, 8, 16, 17, 33, 100})
                        check_layer<T>(c, rows, size, affine, centred);
            check_layer<T>(c, 700, 130, true, centred);
            check_layer<T>(c, 3, 20000, true, centred);
        }
    });
}

} // namespace dt::check
