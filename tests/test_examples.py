"""The examples run in small, on the real data where it is installed and always on data made here."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import datasets
from drivetrain.text import Vocabulary

pytest.importorskip("matplotlib")
EXAMPLES = Path(__file__).parent.parent / "examples"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(name: str, *options: str) -> dict[str, Any]:
    figures: dict[str, Any] = load(name).main(["--small", *options])
    assert figures["seed"] == 0
    assert figures["seconds"] > 0
    return figures


def bars(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """28 x 28 images of bright bars: the class is a height, and one of five widths."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 10
    images = random.integers(0, 60, (count, 28, 28, 1)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        down, across = 3 + 5 * (label // 5), 2 + 2 * (label % 5)
        image[14 - down : 14 + down, 14 - across : 14 + across] = 230
    return images, labels


def two_parts(split: str | None = None, **_: Any) -> Any:
    parts = {"train": bars(800, 0), "test": bars(200, 1)}
    return parts[split] if split else (parts["train"], parts["test"])


def blobs(size: int, stride: int) -> Any:
    """Bright discs on dark noise, and where they are."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size]
    masks = np.stack(
        [np.hypot(y - cy, x - cx) < 14 for cy, cx in random.uniform(16, size - 16, (100, 2))]
    ).astype(np.int64)
    images = (random.integers(0, 30, masks.shape) + 90 * masks).astype(np.uint8)[..., None]
    return (images[:80], masks[:80]), (images[80:], masks[80:])


def colours(folder: Path) -> Path:
    """Class folders of patches that differ by colour."""
    image_module = pytest.importorskip("PIL.Image")
    random = np.random.default_rng(0)
    for part, count in (("train", 40), ("test", 10)):
        for name, colour in (("fire", (220, 90, 30)), ("sea", (30, 90, 200)), ("wood", (60, 140, 40))):
            (folder / part / name).mkdir(parents=True)
            for number in range(count):
                pixels = np.clip(colour + random.normal(0, 30, (32, 32, 3)), 0, 255).astype(np.uint8)
                image_module.fromarray(pixels).save(folder / part / name / f"{number}.png")
    return folder


def has(path: Path) -> bool:
    """Whether a picture was saved."""
    return path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("network", ["fast", "resnet18"])
def test_fashion_cnn(network: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "fashion_mnist", two_parts)
    picture = tmp_path / "wrong.png"
    figures = run("fashion_cnn", "--network", network, "--picture", str(picture))
    assert figures["test_accuracy"] > 0.2  # a guess: 0.1
    assert has(picture)


def test_fashion_cnn_goes_on_where_it_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "fashion_mnist", two_parts)
    arguments = (
        "--epochs",
        "3",
        "--checkpoints",
        str(tmp_path / "run"),
        "--picture",
        str(tmp_path / "wrong.png"),
    )
    whole = run("fashion_cnn", *arguments)
    newest = sorted((tmp_path / "run").iterdir())[-1]
    newest.unlink()  # as if it had been stopped in the last epoch
    again = run("fashion_cnn", *arguments)
    assert newest.exists()
    assert {**again, "seconds": 0} == {**whole, "seconds": 0}


def test_fashion_cnn_on_clothes(tmp_path: Path) -> None:
    try:
        datasets.fashion_mnist("test")
    except FileNotFoundError as error:
        pytest.skip(str(error))
    assert run("fashion_cnn", "--picture", str(tmp_path / "wrong.png"))["test_accuracy"] > 0.5


def test_photographs(tmp_path: Path) -> None:
    folder = colours(tmp_path / "colours")
    figures = run("photographs", "--folder", str(folder), "--pictures", str(tmp_path))
    assert figures["test_accuracy"] > 0.6
    assert has(tmp_path / "photographs.png")
    assert has(tmp_path / "photographs_confusion.png")


def test_photographs_of_the_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        datasets.photographs("photographs")
    except ModuleNotFoundError as error:
        pytest.skip(str(error))
    assert run("photographs")["test_accuracy"] > 0.25
    assert has(tmp_path / "photographs.png")


def test_transfer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(datasets, "fashion_mnist", two_parts)
    monkeypatch.setattr(datasets, "mnist5k", two_parts)
    picture = tmp_path / "curves.png"
    figures = run("transfer", "--picture", str(picture))
    # The same task again: what was learnt before must help.
    assert figures["fine_tuned"] > 0.6
    assert figures["fine_tuned"] >= figures["from_nothing"]
    assert len(figures["validation"]) == 2
    assert has(picture)
    with pytest.raises(SystemExit):
        run("transfer", "--per-class", "100000")
    assert "--per-class 100000 leaves no digits" in capsys.readouterr().err


def test_transfer_to_digits(tmp_path: Path) -> None:
    try:
        datasets.fashion_mnist("test")
        datasets.mnist5k("test")
    except (FileNotFoundError, ModuleNotFoundError) as error:
        pytest.skip(str(error))
    figures = run("transfer", "--picture", str(tmp_path / "curves.png"))
    assert figures["fine_tuned"] > 0.2


def test_nuclei(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "nuclei", blobs)
    picture = tmp_path / "nuclei.png"
    figures = run("nuclei", "--picture", str(picture))
    assert figures["test_iou"] > 0.5
    assert has(picture)


def test_nuclei_of_a_micrograph(tmp_path: Path) -> None:
    try:
        datasets.nuclei("all")
    except ModuleNotFoundError as error:
        pytest.skip(str(error))
    figures = run("nuclei", "--picture", str(tmp_path / "nuclei.png"))
    assert figures["test_iou"] > 0.5


def vowels() -> Any:
    """Noise of unequal length; in each class another feature is high now and then."""
    random = np.random.default_rng(0)
    labels = np.arange(180) % 9
    series = [random.normal(0, 0.5, (random.integers(12, 25), 12)).astype("f4") for _ in labels]
    for each, label in zip(series, labels, strict=True):
        each[::3, label] += 3
    return (series[:120], labels[:120]), (series[120:], labels[120:])


def days() -> Any:
    random = np.random.default_rng(0)
    labels = np.arange(200) % 2
    shapes = np.sin(np.arange(24) / 4)[None] * np.where(labels, 1, -1)[:, None]
    series = (shapes + random.normal(0, 0.5, shapes.shape)).astype("f4")[..., None]
    return (series[:100], labels[:100]), (series[100:], labels[100:])


@pytest.mark.parametrize("data", ["vowels", "power"])
def test_time_series(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "japanese_vowels", vowels)
    monkeypatch.setattr(datasets, "italy_power_demand", days)
    assert run("time_series", "--data", data)["test_accuracy"] > 0.6  # guesses: 0.11, 0.5


def test_time_series_of_aeon() -> None:
    try:
        datasets.japanese_vowels("test")
    except ModuleNotFoundError as error:
        pytest.skip(str(error))
    assert run("time_series")["test_accuracy"] > 0.8


def reviews(split: str | None = None, **_: Any) -> Any:
    """Sentences in which a pair of words says what is meant."""
    random = np.random.default_rng(0)
    labels = np.arange(400) % 2
    filler = [f"word{i}" for i in range(30)]
    texts = []
    for label in labels:
        words = [str(word) for word in random.choice(filler, 8)]
        words[3:3] = [("not", "quite")[random.integers(2)], ("dull", "fine")[label]]
        texts.append(" ".join(words))
    return (texts[:320], labels[:320]), (texts[320:], labels[320:])


def test_sentiment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "movie_reviews", reviews)
    figures = run("sentiment")
    assert figures["test_accuracy"] > 0.6
    assert figures["baseline"] is None or figures["baseline"] > 0.9


def test_sentiment_of_reviews() -> None:
    try:
        datasets.movie_reviews("test")
    except FileNotFoundError as error:
        pytest.skip(str(error))
    assert run("sentiment")["test_accuracy"] > 0.55


def phrases(split: str | None = None, **_: Any) -> Any:
    """Commands of a verb, an adjective and a noun, put into Chinese word by word."""
    verbs = {
        "open": "打开",
        "close": "关闭",
        "save": "保存",
        "print": "打印",
        "move": "移动",
        "delete": "删除",
    }
    adjectives = {
        "new": "新",
        "old": "旧",
        "red": "红",
        "large": "大",
        "first": "首",
        "last": "末",
        "empty": "空",
    }
    nouns = {"file": "文件", "page": "页面", "table": "表格", "image": "图像", "line": "行", "frame": "框架"}
    pairs = [
        (f"{verb.title()} {adjective} {noun}", verbs[verb] + adjectives[adjective] + nouns[noun])
        for verb in verbs
        for adjective in adjectives
        for noun in nouns
    ]
    order = np.random.default_rng(0).permutation(len(pairs))
    english, chinese = ([pairs[i][side] for i in order] for side in (0, 1))
    return (english[:200], chinese[:200]), (
        [english[0].upper() + "!", *english[200:]],
        [chinese[0], *chinese[200:]],
    )


def test_translation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(datasets, "libreoffice_chinese", phrases)
    figures = run("translation", "--epochs", "25", "--out", str(tmp_path))
    assert figures["test_phrases"] == 52  # without the one that differs from another in case and punctuation
    assert figures["test_bleu"] > 80
    assert figures["baseline"] is None or figures["baseline"] < figures["test_bleu"]
    words, characters = (Vocabulary.load(tmp_path / f"{name}.json") for name in ("english", "chinese"))
    model = dt.load(tmp_path / "model.safetensors")
    found = model.translate([words.encode("Save red table", eos=True).tolist()])[0]
    assert "".join(characters.decode(found)) == "保存红表格"


def test_translation_of_libreoffice(tmp_path: Path) -> None:
    try:
        datasets.libreoffice_chinese("test")
    except FileNotFoundError as error:
        pytest.skip(str(error))
    assert run("translation", "--out", str(tmp_path))["test_bleu"] > 1
