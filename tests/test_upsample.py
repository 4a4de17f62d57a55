"""Images made larger: beside PyTorch's numbers, and by hand."""

from __future__ import annotations

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import nn
from drivetrain.autograd import gradcheck

CASES = [
    {"scale_factor": 2},
    {"scale_factor": (1, 3)},
    {"scale_factor": 1.5},
    {"scale_factor": 0.7},
    {"size": (7, 5)},
    {"size": 3},
    {"size": 1},
]


@pytest.mark.parametrize("options", CASES)
@pytest.mark.parametrize("mode", ["nearest", "bilinear", "corners"])
def test_numbers_of_pytorch(options, mode):
    torch = pytest.importorskip("torch")
    more = (
        {"mode": "nearest"} if mode == "nearest" else {"mode": "bilinear", "align_corners": mode == "corners"}
    )
    x = np.random.default_rng(0).normal(size=(2, 4, 5, 3)).astype(np.float32)
    theirs = torch.nn.Upsample(**options, **more)(torch.from_numpy(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    ours = nn.Upsample(**options, **more)(dt.tensor(x))
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-6)


def test_by_hand():
    x = dt.tensor([[0.0, 1.0], [2.0, 3.0]]).reshape((1, 2, 2, 1))
    corners = nn.Upsample(size=3, mode="bilinear", align_corners=True)(x).reshape((3, 3))
    assert corners.tolist() == [[0, 0.5, 1], [1, 1.5, 2], [2, 2.5, 3]]
    assert nn.Upsample(scale_factor=2)(x).reshape((4, 4)).tolist()[1] == [0, 0, 1, 1]


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_gradient(mode):
    x = dt.tensor(np.random.default_rng(0).normal(size=(1, 3, 2, 2)), requires_grad=True)
    assert gradcheck(nn.Upsample(scale_factor=2, mode=mode), (x,))


def test_halves_stay_halves():
    assert (
        nn.Upsample(scale_factor=2, mode="bilinear")(dt.ones((1, 2, 2, 1), dtype="bfloat16")).dtype
        == dt.bfloat16
    )


def test_relu6():
    x = dt.tensor([-1.0, 3.0, 7.0], requires_grad=True)
    y = nn.ReLU6()(x)
    assert y.tolist() == [0, 3, 6]
    y.sum().backward()
    assert x.grad.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: nn.Upsample(), ValueError, "one of size and scale_factor"),
        (lambda: nn.Upsample(2, 2.0), ValueError, "one of size and scale_factor"),
        (lambda: nn.Upsample(0), ValueError, "size must be a positive integer"),
        (lambda: nn.Upsample(scale_factor="2"), TypeError, "scale_factor must be one number or 2"),
        (lambda: nn.Upsample(scale_factor=-1), ValueError, "scale_factor must be positive"),
        (lambda: nn.Upsample(2, mode="cubic"), ValueError, "mode must be one of 'nearest', 'bilinear'"),
        (lambda: nn.Upsample(2, align_corners=True), ValueError, "align_corners is for mode 'bilinear'"),
        (lambda: nn.Upsample(2)(dt.zeros((2, 2, 1))), ValueError, "batch, height, width, channels"),
        (lambda: nn.Upsample(scale_factor=0.1)(dt.zeros((1, 2, 2, 1))), ValueError, "no pixel would be left"),
    ],
)
def test_wrong_arguments(call, kind, message):
    with pytest.raises(kind, match=message):
        call()
