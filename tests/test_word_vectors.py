"""Training of word vectors: topics told apart, the loss, threads, levels, resumed trainings, bad input."""

import itertools

import numpy as np
import pytest

import drivetrain as dt
from drivetrain.word_vectors import FastText, GloVe, Word2Vec
from op_table.tools import on_threads

DRINKS, TOOLS = ["tea", "coffee", "water", "milk", "juice"], ["hammer", "saw", "drill", "pliers", "wrench"]


def two_topics(sentences=400, seed=0):
    """Sentences of six words of one of two topics, with words between them that belong to both."""
    rng = np.random.default_rng(seed)
    for i in range(sentences):
        words = (
            rng.choice(DRINKS if i % 2 else TOOLS, 4).tolist() + rng.choice(["the", "a", "of"], 2).tolist()
        )
        yield [words[k] for k in rng.permutation(6)]


def separation(wv):
    """The least cosine within a topic less the largest between the two."""
    within = [wv.similarity(a, b) for t in (DRINKS, TOOLS) for a, b in itertools.combinations(t, 2)]
    return min(within) - max(wv.similarity(a, b) for a in DRINKS for b in TOOLS)


@pytest.mark.parametrize("sg", [0, 1])
@pytest.mark.parametrize("hs", [0, 1])
def test_words_of_a_topic_come_near_each_other(sg, hs):
    model = Word2Vec(two_topics(), vector_size=20, sample=0, sg=sg, hs=hs, alpha=0.1, epochs=20)
    assert separation(model.wv) > 0.2
    assert model.losses[-1] < 0.95 * model.losses[0]
    assert {word for word, _ in model.wv.most_similar("tea", topn=4)} == set(DRINKS) - {"tea"}
    assert model.wv.doesnt_match(["tea", "saw", "milk", "coffee"]) == "saw"


def test_fasttext_and_glove_tell_topics_apart():
    assert separation(FastText(two_topics(), vector_size=20, sample=0, sg=1, alpha=0.05, epochs=20).wv) > 0.2
    glove = GloVe(two_topics(), vector_size=20, window=5, epochs=60)
    # No pair of a drink and a tool is ever counted: only the words between tell them apart.
    drinks = np.mean([glove.wv.similarity(a, b) for a, b in itertools.combinations(DRINKS, 2)])
    assert drinks > np.mean([glove.wv.similarity(a, b) for a in DRINKS for b in TOOLS])
    assert glove.losses[-1] < 0.05 * glove.losses[0]


def zipf_text(words=300, length=20_000, seed=0):
    """Sentences of 20 words with counts as in a language; a word is often followed by the next number."""
    rng = np.random.default_rng(seed)
    ids = np.minimum((rng.pareto(1.0, length) * 5).astype(np.int64), words - 1)
    follow = rng.random(length) < 0.5
    ids[1:][follow[1:]] = (ids[:-1][follow[1:]] + 1) % words
    return ids.reshape(-1, 20)


def plain_skip_gram(ids, vectors, epochs, rate, window, negative, seed):
    """Skip-gram pair by pair, as word2vec's first program has it."""
    rng = np.random.default_rng(seed)
    counts = np.bincount(ids.ravel(), minlength=len(vectors))
    noise = counts**0.75 / (counts**0.75).sum()
    output = np.zeros_like(vectors)
    steps = epochs * ids.size
    for step, (row, i) in enumerate(
        itertools.product(np.tile(np.arange(len(ids)), epochs), range(ids.shape[1]))
    ):
        reach = rng.integers(1, window + 1)
        around = [q for q in range(max(0, i - reach), min(ids.shape[1], i + reach + 1)) if q != i]
        lr = rate * (1 - step / steps)
        drawn = rng.choice(len(vectors), (len(around), negative), p=noise)
        for q, wrong in zip(around, drawn, strict=True):
            targets = np.r_[ids[row, i], wrong[wrong != ids[row, i]]]
            v, u = vectors[ids[row, q]], output[targets]
            slope = lr * ((np.arange(len(targets)) == 0) - 1 / (1 + np.exp(-u @ v)))
            np.add.at(output, targets, slope[:, None] * v)
            v += slope @ u
    return vectors, output


