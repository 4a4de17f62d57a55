"""Rows of the recurrent networks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

import drivetrain as dt

from .row import ALL_FLOATS, FLOATS, HALVES, Error, Op, Sample

Array = np.ndarray[Any, Any]
GATES = {"rnn_tanh": 1, "rnn_relu": 1, "lstm": 4, "gru": 3}


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def step(mode: str, x: Array, h: Array, c: Array, w: list[Array]) -> tuple[Array, Array]:
    """One step of one sequence; `w` is weight_ih, weight_hh and perhaps bias_ih, bias_hh and weight_hr."""
    bias_ih, bias_hh = (w[2], w[3]) if len(w) >= 4 else (0.0, 0.0)
    a, b = w[0] @ x + bias_ih, w[1] @ h + bias_hh
    if mode == "rnn_tanh":
        return np.tanh(a + b), c
    if mode == "rnn_relu":
        return np.maximum(a + b, 0), c
    if mode == "gru":
        (ar, az, an), (br, bz, bn) = np.split(a, 3), np.split(b, 3)
        r, z = sigmoid(ar + br), sigmoid(az + bz)
        return (1 - z) * np.tanh(an + r * bn) + z * h, c
    i, f, g, o = np.split(a + b, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    h = sigmoid(o) * np.tanh(c)
    return (w[-1] @ h if len(w) % 2 else h), c


def reference(
    mode: str,
    x: Array,
    weights: list[Array],
    hx: Array | None = None,
    cx: Array | None = None,
    lengths: Array | None = None,
    layers: int = 1,
    bidirectional: bool = False,
) -> tuple[Array, ...]:
    batch, time, _ = x.shape
    directions = 2 if bidirectional else 1
    each = len(weights) // (layers * directions)
    hidden, state = weights[0].shape[0] // GATES[mode], weights[1].shape[1]
    h_n, c_n = np.zeros((layers * directions, batch, state)), np.zeros((layers * directions, batch, hidden))
    for layer in range(layers):
        y = np.zeros((batch, time, directions * state))
        for d in range(directions):
            at = layer * directions + d
            w = weights[at * each : (at + 1) * each]
            for i in range(batch):
                h = np.zeros(state) if hx is None else hx[at, i]
                c = np.zeros(hidden) if cx is None else cx[at, i]
                n = time if lengths is None else int(lengths[i])
                for t in reversed(range(n)) if d else range(n):
                    h, c = step(mode, x[i, t], h, c, w)
                    y[i, t, d * state : (d + 1) * state] = h
                h_n[at, i], c_n[at, i] = h, c
        x = y
    return (x, h_n, c_n) if mode == "lstm" else (x, h_n)


def sample(
    rng: np.random.Generator,
    mode: str,
    batch: int,
    time: int,
    features: int,
    hidden: int,
    *,
    layers: int = 1,
    bidirectional: bool = False,
    bias: bool = True,
    state: int = 0,
    starts: bool = True,
    lengths: list[int] | None = None,
) -> Sample:
    directions, wide, width = 2 if bidirectional else 1, GATES[mode] * hidden, state or hidden
    weights = []
    for layer in range(layers):
        for _ in range(directions):
            shapes: list[tuple[int, ...]] = [(wide, directions * width if layer else features), (wide, width)]
            shapes += [(wide,), (wide,)] if bias else []
            shapes += [(state, hidden)] if state else []
            weights += [rng.uniform(-1, 1, s) / max(1, hidden) ** 0.5 for s in shapes]
    kwargs: dict[str, Any] = {"layers": layers, "bidirectional": bidirectional}
    if starts:
        kwargs["hx"] = rng.standard_normal((layers * directions, batch, width))
        if mode == "lstm":
            kwargs["cx"] = rng.standard_normal((layers * directions, batch, hidden))
    if lengths is not None:
        kwargs["lengths"] = np.array(lengths)
    return Sample((mode, rng.standard_normal((batch, time, features)), weights), kwargs)


def samples(mode: str) -> Any:
    def of(rng: np.random.Generator) -> Iterator[Sample]:
        yield sample(rng, mode, 3, 4, 5, 6)
        yield sample(rng, mode, 1, 1, 1, 1, bias=False, starts=False)
        yield sample(rng, mode, 3, 4, 2, 5, layers=2, bidirectional=True)
        yield sample(rng, mode, 4, 5, 3, 4, lengths=[2, 5, 0, 3])
        yield sample(rng, mode, 4, 3, 3, 3, layers=2, bidirectional=True, lengths=[1, 3, 2, 3], bias=False)
        yield sample(rng, mode, 2, 3, 2, 4, lengths=[0, 0])
        if mode == "lstm":
            yield sample(rng, mode, 2, 3, 4, 5, layers=2, bidirectional=True, state=2, lengths=[3, 1])
            yield sample(rng, mode, 2, 3, 4, 5, state=3, bias=False, starts=False)

    return of


def empty(mode: str) -> Any:
    def of(rng: np.random.Generator) -> Iterator[Sample]:
        yield sample(rng, mode, 0, 3, 2, 4)
        yield sample(rng, mode, 2, 0, 2, 4)
        yield sample(rng, mode, 2, 3, 0, 4)

    return of


def large(mode: str) -> Any:
    """Around whole panels of units, cut by sequences and by units."""

    def of(rng: np.random.Generator) -> Iterator[Sample]:
        for hidden in (31, 32, 65):
            yield sample(rng, mode, 17, 3, 20, hidden)
        yield sample(rng, mode, 40, 4, 30, 64, lengths=[1 + i % 4 for i in range(40)])
        yield sample(rng, mode, 3, 3, 10, 350, starts=False)

    return of


def kinked(of: Any) -> Any:
    """A state that is rounded may come to lie on the other side of a relu's kink: no gradients of halves."""

    def split(rng: np.random.Generator) -> Iterator[Sample]:
        for found in of(rng):
            yield replace(found, dtypes=FLOATS)
            yield replace(found, dtypes=HALVES, gradient=False)

    return split


