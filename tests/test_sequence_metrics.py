"""Perplexity, token accuracy and BLEU, masks of sequences, losses over sequences."""

import math

import numpy as np
import pytest

import drivetrain as dt
import drivetrain.nn.functional as F
from drivetrain import metrics, nn
from drivetrain.train import Trainer

CANDIDATES = [
    "the cat sat on the mat",
    "there is a dog in the garden today",
    "hello there",
    "it rains",
]
REFERENCES = [
    ["the cat is on the mat", "a cat sat on a mat"],
    ["there is a dog in the garden", "today a dog is in the garden"],
    ["hello over there", "hello there friend"],
    ["it is raining", "it rained"],
]
# Recorded from sacrebleu 2.6.0 (tokenize="none", divided by 100): smoothing, value, corpus, sentences with
# effective order.
SACREBLEU = [
    ("none", None, 0.729582515842024, (0.0, 0.8694417438899827, 0.6065306597126336, 0.0)),
    (
        *("floor", None, 0.729582515842024),
        (0.3593041119630843, 0.8694417438899827, 0.6065306597126336, 0.22360679774997894),
    ),
    (
        *("add-k", None, 0.7583388865451561),
        (0.6223329772884783, 0.8891397050194612, 0.6065306597126336, 0.7071067811865471),
    ),
    (
        *("add-k", 2.0, 0.780906874014132),
        (0.7186082239261686, 0.9036020036098446, 0.6065306597126336, 0.7598356856515927),
    ),
    (
        *("exp", None, 0.729582515842024),
        (0.537284965911771, 0.8694417438899827, 0.6065306597126336, 0.49999999999999994),
    ),
]
# Recorded from NLTK 3.10.4: its smoothing method1 with epsilon 0.1 for the first two sentences, and the
# corpus with weights (0.5, 0.5).
NLTK_FLOOR, NLTK_BIGRAMS = (0.35930411196308426, 0.8694417438899829), 0.8997354108424374


@pytest.mark.parametrize(("smoothing", "value", "corpus", "sentences"), SACREBLEU)
def test_bleu_is_sacrebleus(smoothing, value, corpus, sentences):
    options = {"smoothing": smoothing, "smoothing_value": value}
    assert metrics.corpus_bleu(REFERENCES, CANDIDATES, **options) == pytest.approx(corpus, abs=1e-12)
    for references, candidate, expected in zip(REFERENCES, CANDIDATES, sentences, strict=True):
        assert metrics.sentence_bleu(references, candidate, **options) == pytest.approx(expected, abs=1e-12)


def test_bleu_is_nltks():
    for references, candidate, expected in zip(REFERENCES, CANDIDATES, NLTK_FLOOR, strict=False):
        assert metrics.sentence_bleu(references, candidate, smoothing="floor") == pytest.approx(expected)
    assert metrics.corpus_bleu(REFERENCES, CANDIDATES, max_order=2) == pytest.approx(NLTK_BIGRAMS)


def test_bleu_of_numbers_and_of_batches():
    texts = [*CANDIDATES, *(text for several in REFERENCES for text in several)]
    words = sorted({word for text in texts for word in text.split()})

    def numbered(text):
        return [words.index(word) for word in text.split()]

    references = [[numbered(text) for text in several] for several in REFERENCES]
    candidates = [np.array(numbered(text)) for text in CANDIDATES]
    whole = metrics.corpus_bleu(references, candidates)
    assert whole == metrics.corpus_bleu(REFERENCES, CANDIDATES)
    one, other = metrics.BLEU(), metrics.BLEU()
    assert math.isnan(one.result())
    one.update(references[:1], candidates[:1])
    state = one.state_dict()
    other.load_state_dict(state)
    one.update(references[1:3], candidates[1:3])
    rest = metrics.BLEU()
    rest.update(references[3:], candidates[3:])
    one.merge(rest)
    other.update(references[1:], candidates[1:])
    assert one.result() == other.result() == whole


