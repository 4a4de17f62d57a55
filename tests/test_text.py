"""Tokens, counts and vocabularies of texts and files."""

from __future__ import annotations

import collections
import json
import pickle
import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivetrain.text import (
    BytePairTokenizer,
    ByteTokenizer,
    CharacterTokenizer,
    Normalizer,
    RandomSwap,
    RegexTokenizer,
    TextCompose,
    TokenCounter,
    Vocabulary,
    WhitespaceTokenizer,
    WordTokenizer,
    augmented,
    blocks,
    ngrams,
    pad,
    split_sentences,
    stop_words,
    strip_accents,
    strip_html,
)

# Letters whose lower form is longer, depends on what follows or has a mark; spaces and digits of all kinds.
ODD = st.text(
    alphabet="abYZ_09 .,'\t\n\x1c\x85\xa0\u2003\u03a3\u03c3\u03c2\u0391İ\u0131ßéÉȺǅ\u0307中文٣½"
    "\U00010400\U0001f600-",
    max_size=40,
)
TEXT = st.one_of(ODD, st.text(max_size=30).filter(lambda t: not re.search("[\ud800-\udfff]", t)))


class TestTokenizers:
    @settings(max_examples=300, deadline=None)
    @given(TEXT)
    def test_they_find_what_python_finds(self, text):
        assert WordTokenizer()(text) == re.findall(r"\w+", text)
        assert WordTokenizer(lowercase=True)(text) == re.findall(r"\w+", text.lower())
        assert WordTokenizer(lowercase=True, min_length=2)(text) == re.findall(r"\b\w\w+\b", text.lower())
        assert WhitespaceTokenizer()(text) == text.split()
        assert WhitespaceTokenizer(lowercase=True)(text.encode()) == text.lower().split()
        assert CharacterTokenizer(lowercase=True)(text) == list(text.lower())

    def test_all_characters(self):
        text = "".join(f"{chr(c)} a{chr(c)}" for c in range(0x32000) if not 0xD800 <= c < 0xE000)
        assert WordTokenizer(lowercase=True)(text) == re.findall(r"\w+", text.lower())
        assert WhitespaceTokenizer(lowercase=True)(text) == text.lower().split()

    @pytest.mark.parametrize("length", [1, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 100, 5000])
    def test_tokens_of_all_lengths(self, length):
        tokens = ["x" * length, "x" * (length - 1) + "y", "y" + "x" * (length - 1)]
        text = " ".join([*tokens, tokens[0].upper()])
        counter = TokenCounter(WordTokenizer(lowercase=True))
        counter.update([text])
        assert dict(counter.most_common()) == collections.Counter(text.lower().split())

    def test_stop_words_and_stems(self):
        tokenizer = WordTokenizer(lowercase=True, stop_words=stop_words.ENGLISH, stemmer=lambda w: w[:3])
        assert tokenizer("The cats sat on the mats") == ["cat", "sat", "mat"]
        with pytest.raises(TypeError, match="stop_words is 'the'"):
            WordTokenizer(stop_words="the")

    def test_regular_expressions(self):
        assert RegexTokenizer(r"(\w)\w*")("ab cd") == ["a", "c"]
        assert RegexTokenizer(",", gaps=True, lowercase=True, min_length=2)("Ab,c,,De") == ["ab", "de"]
        with pytest.raises(ValueError, match="is no expression"):
            RegexTokenizer("(")
        with pytest.raises(ValueError, match="has groups"):
            RegexTokenizer("(a)(b)")

    def test_invalid_utf8(self):
        for bad in (
            b"a \xff b",
            b"caf\xc3",
            b"\xed\xa0\x80 x",
            b"\xc0\x80",
            b"\xf4\x90\x80\x80",
            b"\xe0\x80\x80",
        ):
            with pytest.raises(ValueError, match=r"text 0 is no UTF-8: .* at byte"):
                WhitespaceTokenizer()(bad)
            for errors in ("replace", "ignore"):
                tokens = WhitespaceTokenizer(errors=errors)(bad)
                assert tokens == bad.decode("utf-8", errors).split()
        with pytest.raises(ValueError, match="errors is 'backslashreplace'"):
            WordTokenizer(errors="backslashreplace")
        with pytest.raises(ValueError, match="lone surrogate at position 1"):
            WordTokenizer()("a\udc80")

    def test_wrong_kinds(self):
        with pytest.raises(TypeError, match="text 0 is a NoneType, expected str or bytes"):
            WordTokenizer()(None)
        with pytest.raises(TypeError, match="no argument 'lower'"):
            WordTokenizer(lower=True)

    def test_bytes(self):
        tokenizer = ByteTokenizer(offset=4)
        ids = tokenizer.encode("né 中")
        assert tokenizer.decode([0, *ids]) == "né 中"
        assert (tokenizer.encode(b"\xff") == [259]).all()
        assert tokenizer.decode([259]) == "\ufffd"
        with pytest.raises(ValueError, match="ids run from 3 to 260, expected 0 to 259"):
            tokenizer.decode([3, 260])

    def test_ngrams_and_sentences(self):
        assert ngrams(["a", "b", "c"], 2, "_") == ["a_b", "b_c"]
        assert ngrams(["a"], 2) == []
        assert split_sentences("你好。再见。") == ["你好。", "再见。"]
        assert split_sentences("Pi is 3.14, e.g. here. “Yes.” No") == [
            "Pi is 3.14, e.g. here.",
            "“Yes.”",
            "No",
        ]
        assert split_sentences("  ") == []


