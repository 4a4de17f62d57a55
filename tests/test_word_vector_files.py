"""Tables of word vectors: questions to them, and the files they come from and go to."""

import pickle

import numpy as np
import pytest

import drivetrain as dt
from drivetrain.io import read_state, write_state
from drivetrain.word_vectors import FastText, GloVe, KeyedVectors, Word2Vec


@pytest.fixture
def table():
    vectors = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    return KeyedVectors(["tea", "Käse", "猫", "a/b", "x"], vectors, [9, 7, 5, 3, 1])


def test_questions():
    words = ["man", "woman", "king", "queen", "cup"]
    table = KeyedVectors(words, [[1, 0, 0.1], [1, 1, 0.1], [1, 0, 1], [1, 1, 1], [-1, 0.2, 0]])
    assert table.most_similar(positive=["king", "woman"], negative=["man"], topn=1)[0][0] == "queen"
    assert [word for word, _ in table.most_similar("man", topn=2, restrict_vocab=3)] == ["king", "woman"]
    assert table.similar_by_vector(table["cup"], topn=1)[0] == ("cup", pytest.approx(1))
    assert table.doesnt_match(["king", "queen", "cup", "unknown"]) == "cup"
    assert table.n_similarity(["man", "king"], ["man", "king"]) == pytest.approx(1)
    assert table.distance("man", "man") == pytest.approx(0, abs=1e-6)
    assert table[["man", "cup"]].shape == (2, 3)
    assert np.linalg.norm(table.get_vector("queen", norm=True)) == pytest.approx(1)
    assert len(table) == 5
    assert ("king" in table, "prince" in table) == (True, False)
    with pytest.raises(KeyError, match="'prince' is not in the vocabulary"):
        table["prince"]
    with pytest.raises(KeyError, match="'prince'"):
        table.most_similar(["king", "prince"])
    with pytest.raises(ValueError, match="neither positive nor negative"):
        table.most_similar()
    with pytest.raises(ValueError, match=r"shape \(2,\), expected \(3,\)"):
        table.similar_by_vector(np.zeros(2))
    with pytest.raises(ValueError, match="none of the words"):
        table.doesnt_match(["prince"])
    with pytest.raises(ValueError, match="a word comes twice"):
        KeyedVectors(["a", "a"], np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"expected \(1, size\)"):
        KeyedVectors(["a"], np.zeros((2, 3)))


def test_analogies_of_a_file(tmp_path):
    words = ["man", "woman", "king", "queen", "cup"]
    table = KeyedVectors(words, [[1, 0, 0.1], [1, 1, 0.1], [1, 0, 1], [1, 1, 1], [-1, 0.2, 0]])
    path = tmp_path / "questions.txt"
    path.write_text(": family\nman woman King queen\nman woman king cup\nman prince king x\n: none\n")
    score, sections = table.evaluate_word_analogies(path)
    assert (score, sections) == (0.5, {"family": (1, 2)})


def test_embedding(table):
    layer = table.to_embedding()
    assert layer.weight.detach().numpy().tobytes() == table.vectors.tobytes()
    assert layer.weight.requires_grad
    layer.weight.detach()[0] = 5.0
    assert table.vectors[0].max() < 5  # a copy
    layer = table.to_embedding({"<pad>": 0, "猫": 2, "tea": 1}, freeze=True, padding_idx=0)
    assert layer(dt.tensor([2, 1, 0])).tolist() == [*table[["猫", "tea"]].tolist(), [0.0] * 7]
    assert not layer.weight.requires_grad


@pytest.mark.parametrize("binary", [False, True])
def test_word2vec_format_round_trip(table, tmp_path, binary):
    path = tmp_path / "vectors"
    table.save_word2vec_format(path, binary=binary)
    loaded = KeyedVectors.load_word2vec_format(path, binary=binary)
    assert loaded.index_to_key == table.index_to_key
    assert loaded.vectors.tobytes() == table.vectors.tobytes()
    assert len(KeyedVectors.load_word2vec_format(path, binary=binary, limit=2)) == 2
    table.index_to_key[0] = "two words"
    with pytest.raises(ValueError, match="'two words' has a blank"):
        table.save_word2vec_format(path, binary=binary)
    assert len(KeyedVectors.load_word2vec_format(path, binary=binary)) == 5  # the old file stands