def test_bleu_at_its_ends():
    assert metrics.corpus_bleu(["a b c d"], ["a b c d"]) == 1.0
    assert metrics.corpus_bleu([[[1, 2, 3, 4]]], [[1, 2, 3, 4]]) == 1.0
    assert metrics.corpus_bleu([[1, 2, 3, 4]], [[1, 2, 3, 4]]) == 1.0
    assert metrics.corpus_bleu(["a b c d"], [""]) == 0.0
    assert metrics.corpus_bleu([""], ["a"]) == 0.0
    assert metrics.sentence_bleu("", "") == 0.0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: metrics.corpus_bleu(["a"], []), ValueError, "references for 1 sentences, but 0 candidates"),
        (lambda: metrics.corpus_bleu([[]], ["a"]), ValueError, "a sentence has no reference"),
        (lambda: metrics.corpus_bleu([], []), ValueError, "got no sentences"),
        (lambda: metrics.corpus_bleu(["a"], [3]), TypeError, "a sentence is a int"),
        (lambda: metrics.corpus_bleu(["a"], ["a"], smoothing="some"), ValueError, "smoothing must be one of"),
        (lambda: metrics.BLEU(max_order=0), ValueError, "max_order must be a positive integer, got 0"),
        (lambda: metrics.BLEU().update(["a"], ["a"], [1.0]), ValueError, "n-grams are not weighted"),
    ],
)
def test_bleu_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()


def log_softmax(x):
    x = x - x.max(axis=-1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))


def batch(seed=0, ignored=-100):
    rng = np.random.default_rng(seed)
    labels = rng.integers(1, 7, (4, 5))
    labels[0, 2:] = labels[3, 4:] = ignored
    return labels, rng.normal(size=(4, 5, 7)).astype(np.float32)


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_bleu_refuses_smoothing_that_is_none(value):
    with pytest.raises(ValueError, match="smoothing_value must be a"):
        metrics.corpus_bleu([["a b"]], ["a c"], smoothing="floor", smoothing_value=value)


def test_bleu_takes_no_single_string_for_a_corpus():
    with pytest.raises(TypeError, match="references is 'a b', expected a list with one entry"):
        metrics.corpus_bleu("a b", "a b")


@pytest.mark.parametrize("ignored", [-100, 0])
def test_perplexity_and_token_accuracy_are_those_of_all_tokens(ignored):
    labels, logits = batch(ignored=ignored)
    counts = labels != ignored
    costs = -np.take_along_axis(log_softmax(logits.astype(float)), np.where(counts, labels, 0)[..., None], 2)
    expected = np.exp(costs[..., 0][counts].mean())
    right = (logits.argmax(axis=-1) == labels)[counts].mean()
    perplexity = metrics.Perplexity(ignore_index=ignored)
    accuracy = metrics.TokenAccuracy(ignore_index=ignored)
    for part in (slice(0, 1), slice(1, 4)):  # of different numbers of tokens
        perplexity.update(dt.tensor(labels[part]), dt.tensor(logits[part]))
        accuracy.update(labels[part], dt.tensor(logits[part]))
    assert perplexity.result() == pytest.approx(expected, rel=1e-6)
    assert accuracy.result() == pytest.approx(right)
    masked = metrics.Perplexity()
    masked.update(np.where(counts, labels, 1), logits, counts)
    assert masked.result() == pytest.approx(expected, rel=1e-6)
    labelled = metrics.TokenAccuracy(ignore_index=ignored)
    labelled.update(labels, logits.argmax(axis=-1))
    assert labelled.result() == pytest.approx(right)


def test_perplexity_of_weighted_sequences_and_of_nothing():
    labels, logits = batch()
    whole, part = metrics.Perplexity(), metrics.Perplexity()
    assert math.isnan(part.result())
    part.update(np.full((2, 3), -100), np.zeros((2, 3, 4), np.float32))
    assert math.isnan(part.result())
    part.update(labels[:2], logits[:2])
    whole.update(labels, logits, np.array([1.0, 1.0, 0.0, 0.0]))
    assert whole.result() == pytest.approx(part.result())
    part.update([0], np.array([[-1e30, 0.0]]))
    assert part.result() == math.inf


