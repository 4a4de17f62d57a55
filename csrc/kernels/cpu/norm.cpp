#include "kernels/norm.h"

#include "kernels/cpu/half.h"
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/norm_parts.h"
#include "kernels/cpu/sign_bits.h"

#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {
namespace {

// Group, instance and batch norm: (samples, spatial, channels). Layer norm has a source of its own.

// How the rows of a sample are cut: into blocks, each with a place of its own in the scratch memory, and
// those into pieces short enough that sums in T lose nothing. Few channels do not fill a vector: several rows
// together then count as one of `period` values.
struct Layout {
    static constexpr int arrays = 4;
    // Least length of a period: sums lie in memory, and an add soon after must wait for the store before.
    static constexpr int64_t kPeriod = 256;
    static constexpr int64_t kPiece = 16384, kPieceRows = 32; // elements and rows of a piece, at least
    int64_t samples, spatial, channels, groups, group_size, period, blocks, block_rows, piece_rows,
        unit_scratch;

    Layout(int64_t samples, int64_t spatial, int64_t channels, int64_t groups)
        : samples(samples), spatial(spatial), channels(channels), groups(groups),
          group_size(channels / groups) {
        int64_t rows = 1; // of a period
        while (channels * rows < kPeriod || (channels < kPeriod && channels * rows % kLanes<float> != 0))
            rows *= 2;
        period = channels * rows;
        const int64_t wanted = sum_blocks(spatial * channels);
        block_rows = spatial > wanted ? ceil_div(spatial, wanted) : 1;
        blocks = ceil_div(spatial, block_rows);
        piece_rows = round_up(kPiece / channels > kPieceRows ? kPiece / channels : kPieceRows, rows);
        unit_scratch = 2 * channels + arrays * period;
    }
    // From a third of kStreamBytes on: input and gradient are read twice, and the result would push them out.
    template <class T> bool streams(const T* to) const {
        return can_stream(to, 3 * samples * spatial * channels, channels);
    }
    int64_t relu_bytes() const { return round_up(sign_bytes(block_rows * channels), 64); } // of a unit
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

// The scratch memory of a unit: two values per channel in double, and arrays of a period.
template <class T> struct Unit {
    double *first, *second;
    T* array[Layout::arrays];

    Unit(const Layout& layout, double* scratch, int64_t unit) {
        first = scratch + unit * layout.unit_scratch;
        second = first + layout.channels;
        for (int i = 0; i < Layout::arrays; ++i)
            array[i] = reinterpret_cast<T*>(second + layout.channels + i * layout.period);
    }
};

int64_t group_scratch(int64_t samples, int64_t spatial, int64_t channels, int64_t groups) {
    const Layout layout(samples, spatial, channels, groups);
    return layout.units() * layout.unit_scratch;
}

int64_t relu_bytes(int64_t samples, int64_t spatial, int64_t channels, int64_t groups) {
    const Layout layout(samples, spatial, channels, groups);
    return layout.units() * layout.relu_bytes();
}

// sums[k][c] = sum of value(at, j, part).v[k] over the elements `at` of channel c below n; j is the place of
// `at` in its period.
template <int count, class T> struct Values {
    Vec<T> v[count];
};
template <int count, class T, class F>
DT_INLINE void sum_channels(const Layout& layout, int64_t n, T* const (&sums)[count], const F& value) {
    const int64_t period = layout.period, channels = layout.channels;
    for (int k = 0; k < count; ++k)
        for (int64_t j = 0; j < period; ++j) sums[k][j] = 0;
    int64_t at = 0;
    for (; at + 4 * period <= n; at += 4 * period)
        for_vectors<T>(period, [&](int64_t j, auto part) DT_INLINE_LAMBDA {
            const Values<count, T> a = value(at + j, j, part), b = value(at + period + j, j, part),
                                   c = value(at + 2 * period + j, j, part),
                                   d = value(at + 3 * period + j, j, part);
            for (int k = 0; k < count; ++k)
                store(sums[k] + j, load(sums[k] + j, part) + ((a.v[k] + b.v[k]) + (c.v[k] + d.v[k])), part);
        });
    for (; at < n; at += period)
        for_vectors<T>(n - at < period ? n - at : period, [&](int64_t j, auto part) DT_INLINE_LAMBDA {
            const Values<count, T> a = value(at + j, j, part);
            for (int k = 0; k < count; ++k) store(sums[k] + j, load(sums[k] + j, part) + a.v[k], part);
        });
    // A period holds a power of two of rows: fold them to one.
    for (int64_t half = period / 2; half >= channels; half /= 2)
        for (int k = 0; k < count; ++k)
            for_vectors<T>(half, [&](int64_t j, auto part) DT_INLINE_LAMBDA {
                store(sums[k] + j, load(sums[k] + j, part) + load(sums[k] + half + j, part), part);
            });
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

// Mean and sum of squared deviations of the unit's channels, in one pass: sums of the deviations from the
// mean of the first piece, and of their squares, which that mean keeps small (Chan, Golub and LeVeque, 1983).
template <class S>
void measure_unit(const Layout& layout, const S* input, int64_t unit_index, double* scratch) {
    using T = Arithmetic<S>;
    const Unit<T> unit(layout, scratch, unit_index);
    const S* x = input + layout.offset_of(unit_index);
    const int64_t rows = layout.rows_of(unit_index), channels = layout.channels;
    T* const sums[2] = {unit.array[0], unit.array[1]};
    T* shift = unit.array[2];
    const int64_t first = rows < layout.piece_rows ? rows : layout.piece_rows;
    T* const start[1] = {shift};
    sum_channels(layout, first * channels, start, [&](int64_t at, int64_t, auto part) DT_INLINE_LAMBDA {
        return Values<1, T>{{load(x + at, part)}};
    });
    for (int64_t c = 0; c < channels; ++c) {
        shift[c] /= T(first);
        unit.first[c] = unit.second[c] = 0;
    }
    repeat(shift, layout);
    for (int64_t done = 0; done < rows; done += layout.piece_rows) {
        const int64_t piece = rows - done < layout.piece_rows ? rows - done : layout.piece_rows;
        sum_channels(layout, piece * channels, sums, [&](int64_t at, int64_t j, auto part) DT_INLINE_LAMBDA {
            const Vec<T> d = load(x + at, part) - load(shift + j, part);
            return Values<2, T>{{d, d * d}};
        });
        for (int64_t c = 0; c < channels; ++c) {
            unit.first[c] += double(sums[0][c]);
            unit.second[c] += double(sums[1][c]);
        }
        x += piece * channels;
    }
    for (int64_t c = 0; c < channels; ++c) {
        const double offset = unit.first[c] / double(rows);
        const double squares = unit.second[c] - unit.first[c] * offset;
        unit.first[c] = double(shift[c]) + offset;
        unit.second[c] = squares < 0 ? 0 : squares; // NaN stays
    }
}

// From the units' statistics to those of the groups. Leaves mean and unbiased variance in the first unit of
// the sample where every group is one channel, for the running statistics.
template <class T>
void combine_statistics(const GroupNormArgs& args, const Layout& layout, int64_t first_sample,
                        int64_t samples) {
    const int64_t size = layout.group_size;
    const double count = double(layout.spatial) * double(size);
    T* means = static_cast<T*>(args.mean);
    T* inverse = static_cast<T*>(args.inverse_std);
    const int64_t first = first_sample * layout.groups;
    parallel(samples * layout.groups, grain_for(8 * layout.blocks * size), [&](int64_t begin, int64_t end) {
        for (int64_t i = first + begin; i < first + end; ++i) {
            const int64_t first_unit = i / layout.groups * layout.blocks, channel = i % layout.groups * size;
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

// Fills the means and scales of a unit: the normalised values are (x - mean) * scale + bias.
template <class T, class Args>
void fill_scales(const Args& args, const Layout& layout, int64_t unit, T* mean, T* scale) {
    const T* means = static_cast<const T*>(args.mean);
    const T* inverse = static_cast<const T*>(args.inverse_std);
    const T* weight = static_cast<const T*>(args.weight);
    const int64_t first_group = unit / layout.blocks * layout.groups, size = layout.group_size;
    for (int64_t g = 0; g < layout.groups; ++g)
        for (int64_t c = g * size; c < (g + 1) * size; ++c) {
            mean[c] = means[first_group + g];
            scale[c] = weight ? inverse[first_group + g] * weight[c] : inverse[first_group + g];
        }
    repeat(mean, layout);
    repeat(scale, layout);
}

template <class S, bool relu, bool add>
void apply_unit(const GroupNormArgs& args, const Layout& layout, int64_t u) {
    using T = Arithmetic<S>;
    const Unit<T> unit(layout, args.scratch, u);
    T *mean = unit.array[0], *scale = unit.array[1], *bias = unit.array[2];
    fill_scales(args, layout, u, mean, scale);
    for (int64_t c = 0; c < layout.channels; ++c)
        bias[c] = args.bias ? static_cast<const T*>(args.bias)[c] : T(0);
    repeat(bias, layout);
    const S* x = static_cast<const S*>(args.input) + layout.offset_of(u);
    const S* residual = add ? static_cast<const S*>(args.residual) + layout.offset_of(u) : nullptr;
    S* y = static_cast<S*>(args.output) + layout.offset_of(u);
    uint8_t* bits =
        args.relu_bits ? static_cast<uint8_t*>(args.relu_bits) + u * layout.relu_bytes() : nullptr;
    const bool streaming = layout.streams(y);
    for_elements<T>(layout, u, [&](int64_t at, int64_t j, auto part) DT_INLINE_LAMBDA {
        Vec<T> v = (load(x + at, part) - load(mean + j, part)) * load(scale + j, part) + load(bias + j, part);
        if constexpr (add) v += load(residual + at, part);
        if constexpr (relu) {
            v = max(v, Vec<T>{});
            if (bits) put_bits<T>(bits, at, bits_above_zero<T>(v));
        }
        streaming ? stream(y + at, v, part) : store(y + at, v, part);
    });
    if (streaming) finish_streaming();
}

template <class F>
DT_INLINE void for_units(const Layout& layout, int64_t first_sample, int64_t samples, const F& body) {
    const int64_t first = first_sample * layout.blocks;
    parallel(samples * layout.blocks, layout.grain(), [&](int64_t begin, int64_t end) {
        for (int64_t u = begin; u < end; ++u) body(first + u);
    });
}
// The last units are what the pass before left in the cache.
template <class F>
DT_INLINE void for_units_backwards(const Layout& layout, int64_t first_sample, int64_t samples,
                                   const F& body) {
    const int64_t last = (first_sample + samples) * layout.blocks - 1;
    parallel(samples * layout.blocks, layout.grain(), [&](int64_t begin, int64_t end) {
        for (int64_t u = begin; u < end; ++u) body(last - u);
    });
}

// Calls body(first sample, samples) once for all, or for each sample by itself where `arrays` arrays of it
// stay in the second-level cache from one pass to the next and there are samples enough for many threads.
template <class S, class F> DT_INLINE void for_samples(const Layout& layout, int arrays, const F& body) {
    const int64_t bytes = layout.spatial * layout.channels * int64_t(sizeof(S)) * arrays;
    if (layout.samples < 16 || bytes > (1 << 20)) return body(int64_t{0}, layout.samples);
    parallel(layout.samples, grain_for(layout.spatial * layout.channels), [&](int64_t begin, int64_t end) {
        for (int64_t n = begin; n < end; ++n) body(n, int64_t{1});
    });
}

template <class S>
void apply_samples(const GroupNormArgs& args, const Layout& layout, int64_t first_sample, int64_t samples) {
    for_units_backwards(layout, first_sample, samples, [&](int64_t u) {
        if (args.residual)
            args.relu ? apply_unit<S, true, true>(args, layout, u)
                      : apply_unit<S, false, true>(args, layout, u);
        else
            args.relu ? apply_unit<S, true, false>(args, layout, u)
                      : apply_unit<S, false, false>(args, layout, u);
    });
}

template <class S> void group_apply(const GroupNormArgs& args) {
    const Layout layout(args.samples, args.spatial, args.channels, args.groups);
    apply_samples<S>(args, layout, 0, layout.samples);
}

template <class S> void group_forward(const GroupNormArgs& args) {
    using T = Arithmetic<S>;
    const Layout layout(args.samples, args.spatial, args.channels, args.groups);
    for_samples<S>(layout, 1, [&](int64_t first, int64_t samples) {
        for_units(layout, first, samples, [&](int64_t u) {
            measure_unit(layout, static_cast<const S*>(args.input), u, args.scratch);
        });
        combine_statistics<T>(args, layout, first, samples);
        apply_samples<S>(args, layout, first, samples);
    });
    if (args.running_mean || args.running_variance) update_running<T>(args, layout);
}

template <class T> void inverse_std(int64_t n, const void* variance, double epsilon, void* output) {
    for (int64_t i = 0; i < n; ++i)
        static_cast<T*>(output)[i] =
            T(1 / __builtin_sqrt(double(static_cast<const T*>(variance)[i]) + epsilon));
}

// The gradients of a unit's results, behind a fused ReLU only where that let the result pass.
template <class S, bool relu> struct ResultGrad {
    using T = Arithmetic<S>;
    const S* grad;
    const uint8_t* bits;

    ResultGrad(const GroupNormGradArgs& args, const Layout& layout, int64_t unit)
        : grad(static_cast<const S*>(args.output_grad) + layout.offset_of(unit)),
          bits(relu ? static_cast<const uint8_t*>(args.relu_bits) + unit * layout.relu_bytes() : nullptr) {}
    DT_INLINE Vec<T> operator()(int64_t at, auto part) const {
        const Vec<T> g = load(grad + at, part);
        return relu ? keep<T>(get_bits<T>(bits, at), g) : g;
    }
};

// Sums of the unit's gradient, and of gradient times (input - mean), per channel.
template <class S, bool relu>
void sum_unit_grads(const GroupNormGradArgs& args, const Layout& layout, int64_t unit_index) {
    using T = Arithmetic<S>;
    const Unit<T> unit(layout, args.scratch, unit_index);
    const int64_t rows = layout.rows_of(unit_index), channels = layout.channels;
    const S* x = static_cast<const S*>(args.input) + layout.offset_of(unit_index);
    const ResultGrad<S, relu> grad(args, layout, unit_index);
    T *mean = unit.array[0], *scale = unit.array[1];
    T* const sums[2] = {unit.array[2], unit.array[3]};
    fill_scales(args, layout, unit_index, mean, scale);
    for (int64_t c = 0; c < channels; ++c) unit.first[c] = unit.second[c] = 0;
    for (int64_t done = 0; done < rows; done += layout.piece_rows) {
        const int64_t piece = rows - done < layout.piece_rows ? rows - done : layout.piece_rows;
        const int64_t start = done * channels;
        sum_channels(layout, piece * channels, sums, [&](int64_t at, int64_t j, auto part) DT_INLINE_LAMBDA {
            const Vec<T> g = grad(start + at, part);
            return Values<2, T>{{g, g * (load(x + start + at, part) - load(mean + j, part))}};
        });
        for (int64_t c = 0; c < channels; ++c) {
            unit.first[c] += double(sums[0][c]);
            unit.second[c] += double(sums[1][c]);
        }
    }
}

// Leaves in the first unit of each sample the sums over all its units, the second one of gradient times
// normalised value.
template <class T>
void combine_grads(const GroupNormGradArgs& args, const Layout& layout, int64_t first_sample,
                   int64_t samples) {
    const T* inverse = static_cast<const T*>(args.inverse_std) + first_sample * layout.groups;
    const int64_t size = layout.group_size;
    parallel(samples * layout.groups, grain_for(4 * layout.blocks * size), [&](int64_t begin, int64_t end) {
        for (int64_t g = begin; g < end; ++g) {
            const int64_t first_unit = (first_sample + g / layout.groups) * layout.blocks;
            const Unit<T> into(layout, args.scratch, first_unit);
            const int64_t channel = g % layout.groups * size;
            for (int64_t b = 1; b < layout.blocks; ++b) {
                const Unit<T> unit(layout, args.scratch, first_unit + b);
                for (int64_t c = channel; c < channel + size; ++c) {
                    into.first[c] += unit.first[c];
                    into.second[c] += unit.second[c];
                }
            }
            for (int64_t c = channel; c < channel + size; ++c) into.second[c] *= double(inverse[g]);
        }
    });
}

// What combine_grads left, summed over the samples.
template <class T> void write_parameter_grads(const GroupNormGradArgs& args, const Layout& layout) {
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

// residual_grad = grad, and input_grad = scale * grad - (shift + (input - mean) * slope), the four per
// channel.
template <class S, bool relu>
void write_unit_grads(const GroupNormGradArgs& args, const Layout& layout, int64_t unit_index) {
    using T = Arithmetic<S>;
    const Unit<T> unit(layout, args.scratch, unit_index);
    const T* weight = static_cast<const T*>(args.weight);
    T *mean = unit.array[0], *scale = unit.array[1], *shift = unit.array[2], *slope = unit.array[3];
    const int64_t sample = unit_index / layout.blocks, size = layout.group_size;
    const Unit<T> sums(layout, args.scratch, sample * layout.blocks);
    const double count = double(layout.spatial) * double(size);
    fill_scales(args, layout, unit_index, mean, scale);
    for (int64_t g = 0; g < layout.groups; ++g) {
        const double inverse = double(static_cast<const T*>(args.inverse_std)[sample * layout.groups + g]);
        double first = 0, second = 0;
        for (int64_t c = g * size; c < (g + 1) * size && !args.fixed_statistics; ++c) {
            const double w = weight ? double(weight[c]) : 1;
            first += w * sums.first[c];
            second += w * sums.second[c];
        }
        for (int64_t c = g * size; c < (g + 1) * size; ++c) {
            shift[c] = T(inverse * first / count);
            slope[c] = T(inverse * inverse * second / count);
        }
    }
    repeat(shift, layout);
    repeat(slope, layout);
    const int64_t offset = layout.offset_of(unit_index);
    const S* x = static_cast<const S*>(args.input) + offset;
    const ResultGrad<S, relu> grad(args, layout, unit_index);
    S* dx = args.input_grad ? static_cast<S*>(args.input_grad) + offset : nullptr;
    S* residual = args.residual_grad ? static_cast<S*>(args.residual_grad) + offset : nullptr;
    const bool fixed = args.fixed_statistics;
    // Past the caches, unless it takes the place of what was just read.
    const bool dx_streams = dx && dx != grad.grad && layout.streams(dx);
    const bool residual_streams = residual && residual != grad.grad && layout.streams(residual);
    for_elements<T>(layout, unit_index, [&](int64_t at, int64_t j, auto part) DT_INLINE_LAMBDA {
        const Vec<T> g = grad(at, part);
        if (residual) residual_streams ? stream(residual + at, g, part) : store(residual + at, g, part);
        if (!dx) return;
        Vec<T> d = g * load(scale + j, part);
        if (!fixed)
            d -= (load(x + at, part) - load(mean + j, part)) * load(slope + j, part) + load(shift + j, part);
        dx_streams ? stream(dx + at, d, part) : store(dx + at, d, part);
    });
    if (dx_streams || residual_streams) finish_streaming();
}

template <class S> void group_backward(const GroupNormGradArgs& args) {
    using T = Arithmetic<S>;
    const Layout layout(args.samples, args.spatial, args.channels, args.groups);
    const bool sums = !args.fixed_statistics || args.weight_grad || args.bias_grad;
    for_samples<S>(layout, 2, [&](int64_t first, int64_t samples) {
        if (sums) {
            for_units(layout, first, samples, [&](int64_t u) {
                args.relu_bits ? sum_unit_grads<S, true>(args, layout, u)
                               : sum_unit_grads<S, false>(args, layout, u);
            });
            combine_grads<T>(args, layout, first, samples);
        }
        if (args.input_grad || args.residual_grad)
            for_units_backwards(layout, first, samples, [&](int64_t u) {
                args.relu_bits ? write_unit_grads<S, true>(args, layout, u)
                               : write_unit_grads<S, false>(args, layout, u);
            });
    });
    if (sums) write_parameter_grads<T>(args, layout);
}

} // namespace

Norm norm() {
    return {group_scratch,
            relu_bytes,
            DT_PRECISIONS(group_forward),
            DT_PRECISIONS(group_apply),
            {inverse_std<float>, inverse_std<double>},
            DT_PRECISIONS(group_backward),
            layer_norm()};
}

} // namespace dt::cpu::DT_LEVEL
