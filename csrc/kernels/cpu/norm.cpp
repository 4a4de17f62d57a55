#include "kernels/norm.h"

#include "kernels/cpu/lanes.h"

#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {
namespace {

// --- Group, instance and batch norm: (samples, spatial, channels) ---

// How the rows of a sample are cut: into blocks, each with a place of its own in the scratch memory, and
// those into pieces that stay in the cache between the pass for the mean and the pass for the deviations from
// it. Few channels do not fill a vector: several rows together then count as one of `period` values.
struct Layout {
    int64_t samples, spatial, channels, groups, group_size, period, blocks, block_rows, piece_rows,
        unit_scratch;

    Layout(int64_t samples, int64_t spatial, int64_t channels, int64_t groups)
        : samples(samples), spatial(spatial), channels(channels), groups(groups),
          group_size(channels / groups) {
        int64_t rows = 1; // of a period
        while (channels * rows < 64 || (channels < 64 && channels * rows % kLanes<float> != 0)) rows *= 2;
        period = channels * rows;
        const int64_t wanted = clamp_scalar(spatial * channels / 32768, 1, 32);
        block_rows = spatial > wanted ? ceil_div(spatial, wanted) : 1;
        blocks = ceil_div(spatial, block_rows);
        piece_rows = round_up(8192 / channels > 32 ? 8192 / channels : 32, rows);
        unit_scratch = 2 * channels + 4 * period;
    }
    static int64_t clamp_scalar(int64_t x, int64_t low, int64_t high) {
        return x < low ? low : x > high ? high : x;
    }