class TestNormalizer:
    def test_html(self):
        assert strip_html("a<script>x<y</script>b<!-- c -->d &lt;e&gt; 1<2") == "a b d <e> 1<2"

    def test_all_together(self):
        clean = Normalizer(
            html=True,
            unicode="NFKC",
            urls="<url>",
            emails="<mail>",
            accents=True,
            lowercase=True,
            numbers="<n>",
            punctuation=" ",
            whitespace=True,
            steps=[lambda text: text + "!"],
        )
        text = "<b>Élan</b>: see www.x.org/a-b, mail me@x.co.uk 3.5 or ½ of v2."
        assert clean(text) == "elan see <url> mail <mail> <n> or <n>\u2044<n> of v2!"

    def test_wrong_arguments(self):
        with pytest.raises(ValueError, match="unicode is 'NFX'"):
            Normalizer(unicode="NFX")
        with pytest.raises(TypeError, match="urls is True"):
            Normalizer(urls=True)
        with pytest.raises(TypeError, match="text is a bytes"):
            Normalizer()(b"x")
        assert strip_accents("ﬁ Å") == "fi A"


class TestTokenCounter:
    @settings(max_examples=50, deadline=None)
    @given(st.lists(TEXT, max_size=8))
    def test_counts_as_python_does(self, texts):
        counter = TokenCounter(WordTokenizer(lowercase=True))
        counter.update(texts)
        counted = collections.Counter(word for text in texts for word in re.findall(r"\w+", text.lower()))
        ranked = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
        assert counter.most_common() == ranked
        assert (len(counter), counter.total) == (len(counted), sum(counted.values()))

    def test_many_tokens_on_any_number_of_threads(self, monkeypatch):
        monkeypatch.setattr(blocks, "BLOCK", 10_000)
        rng = np.random.default_rng(0)
        texts = [" ".join(f"w{n}é" for n in row) for row in rng.integers(0, 20_000, (400, 100))]
        expected = collections.Counter(word for text in texts for word in text.split())
        for threads in (1, 2, 3, 7):
            counter = TokenCounter(threads=threads)
            counter.update(texts)
            assert dict(counter.most_common()) == expected
        assert counter.most_common(3) == sorted(expected.items(), key=lambda item: (-item[1], item[0]))[:3]

    def test_merge_and_add(self):
        one, other = TokenCounter(), TokenCounter()
        one.update(["a b a"])
        other.update([["b", "c d"], "c"])
        one.merge(other)
        one.add({"a": 5, "e": 1})
        assert dict(one.most_common()) == {"a": 7, "b": 2, "c": 1, "c d": 1, "e": 1}
        assert one.most_common(min_frequency=2) == [("a", 7), ("b", 2)]
        with pytest.raises(ValueError, match="merged with itself"):
            one.merge(one)

    def test_an_error_leaves_the_counts_alone(self):
        counter = TokenCounter()
        counter.update(["a"])
        with pytest.raises(TypeError, match="text 2 is a NoneType"):
            counter.update(["a", "b", None])
        with pytest.raises(TypeError, match="a single str"):
            counter.update("abc")
        with pytest.raises(TypeError, match="token 1 is a int"):
            counter.update([["a", 1]])
        assert counter.most_common() == [("a", 1)]
        counter.update([])
        counter.update(["", " "])
        assert counter.total == 1


