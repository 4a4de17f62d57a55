#include <algorithm>

#include "ops/checks.h"
#include "ops/word_lanes.h"
#include "ops/word_vectors.h"

namespace dt::ops {
namespace {

struct Entry {
    int64_t key;
    double count;
};

std::tuple<Tensor, Tensor> sorted_sums(std::vector<Entry>& entries) {
    std::stable_sort(entries.begin(), entries.end(),
                     [](const Entry& a, const Entry& b) { return a.key < b.key; });
    size_t unique = 0;
    for (size_t i = 0; i < entries.size(); ++i)
        if (unique > 0 && entries[unique - 1].key == entries[i].key)
            entries[unique - 1].count += entries[i].count;
        else
            entries[unique++] = entries[i];
    Tensor keys = Tensor::empty({static_cast<int64_t>(unique)}, DType::int64),
           counts = Tensor::empty({static_cast<int64_t>(unique)}, DType::float64);
    for (size_t i = 0; i < unique; ++i) {
        keys.data<int64_t>()[i] = entries[i].key;
        counts.data<double>()[i] = entries[i].count;
    }
    return {keys, counts};
}

// FNV-1a as fastText has it: bytes are signed.
uint32_t hash_of(const uint8_t* begin, const uint8_t* end) {
    uint32_t hash = 2166136261u;
    for (; begin < end; ++begin)
        hash = (hash ^ static_cast<uint32_t>(static_cast<int8_t>(*begin))) * 16777619u;
    return hash;
}

bool continues(uint8_t byte) { return (byte & 0xC0) == 0x80; } // the character that came before, in UTF-8

} // namespace

std::tuple<Tensor, Tensor> count_pairs(const Tensor& words, int64_t vocabulary, int64_t window,
                                       int64_t first) {
    const char* op = "count_pairs";
    const Tensor text = check_vector(op, "words", words, DType::int32, -1);
    check_between(op, "vocabulary", static_cast<double>(vocabulary), 1, 2147483647);
    check_between(op, "window", static_cast<double>(window), 1, 1000);
    check_between(op, "first", static_cast<double>(first), 0, 1e15);
    LongWork work(1000.0 * static_cast<double>(words.size()));
    const int32_t* from = text.data<int32_t>();
    const std::vector<int32_t> ids(from, from + text.size());
    std::vector<Entry> entries;
    for (size_t i = 0; i < ids.size(); ++i) {
        if (ids[i] < -1 || ids[i] >= vocabulary)
            index_error({op, ": words[", i, "] is ", int64_t{ids[i]}, ", expected -1 to ", vocabulary - 1});
        for (size_t d = 1;
             ids[i] >= 0 && d <= size_t(window) && d <= i && i >= size_t(first) && ids[i - d] >= 0; ++d) {
            const int64_t low = std::min(ids[i], ids[i - d]), high = std::max(ids[i], ids[i - d]);
            entries.push_back({low * vocabulary + high, (low == high ? 2.0 : 1.0) / static_cast<double>(d)});
        }
    }
    return sorted_sums(entries);
}

std::tuple<Tensor, Tensor> sum_by_key(const Tensor& keys, const Tensor& counts) {
    const Tensor k = check_vector("sum_by_key", "keys", keys, DType::int64, -1),
                 c = check_vector("sum_by_key", "counts", counts, DType::float64, keys.size());
    LongWork work(100.0 * static_cast<double>(keys.size()));
    std::vector<Entry> entries(static_cast<size_t>(k.size()));
    for (size_t i = 0; i < entries.size(); ++i) entries[i] = {k.data<int64_t>()[i], c.data<double>()[i]};
    return sorted_sums(entries);
}

std::tuple<Tensor, Tensor> subwords(const Tensor& text, const Tensor& start, int64_t min_n, int64_t max_n,
                                    int64_t buckets) {
    const char* op = "subwords";
    const Tensor bytes = check_vector(op, "text", text, DType::uint8, -1),
                 first = check_vector(op, "start", start, DType::int64, -1);
    check_between(op, "min_n", static_cast<double>(min_n), 1, 1000);
    check_between(op, "max_n", static_cast<double>(max_n), static_cast<double>(min_n), 1000);
    check_between(op, "buckets", static_cast<double>(buckets), 1, 2147483647);
    const int64_t words = first.size() - 1, *at = first.data<int64_t>();
    bool right = words >= 0 && at[0] == 0 && at[words] == bytes.size();
    for (int64_t i = 0; i < words && right; ++i) right = at[i] <= at[i + 1];
    if (!right) value_error({op, ": start does not fit text"});
    std::vector<int32_t> found;
    Tensor begins = Tensor::empty({words + 1}, DType::int64);
    for (int64_t w = 0; w < words; ++w) {
        begins.data<int64_t>()[w] = static_cast<int64_t>(found.size());
        std::vector<uint8_t> word(1, '<');
        word.insert(word.end(), bytes.data<uint8_t>() + at[w], bytes.data<uint8_t>() + at[w + 1]);
        word.push_back('>');
        for (size_t i = 0; i < word.size(); ++i) {
            if (continues(word[i])) continue;
            size_t end = i;
            for (int64_t n = 1; n <= max_n && end < word.size(); ++n) {
                for (++end; end < word.size() && continues(word[end]);) ++end;
                if (n < min_n || (n == 1 && (i == 0 || end == word.size()))) continue;
                found.push_back(
                    static_cast<int32_t>(hash_of(&word[i], &word[0] + end) % static_cast<uint32_t>(buckets)));
            }
        }
    }
    begins.data<int64_t>()[words] = static_cast<int64_t>(found.size());
    Tensor result = Tensor::empty({static_cast<int64_t>(found.size())}, DType::int32);
    std::copy(found.begin(), found.end(), result.data<int32_t>());
    return {begins, result};
}

} // namespace dt::ops
