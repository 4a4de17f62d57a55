"""Translation: a transformer puts the phrases of an office program into Chinese.

    apt install libreoffice-l10n-zh-cn      # 16,000 phrases of menus, dialogues and messages
    python examples/translation.py          # minutes on two cores
    python examples/translation.py --small  # seconds, to try it out

English goes in by words, Chinese comes out by characters. The nearest known phrase by TF-IDF, with its
translation, is shown beside it where scikit-learn is installed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import drivetrain as dt
from drivetrain import datasets, models, nn, optim
from drivetrain.data import BucketBatchSampler, DataLoader, PadCollate
from drivetrain.metrics import BLEU
from drivetrain.text import CharacterTokenizer, RegexTokenizer, Vocabulary
from drivetrain.train import Trainer

WORDS = RegexTokenizer(r"[^\W\d_]+|\d|[^\w\s]", lowercase=True)
SHOWN = 8  # translations of more than three words that are printed


def unknown(english: list[str], test: tuple[list[str], list[str]]) -> tuple[list[str], list[str]]:
    """The phrases of the test part that differ from all others in more than case, digits and punctuation."""

    def words_of(phrase: str) -> str:
        return " ".join(word for word in WORDS(phrase) if word.isalpha())

    seen = set(map(words_of, english))
    kept = [pair for pair in zip(*test, strict=True) if words_of(pair[0]) not in seen]
    return [phrase for phrase, _ in kept], [translation for _, translation in kept]


def encoded(vocabulary: Vocabulary, texts: list[str], **options: bool) -> list[Any]:
    ids, offsets = vocabulary.encode_batch(texts, **options)
    return np.split(ids, offsets[1:-1])


def batches(source: list[Any], target: list[Any], places: int, seed: int) -> DataLoader:
    """Phrases of like lengths together, as many as fill so many places."""
    samples = [((s, t[:-1]), t[1:]) for s, t in zip(source, target, strict=True)]
    lengths = [max(len(s), len(t)) for s, t in zip(source, target, strict=True)]
    sampler = BucketBatchSampler(lengths, max_tokens=places, seed=seed)
    return DataLoader(samples, batch_sampler=sampler, collate_fn=PadCollate(lengths=False))


def translations(model: Any, source: list[Any], chinese: Vocabulary, beams: int = 4) -> list[str]:
    """Those of phrases of like lengths are looked for together."""
    found = [""] * len(source)
    for part in BucketBatchSampler([len(s) for s in source], 64, shuffle=False):
        for place, tokens in zip(part, model.translate([source[i] for i in part], beams=beams), strict=True):
            found[place] = "".join(chinese.decode(tokens))
    return found


def bleu(references: list[str], candidates: list[str]) -> float:
    """Of characters, in percent."""
    score = BLEU()
    score.update([[list(reference)] for reference in references], [list(each) for each in candidates])
    return 100 * score.result()


def baseline(english: list[str], chinese: list[str], test_english: list[str]) -> list[str] | None:
    """The translations of the nearest known phrases."""
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
    except ModuleNotFoundError:
        return None
    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    known = vectorizer.fit_transform(english)
    nearest = (vectorizer.transform(test_english) @ known.T).toarray().argmax(axis=1)
    return [chinese[i] for i in nearest]


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--folder", help="where the *.mo files lie; default: where Debian's package puts them"
    )
    parser.add_argument("--epochs", type=int, help="default: 15")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--small", action="store_true", help="few phrases, a narrow network, ten epochs")
    parser.add_argument("--out", type=Path, default="translation", help="folder to save the network in")
    options = parser.parse_args(argv)
    epochs = options.epochs or (10 if options.small else 15)
    width, layers, places = (64, 1, 512) if options.small else (128, 2, 1024)

    (english, chinese), test = datasets.libreoffice_chinese(folder=options.folder, seed=options.seed)
    test_english, test_chinese = unknown(english, test)
    if options.small:
        english, chinese = english[:2000], chinese[:2000]
        test_english, test_chinese = test_english[:100], test_chinese[:100]
    words = Vocabulary.from_texts(english, WORDS, min_frequency=2)
    characters = Vocabulary.from_texts(chinese, CharacterTokenizer())
    source, test_source = (encoded(words, part, eos=True) for part in (english, test_english))
    loader = batches(source, encoded(characters, chinese, bos=True, eos=True), places, options.seed)

    dt.manual_seed(options.seed)
    model = models.translation_transformer(
        len(words), len(characters), width, layers, heads=4, norm_first=True
    )
    steps = epochs * len(loader)
    trainer = Trainer(
        model,
        loss=nn.CrossEntropyLoss(label_smoothing=0.1),
        optimizer=optim.AdamW(model.parameters(), lr=2e-3, betas=(0.9, 0.98), weight_decay=0.01),
        lr_scheduler=lambda optimizer: optim.lr_scheduler.WarmUp(
            optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps - steps // 10), steps // 10
        ),
        lr_scheduler_interval="step",
        gradient_clip_val=1.0,
        precision=options.precision,
        seed=options.seed,
    )
    print(f"{len(english):,} phrases to train on, {len(test_english):,} to test on, seed {options.seed}")
    start = time.perf_counter()
    trainer.fit(loader, epochs=epochs, verbose=0 if options.small else 2)
    figures: dict[str, Any] = {"seed": options.seed, "seconds": time.perf_counter() - start}
    figures["test_phrases"] = len(test_english)
    options.out.mkdir(parents=True, exist_ok=True)
    dt.save(model, options.out / "model.safetensors")
    words.save(options.out / "english.json")
    characters.save(options.out / "chinese.json")

    found = translations(model, test_source, characters)
    nearest = baseline(english, chinese, test_english)
    figures["test_bleu"] = bleu(test_chinese, found)
    figures["baseline"] = None if nearest is None else bleu(test_chinese, nearest)
    for place in [i for i, phrase in enumerate(test_english) if len(phrase.split()) > 3][:SHOWN]:
        print(f"{test_english[place]}\n    {found[place]}\n    {test_chinese[place]} (reference)")
    print(f"{epochs} epochs in {figures['seconds']:.0f} s, BLEU of characters {figures['test_bleu']:.1f}")
    if nearest is not None:
        print(f"the nearest known phrase by TF-IDF: {figures['baseline']:.1f}")
    return figures


if __name__ == "__main__":
    main()
