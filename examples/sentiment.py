"""Sentiment of film reviews: four networks that learn from 8,484 sentences, and their mean.

    pip download --no-deps --no-binary :all: vaderSentiment   # for the sentences; leave the file as it is
    python examples/sentiment.py                              # a minute or two on two cores
    python examples/sentiment.py --small                      # seconds, to try it out

A bag of words and pairs of words, one that begins with how often the classes have them, a convolutional and a
recurrent network. TF-IDF with logistic regression is shown beside them where scikit-learn is installed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

import drivetrain as dt
from drivetrain import datasets, models, nn, optim
from drivetrain.text import RegexTokenizer, Vocabulary, pad
from drivetrain.train import Trainer

LENGTH = 40  # tokens; what is behind is cut off
PAIRS = 100_003  # vectors that the pairs of words share
UNKNOWN = 1


def pairs_of(tokens: dt.Tensor) -> dt.Tensor:
    """A number below PAIRS for each word with the one behind it; 0 where there is none."""
    left, right = tokens[:, :-1], tokens[:, 1:]
    return ((left * 31_337 + right * 7_919) % (PAIRS - 1) + 1) * (right > 0)


class Bag(nn.Module):
    """The sum of a vector for each word and for each pair of neighbours (Joulin et al., 2016)."""

    def __init__(self, vocab_size: int, classes: int, width: int = 32) -> None:
        super().__init__()
        self.words = nn.Embedding(vocab_size, width, padding_idx=0)
        self.pairs = nn.Embedding(PAIRS, width, padding_idx=0)
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(width, classes)
        for table in (self.words, self.pairs):
            nn.init.normal_(table.weight, 0.0, 0.1)
            nn.init.zeros_(table.weight.detach()[0])

    def forward(self, tokens: dt.Tensor) -> dt.Tensor:
        count = dt.maximum((tokens > 0).sum(axis=1, keepdims=True), 1)
        total = self.words(tokens).sum(axis=1) + self.pairs(pairs_of(tokens)).sum(axis=1)
        return self.head(self.dropout(total / count**0.5))


class Ratios(nn.Module):
    """A weight for each word and pair, times the logarithm of how much more often one class has it than the
    other (Wang and Manning, 2012)."""

    def __init__(self, tokens: Any, labels: Any, vocab_size: int) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        size = vocab_size + PAIRS
        parts = np.sort(self.parts_of(dt.tensor(tokens)), axis=1)
        once = np.diff(parts, axis=1, prepend=-1) > 0  # a part counts once in a sentence
        bad, good = (1.0 + np.bincount(parts[labels == c][once[labels == c]], minlength=size) for c in (0, 1))
        ratio = np.log(good / good.sum()) - np.log(bad / bad.sum())
        ratio[[0, vocab_size]] = 0.0  # padding
        self.register_buffer("ratio", dt.tensor(ratio[:, None], dtype="float32"))
        self.weight = nn.Embedding(size, 1)
        nn.init.zeros_(self.weight.weight)
        self.scale, self.bias = nn.Parameter(dt.full((1,), 0.25)), nn.Parameter(dt.zeros(1))
        self.dropout = nn.Dropout(0.3)

    def parts_of(self, tokens: dt.Tensor) -> dt.Tensor:
        return dt.concat([tokens, pairs_of(tokens) + self.vocab_size], axis=1)

    def forward(self, tokens: dt.Tensor) -> dt.Tensor:
        parts = self.parts_of(tokens)
        ratio = self.dropout(nn.functional.embedding(parts, self.ratio))
        score = (ratio * (self.weight(parts) + self.scale)).sum(axis=1) + self.bias
        return dt.concat([-score / 2, score / 2], axis=1)


class Forgetful(nn.Module):
    """Hides words from a network in training, so that it does not rely on single ones."""

    def __init__(self, model: nn.Module, p: float = 0.15) -> None:
        super().__init__()
        self.model, self.p = model, p

    def forward(self, tokens: dt.Tensor) -> dt.Tensor:
        if self.training:
            hidden = dt.logical_and(dt.rand(tokens.shape) < self.p, tokens > 0)
            tokens = dt.where(hidden, UNKNOWN, tokens)
        return self.model(tokens)


def baseline(texts: list[str], labels: Any, test_texts: list[str], test_labels: Any) -> float | None:
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
    except ModuleNotFoundError:
        return None
    pipeline = make_pipeline(TfidfVectorizer(sublinear_tf=True), LogisticRegression(C=4.0, max_iter=500))
    return float(pipeline.fit(texts, labels).score(test_texts, test_labels))


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--path", default=".", help="vaderSentiment-*.tar.gz, or the folder where it lies")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--small", action="store_true", help="two epochs of each network")
    options = parser.parse_args(argv)

    (texts, labels), (test_texts, test_labels) = datasets.movie_reviews(path=options.path, seed=options.seed)
    words = RegexTokenizer(r"[a-z']+|[!?.,]", lowercase=True)
    vocabulary = Vocabulary.from_texts(texts, words, min_frequency=2)
    tokens, test_tokens = (pad(*vocabulary.encode_batch(t), length=LENGTH) for t in (texts, test_texts))
    size = len(vocabulary)
    networks = {  # how many epochs they train, and their weight decay
        "bag": (lambda: Bag(size, 2), 12, 0.1),
        "ratios": (lambda: Ratios(tokens, np.asarray(labels), size), 8, 1.0),
        "cnn": (lambda: models.text_cnn(size, 2, 64, kernel_sizes=(1, 2, 3), channels=64), 6, 0.1),
        "gru": (lambda: models.rnn_classifier(size, 2, 64, 64, cell="gru", pooling="max"), 12, 0.1),
    }
    figures: dict[str, Any] = {"seed": options.seed}
    start, total = time.perf_counter(), 0.0
    for name, (new_model, usual, decay) in networks.items():
        epochs = 2 if options.small else usual
        dt.manual_seed(options.seed)
        model = Forgetful(new_model())
        trainer = Trainer(
            model,
            loss="cross_entropy",
            optimizer=optim.AdamW(model.parameters(), weight_decay=decay),
            lr_scheduler=lambda optimizer, epochs=epochs: optim.lr_scheduler.OneCycleLR(
                optimizer, max_lr=2e-3, epochs=epochs, steps_per_epoch=-(-len(labels) // 64)
            ),
            seed=options.seed,
        )
        trainer.fit(tokens, labels, epochs=epochs, batch_size=64, verbose=0)
        chances = dt.softmax(dt.tensor(trainer.predict(test_tokens))).numpy()
        figures[name] = float(np.mean(np.argmax(chances, axis=1) == test_labels))
        total = total + chances
        print(f"{name}: {epochs} epochs, test accuracy {100 * figures[name]:.2f}%")
    figures["seconds"] = time.perf_counter() - start
    figures["test_accuracy"] = float(np.mean(np.argmax(total, axis=1) == test_labels))
    figures["baseline"] = baseline(texts, labels, test_texts, test_labels)
    print(f"seed {options.seed}: the four together {100 * figures['test_accuracy']:.2f}%")
    if figures["baseline"] is not None:
        print(f"TF-IDF and logistic regression: {100 * figures['baseline']:.2f}%")
    return figures


if __name__ == "__main__":
    main()