class TestFiles:
    @pytest.mark.parametrize(
        "tokenizer", [WordTokenizer(lowercase=True), RegexTokenizer(r"\w+", lowercase=True)]
    )
    @pytest.mark.parametrize("separator", [" ", "\n", "。", "\r\n"])
    def test_blocks_end_where_tokens_do(self, tmp_path, monkeypatch, tokenizer, separator):
        monkeypatch.setattr(blocks, "BLOCK", 97)
        words = [f"Wörd{n}中"[: 2 + n % 9] for n in range(500)]
        (tmp_path / "text").write_bytes(separator.join(words).encode())
        vocabulary = Vocabulary.from_files(tmp_path / "text", tokenizer, threads=2)
        assert dict(zip(vocabulary.tokens, vocabulary.counts, strict=True)) == {
            **dict.fromkeys(["<pad>", "<unk>", "<bos>", "<eos>"], 0),
            **collections.Counter(word.lower() for word in words),
        }
        ids = vocabulary.encode_file(tmp_path / "text", dtype=np.int32)
        assert ids.dtype == np.int32
        assert vocabulary.decode(ids) == [word.lower() for word in words]

    def test_one_long_line_in_little_memory(self, tmp_path):
        path = tmp_path / "line"
        with path.open("wb") as file:
            for _ in range(60):
                file.write(b"some words without an end " * 40_000)
        counter = TokenCounter(threads=1)
        tracemalloc.start()
        try:
            counter.update_file(path)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert counter.total == 60 * 40_000 * 5
        assert peak < 8e6 < path.stat().st_size

    def test_a_token_without_end(self, tmp_path, monkeypatch):
        monkeypatch.setattr(blocks, "BLOCK", 1000)
        monkeypatch.setattr(blocks, "LONGEST", 5000)
        (tmp_path / "text").write_bytes(b"a b " + b"x" * 10_000)
        with pytest.raises(ValueError, match="from byte 4 on hold no character that separates"):
            TokenCounter().update_file(tmp_path / "text")

    def test_encodings_and_errors(self, tmp_path, monkeypatch):
        monkeypatch.setattr(blocks, "BLOCK", 10)
        path = tmp_path / "text"
        path.write_bytes("élan vital élan vital".encode("latin-1"))
        counter = TokenCounter()
        with pytest.raises(ValueError, match=r"text: no UTF-8 at byte 0"):
            counter.update_file(path)
        counter.update_file(path, "latin-1")
        assert counter["élan"] == 2
        path.write_bytes(b"one two three \xff four")
        with pytest.raises(ValueError, match="no UTF-8 at byte 14"):
            counter.update_file(path)
        counter.update_file(path, errors="ignore")
        assert counter["four"] == 1
        path.write_bytes("one 中文".encode("utf-16"))
        counter.update_file(path, "utf-16")
        assert counter["中文"] == 1


