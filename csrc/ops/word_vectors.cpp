#include "ops/word_vectors.h"

#include <algorithm>
#include <cmath>

#include "core/random.h"
#include "ops/checks.h"
#include "ops/word_lanes.h"

namespace dt::ops {
namespace {

constexpr int64_t kRowBudget = 4096; // rows of words that a lane takes before it is done
constexpr int64_t kLossEvery = 16;   // steps of which one tells its loss
constexpr double kMostWeight = 2;    // of a row in a step, past which it becomes several smaller ones
constexpr int64_t kGuide = 1 << 16;  // stretches of the noise distribution whose first word is known

struct Ragged { // lists of numbers one behind the other
    Tensor start_, values_;
    const int64_t* start = nullptr;
    const int32_t* values = nullptr;
    int64_t size(int64_t i) const { return start ? start[i + 1] - start[i] : 1; }
};

struct Model {
    const char* op = "train_words";
    int64_t words = 0, width = 0, input_rows = 0, output_rows = 0;
    float *input = nullptr, *output = nullptr;
    Ragged rows, path;          // of a word; without rows a word is the row of its number
    Tensor keep, noise;         // both of 2^32 parts: what share of a word stays, where noise words end
    std::vector<int32_t> guide; // the first noise word of each stretch
    int64_t window = 0, negative = 0, shared = 0; // negatives of a pair, and those that a step draws
    bool skip_gram = false, mean = true, shrink = true, hierarchical = false;
    uint64_t seed = 0, stream = 0;
    int64_t position = 0;  // of the first word of the stretch in the text
    int64_t positions = 0; // words of a step, which share their noise
    int64_t weight_stride = 0, most_inputs = 0;
    double crowding = 0; // what a row is expected to weigh in a step, per unit of the learning rate
};

struct Text {                   // what sampling has kept
    std::vector<int32_t> words; // -1 between sentences
    std::vector<int32_t> reach; // how far the window goes, at each of them
    std::vector<int32_t> place; // where it stood
};

float* checked_table(const Model& m, const char* name, const Tensor& t, int64_t width) {
    if (t.dtype() != DType::float32)
        type_error({m.op, ": ", name, " has dtype ", t.dtype(), ", expected float32"});
    check_rank(m.op, name, t, 2, "(rows, width)");
    if (width >= 0 && t.shape(1) != width)
        value_error({m.op, ": ", name, " has shape ", t.shape(), ", expected rows of ", width});
    if (!t.is_contiguous()) value_error({m.op, ": ", name, " must be contiguous (shape ", t.shape(), ")"});
    autograd::check_in_place(m.op, t);
    return t.data<float>();
}

Ragged checked_lists(const Model& m, const char* name, const std::optional<Tensor>& start,
                     const std::optional<Tensor>& values, int64_t below) {
    Ragged r;
    if (!start || !values) return r;
    r.start_ = check_vector(m.op, name, *start, DType::int64, m.words + 1);
    r.values_ = check_vector(m.op, name, *values, DType::int32, -1);
    r.start = r.start_.data<int64_t>();
    r.values = r.values_.data<int32_t>();
    bool right = r.start[0] == 0 && r.start[m.words] == r.values_.size();
    for (int64_t i = 0; i < m.words && right; ++i) right = r.start[i] <= r.start[i + 1];
    for (int64_t i = 0; i < r.values_.size() && right; ++i) right = r.values[i] >= 0 && r.values[i] < below;
    if (!right) value_error({m.op, ": ", name, " does not fit the tables"});
    return r;
}

// Draws for every word whether it stays and how far its window goes, then moves those that stay together.
Text sample(const Model& m, const Tensor& words) {
    const int64_t n = words.size();
    const int32_t* from = words.data<int32_t>();
    const int64_t* keep = m.keep.data<int64_t>();
    std::vector<int32_t> copy(from, from + n), drawn(static_cast<size_t>(n)); // 0: left out
    for (int64_t i = 0; i < n; ++i)
        if (copy[size_t(i)] < -1 || copy[size_t(i)] >= m.words)
            index_error(
                {m.op, ": words[", i, "] is ", int64_t{copy[size_t(i)]}, ", expected -1 to ", m.words - 1});
    const int64_t block = 4096;
    for_each_parallel((n + block - 1) / block, [&](int64_t b) {
        for (int64_t i = b * block; i < std::min(n, (b + 1) * block); ++i) {
            if (copy[size_t(i)] < 0) continue;
            const Philox draw = philox(m.seed, m.stream, static_cast<uint64_t>(m.position + i));
            const uint64_t reach =
                m.shrink ? (uint64_t{draw.words[1]} * static_cast<uint64_t>(m.window)) >> 32 : 0;
            if (draw.words[0] < keep[copy[size_t(i)]])
                drawn[size_t(i)] = static_cast<int32_t>(m.window - int64_t(reach));
        }
    });
    Text text;
    for (size_t i = 0; i < copy.size(); ++i) {
        const bool gap = copy[i] < 0;
        if (gap ? text.words.empty() || text.words.back() < 0 : drawn[i] == 0) continue;
        text.words.push_back(copy[i]);
        text.reach.push_back(drawn[i]);
        text.place.push_back(static_cast<int32_t>(i));
    }
    return text;
}

int32_t noise_word(const Model& m, uint32_t draw) {
    const int64_t* end = m.noise.data<int64_t>();
    int32_t word = m.guide[draw / (uint32_t{1} << 16)];
    while (end[word] <= draw) ++word;
    return word;
}

class Lane {
  public:
    Lane(const Model& m, const Text& text)
        : m_(m), text_(text), input_(m.input, m.input_rows, m.width),
          output_(m.output, m.output_rows, m.width), weight_(size_t(m.most_inputs * m.weight_stride)),
          label_(size_t(m.weight_stride)), target_(size_t(m.weight_stride)),
          output_rows_(size_t(m.weight_stride)), counts_(size_t(m.most_inputs)),
          scratch_(Tensor::empty({word_step_scratch(input_.stride(), m.most_inputs, m.weight_stride)},
                                 DType::float32)) {}

