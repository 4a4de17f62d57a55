#include "kernels/rnn.h"

#include <algorithm>

#include "check.h"

namespace dt::check {
namespace {

double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }

// One direction of one layer over sequences of some lengths. Every step is compared with what plain loops
// make of what the kernel itself left of the step before, so that roundings do not add up.
template <class T> struct Case {
    using R = Beside<T>;
    Checks& c;
    Cell cell;
    bool reverse, projects, starts; // starts: from states that are given
    int64_t batch, hidden, state;
    std::vector<int64_t> lengths, order, first, length;
    int64_t rows = 0, gates = gates_of(cell);

    Case(Checks& checks, Cell cell_, bool reverse_, bool projects_, bool starts_,
         std::vector<int64_t> lengths_, int64_t hidden_)
        : c(checks), cell(cell_), reverse(reverse_), projects(projects_), starts(starts_),
          batch(int64_t(lengths_.size())), hidden(hidden_), state(projects_ ? hidden_ / 2 + 1 : hidden_),
          lengths(std::move(lengths_)) {
        std::vector<int64_t> starts_at;
        for (int64_t i = 0; i < batch; ++i) {
            order.push_back(i);
            starts_at.push_back(rows);
            rows += lengths[size_t(i)];
        }
        std::stable_sort(order.begin(), order.end(),
                         [&](int64_t a, int64_t b) { return lengths[size_t(a)] > lengths[size_t(b)]; });
        for (int64_t i : order) first.push_back(starts_at[size_t(i)]), length.push_back(lengths[size_t(i)]);
    }
    int64_t row(size_t rank, int64_t step) const {
        return first[rank] + (reverse ? length[rank] - 1 - step : step);
    }

    RnnArgs arguments() const {
        RnnArgs args;
        args.cell = cell, args.reverse = reverse;
        args.batch = batch, args.hidden = hidden, args.state = state;
        args.order = order.data(), args.first = first.data(), args.length = length.data();
        return args;
    }
    Array<T> transposed(const Array<T>& a, int64_t height, int64_t width) const {
        Array<T> turned(a.size());
        for (int64_t i = 0; i < height; ++i)
            for (int64_t j = 0; j < width && a.size() > 1; ++j) turned[j * height + i] = a[i * width + j];
        if (a.size() == 1) turned[0] = a[0];
        return turned;
    }
    static Want near(double v) { return {v, 1 + std::fabs(v)}; }

    void run() {
        c.at("cell ", int(cell), reverse ? " reverse" : "", projects ? " projected" : "", starts ? " h0" : "",
             ", batch ", batch, ", rows ", rows, ", hidden ", hidden, " of ",
             std::string(spelled<dtype_of<T>>()));
        const int64_t wide = gates * hidden, output_row = state + 3, place = std::max<int64_t>(1, rows);
        const double bound = 1 / std::sqrt(double(state));
        const Array<T> weight = c.uniform_array<T>(wide * state, -bound, bound),
                       projection = c.uniform_array<T>(projects ? state * hidden : 1, -0.3, 0.3);
        const Array<R> bias = c.uniform_array<R>(hidden), h0 = c.uniform_array<R>(batch * state),
                       c0 = c.uniform_array<R>(batch * hidden), x = c.uniform_array<R>(place * wide, -2, 2);
        Array<R> activated(place * wide), cells(place * hidden), h_n(batch * state), c_n(batch * hidden);
        Array<T> output(place * output_row), unprojected(place * hidden);
        std::copy(x.data(), x.data() + x.size(), activated.data());
        RnnArgs args = arguments();
        const bool lstm = cell == Cell::lstm, gru = cell == Cell::gru;
        const Array<T> turned = transposed(weight, wide, state),
                       turned_projection = transposed(projection, state, hidden);
        args.weight = turned.data();
        if (projects) args.projection = turned_projection.data(), args.unprojected = unprojected.data();
        if (gru) args.bias = bias.data();
        if (starts) args.h0 = h0.data();
        if (starts && lstm) args.c0 = c0.data();
        args.h_n = h_n.data();
        if (lstm) args.c_n = c_n.data();
        args.gates = activated.data();
        if (lstm || gru) args.cells = cells.data();
        args.output = output.data(), args.output_row = output_row;
        c.call(c.table.rnn.forward[precision(dtype_of<T>)], args);

        // The state before a step, as the next product reads it; and as it is carried along.
        const auto h_before = [&](size_t r, int64_t step, int64_t j) {
            if (step) return output.at(row(r, step - 1) * output_row + j);
            return starts ? value(rounded<T>(h0.at(order[r] * state + j))) : 0.0;
        };
        const auto c_before = [&](size_t r, int64_t step, int64_t j) {
            if (step) return cells.at(row(r, step - 1) * hidden + j);
            return starts ? c0.at(order[r] * hidden + j) : 0.0;
        };
        std::vector<double> want_gates(size_t(place * wide)), want_cells(size_t(place * hidden)),
            want_output(size_t(place * output_row)), want_unprojected(size_t(place * hidden)),
            want_h(size_t(batch * state)), want_c(size_t(batch * hidden));
        for (size_t r = 0; r < size_t(batch); ++r) {
            std::vector<double> carried(size_t(hidden),
                                        0); // h of a GRU, which is not rounded from step to step
            for (int64_t j = 0; j < hidden; ++j)
                if (gru && starts) carried[size_t(j)] = h0.at(order[r] * state + j);
            for (int64_t step = 0; step < length[r]; ++step) {
                const int64_t at = row(r, step);
                std::vector<double> h(size_t(hidden), 0.0);
                for (int64_t j = 0; j < hidden; ++j) {
                    double sum[4] = {}, a[4] = {};
                    for (int64_t g = 0; g < gates; ++g) {
                        for (int64_t p = 0; p < state; ++p)
                            sum[g] += weight.at((g * hidden + j) * state + p) * h_before(r, step, p);
                        a[g] = x.at(at * wide + g * hidden + j) + sum[g];
                    }
                    double* out = &want_gates[size_t(at * wide + j)];
                    if (lstm) {
                        const double i = sigmoid_of(a[0]), f = sigmoid_of(a[1]), n = std::tanh(a[2]),
                                     o = sigmoid_of(a[3]), s = f * c_before(r, step, j) + i * n;
                        out[0] = i, out[hidden] = f, out[2 * hidden] = n, out[3 * hidden] = o;
                        want_cells[size_t(at * hidden + j)] = s;
                        h[size_t(j)] = o * std::tanh(s);
                    } else if (gru) {
                        const double reset = sigmoid_of(a[0]), z = sigmoid_of(a[1]),
                                     product = sum[2] + bias.at(j),
                                     n = std::tanh(x.at(at * wide + 2 * hidden + j) + reset * product);
                        out[0] = reset, out[hidden] = z, out[2 * hidden] = n;
                        want_cells[size_t(at * hidden + j)] = product;
                        h[size_t(j)] = carried[size_t(j)] = (1 - z) * n + z * carried[size_t(j)];
                    } else {
                        h[size_t(j)] = out[0] =
                            cell == Cell::rnn_relu ? std::max(a[0], 0.0) : std::tanh(a[0]);
                    }
                    want_unprojected[size_t(at * hidden + j)] = h[size_t(j)];
                }
                for (int64_t j = 0; j < state; ++j) {
                    double y = projects ? 0 : h[size_t(j)];
                    for (int64_t p = 0; projects && p < hidden; ++p)
                        y += projection.at(j * hidden + p) * unprojected.at(at * hidden + p);
                    want_output[size_t(at * output_row + j)] = y;
                    if (step + 1 == length[r]) want_h[size_t(order[r] * state + j)] = y;
                }
                for (int64_t j = 0; j < hidden && step + 1 == length[r]; ++j)
                    want_c[size_t(order[r] * hidden + j)] = want_cells[size_t(at * hidden + j)];
            }
            for (int64_t j = 0; j < hidden && !length[r]; ++j) {
                if (j < state)
                    want_h[size_t(order[r] * state + j)] = starts ? h0.at(order[r] * state + j) : 0;
                want_c[size_t(order[r] * hidden + j)] = starts ? c0.at(order[r] * hidden + j) : 0;
            }
        }
        const double roundings = 40;
        if (rows) {
            c.expect("gates", activated, roundings, [&](int64_t i) { return near(want_gates[size_t(i)]); });
            if (lstm || gru)
                c.expect("cells", cells, roundings, [&](int64_t i) { return near(want_cells[size_t(i)]); });
            if (projects)
                c.expect("unprojected", unprojected, roundings,
                         [&](int64_t i) { return near(want_unprojected[size_t(i)]); });
            Array<T> narrow(rows * state); // the columns behind are not touched
            for (int64_t i = 0; i < rows * state; ++i) narrow[i] = output[i / state * output_row + i % state];
            c.expect("output", narrow, roundings, [&](int64_t i) {
                return near(want_output[size_t(i / state * output_row + i % state)]);
            });
        }
        c.expect("h_n", h_n, roundings, [&](int64_t i) { return near(want_h[size_t(i)]); });
        if (lstm) c.expect("c_n", c_n, roundings, [&](int64_t i) { return near(want_c[size_t(i)]); });
        args.weight = weight.data();
        if (projects) args.projection = projection.data();
        back(args, output);
    }

    void back(const RnnArgs& args, const Array<T>& output) {
        const int64_t wide = gates * hidden, output_row = args.output_row, place = std::max<int64_t>(1, rows);
        const bool lstm = cell == Cell::lstm, gru = cell == Cell::gru;
        const Array<T> dy = c.uniform_array<T>(place * output_row);
        const Array<R> dh_n = c.uniform_array<R>(batch * state), dc_n = c.uniform_array<R>(batch * hidden);
        Array<T> gate_grads(place * wide), cell_grads(place * hidden), state_grads(place * state);
        Array<R> h0_grad(batch * state), c0_grad(batch * hidden);
        RnnGradArgs grad;
        grad.forward = args;
        if (starts) grad.output_grad = dy.data(), grad.output_grad_row = output_row;
        grad.h_n_grad = dh_n.data();
        if (lstm) grad.c_n_grad = dc_n.data(), grad.c0_grad = c0_grad.data();
        grad.h0_grad = h0_grad.data();
        grad.gate_grads = gate_grads.data(), grad.cell_grads = cell_grads.data();
        if (projects) grad.state_grads = state_grads.data();
        c.call(c.table.rnn.backward[precision(dtype_of<T>)], grad);

        const auto real = [&](const void* p, int64_t i) { return value(static_cast<const R*>(p)[i]); };
        const auto stored = [&](const void* p, int64_t i) { return value(static_cast<const T*>(p)[i]); };
        std::vector<double> want_gates(size_t(place * wide)), want_cells(size_t(place * hidden)),
            want_state(size_t(place * state)), want_h0(size_t(batch * state)),
            want_c0(size_t(batch * hidden));
        for (size_t r = 0; r < size_t(batch); ++r) {
            std::vector<double> carry(size_t(hidden), 0.0);
            for (int64_t j = 0; j < hidden && lstm; ++j) carry[size_t(j)] = dc_n.at(order[r] * hidden + j);
            // What flows into the state before step `next`, from that step.
            const auto from = [&](int64_t next, int64_t p) {
                if (next == length[r]) return dh_n.at(order[r] * state + p);
                double sum = 0;
                for (int64_t g = 0; g < gates; ++g)
                    for (int64_t j = 0; j < hidden; ++j)
                        sum += stored(args.weight, (g * hidden + j) * state + p) *
                               (gru && g == 2 ? cell_grads.at(row(r, next) * hidden + j)
                                              : gate_grads.at(row(r, next) * wide + g * hidden + j));
                return sum;
            };
            for (int64_t step = length[r] - 1; step >= 0; --step) {
                const int64_t at = row(r, step);
                std::vector<double> dh(static_cast<size_t>(state));
                for (int64_t p = 0; p < state; ++p) {
                    dh[size_t(p)] = from(step + 1, p) + (starts ? dy.at(at * output_row + p) : 0);
                    want_state[size_t(at * state + p)] = dh[size_t(p)];
                }
                for (int64_t j = 0; j < hidden; ++j) {
                    double g = projects ? 0 : dh[size_t(j)];
                    for (int64_t p = 0; projects && p < state; ++p)
                        g += state_grads.at(at * state + p) * stored(args.projection, p * hidden + j);
                    const auto gate = [&](int64_t k) { return real(args.gates, at * wide + k * hidden + j); };
                    double* out = &want_gates[size_t(at * wide + j)];
                    double& kept = carry[size_t(j)];
                    if (lstm) {
                        const double t = std::tanh(real(args.cells, at * hidden + j));
                        const double before = step      ? real(args.cells, row(r, step - 1) * hidden + j)
                                              : args.c0 ? real(args.c0, order[r] * hidden + j)
                                                        : 0;
                        const double s = kept + g * gate(3) * (1 - t * t);
                        out[0] = s * gate(2) * gate(0) * (1 - gate(0));
                        out[hidden] = s * before * gate(1) * (1 - gate(1));
                        out[2 * hidden] = s * gate(0) * (1 - gate(2) * gate(2));
                        out[3 * hidden] = g * t * gate(3) * (1 - gate(3));
                        kept = s * gate(1);
                    } else if (gru) {
                        g += kept;
                        const double before = step      ? output.at(row(r, step - 1) * output_row + j)
                                              : args.h0 ? real(args.h0, order[r] * state + j)
                                                        : 0;
                        const double third = g * (1 - gate(1)) * (1 - gate(2) * gate(2));
                        out[0] = third * real(args.cells, at * hidden + j) * gate(0) * (1 - gate(0));
                        out[hidden] = g * (before - gate(2)) * gate(1) * (1 - gate(1));
                        out[2 * hidden] = third;
                        want_cells[size_t(at * hidden + j)] = third * gate(0);
                        kept = g * gate(1);
                    } else {
                        out[0] = cell == Cell::rnn_relu ? (gate(0) > 0 ? g : 0) : g * (1 - gate(0) * gate(0));
                    }
                }
            }
            for (int64_t p = 0; p < state; ++p)
                want_h0[size_t(order[r] * state + p)] = from(0, p) + (gru ? carry[size_t(p)] : 0);
            for (int64_t j = 0; j < hidden; ++j) want_c0[size_t(order[r] * hidden + j)] = carry[size_t(j)];
        }
        const double roundings = 60;
        if (rows) {
            c.expect("gate_grads", gate_grads, roundings,
                     [&](int64_t i) { return near(want_gates[size_t(i)]); });
            if (gru)
                c.expect("cell_grads", cell_grads, roundings,
                         [&](int64_t i) { return near(want_cells[size_t(i)]); });
            if (projects)
                c.expect("state_grads", state_grads, roundings,
                         [&](int64_t i) { return near(want_state[size_t(i)]); });
        }
        c.expect("h0_grad", h0_grad, roundings, [&](int64_t i) { return near(want_h0[size_t(i)]); });
        if (lstm)
            c.expect("c0_grad", c0_grad, roundings, [&](int64_t i) { return near(want_c0[size_t(i)]); });
    }
};

} // namespace

void check_rnn(Checks& c) {
    for_all_floats([&]<class T>(T) {
        for (const auto& [cell, name] : enumerators<Cell>())
            for (bool reverse : {false, true})
                for (bool starts : {false, true}) {
                    for (int64_t hidden : {int64_t(1), int64_t(5), int64_t(33)})
                        for (bool projects : {false, true}) {
                            if (projects && (cell != Cell::lstm || hidden == 1)) continue;
                            Case<T>(c, cell, reverse, projects, starts, {3, 0, 1, 4, 4, 2}, hidden).run();
                        }
                    Case<T>(c, cell, reverse, false, starts, {0, 0}, 3).run();
                }
        // Cut into tasks by sequences and by units.
        Case<T>(c, Cell::lstm, false, false, true, std::vector<int64_t>(40, 3), 64).run();
        Case<T>(c, Cell::gru, true, false, true, {3, 1, 2, 3}, 300).run();
    });
}

} // namespace dt::check