def held_out_loss(ids, vectors, output, window=2, negative=5):
    rng = np.random.default_rng(5)
    pairs = [(ids[:, i], ids[:, i + d]) for d in range(1, window + 1) for i in range(ids.shape[1] - d)]
    a, b = (np.concatenate(x) for x in zip(*pairs, strict=True))
    counts = np.bincount(ids.ravel(), minlength=len(vectors)) ** 0.75
    wrong = rng.choice(len(vectors), (len(a), negative), p=counts / counts.sum())
    right = np.logaddexp(0, -np.einsum("nd,nd->n", vectors[a], output[b]))
    return float((right + np.logaddexp(0, np.einsum("nd,nkd->nk", vectors[a], output[wrong])).sum(1)).mean())


def test_the_loss_is_that_of_updates_pair_by_pair():
    """Lanes side by side and shared noise reach the held-out loss of the plain algorithm within 2%."""
    text, held = zipf_text(length=6000), zipf_text(length=4000, seed=1)
    words = int(max(text.max(), held.max())) + 1
    model = Word2Vec(
        text, vector_size=16, window=2, min_count=1, sample=0, sg=1, alpha=0.1, epochs=3, min_alpha=0
    )
    order = [model.wv.key_to_index.get(i, -1) for i in range(words)]
    vectors = np.where(np.array(order)[:, None] < 0, 0, model.vectors[order])
    output = np.where(np.array(order)[:, None] < 0, 0, model.output[order])
    start = (np.random.default_rng(1).random((words, 16)) - 0.5) / 16
    plain = held_out_loss(held, *plain_skip_gram(text, start, 3, 0.1, 2, 5, 0))
    assert held_out_loss(held, vectors, output) < 1.02 * plain
    assert plain < 0.9 * held_out_loss(held, start, np.zeros_like(start))  # there is something to learn


MODELS = {
    "skip-gram": lambda text: Word2Vec(text, vector_size=20, sg=1, epochs=2, min_count=1),
    "CBOW": lambda text: Word2Vec(text, vector_size=33, sg=0, cbow_mean=0, epochs=2, min_count=1),
    "softmax": lambda text: Word2Vec(text, vector_size=16, sg=1, hs=1, epochs=2, min_count=1),
    "fastText": lambda text: FastText(text, vector_size=20, epochs=2, min_count=1, min_n=1),
    "GloVe": lambda text: GloVe(text, vector_size=20, epochs=2, min_count=1, window=5),
}


@pytest.mark.parametrize("name", MODELS)
def test_bits_do_not_depend_on_threads(name):
    text = zipf_text()
    on_threads(lambda: [MODELS[name](text).wv.vectors])


def test_levels_agree(level):
    """Every level trains the same vectors but for rounding."""
    vectors = MODELS["skip-gram"](zipf_text()).wv.vectors
    dt.set_isa("v2")
    np.testing.assert_allclose(vectors, MODELS["skip-gram"](zipf_text()).wv.vectors, atol=1e-4)


def test_frequent_words_do_not_diverge():
    """Few words, all of them frequent, at a high learning rate and without sub-sampling: all stays finite."""
    text = np.random.default_rng(0).integers(0, 4, (500, 40))
    model = Word2Vec(text, vector_size=8, sample=0, sg=1, alpha=0.2, epochs=3, window=10, negative=20)
    assert np.abs(model.vectors).max() < 20
    assert model.losses[-1] < model.losses[0]


