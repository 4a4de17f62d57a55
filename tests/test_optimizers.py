"""What all optimizers share: clipping by value, names, states, values that are not finite; Lion in NumPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import nn, optim
from drivetrain.train.lookup import find_optimizer
from op_table.tools import on_threads
from test_optim import KINDS, options, parameters

ALL = pytest.mark.parametrize("kind", KINDS)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("maximize", [False, True])
def test_lion_is_that_of_its_paper(dtype: str, maximize: bool) -> None:
    """Algorithm 2 of Chen et al. (2023), in NumPy."""
    rng = np.random.default_rng(0)
    start = rng.standard_normal((5, 7)).astype(dtype)
    p = dt.tensor(start, requires_grad=True)
    optimizer = optim.Lion([p], lr=0.01, betas=(0.8, 0.95), weight_decay=0.1, maximize=maximize)
    w, m = start.astype(np.float64), np.zeros((5, 7))
    for step in range(50):
        g = rng.standard_normal((5, 7)).astype(dtype)
        g[0, 0] = 0.0  # whose sign is 0
        p.grad = dt.tensor(g)
        optimizer.step()
        g = -g if maximize else g
        w = w - 0.01 * (np.sign(0.8 * m + 0.2 * g) + 0.1 * w)
        m = 0.95 * m + 0.05 * g
        tolerance = 2e-5 if dtype == "float32" else 1e-12
        np.testing.assert_allclose(p.detach().numpy(), w, rtol=tolerance, atol=tolerance, err_msg=f"{step}")


@ALL
def test_clips_by_value_as_clip_grad_value_does(kind: Any) -> None:
    def trained(fold: bool) -> list[Any]:
        rng = np.random.default_rng(0)
        ps = [dt.tensor(rng.standard_normal(n, np.float32), requires_grad=True) for n in (70, 3)]
        optimizer = kind(ps, **options(kind))
        for _ in range(3):
            for p in ps:
                p.grad = dt.tensor(2 * rng.standard_normal(p.shape[0], np.float32))
            before = ps[0].grad.tolist()
            if fold:
                optimizer.step(max_value=0.5, grad_scale=0.5)
                assert ps[0].grad.tolist() == before
            else:
                nn.utils.clip_grad_value_(ps, 1.0)
                optimizer.step(grad_scale=0.5)
        return [p.tolist() for p in ps]

    assert trained(True) == trained(False)


def test_clip_by_value_wrong_arguments() -> None:
    optimizer = optim.SGD(parameters(), lr=0.1)
    with pytest.raises(ValueError, match=r"SGD\.step: max_value must be positive or 0, got -1"):
        optimizer.step(max_value=-1)
    with pytest.raises(ValueError, match=r"SGD\.step: max_value must be positive or 0, got nan"):
        optimizer.step(max_value=math.nan)
    with pytest.raises(TypeError, match=r"SGD\.step: max_value must be positive or 0, got '1'"):
        optimizer.step(max_value="1")
    with pytest.raises(ValueError, match=r"SGD\.step: max_norm and max_value are given, expected one"):
        optimizer.step(max_norm=1.0, max_value=1.0)


def test_clip_grad_value_keeps_nan_and_takes_every_float() -> None:
    for dtype in ("float32", "float64", "bfloat16"):
        p = dt.zeros((5,), dtype=dtype).requires_grad_(True)
        p.grad = dt.tensor([math.nan, math.inf, -math.inf, 0.25, -7.0], dtype=dtype)
        version = p.grad._version
        nn.utils.clip_grad_value_([p], 0.5)
        np.testing.assert_array_equal(np.asarray(p.grad.astype("float64")), [math.nan, 0.5, -0.5, 0.25, -0.5])
        assert p.grad._version > version
    p = dt.zeros((3, 2), requires_grad=True)
    p.grad = dt.tensor(np.ones((2, 3), np.float32)).T
    nn.utils.clip_grad_value_(p, 0.5)
    assert p.grad.tolist() == [[0.5, 0.5]] * 3


@ALL
def test_watching_finds_what_is_not_finite(kind: Any) -> None:
    """A small gradient tells before anything is changed; in a large one the values count as zero."""
    small, large = parameters((3,), (5000,))
    optimizer = kind([small, large], **options(kind))
    optimizer.step()
    optimizer._watch = True
    before = small.tolist(), large.tolist()
    good = small.grad
    small.grad = dt.tensor([1.0, math.inf, 1.0])
    with pytest.raises(FloatingPointError, match="a gradient is infinite or NaN; nothing was changed"):
        optimizer.step()
    assert (small.tolist(), large.tolist()) == before
    small.grad = good
    spoilt = np.full(5000, 2.0, np.float32)
    spoilt[4000] = math.nan
    large.grad = dt.tensor(spoilt)
    with pytest.raises(FloatingPointError, match="the step counted them as zero"):
        optimizer.step()
    assert np.isfinite(large.detach().numpy()).all()
    assert all(math.isfinite(x) for x in small.tolist())


@ALL
def test_parameters_without_gradient_stay(kind: Any) -> None:
    ps = parameters((2,), (3,), (2,))
    ps[1].grad = None
    optimizer = kind(ps, **options(kind))
    for _ in range(2):
        optimizer.step()
    assert ps[1].tolist() == [1.0] * 3
    assert ps[1] not in optimizer.state
    state = optimizer.state_dict()["state"]
    assert set(state) == {0, 2}
    of_others = {"max_exp_avg_sq", "row_var", "col_var"}  # of AMSGrad, of matrices
    assert set(optimizer._keeps) - of_others == set(state[0]) - {"step"}
    # It joins late, and a third that has rested goes on where it was.
    ps[1].grad, ps[2].grad = dt.ones((3,)), None
    optimizer.step()
    assert [optimizer.state[p]["step"] for p in ps] == [3, 1, 2]
    again = parameters((2,), (3,), (2,))
    other = kind(again, lr=7.0)
    other.load_state_dict(optimizer.state_dict())
    assert [other.state[p]["step"] for p in again] == [3, 1, 2]


@ALL
def test_maximize_climbs(kind: Any) -> None:
    def moved(maximize: bool) -> Any:
        p = dt.zeros((4,), requires_grad=True)
        p.grad = dt.tensor([1.0, -2.0, 3.0, 0.5])
        optimizer = kind([p], **options(kind), maximize=maximize)
        for _ in range(3):
            optimizer.step()
        return p.detach().numpy() * [1, -1, 1, 1]

    assert (moved(True) > 0).all()
    np.testing.assert_array_equal(moved(True), -moved(False))


@ALL
def test_closure_is_called_first(kind: Any) -> None:
    (p,) = parameters((2,))
    optimizer = kind([p], **options(kind))

    def closure() -> float:
        p.grad = dt.tensor([1.0, -1.0])
        return 7.0

    assert optimizer.step(closure) == 7.0
    assert p.tolist()[0] < 1 < p.tolist()[1]


def test_rprop_begins_with_the_rate_it_has() -> None:
    (p,) = parameters((1,))
    optimizer = optim.Rprop([p], lr=0.25)
    optimizer.param_groups[0]["lr"] = 0.5
    optimizer.step()
    assert p.item() == 0.5


def adafactor(p: Any, g: Any, kept: list[Any], step: int, lr: float, d: float, decay: float) -> Any:
    """The whole of a step in NumPy; `kept` has rows' and columns' means, or the mean of a vector."""
    share, rho, eps = step**-0.8, min(lr, 1 / math.sqrt(step)), (np.finfo(np.float32).eps, 1e-3)
    alpha = max(eps[1], math.sqrt(np.mean(p**2))) * rho
    if p.ndim > 1:
        kept[0] += share * ((g**2).mean(axis=-1, keepdims=True) - kept[0])
        kept[1] += share * ((g**2).mean(axis=-2, keepdims=True) - kept[1])
        square = kept[0] * kept[1] / np.maximum(kept[0].mean(axis=-2, keepdims=True), eps[0])
    else:
        kept[0] += share * (g**2 - kept[0])
        square = kept[0]
    update = g / np.sqrt(np.maximum(square, eps[0] ** 2))
    return p * (1 - lr * decay) - alpha / max(1, math.sqrt(np.mean(update**2)) / d) * update


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_adafactor_on_every_shape(level: str, dtype: str) -> None:
    """Vectors, matrices of several blocks, stacks of small and of large ones; a row without gradient."""
    shapes = [(), (17_001,), (1, 5), (5, 1), (700, 211), (3, 130_001), (40, 3, 7), (2, 300, 400), (0, 3)]
    rng = np.random.default_rng(0)
    start = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    steps = [[np.asarray(rng.standard_normal(s)).astype(dtype) for s in shapes] for _ in range(3)]
    for gradients in steps:
        gradients[4][13] = 0.0

    def run() -> list[Any]:
        ps = [dt.tensor(s, requires_grad=True) for s in start]
        optimizer = optim.Adafactor(ps, lr=0.05, d=1.5, weight_decay=0.1, eps=(2.0**-23, 1e-3))
        for gradients in steps:
            for p, g in zip(ps, gradients, strict=True):
                p.grad = dt.tensor(g)
            optimizer.step()
        return [p.detach().numpy() for p in ps]

    found = on_threads(run)
    for i, shape in enumerate(shapes):
        p = start[i].astype(np.float64)
        kept = [np.zeros((*shape[:-1], 1)), np.zeros((*shape[:-2], 1, shape[-1]))] if p.ndim > 1 else [0.0]
        if p.size:
            for number, gradients in enumerate(steps, 1):
                p = adafactor(p, gradients[i].astype(np.float64), kept, number, 0.05, 1.5, 0.1)
        tolerance = 2e-5 if dtype == "float32" else 1e-11
        np.testing.assert_allclose(found[i], p, rtol=tolerance, atol=tolerance, err_msg=str(shape))


def test_what_is_switched_on_later_begins_then() -> None:
    (p,) = parameters((1,))
    optimizer = optim.RMSprop([p])
    optimizer.step()
    optimizer.param_groups[0].update(momentum=0.9, centered=True)
    optimizer.step()
    assert set(optimizer.state[p]) == {"step", "square_avg", "momentum_buffer", "grad_avg"}


def test_a_centered_variance_below_zero_counts_as_zero() -> None:
    p = dt.tensor(np.ones(64, np.float32), requires_grad=True)
    optimizer = optim.RMSprop([p], lr=1e-12, alpha=0.3, centered=True)
    values = np.linspace(0.1, 10, 64).astype(np.float32)
    for _ in range(100):  # a constant gradient has no variance, and rounding makes it negative
        p.grad = dt.tensor(values)
        optimizer.step()
    assert np.isfinite(p.detach().numpy()).all()


def test_nadam_keeps_its_product_through_a_checkpoint() -> None:
    (p,) = parameters((1,))
    optimizer = optim.NAdam([p], momentum_decay=0.1)
    for _ in range(3):
        optimizer.step()
    product = optimizer.state[p]["mu_product"]
    expected = math.prod(0.9 * (1 - 0.5 * 0.96 ** (t * 0.1)) for t in (1, 2, 3))
    assert product.dtype == dt.float64
    assert product.item() == pytest.approx(expected, rel=1e-15)
    other = optim.NAdam(parameters((1,)))
    other.load_state_dict(optimizer.state_dict())
    assert next(iter(other.state.values()))["mu_product"].item() == product.item()


def test_state_of_another_kind_is_refused() -> None:
    ps = parameters((2,))
    adam = optim.Adam(ps)
    adam.step()
    other = optim.RMSprop(parameters((2,)))
    with pytest.raises(ValueError, match="0 has 'exp_avg', which RMSprop does not keep; it keeps squ"):
        other.load_state_dict(adam.state_dict())
    assert other.state_dict()["state"] == {}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@ALL
def test_every_level_and_number_of_threads(kind: Any, dtype: str, level: str) -> None:
    rng = np.random.default_rng(0)
    start = [rng.standard_normal(n).astype(dtype) for n in (17_001, 5, 0)]
    steps = [[rng.standard_normal(s.shape).astype(dtype) for s in start] for _ in range(3)]

    def run() -> list[Any]:
        ps = [dt.tensor(s, requires_grad=True) for s in start]
        optimizer = kind(ps, **options(kind))
        for gradients in steps:
            for p, g in zip(ps, gradients, strict=True):
                p.grad = dt.tensor(g)
            optimizer.step()
        return [p.detach().numpy() for p in ps]

    assert all(np.isfinite(p).all() for p in on_threads(run))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda p: optim.SGD(p, learning_rate=0.1),
            "SGD: there is no argument 'learning_rate'; did you mean 'lr'",
        ),
        (lambda p: optim.Adam(p, beta_1=0.9), "Adam: there is no argument 'beta_1'; did you mean 'betas'"),
        (lambda p: optim.AdamW(p, weightdecay=0.9), "'weightdecay'; did you mean 'weight_decay'"),
        (
            lambda p: optim.RMSprop(p, epsilon=0.9),
            "no argument 'epsilon'; did you mean 'eps'",
        ),
        (
            lambda p: optim.Lion(p, fused=True),
            "'fused'; every step is one call for all parameters",
        ),
        (lambda p: optim.Rprop(p, colour=1), r"Rprop: there is no argument 'colour'$"),
        (lambda p: optim.Rprop(p, etas=0.5), "Rprop: etas must be two numbers, got 0.5"),
    ],
)
def test_wrong_names_suggest_the_right_one(make: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        make(parameters())


def test_a_class_of_ones_own_may_take_any_argument() -> None:
    class Mine(optim.SGD):
        def __init__(self, params: Any, **kwargs: Any) -> None:
            super().__init__(params, lr=kwargs["pace"])

    assert Mine(parameters(), pace=0.5).param_groups[0]["lr"] == 0.5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: optim.Adagrad(p, lr_decay=-1), "Adagrad: lr_decay must be positive or 0, got -1"),
        (
            lambda p: optim.Adagrad(p, initial_accumulator_value=-1),
            "initial_accumulator_value must be",
        ),
        (lambda p: optim.Adadelta(p, rho=1.5), "Adadelta: rho must be a number from 0 to 1, got 1.5"),
        (lambda p: optim.RMSprop(p, alpha=-0.1), "RMSprop: alpha must be a number from 0 to 1, got -0.1"),
        (lambda p: optim.RMSprop(p, momentum=-1), "RMSprop: momentum must be positive or 0"),
        (
            lambda p: optim.Adamax(p, betas=(0.9, 1.0)),
            r"Adamax: betas\[1\] must be a number from 0",
        ),
        (lambda p: optim.NAdam(p, momentum_decay=-1), "NAdam: momentum_decay must be positive or 0"),
        (lambda p: optim.RAdam(p, eps=-1), "RAdam: eps must be positive or 0"),
        (lambda p: optim.Rprop(p, etas=(1.5, 1.2)), r"Rprop: etas\[0\] must be between 0 and 1, got 1.5"),
        (lambda p: optim.Rprop(p, etas=(0.5, 0.9)), r"Rprop: etas\[1\] must be above 1, got 0.9"),
        (
            lambda p: optim.Rprop(p, step_sizes=(2, 1)),
            r"step_sizes\[1\] must be at least step_sizes",
        ),
        (lambda p: optim.Lion(p, betas=(-0.1, 0.9)), r"Lion: betas\[0\] must be a number from 0 to below 1"),
        (lambda p: optim.Adafactor(p, d=0.5), "Adafactor: d must be 1 or more, got 0.5"),
        (
            lambda p: optim.Adafactor(p, beta2_decay=0.5),
            "Adafactor: beta2_decay must be negative or 0",
        ),
        (lambda p: optim.Adafactor(p, eps=(-1, 1)), r"Adafactor: eps\[0\] must be positive or 0, got -1"),
        (lambda p: optim.Lion(p, lr=math.inf), "Lion: lr must be positive or 0, got inf"),
    ],
)
def test_wrong_options(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(parameters())


def test_compile_knows_every_kind_by_name() -> None:
    model = nn.Linear(2, 1)
    for kind in KINDS:
        assert type(find_optimizer(kind.__name__.lower(), model)) is kind
    assert find_optimizer("RMSprop", model).param_groups[0]["lr"] == 0.01
    with pytest.raises(ValueError, match="there is no optimizer 'adm', expected one of adadelta, "):
        find_optimizer("adm", model)
    with pytest.raises(ValueError, match="optimizer is 'Muon', which is for matrices only"):
        find_optimizer("Muon", model)
    with pytest.raises(
        ValueError, match=r"optimizer is 'lbfgs', which is for full batches: make optim.LBFGS"
    ):
        find_optimizer("lbfgs", model)


@pytest.mark.parametrize("name", ["rmsprop", "lion"])
def test_fit_by_name(name: str) -> None:
    dt.manual_seed(0)
    model = nn.Linear(2, 1)
    x = np.random.default_rng(0).standard_normal((64, 2)).astype(np.float32)
    model.compile(optimizer=name, loss="mse")
    history = model.fit(x, x @ np.float32([[1.0], [-2.0]]), epochs=3, batch_size=8, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]


@pytest.mark.parametrize(
    ("source", "target", "lacks"),
    [
        ("Lion", "Adam", "exp_avg_sq"),
        ("Lion", "Adamax", "exp_inf"),
        ("RAdam", "NAdam", "mu_product"),
        ("RMSprop", "Adadelta", "acc_delta"),
    ],
)
def test_state_of_another_kind_that_keeps_less_is_refused(source: str, target: str, lacks: str) -> None:
    """What lacks would begin anew, and Adam's corrections be those of a later step."""
    p = dt.tensor([1.0, 2.0], requires_grad=True)
    p.grad = dt.tensor([1.0, 1.0])
    other = getattr(optim, source)([p], lr=0.1)
    other.step()
    own = getattr(optim, target)([p], lr=0.1)
    with pytest.raises(
        ValueError, match=f"{target}.load_state_dict: parameter 0 lacks {lacks}; the state has"
    ):
        own.load_state_dict(other.state_dict())
    assert own.state_dict()["state"] == {}


