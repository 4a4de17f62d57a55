#pragma once
#include <cstdint>

#include "kernels/precision.h"

namespace dt {

// Normalisation in channels-last layout: input is (samples, spatial, channels), and the channels fall into
// groups of neighbours. Group norm as it stands; instance norm has groups = channels; batch norm also has
// samples = 1 and spatial = all rows. Mean and inverse standard deviation are per (sample, group).
struct GroupNormArgs {
    int64_t samples = 0, spatial = 0, channels = 0, groups = 0;
    const void* input = nullptr;
    const void* weight = nullptr; // one value per channel, or none
    const void* bias = nullptr;   // one value per channel, or none
    void* output = nullptr;
    double epsilon = 1e-5;
    const void* residual = nullptr; // of the input's shape: added to the result; or none
    bool relu = false;              // at last
    void* relu_bits = nullptr;      // relu_bytes() for the backward: what ReLU let pass; or none
    // forward writes the statistics, apply reads them.
    void* mean = nullptr;
    void* inverse_std = nullptr;
    // forward, groups = channels only: running = (1 - momentum) running + momentum new, averaged over the
    // samples, with the unbiased variance. None where they are not kept.
    void* running_mean = nullptr;
    void* running_variance = nullptr;
    double momentum = 0.1;
    double* scratch = nullptr; // group_scratch() values
};

struct GroupNormGradArgs {
    int64_t samples = 0, spatial = 0, channels = 0, groups = 0;
    const void* input = nullptr;
    const void* weight = nullptr;
    const void* relu_bits = nullptr; // where ReLU was fused, what the forward wrote: nothing else flows
    const void* mean = nullptr;
    const void* inverse_std = nullptr;
    const void* output_grad = nullptr;
    bool fixed_statistics = false; // the statistics came from outside (inference): they carry no gradient
    void* input_grad = nullptr;    // each gradient only where asked for; this may be output_grad's memory
    void* weight_grad = nullptr;
    void* bias_grad = nullptr;
    void* residual_grad = nullptr; // with ReLU only: without, it is output_grad; may be output_grad's memory
    double* scratch = nullptr;     // group_scratch() values
};

// Each row of `size` values is normalised by itself; RMS norm, where it is not `centred`, takes 0 for its
// mean.
struct LayerNormArgs {
    int64_t rows = 0, size = 0;
    bool centred = true;
    const void* input = nullptr;
    const void* weight = nullptr; // size values, or none
    const void* bias = nullptr;   // size values, or none
    void* output = nullptr;
    double epsilon = 1e-5;
    void* mean = nullptr;        // rows values, written; none where not centred
    void* inverse_std = nullptr; // rows values, written
};

struct LayerNormGradArgs {
    int64_t rows = 0, size = 0;
    bool centred = true;
    const void* input = nullptr;
    const void* weight = nullptr;
    const void* mean = nullptr;
    const void* inverse_std = nullptr;
    const void* output_grad = nullptr;
    void* input_grad = nullptr; // each gradient only where asked for
    void* weight_grad = nullptr;
    void* bias_grad = nullptr;
    double* scratch = nullptr; // layer.scratch() values, where weight_grad or bias_grad is asked for
};

// By precision: float32, float64, float16, bfloat16. Of the half formats are the arrays of the input's shape
// alone; parameters, statistics and their gradients are float32.
struct LayerNorm {
    int64_t (*scratch)(int64_t rows, int64_t size);
    void (*forward[kPrecisions])(const LayerNormArgs& args);
    void (*backward[kPrecisions])(const LayerNormGradArgs& args);
};
struct Norm {
    int64_t (*group_scratch)(int64_t samples, int64_t spatial, int64_t channels, int64_t groups);
    int64_t (*relu_bytes)(int64_t samples, int64_t spatial, int64_t channels, int64_t groups);
    void (*group_forward[kPrecisions])(const GroupNormArgs& args);
    void (*group_apply[kPrecisions])(const GroupNormArgs& args); // with the statistics given
    // inverse_std[i] = 1 / sqrt(variance[i] + epsilon)
    void (*inverse_std[2])(int64_t n, const void* variance, double epsilon, void* inverse_std);
    void (*group_backward[kPrecisions])(const GroupNormGradArgs& args);
    LayerNorm layer;
};

} // namespace dt