@pytest.mark.parametrize("name", ["skip-gram", "fastText"])
def test_a_saved_training_ends_with_the_same_bits(name, tmp_path):
    text = [list(map(str, row)) for row in zipf_text(length=4000)]
    kind = FastText if name == "fastText" else Word2Vec
    whole = kind(text, vector_size=12, sg=1, epochs=4, min_count=2)
    part = kind(vector_size=12, sg=1, epochs=4, min_count=2)
    part.build_vocab(text)

    class Stop(Exception):
        pass

    def stop(model):
        if model.epochs_trained == 2:
            raise Stop

    path = tmp_path / "half.safetensors"
    with pytest.raises(Stop):
        part.train(text, checkpoint=path, on_epoch_end=stop)
    resumed = kind.load(path)
    assert resumed.epochs_trained == 2
    resumed.train(iter(text))
    assert resumed.vectors.tobytes() == whole.vectors.tobytes()
    assert resumed.losses == whole.losses
    assert resumed.wv["3"].tobytes() == whole.wv["3"].tobytes()
    resumed.train(text, epochs=1, start_alpha=0.01, end_alpha=0.001)
    assert resumed.epochs_trained == 5


def test_glove_goes_on_and_counts_in_bounded_memory(tmp_path):
    text = zipf_text(length=6000)
    whole = GloVe(text, vector_size=8, window=4, min_count=1, epochs=4)
    part = GloVe(text, vector_size=8, window=4, min_count=1, epochs=2)
    part.save(tmp_path / "half.safetensors")
    resumed = GloVe.load(tmp_path / "half.safetensors")
    resumed.train(text, epochs=2)
    assert resumed.tables.tobytes() == whole.tables.tobytes()

    from drivetrain.word_vectors.corpus import Corpus
    from drivetrain.word_vectors.glove import Pairs

    corpus = Corpus("test", text)
    places = {word: place for place, word in enumerate(corpus.words)}
    many, one = Pairs(corpus, places, 4, 1 << 16), Pairs(corpus, places, 4, 1 << 30)
    assert (many.parts > 1, one.parts) == (True, 1)
    spilled = sorted((k, round(c, 9)) for p in range(many.parts) for k, c in zip(*many.read(p), strict=True))
    assert spilled == [(k, round(c, 9)) for k, c in zip(*one.read(0), strict=True)]
    expected = np.zeros((len(places), len(places)))
    for row in text:
        for i, d in itertools.product(range(20), range(1, 5)):
            if i >= d:
                a, b = places[row[i]], places[row[i - d]]
                expected[min(a, b), max(a, b)] += (2 if a == b else 1) / d
    for key, count in zip(*one.read(0), strict=True):
        assert count == pytest.approx(expected[divmod(key, len(places))])
    assert len(one.read(0)[0]) == (expected > 0).sum()


HASHES = {
    "word": [1390033, 506905, 1510087, 755963, 1355467, 406269, 754425, 874912, 270522, 569831],
    "naïve": [1806890, 1907692, 878190, 933201, 1590546, 1719404, 832043, 156687, 356832, 1223007, 1505331],
    "猫が好き": [1961475, 1756664, 1379959, 962411, 526826, 207593, 778613, 989427, 1127223, 1338257],
    "a": [1087600],
}
HASHES["naïve"] += [1711570, 1788548, 1088654]
HASHES_OF_AB = [750, 508, 220, 946, 756, 77, 561]


def test_subwords_are_those_of_fasttext():
    """Recorded from gensim 4.4, ft_ngram_hashes(word, 3, 6, 2000000)."""
    from drivetrain.word_vectors.fasttext import buckets_of

    for word, expected in HASHES.items():
        assert sorted(buckets_of([word], 3, 6, 2_000_000)[1].tolist()) == sorted(expected)
    assert sorted(buckets_of(["ab"], 1, 3, 1000)[1].tolist()) == sorted(HASHES_OF_AB)


def test_unknown_words_have_vectors():
    model = FastText(two_topics(), vector_size=8, sample=0)
    known, made = model.wv["coffee"], model.wv["coffees"]
    assert known @ made / np.linalg.norm(known) / np.linalg.norm(made) > 0.5
    assert "coffees" in model.wv
    assert "xyzxyz" not in model.wv
    with pytest.raises(KeyError, match="shares no n-gram"):
        model.wv["xyzxyz"]