@pytest.mark.parametrize("name", ["step", "exp_avg"])
def test_state_with_an_entry_missing_is_refused(name: str) -> None:
    p = dt.tensor([1.0, 2.0], requires_grad=True)
    p.grad = dt.tensor([1.0, 1.0])
    optimizer = optim.Adam([p], lr=0.1)
    optimizer.step()
    state = optimizer.state_dict()
    del state["state"][0][name]
    with pytest.raises(ValueError, match=f"Adam.load_state_dict: parameter 0 lacks {name}"):
        optimizer.load_state_dict(state)


@pytest.mark.parametrize(
    ("kind", "name", "value", "expected"),
    [
        ("NAdam", "mu_product", -0.5, "is -0.5, expected a number from 0 to below 1"),
        ("NAdam", "mu_product", 1.0, "is 1.0, expected a number from 0 to below 1"),
        ("NAdam", "mu_product", math.nan, "is nan, expected a number from 0 to below 1"),
        ("NAdam", "exp_avg_sq", [1.0, -1.0], "holds -1.0, expected positive numbers or 0"),
        ("Adam", "exp_avg_sq", [-2.0, 1.0], "holds -2.0"),
        ("Adamax", "exp_inf", [-2.0, 1.0], "holds -2.0"),
        ("Adagrad", "sum", [-2.0, 1.0], "holds -2.0"),
        ("Adadelta", "acc_delta", [-2.0, 1.0], "holds -2.0"),
        ("RMSprop", "square_avg", [-2.0, 1.0], "holds -2.0"),
        ("Rprop", "step_size", [-2.0, 1.0], "holds -2.0"),
    ],
)
def test_state_out_of_range_is_refused(kind: str, name: str, value: Any, expected: str) -> None:
    p = dt.tensor([1.0, 2.0], requires_grad=True)
    p.grad = dt.tensor([1.0, 1.0])
    optimizer = getattr(optim, kind)([p], lr=0.1)
    optimizer.step()
    state, before = optimizer.state_dict(), str(optimizer.state_dict())
    state["state"][0][name] = value
    with pytest.raises(ValueError, match=f"{kind}.load_state_dict: '{name}' of parameter 0 {expected}"):
        optimizer.load_state_dict(state)
    assert str(optimizer.state_dict()) == before


def test_state_of_a_training_that_diverged_is_loaded() -> None:
    p = dt.tensor([1.0, 2.0], requires_grad=True)
    p.grad = dt.tensor([math.nan, math.inf])
    optimizer = optim.NAdam([p], lr=0.1)
    optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
