#include "kernels/optim.h"

#include "kernels/cpu/adafactor.h"
#include "kernels/cpu/optim_parts.h"
#include "kernels/cpu/optim_rules.h"

namespace dt::cpu::DT_LEVEL {
namespace {

template <class T, class Rule> void step(const StepArgs& args) {
    const T scale = T(args.maximize ? -args.gradient_scale : args.gradient_scale), largest = T(args.largest);
    const T coupled = T(args.decoupled ? 0 : args.weight_decay);
    const T left = T(args.decoupled ? 1 - args.learning_rate * args.weight_decay : 1);
    for_all_pieces(args.count, args.tensors, [&](const OptimTensor& t, int64_t begin, int64_t end) {
        T* parameter = static_cast<T*>(t.parameter) + begin;
        const T* gradient = static_cast<const T*>(t.gradient) + begin;
        const Kept<T> kept(t, begin);
        const Rule rule(args, t);
        Reader<T> read{scale, largest, {args.nonfinite}};
        for_vectors<T>(end - begin, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
            const Vec<T> p = load(parameter + i, part) * left;
            Vec<T> g = read(load(gradient + i, part));
            if (coupled != 0) g += p * coupled;
            store(parameter + i, rule.step(p, g, kept, i, part), part);
        });
        read.watch.report();
    });
}

int64_t norm_scratch(int64_t count, const OptimTensor* tensors) {
    return ceil_div(total_size(count, tensors), kBlock);
}

template <class T> DT_INLINE double grad_piece(GradNorm kind, const T* gradient, int64_t n, double so_far) {
    constexpr int64_t w = kLanes<double>;
    Vec<double> a{}, b{};
    double result = so_far;
    int64_t i = 0;
    if (kind == GradNorm::two) {
        for (; i + 2 * w <= n; i += 2 * w) {
            const Vec<double> x = load_double(gradient + i), y = load_double(gradient + i + w);
            a += x * x;
            b += y * y;
        }
        result += sum(a + b);
        for (; i < n; ++i) result += double(gradient[i]) * double(gradient[i]);
    } else if (kind == GradNorm::one) {
        for (; i + 2 * w <= n; i += 2 * w) {
            a += abs(load_double(gradient + i));
            b += abs(load_double(gradient + i + w));
        }
        result += sum(a + b);
        for (; i < n; ++i) result += abs(double(gradient[i]));
    } else {
        for (; i + w <= n; i += w) a = max(a, abs(load_double(gradient + i)));
        result = max(result, horizontal_max(a));
        for (; i < n; ++i) result = max(result, abs(double(gradient[i])));
    }
    return result;
}

template <class T> double norm(GradNorm kind, int64_t count, const OptimTensor* tensors, double* scratch) {
    const int64_t total = total_size(count, tensors);
    parallel(total, kBlock, [&](int64_t begin, int64_t end) {
        double result = 0;
        for_pieces(tensors, begin, end, [&](const OptimTensor& t, int64_t first, int64_t last) {
            result = grad_piece(kind, static_cast<const T*>(t.gradient) + first, last - first, result);
        });
        scratch[begin / kBlock] = result;
    });
    double result = 0;
    for (int64_t b = 0; b < ceil_div(total, kBlock); ++b)
        result = kind == GradNorm::infinity ? max(result, scratch[b]) : result + scratch[b];
    return result;
}

template <class T> void scale(int64_t count, const OptimTensor* tensors, double factor) {
    for_all_pieces(count, tensors, [&](const OptimTensor& t, int64_t begin, int64_t end) {
        T* gradient = static_cast<T*>(t.gradient) + begin;
        for_vectors<T>(end - begin, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
            store(gradient + i, load(gradient + i, part) * T(factor), part);
        });
    });
}

template <class T> void clip(int64_t count, const OptimTensor* tensors, double largest) {
    for_all_pieces(count, tensors, [&](const OptimTensor& t, int64_t begin, int64_t end) {
        T* gradient = static_cast<T*>(t.gradient) + begin;
        for_vectors<T>(end - begin, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
            store(gradient + i, clipped(load(gradient + i, part), T(largest)), part);
        });
    });
}

template <class T> void average(int64_t count, const OptimTensor* tensors, double weight) {
    // From the end that is nearer, as rounding is less there.
    const bool near = weight < 0.5;
    const T share = T(near ? weight : weight - 1);
    for_all_pieces(count, tensors, [&](const OptimTensor& t, int64_t begin, int64_t end) {
        T* to = static_cast<T*>(t.parameter) + begin;
        const T* from = static_cast<const T*>(t.first) + begin;
        for_vectors<T>(end - begin, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
            const Vec<T> a = load(to + i, part), b = load(from + i, part);
            store(to + i, (near ? a : b) + (b - a) * share, part);
        });
    });
}

template <class T> bool finite(int64_t n, const void* given) {
    const T* values = static_cast<const T*>(given);
    bool result = true;
    parallel(n, kBlock, [&](int64_t begin, int64_t end) {
        const T zero = sum_vectors<T>(end - begin, [&](int64_t i, auto part) DT_INLINE_LAMBDA {
            const Vec<T> x = load(values + begin + i, part);
            return x - x; // NaN for infinity and NaN
        });
        if (zero != 0) __atomic_store_n(&result, false, __ATOMIC_RELAXED);
    });
    return result;
}

#define DT_BOTH(Rule) {step<float, Rule<float>>, step<double, Rule<double>>}

} // namespace

Optim optim() {
    return {{DT_BOTH(SgdRule), DT_BOTH(AdamRule), DT_BOTH(AdagradRule), DT_BOTH(AdadeltaRule),
             DT_BOTH(RmspropRule), DT_BOTH(AdamaxRule), DT_BOTH(NadamRule), DT_BOTH(RadamRule),
             DT_BOTH(RpropRule), DT_BOTH(LionRule)},
            {adafactor<float>, adafactor<double>},
            norm_scratch,
            {norm<float>, norm<double>},
            {scale<float>, scale<double>},
            {clip<float>, clip<double>},
            {average<float>, average<double>},
            {finite<float>, finite<double>}};
}

} // namespace dt::cpu::DT_LEVEL
