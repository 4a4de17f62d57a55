#include "ops/rnn.h"

#include <memory>
#include <utility>

#include "ops/gemm.h"
#include "ops/rnn_layout.h"

namespace dt::ops {
namespace {

constexpr std::pair<const char*, Cell> kCells[] = {
    {"rnn_tanh", Cell::rnn_tanh}, {"rnn_relu", Cell::rnn_relu}, {"lstm", Cell::lstm}, {"gru", Cell::gru}};

// The weights of one direction of one layer; undefined where there are none.
struct DirectionWeights {
    Tensor ih, hh, bias_ih, bias_hh, hr;
};
// What a direction of a layer keeps for the way back.
struct DirectionSaved {
    Saved ih, hh, hr, gates, cells, unprojected;
};
struct LayerSaved {
    Saved x, y;
    RandomSource dropped; // of y, on the way to the next layer
    std::vector<DirectionSaved> directions;
};

// All that does not change between the two ways through the network.
struct Network {
    Cell cell{};
    int64_t layers = 1, directions = 1, features = 0, hidden = 0, state = 0;
    bool has_bias = false, has_projection = false;
    double dropout = 0;
    DType storage{}, computing{};
    std::shared_ptr<const RnnLayout> layout;

    int64_t gates() const { return gates_of(cell); }
    int64_t parameters() const { return 2 + 2 * has_bias + has_projection; } // per direction
    // Where the parameters of a direction stand among the inputs of the op: behind input, hx and cx.
    int first_input(int64_t layer, int64_t direction) const {
        return int(3 + (layer * directions + direction) * parameters());
    }
    int64_t inputs_of(int64_t layer) const { return layer ? directions * state : features; }
    double time_of_layer(int64_t layer) const { // nanoseconds of its products
        return 0.04 * double(layout->rows * directions * gates() * hidden) * double(inputs_of(layer) + state);
    }

