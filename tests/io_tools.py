"""Files by hand, and models to write into them."""

import json
import struct

import numpy as np

from drivetrain import nn


def raw_file(path, tensors, document, *, header_length=None):
    """Write a safetensors file by hand. ``tensors`` maps names to (dtype, shape, begin, end), and the data is
    zeros."""
    header = {
        name: {"dtype": d, "shape": s, "data_offsets": [b, e]} for name, (d, s, b, e) in tensors.items()
    }
    if document is not None:
        header["__metadata__"] = {
            "drivetrain": document if isinstance(document, str) else json.dumps(document)
        }
    text = json.dumps(header).encode()
    size = max((e for *_, e in tensors.values()), default=0)
    size = min(size, 4096)
    path.write_bytes(
        struct.pack("<Q", len(text) if header_length is None else header_length) + text + bytes(size)
    )
    return path


def small_model():
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.BatchNorm1d(4), nn.Linear(4, 2))


def assert_same_state(first, second):
    ours, theirs = first.state_dict(), second.state_dict()
    assert list(ours) == list(theirs)
    for name in ours:
        assert np.array_equal(ours[name].detach().numpy(), theirs[name].detach().numpy()), name


class Custom(nn.Module):
    def __init__(self, width, *, layers=2, inner=None, names=()):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(width, width) for _ in range(layers)])
        self.inner = inner
        self.names = names

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x if self.inner is None else self.inner(x)


class Block(nn.Sequential):
    """A container of its own kind, with arguments of its own."""

    def __init__(self, inputs, outputs, *, weights=None):
        super().__init__(nn.Linear(inputs, outputs), nn.ReLU())
        self.weights = weights