    double loss = 0, pairs = 0;

    // Takes words from `begin` on; returns the first that is left for the next lane.
    int64_t plan(int64_t begin, int64_t run) {
        const auto n = static_cast<int64_t>(text_.words.size());
        begin_ = begin;
        int64_t rows = 0;
        for (end_ = begin; end_ < n && end_ < begin + run && rows < kRowBudget; ++end_) rows += rows_at(end_);
        int64_t inputs = rows + 1, outputs = 0;
        const int64_t first = std::max<int64_t>(0, begin_ - m_.window), last = std::min(n, end_ + m_.window);
        if (!m_.skip_gram || m_.hierarchical) {
            for (int64_t i = first; i < begin_; ++i) inputs += rows_at(i);
            for (int64_t i = end_; i < last; ++i) inputs += rows_at(i);
        }
        if (m_.hierarchical)
            for (int64_t i = begin_; i < end_; ++i) outputs += at(i) < 0 ? 0 : m_.path.size(at(i));
        else
            outputs = last - first + ((end_ - begin_) / m_.positions + 1) * m_.shared;
        input_.begin(inputs);
        output_.begin(outputs);
        return end_;
    }

    void train(double rate) {
        repeats_ = static_cast<int64_t>(std::clamp(std::ceil(rate * m_.crowding / kMostWeight), 1.0, 64.0));
        rate_ = static_cast<float>(rate / static_cast<double>(repeats_));
        take_rows();
        int64_t i = begin_;
        while (i < end_) {
            while (i < end_ && at(i) < 0) ++i;
            if (i < end_) i = m_.hierarchical ? along_path(i) : against_noise(i);
        }
        input_.finish();
        output_.finish();
    }

    RowCopies& input() { return input_; }
    RowCopies& output() { return output_; }

