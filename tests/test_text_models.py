"""Networks for texts: convolutional, recurrent, from sequence to sequence; weights with two names."""

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import models, nn
from drivetrain.data import BucketBatchSampler, DataLoader, SequenceWindows, pad_collate
from drivetrain.train import Checkpoint, Trainer
from resume_tools import KillAt, Killed

rng = np.random.default_rng(5)
# Which of two tokens comes first says the class; texts of 2 to 12 tokens.
TEXTS = []
for _ in range(160):
    text, place = rng.integers(4, 30, rng.integers(2, 13)), rng.integers(2)
    first = rng.integers(0, len(text) - 1)
    text[first], text[rng.integers(first + 1, len(text))] = (2, 3) if place else (3, 2)
    TEXTS.append((text, int(place)))

CLASSIFIERS = {
    "cnn": lambda **more: models.text_cnn(30, 2, 16, channels=16, **more),
    "cnn of one width": lambda **more: models.text_cnn(30, 2, 16, [2], 16, **more),
    "lstm": lambda **more: models.rnn_classifier(30, 2, 16, 16, **more),
    "gru, mean": lambda **more: models.rnn_classifier(30, 2, 16, 16, cell="gru", pooling="mean", **more),
    "gru, last": lambda **more: models.rnn_classifier(
        *(30, 2, 16, 16, 2), cell="gru", pooling="last", bidirectional=False, **more
    ),
    "lstm, max": lambda **more: models.rnn_classifier(30, 2, 16, 16, pooling="max", **more),
}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_text_ends_behind_its_last_token_that_is_no_padding(name):
    """Padding in front of it or within is a part of the text for those that go by lengths."""
    model = CLASSIFIERS[name]().eval()
    tokens = dt.tensor([[5, 0, 7, 4, 0], [0, 0, 6, 9, 8], [3, 0, 0, 0, 2], [4, 6, 0, 0, 0]])
    with dt.no_grad():
        found = model(tokens).numpy()
        if isinstance(model, models.RNNClassifier):
            assert np.array_equal(found, model(tokens, [4, 5, 5, 2]).numpy())
        alone = [model(tokens[i : i + 1, :n]).numpy()[0] for i, n in enumerate([4, 5, 5, 2])]
    assert np.allclose(found, alone, atol=1e-6)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_padding_changes_nothing(name):
    model = CLASSIFIERS[name]().eval()
    (tokens, lengths), _ = pad_collate(TEXTS[:7])
    with dt.no_grad():
        whole = model(tokens, lengths).numpy()
        longer = nn.functional.pad(tokens, ((0, 0), (0, 5)))
        assert np.allclose(model(longer, lengths), whole, atol=1e-5)
        assert np.allclose(model(longer), whole, atol=1e-5)  # the padding token says it, too
        for i in (0, 3):
            alone = dt.tensor(TEXTS[i][0][None])
            assert np.allclose(model(alone)[0], whole[i], atol=1e-5)
        # What stands behind the lengths does not count.
        garbage = np.where(np.arange(longer.shape[1]) < lengths.numpy()[:, None], longer, 7)
        assert np.allclose(model(dt.tensor(garbage), lengths), whole, atol=1e-5)
        empty = model(dt.tensor([[0, 0, 0]])).numpy()
        assert np.isfinite(empty).all()


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers_learn(name):
    dt.manual_seed(0)
    model = CLASSIFIERS[name](dropout=0.0)
    sampler = BucketBatchSampler([len(text) for text, _ in TEXTS], 16, buckets=3)
    loader = DataLoader(TEXTS, batch_sampler=sampler, collate_fn=pad_collate)
    trainer = Trainer(
        model,
        loss="cross_entropy",
        optimizer=dt.optim.Adam(model.parameters(), lr=0.01),
        metrics=["accuracy"],
        seed=0,
    )
    history = trainer.fit(loader, epochs=12, verbose=0).history
    assert history["accuracy"][-1] > 0.9


@pytest.mark.parametrize("name", ["cnn", "lstm"])
def test_sparse_tables_train_alike(name):
    losses = []
    for sparse in (False, True):
        dt.manual_seed(0)
        model = CLASSIFIERS[name](dropout=0.0, sparse=sparse)
        loader = DataLoader(TEXTS, 16, collate_fn=pad_collate)
        trainer = Trainer(model, loss="cross_entropy", optimizer="adagrad", seed=0)
        losses.append(trainer.fit(loader, epochs=2, verbose=0).history["loss"])
    assert np.allclose(losses[0], losses[1], rtol=1e-5)


