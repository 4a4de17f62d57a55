"""MixUp and CutMix: what they do to images and labels, on which the randomness depends, wrong input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import nn, optim
from drivetrain.data import ArrayDataset, CutMix, DataLoader, MixUp, RandomChoice
from drivetrain.train import Trainer

BOTH = pytest.mark.parametrize("kind", [MixUp, CutMix])


def batch(n: int = 6, size: tuple[int, int] = (8, 10), seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    return rng.random((n, *size, 3)).astype(np.float32), rng.integers(0, 4, n)


def one_hot(labels: Any) -> Any:
    return np.eye(4, dtype=np.float32)[labels]


def test_mixup_blends_neighbours() -> None:
    images, labels = batch()
    for seed in range(5):
        mixed, soft = MixUp(num_classes=4, seed=seed)(images, labels)
        hard = one_hot(labels)
        # The share is read from the labels; the images must have the same.
        other = np.roll(hard, 1, axis=0)
        row = int(np.flatnonzero((hard != other).any(axis=1))[0])
        share = float(soft.numpy()[row, labels[row]])
        assert 0 < share < 1
        np.testing.assert_allclose(soft.numpy(), share * hard + (1 - share) * other, rtol=1e-5, atol=1e-7)
        wanted = share * images + (1 - share) * np.roll(images, 1, axis=0)
        np.testing.assert_allclose(mixed.numpy(), wanted, rtol=1e-5, atol=1e-6)
        assert soft.dtype.name == mixed.dtype.name == "float32"


@BOTH
def test_weights_are_mixed_as_labels_are(kind: Any) -> None:
    images, labels = batch()
    for weights in (np.arange(1, 7, dtype=np.float32), np.arange(1, 7)):
        mixed, soft, blended = kind(num_classes=4, seed=3)(images, labels, weights)
        plain, plain_soft = kind(num_classes=4, seed=3)(images, labels)
        assert (mixed.numpy() == plain.numpy()).all()
        assert (soft.numpy() == plain_soft.numpy()).all()
        columns = kind(alpha=1.0, seed=3)(images, weights[:, None].astype(np.float32))[1].numpy()
        assert blended.dtype.name == "float32"
        assert (blended.numpy() == columns[:, 0]).all()
        assert not (blended.numpy() == weights).all()


@BOTH
def test_fit_with_weights(kind: Any) -> None:
    """What weighs nothing, and has neighbours that weigh nothing, teaches nothing."""
    images, labels = batch(12)
    weights = np.zeros(12, np.float32)
    model = nn.Sequential(nn.Flatten(), nn.Linear(240, 4))
    before = model[1].weight.detach().numpy().copy()
    mix = RandomChoice([kind(num_classes=4)])
    for weight, moves in ((0.0, False), (1.0, True)):
        data = ArrayDataset(images, labels, weights + np.float32(weight))
        loader = DataLoader(data, batch_size=4, batch_transform=mix)
        Trainer(model, loss=nn.CrossEntropyLoss(), optimizer=optim.SGD(model.parameters(), lr=0.1)).fit(
            loader, epochs=1, verbose=0
        )
        assert (model[1].weight.detach().numpy() != before).any() == moves


def test_cutmix_moves_a_rectangle() -> None:
    images, labels = batch()
    areas = []
    for seed in range(30):
        mixed, soft = CutMix(num_classes=4, seed=seed)(images, labels)
        moved = (mixed.numpy() != images).any(axis=-1)
        assert (moved == moved[0]).all()  # the same place in every image
        rows, columns = np.flatnonzero(moved[0].any(axis=1)), np.flatnonzero(moved[0].any(axis=0))
        assert moved[0].sum() == len(rows) * len(columns)
        wanted = np.where(moved[..., None], np.roll(images, 1, axis=0), images)
        assert (mixed.numpy() == wanted).all()
        share = 1 - moved[0].mean()
        expected = share * one_hot(labels) + (1 - share) * np.roll(one_hot(labels), 1, axis=0)
        np.testing.assert_allclose(soft.numpy(), expected, atol=1e-6)
        areas.append(moved[0].mean())
    assert min(areas) < 0.1 < 0.5 < max(areas)


@BOTH
def test_rows_of_labels_sum_to_one_and_inputs_stay(kind: Any) -> None:
    images, labels = batch()
    kept = images.copy()
    for _ in range(3):
        _, soft = kind(num_classes=4)(dt.tensor(images), dt.tensor(labels))
        np.testing.assert_allclose(soft.numpy().sum(axis=1), 1, rtol=1e-6)
    assert (images == kept).all()


def test_the_share_follows_beta() -> None:
    """Mean one half; variance 1 / (4 (2 alpha + 1))."""
    for alpha in (0.2, 1.0, 5.0):
        mix = MixUp(alpha=alpha, seed=3)
        x = dt.tensor([[0.0], [1.0]])
        shares = np.array([mix(x, x)[0].numpy()[1, 0] for _ in range(2000)])
        variance = 1 / (4 * (2 * alpha + 1))
        assert shares.mean() == pytest.approx(0.5, abs=5 * np.sqrt(variance / 2000))
        assert shares.var() == pytest.approx(variance, rel=0.1)


@BOTH
def test_calls_repeat_from_the_seed_and_the_state(kind: Any) -> None:
    images, labels = batch()

    def run(mix: Any, count: int) -> list[Any]:
        return [mix(images, labels)[0].numpy() for _ in range(count)]

    mix = kind(num_classes=4, seed=5)
    first = run(mix, 3)
    state = mix.state_dict()
    rest = run(mix, 3)
    again = kind(num_classes=4, seed=5)
    assert all((a == b).all() for a, b in zip(run(again, 3), first, strict=True))
    other = kind(num_classes=4, seed=6)
    assert not (run(other, 1)[0] == first[0]).all()
    other.load_state_dict(state)
    assert all((a == b).all() for a, b in zip(run(other, 3), rest, strict=True))
    assert not (first[0] == first[1]).all()


@BOTH
def test_in_a_loader_a_batch_depends_on_its_number(kind: Any) -> None:
    """Resumed in the middle of an epoch, with prefetching or without: the same batches."""
    images, labels = batch(20)

    def loader(prefetch: int) -> DataLoader:
        dataset = ArrayDataset(images, labels)
        mix = kind(num_classes=4, seed=5)
        return DataLoader(dataset, 6, shuffle=True, prefetch=prefetch, batch_transform=mix)

    whole = loader(0)
    epochs = [[[part.numpy() for part in each] for each in whole] for _ in range(2)]
    assert not (epochs[0][0][0] == epochs[1][0][0]).all()
    resumed = loader(2)
    for number, _ in enumerate(resumed):
        if number == 1:
            break
    state = resumed.state_dict()
    after = loader(0)
    after.load_state_dict(state)
    rest = [[part.numpy() for part in each] for each in after]
    assert len(rest) == 2
    for ours, theirs in zip(rest, epochs[0][2:], strict=True):
        assert all((a == b).all() for a, b in zip(ours, theirs, strict=True))


def test_a_choice_for_each_batch() -> None:
    images, labels = batch()
    choice = RandomChoice([MixUp(num_classes=4), CutMix(num_classes=4)], p=[1, 3], seed=2)
    loader = DataLoader(ArrayDataset(np.tile(images, (100, 1, 1, 1)), np.tile(labels, 100)), 6)
    loader.batch_transform = choice
    cut = [np.isin(mixed.numpy(), images).all() for mixed, _ in loader]
    assert np.mean(cut) == pytest.approx(0.75, abs=0.2)
    assert cut == [
        np.isin(mixed.numpy(), images).all()
        for mixed, _ in DataLoader(loader.dataset, 6, batch_transform=choice)
    ]
    again = RandomChoice([MixUp(num_classes=4), CutMix(num_classes=4)], p=[1, 3], seed=2)
    for _ in range(3):
        choice(images, labels)
    again.load_state_dict(choice.state_dict())
    assert (choice(images, labels)[0].numpy() == again(images, labels)[0].numpy()).all()


def test_soft_labels_and_targets_of_floats_are_blended_as_they_are() -> None:
    x, y = np.zeros((3, 2), np.float32), np.array([[0.0], [1.0], [2.0]], np.float32)
    _, blended = MixUp(seed=1)(x, y)
    share = blended.numpy()[1, 0]
    np.testing.assert_allclose(
        blended.numpy()[:, 0], [2 * (1 - share), share, 2 * share + 1 - share], rtol=1e-5
    )


def test_bytes() -> None:
    images = (batch()[0] * 255).astype(np.uint8)
    labels = batch()[1]
    assert MixUp(num_classes=4)(images, labels)[0].dtype.name == "float32"
    assert CutMix(num_classes=4)(images, labels)[0].dtype.name == "uint8"


def test_other_functions_transform_batches_too() -> None:
    loader = DataLoader(
        ArrayDataset(np.arange(4), np.arange(4)), 2, batch_transform=lambda b: (b[0], b[1] * 10)
    )
    assert [y.tolist() for _, y in loader] == [[0, 10], [20, 30]]


@BOTH
def test_in_fit(kind: Any) -> None:
    images, labels = batch(24)
    dt.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(240, 4))
    loader = DataLoader(ArrayDataset(images, labels), 8, shuffle=True, batch_transform=kind(num_classes=4))
    trainer = Trainer(
        model, loss=nn.CrossEntropyLoss(label_smoothing=0.1), optimizer=optim.SGD(model.parameters(), lr=0.05)
    )
    history = trainer.fit(loader, epochs=30, verbose=0).history["loss"]
    assert history[-1] < history[0]


X, Y = batch()


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (ValueError, "MixUp: alpha must be a positive number, got 0", lambda: MixUp(alpha=0)),
        (TypeError, "CutMix: alpha must be a positive number, got 'x'", lambda: CutMix(alpha="x")),
        (TypeError, "MixUp: num_classes must be a positive", lambda: MixUp(num_classes=2.0)),
        (ValueError, "MixUp: num_classes must be a positive", lambda: MixUp(num_classes=0)),
        (TypeError, "no argument 'classes'; did you mean 'num_classes'", lambda: MixUp(classes=3)),
        (ValueError, "labels are int64; pass num_classes", lambda: MixUp()(X, Y)),
        (ValueError, "a batch has 4 parts, expected", lambda: MixUp(num_classes=4)(X, Y, Y, Y)),
        (
            ValueError,
            r"sample_weight has shape \(3,\), expected \(6,\)",
            lambda: MixUp(num_classes=4)(X, Y, Y[:3]),
        ),
        (TypeError, "images, labels and weights must be arrays", lambda: MixUp(num_classes=4)(X, Y, "light")),
        (ValueError, "a batch has 1 parts", lambda: MixUp().transform_batch(X, 0, 0)),
        (ValueError, "expected the same number of samples", lambda: MixUp(num_classes=4)(X, Y[:3])),
        (
            ValueError,
            r"CutMix: images have shape \(6, 30\), expected \(batch, height, width, channels\)",
            lambda: CutMix(num_classes=4)(X.reshape(6, -1)[:, :30], Y),
        ),
        (ValueError, r"labels have shape \(6, 1\)", lambda: MixUp(num_classes=4)(X, Y[:, None])),
        ((ValueError, IndexError), "one_hot", lambda: MixUp(num_classes=2)(X, Y)),
        (ValueError, "transforms must be a list", lambda: RandomChoice([])),
        (TypeError, r"transforms\[0\] is no MixUp", lambda: RandomChoice([abs])),
        (ValueError, "p must be 1 weights", lambda: RandomChoice([MixUp()], p=[1, 2])),
        (TypeError, "batch_transform is a int", lambda: DataLoader(ArrayDataset(X, Y), batch_transform=3)),
    ],
)
def test_wrong_input(error: Any, message: str, call: Callable[[], Any]) -> None:
    with pytest.raises(error, match=message):
        call()


def test_a_wrong_batch_is_not_counted() -> None:
    mix = MixUp()
    with pytest.raises(ValueError, match="pass num_classes"):
        mix(X, Y)
    assert mix.calls == 0


@BOTH
@pytest.mark.parametrize("images", [[0, 1], "x", None])
def test_what_is_no_array_is_refused(kind: Any, images: Any) -> None:
    with pytest.raises(
        TypeError, match=f"{kind.__name__}: images, labels and weights must be arrays or Tensors, got a"
    ):
        kind(num_classes=4)(images, np.zeros(2, dtype=np.int64))


@BOTH
@pytest.mark.parametrize("state", [None, {}, {"seed": 0}, {"seed": 0, "calls": 1, "more": 2}])
def test_states_of_other_things_are_refused(kind: Any, state: Any) -> None:
    with pytest.raises(
        ValueError, match=f"{kind.__name__}.load_state_dict: got .* expected a dict with 'seed'"
    ):
        kind().load_state_dict(state)


@pytest.mark.parametrize("states", [5, [], [MixUp().state_dict()]])
def test_a_choice_refuses_states_of_another(states: Any) -> None:
    choice = RandomChoice([MixUp(), CutMix()])
    with pytest.raises(
        ValueError, match=r"RandomChoice.load_state_dict: 'transforms' has .* states, expected 2"
    ):
        choice.load_state_dict({"calls": 0, "transforms": states})
    with pytest.raises(ValueError, match=r"RandomChoice.load_state_dict: 'calls' is 'x'"):
        choice.load_state_dict({**choice.state_dict(), "calls": "x"})
    with pytest.raises(TypeError, match="RandomChoice: p must be a list of 2 weights, got 'ab'"):
        RandomChoice([MixUp(), CutMix()], p="ab")  # type: ignore[arg-type]