  private:
    int32_t at(int64_t i) const { return text_.words[size_t(i)]; }
    int64_t rows_at(int64_t i) const { return at(i) < 0 ? 0 : m_.rows.size(at(i)); }

    // The rows that the run needs, all at once: while one is copied, the next ones are on their way.
    void take_rows() {
        const auto n = static_cast<int64_t>(text_.words.size());
        first_ = std::max<int64_t>(0, begin_ - m_.window);
        const int64_t last = std::min(n, end_ + m_.window);
        const bool inputs_around = !m_.skip_gram || m_.hierarchical;
        ids_.clear();
        if (!m_.rows.start)
            for (int64_t i = inputs_around ? first_ : begin_; i < (inputs_around ? last : end_); ++i)
                ids_.push_back(std::max(at(i), 0));
        input_.take(ids_, inputs_);
        ids_.clear();
        if (!m_.hierarchical)
            for (int64_t i = first_; i < last; ++i) ids_.push_back(std::max(at(i), 0));
        output_.take(ids_, known_);
        ids_.clear();
        const auto first = static_cast<uint64_t>(m_.position + text_.place[size_t(begin_)]) << 20;
        const int64_t draws = m_.shared * ((end_ - begin_) / m_.positions + 1);
        Philox draw{};
        for (int64_t k = 0; k < draws; ++k) {
            if (k % 4 == 0) draw = philox(m_.seed, m_.stream + 1, first + static_cast<uint64_t>(k / 4));
            ids_.push_back(noise_word(m_, draw.words[k % 4]));
        }
        output_.take(ids_, noise_);
        drawn_ = 0;
    }

    void add_rows(int64_t q) {
        const int32_t word = at(q);
        if (!m_.rows.start)
            return rows_.push_back(inputs_[size_t(q - (m_.skip_gram && !m_.hierarchical ? begin_ : first_))]);
        for (int64_t r = m_.rows.start[word]; r < m_.rows.start[word + 1]; ++r)
            rows_.push_back(input_.row(m_.rows.values[r]));
    }
    void begin_inputs() {
        rows_.clear();
        start_.assign(1, 0);
    }
    void end_input() { start_.push_back(static_cast<int32_t>(rows_.size())); }

    // body(position) for the words in the window around i.
    template <class F> void around(int64_t i, const F& body) const {
        const int64_t reach = text_.reach[size_t(i)];
        int64_t low = i, high = i + 1;
        while (low > 0 && low > i - reach && at(low - 1) >= 0) --low;
        while (high < int64_t(text_.words.size()) && high <= i + reach && at(high) >= 0) ++high;
        for (int64_t q = low; q < high; ++q)
            if (q != i) body(q);
    }

    // A column for the word at position q, a positive one.
    int64_t column_of(int64_t q, int64_t first, int64_t& outputs) {
        int64_t& column = columns_[size_t(q - first)];
        if (column < 0) {
            column = outputs++;
            output_rows_[size_t(column)] = known_[size_t(q - first_)];
            target_[size_t(column)] = at(q);
            label_[size_t(column)] = 1;
        }
        return column;
    }

    // As many words as a step has from position i on: each with the words around it (or the mean of those
    // with it), all with the same negatives, which count as many as there were to be for each pair.
    int64_t against_noise(int64_t i) {
        const int64_t first = i - m_.window, ld = m_.weight_stride, begin = i;
        int64_t inputs = 0, outputs = 0;
        columns_.assign(size_t(2 * m_.window + 4 * m_.positions), -1);
        std::fill(weight_.begin(), weight_.end(), 0.0f);
        begin_inputs();
        for (; i < end_ && inputs < m_.positions && i < begin + 3 * m_.positions; ++i) {
            if (at(i) < 0) continue;
            float* weight = weight_.data() + inputs * ld;
            int64_t count = 0;
            around(i, [&](int64_t q) {
                ++count;
                if (m_.skip_gram)
                    weight[column_of(q, first, outputs)] = rate_;
                else
                    add_rows(q);
            });
            if (count == 0) continue;
            if (m_.skip_gram)
                add_rows(i);
            else
                weight[column_of(i, first, outputs)] = rate_;
            counts_[size_t(inputs)] = m_.skip_gram ? count : 1;
            end_input();
            ++inputs;
        }
        if (inputs == 0) return i;
        add_noise(inputs, outputs);
        step(inputs, outputs);
        return i;
    }

