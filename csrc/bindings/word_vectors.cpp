#include "ops/word_vectors.h"

#include "bindings/families.h"
#include "bindings/op.h"

namespace dt::bindings {

void bind_word_vectors(py::module_& m) {
    op<&ops::train_words>(
        m, "_train_words",
        "Trains word vectors (Mikolov et al., 2013) in place on a stretch of text: words, int32, -1 between "
        "sentences. keep and\n"
        "noise: of each word the share that stays and the end of its stretch of the noise distribution, of "
        "2^32, "
        "int64. rows: the\n"
        "rows of the input table whose mean a word is (none: the row of its number); path: 2 x node + code "
        "down the "
        "tree of\n"
        "hierarchical softmax (none: noise). The learning rate goes from first_rate to last_rate. `lanes` "
        "runs of "
        "`run` words are\n"
        "trained side by side from the same vectors, and what they changed is summed: the bits depend on "
        "these, "
        "never on threads.\n"
        "Returns (loss, pairs, words kept) as float64, the first two of a sample of the steps.",
        {"words"_a,
         "keep"_a,
         "input"_a,
         "output"_a,
         "noise"_a = py::none(),
         "row_start"_a = py::none(),
         "rows"_a = py::none(),
         "path_start"_a = py::none(),
         "path"_a = py::none(),
         "window"_a = 5,
         "negative"_a = 5,
         "skip_gram"_a = false,
         "mean"_a = true,
         "shrink"_a = true,
         "first_rate"_a = 0.025,
         "last_rate"_a = 0.025,
         "seed"_a = 0,
         "epoch"_a = 0,
         "position"_a = 0,
         "lanes"_a = 8,
         "run"_a = 256},
        "train_words");
    op<&ops::train_glove>(m, "_train_glove",
                          "Trains GloVe (Pennington, Socher and Manning, 2014) in place on entries of a "
                          "matrix of co-occurrences, by "
                          "AdaGrad. A row of\n"
                          "main and context is a vector, its bias, and the sums of squared gradients of "
                          "both. Returns the loss.",
                          {"rows"_a, "columns"_a, "counts"_a, "main"_a, "context"_a, "rate"_a = 0.05,
                           "most"_a = 100.0, "power"_a = 0.75, "lanes"_a = 8, "run"_a = 256},
                          "train_glove");
    op<&ops::count_pairs>(
        m, "_count_pairs",
        "How often two words stand within `window` of each other, as sum of 1 / distance: (keys "
        "low * vocabulary + high,\nsorted; counts).",
        {"words"_a, "vocabulary"_a, "window"_a, "first"_a = 0}, "count_pairs");
    op<&ops::sum_by_key>(m, "_sum_by_key", "Sums the counts of equal keys: (keys, sorted; counts).",
                         {"keys"_a, "counts"_a}, "sum_by_key");
    op<&ops::subwords>(
        m, "_subwords",
        "fastText's buckets of the character n-grams of words (Bojanowski et al., 2017): (where each "
        "word's begin, buckets).",
        {"text"_a, "start"_a, "min_n"_a = 3, "max_n"_a = 6, "buckets"_a = 2000000}, "subwords");
}

} // namespace dt::bindings