    int64_t units() const { return samples * blocks; }
    int64_t rows_of(int64_t unit) const {
        const int64_t start = unit % blocks * block_rows;
        return spatial - start < block_rows ? spatial - start : block_rows;
    }
    int64_t offset_of(int64_t unit) const {
        return (unit / blocks * spatial + unit % blocks * block_rows) * channels;
    }
    int64_t grain() const { return grain_for(block_rows * channels); }
};

// The scratch memory of a unit: two values per channel in double, and four arrays of a period.
template <class T> struct Unit {
    double *first, *second;
    T* array[4];

    Unit(const Layout& layout, double* scratch, int64_t unit) {
        first = scratch + unit * layout.unit_scratch;
        second = first + layout.channels;
        for (int i = 0; i < 4; ++i)
            array[i] = reinterpret_cast<T*>(second + layout.channels + i * layout.period);
    }
};

int64_t group_scratch(int64_t samples, int64_t spatial, int64_t channels, int64_t groups) {
    const Layout layout(samples, spatial, channels, groups);
    return layout.units() * layout.unit_scratch;
}

// sums[k][j] = sum of value(at, j, part).v[k] over at = j, j + period, ... below n
template <int count, class T> struct Values {
    Vec<T> v[count];
};
template <int count, class T, class F>
DT_INLINE void sum_periods(int64_t n, int64_t period, T* const (&sums)[count], const F& value) {
    for (int k = 0; k < count; ++k)
        for (int64_t j = 0; j < period; ++j) sums[k][j] = 0;
    int64_t at = 0;
    for (; at + 2 * period <= n; at += 2 * period)
        for_vectors<T>(period, [&](int64_t j, auto part) DT_INLINE_LAMBDA {
            const Values<count, T> a = value(at + j, j, part), b = value(at + period + j, j, part);
            for (int k = 0; k < count; ++k)
                store(sums[k] + j, load(sums[k] + j, part) + (a.v[k] + b.v[k]), part);
        });
    for (; at < n; at += period)
        for_vectors<T>(n - at < period ? n - at : period, [&](int64_t j, auto part) DT_INLINE_LAMBDA {
            const Values<count, T> a = value(at + j, j, part);
            for (int k = 0; k < count; ++k) store(sums[k] + j, load(sums[k] + j, part) + a.v[k], part);
        });
}

template <class T> DT_INLINE double fold(const T* sums, const Layout& layout, int64_t channel) {
    double total = 0;
    for (int64_t j = channel; j < layout.period; j += layout.channels) total += double(sums[j]);
    return total;
}

// Repeats values[0 .. channels) through the period.
template <class T> DT_INLINE void repeat(T* values, const Layout& layout) {
    for (int64_t j = layout.channels; j < layout.period; ++j) values[j] = values[j - layout.channels];
}

// body(offset within the unit, offset within the period, part) for all elements of a unit.
template <class T, class F> DT_INLINE void for_elements(const Layout& layout, int64_t unit, const F& body) {
    const int64_t n = layout.rows_of(unit) * layout.channels, period = layout.period;
    for (int64_t at = 0; at < n; at += period)
        for_vectors<T>(n - at < period ? n - at : period,
                       [&](int64_t j, auto part) DT_INLINE_LAMBDA { body(at + j, j, part); });
}

// Mean and sum of squared deviations of the unit's channels, piece by piece (Chan, Golub and LeVeque, 1979).
template <class T>
void measure_unit(const Layout& layout, const T* input, int64_t unit_index, double* scratch) {
    const Unit<T> unit(layout, scratch, unit_index);
    const T* x = input + layout.offset_of(unit_index);
    const int64_t rows = layout.rows_of(unit_index), channels = layout.channels;
    T* const sums[1] = {unit.array[0]};
    T* const squares[1] = {unit.array[1]};
    T* mean = unit.array[2];
    for (int64_t done = 0; done < rows;) {
        const int64_t piece = rows - done < layout.piece_rows ? rows - done : layout.piece_rows;
        const int64_t n = piece * channels;
        sum_periods(n, layout.period, sums, [&](int64_t at, int64_t, auto part) DT_INLINE_LAMBDA {
            return Values<1, T>{{load(x + at, part)}};
        });
        for (int64_t c = 0; c < channels; ++c) mean[c] = T(fold(sums[0], layout, c) / double(piece));
        repeat(mean, layout);
        sum_periods(n, layout.period, squares, [&](int64_t at, int64_t j, auto part) DT_INLINE_LAMBDA {
            const Vec<T> d = load(x + at, part) - load(mean + j, part);
            return Values<1, T>{{d * d}};
        });
        const double share = double(piece) / double(done + piece);
        for (int64_t c = 0; c < channels; ++c) {
            const double piece_mean = fold(sums[0], layout, c) / double(piece);
            const double piece_squares = fold(squares[0], layout, c);
            const double delta = done ? piece_mean - unit.first[c] : 0;
            unit.first[c] = done ? unit.first[c] + delta * share : piece_mean;
            unit.second[c] =
                (done ? unit.second[c] : 0) + piece_squares + delta * delta * double(done) * share;
        }
        done += piece;
        x += n;
    }
}

// From the units' statistics to those of the groups. Leaves mean and unbiased variance in the first unit of
// the sample where every group is one channel, for the running statistics.
template <class T> void combine_statistics(const GroupNormArgs& args, const Layout& layout) {
    const int64_t size = layout.group_size;
    const double count = double(layout.spatial) * double(size);
    T* means = static_cast<T*>(args.mean);
    T* inverse = static_cast<T*>(args.inverse_std);
    parallel(layout.samples * layout.groups, grain_for(8 * layout.blocks * size),
             [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i) {
                     const int64_t first_unit = i / layout.groups * layout.blocks,
                                   channel = i % layout.groups * size;
                     double mean = 0, squares = 0;
                     for (int64_t b = 0; b < layout.blocks; ++b) {
                         const Unit<T> unit(layout, args.scratch, first_unit + b);
                         const double rows = double(layout.rows_of(first_unit + b));
                         for (int64_t c = channel; c < channel + size; ++c) mean += unit.first[c] * rows;
                     }
                     mean /= count;
                     for (int64_t b = 0; b < layout.blocks; ++b) {
                         const Unit<T> unit(layout, args.scratch, first_unit + b);
                         const double rows = double(layout.rows_of(first_unit + b));
                         for (int64_t c = channel; c < channel + size; ++c) {
                             const double delta = unit.first[c] - mean;
                             squares += unit.second[c] + rows * delta * delta;
                         }
                     }
                     means[i] = T(mean);
                     inverse[i] = T(1 / __builtin_sqrt(squares / count + args.epsilon));
                     if (size == 1) {
                         const Unit<T> unit(layout, args.scratch, first_unit);
                         unit.first[channel] = mean;
                         unit.second[channel] = squares / (count - 1);
                     }
                 }
             });
}

