"""What the tests of the tape share."""

import numpy as np

import drivetrain as dt
from drivetrain.autograd import Function


def leaf(*values, dtype="float64"):
    return dt.tensor(list(values), dtype=dtype, requires_grad=True)


def ones(t):
    return dt.tensor(np.ones(t.shape), dtype=t.dtype)


class Square(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * x * 2