def test_series_of_numbers():
    x = rng.normal(size=(6, 9, 3)).astype(np.float32)
    lengths = dt.tensor([9, 4, 1, 0, 7, 9])
    model = models.rnn_classifier(None, 4, hidden=8, in_features=3).eval()
    out = model(dt.tensor(x), lengths)
    assert out.shape == (6, 4)
    assert np.isfinite(out.detach().numpy()).all()
    assert np.allclose(model(dt.tensor(x[1:2, :4])).detach(), out[1:2].detach(), atol=1e-5)
    half = models.rnn_classifier(None, 4, hidden=8, in_features=3)
    with dt.autocast("bfloat16"):
        loss = nn.functional.cross_entropy(half(dt.tensor(x), lengths), dt.tensor([0, 1, 2, 3, 0, 1]))
    loss.backward()
    assert all(p.grad is not None and np.isfinite(p.grad.numpy()).all() for p in half.parameters())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: models.text_cnn(9, 2, kernel_sizes=[]), ValueError, r"kernel_sizes is \[\], expected"),
        (lambda: models.text_cnn(9, 2)(dt.tensor([1, 2])), ValueError, r"tokens has shape \(2,\)"),
        (lambda: models.rnn_classifier(9, 2)(dt.zeros((2, 0), dtype="int64")), ValueError, r"\(2, 0\)"),
        (lambda: models.rnn_classifier(None, 2), ValueError, "expected one of them"),
        (lambda: models.rnn_classifier(9, 2, cell="mlp"), ValueError, "cell must be one of 'lstm', 'gru'"),
        (lambda: models.rnn_classifier(9, 2, pooling="sum"), ValueError, "pooling must be one of"),
        (lambda: models.rnn_classifier(None, 2, in_features=3)(dt.ones((2, 3))), ValueError, "features"),
        (
            lambda: models.text_cnn(9, 2)(dt.tensor([[1, 2]]), dt.tensor([3])),
            ValueError,
            "TextCNN: lengths has 3 for sequence 0, expected 0 to 2",
        ),
        (
            lambda: models.text_cnn(9, 2)(dt.tensor([[1, 2]]), dt.tensor([0.5])),
            TypeError,
            "TextCNN: lengths must be integers",
        ),
        (lambda: models.text_cnn(9, 2)(dt.tensor([[1, 9]])), ValueError, "input contains index 9"),
        (lambda: models.text_cnn(9, 2, 0), ValueError, "text_cnn: width must be a positive integer, got 0"),
        (lambda: models.rnn_classifier(9, 2, hidden=0), ValueError, "rnn_classifier: hidden must be"),
        (lambda: models.rnn_language_model(0), ValueError, "rnn_language_model: vocab_size must be"),
        (lambda: models.seq2seq(9, layers=0), ValueError, "seq2seq: layers must be"),
        (lambda: models.rnn_language_model(9, 4, 5), ValueError, "or tied=False"),
        (lambda: models.text_cnn(9, 2, kernel_sizes=3), ValueError, "kernel_sizes is 3, expected at least"),
        (lambda: models.text_cnn(9, 2)(np.ones((1, 3), int)), TypeError, "TextCNN: tokens must be a Tensor"),
        (lambda: models.gpt(9, 4, 8, 1, 2)([[1]]), TypeError, "GPT: tokens must be a Tensor, got list"),
        (
            lambda: models.gpt(9, 4, 8, 1, 2).next_logits(dt.ones((1, 0), dtype="int64")),
            ValueError,
            r"GPT: tokens has shape \(1, 0\), expected \(batch, time\) with at least one step",
        ),
        (
            lambda: models.transformer_classifier(9, 2)(dt.ones((2, 0), dtype="int64")),
            ValueError,
            "at least one step",
        ),
        (
            lambda: models.transformer_classifier(9, 2)(dt.ones((1, 3), dtype="int64"), dt.tensor([3.0])),
            TypeError,
            "TransformerClassifier: lengths must be integers",
        ),
        (
            lambda: models.rnn_classifier(None, 2, in_features=3)(dt.ones((2, 4, 3), dtype="int64")),
            TypeError,
            "input must have a floating-point dtype",
        ),
        (
            lambda: models.seq2seq(9)(dt.ones((1, 3), dtype="int64"), dt.ones((2, 3), dtype="int64")),
            ValueError,
            r"Seq2Seq: target has 2 sequences \(shape \(2, 3\)\), source 1",
        ),
        (lambda: models.AttentionPooling(4)(dt.ones((2, 3, 4)), [1]), ValueError, "one per sequence"),
        (lambda: models.AttentionPooling(4)(dt.ones((2, 4))), ValueError, "batch, time, features"),
    ],
)
def test_wrong_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(
    "make",
    [
        lambda padding: models.text_cnn(9, 3, 8, channels=4, padding_idx=padding),
        lambda padding: models.rnn_classifier(9, 3, 8, 8, padding_idx=padding),
        lambda padding: models.transformer_classifier(9, 3, 8, 1, 2, padding_idx=padding),
    ],
)
def test_padding_counted_from_the_end(make):
    text, padded = dt.tensor([[5, 2, 7]]), dt.tensor([[5, 2, 7, 8, 8]])
    model = make(-1).eval()
    assert model.padding_idx == 8
    assert np.allclose(model(padded).detach(), model(text).detach(), atol=1e-6)


