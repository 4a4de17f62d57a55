"""TextVectorization beside Keras's, scikit-learn's vectorisers, augmentation, stems, Chinese, byte pairs."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import drivetrain as dt
from drivetrain.text import (
    BytePairTokenizer,
    JiebaTokenizer,
    RandomDeletion,
    RandomInsertion,
    RandomSwap,
    Stemmer,
    SynonymReplacement,
    TextCompose,
    TextVectorization,
    TokenCounter,
    Vocabulary,
    WordTokenizer,
    augmented,
    blocks,
)

GOLDEN = json.loads((Path(__file__).parent / "golden/text_vectorization.json").read_text())
TEXTS, QUERY = GOLDEN["texts"], GOLDEN["query"]


def arguments_of(case):
    return {
        key: tuple(v) if key == "ngrams" and isinstance(v, list) else v
        for key, v in case["arguments"].items()
    }


def made(case, **more):
    layer = TextVectorization(**{**arguments_of(case), **more})
    if layer.vocabulary_size() <= 2:
        layer.adapt(TEXTS)
    return layer


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: str(case["arguments"]))
class TestKeras:
    def test_the_same_numbers(self, case):
        layer = made(case)
        assert layer.get_vocabulary() == case["vocabulary"]
        result = layer(QUERY)
        if case["arguments"].get("ragged"):
            assert [row.tolist() for row in result] == case["output"]
            return
        assert result.dtype == (np.int64 if layer.output_mode == "int" else np.float32)
        np.testing.assert_allclose(result, case["output"], rtol=1e-6)

    def test_in_python_too(self, case):
        """The way that functions take, which are here those of the names."""
        plain = made(case)
        if plain.split is None or plain.standardize is None:
            pytest.skip("no function to be given")
        layer = made(case, standardize=plain._standardized)
        assert layer._scanner is None
        for a, b in zip(layer(QUERY), plain(QUERY), strict=True):
            assert (a == b).all()
        assert layer.get_vocabulary() == plain.get_vocabulary()

    def test_from_its_config(self, case):
        layer = made(case)
        again = TextVectorization.from_config(json.loads(json.dumps(layer.get_config())))
        for a, b in zip(layer(QUERY), again(QUERY), strict=True):
            assert (a == b).all()


class TestTextVectorization:
    def test_kinds_of_input(self, monkeypatch):
        monkeypatch.setattr(blocks, "BLOCK", 100)
        layer = TextVectorization(output_sequence_length=3)
        layer.adapt(iter([["a b", "a"], ["c"]]))
        assert layer.get_vocabulary() == ["", "[UNK]", "a", "c", "b"]
        expected = [[2, 4, 0], [3, 0, 0]]
        for texts in (["a b", "c"], np.array(["a b", "c"]), np.array([["a b"], ["c"]]), [b"a b", b"c"]):
            assert layer(texts).tolist() == expected
        assert layer("a b").tolist() == [2, 4, 0]
        assert layer([]).shape == (0, 3)
        assert TextVectorization(encoding="latin-1", vocabulary=["é"])([b"\xe9"]).tolist() == [[2]]
        many = layer(["a b", "c"] * 200)
        assert (many == np.array(expected * 200)).all()

    def test_vocabulary_of_a_file(self, tmp_path):
        (tmp_path / "words.txt").write_text("a\nb\n")
        assert TextVectorization(vocabulary=tmp_path / "words.txt")(["b x"]).tolist() == [[3, 1]]

    def test_functions(self):
        layer = TextVectorization(standardize=str.upper, split=lambda text: text.split(","), ngrams=2)
        layer.adapt(["a,b", "a"])
        assert layer.get_vocabulary()[2:] == ["A", "B", "A B"]
        with pytest.raises(ValueError, match="is a function"):
            layer.get_config()

    def test_sparse_rows(self):
        sparse = pytest.importorskip("scipy.sparse")
        layer = TextVectorization(output_mode="count", sparse=True, vocabulary=["a", "b"])
        rows = layer(["a a", "x"])
        assert sparse.issparse(rows)
        assert rows.toarray().tolist() == [[0, 2, 0], [1, 0, 0]]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"standardize": "upper"}, "standardize is 'upper'"),
            ({"split": "words"}, "split is 'words'"),
            ({"output_mode": "one"}, "output_mode is 'one'"),
            ({"output_mode": "count", "output_sequence_length": 2}, "goes with output_mode='int'"),
            ({"output_mode": "count", "ragged": True}, "goes with output_mode='int'"),
            ({"sparse": True}, "other output modes"),
            ({"pad_to_max_tokens": True}, "needs max_tokens"),
            ({"vocabulary": []}, "the vocabulary is empty"),
            ({"vocabulary": ["a", "a"]}, "token 'a' comes more than once"),
            ({"vocabulary": ["a", "b"], "max_tokens": 3}, "has 4 tokens, max_tokens is 3"),
            ({"vocabulary": ["a"], "output_mode": "tf_idf"}, "idf_weights go with"),
            ({"vocabulary": ["a"], "output_mode": "tf_idf", "idf_weights": [1, 2]}, r"expected \(1,\)"),
            ({"idf_weights": [1.0]}, "need a vocabulary"),
            ({"max_tokens": 2}, "max_tokens must be an integer of at least 3"),
        ],
    )
    def test_wrong_arguments(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            TextVectorization(**arguments)

    def test_wrong_input(self):
        layer = TextVectorization()
        with pytest.raises(RuntimeError, match="call adapt"):
            layer(["a"])
        with pytest.raises(TypeError, match="text 1 is a NoneType"):
            layer.adapt(["a", None])
        with pytest.raises(TypeError, match="a single text"):
            layer.adapt("a")
        layer.adapt(["a"])
        with pytest.raises(TypeError, match="text 0 is a int"):
            layer([3])
        with pytest.raises(ValueError, match="text 0 is no UTF-8"):
            layer([b"\xff"])


class TestScikitLearn:
    TEXTS = ("good film", "bad film", "very good", "so bad", "good good", "bad bad story") * 5
    LABELS = ("up", "down", "up", "down", "up", "down") * 5

    @pytest.mark.parametrize("name", ["LogisticRegression", "MLPClassifier"])
    def test_vectorisers_before_our_estimators(self, name):
        text = pytest.importorskip("sklearn.feature_extraction.text")
        from sklearn.pipeline import make_pipeline

        from drivetrain import estimators

        options = {"hidden_layer_sizes": (8,), "solver": "lbfgs", "random_state": 0} if name[0] == "M" else {}
        for vectorizer in (text.TfidfVectorizer(ngram_range=(1, 2)), text.CountVectorizer()):
            model = make_pipeline(vectorizer, getattr(estimators, name)(**options))
            model.fit(list(self.TEXTS), list(self.LABELS))
            assert model.predict(["a good story", "a bad story"]).tolist() == ["up", "down"]

    def test_our_tokens_in_their_vectoriser(self):
        text = pytest.importorskip("sklearn.feature_extraction.text")
        texts = ["One, two: TWO élan", "naïve one's 3rd"]
        theirs = text.CountVectorizer().fit(texts)
        counter = TokenCounter(WordTokenizer(lowercase=True, min_length=2))
        counter.update(texts)
        assert sorted(token for token, _ in counter.most_common()) == sorted(theirs.vocabulary_)
        ours = text.CountVectorizer(analyzer=WordTokenizer(lowercase=True, min_length=2)).fit(texts)
        assert ours.vocabulary_ == theirs.vocabulary_


SYNONYMS = {"quick": ["fast", "rapid"], "lazy": ["idle"]}
FOX = "the quick brown fox jumps over the lazy dog"


class TestAugmentation:
    @pytest.mark.parametrize(
        "transform",
        [
            RandomDeletion(0.5, seed=1),
            RandomSwap(0.3, seed=1),
            RandomInsertion(SYNONYMS, 0.2, seed=1),
            SynonymReplacement(SYNONYMS, 0.2, seed=1),
            TextCompose([RandomSwap(), RandomDeletion(0.3)], seed=1),
            TextCompose([RandomSwap(), RandomDeletion(0.3)], one_of=True, seed=1),
        ],
        ids=repr,
    )
    def test_draws_belong_to_seed_epoch_and_position(self, transform):
        texts = [FOX] * 20
        whole = transform.at(texts, 0, 0)
        assert whole[7:] == transform.at(texts[7:], 0, 7)
        assert whole != transform.at(texts, 1, 0)
        assert len(set(whole)) > 1
        assert transform.at([FOX.split()], 0, 3)[0] == whole[3].split()
        assert transform(texts) == whole
        assert transform(texts) == transform.at(texts, 0, 20)
        assert transform("") == ""
        assert transform([[]]) == [[]]

    def test_what_they_do(self):
        words = FOX.split()
        deleted = [text.split() for text in RandomDeletion(0.5, seed=0)([FOX] * 200)]
        assert all(len(text) >= 1 and [w for w in words if w in text] for text in deleted)
        assert 4 < np.mean([len(text) for text in deleted]) < 5
        assert len(RandomDeletion(1.0, seed=0)(FOX).split()) == 1
        assert RandomDeletion(0.0, seed=0)(FOX) == FOX
        assert sorted(RandomSwap(1.0, seed=0)(FOX).split()) == sorted(words)
        assert RandomSwap(0.0, seed=0)(FOX) == FOX
        assert RandomSwap(1.0, seed=0)("one") == "one"
        replaced = SynonymReplacement(SYNONYMS, 1.0, seed=0)([FOX] * 20)
        assert {text.split()[1] for text in replaced} == {"fast", "rapid"}
        assert {text.split()[7] for text in replaced} == {"idle"}
        inserted = RandomInsertion(SYNONYMS, 0.1, seed=0)([FOX] * 20)
        assert {len(text.split()) for text in inserted} == {10}
        assert SynonymReplacement([["a", "b", "c"]], 1.0, seed=0)("c") in ("a", "b")

    def test_copies_with_labels(self):
        texts, labels = augmented(["a b c d", "e f"], [0, 1], RandomSwap(seed=0), copies=2)
        assert texts[:2] == ["a b c d", "e f"]
        assert [sorted(text.split()) for text in texts[2:]] == [list("abcd"), list("ef")] * 2
        assert labels == [0, 1] * 3

    def test_the_default_generator(self):
        dt.manual_seed(3)
        one = RandomDeletion(0.5)([FOX] * 5)
        dt.manual_seed(3)
        assert RandomDeletion(0.5)([FOX] * 5) == one

    def test_wrong_arguments(self):
        with pytest.raises(ValueError, match="p is 2"):
            RandomSwap(2)
        with pytest.raises(TypeError, match="synonyms of 'a' are 'b'"):
            SynonymReplacement({"a": "b"})
        with pytest.raises(TypeError, match="text 1 is None"):
            RandomSwap(seed=0)(["a b", None])
        with pytest.raises(TypeError, match="list of at least one"):
            TextCompose([])


class TestPlugIns:
    def test_stems(self):
        pytest.importorskip("snowballstemmer")
        tokenizer = WordTokenizer(lowercase=True, stemmer=Stemmer())
        assert tokenizer("Running runners ran") == ["run", "runner", "ran"]
        vocabulary = Vocabulary.from_texts(["he runs", "running"], tokenizer)
        assert vocabulary.tokens[4:] == ["run", "he"]
        assert vocabulary.encode("run runs").tolist() == [4, 4]
        with pytest.raises(ValueError, match="no language 'klingon'"):
            Stemmer("klingon")

    def test_chinese_words(self, tmp_path):
        if find_spec("jieba") is None:  # its import warns
            pytest.skip("no jieba")
        tokenizer = JiebaTokenizer()
        assert tokenizer("我来到北京清华大学 x") == ["我", "来到", "北京", "清华大学", "x"]
        assert "清华" in JiebaTokenizer("search")("清华大学")
        (tmp_path / "zh").write_text("我来到北京。\n我来到北京。\n")
        assert Vocabulary.from_files(tmp_path / "zh", tokenizer, min_frequency=2)["北京"] > 3
        with pytest.raises(ValueError, match="mode is 'none'"):
            JiebaTokenizer("none")

    def test_byte_pairs(self, tmp_path):
        pytest.importorskip("tokenizers")
        texts = ["low lower lowest newer newest wider " * 3, "élan 中文"]
        tokenizer = BytePairTokenizer.train(texts, vocab_size=280)
        assert tokenizer.id_of("<pad>") == 0
        assert 260 < len(tokenizer) <= 280
        ids = tokenizer.encode("lowest 中文 \U0001f600 new")
        assert tokenizer.decode([2, *ids, 3]) == "lowest 中文 \U0001f600 new"
        assert tokenizer("lowest")[0] in ("lo", "low")
        flat, offsets = tokenizer.encode_batch(["low", "", "new low"])
        assert tokenizer.decode(flat[offsets[2] :]) == "new low"
        tokenizer.save(tmp_path / "tokenizer.json")
        assert (
            BytePairTokenizer.load(tmp_path / "tokenizer.json").encode("lowest") == tokenizer.encode("lowest")
        ).all()
        (tmp_path / "text").write_text("\n".join(texts))
        assert len(BytePairTokenizer.train(files=[tmp_path / "text"], vocab_size=270)) == 270
        with pytest.raises(IndexError, match=r"ids\[0\] is 9999"):
            tokenizer.decode([9999])
        with pytest.raises(ValueError, match="expected at least 260"):
            BytePairTokenizer.train(texts, vocab_size=100)
        with pytest.raises(TypeError, match="text 1 is a NoneType"):
            BytePairTokenizer.train(["a", None], vocab_size=300)
        with pytest.raises(ValueError, match="either texts or files"):
            BytePairTokenizer.train()
        with pytest.raises(FileNotFoundError):
            BytePairTokenizer.train(files=[tmp_path / "none"])
        (tmp_path / "bad.json").write_text("{}")
        with pytest.raises(ValueError, match="no tokenizer"):
            BytePairTokenizer.load(tmp_path / "bad.json")

    @pytest.mark.parametrize("make", [Stemmer, JiebaTokenizer, lambda: BytePairTokenizer.train(["a"])])
    def test_what_is_missing_is_named(self, make, monkeypatch):
        import sys

        for library in ("snowballstemmer", "jieba", "tokenizers"):
            monkeypatch.setitem(sys.modules, library, None)
        with pytest.raises(ModuleNotFoundError, match=r"pip install 'drivetrain\[text\]'"):
            make()