def test_what_other_programs_write(tmp_path):
    """The first bytes of word2vec's own binary files have a newline after each vector, gensim's have none."""
    values = np.arange(4, dtype="<f4")
    path = tmp_path / "v"
    for between in (b"", b"\n"):
        path.write_bytes(
            b"2 2\nab " + values[:2].tobytes() + between + b"c " + values[2:].tobytes() + between
        )
        loaded = KeyedVectors.load_word2vec_format(path, binary=True)
        assert loaded.index_to_key == ["ab", "c"]
        assert loaded["c"].tolist() == [2, 3]
    path.write_bytes(b"the 1 2\r\n. . . 1 2\nb 3 -4e-1\n")  # GloVe, one of whose words has blanks
    loaded = KeyedVectors.load_word2vec_format(path, no_header=True)
    assert loaded.index_to_key == ["the", ". . .", "b"]
    assert loaded["b"].tolist() == pytest.approx([3, -0.4])
    path.write_bytes(b"a 1 2\na 3 4\n")
    with pytest.warns(UserWarning, match="1 words come twice"):
        assert KeyedVectors.load_word2vec_format(path, no_header=True)["a"].tolist() == [1, 2]


GOOD = b"ab " + np.ones(2, "<f4").tobytes()


@pytest.mark.parametrize(
    ("content", "binary", "message"),
    [
        (b"", False, "not with the numbers of words and dimensions"),
        (b"", True, "not with the numbers of words and dimensions"),
        (b"2 2\n", False, "too few"),
        (
            b"1000000000000 300\nab 1 2\n",
            False,
            "says 1000000000000 vectors of 300, for which its 25 bytes are too few",
        ),
        (b"1000000000000 300\n" + GOOD, True, "too few"),
        (b"1 99999999999\n" + GOOD, True, "its vectors have 99999999999 values"),
        (b"1 0\nab\n", False, "its vectors have 0 values"),
        (b"99999999999999999999 2\nab 1 2\n", False, "not with the numbers"),
        (b"-1 2\nab 1 2\n", False, "not with the numbers"),
        (b"2 2\n" + GOOD + b"abcdefghij", True, "it ends, or has no word, at vector 1 of 2"),
        (b"1 2\n" + b"x" * 40, True, "it ends, or has no word, at vector 0 of 1"),
        (b"3 2\nab 1 2\ncd 3 4\n     \n", False, "it ends at vector 2 of 3"),
        (b"2 2\nab 1 2\ncd 3\n\n", False, "vector 1 has 1 values, expected 2"),
        (b"1 2\nab 1 two\n", False, "could not convert"),
        (b"1 2\n\xff\xfe 1 2\n", False, "codec"),
        (b"1 2\n" + b"x" * 80_000, False, "a line of more than"),
        (pickle.dumps(print), False, "it is a pickle, which could run anything"),
        (b"ab 1 2\ncd 3 4\n", False, "GloVe's files: no_header=True"),
    ],
)
def test_damaged_files(tmp_path, content, binary, message):
    path = tmp_path / "bad"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="bad is no file of word vectors, or damaged") as caught:
        KeyedVectors.load_word2vec_format(path, binary=binary)
    assert message in str(caught.value)


def test_every_cut_of_a_file_is_noticed(table, tmp_path):
    path = tmp_path / "cut"
    for binary in (False, True):
        table.save_word2vec_format(path, binary=binary)
        whole = path.read_bytes()
        for length in range(0, len(whole) - (2 if binary else 12), 7):
            path.write_bytes(whole[:length])
            with pytest.raises(ValueError, match="damaged"):
                KeyedVectors.load_word2vec_format(path, binary=binary)


def test_own_files(table, tmp_path):
    path = tmp_path / "table.safetensors"
    table.save(path)
    loaded = KeyedVectors.load(path)
    assert loaded.index_to_key == table.index_to_key
    assert loaded.counts.tolist() == [9, 7, 5, 3, 1]
    assert loaded.vectors.tobytes() == table.vectors.tobytes()
    with pytest.raises(ValueError, match="word2vec"):
        Word2Vec.load(path)
    path.write_bytes(pickle.dumps(print))
    with pytest.raises(ValueError, match=r"table\.safetensors"):
        KeyedVectors.load(path)
    numbers = KeyedVectors([4, 2], np.zeros((2, 3)))
    numbers.save(path)
    assert KeyedVectors.load(path).index_to_key == [4, 2]


MODELS = {
    Word2Vec: {"vector_size": 3, "min_count": 1, "epochs": 1},
    FastText: {"vector_size": 3, "min_count": 1, "epochs": 1},
    GloVe: {"vector_size": 3, "min_count": 1, "epochs": 1},
}