template <class T> void update_running(const GroupNormArgs& args, const Layout& layout) {
    T* running_mean = static_cast<T*>(args.running_mean);
    T* running_variance = static_cast<T*>(args.running_variance);
    for (int64_t c = 0; c < layout.channels; ++c) {
        double mean = 0, variance = 0;
        for (int64_t n = 0; n < layout.samples; ++n) {
            const Unit<T> unit(layout, args.scratch, n * layout.blocks);
            mean += unit.first[c];
            variance += unit.second[c];
        }
        const double share = args.momentum / double(layout.samples), keep = 1 - args.momentum;
        if (running_mean) running_mean[c] = T(keep * double(running_mean[c]) + share * mean);
        if (running_variance) running_variance[c] = T(keep * double(running_variance[c]) + share * variance);
    }
}

template <class T> void group_apply(const GroupNormArgs& args) {
    const Layout layout(args.samples, args.spatial, args.channels, args.groups);
    const T* means = static_cast<const T*>(args.mean);
    const T* inverse = static_cast<const T*>(args.inverse_std);
    const T* weight = static_cast<const T*>(args.weight);
    const T* biases = static_cast<const T*>(args.bias);
    parallel(layout.units(), layout.grain(), [&](int64_t begin, int64_t end) {
        for (int64_t u = begin; u < end; ++u) {
            const Unit<T> unit(layout, args.scratch, u);
            T *mean = unit.array[0], *scale = unit.array[1], *bias = unit.array[2];
            const int64_t first_group = u / layout.blocks * layout.groups;
            for (int64_t c = 0; c < layout.channels; ++c) {
                const int64_t group = first_group + c / layout.group_size;
                mean[c] = means[group];
                scale[c] = weight ? inverse[group] * weight[c] : inverse[group];
                bias[c] = biases ? biases[c] : T(0);
            }
            for (int i = 0; i < 3; ++i) repeat(unit.array[i], layout);
            const T* x = static_cast<const T*>(args.input) + layout.offset_of(u);
            T* y = static_cast<T*>(args.output) + layout.offset_of(u);
            for_elements<T>(layout, u, [&](int64_t at, int64_t j, auto part) DT_INLINE_LAMBDA {
                Vec<T> v = (load(x + at, part) - load(mean + j, part)) * load(scale + j, part) +
                           load(bias + j, part);
                if (args.relu) v = max(v, Vec<T>{});
                store(y + at, v, part);
            });
        }
    });
}

template <class T> void group_forward(const GroupNormArgs& args) {
    const Layout layout(args.samples, args.spatial, args.channels, args.groups);
    parallel(layout.units(), layout.grain(), [&](int64_t begin, int64_t end) {
        for (int64_t u = begin; u < end; ++u)
            measure_unit(layout, static_cast<const T*>(args.input), u, args.scratch);
    });
    combine_statistics<T>(args, layout);
    if (args.running_mean || args.running_variance) update_running<T>(args, layout);
    group_apply<T>(args);
}

template <class T> void inverse_std(int64_t n, const void* variance, double epsilon, void* output) {
    for (int64_t i = 0; i < n; ++i)
        static_cast<T*>(output)[i] =
            T(1 / __builtin_sqrt(double(static_cast<const T*>(variance)[i]) + epsilon));
}

