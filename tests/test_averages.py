"""Averages of weights: agreement with PyTorch, state, batch norms, wrong input."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import nn
from drivetrain.optim import swa_utils
from op_table.tools import on_threads

KINDS = {
    "mean": lambda library: {},
    "multi mean": lambda library: {"multi_avg_fn": library.get_swa_multi_avg_fn()},
    "moving": lambda library: {"multi_avg_fn": library.get_ema_multi_avg_fn(0.9)},
    "short": lambda library: {"multi_avg_fn": library.get_ema_multi_avg_fn(0.25)},
    "one by one": lambda library: {"avg_fn": library.get_ema_avg_fn(0.9)},
    "mean one by one": lambda library: {"avg_fn": library.get_swa_avg_fn()},
    "buffers": lambda library: {"multi_avg_fn": library.get_ema_multi_avg_fn(0.9), "use_buffers": True},
}
SHAPES = {"0.weight": (3, 2), "0.bias": (3,), "1.weight": (3,), "1.bias": (3,)}
BUFFERS = ("1.running_mean", "1.running_var")


def weights(step: int) -> dict[str, Any]:
    rng = np.random.default_rng(step)
    named = {name: rng.standard_normal(shape, np.float32) for name, shape in SHAPES.items()}
    return named | {name: rng.random(3, np.float32) for name in BUFFERS}


def model() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def averaged(kind: str, updates: int = 6) -> Any:
    net = model()
    average = swa_utils.AveragedModel(net, **KINDS[kind](swa_utils))
    for step in range(updates):
        net.load_state_dict(weights(step))
        average.update_parameters(net)
    return average


def values(average: Any) -> dict[str, Any]:
    return {name: np.asarray(value) for name, value in average.module.state_dict().items()}


@pytest.mark.parametrize("kind", list(KINDS))
def test_averages_are_those_of_numpy(kind: str) -> None:
    average = averaged(kind)
    assert int(average.n_averaged) == 6
    decay = {"moving": 0.9, "short": 0.25, "one by one": 0.9, "buffers": 0.9}.get(kind)
    for name, value in values(average).items():
        expected = weights(0)[name].astype(np.float64)
        for step in range(1, 6):
            share = 1 / (step + 1) if decay is None else 1 - decay
            expected += share * (weights(step)[name] - expected)
        if name in BUFFERS and kind != "buffers":
            np.testing.assert_array_equal(value, weights(5)[name])
        else:
            np.testing.assert_allclose(value, expected, rtol=2e-6, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("kind", list(KINDS))
def test_averages_are_those_of_pytorch(kind: str) -> None:
    torch = pytest.importorskip("torch", reason="torch, whose averages ours are compared with, is not here")
    net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    theirs = torch.optim.swa_utils.AveragedModel(net, **KINDS[kind](torch.optim.swa_utils))
    for step in range(6):
        net.load_state_dict({k: torch.from_numpy(v) for k, v in weights(step).items()}, strict=False)
        theirs.update_parameters(net)
    ours = averaged(kind)
    for name, value in values(ours).items():
        other = theirs.module.state_dict()[name].numpy()
        np.testing.assert_allclose(value, other, rtol=2e-6, atol=1e-7, err_msg=name)
    # The names of the state are theirs.
    skipped = {"module.1.num_batches_tracked"}
    assert set(ours.state_dict()) == set(theirs.state_dict()) - skipped


def test_the_average_is_one_call_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    average, net = averaged("moving"), model()
    calls: list[int] = []
    plain = dt._core._average
    monkeypatch.setattr(dt._core, "_average", lambda a, b, w: (calls.append(len(a)), plain(a, b, w))[1])
    average.update_parameters(net)
    assert calls == [4, 2]  # parameters; buffers, which are copied


def test_resumes_with_the_same_bits() -> None:
    through = averaged("moving")
    first = averaged("moving", 3)
    state = {name: np.array(value) for name, value in first.state_dict().items()}
    net = model()
    second = swa_utils.AveragedModel(net, multi_avg_fn=swa_utils.get_ema_multi_avg_fn(0.9))
    second.load_state_dict(state)
    for step in range(3, 6):
        net.load_state_dict(weights(step))
        second.update_parameters(net)
    for name, value in values(through).items():
        np.testing.assert_array_equal(value, values(second)[name], err_msg=name)


def test_forward_is_that_of_the_average() -> None:
    net = nn.Linear(2, 1)
    average = swa_utils.AveragedModel(net)
    average.update_parameters(net)
    kept = net.weight.tolist()
    net.weight.detach().zero_()
    assert average.module.weight.tolist() == kept
    x = dt.ones((1, 2))
    assert average(x).tolist() != net(x).tolist()


def test_copy_and_pickle() -> None:
    average, net = averaged("moving"), model()
    for twin in (copy.deepcopy(average), pickle.loads(pickle.dumps(average))):
        twin.update_parameters(net)
        assert int(twin.n_averaged) == 7
    assert int(average.n_averaged) == 6


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_average_of_many_tensors(level: str, dtype: str) -> None:
    """Odd sizes, views, several blocks; the bits do not depend on the number of threads."""
    rng = np.random.default_rng(0)
    given = [(rng.standard_normal(n), rng.standard_normal(n)) for n in (0, 1, 7, 16_385, 40_000)]
    for weight in (0.0, 0.001, 0.4, 0.6, 1.0):

        def run(weight: float = weight) -> list[Any]:
            first = [dt.tensor(a, dtype=dtype) for a, _ in given]
            second = [dt.tensor(b, dtype=dtype) for _, b in given]
            first.append(dt.tensor(given[3][0][:12].reshape(3, 4), dtype=dtype).T)  # not contiguous
            second.append(dt.tensor(given[3][1][:12].reshape(4, 3), dtype=dtype))
            versions = [t._version for t in first]
            dt._core._average(first, second, weight)
            assert all(t._version > v for t, v in zip(first, versions, strict=True))
            return [np.asarray(t.astype("float64")) for t in first]

        spacing = {"float32": 1e-6, "float64": 1e-15, "float16": 2e-3, "bfloat16": 1.6e-2}[dtype]
        for found, (a, b) in zip(on_threads(run), given, strict=False):
            start, end = (np.asarray(dt.tensor(x, dtype=dtype).astype("float64")) for x in (a, b))
            np.testing.assert_allclose(found, start + weight * (end - start), rtol=0, atol=4 * spacing)
            if weight in (0.0, 1.0):
                np.testing.assert_array_equal(found, end if weight else start)


def test_average_refuses_what_does_not_fit() -> None:
    a, b = dt.zeros((2,)), dt.zeros((3,))
    with pytest.raises(
        ValueError, match=r"average: averages\[0\] has shape \(2,\) and dtype float32, but ten"
    ):
        dt._core._average([a], [b], 0.5)
    with pytest.raises(ValueError, match="average: averages holds 1 tensors, but tensors 0"):
        dt._core._average([a], [], 0.5)
    with pytest.raises(ValueError, match="average: weight is 2, expected a number from 0 to 1"):
        dt._core._average([a], [a], 2.0)


def test_update_bn_is_the_mean_over_batches() -> None:
    rng = np.random.default_rng(1)
    batches = [rng.standard_normal((8, 2)).astype(np.float32) for _ in range(3)]
    for momentum in (0.1, None):
        net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3, momentum=momentum), nn.Dropout(0.5))
        net.eval()
        net[2].train()
        hidden = [np.asarray(net[0](dt.tensor(x)).detach()) for x in batches]
        net[1].running_mean.fill_(7)
        swa_utils.update_bn([dt.tensor(batches[0]), (batches[1], None), [dt.tensor(batches[2])]], net)
        mean = np.mean([h.mean(axis=0) for h in hidden], axis=0)
        variance = np.mean([h.var(axis=0, ddof=1) for h in hidden], axis=0)
        np.testing.assert_allclose(net[1].running_mean.numpy(), mean, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(net[1].running_var.numpy(), variance, rtol=1e-5)
        assert net[1].momentum == momentum
        assert [m.training for m in net.modules()] == [False, False, False, True]


def test_update_bn_leaves_things_as_they_were_when_a_batch_fails() -> None:
    net = nn.Sequential(nn.BatchNorm1d(2))
    net.eval()
    with pytest.raises(ValueError, match="expected"):
        swa_utils.update_bn([dt.ones((3, 5))], net)
    assert net[0].momentum == 0.1
    assert not net[0].training
    plain = nn.Linear(2, 1)
    swa_utils.update_bn(iter(lambda: pytest.fail("read without a batch norm"), None), plain)


def test_update_parameters_names_every_difference() -> None:
    average = swa_utils.AveragedModel(model())
    with pytest.raises(ValueError, match=r"lacks 1\.bias, 1\.running_mean, .*, and has besides nothing"):
        average.update_parameters(nn.Sequential(nn.Linear(2, 3)))
    with pytest.raises(ValueError, match=r"'0\.weight' of model has shape \(3, 5\) and dtype float32, expec"):
        average.update_parameters(nn.Sequential(nn.Linear(5, 3), nn.BatchNorm1d(3)))
    with pytest.raises(TypeError, match="model must be a Module, got int"):
        average.update_parameters(3)
    assert int(average.n_averaged) == 0


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: swa_utils.AveragedModel(3), TypeError, "AveragedModel: model must be a Module, got int"),
        (lambda: swa_utils.AveragedModel(model(), device="gpu"), ValueError, "device must be None or 'cpu'"),
        (lambda: swa_utils.AveragedModel(model(), avg_fn=3), TypeError, "avg_fn must be a function, got 3"),
        (
            lambda: swa_utils.AveragedModel(model(), avg_fn=print, multi_avg_fn=print),
            ValueError,
            "avg_fn and multi_avg_fn are given, expected one of them",
        ),
        (lambda: swa_utils.AveragedModel(model(), use_buffers=1), TypeError, "use_buffers must be True or F"),
        (lambda: swa_utils.get_ema_multi_avg_fn(1.5), ValueError, "decay must be a number from 0 to 1, got"),
        (lambda: swa_utils.get_ema_avg_fn("x"), TypeError, "get_ema_avg_fn: decay must be a number from"),
        (lambda: swa_utils.update_bn([], model(), device="gpu"), ValueError, "update_bn: device must be"),
    ],
)
def test_wrong_arguments(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()