    RnnArgs arguments(int64_t direction) const {
        RnnArgs args;
        args.cell = cell;
        args.reverse = direction == 1;
        args.batch = layout->batch, args.hidden = hidden, args.state = state;
        args.order = layout->order.data(), args.first = layout->first.data(),
        args.length = layout->length.data();
        args.output_row = directions * state;
        return args;
    }
};

// One layer's part of a stack of states (layers * directions, batch, width); nothing of nothing.
Tensor slice(const Tensor& states, int64_t i) {
    if (!states.defined()) return states;
    const int64_t batch = states.shape(1), width = states.shape(2);
    return states.alias({batch, width}, {width, 1}, states.offset() + i * batch * width);
}
Tensor columns(const Tensor& t, int64_t first, int64_t count) { // of a vector
    return t.alias({count}, {1}, t.offset() + first);
}
Tensor rows_of(const Tensor& t, int64_t first, int64_t count) {
    return t.alias({count, t.shape(1)}, t.strides(), t.offset() + first * t.strides()[0]);
}
Tensor turned(const Tensor& t) { // a matrix, in memory too
    if (!t.defined()) return t;
    return plain::clone(t.alias({t.shape(1), t.shape(0)}, {1, t.shape(1)}, t.offset()));
}
void* at_column(const Tensor& t, int64_t column) {
    return static_cast<char*>(t.data()) + column * int64_t(item_size(t.dtype()));
}

// c (m x n) = a b^T + bias, or c + a b; all contiguous.
void project(const Tensor& a, const Tensor& weight, const Tensor& bias, const Tensor& c) {
    if (!c.size()) return;
    GemmArgs args;
    args.m = c.shape(0), args.n = c.shape(1), args.k = a.shape(1);
    args.a = a.data(), args.a_row = args.k;
    args.b = weight.data(), args.b_row = 1, args.b_col = args.k;
    args.c = c.data(), args.c_row = args.n;
    args.bias = data_of(bias);
    multiply_into(a.dtype(), c.dtype(), args);
}
void project_back(const Tensor& grad, const Tensor& weight, const Tensor& c, bool accumulate) {
    if (!c.size()) return;
    GemmArgs args;
    args.m = c.shape(0), args.n = c.shape(1), args.k = grad.shape(1);
    args.a = grad.data(), args.a_row = args.k;
    args.b = weight.data(), args.b_row = args.n;
    args.c = c.data(), args.c_row = args.n;
    args.accumulate = accumulate;
    multiply_into(grad.dtype(), c.dtype(), args);
}
// Rows of a weight's gradient: grad (rows, m) turned times x (rows, n).
void weight_gradient(const Tensor& grad, const Tensor& x, const Tensor& c) {
    if (!c.size()) return;
    GemmArgs args;
    args.m = c.shape(0), args.n = c.shape(1), args.k = x.shape(0);
    args.a = grad.data(), args.a_row = 1, args.a_col = grad.shape(1);
    args.b = x.data(), args.b_row = args.n;
    args.c = c.data(), args.c_row = args.n;
    multiply_into(grad.dtype(), c.dtype(), args);
}
// The sums of columns [0, sums) of a matrix.
void sum_columns(const Tensor& grad, const Tensor& sums) {
    EpilogueGradArgs args;
    args.rows = grad.shape(0), args.cols = grad.shape(1);
    args.grad = grad.data(), args.sums = sums.data();
    kernels().epilogue.gradient[precision(grad)](args);
}

RandomSource next(const Ref<Generator>& generator) {
    const Generator::Stream stream = generator->next();
    return {stream.seed, stream.stream, 0};
}
Tensor drop(const Tensor& x, double p, const RandomSource& source) {
    Tensor out = empty_like(x);
    if (out.size()) kernels().dropout.apply[precision(x)](source, x.size(), p, x.data(), out.data());
    return out;
}

// The bias of the product with the input: both biases, but for the third gate of a GRU, whose product with
// the state has its own.
Tensor input_bias(const Network& net, const DirectionWeights& w) {
    if (!net.has_bias) return Tensor();
    if (net.cell != Cell::gru) return plain::add(w.bias_ih, w.bias_hh);
    Tensor bias = plain::clone(w.bias_ih);
    plain::add_to(columns(bias, 0, 2 * net.hidden), columns(w.bias_hh, 0, 2 * net.hidden));
    return bias;
}

struct States { // (layers * directions, batch, width), computed in; undefined: none
    Tensor h, c;
};

// One direction over x (rows, inputs) into its columns of y (rows, directions * state).
DirectionSaved run_direction(const Network& net, const DirectionWeights& w, const Tensor& x, const Tensor& y,
                             int64_t direction, int64_t index, const States& initial, const States& last) {
    const int64_t rows = net.layout->rows;
    const Tensor gates = Tensor::empty({rows, net.gates() * net.hidden}, net.computing);
    project(x, w.ih, input_bias(net, w), gates);
    Tensor cells, unprojected;
    const Tensor turned_hh = turned(w.hh), turned_hr = turned(w.hr);
    RnnArgs args = net.arguments(direction);
    if (net.cell == Cell::lstm || net.cell == Cell::gru) {
        cells = Tensor::empty({rows, net.hidden}, net.computing);
        args.cells = cells.data();
    }
    if (net.has_projection) {
        unprojected = Tensor::empty({rows, net.hidden}, net.storage);
        args.unprojected = unprojected.data();
        args.projection = turned_hr.data();
    }
    if (net.cell == Cell::gru && net.has_bias) args.bias = at_column(w.bias_hh, 2 * net.hidden);
    args.weight = turned_hh.data();
    args.gates = gates.data();
    args.output = at_column(y, direction * net.state);
    args.h0 = data_of(slice(initial.h, index)), args.c0 = data_of(slice(initial.c, index));
    args.h_n = data_of(slice(last.h, index)), args.c_n = data_of(slice(last.c, index));
    kernels().rnn.forward[precision(net.storage)](args);
    const auto kept = [](const Tensor& t) { return t.defined() ? Saved(t) : Saved(); };
    return {Saved(w.ih), Saved(w.hh), kept(w.hr), Saved(gates), kept(cells), kept(unprojected)};
}

// What the op keeps for the way back through all layers.
struct NetworkSaved {
    Network net;
    std::vector<LayerSaved> layers;
    Saved initial_h, initial_c;
    std::vector<DType> dtypes; // of the op's inputs as they were given

    static Tensor get(const Saved& s) { return s ? s.get() : Tensor(); }
    void give(Backward& back, int input, const Tensor& t) const {
        back.give(input, plain::convert(t, dtypes[size_t(input)]));
    }
    Tensor empty_gradient(int input, const Dims& shape) const {
        return Tensor::empty(shape, gradient_dtype(net.storage, dtypes[size_t(input)]));
    }

    // The gradients of both biases, from those of the gates.
    void give_biases(Backward& back, int first, const Tensor& gates, const Tensor& cells) const {
        if (!back.needs(first + 2) && !back.needs(first + 3)) return;
        const int64_t wide = net.gates() * net.hidden;
        const Tensor sums = Tensor::empty({wide}, net.computing);
        sum_columns(gates, sums);
        if (back.needs(first + 3)) {
            const Tensor other = plain::clone(sums);
            if (cells.defined()) sum_columns(cells, columns(other, 2 * net.hidden, net.hidden));
            give(back, first + 3, other);
        }
        if (back.needs(first + 2)) give(back, first + 2, sums);
    }