    // The words that a step's pairs are to be told from. A word that is right for a pair is no wrong one for
    // it.
    void add_noise(int64_t inputs, int64_t& outputs) {
        const int64_t ld = m_.weight_stride, right = outputs;
        const float share = rate_ * static_cast<float>(m_.negative) / static_cast<float>(m_.shared);
        for (int64_t k = 0; k < m_.shared; ++k, ++outputs, ++drawn_) {
            const int32_t word = ids_[drawn_];
            output_rows_[size_t(outputs)] = noise_[drawn_];
            label_[size_t(outputs)] = 0;
            for (int64_t i = 0; i < inputs; ++i)
                weight_[size_t(i * ld + outputs)] = share * static_cast<float>(counts_[size_t(i)]);
            for (int64_t c = 0; c < right; ++c) {
                if (target_[size_t(c)] != word) continue;
                for (int64_t i = 0; i < inputs; ++i)
                    if (weight_[size_t(i * ld + c)] > 0) weight_[size_t(i * ld + outputs)] -= share;
            }
        }
    }

    // The word at position i from those around it (or from their mean), decision by decision.
    int64_t along_path(int64_t i) {
        int64_t inputs = 0, outputs = 0;
        begin_inputs();
        around(i, [&](int64_t q) {
            add_rows(q);
            if (!m_.skip_gram && inputs == 1) return;
            ++inputs;
            if (m_.skip_gram) end_input();
        });
        if (inputs == 0) return i + 1;
        if (!m_.skip_gram) end_input();
        for (int64_t k = m_.path.start[at(i)]; k < m_.path.start[at(i) + 1]; ++k, ++outputs) {
            output_rows_[size_t(outputs)] = output_.row(m_.path.values[k] >> 1);
            label_[size_t(outputs)] = m_.path.values[k] & 1 ? 0 : 1;
        }
        for (int64_t k = 0; k < inputs * m_.weight_stride; ++k)
            weight_[size_t(k)] = k % m_.weight_stride < outputs ? rate_ : 0;
        counts_.assign(counts_.size(), 1);
        step(inputs, outputs);
        return i + 1;
    }

    void step(int64_t inputs, int64_t outputs) {
        WordStep s;
        s.stride = input_.stride();
        s.inputs = inputs;
        s.outputs = outputs;
        s.weight_stride = m_.weight_stride;
        s.start = start_.data();
        s.rows = rows_.data();
        s.output_rows = output_rows_.data();
        s.weight = weight_.data();
        s.label = label_.data();
        s.mean = m_.mean || m_.skip_gram;
        s.scratch = scratch_.data<float>();
        double cost = 0;
        const bool tells = steps_++ % kLossEvery == 0 && rate_ > 0;
        if (tells) s.loss = &cost;
        for (int64_t i = 0; i < repeats_; ++i, s.loss = nullptr) kernels().word_vectors.step(s);
        if (!tells) return;
        loss += cost / static_cast<double>(rate_);
        for (int64_t i = 0; i < inputs; ++i) pairs += static_cast<double>(counts_[size_t(i)]);
    }