// The gradient that reaches the normalised values: nothing passes where the fused ReLU cut off.
template <class T> DT_INLINE Vec<T> masked_grad(const T* grad, const T* relu_output, int64_t at, auto part) {
    const Vec<T> g = load(grad + at, part);
    return relu_output ? select(load(relu_output + at, part) > T(0), g, Vec<T>{}) : g;
}

// Sums of the unit's gradient, and of gradient times (input - mean), per channel.
template <class T>
void sum_unit_grads(const GroupNormGradArgs& args, const Layout& layout, int64_t unit_index) {
    const Unit<T> unit(layout, args.scratch, unit_index);
    const int64_t rows = layout.rows_of(unit_index), channels = layout.channels;
    const int64_t first_group = unit_index / layout.blocks * layout.groups;
    T* const sums[2] = {unit.array[0], unit.array[1]};
    T* mean = unit.array[2];
    for (int64_t c = 0; c < channels; ++c) {
        mean[c] = static_cast<const T*>(args.mean)[first_group + c / layout.group_size];
        unit.first[c] = unit.second[c] = 0;
    }
    repeat(mean, layout);
    for (int64_t done = 0; done < rows; done += layout.piece_rows) {
        const int64_t piece = rows - done < layout.piece_rows ? rows - done : layout.piece_rows;
        const int64_t offset = layout.offset_of(unit_index) + done * channels;
        const T* x = static_cast<const T*>(args.input) + offset;
        const T* grad = static_cast<const T*>(args.output_grad) + offset;
        const T* relu = args.relu_output ? static_cast<const T*>(args.relu_output) + offset : nullptr;
        sum_periods(piece * channels, layout.period, sums,
                    [&](int64_t at, int64_t j, auto part) DT_INLINE_LAMBDA {
                        const Vec<T> g = masked_grad(grad, relu, at, part);
                        return Values<2, T>{{g, g * (load(x + at, part) - load(mean + j, part))}};
                    });
        for (int64_t c = 0; c < channels; ++c) {
            unit.first[c] += fold(sums[0], layout, c);
            unit.second[c] += fold(sums[1], layout, c);
        }
    }
}

// Leaves in the first unit of each sample the sums over all its units, the second one of gradient times
// normalised value.
template <class T> void combine_grads(const GroupNormGradArgs& args, const Layout& layout) {
    const T* inverse = static_cast<const T*>(args.inverse_std);
    parallel(layout.samples * layout.channels, grain_for(4 * layout.blocks), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const int64_t sample = i / layout.channels, c = i % layout.channels;
            double first = 0, second = 0;
            for (int64_t b = 0; b < layout.blocks; ++b) {
                const Unit<T> unit(layout, args.scratch, sample * layout.blocks + b);
                first += unit.first[c];
                second += unit.second[c];
            }
            const Unit<T> unit(layout, args.scratch, sample * layout.blocks);
            unit.first[c] = first;
            unit.second[c] = second * double(inverse[sample * layout.groups + c / layout.group_size]);
        }
    });
    T* weight_grad = static_cast<T*>(args.weight_grad);
    T* bias_grad = static_cast<T*>(args.bias_grad);
    if (!weight_grad && !bias_grad) return;
    parallel(layout.channels, grain_for(4 * layout.samples), [&](int64_t begin, int64_t end) {
        for (int64_t c = begin; c < end; ++c) {
            double first = 0, second = 0;
            for (int64_t n = 0; n < layout.samples; ++n) {
                const Unit<T> unit(layout, args.scratch, n * layout.blocks);
                first += unit.first[c];
                second += unit.second[c];
            }
            if (weight_grad) weight_grad[c] = T(second);
            if (bias_grad) bias_grad[c] = T(first);
        }
    });
}

