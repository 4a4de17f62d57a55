// Every rule of the steps, gradient norms, scaling, clipping, averages; several tensors at a time.
#include "kernels/optim.h"

#include "check.h"

namespace dt::check {
namespace {

const std::vector<int64_t> kLists[] = {{}, {0}, {1}, {5, 0, 17, 64}, {16384, 3, 16385}, {40001}};

template <class T> struct Tensors {
    std::vector<Array<T>> parameter, gradient, first, second, third;
    std::vector<OptimTensor> list;

    Tensors(Checks& c, const std::vector<int64_t>& sizes, bool with_first, bool with_second, bool with_third,
            bool fresh) {
        for (int64_t n : sizes) {
            parameter.push_back(c.uniform_array<T>(n));
            gradient.push_back(c.uniform_array<T>(n));
            first.push_back(c.uniform_array<T>(n));
            second.push_back(c.uniform_array<T>(n, 0.5, 1));
            third.push_back(c.uniform_array<T>(n, 0.5, 1));
        }
        for (size_t i = 0; i < sizes.size(); ++i) {
            OptimTensor t;
            t.size = sizes[i];
            t.parameter = parameter[i].data();
            t.gradient = gradient[i].data();
            t.first = with_first ? first[i].data() : nullptr;
            t.second = with_second ? second[i].data() : nullptr;
            t.third = with_third ? third[i].data() : nullptr;
            t.fresh = fresh;
            t.step = int64_t(i) + 1;
            list.push_back(t);
        }
    }
    int64_t count() const { return int64_t(list.size()); }
};

// One element of a tensor, of its gradient and of what is kept.
struct Element {
    double p, g, first, second, third;
};

double bias(double beta, double step) { return 1 - std::pow(beta, step); }

void adam_means(const StepArgs& a, Element& e) {
    e.first = a.beta1 * e.first + (1 - a.beta1) * e.g;
    e.second = a.beta2 * e.second + (1 - a.beta2) * e.g * e.g;
}

void radam_step(const StepArgs& a, double step, Element& e) {
    adam_means(a, e);
    const double infinite = 2 / (1 - a.beta2) - 1;
    const double length = infinite - 2 * step * std::pow(a.beta2, step) / bias(a.beta2, step);
    double direction = e.first / bias(a.beta1, step);
    if (length > 5)
        direction *=
            std::sqrt((length - 4) * (length - 2) * infinite / ((infinite - 4) * (infinite - 2) * length)) *
            std::sqrt(bias(a.beta2, step)) / (std::sqrt(e.second) + a.epsilon);
    e.p -= a.learning_rate * direction;
}

void rmsprop_step(const StepArgs& a, const OptimTensor& t, Element& e) {
    e.first = a.beta2 * e.first + (1 - a.beta2) * e.g * e.g;
    double square = e.first;
    if (t.third) {
        e.third = a.beta2 * e.third + (1 - a.beta2) * e.g;
        square -= e.third * e.third;
    }
    double direction = e.g / (std::sqrt(square) + a.epsilon);
    if (t.second) direction = e.second = a.momentum * e.second + direction;
    e.p -= a.learning_rate * direction;
}

void rprop_step(const StepArgs& a, Element& e) {
    const double product = e.g * e.first;
    const double factor = product > 0 ? a.grow : product < 0 ? a.shrink : 1;
    e.second = std::fmin(std::fmax(e.second * factor, a.least_step), a.most_step);
    e.first = product < 0 ? 0 : e.g;
    e.p -= e.first > 0 ? e.second : e.first < 0 ? -e.second : 0;
}

// What a step makes of an element, after the papers and the pseudocode of PyTorch's documentation.
void reference(OptimRule rule, const StepArgs& a, const OptimTensor& t, Element& e) {
    const double lr = a.learning_rate, step = double(t.step);
    e.g *= a.gradient_scale;
    e.g = (a.maximize ? -1 : 1) * std::fmax(-a.largest, std::fmin(a.largest, e.g));
    if (a.decoupled)
        e.p -= lr * a.weight_decay * e.p;
    else
        e.g += a.weight_decay * e.p;
    switch (rule) {
    case OptimRule::sgd:
        if (t.first) {
            e.first = t.fresh ? e.g : a.momentum * e.first + (1 - a.dampening) * e.g;
            e.g = a.nesterov ? e.g + a.momentum * e.first : e.first;
        }
        e.p -= lr * e.g;
        return;
    case OptimRule::adam:
        adam_means(a, e);
        if (t.third) e.third = std::fmax(e.third, e.second);
        e.p -= lr * e.first / bias(a.beta1, step) /
               (std::sqrt((t.third ? e.third : e.second) / bias(a.beta2, step)) + a.epsilon);
        return;
    case OptimRule::adagrad:
        e.first += e.g * e.g;
        e.p -= lr / (1 + (step - 1) * a.decay) * e.g / (std::sqrt(e.first) + a.epsilon);
        return;
    case OptimRule::adadelta: {
        e.first = a.beta2 * e.first + (1 - a.beta2) * e.g * e.g;
        const double change = std::sqrt(e.second + a.epsilon) / std::sqrt(e.first + a.epsilon) * e.g;
        e.second = a.beta2 * e.second + (1 - a.beta2) * change * change;
        e.p -= lr * change;
        return;
    }
    case OptimRule::rmsprop:
        return rmsprop_step(a, t, e);
    case OptimRule::adamax:
        e.first = a.beta1 * e.first + (1 - a.beta1) * e.g;
        e.second = std::fmax(a.beta2 * e.second, std::fabs(e.g) + a.epsilon);
        e.p -= lr / bias(a.beta1, step) * e.first / e.second;
        return;
    case OptimRule::nadam:
        adam_means(a, e);
        e.p -= lr *
               ((1 - a.momentum) / (1 - t.momentum_product) * e.g +
                a.next_momentum / (1 - t.momentum_product * a.next_momentum) * e.first) /
               (std::sqrt(e.second / bias(a.beta2, step)) + a.epsilon);
        return;
    case OptimRule::radam:
        return radam_step(a, step, e);
    case OptimRule::rprop:
        return rprop_step(a, e);
    case OptimRule::lion: {
        const double direction = a.beta1 * e.first + (1 - a.beta1) * e.g;
        e.first = a.beta2 * e.first + (1 - a.beta2) * e.g;
        e.p -= lr * double((direction > 0) - (direction < 0));
        return;
    }
    case OptimRule::count:
        return;
    }
}

bool keeps_square_first(OptimRule rule) {
    return rule == OptimRule::adagrad || rule == OptimRule::adadelta || rule == OptimRule::rmsprop;
}

StepArgs arguments(int variant) {
    StepArgs a;
    a.learning_rate = 0.05;
    a.beta1 = 0.875, a.beta2 = 0.9375;
    a.epsilon = 1e-6;
    a.weight_decay = variant & 1 ? 0.1 : 0;
    a.decoupled = variant & 2;
    a.maximize = variant & 4;
    a.nesterov = variant & 8;
    a.gradient_scale = 0.5;
    a.largest = variant & 4 ? 0.25 : INFINITY;
    a.momentum = 0.9, a.next_momentum = 0.85;
    a.dampening = variant & 2 ? 0.25 : 0;
    a.decay = 0.1;
    a.most_step = 0.9;
    return a;
}

template <class T>
void check_rule(Checks& c, OptimRule rule, const std::string& name, const std::vector<int64_t>& sizes,
                int variant) {
    StepArgs args = arguments(variant);
    const bool optional = variant & 8; // what is kept by some only
    const bool sgd = rule == OptimRule::sgd, rmsprop = rule == OptimRule::rmsprop;
    c.at(name, ", variant ", variant, ", ", int64_t(sizes.size()), " tensors");
    Tensors<T> t(c, sizes, !sgd || optional || (variant & 2),
                 rule != OptimRule::lion && (!rmsprop || optional), optional, variant & 1);
    for (size_t k = 0; k < sizes.size(); ++k)
        for (int64_t i = 0; i < sizes[k]; ++i) {
            if (keeps_square_first(rule)) t.first[k][i] = std::fabs(t.first[k][i]) / 2 + T(0.5);
            if (rmsprop) t.third[k][i] -= T(0.5); // the square of the mean is below the mean of the squares
        }
    for (OptimTensor& one : t.list) one.momentum_product = 0.5;
    const Tensors<T> before = t;
    args.count = t.count();
    args.tensors = t.list.data();
    c.call(c.table.optim.step[int(rule)][sizeof(T) == 8], args);
    for (size_t k = 0; k < sizes.size(); ++k) {
        const auto expect = [&](const char* what, const Array<T>& got, double Element::* field) {
            c.expect(what, got, 12, [&](int64_t i) {
                Element e{before.parameter[k].at(i), before.gradient[k].at(i), before.first[k].at(i),
                          before.second[k].at(i), before.third[k].at(i)};
                // Where the sign of what is nearly 0 decides, both are right.
                const double direction = args.beta1 * e.first + (1 - args.beta1) * e.g / 2;
                reference(rule, args, t.list[k], e);
                const bool open = rule == OptimRule::lion && std::fabs(direction) < 1e-5;
                return Want(e.*field, open ? INFINITY : 2 + std::fabs(e.*field));
            });
        };
        expect("parameter", t.parameter[k], &Element::p);
        if (t.list[k].first) expect("first", t.first[k], &Element::first);
        if (t.list[k].second) expect("second", t.second[k], &Element::second);
        if (t.list[k].third) expect("third", t.third[k], &Element::third);
    }
}

// A step that watches: values that are not finite count as zero and are reported; nothing else changes.
template <class T>
void check_watching(Checks& c, OptimRule rule, const std::string& name, const std::vector<int64_t>& sizes) {
    auto& kernel = c.table.optim.step[int(rule)][sizeof(T) == 8];
    c.at(name, " that watches, ", int64_t(sizes.size()), " tensors");
    Tensors<T> t(c, sizes, true, true, false, false);
    StepArgs args;
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

// What Adafactor makes of one tensor, in double. A vector is a matrix of one row, whose squares are kept.
template <class T> struct Factored {
    int64_t matrices, rows, columns;
    bool vector;
    Array<T> parameter, gradient, row, column; // `column` holds the squares of a vector

    Factored(Checks& c, int64_t matrices_, int64_t rows_, int64_t columns_, bool vector_)
        : matrices(matrices_), rows(rows_), columns(columns_), vector(vector_),
          parameter(c.uniform_array<T>(matrices_ * rows_ * columns_)),
          gradient(c.uniform_array<T>(matrices_ * rows_ * columns_)),
          row(c.uniform_array<T>(vector_ ? 0 : matrices_ * rows_, 0.5, 1)),
          column(c.uniform_array<T>(matrices_ * columns_, 0.5, 1)) {}
    FactoredTensor entry() {
        FactoredTensor t;
        t.matrices = matrices, t.rows = rows, t.columns = columns;
        t.parameter = parameter.data();
        t.gradient = gradient.data();
        if (vector) {
            t.square = column.data();
        } else {
            t.row_mean = row.data();
            t.column_mean = column.data();
        }
        return t;
    }

    std::vector<long double> means_of_rows, means_of_columns; // as sums of many in double are no reference
    std::vector<double> wanted;
    double used(const AdafactorArgs& a, int64_t i) const { // of the gradients
        const double g = gradient.at(i) * a.gradient_scale;
        return std::isfinite(g) ? std::fmax(-a.largest, std::fmin(a.largest, g)) : 0;
    }
    void find_means(const AdafactorArgs& a) {
        for (int64_t i = 0; i < row.size(); ++i) means_of_rows.push_back((1 - a.share) * row.at(i));
        const double left = gradient.size() ? 1 - a.share : 1; // without elements nothing changes
        for (int64_t i = 0; i < column.size(); ++i) means_of_columns.push_back(left * column.at(i));
        for (int64_t i = 0; i < gradient.size(); ++i) {
            const long double square = a.share * used(a, i) * used(a, i);
            if (!vector) means_of_rows[size_t(i / columns)] += square / columns;
            means_of_columns[size_t(i / (rows * columns) * columns + i % columns)] += square / rows;
        }
    }
    void step(const AdafactorArgs& a) {
        find_means(a);
        std::vector<double> updates;
        double parameters = 0, squares = 0;
        const double size = double(gradient.size());
        for (int64_t i = 0; i < gradient.size(); ++i) {
            const int64_t m = i / (rows * columns);
            double square = double(means_of_columns[size_t(m * columns + i % columns)]);
            if (!vector) {
                double mean = 0;
                for (int64_t r = 0; r < rows; ++r) mean += double(means_of_rows[size_t(m * rows + r)] / rows);
                square *= double(means_of_rows[size_t(i / columns)]) / mean;
            }
            updates.push_back(used(a, i) / std::sqrt(square));
            squares += updates.back() * updates.back() / size;
            parameters += parameter.at(i) * parameter.at(i) / size;
        }
        const double rate = a.rate * std::fmax(a.least_size, std::sqrt(parameters)) /
                            std::fmax(1, std::sqrt(squares) / a.threshold);
        for (int64_t i = 0; i < gradient.size(); ++i)
            wanted.push_back(a.weight_left * parameter.at(i) - rate * updates[size_t(i)]);
    }
};

template <class T> void check_adafactor(Checks& c, bool watch) {
    c.at("adafactor", watch ? " that watches" : "");
    std::vector<Factored<T>> all;
    all.emplace_back(c, 1, 1, 17, true);
    all.emplace_back(c, 1, 1, 40001, true);
    all.emplace_back(c, 1, 1, 1, false);
    all.emplace_back(c, 1, 7, 19, false);
    all.emplace_back(c, 5, 3, 33, false);
    all.emplace_back(c, 2, 60, 2501, false);
    all.emplace_back(c, 1, 0, 5, false);
    if (watch)
        for (Factored<T>& one : all)
            if (one.gradient.size()) one.gradient[one.gradient.size() / 2] = T(NAN);
    bool found = false;
    AdafactorArgs args;
    args.weight_left = 0.99;
    args.share = 0.25;
    args.rate = 0.1;
    args.epsilon = 1e-3;
    args.threshold = 0.5;
    args.gradient_scale = -0.5;
    args.largest = 0.4;
    args.nonfinite = watch ? &found : nullptr;
    std::vector<FactoredTensor> entries;
    for (Factored<T>& one : all) {
        one.step(args);
        entries.push_back(one.entry());
    }
    args.count = int64_t(entries.size());
    args.tensors = entries.data();
    c.call(c.table.optim.adafactor[sizeof(T) == 8], args);
    c.expect_true("reported", found == watch);
    for (const Factored<T>& one : all) {
        c.expect("row mean", one.row, 40,
                 [&](int64_t i) { return Want(double(one.means_of_rows[size_t(i)])); });
        c.expect("column mean", one.column, 40,
                 [&](int64_t i) { return Want(double(one.means_of_columns[size_t(i)])); });
        c.expect("parameter", one.parameter, 40, [&](int64_t i) { return Want(one.wanted[size_t(i)], 1); });
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

template <class T> void check_clip(Checks& c, const std::vector<int64_t>& sizes) {
    c.at("clip, ", int64_t(sizes.size()), " tensors");
    Tensors<T> t(c, sizes, false, false, false, false);
    const T special[] = {T(INFINITY), T(-INFINITY), T(NAN), T(-0.25), T(0.25)};
    if (!sizes.empty() && sizes.back() >= 64)
        for (int i = 0; i < 5; ++i) t.gradient.back()[7 * i] = special[i];
    const Tensors<T> before = t;
    c.call(c.table.optim.clip[sizeof(T) == 8], t.count(), t.list.data(), 0.25);
    for (size_t k = 0; k < sizes.size(); ++k)
        c.expect_exactly("gradient", t.gradient[k], [&](int64_t i) {
            const T g = before.gradient[k][i];
            return g > T(0.25) ? T(0.25) : g < T(-0.25) ? T(-0.25) : g;
        });
}

template <class T> void check_average(Checks& c, const std::vector<int64_t>& sizes) {
    for (const double weight : {0.0, 0.001, 0.499, 0.5, 0.9, 1.0}) {
        c.at("average by ", weight, ", ", int64_t(sizes.size()), " tensors");
        Tensors<T> t(c, sizes, true, false, false, false);
        const Tensors<T> before = t;
        c.call(c.table.optim.average[sizeof(T) == 8], t.count(), t.list.data(), weight);
        for (size_t k = 0; k < sizes.size(); ++k) {
            const Array<T>&from = before.parameter[k], &to = before.first[k];
            c.expect("average", t.parameter[k], 3, [&](int64_t i) {
                return Want(from.at(i) + weight * (to.at(i) - from.at(i)),
                            std::fabs(from.at(i)) + std::fabs(to.at(i)));
            });
            if (weight == 0 || weight == 1)
                c.expect_exactly("the end itself", t.parameter[k],
                                 [&](int64_t i) { return weight == 0 ? from[i] : to[i]; });
        }
    }
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
    for_floats([&]<class T>(T) {
        for (bool watch : {false, true}) check_adafactor<T>(c, watch);
    });
    for (const std::vector<int64_t>& sizes : kLists)
        for_floats([&]<class T>(T) {
            const int step = !sizes.empty() && sizes[0] > 1000 ? 5 : 1; // some variants of the large ones
            for (const auto& [rule, name] : enumerators<OptimRule>()) {
                for (int variant = 0; variant < 16; variant += step)
                    check_rule<T>(c, rule, name, sizes, variant);
                check_watching<T>(c, rule, name, sizes);
            }
            check_norms<T>(c, sizes);
            check_scale<T>(c, sizes);
            check_clip<T>(c, sizes);
            check_average<T>(c, sizes);
            check_finite<T>(c, sizes);
        });
}

} // namespace dt::check