def test_words_may_be_numbers_and_come_from_a_generator():
    rows = zipf_text(length=2000)
    model = Word2Vec((row for row in rows), vector_size=8, min_count=1)
    assert model.wv.index_to_key[0] == np.bincount(rows.ravel()).argmax()
    assert len(model.words) == len(np.unique(rows))
    assert model.wv.counts.sum() == 2000


def test_a_file_trains_like_its_lines(tmp_path, monkeypatch):
    from drivetrain.word_vectors import corpus

    text = [[f"w{i}é" for i in row] for row in zipf_text(length=3000)]
    path = tmp_path / "text.txt"
    path.write_text("\n\n".join(" ".join(line) for line in text) + "\n", encoding="utf-8")
    listed = Word2Vec(text, vector_size=8)
    monkeypatch.setattr(corpus, "BLOCK", 100)
    monkeypatch.setattr(corpus, "IN_MEMORY", 100)
    read = Word2Vec(corpus_file=path, vector_size=8)
    assert read.words == listed.words
    assert read.counts.tolist() == listed.counts.tolist()
    path.write_bytes(b"a b \xff c\n" * 3)
    with pytest.raises(ValueError, match="no UTF-8 at byte 4"):
        Word2Vec(corpus_file=path, min_count=1)
    path.write_bytes(b"a" * 1000)
    with pytest.raises(ValueError, match="a word of more than 100 bytes"):
        Word2Vec(corpus_file=path, min_count=1)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: Word2Vec([]), ValueError, "Word2Vec: the corpus has no words"),
        (lambda: Word2Vec([[], []]), ValueError, "the corpus has no words"),
        (
            lambda: Word2Vec([["a", "a", "b"]]),
            ValueError,
            "no word comes min_count=5 times; the most frequent, 'a', ",
        ),
        (lambda: GloVe([["a"] * 3]), ValueError, "no word comes min_count=5 times"),
        (lambda: GloVe([["a"]] * 9), ValueError, "no two words of the vocabulary stand in one window"),
        (lambda: Word2Vec([["a"]] * 9, hs=1), ValueError, "needs a vocabulary of two words"),
        (lambda: Word2Vec("a b c"), TypeError, "must be an iterable of lists of words, got 'a b c'"),
        (lambda: Word2Vec(["a b", "c d"]), TypeError, "got the string 'a b'; split it"),
        (lambda: Word2Vec([[1.5, 2.5]] * 9), TypeError, "a word must be a str or an int, got 1.5"),
        (lambda: Word2Vec([["a", 1]]), TypeError, "words must be all str or all int, got 'a' and 1"),
        (lambda: Word2Vec([[["a"]]]), TypeError, "a sentence must be a list of words"),
        (lambda: Word2Vec([3]), TypeError, "a sentence must be a list of words, got 3"),
        (lambda: Word2Vec(vector_size=0), ValueError, "vector_size must be a positive integer, got 0"),
        (lambda: Word2Vec(negative=0), ValueError, "negative must be a positive integer"),
        (lambda: Word2Vec(alpha=float("nan")), ValueError, "alpha must be a positive number"),
        (lambda: Word2Vec(sg=2), ValueError, "sg must be 0 or 1, got 2"),
        (lambda: Word2Vec(size=100), TypeError, "there is no argument 'size'"),
        (lambda: FastText(min_n=4, max_n=3), ValueError, "max_n must be an integer of at least 4, got 3"),
        (lambda: Word2Vec().train([["a"]]), RuntimeError, "call build_vocab first"),
        (lambda: Word2Vec([["a", "b"]] * 9).train([["c"]]), ValueError, "has no word of the vocabulary"),
    ],
)
def test_bad_input(call, kind, message):
    with pytest.raises(kind) as caught:
        call()
    assert message in str(caught.value)