    // The gradient of weight_hh; the rows of a GRU's third gate come from `cells`.
    void give_hidden_weight(Backward& back, int input, const Tensor& gates, const Tensor& cells,
                            const Tensor& before) const {
        const Tensor g = empty_gradient(input, {net.gates() * net.hidden, net.state});
        weight_gradient(gates, before, cells.defined() ? rows_of(g, 0, 2 * net.hidden) : g);
        if (cells.defined()) weight_gradient(cells, before, rows_of(g, 2 * net.hidden, net.hidden));
        give(back, input, g);
    }

    // One direction of a layer: its weights get their gradients, and x_grad (undefined: not wanted) its part.
    void back_through(Backward& back, int64_t layer, int64_t direction, const Tensor& y_grad,
                      const Tensor& x_grad, const States& last, const States& first) const {
        const LayerSaved& saved = layers[size_t(layer)];
        const DirectionSaved& kept = saved.directions[size_t(direction)];
        const int64_t rows = net.layout->rows, index = layer * net.directions + direction;
        const int input = net.first_input(layer, direction);
        const Tensor &y = saved.y.get(), x = saved.x.get(), weight = kept.hh.get(), projection = get(kept.hr),
                     gates = kept.gates.get(), cells = get(kept.cells), h0 = slice(get(initial_h), index),
                     c0 = slice(get(initial_c), index);
        RnnGradArgs args;
        args.forward = net.arguments(direction);
        args.forward.weight = weight.data(), args.forward.projection = data_of(projection);
        args.forward.h0 = data_of(h0), args.forward.c0 = data_of(c0);
        args.forward.gates = gates.data(), args.forward.cells = data_of(cells);
        args.forward.output = at_column(y, direction * net.state);
        if (y_grad.defined()) args.output_grad = at_column(y_grad, direction * net.state);
        args.output_grad_row = net.directions * net.state;
        args.h_n_grad = data_of(slice(last.h, index)), args.c_n_grad = data_of(slice(last.c, index));
        args.h0_grad = data_of(slice(first.h, index)), args.c0_grad = data_of(slice(first.c, index));
        const Tensor gate_grads = Tensor::empty({rows, net.gates() * net.hidden}, net.storage);
        Tensor cell_grads, state_grads;
        args.gate_grads = gate_grads.data();
        if (net.cell == Cell::gru) {
            cell_grads = Tensor::empty({rows, net.hidden}, net.storage);
            args.cell_grads = cell_grads.data();
        }
        if (net.has_projection) {
            state_grads = Tensor::empty({rows, net.state}, net.storage);
            args.state_grads = state_grads.data();
        }
        kernels().rnn.backward[precision(net.storage)](args);

        if (back.needs(input)) {
            const Tensor g = empty_gradient(input, {net.gates() * net.hidden, x.shape(1)});
            weight_gradient(gate_grads, x, g);
            give(back, input, g);
        }
        if (back.needs(input + 1)) {
            const Tensor start = h0.defined() ? plain::convert(h0, net.storage)
                                              : plain::zeros({net.layout->batch, net.state}, net.storage);
            give_hidden_weight(
                back, input + 1, gate_grads, cell_grads,
                net.layout->previous(y, direction * net.state, net.state, direction == 1, start));
        }
        if (net.has_bias) give_biases(back, input, gate_grads, cell_grads);
        const int projected = input + int(net.parameters()) - 1;
        if (net.has_projection && back.needs(projected)) {
            const Tensor g = empty_gradient(projected, {net.state, net.hidden});
            weight_gradient(state_grads, kept.unprojected.get(), g);
            give(back, projected, g);
        }
        if (x_grad.defined()) project_back(gate_grads, kept.ih.get(), x_grad, direction > 0);
    }