@pytest.mark.parametrize("kind", MODELS)
def test_states_that_do_not_fit_are_refused(kind, tmp_path):
    path = tmp_path / "model"
    with pytest.raises(RuntimeError, match="there are no words yet"):
        kind().save(path)
    with pytest.raises(RuntimeError, match="there are no words yet"):
        assert kind().wv
    kind([["a", "b", "c", "d"]] * 5, **MODELS[kind]).save(path)
    whole, _ = read_state(path)

    def refused(**changes):
        state = {key: value for key, value in {**whole, **changes}.items() if value is not None}
        write_state(path, state, kind=kind.kind)
        with pytest.raises(ValueError, match=f"model holds no {kind.__name__}, or is damaged"):
            kind.load(path)

    for name in whole:
        refused(**{name: None})
        refused(**{name: 5.5})
        refused(**{name: "x"})
        refused(**{name: np.zeros((2, 2), np.float32)})
    arguments, words = whole["arguments"], whole["words"]
    refused(arguments={**arguments, "corpus_file": "/etc/passwd"})
    refused(arguments={**arguments, "vector_size": 4})
    refused(arguments={key: value for key, value in arguments.items() if key != "window"})
    refused(counts=-whole["counts"])
    refused(counts=whole["counts"][:2])
    refused(words={})
    refused(words={**words, "start": np.array([0, 99, 2, 3, 4])})
    refused(words={**words, "text": np.full(4, 97, np.uint8)})
    refused(words={**words, "text": np.full(4, 255, np.uint8)})
    refused(epochs_trained=-1)
    for table in {"vectors", "output", "tables"} & whole.keys():
        refused(**{table: whole[table][:1]})
        refused(**{table: whole[table].astype(np.float64)})


def test_tables_that_do_not_fit_are_refused(tmp_path):
    path = tmp_path / "table"
    KeyedVectors(["a", "b"], np.eye(2), [3, 1]).save(path)
    whole, _ = read_state(path)
    for name in ("words", "vectors"):
        for value in (None, 5, np.zeros(3)):
            state = {key: part for key, part in {**whole, name: value}.items() if part is not None}
            write_state(path, state, kind="word vectors")
            with pytest.raises(ValueError, match="table holds no word vectors, or is damaged"):
                KeyedVectors.load(path)
    for words, counts, error in ((["a", None], None, TypeError), (["a", 1.5], None, TypeError)):
        with pytest.raises(error, match="a word must be a str or an int"):
            KeyedVectors(words, np.eye(2), counts)
    with pytest.raises(ValueError, match=r"counts have shape \(3,\), expected \(2,\)"):
        KeyedVectors(["a", "b"], np.eye(2), [1, 2, 3])


def test_wrong_options_are_named(tmp_path):
    table, path = KeyedVectors(["a", "\ud800"], np.eye(2)), tmp_path / "table"
    with pytest.raises(ValueError, match="has a lone surrogate"):
        table.save_word2vec_format(path)
    path.write_bytes(b"1 2\na 1 2\n")
    for options, error in (
        ({"limit": 0}, ValueError),
        ({"limit": 1.5}, TypeError),
        ({"unicode_errors": "x"}, ValueError),
        ({"binary": "no"}, TypeError),
    ):
        with pytest.raises(error, match=f"load_word2vec_format: {next(iter(options))} must be"):
            KeyedVectors.load_word2vec_format(path, **options)
    with pytest.raises(ValueError, match="restrict_vocab must be a positive integer, got -1"):
        table.most_similar("a", restrict_vocab=-1)
    with pytest.raises(TypeError, match="doesnt_match: words is 'ab', expected a list"):
        table.doesnt_match("ab")
    questions = tmp_path / "questions"
    questions.write_bytes(b": \xff\n1 2 3 4\n")
    numbers = KeyedVectors([1, 2, 3, 4], [[1, 0, 0], [0, 1, 0], [0, 0, 1], [-1, 1, 1]])
    assert numbers.evaluate_word_analogies(questions) == (1.0, {"\ufffd": (1, 1)})
    model = Word2Vec([["a", "b"]] * 5, vector_size=2, epochs=1)
    for options, error in (
        ({"start_alpha": "x"}, TypeError),
        ({"end_alpha": float("nan")}, ValueError),
        ({"on_epoch_end": 3}, TypeError),
    ):
        with pytest.raises(error, match=f"Word2Vec.train: {next(iter(options))}"):
            model.train([["a", "b"]], epochs=1, **options)