class TestVocabulary:
    def test_thresholds(self):
        counts = {"a": 5, "b": 5, "c": 2, "<unk>": 9, "d": 1}
        assert Vocabulary.from_counts(counts, min_frequency=2).tokens[4:] == ["a", "b", "c"]
        assert Vocabulary.from_counts(counts, max_size=6).tokens[4:] == ["a", "b"]
        assert Vocabulary.from_counts(counts, max_size=3, bos=None, eos=None).tokens == [
            "<pad>",
            "<unk>",
            "a",
        ]
        assert Vocabulary.from_counts(counts, max_size=4).tokens[4:] == []
        with pytest.raises(ValueError, match="max_size is 3, but there are 4 special tokens"):
            Vocabulary.from_counts(counts, max_size=3)

    def test_encode(self):
        vocabulary = Vocabulary(["a", "b"])
        ids, offsets = vocabulary.encode_batch(["a b", "", "x a"], bos=True, eos=True)
        assert ids.tolist() == [2, 4, 5, 3, 2, 3, 2, 1, 4, 3]
        assert offsets.tolist() == [0, 4, 6, 10]
        assert vocabulary.encode(["b", "a"]).tolist() == [5, 4]
        assert Vocabulary(["a"], unk=None).encode("x a x").tolist() == [3]
        with pytest.raises(ValueError, match="has no bos token"):
            Vocabulary([], bos=None).encode("x", bos=True)
        with pytest.raises(KeyError):
            Vocabulary(["a"], unk=None)["b"]

    def test_threads_change_nothing(self, monkeypatch):
        monkeypatch.setattr(blocks, "BLOCK", 500)
        texts = [f"a{i % 7} b{i} 中{i % 3}" for i in range(300)]
        vocabulary = Vocabulary.from_texts(texts)
        one = vocabulary.encode_batch(texts, threads=1)
        for threads in (2, 3, 7):
            for a, b in zip(one, vocabulary.encode_batch(texts, threads=threads), strict=True):
                assert (a == b).all()
        assert vocabulary.decode(one[0]) == [word for text in texts for word in text.split()]

    def test_an_empty_one(self):
        vocabulary = Vocabulary([], pad=None, unk=None, bos=None, eos=None)
        assert len(vocabulary) == 0
        assert vocabulary.encode("a b").tolist() == []
        assert vocabulary.decode([]) == []
        with pytest.raises(IndexError, match="the vocabulary is empty"):
            vocabulary.decode([0])
        assert vocabulary.encode_batch([])[1].tolist() == [0]

    def test_decode_refuses(self):
        vocabulary = Vocabulary(["a"])
        assert vocabulary.decode([0, 2, 4, 1, 3], skip_special=False) == [
            "<pad>",
            "<bos>",
            "a",
            "<unk>",
            "<eos>",
        ]
        with pytest.raises(IndexError, match=r"ids\[1\] is 5, expected 0 to 4"):
            vocabulary.decode([4, 5])
        with pytest.raises(IndexError, match=r"ids\[0\] is -1"):
            vocabulary.decode([-1])
        with pytest.raises(TypeError, match="ids are float64"):
            vocabulary.decode([1.0])
        with pytest.raises(ValueError, match=r"shape \(1, 1\)"):
            vocabulary.decode([[1]])

    def test_tokens_are_checked(self):
        with pytest.raises(TypeError, match="token 5 is a int"):
            Vocabulary(["a", 3])
        with pytest.raises(ValueError, match="token 'a' comes more than once"):
            Vocabulary(["a", "b", "a"])
        with pytest.raises(ValueError, match="'<pad>' comes more than once"):
            Vocabulary(["<pad>"])
        with pytest.raises(ValueError, match="1 counts for 2 tokens"):
            Vocabulary(["a", "b"], counts=[1])
        with pytest.raises(TypeError, match="text 1 is a float"):
            Vocabulary(["a"]).encode_batch(["a", 1.5])

    @pytest.mark.parametrize("name", ["v.json", "v.txt"])
    def test_files(self, tmp_path, name):
        words = RegexTokenizer(r"\w+", lowercase=True, stop_words=["the"])
        made = Vocabulary.from_texts(["The Café, the “café” 中文", "x"], words, bos=None)
        made.save(tmp_path / name)
        read = Vocabulary.load(tmp_path / name, None if name == "v.json" else words)
        assert read == made
        assert "café" in (tmp_path / name).read_text()
        if name == "v.json":
            assert read.counts == made.counts
            assert json.loads((tmp_path / name).read_text())["specials"]["bos"] is None
        assert read.encode("the CAFÉ").tolist() == made.encode("the CAFÉ").tolist() == [made["café"]]
        again = pickle.loads(pickle.dumps(Vocabulary(["a", "b"])))
        assert again["b"] == 5

    def test_files_that_are_none(self, tmp_path):
        for number, text in enumerate(['{"tokens": []}', "[1]", "{", '"x"']):
            path = tmp_path / f"{number}.json"
            path.write_text(text)
            with pytest.raises(ValueError, match="no vocabulary of drivetrain"):
                Vocabulary.load(path)
        with pytest.raises(ValueError, match="does not fit on a line"):
            Vocabulary(["a\nb"]).save(tmp_path / "x.txt")
        Vocabulary(["a\nb", "\u2028", "\ud800"]).save(tmp_path / "x.json")
        assert Vocabulary.load(tmp_path / "x.json").tokens[4:] == ["a\nb", "\u2028", "\ud800"]

    def test_pad(self):
        assert pad([[1, 2, 3], [], [4]], length=2).tolist() == [[1, 2], [0, 0], [4, 0]]
        assert pad([[1, 2, 3], [4]], left=True, value=9).tolist() == [[1, 2, 3], [9, 9, 4]]
        assert pad([], length=3).shape == (0, 3)
        with pytest.raises(ValueError, match="offsets must rise from 0 to the number of ids, 2"):
            pad([1, 2], [0, 1])


