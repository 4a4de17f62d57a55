"""Rows of views, of what joins and cuts tensors, and of what moves elements."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import drivetrain as dt

from .row import ALL, Error, Op, Sample

Rng = np.random.Generator
X = dt.tensor(np.zeros((3, 4, 5)), dtype="float32")


def mover(
    name: str,
    reference: Callable[..., Any],
    calls: Sequence[tuple[Any, ...]],
    errors: Sequence[Error],
    *,
    shape: tuple[int, ...] = (3, 4, 5),
    empty: Sequence[tuple[Any, ...]] = (),
    **options: Any,
) -> Op:
    """An op that only moves elements: `calls` are its arguments behind x."""

    def samples(rng: Rng) -> Iterator[Sample]:
        for args in calls:
            yield Sample((rng.normal(0, 1, shape), *args))

    def empty_samples(rng: Rng) -> Iterator[Sample]:
        for x, *args in empty:
            yield Sample((np.zeros(x), *args))

    wrong = Error(
        lambda: getattr(dt, name)("x", *calls[0]), TypeError, rf"{name}: x must be a Tensor, got str"
    )
    options.setdefault("exact", True)
    return Op(
        name=name,
        reference=reference,
        samples=samples,
        empty_samples=empty_samples if empty else None,
        no_empty="" if empty else "nothing to move",
        errors=[wrong, *errors],
        dtypes=ALL,
        **options,
    )


def triangle_errors(name: str) -> list[Error]:
    return [
        Error(
            lambda: getattr(dt, name)(dt.zeros(3)), ValueError, rf"{name}: x must have at least 2 dimensions"
        )
    ]


def lists(rng: Rng) -> Iterator[Sample]:
    yield Sample(([rng.normal(0, 1, (2, 3)), rng.normal(0, 1, (2, 3)), rng.normal(0, 1, (2, 3))],))
    yield Sample(([rng.normal(0, 1, (2, 3)), rng.normal(0, 1, (2, 3))], 1))
    yield Sample(([rng.normal(0, 1, (2, 3, 4))], -1))


def empty_lists(rng: Rng) -> Iterator[Sample]:
    yield Sample(([np.zeros((0, 3)), np.zeros((0, 3))],))


def uneven_lists(rng: Rng) -> Iterator[Sample]:
    yield from lists(rng)
    yield Sample(([rng.normal(0, 1, (2, 3)), rng.normal(0, 1, (2, 1)), rng.normal(0, 1, (2, 0))], 1))
    yield Sample(([rng.normal(0, 1, (2, 3)), rng.normal(0, 1, 4)], None))


ROWS = [
    mover(
        "reshape",
        lambda x, shape: x.reshape(shape),
        [((12, 5),), (-1,), ((5, -1),), ((1, 3, 4, 5, 1),), ((3, 2, 2, 5),)],
        [
            Error(
                lambda: dt.reshape(X, (7, -1)),
                ValueError,
                r"reshape: a tensor of shape \(3, 4, 5\) \(60 elements\) cannot take",
            ),
            Error(lambda: dt.reshape(X, (-1, -1)), ValueError, "reshape: only one size may be -1"),
        ],
        empty=[((0, 3), (3, 0)), ((0, 3), (2, 0, 7))],
    ),
    mover(
        "flatten",
        lambda x, s=0, e=-1: x.reshape((*x.shape[:s], -1, *x.shape[e % 3 + 1 :])),
        [(), (1,), (0, 1), (1, 1)],
        [Error(lambda: dt.flatten(X, 2, 1), ValueError, "flatten: start_axis 2 comes after end_axis 1")],
    ),
    mover(
        "permute_dims",
        np.transpose,
        [((2, 0, 1),), ((0, 2, 1),), ((-1, 1, 0),)],
        [
            Error(
                lambda: dt.permute_dims(X, (0, 1)),
                ValueError,
                r"permute_dims: axes \(0, 1\) are no permutation of the 3 axes",
            )
        ],
        empty=[((0, 3), (1, 0))],
    ),
    mover(
        "transpose",
        np.transpose,
        [(), ((2, 0, 1),)],
        [
            Error(
                lambda: dt.transpose(X, (0, 1)),
                ValueError,
                r"transpose: axes .* no permutation .* use swapaxes",
            )
        ],
        empty=[((0, 3),)],
        covers=("Tensor.T",),
    ),
    mover(
        "matrix_transpose",
        lambda x: np.swapaxes(x, -1, -2),
        [()],
        [
            Error(
                lambda: dt.matrix_transpose(dt.zeros(3)),
                ValueError,
                "matrix_transpose: x must have at least 2 dimensions",
            )
        ],
        empty=[((0, 3),)],
        covers=("Tensor.mT",),
    ),
    mover(
        "swapaxes",
        np.swapaxes,
        [(0, 2), (-1, 1)],
        [Error(lambda: dt.swapaxes(X, 0, 3), IndexError, "swapaxes: axis 3 is out of range")],
    ),
    mover(
        "moveaxis",
        np.moveaxis,
        [(0, -1), ((0, 1), (-1, 0))],
        [Error(lambda: dt.moveaxis(X, (0, 1), (2,)), ValueError, "moveaxis: source .* differ in length")],
    ),
    mover(
        "squeeze",
        lambda x, axis=None: np.squeeze(x, axis),
        [(), (1,), ((1, -1),)],
        [
            Error(
                lambda: dt.squeeze(X, 0),
                ValueError,
                r"squeeze: axis 0 has size 3 \(shape \(3, 4, 5\)\), expected 1",
            )
        ],
        shape=(3, 1, 4, 1),
        empty=[((0, 1),)],
    ),
    mover(
        "expand_dims",
        np.expand_dims,
        [(0,), (-1,), ((0, 2),)],
        [Error(lambda: dt.expand_dims(X, 5), IndexError, "expand_dims: axis 5 is out of range")],
        empty=[((0, 3), 1)],
    ),
    mover(
        "broadcast_to",
        np.broadcast_to,
        [((3, 4, 5),), ((2, 3, 4, 5),)],
        [
            Error(
                lambda: dt.broadcast_to(X, (4, 5)),
                ValueError,
                r"broadcast_to: a tensor of shape \(3, 4, 5\) does not broadcast to shape \(4, 5\)",
            )
        ],
        shape=(3, 1, 5),
        empty=[((0, 3), (2, 0, 3))],
        covers=("Tensor.expand",),
    ),
    mover(
        "flip",
        np.flip,
        [(), (0,), ((0, -1),)],
        [Error(lambda: dt.flip(X, (0, 0)), ValueError, "flip: axis 0 is given twice")],
        empty=[((0, 3), 0)],
    ),
    mover("diagonal", lambda x: np.diagonal(x, 0, -2, -1), [()], triangle_errors("diagonal")),
    mover(
        "split",
        lambda x, s, axis=0: tuple(np.split(x, s, axis)),
        [(3,), (2, 1), ([1, 3], 2), ([], 0)],
        [
            Error(
                lambda: dt.split(X, 3, 1),
                ValueError,
                r"split: axis 1 has size 4 \(shape \(3, 4, 5\)\), which 3 does not divide",
            )
        ],
        empty=[((0, 3), 1)],
    ),
    mover(
        "unstack",
        lambda x, axis=0: tuple(np.moveaxis(x, axis, 0)),
        [(), (1,), (-1,)],
        [Error(lambda: dt.unstack(X, 3), IndexError, "unstack: axis 3 is out of range")],
    ),
    mover(
        "roll",
        np.roll,
        [(1,), (-7,), (2, 1), ((1, -2), (0, 2)), (1, (0, 1))],
        [Error(lambda: dt.roll(X, (1, 2), (0,)), ValueError, "roll: shift .* differ in length")],
        empty=[((0, 3), 1, 0)],
    ),
    mover(
        "pad",
        np.pad,
        [
            (1,),
            ((1, 2),),
            (((1, 0), (0, 2), (3, 1)),),
            (((1, 0), (0, 2), (3, 1)), "edge"),
            (((1, 0), (0, 2), (3, 1)), "reflect"),
            (6, "reflect"),
        ],
        [
            Error(lambda: dt.pad(X, -1), ValueError, "pad: widths must not be negative"),
            Error(lambda: dt.pad(X, 1, "wrap"), ValueError, "pad: mode is 'wrap', expected"),
            Error(
                lambda: dt.pad(X.half(), 1, constant_values=-1e5),
                ValueError,
                "pad: constant_values is -100000, beyond the range of float16, -65504 to 65504",
            ),
            Error(
                lambda: dt.pad(X.bfloat16(), 1, constant_values=3.4e38),
                ValueError,
                "pad: constant_values is 3.4e",
            ),
            Error(
                lambda: dt.pad(X, [(1, 1)] * 2),
                ValueError,
                "pad: pad_width has 2 pairs, expected one for each of the 3 axes",
            ),
        ],
        empty=[((0, 3), 1)],
    ),
    mover(
        "tile",
        np.tile,
        [(2,), ((2, 3),), ((1, 2, 3),), ((2, 1, 1, 3),)],
        [Error(lambda: dt.tile(X, -1), ValueError, "tile: repetitions must not be negative")],
        empty=[((0, 3), 2)],
    ),
    mover(
        "repeat",
        np.repeat,
        [(2,), (3, 1), (2, -1)],
        [Error(lambda: dt.repeat(X, -1), ValueError, "repeat: repeats is -1, expected 0 or more")],
        empty=[((0, 3), 2, 1)],
    ),
    mover("tril", np.tril, [(), (1,), (-2,)], triangle_errors("tril"), empty=[((0, 3),)]),
    mover("triu", np.triu, [(), (1,), (-2,)], triangle_errors("triu"), empty=[((0, 3),)]),
    Op(
        name="concat",
        reference=lambda tensors, axis=0: np.concatenate(tensors, axis),
        samples=uneven_lists,
        empty_samples=empty_lists,
        dtypes=ALL,
        exact=True,
        errors=[
            Error(
                lambda: dt.concat([X, X[:, :1]]),
                ValueError,
                r"concat: tensor 1 has shape \(3, 1, 5\), but tensor 0 has shape \(3, 4, 5\)",
            ),
            Error(lambda: dt.concat([]), ValueError, "concat: at least one tensor is needed"),
            Error(
                lambda: dt.concat([X, 3]),
                TypeError,
                "concat: tensors must hold Tensors only, got int at position 1",
            ),
        ],
    ),
    Op(
        name="stack",
        reference=lambda tensors, axis=0: np.stack(tensors, axis),
        samples=lists,
        empty_samples=empty_lists,
        dtypes=ALL,
        exact=True,
        errors=[
            Error(lambda: dt.stack([X, X[:1]]), ValueError, r"stack: tensor 1 has shape \(1, 4, 5\)"),
            Error(lambda: dt.stack([]), ValueError, "stack: at least one tensor is needed"),
        ],
    ),
]