def test_perplexity_refuses():
    with pytest.raises(ValueError, match=r"y_pred \(2, 3\), expected logits"):
        metrics.Perplexity().update(np.zeros((2, 3), int), np.zeros((2, 3), np.float32))
    with pytest.raises(ValueError, match="reaches from 9 to 9, expected 0 to 3"):
        metrics.Perplexity().update([9], np.zeros((1, 4), np.float32))
    with pytest.raises(ValueError, match=r"sample_weight has shape \(3,\)"):
        metrics.Perplexity().update([1], np.zeros((1, 4), np.float32), [1, 2, 3])
    with pytest.raises(ValueError, match="expected labels of one shape"):
        metrics.TokenAccuracy().update([1, 2], np.zeros((3, 4)))


def test_metrics_of_tokens_by_name():
    labels, _ = batch(ignored=0)
    model = nn.Sequential(nn.Embedding(7, 8), nn.Linear(8, 7))
    trainer = Trainer(
        model,
        loss=nn.CrossEntropyLoss(ignore_index=0),
        optimizer="adam",
        metrics=["perplexity", "token_accuracy"],
        seed=0,
    )
    history = trainer.fit(labels, labels, batch_size=4, epochs=2, verbose=0).history
    assert history["perplexity"][1] == pytest.approx(math.exp(history["loss"][1]), rel=1e-5)
    assert trainer.metrics[1].weight == (labels != 0).sum()


def test_sequence_mask():
    assert F.sequence_mask(dt.tensor([0, 2]), 3).tolist() == [[False] * 3, [True, True, False]]
    assert F.sequence_mask(np.array([[1], [2]])).shape == (2, 1, 2)
    assert F.sequence_mask([]).shape == (0, 0)
    for lengths, most in (([4], 3), ([-1, 2], None)):
        with pytest.raises(ValueError, match="sequence_mask: lengths reach"):
            F.sequence_mask(lengths, most)
    with pytest.raises(TypeError, match="expected integers"):
        F.sequence_mask([1.5])


def test_masked_mean():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3, 4, 2))
    mask = np.array([[1, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]], bool)
    x = dt.tensor(np.where(mask[..., None], values, np.inf), requires_grad=True)
    mean = F.masked_mean(x, mask, axis=1)
    assert np.allclose(mean.detach(), [values[0, :2].mean(0), [0, 0], values[2].mean(0)])
    mean.sum().backward()
    assert np.allclose(x.grad, (mask / np.array([2, 1, 4])[:, None])[..., None] * np.ones(2))
    assert F.masked_mean(dt.tensor(values), mask).item() == pytest.approx(values[mask].mean())
    assert F.masked_mean(dt.tensor(values), np.zeros((3, 4), bool)).item() == 0.0
    with pytest.raises(ValueError, match=r"mask has shape \(4,\), expected \(3, 4, 2\)"):
        F.masked_mean(dt.tensor(values), np.ones(4, bool))
    with pytest.raises(TypeError, match="mask is int64, expected bool"):
        F.masked_mean(dt.tensor(values), np.ones((3, 4), int))


def test_cross_entropy_of_sequences_is_pytorchs():
    torch = pytest.importorskip("torch")
    labels, logits = batch()
    x = dt.tensor(logits, requires_grad=True)
    other = torch.tensor(logits, requires_grad=True)
    loss = F.cross_entropy(x, dt.tensor(labels), label_smoothing=0.1)
    expected = torch.nn.functional.cross_entropy(
        other.transpose(1, 2), torch.tensor(labels), label_smoothing=0.1
    )
    loss.backward()
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    assert np.allclose(x.grad, other.grad, atol=1e-7)
    # A mask of tokens is a weight of each.
    mask = F.sequence_mask([2, 5, 5, 4], 5).astype("float32")
    by_mask = F.cross_entropy(x, dt.tensor(np.where(labels < 0, 0, labels)), sample_weight=mask)
    assert by_mask.item() == pytest.approx(F.cross_entropy(x, dt.tensor(labels)).item(), rel=1e-6)
