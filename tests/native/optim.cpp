// SGD and Adam after the pseudocode of PyTorch's documentation, gradient norms, scaling; several tensors at a
// time.
#include "kernels/optim.h"

#include "check.h"

namespace dt::check {
namespace {

const std::vector<int64_t> kLists[] = {{}, {0}, {1}, {5, 0, 17, 64}, {16384, 3, 16385}, {40001}};

template <class T> struct Tensors {
    std::vector<Array<T>> parameter, gradient, first, second, maximum;
    std::vector<OptimTensor> list;

    Tensors(Checks& c, const std::vector<int64_t>& sizes, bool with_first, bool with_second,
            bool with_maximum, bool fresh) {
        for (int64_t n : sizes) {
            parameter.push_back(c.uniform_array<T>(n));
            gradient.push_back(c.uniform_array<T>(n));
            first.push_back(c.uniform_array<T>(n));
            second.push_back(c.uniform_array<T>(n, 0, 1));
            maximum.push_back(c.uniform_array<T>(n, 0, 1));
        }
        for (size_t i = 0; i < sizes.size(); ++i) {
            OptimTensor t;
            t.size = sizes[i];
            t.parameter = parameter[i].data();
            t.gradient = gradient[i].data();
            t.first = with_first ? first[i].data() : nullptr;
            t.second = with_second ? second[i].data() : nullptr;
            t.maximum = with_maximum ? maximum[i].data() : nullptr;
            t.fresh = fresh;
            t.step = int64_t(i) + 1;
            list.push_back(t);
        }
    }
    int64_t count() const { return int64_t(list.size()); }
};

template <class T> void check_sgd(Checks& c, const std::vector<int64_t>& sizes, int variant) {
    SgdArgs args;
    args.learning_rate = 0.1;
    args.momentum = variant & 1 ? 0.9 : 0;
    args.dampening = variant & 1 ? 0.25 : 0;
    args.weight_decay = variant & 2 ? 0.01 : 0;
    args.gradient_scale = 0.5;
    args.nesterov = variant & 1 && variant & 4;
    args.maximize = variant & 8;
    const bool fresh = variant & 16, momentum = variant & 1;
    c.at("sgd, variant ", variant, ", ", int64_t(sizes.size()), " tensors");
    Tensors<T> t(c, sizes, momentum, false, false, fresh);
    const Tensors<T> before = t;
    args.count = t.count();
    args.tensors = t.list.data();
    c.call(c.table.optim.sgd[sizeof(T) == 8], args);
    for (size_t k = 0; k < sizes.size(); ++k) {
        const auto gradient = [&](int64_t i) {
            Sum g;
            g.add((args.maximize ? -1 : 1) * args.gradient_scale * before.gradient[k].at(i));
            g.add(args.weight_decay * before.parameter[k].at(i));
            return g;
        };
        const auto buffer = [&](int64_t i) {
            const Sum g = gradient(i);
            if (fresh) return g;
            const double old = args.momentum * before.first[k].at(i);
            return Sum{old + (1 - args.dampening) * g.value, std::fabs(old) + g.size, 0};
        };
        if (momentum) c.expect("momentum buffer", t.first[k], 6, buffer);
        c.expect("parameter", t.parameter[k], 6, [&](int64_t i) {
            const Sum g = gradient(i), b = momentum ? buffer(i) : g;
            const double step = args.nesterov ? g.value + args.momentum * b.value : b.value;
            const double old = before.parameter[k].at(i);
            return Want(old - args.learning_rate * step,
                        std::fabs(old) + args.learning_rate * (g.size + b.size));
        });
    }
}

template <class T> void check_adam(Checks& c, const std::vector<int64_t>& sizes, int variant) {
    AdamArgs args;
    args.learning_rate = 0.05;
    args.beta1 = 0.875, args.beta2 = 0.96875;
    args.epsilon = 1e-6;
    args.weight_decay = variant & 1 ? 0.1 : 0;
    args.decoupled = variant & 2;
    args.maximize = variant & 4;
    args.gradient_scale = 0.5;
    const bool amsgrad = variant & 8;
    c.at("adam, variant ", variant, ", ", int64_t(sizes.size()), " tensors");
    Tensors<T> t(c, sizes, true, true, amsgrad, false);
    const Tensors<T> before = t;
    args.count = t.count();
    args.tensors = t.list.data();
    c.call(c.table.optim.adam[sizeof(T) == 8], args);
    for (size_t k = 0; k < sizes.size(); ++k) {
        const double step = double(t.list[k].step);
        const auto gradient = [&](int64_t i) {
            const double decay = args.decoupled ? 0 : args.weight_decay;
            return (args.maximize ? -1 : 1) * args.gradient_scale * before.gradient[k].at(i) +
                   decay * before.parameter[k].at(i);
        };
        const auto mean = [&](int64_t i) {
            return args.beta1 * before.first[k].at(i) + (1 - args.beta1) * gradient(i);
        };
        const auto square = [&](int64_t i) {
            return args.beta2 * before.second[k].at(i) + (1 - args.beta2) * gradient(i) * gradient(i);
        };
        const auto largest = [&](int64_t i) {
            return amsgrad ? std::fmax(before.maximum[k].at(i), square(i)) : square(i);
        };
        c.expect("first", t.first[k], 8,
                 [&](int64_t i) { return Want(mean(i), 1 + std::fabs(before.first[k].at(i))); });
        c.expect("second", t.second[k], 8, [&](int64_t i) { return Want(square(i), 1); });
        if (amsgrad) c.expect("maximum", t.maximum[k], 8, [&](int64_t i) { return Want(largest(i), 1); });
        c.expect("parameter", t.parameter[k], 8, [&](int64_t i) {
            double p = before.parameter[k].at(i);
            if (args.decoupled) p -= args.learning_rate * args.weight_decay * p;
            const double m = mean(i) / (1 - std::pow(args.beta1, step)),
                         v = largest(i) / (1 - std::pow(args.beta2, step));
            const double denominator = std::sqrt(v) + args.epsilon;
            // What is lost in m and in sqrt(v), whose derivative is large where v is small.
            const double size =
                std::fabs(p) + args.learning_rate * (10 + std::fabs(m) / (v + args.epsilon)) / denominator;
            return Want(p - args.learning_rate * m / denominator, size);
        });
    }
}

// A step that watches: values that are not finite count as zero and are reported; nothing else changes.
template <class T, class Args, class Kernel>
void check_watching(Checks& c, const char* name, Kernel& kernel, Args args,
                    const std::vector<int64_t>& sizes) {
    c.at(name, " that watches, ", int64_t(sizes.size()), " tensors");
    Tensors<T> t(c, sizes, true, true, false, false);
    const Tensors<T> before = t;
    args.count = t.count();
    args.tensors = t.list.data();
    const auto restore = [&] {
        for (size_t k = 0; k < sizes.size(); ++k)
            for (int64_t i = 0; i < sizes[k]; ++i) {
                t.parameter[k][i] = before.parameter[k][i];
                t.first[k][i] = before.first[k][i];
                t.second[k][i] = before.second[k][i];
            }
    };
    const auto spoil = [&](T value) {
        for (size_t k = 0; k < sizes.size(); ++k)
            if (sizes[k]) t.gradient[k][sizes[k] / 2] = t.gradient[k][sizes[k] - 1] = value;
    };
    bool any = false, found = false;
    for (int64_t n : sizes) any |= n > 0;
    args.nonfinite = &found;
    c.call(kernel, args); // of finite gradients
    c.expect_true("finite gradients are not reported", !found);
    for (const T bad : {T(NAN), T(INFINITY), T(-INFINITY)}) {
        restore();
        spoil(0);
        args.nonfinite = nullptr;
        c.call(kernel, args);
        const Tensors<T> expected = t;
        restore();
        spoil(bad);
        found = false;
        args.nonfinite = &found;
        c.call(kernel, args);
        c.expect_true("reported", found == any);
        for (size_t k = 0; k < sizes.size(); ++k) {
            c.expect_exactly("parameter", t.parameter[k],
                             [&](int64_t i) { return expected.parameter[k][i]; });
            c.expect_exactly("first", t.first[k], [&](int64_t i) { return expected.first[k][i]; });
        }
    }
}

template <class T> void check_norms(Checks& c, const std::vector<int64_t>& sizes) {
    Tensors<T> t(c, sizes, false, false, false, false);
    int64_t total = 0;
    for (int64_t n : sizes) total += n;
    for (const auto& [kind, name] : enumerators<GradNorm>())
        for (bool nan : {false, true}) {
            if (nan && (total == 0 || kind != GradNorm::infinity)) continue;
            if (nan) t.gradient.back()[sizes.back() / 2] = T(NAN);
            c.at("norm ", name, nan ? " with a NaN, " : ", ", int64_t(sizes.size()), " tensors");
            Array<double> scratch(c.call(c.table.optim.norm_scratch, t.count(), t.list.data()));
            Array<double> result(1);
            result[0] =
                c.call(c.table.optim.norm[sizeof(T) == 8], kind, t.count(), t.list.data(), scratch.data());
            c.expect("result", result, 1000, [&, kind = kind](int64_t) -> Want {
                double sum = 0, largest = 0;
                for (const Array<T>& g : t.gradient)
                    for (int64_t i = 0; i < g.size(); ++i) {
                        sum += kind == GradNorm::two ? g.at(i) * g.at(i) : std::fabs(g.at(i));
                        largest = std::fmax(largest, std::fabs(g.at(i)));
                    }
                return nan ? NAN : kind == GradNorm::infinity ? largest : sum;
            });
        }
}

template <class T> void check_scale(Checks& c, const std::vector<int64_t>& sizes) {
    c.at("scale, ", int64_t(sizes.size()), " tensors");
    Tensors<T> t(c, sizes, false, false, false, false);
    const Tensors<T> before = t;
    c.call(c.table.optim.scale[sizeof(T) == 8], t.count(), t.list.data(), 0.3);
    for (size_t k = 0; k < sizes.size(); ++k)
        c.expect("gradient", t.gradient[k], 2,
                 [&](int64_t i) { return Want(0.3 * before.gradient[k].at(i)); });
}

template <class T> void check_finite(Checks& c, const std::vector<int64_t>& sizes) {
    for (int64_t n : sizes) {
        Array<T> values = c.uniform_array<T>(n);
        const auto found = [&] { return c.call(c.table.optim.finite[sizeof(T) == 8], n, values.data()); };
        if (n) values[n - 1] = std::numeric_limits<T>::max();
        c.at("finite, ", n, " values");
        c.expect_true("of finite ones", found());
        for (const T bad : {T(NAN), T(INFINITY), T(-INFINITY)})
            for (int64_t at = 0; at < n; at += n > 100 ? 997 : 1) {
                const T before = values[at];
                values[at] = bad;
                c.expect_true("one bad value is found", !found());
                values[at] = before;
            }
    }
}

} // namespace

void check_optim(Checks& c) {
    for (const std::vector<int64_t>& sizes : kLists)
        for_floats([&]<class T>(T) {
            const int step = !sizes.empty() && sizes[0] > 1000 ? 5 : 1; // some variants of the large ones
            for (int variant = 0; variant < 32; variant += step) check_sgd<T>(c, sizes, variant);
            for (int variant = 0; variant < 16; variant += step) check_adam<T>(c, sizes, variant);
            SgdArgs sgd;
            sgd.momentum = 0.9;
            check_watching<T>(c, "sgd", c.table.optim.sgd[sizeof(T) == 8], sgd, sizes);
            check_watching<T>(c, "adam", c.table.optim.adam[sizeof(T) == 8], AdamArgs{}, sizes);
            check_norms<T>(c, sizes);
            check_scale<T>(c, sizes);
            check_finite<T>(c, sizes);
        });
}

} // namespace dt::check