@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_a_transformer_takes_nothing_from_an_empty_text(pooling):
    model = models.transformer_classifier(9, 3, 8, 1, 2, pooling=pooling).eval()
    nothing = model(dt.tensor([[5, 2], [3, 4]]), [0, 0])
    assert np.array_equal(nothing.detach(), np.broadcast_to(model.head.bias.detach().numpy(), (2, 3)))
    assert np.array_equal(model(dt.tensor([[0, 0]])).detach(), nothing[:1].detach())


def test_attention_pooling_is_a_softmax_of_scores():
    pooling = models.AttentionPooling(4, 6)
    x = rng.normal(size=(3, 5, 4)).astype(np.float32)
    hidden = np.tanh(x @ pooling.hidden.weight.detach().numpy().T + pooling.hidden.bias.detach().numpy())
    scores = (hidden @ pooling.score.weight.detach().numpy().T)[..., 0]
    expected = np.zeros((3, 4))
    for i, n in enumerate((5, 2, 0)):
        weights = np.exp(scores[i, :n]) / np.exp(scores[i, :n]).sum() if n else np.zeros(0)
        expected[i] = weights @ x[i, :n]
    assert np.allclose(pooling(dt.tensor(x), [5, 2, 0]).detach(), expected, atol=1e-5)


# Language models: the next token is a function of the last two.
STREAM = [1, 2]
while len(STREAM) < 1500:
    STREAM.append((STREAM[-1] * 3 + STREAM[-2] + 1) % 11)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_language_model_learns_and_generates(cell):
    dt.manual_seed(0)
    model = models.rnn_language_model(11, 32, layers=1, dropout=0.0, cell=cell, carry=True)
    trainer = Trainer(
        model,
        loss="cross_entropy",
        optimizer=dt.optim.Adam(model.parameters(), lr=0.01),
        metrics=["perplexity", "token_accuracy"],
        gradient_clip_val=1.0,
        seed=0,
    )
    history = trainer.fit(SequenceWindows(STREAM, 8, 20), epochs=10, verbose=0).history
    assert history["token_accuracy"][-1] > 0.99
    assert history["perplexity"][-1] < 1.2
    written = model.generate(STREAM[:5], 30, temperature=0).tolist()
    assert written == STREAM[:35]
    assert model.beam_search(STREAM[:5], 10, beams=2).tokens[0, 0].tolist() == STREAM[:15]
    # A model that carries is not disturbed by generation, and refuses other batches.
    assert model.carried.get() is not None
    with pytest.raises(ValueError, match="the states carried are of 8"):
        model(dt.tensor([STREAM[:5]]))


def test_carried_states_are_those_of_the_whole():
    model = models.rnn_language_model(11, 8, dropout=0.0, carry=True).eval()
    tokens = dt.tensor([STREAM[:12], STREAM[100:112]])
    with dt.no_grad():
        whole, _ = model.step(tokens)
        parts = [model(tokens[:, start : start + 4]) for start in (0, 4, 8)]
    assert np.allclose(dt.concat(parts, axis=1), whole, atol=1e-6)


def test_language_model_resumes_exactly(tmp_path):
    def train(at=None, resume=None):
        dt.manual_seed(0)
        trainer = Trainer(
            models.rnn_language_model(11, 8, carry=True), loss="cross_entropy", optimizer="adam", seed=0
        )
        callbacks = [] if at is None else [Checkpoint(tmp_path, save_freq=1), KillAt(batch=at)]
        windows = SequenceWindows(STREAM[:400], 4, 20)
        trainer.fit(windows, epochs=2, callbacks=callbacks, resume=resume, verbose=0)
        return trainer.model.state_dict()

    whole = train()
    with pytest.raises(Killed):
        train(at=3)
    resumed = train(resume=tmp_path)
    for name, value in whole.items():
        assert np.array_equal(value, resumed[name]), name