def test_the_kernels_check_what_they_are_given():
    train = dt._core._train_words
    ids, keep = dt.tensor(np.array([0, 1, -1], np.int32)), dt.tensor(np.full(2, 1 << 32))
    noise, table, other = dt.tensor(np.array([1 << 31, 1 << 32])), dt.zeros((2, 4)), dt.zeros((2, 4))
    assert train(ids, keep, table, other, noise).tolist()[2] == 2
    wrong = [
        (dict(words=dt.tensor(np.array([0, 2], np.int32))), IndexError, r"words\[1\] is 2, expected -1 to 1"),
        (dict(words=dt.tensor(np.array([-2], np.int32))), IndexError, r"words\[0\] is -2"),
        (dict(words=dt.tensor([0, 1])), TypeError, "words has dtype int64, expected int32"),
        (dict(output=dt.zeros((2, 5))), ValueError, "expected rows of 4"),
        (dict(output=dt.zeros((1, 4))), ValueError, "do not hold 2 words"),
        (dict(noise=dt.tensor(np.array([5, 4]))), ValueError, r"must rise to 2\^32"),
        (dict(noise=None), ValueError, "neither noise nor a path"),
        (dict(window=0), ValueError, "window"),
        (
            dict(path_start=dt.tensor([0, 1, 2]), path=dt.tensor(np.array([0, 9], np.int32))),
            ValueError,
            "path",
        ),
        (
            dict(row_start=dt.tensor([0, 2, 1]), rows=dt.tensor(np.array([0, 1], np.int32))),
            ValueError,
            "rows",
        ),
    ]
    for change, kind, message in wrong:
        given = dict(words=ids, keep=keep, input=table, output=other, noise=noise) | change
        with pytest.raises(kind, match=message):
            train(**given)
    with pytest.raises(IndexError, match="entry 0 is"):
        dt._core._train_glove(dt.tensor([5]), dt.tensor([0]), dt.tensor([1.0], dtype="float64"), table, other)


@pytest.mark.parametrize("kind", ["skip-gram", "mean", "sum"])
def test_one_step_is_that_of_the_formulas(kind):
    """Two words beside each other (three for CBOW), each of several rows; all noise is word 3."""
    rng = np.random.default_rng(0)
    x, y = (rng.uniform(-1, 1, (n, 5)).astype(np.float32) for n in (6, 4))
    rows = [[0, 4], [1], [2, 4, 5], [3]]
    starts = np.cumsum([0, *map(len, rows)])
    text = [0, 2] if kind == "skip-gram" else [0, 2, 1]
    inputs, outputs = dt.tensor(x), dt.tensor(y)
    dt._core._train_words(
        dt.tensor(np.array(text, np.int32)),
        dt.tensor(np.full(4, 1 << 32)),
        inputs,
        outputs,
        dt.tensor(np.array([0, 0, 0, 1 << 32])),
        dt.tensor(starts),
        dt.tensor(np.concatenate(rows).astype(np.int32)),
        window=1,
        negative=3,
        skip_gram=kind == "skip-gram",
        mean=kind == "mean",
        first_rate=0.01,
        last_rate=0.01,
    )
    want_x, want_y = x.astype(float), y.astype(float)
    around = {i: [q for q in (i - 1, i + 1) if 0 <= q < len(text)] for i in range(len(text))}
    for i, near in around.items():
        words = [text[i]] if kind == "skip-gram" else [text[q] for q in near]
        mine = [r for word in words for r in rows[word]]
        vector = x[mine].mean(0) if kind != "sum" else x[mine].sum(0)
        change = np.zeros(5)
        for right in [text[q] for q in near] if kind == "skip-gram" else [text[i]]:
            for target, label, times in ((right, 1, 1), (3, 0, 3)):
                slope = 0.01 * times * (label - 1 / (1 + np.exp(-vector @ y[target])))
                change += slope * y[target]
                want_y[target] += slope * vector
        for r in mine:
            want_x[r] += change / (len(mine) if kind == "sum" else 1)
    np.testing.assert_allclose(inputs.numpy(), want_x, atol=2e-6)
    np.testing.assert_allclose(outputs.numpy(), want_y, atol=2e-6)