def test_numbers_that_a_dtype_does_not_hold_are_refused(tmp_path):
    vocabulary = Vocabulary([f"w{i}" for i in range(300)])
    path = tmp_path / "text"
    path.write_text("w299 w0")
    for encode in (
        lambda dtype: vocabulary.encode("w299 w0", dtype=dtype),
        lambda dtype: vocabulary.encode_file(path, dtype=dtype),
    ):
        assert encode(np.uint16).tolist() == [303, 4]
        for dtype in (np.uint8, np.float32, bool, object):
            with pytest.raises(ValueError, match="expected one of integers up to 303"):
                encode(dtype)
    for counts in ([1.5], [-1], ["a"]):
        with pytest.raises((TypeError, ValueError), match="Vocabulary: a count must be an integer"):
            Vocabulary(["a"], counts=counts)
    for value in (1.5, float("nan"), 2**70):
        with pytest.raises(ValueError, match=r"pad: value is .* which int64 does not hold"):
            pad([[1], [2, 3]], value=value)
    with pytest.raises(ValueError, match="a count must be an integer from 0 to"):
        TokenCounter().add({"a": 2**62})


def test_damaged_vocabularies_name_the_file(tmp_path):
    path = tmp_path / "words.json"
    Vocabulary(["a"]).save(path)
    whole = json.loads(path.read_text())
    for changes in (
        {"counts": "a"},
        {"counts": 5},
        {"tokens": ["a", "a"]},
        {"specials": {**whole["specials"], "pad": 5}},
        {"tokenizer": {**whole["tokenizer"], "stemmer": "os.system"}},
        {"tokenizer": {**whole["tokenizer"], "more": 1}},
        {"tokenizer": {"name": "RegexTokenizer"}},
    ):
        path.write_text(json.dumps({**whole, **changes}))
        with pytest.raises(ValueError, match=r"words.json: no vocabulary of drivetrain"):
            Vocabulary.load(path)
    path.write_text("[" * 100_000)
    with pytest.raises(ValueError, match=r"words.json: no vocabulary of drivetrain"):
        Vocabulary.load(path)


@pytest.mark.parametrize("encoding", ["nope", "rot13", "hex", None])
def test_encodings_that_are_none_of_text(encoding, tmp_path):
    path = tmp_path / "text"
    path.write_bytes(b"61")
    with pytest.raises(ValueError, match="encoding"):
        Vocabulary.from_files(path, encoding=encoding)
    path.write_bytes(b"+2AA-")
    with pytest.raises(ValueError, match=r"text: .*surrogates not allowed"):
        Vocabulary.from_files(path, encoding="utf-7")


def test_cleaning_takes_time_that_grows_with_the_text():
    """A search that began again behind each beginning took minutes."""
    assert strip_html("<script>" * 100_000) == ""
    assert len(strip_html("<!--" * 100_000 + "-->" + "<!--" * 100_000)) == 400_001
    assert strip_html("a<script>b</SCRIPT >c<!-- <script> -->d<style>e") == "a c de"
    assert Normalizer(emails="<mail>")("a." * 100_000) == "a." * 100_000
    assert Normalizer(emails="<mail>")("to ..me+you@x.org.") == "to ..<mail>."
    assert split_sentences("." * 200_000) == ["." * 200_000]


def test_arguments_that_were_taken_for_others():
    with pytest.raises(TypeError, match="WordTokenizer: stemmer is 'porter', expected a function"):
        WordTokenizer(stemmer="porter")
    with pytest.raises(TypeError, match="split_sentences: text is a NoneType"):
        split_sentences(None)
    with pytest.raises(TypeError, match="augmented: texts is a single str"):
        augmented("ab", [1, 2], RandomSwap())
    with pytest.raises(TypeError, match="augmented: transform is a int"):
        augmented(["a b"], [1], 5)
    with pytest.raises(TypeError, match="TextCompose: one_of must be True or False"):
        TextCompose([RandomSwap()], one_of="x")


def test_byte_pairs_of_wrong_arguments(tmp_path):
    pytest.importorskip("tokenizers")
    path = tmp_path / "text"
    path.write_bytes(b"a \xff b")
    for error, options in (
        (TypeError, {"files": str(path)}),
        (TypeError, {"texts": ["a"], "special_tokens": "<pad>"}),
        (ValueError, {"texts": ["a"], "special_tokens": ["<p>", "<p>"]}),
        (ValueError, {"texts": ["a"], "vocab_size": 2**70}),
        (ValueError, {"files": [path]}),
        (ValueError, {"texts": ["\ud800"]}),
    ):
        with pytest.raises(error, match=r"BytePairTokenizer.train: "):
            BytePairTokenizer.train(**options)