    void backward(Backward& back) const {
        const RnnLayout& layout = *net.layout;
        const auto incoming = [&](int output) {
            const Tensor& g = back.grad(output);
            return g.defined() ? plain::contiguous(plain::convert(g, net.computing)) : g;
        };
        const States last{incoming(1), net.cell == Cell::lstm ? incoming(2) : Tensor()};
        const Dims stack{net.layers * net.directions, layout.batch, net.state},
            cell_stack{net.layers * net.directions, layout.batch, net.hidden};
        const States first{back.needs(1) ? Tensor::empty(stack, net.computing) : Tensor(),
                           back.needs(2) ? Tensor::empty(cell_stack, net.computing) : Tensor()};
        Tensor grad = back.grad(0);
        if (grad.defined()) grad = layout.pack(plain::convert(grad, net.storage));
        for (int64_t layer = net.layers - 1; layer >= 0; --layer) {
            Tensor x_grad;
            const Dims shape{layout.rows, net.inputs_of(layer)};
            if (layer > 0) x_grad = Tensor::empty(shape, net.storage);
            if (layer == 0 && back.needs(0)) x_grad = empty_gradient(0, shape);
            for (int64_t d = 0; d < net.directions; ++d)
                back_through(back, layer, d, grad, x_grad, last, first);
            if (layer > 0 && net.dropout > 0)
                x_grad = drop(x_grad, net.dropout, layers[size_t(layer - 1)].dropped);
            grad = std::move(x_grad);
        }
        if (back.needs(0)) give(back, 0, layout.unpack(grad));
        if (back.needs(1)) give(back, 1, first.h);
        if (back.needs(2)) give(back, 2, first.c);
    }
};

constexpr const char* kParts[] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"};

// The weights as given and as computed with, checked.
struct Parameters {
    const char* op;
    const Network& net;
    const std::vector<Tensor>& given;
    bool cast;