# From sequence to sequence: a source in reverse; 2 begins, 3 ends.
def reversed_pairs(count, seed):
    pairs = []
    for text in np.random.default_rng(seed).integers(4, 10, (count, 4)):
        text = text[: 2 + text[0] % 3]
        pairs.append(((text, np.array([2, *text[::-1]])), np.array([*text[::-1], 3])))
    return pairs


SEQ2SEQ = {
    "luong": {},
    "bahdanau": {"attention": "bahdanau"},
    "lstm": {"cell": "lstm", "layers": 2},
    "one direction": {"bidirectional": False, "target_vocab_size": 10},
}


@pytest.mark.parametrize("name", SEQ2SEQ)
def test_seq2seq_learns_and_translates(name):
    dt.manual_seed(0)
    model = models.seq2seq(10, width=24, hidden=32, dropout=0.0, **SEQ2SEQ[name])
    trainer = Trainer(
        model,
        loss=nn.CrossEntropyLoss(ignore_index=-100),
        optimizer=dt.optim.Adam(model.parameters(), lr=0.01),
        metrics=["token_accuracy"],
        gradient_clip_val=1.0,
        seed=0,
    )
    loader = DataLoader(reversed_pairs(300, 1), 30, shuffle=True, collate_fn=pad_collate)
    history = trainer.fit(loader, epochs=14, verbose=0).history
    assert history["token_accuracy"][-1] > 0.95
    held_out = reversed_pairs(20, 2)
    sources = [source.tolist() for (source, _), _ in held_out]
    expected = [target[:-1].tolist() for _, target in held_out]
    for beams in (1, 3):
        found = model.translate(sources, beams=beams)
        assert sum(a == b for a, b in zip(found, expected, strict=True)) >= 18
    # The same alone as in a batch with padding.
    assert model.translate([sources[0]]) == model.translate(sources)[:1]
    assert model.translate([[0, 0]], 3)[0] is not None


@pytest.mark.parametrize("name", SEQ2SEQ)
def test_seq2seq_step_by_step_is_the_whole(name):
    model = models.seq2seq(10, width=8, hidden=8, **SEQ2SEQ[name]).eval()
    source, target = dt.tensor([[5, 6, 7], [8, 0, 0]]), dt.tensor([[2, 4, 5], [2, 9, 9]])
    with dt.no_grad():
        whole = model(source, target)
        assert np.allclose(model(source, target, dt.tensor([3, 1])), whole, atol=1e-6)
        decoder = model.new_decoder(source)
        for step in range(3):
            logits = decoder.advance(target[:, step : step + 1])
            assert np.allclose(logits, whole[:, step], atol=1e-5)
        longer = nn.functional.pad(source, ((0, 0), (0, 4)))
        assert np.allclose(model(longer, target), whole, atol=1e-5)
    model.train()
    model(source, target).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_seq2seq_attention_is_luongs():
    """The general score, a softmax over the source, tanh of a linear layer of context and output."""
    model = models.seq2seq(10, width=4, hidden=3, bidirectional=False).eval()
    source, target = dt.tensor([[5, 6, 7, 0]]), dt.tensor([[2, 4]])
    with dt.no_grad():
        memory, state = model.encode(source)
        output, _ = model.decoder(model.target_tokens(target), state)
        values, h = memory.values.numpy()[0, :3], output.numpy()[0]
        scores = h @ model.key.weight.detach().numpy() @ values.T
        weights = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        joined = np.concatenate([weights @ values, h], axis=1)
        hidden = np.tanh(
            joined @ model.combine.weight.detach().numpy().T + model.combine.bias.detach().numpy()
        )
        expected = hidden @ model.head.weight.detach().numpy().T + model.head.bias.detach().numpy()
        assert np.allclose(model(source, target)[0], expected, atol=1e-5)


def test_seq2seq_refuses():
    with pytest.raises(ValueError, match="stop_token is 3, but the target's vocabulary has tokens up to 2"):
        models.seq2seq(10, 3, start_token=1)
    with pytest.raises(ValueError, match="attention must be one of 'luong', 'bahdanau'"):
        models.seq2seq(10, attention="dot")
    with pytest.raises(ValueError, match=r"source has shape \(2,\), expected \(batch, time\)"):
        models.seq2seq(10)(dt.tensor([1, 2]), dt.tensor([[1]]))
    with pytest.raises(ValueError, match=r"target has shape \(1, 0\)"):
        models.seq2seq(10)(dt.tensor([[1, 2]]), dt.zeros((1, 0), dtype="int64"))