    const Model& m_;
    const Text& text_;
    RowCopies input_, output_;
    int64_t begin_ = 0, end_ = 0, first_ = 0, steps_ = 0, repeats_ = 1; // first_: of the words around the run
    size_t drawn_ = 0;                                                  // noise words used
    float rate_ = 0;
    std::vector<float> weight_, label_;
    std::vector<int32_t> target_, start_, ids_;
    std::vector<float*> output_rows_, rows_, inputs_, known_, noise_;
    std::vector<int64_t> counts_, columns_;
    Tensor scratch_;
};

// The share of what is drawn that the most frequent word has: of the text, of the noise.
double most_frequent(const Model& m, const Tensor& words) {
    std::vector<double> counts(static_cast<size_t>(m.words));
    double total = 0;
    for (int64_t i = 0; i < words.size(); ++i) {
        const int32_t word = words.data<int32_t>()[i];
        if (word < 0 || word >= m.words) continue;
        const double kept = std::min(1.0, static_cast<double>(m.keep.data<int64_t>()[word]) * 0x1p-32);
        counts[size_t(word)] += kept;
        total += kept;
    }
    return total > 0 ? *std::max_element(counts.begin(), counts.end()) / total : 0;
}
double most_frequent_noise(const Model& m) {
    const int64_t* end = m.noise.data<int64_t>();
    int64_t most = end[0];
    for (int64_t i = 1; i < m.words; ++i) most = std::max(most, end[i] - end[i - 1]);
    return static_cast<double>(most) * 0x1p-32;
}

// How much a row weighs in a step: as an input with all its pairs, as an output, as a word of the noise; more
// where it stands several times.
double crowding(const Model& m, const Tensor& words) {
    const auto around = static_cast<double>(m.shrink ? m.window + 1 : 2 * m.window),
               inputs = static_cast<double>(m.positions);
    const double pairs = m.skip_gram ? around : 1, often = most_frequent(m, words);
    if (m.hierarchical) return std::max(static_cast<double>(m.weight_stride), pairs);
    const auto negative = static_cast<double>(m.negative), shared = static_cast<double>(m.shared);
    return std::max({pairs * (1 + negative) * (1 + (inputs - 1) * often),
                     pairs * (1 + static_cast<double>(m.weight_stride - m.shared) * often),
                     negative / shared * inputs * pairs * (1 + shared * most_frequent_noise(m))});
}

// The sizes of a step.
void plan_steps(Model& m) {
    int64_t columns = 0;
    m.positions = m.skip_gram ? 8 : 16;
    if (m.hierarchical) {
        for (int64_t i = 0; i < m.words; ++i) columns = std::max(columns, m.path.size(i));
        m.most_inputs = std::max<int64_t>(1, m.skip_gram ? 2 * m.window : 1);
        m.weight_stride = (columns + 15) / 16 * 16;
    } else {
        columns = m.positions + (m.skip_gram ? 2 * m.window : 0);
        m.most_inputs = m.positions;
        m.weight_stride = (columns + std::max<int64_t>(8, 2 * m.negative) + 15) / 16 * 16;
        m.shared = m.weight_stride - columns; // as many as fill whole vectors
    }
}

void read_noise(Model& m, const Tensor& noise) {
    m.noise = check_vector(m.op, "noise", noise, DType::int64, m.words);
    const int64_t* end = m.noise.data<int64_t>();
    bool right = end[0] >= 0 && end[m.words - 1] == int64_t{1} << 32;
    for (int64_t i = 1; i < m.words; ++i) right = right && end[i - 1] <= end[i];
    if (!right) value_error({m.op, ": noise must rise to 2^32"});
    m.guide.resize(kGuide);
    int32_t word = 0;
    for (int64_t k = 0; k < kGuide; ++k) {
        while (end[word] <= k * ((int64_t{1} << 32) / kGuide)) ++word;
        m.guide[size_t(k)] = word;
    }
}

} // namespace

Tensor train_words(const Tensor& words, const Tensor& keep, const Tensor& input, const Tensor& output,
                   const std::optional<Tensor>& noise, const std::optional<Tensor>& row_start,
                   const std::optional<Tensor>& rows, const std::optional<Tensor>& path_start,
                   const std::optional<Tensor>& path, int64_t window, int64_t negative, bool skip_gram,
                   bool mean, bool shrink, double first_rate, double last_rate, int64_t seed, int64_t epoch,
                   int64_t position, int64_t lanes, int64_t run) {
    Model m;
    m.input = checked_table(m, "input", input, -1);
    m.output = checked_table(m, "output", output, input.shape(1));
    m.width = input.shape(1);
    m.input_rows = input.shape(0);
    m.output_rows = output.shape(0);
    m.words = keep.size();
    const Tensor text_words = check_vector(m.op, "words", words, DType::int32, -1);
    m.keep = check_vector(m.op, "keep", keep, DType::int64, -1);
    m.hierarchical = path.has_value();
    if (m.words == 0 || m.width == 0 || m.words > (m.hierarchical ? m.output_rows + 1 : m.output_rows) ||
        (!rows && m.words > m.input_rows))
        value_error({m.op, ": the tables (shapes ", input.shape(), " and ", output.shape(), ") do not hold ",
                     m.words, " words"});
    m.rows = checked_lists(m, "rows", row_start, rows, m.input_rows);
    m.path = checked_lists(m, "path", path_start, path, 2 * m.output_rows);
    check_between(m.op, "window", static_cast<double>(window), 1, 1000);
    check_between(m.op, "negative", static_cast<double>(negative), m.hierarchical ? 0 : 1, 1000);
    check_between(m.op, "first_rate", first_rate, 0, 1e6);
    check_between(m.op, "last_rate", last_rate, 0, 1e6);
    check_between(m.op, "lanes", static_cast<double>(lanes), 1, 256);
    check_between(m.op, "run", static_cast<double>(run), 1, 1 << 20);
    check_between(m.op, "epoch", static_cast<double>(epoch), 0, 1e15);
    check_between(m.op, "position", static_cast<double>(position), 0, 1e14);
    if (!m.hierarchical && !noise) value_error({m.op, ": there is neither noise nor a path"});
    if (!m.hierarchical) read_noise(m, *noise);
    m.window = window;
    m.negative = negative;
    m.skip_gram = skip_gram;
    m.mean = mean;
    m.shrink = shrink;
    m.seed = static_cast<uint64_t>(seed);
    m.stream = 2 * static_cast<uint64_t>(epoch);
    m.position = position;
    plan_steps(m);
    m.crowding = crowding(m, text_words);

    LongWork work(500.0 * static_cast<double>(words.size()));
    const Text text = sample(m, text_words);
    const auto n = static_cast<int64_t>(text.words.size());
    std::vector<Lane> all;
    all.reserve(size_t(lanes));
    for (int64_t i = 0; i < lanes; ++i) all.emplace_back(m, text);
    RowSums input_sums(m.input_rows), output_sums(m.output_rows);
    std::vector<RowCopies*> inputs, outputs;
    for (Lane& lane : all) {
        inputs.push_back(&lane.input());
        outputs.push_back(&lane.output());
    }
    std::vector<double> rates(static_cast<size_t>(lanes));
    for (int64_t begin = 0; begin < n;) {
        int64_t used = 0;
        for (; used < lanes && begin < n; ++used) {
            const double done = text.place[size_t(begin)] / static_cast<double>(words.size());
            rates[size_t(used)] = first_rate + (last_rate - first_rate) * done;
            begin = all[size_t(used)].plan(begin, run);
        }
        for_each_parallel(used, [&](int64_t i) { all[size_t(i)].train(rates[size_t(i)]); });
        for_each_parallel(kRowParts, [&](int64_t part) {
            input_sums.add_part(part, inputs, used);
            output_sums.add_part(part, outputs, used);
        });
    }
    input.storage().bump_version();
    output.storage().bump_version();
    Tensor result = Tensor::empty({3}, DType::float64);
    double* told = result.data<double>();
    told[0] = told[1] = 0;
    for (const Lane& lane : all) {
        told[0] += lane.loss;
        told[1] += lane.pairs;
    }
    told[2] = static_cast<double>(n - std::count(text.words.begin(), text.words.end(), -1));
    return result;
}

} // namespace dt::ops