// input_grad = scale * grad - (shift + (input - mean) * slope), the four per channel.
template <class T>
void write_unit_grad(const GroupNormGradArgs& args, const Layout& layout, int64_t unit_index) {
    const Unit<T> unit(layout, args.scratch, unit_index);
    const T* weight = static_cast<const T*>(args.weight);
    T *mean = unit.array[0], *scale = unit.array[1], *shift = unit.array[2], *slope = unit.array[3];
    const int64_t sample = unit_index / layout.blocks, size = layout.group_size;
    const Unit<T> sums(layout, args.scratch, sample * layout.blocks);
    const double count = double(layout.spatial) * double(size);
    for (int64_t g = 0; g < layout.groups; ++g) {
        const double inverse = double(static_cast<const T*>(args.inverse_std)[sample * layout.groups + g]);
        double first = 0, second = 0;
        for (int64_t c = g * size; c < (g + 1) * size && !args.fixed_statistics; ++c) {
            const double w = weight ? double(weight[c]) : 1;
            first += w * sums.first[c];
            second += w * sums.second[c];
        }
        for (int64_t c = g * size; c < (g + 1) * size; ++c) {
            mean[c] = static_cast<const T*>(args.mean)[sample * layout.groups + g];
            scale[c] = T(inverse * (weight ? double(weight[c]) : 1));
            shift[c] = T(inverse * first / count);
            slope[c] = T(inverse * inverse * second / count);
        }
    }
    for (int i = 0; i < 4; ++i) repeat(unit.array[i], layout);
    const int64_t offset = layout.offset_of(unit_index);
    const T* x = static_cast<const T*>(args.input) + offset;
    const T* grad = static_cast<const T*>(args.output_grad) + offset;
    const T* relu = args.relu_output ? static_cast<const T*>(args.relu_output) + offset : nullptr;
    T* dx = static_cast<T*>(args.input_grad) + offset;
    const bool fixed = args.fixed_statistics;
    for_elements<T>(layout, unit_index, [&](int64_t at, int64_t j, auto part) DT_INLINE_LAMBDA {
        Vec<T> v = masked_grad(grad, relu, at, part) * load(scale + j, part);
        if (!fixed)
            v -= (load(x + at, part) - load(mean + j, part)) * load(slope + j, part) + load(shift + j, part);
        store(dx + at, v, part);
    });
}

template <class T> void group_backward(const GroupNormGradArgs& args) {
    const Layout layout(args.samples, args.spatial, args.channels, args.groups);
    if (!args.fixed_statistics || args.weight_grad || args.bias_grad) {
        parallel(layout.units(), layout.grain(), [&](int64_t begin, int64_t end) {
            for (int64_t u = begin; u < end; ++u) sum_unit_grads<T>(args, layout, u);
        });
        combine_grads<T>(args, layout);
    }
    if (args.input_grad)
        parallel(layout.units(), layout.grain(), [&](int64_t begin, int64_t end) {
            for (int64_t u = begin; u < end; ++u) write_unit_grad<T>(args, layout, u);
        });
}

// --- Layer norm: each row by itself ---

template <class T> void layer_forward(const LayerNormArgs& args) {
    const int64_t n = args.size;
    const T* weight = static_cast<const T*>(args.weight);
    const T* bias = static_cast<const T*>(args.bias);
    parallel(args.rows, grain_for(2 * n), [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
            const T* x = static_cast<const T*>(args.input) + r * n;
            T* y = static_cast<T*>(args.output) + r * n;
            const T mean =
                sum_vectors<T>(n, [&](int64_t i, auto part) DT_INLINE_LAMBDA { return load(x + i, part); }) /
                T(n);
            const T squares = sum_vectors<T>(n, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
                const Vec<T> d = fill_rest(load(x + i, part) - mean, T(0), part);
                return d * d;
            });
            const T inverse = T(1 / __builtin_sqrt(double(squares) / double(n) + args.epsilon));
            for_vectors<T>(n, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
                Vec<T> v = (load(x + i, part) - mean) * inverse;
                if (weight) v *= load(weight + i, part);
                if (bias) v += load(bias + i, part);
                store(y + i, v, part);
            });
            static_cast<T*>(args.mean)[r] = mean;
            static_cast<T*>(args.inverse_std)[r] = inverse;
        }
    });
}