def call(mode: str, x: Any = None, weights: Any = None, **kwargs: Any) -> Any:
    zeros = {"lstm": [(12, 2), (12, 3)], "gru": [(9, 2), (9, 3)], "rnn_tanh": [(3, 2), (3, 3)]}
    weights = [dt.zeros(s) for s in zeros[mode]] if weights is None else weights
    return lambda: dt._core._rnn(mode, dt.zeros((4, 5, 2)) if x is None else x, weights, **kwargs)


LSTM_ERRORS = [
    Error(
        call("lstm", dt.zeros((5, 2))),
        ValueError,
        r"lstm: input must have 3 dimensions \(batch, time, features\)",
    ),
    Error(
        call("lstm", dt.zeros((4, 5, 3))),
        ValueError,
        r"lstm: input has 3 features \(shape \(4, 5, 3\)\), but weight_ih_l0 \(12, 2\) expects 2",
    ),
    Error(
        call("lstm", weights=[dt.zeros((12, 2)), dt.zeros((12, 4))]),
        ValueError,
        r"lstm: weight_hh_l0 has shape \(12, 4\), expected \(16, 4\)",
    ),
    Error(call("lstm", weights=[dt.zeros((12, 2))]), ValueError, "got 1 weights for 1 layers and directions"),
    Error(call("lstm", layers=0), ValueError, "weights for 0 layers and directions"),
    Error(
        call("lstm", weights=[dt.zeros((12, 2)), dt.zeros((12, 3)), dt.zeros((12,)), dt.zeros((3,))]),
        ValueError,
        r"lstm: bias_hh_l0 has shape \(3,\), expected \(12,\)",
    ),
    Error(call("lstm", hx=dt.zeros((1, 3, 3))), ValueError, r"lstm: hx has shape \(1, 3, 3\)"),
    Error(call("lstm", cx=dt.zeros((4, 3))), ValueError, r"lstm: cx has shape \(4, 3\)"),
    Error(
        call("lstm", hx=dt.zeros((1, 4, 3), dtype="float64")),
        TypeError,
        "lstm: hx has dtype float64, but input has dtype float32",
    ),
    Error(
        call("lstm", lengths=dt.tensor([5, 6, 5, 5])),
        ValueError,
        r"lstm: lengths has 6 for sequence 1, expected 0 to 5, the steps of input \(shape \(4, 5, 2\)\)",
    ),
    Error(call("lstm", lengths=dt.tensor([5, 5, -1, 5])), ValueError, "lstm: lengths has -1 for sequence 2"),
    Error(call("lstm", lengths=dt.tensor([5, 5])), ValueError, r"lstm: lengths has shape \(2,\)"),
    Error(call("lstm", lengths=dt.tensor([5.0] * 4)), TypeError, "lstm: lengths must have an integer dtype"),
    Error(call("lstm", dropout=1.5), ValueError, "lstm: dropout"),
    Error(
        call("lstm", dt.zeros((4, 5, 2), dtype="float64")),
        TypeError,
        "lstm: input has dtype float64, but weight_ih_l0 has dtype float32",
    ),
]
OTHER_ERRORS = [
    Error(call("gru", cx=dt.zeros((1, 4, 3))), ValueError, "gru: cx is given, but only an LSTM"),
    Error(
        call("gru", weights=[dt.zeros((9, 2)), dt.zeros((9, 3)), dt.zeros((3, 3))]),
        ValueError,
        "gru: only an LSTM has a projection",
    ),
    Error(
        lambda: dt._core._rnn("lstn", dt.zeros((1, 1, 1)), [dt.zeros((1, 1))] * 2),
        ValueError,
        "rnn: mode is 'lstn', expected rnn_tanh, rnn_relu, lstm or gru",
    ),
]

ROWS = [
    Op(
        name=mode,
        function=dt._core._rnn,
        dtypes=ALL_FLOATS,
        reference=reference,
        samples=kinked(samples(mode)) if mode == "rnn_relu" else samples(mode),
        empty_samples=empty(mode),
        large_samples=kinked(large(mode)) if mode == "rnn_relu" else large(mode),
        differentiable=(1, 2, "hx", "cx") if mode == "lstm" else (1, 2, "hx"),
        # A half format rounds the state at each step.
        tolerance={"float16": (1e-2, 1e-2), "bfloat16": (8e-2, 8e-2)},
        errors=errors,
    )
    for mode, errors in (
        ("rnn_tanh", OTHER_ERRORS),
        ("rnn_relu", OTHER_ERRORS),
        ("gru", OTHER_ERRORS),
        ("lstm", LSTM_ERRORS),
    )
]