    [[noreturn]] void wrong_shape(const Tensor& t, int64_t layer, int64_t direction, int part,
                                  const Dims& expected) const {
        value_error({op, ": ", kParts[part], "_l", layer, direction ? "_reverse" : "", " has shape ",
                     t.shape(), ", expected ", expected});
    }
    Tensor take(const Tensor& t, int64_t layer, int64_t direction, int part, const Dims& expected) const {
        if (!(t.shape() == expected)) wrong_shape(t, layer, direction, part, expected);
        const bool bias = part == 2 || part == 3;
        const Tensor used = cast && !bias ? autograd::autocast_weight(t) : t;
        if (bias ? t.dtype() != net.computing && t.dtype() != net.storage : used.dtype() != net.storage)
            type_error({op, ": input has dtype ", net.storage, ", but ", kParts[part], "_l", layer,
                        direction ? "_reverse" : "", " has dtype ", t.dtype(),
                        "; convert one of them with astype()"});
        return plain::contiguous(bias ? plain::convert(t, net.computing) : used);
    }
    DirectionWeights of(int64_t layer, int64_t direction) const {
        const Tensor* t = &given[size_t(net.first_input(layer, direction) - 3)];
        const int64_t wide = net.gates() * net.hidden;
        DirectionWeights w;
        w.ih = take(*t++, layer, direction, 0, {wide, net.inputs_of(layer)});
        w.hh = take(*t++, layer, direction, 1, {wide, net.state});
        if (net.has_bias) {
            w.bias_ih = take(*t++, layer, direction, 2, {wide});
            w.bias_hh = take(*t++, layer, direction, 3, {wide});
        }
        if (net.has_projection) w.hr = take(*t, layer, direction, 4, {net.state, net.hidden});
        return w;
    }
};

// A stack of states as computed in; undefined where none was given.
Tensor initial_state(const char* op, const char* name, const Optional& t, const Tensor& input,
                     const Network& net, int64_t width) {
    if (!t) return Tensor();
    check_shape(op, name, *t, {net.layers * net.directions, net.layout->batch, width},
                " (layers * directions, batch, features)");
    if (t->dtype() != input.dtype() && t->dtype() != net.storage && t->dtype() != net.computing)
        type_error({op, ": ", name, " has dtype ", t->dtype(), ", but input has dtype ", input.dtype()});
    return plain::contiguous(plain::convert(*t, net.computing));
}

Network network_of(const char* op, Cell cell, const Tensor& input, const std::vector<Tensor>& weights,
                   const Optional& lengths, int64_t layers, bool bidirectional) {
    check_floating(op, "input", input);
    check_rank(op, "input", input, 3, "(batch, time, features)");
    Network net;
    net.cell = cell;
    net.layers = layers, net.directions = bidirectional ? 2 : 1;
    net.features = input.shape(2);
    const int64_t parts = layers * net.directions, each = parts > 0 ? int64_t(weights.size()) / parts : 0;
    if (layers < 1 || each * parts != int64_t(weights.size()) || each < 2 || each > 5)
        value_error({op, ": got ", int64_t(weights.size()), " weights for ", parts,
                     " layers and directions, expected 2 to 5 for each"});
    net.has_bias = each >= 4;
    net.has_projection = each % 2 == 1;
    const Tensor& hh = weights[1];
    check_rank(op, "weight_hh_l0", hh, 2, "(gates * hidden, state)");
    const Tensor& ih = weights[0];
    if (ih.rank() == 2 && ih.shape(1) != net.features)
        value_error({op, ": input has ", net.features, " features (shape ", input.shape(),
                     "), but weight_ih_l0 ", ih.shape(), " expects ", ih.shape(1)});
    net.hidden = hh.shape(0) / net.gates();
    net.state = hh.shape(1);
    if (net.has_projection && cell != Cell::lstm) value_error({op, ": only an LSTM has a projection"});
    if (!net.has_projection && net.state != net.hidden)
        value_error({op, ": weight_hh_l0 has shape ", hh.shape(), ", expected ",
                     Dims{net.gates() * net.state, net.state}});
    net.layout = std::make_shared<const RnnLayout>(op, input, lengths);
    return net;
}

// The inputs in the order in which the node has them.
std::vector<Tensor> inputs_of(const Tensor& input, const Optional& hx, const Optional& cx,
                              const std::vector<Tensor>& weights) {
    std::vector<Tensor> all{input, given(hx), given(cx)};
    all.insert(all.end(), weights.begin(), weights.end());
    return all;
}

} // namespace

std::vector<Tensor> rnn(const std::string& mode, const Tensor& input, const std::vector<Tensor>& weights,
                        const Optional& hx, const Optional& cx, const Optional& lengths, int64_t layers,
                        bool bidirectional, double dropout, bool training, const Ref<Generator>& generator) {
    const auto* found =
        std::find_if(std::begin(kCells), std::end(kCells), [&](const auto& c) { return mode == c.first; });
    if (found == std::end(kCells))
        value_error({"rnn: mode is '", mode, "', expected rnn_tanh, rnn_relu, lstm or gru"});
    const Cell cell = found->second;
    const char* op = cell == Cell::lstm ? "lstm" : cell == Cell::gru ? "gru" : "rnn";
    check_between(op, "dropout", dropout, 0, 1);
    if (cx && cell != Cell::lstm) value_error({op, ": cx is given, but only an LSTM has a cell state"});
    Network net = network_of(op, cell, input, weights, lengths, layers, bidirectional);
    const bool cast = autograd::autocasts({&input, &weights[0]});
    const Tensor used = cast ? autograd::autocast(input) : input;
    net.storage = used.dtype(), net.computing = computing_dtype(net.storage);
    net.dropout = training ? dropout : 0;
    const Parameters parameters{op, net, weights, cast};
    const States initial{initial_state(op, "hx", hx, input, net, net.state),
                         initial_state(op, "cx", cx, input, net, net.hidden)};
    const int64_t stack = net.layers * net.directions, batch = net.layout->batch;
    const States last{Tensor::empty({stack, batch, net.state}, net.computing),
                      cell == Cell::lstm ? Tensor::empty({stack, batch, net.hidden}, net.computing)
                                         : Tensor()};

    const std::vector<Tensor> inputs = inputs_of(input, hx, cx, weights);
    double work = 0;
    for (int64_t layer = 0; layer < layers; ++layer) work += net.time_of_layer(layer);
    std::vector<LayerSaved> saved;
    Tensor x = net.layout->pack(used), y;
    {
        LongWork let_others_run(work);
        for (int64_t layer = 0; layer < layers; ++layer) {
            y = Tensor::empty({net.layout->rows, net.directions * net.state}, net.storage);
            LayerSaved kept{Saved(x), Saved(y), {}, {}};
            for (int64_t d = 0; d < net.directions; ++d)
                kept.directions.push_back(run_direction(net, parameters.of(layer, d), x, y, d,
                                                        layer * net.directions + d, initial, last));
            x = y;
            if (layer + 1 < layers && net.dropout > 0) {
                kept.dropped = next(generator);
                x = drop(y, net.dropout, kept.dropped);
            }
            saved.push_back(std::move(kept));
        }
    }
    std::vector<Tensor> out{net.layout->unpack(y), plain::convert(last.h, net.storage)};
    if (cell == Cell::lstm) out.push_back(last.c);
    if (recording(inputs)) {
        const auto kept = [](const Tensor& t) { return t.defined() ? Saved(t) : Saved(); };
        NetworkSaved all{net, std::move(saved), kept(initial.h), kept(initial.c), {}};
        for (const Tensor& t : inputs) all.dtypes.push_back(t.defined() ? t.dtype() : net.storage);
        record(op, out, inputs, [all = std::move(all)](Backward& back) { all.backward(back); }, 2 * work);
    }
    return out;
}

} // namespace dt::ops