// Rows that share partial sums of the gradients of weight and bias.
int64_t layer_block(int64_t rows, int64_t size) {
    const int64_t wanted = Layout::clamp_scalar(rows * size / 32768, 1, 32);
    return ceil_div(rows, wanted);
}

int64_t layer_scratch(int64_t rows, int64_t size) {
    return rows > 0 ? ceil_div(rows, layer_block(rows, size)) * 2 * size : 0;
}

template <class T>
void layer_backward_row(const LayerNormGradArgs& args, int64_t r, T* weight_sums, T* bias_sums) {
    const int64_t n = args.size;
    const T* x = static_cast<const T*>(args.input) + r * n;
    const T* grad = static_cast<const T*>(args.output_grad) + r * n;
    const T* weight = static_cast<const T*>(args.weight);
    const T mean = static_cast<const T*>(args.mean)[r], inverse = static_cast<const T*>(args.inverse_std)[r];
    if (weight_sums)
        for_vectors<T>(n, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
            const Vec<T> g = load(grad + i, part), normal = (load(x + i, part) - mean) * inverse;
            store(weight_sums + i, load(weight_sums + i, part) + g * normal, part);
            store(bias_sums + i, load(bias_sums + i, part) + g, part);
        });
    if (!args.input_grad) return;
    auto weighted = [&](int64_t i, auto part) DT_INLINE_LAMBDA {
        const Vec<T> g = load(grad + i, part);
        return weight ? g * load(weight + i, part) : g;
    };
    const T first = sum_vectors<T>(n, weighted) / T(n);
    const T second =
        sum_vectors<T>(n, [&](int64_t i, auto part)
                              DT_INLINE_LAMBDA { return weighted(i, part) * (load(x + i, part) - mean); }) *
        inverse * inverse / T(n);
    T* dx = static_cast<T*>(args.input_grad) + r * n;
    for_vectors<T>(n, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
        const Vec<T> v = weighted(i, part) - first - (load(x + i, part) - mean) * second;
        store(dx + i, v * inverse, part);
    });
}

template <class T> void layer_backward(const LayerNormGradArgs& args) {
    const int64_t n = args.size, block = layer_block(args.rows, n);
    const bool sums = args.weight_grad || args.bias_grad;
    parallel(args.rows, block, [&](int64_t begin, int64_t end) {
        T* weight_sums = sums ? reinterpret_cast<T*>(args.scratch + begin / block * 2 * n) : nullptr;
        T* bias_sums = sums ? weight_sums + n : nullptr;
        for (int64_t i = 0; sums && i < 2 * n; ++i) weight_sums[i] = 0;
        for (int64_t r = begin; r < end; ++r) layer_backward_row(args, r, weight_sums, bias_sums);
    });
    if (!sums) return;
    const int64_t blocks = ceil_div(args.rows, block);
    parallel(n, grain_for(4 * blocks), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            double weight_total = 0, bias_total = 0;
            for (int64_t b = 0; b < blocks; ++b) {
                const T* weight_sums = reinterpret_cast<const T*>(args.scratch + b * 2 * n);
                weight_total += double(weight_sums[i]);
                bias_total += double(weight_sums[n + i]);
            }
            if (args.weight_grad) static_cast<T*>(args.weight_grad)[i] = T(weight_total);
            if (args.bias_grad) static_cast<T*>(args.bias_grad)[i] = T(bias_total);
        }
    });
}

} // namespace

Norm norm() {
    return {group_scratch,
            {group_forward<float>, group_forward<double>},
            {group_apply<float>, group_apply<double>},
            {inverse_std<float>, inverse_std<double>},
            {group_backward<float>, group_backward<double>},
            layer_scratch,
            {layer_forward<float>, layer_forward<double>},
            {layer_backward<float>, layer_backward<double>}};
}

} // namespace dt::cpu::DT_LEVEL
