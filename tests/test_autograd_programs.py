"""Small programs with views, repeated use and writes in place, against gradients recorded from PyTorch.

Each program is given a library (drivetrain or PyTorch) and two leaves, x of shape (3, 4) and w of shape (4,),
and returns what backward is called on. The recorded numbers are recomputed where PyTorch is installed.
"""

import json
from pathlib import Path

import numpy as np
import pytest

import drivetrain as dt

try:
    import torch
except ImportError:
    torch = None

RECORDED = Path(__file__).parent / "golden" / "autograd_programs.json"
X = (np.arange(12, dtype="f8").reshape(3, 4) - 4) / 4
W = np.array([0.5, -1.0, 2.0, 3.0])


def repeated(lib, x, w):
    y = x * x
    return (y * y + x * w + x).sum()


def broadcast(lib, x, w):
    return (x * w + w * 2 - w / 4).sum()


def view_of_a_leaf(lib, x, w):
    return (x[1] * w).sum() + x[0, 2] * 3


def slices(lib, x, w):
    return (x[:, 1:3] * x[:, 2:4]).sum() + (x[::2, ::2] * 5).sum()


def chain_of_views(lib, x, w):
    return (x.reshape(4, 3)[1:][0] * 2).sum() + (x.reshape(2, 6)[1].reshape(2, 3)[1] * 7).sum()


def write_into_a_row(lib, x, w):
    y = x * 2
    y[0] += w
    return (y * y).sum()


def write_constant(lib, x, w):
    y = x * 2
    y[1] = 3.0
    return (y * y * w).sum()


def write_tensor(lib, x, w):
    y = x * 2
    y[:, 1] = w[:3]
    return (y * y).sum()


def scale_a_row_through_a_name(lib, x, w):
    y = x * 2
    row = y[0]
    row *= 3
    return (y * w).sum() + (row * row).sum()


def view_made_before_the_write(lib, x, w):
    y = x * 2
    row = y[0]
    y *= w
    return (row * 5).sum() + y.sum()


def base_written_then_view_used(lib, x, w):
    y = x.clone()
    a, b = y[0], y[1]
    a += b
    b *= w
    return (a * b).sum() + y[2].sum()


def write_to_a_view_of_a_view(lib, x, w):
    y = x * 1
    part = y[1:]
    inner = part[0]
    inner *= 4
    part += w
    return (y * y).sum()


def fresh_memory_filled(lib, x, w):
    y = lib.zeros((3, 4), dtype=x.dtype)
    y[0] = w
    y[1] = x[2] * w
    y += x
    return (y * y).sum()


def transposed_write(lib, x, w):
    y = x * 2
    t = y.T
    t[1] *= 3
    t += 1
    return (y * y * w).sum()


def whole_in_place(lib, x, w):
    y = x * w
    y += x
    y *= 2
    y -= w
    y /= 4
    return y.sum()


def copied_over(lib, x, w):
    y = x * 2
    y.copy_(x * 3)
    return (y * w).sum()


def copied_into_a_view(lib, x, w):
    y = x * 2
    y[2].copy_(w)
    return (y * x).sum()


def filled(lib, x, w):
    y = x * 2
    y[0].fill_(7.0)
    return (y * x).sum()


def detached_branch(lib, x, w):
    y = x * w
    return (y * y.detach()).sum()


def unused_part(lib, x, w):
    y = x * 2
    _ = y[0] * w
    return y[1].sum()


def expanded(lib, x, w):
    y = x[0] * w
    return (y + x).sum() + (y * y).sum()


def masked_write(lib, x, w):
    y = x * 2
    mask = x.detach() > 0.5
    y[mask] = 0.0
    return (y * w).sum()


def gathered_rows(lib, x, w):
    rows = lib.tensor([0, 2, 0])
    return (x[rows] * w).sum() + (x[rows] * x[rows]).sum()


def written_rows(lib, x, w):
    y = x * 2
    rows = lib.tensor([0, 2])
    y[rows] = w * 3
    return (y * y).sum()


def with_a_hook(lib, x, w):
    y = x * 2
    y.register_hook(lambda g: g * 10)
    return (y * w).sum() + y.sum()


def self_assignment(lib, x, w):
    y = x * 1
    y[1:] = y[:-1].clone() * 2
    return (y * w).sum()


PROGRAMS = {
    f.__name__: f
    for f in (
        repeated,
        broadcast,
        view_of_a_leaf,
        slices,
        chain_of_views,
        write_into_a_row,
        write_constant,
        write_tensor,
        scale_a_row_through_a_name,
        view_made_before_the_write,
        base_written_then_view_used,
        write_to_a_view_of_a_view,
        fresh_memory_filled,
        transposed_write,
        whole_in_place,
        copied_over,
        copied_into_a_view,
        filled,
        detached_branch,
        unused_part,
        expanded,
        masked_write,
        gathered_rows,
        written_rows,
        with_a_hook,
        self_assignment,
    )
}


def run(lib, program):
    """The value and the gradients of x and w (None where nothing flowed), as lists."""
    x = lib.tensor(X, dtype=lib.float64, requires_grad=True)
    w = lib.tensor(W, dtype=lib.float64, requires_grad=True)
    out = program(lib, x, w)
    out.backward()
    return [out.item(), *(None if t.grad is None else t.grad.tolist() for t in (x, w))]


def assert_same(found, expected):
    for a, b in zip(found, expected, strict=True):
        if a is None or b is None:
            assert a is b
        else:
            np.testing.assert_allclose(a, b, rtol=1e-12)


@pytest.mark.parametrize("name", PROGRAMS)
def test_gradients_are_those_of_pytorch(name):
    assert_same(run(dt, PROGRAMS[name]), json.loads(RECORDED.read_text())[name])


@pytest.mark.skipif(torch is None, reason="PyTorch is not installed")
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_record_is_right(name):
    assert_same(run(torch, PROGRAMS[name]), json.loads(RECORDED.read_text())[name])
