"""How tensors print: as NumPy's arrays do, with what NumPy does not know (gradients) behind the numbers."""

from __future__ import annotations

from typing import Any

# Here and not at the first call that meets an array: that may be on a thread, and a process forked while a
# thread imports finds the lock of the import taken for ever.
import numpy as np

from . import _core
from ._core import Tensor

_SILENT = (_core.float32, _core.int64, _core.bool)  # dtypes that the numbers give away


def to_array(tensor: Tensor) -> np.ndarray[Any, Any]:
    """The elements as an array of NumPy; bfloat16, which NumPy lacks, becomes float32 without loss."""
    tensor = tensor.detach()
    return (tensor.astype(_core.float32) if tensor.dtype == _core.bfloat16 else tensor).numpy()


def tensor_repr(tensor: Tensor) -> str:
    """``tensor([1., 2.], dtype=float64, requires_grad=True)``; large tensors are summarised."""
    name = "tensor" if type(tensor) is _core.Tensor else type(tensor).__name__
    notes = []
    if tensor.size == 0 and tensor.shape != (0,):
        notes.append(f"shape={tensor.shape}")
    if tensor.dtype not in _SILENT:
        notes.append(f"dtype={tensor.dtype.name}")
    if tensor.grad_fn is not None:
        notes.append(f"grad_fn=<{tensor.grad_fn.name()}>")
    elif tensor.requires_grad:
        notes.append("requires_grad=True")
    suffix = "".join(f", {note}" for note in notes) + ")"
    if tensor.size == 0:
        return f"{name}([]{suffix}"
    numbers = np.array2string(to_array(tensor), separator=", ", prefix=f"{name}(", suffix=")")
    last = numbers[numbers.rfind("\n") + 1 :]
    if notes and len(last) + len(suffix) + len(name) + 1 > np.get_printoptions()["linewidth"]:
        suffix = ",\n" + " " * (len(name) + 1) + suffix[2:]
    return f"{name}({numbers}{suffix}"


def tensor_str(tensor: Tensor) -> str:
    """The numbers alone, as ``str`` of an array of NumPy."""
    return str(to_array(tensor))


def tensor_format(tensor: Tensor, spec: str) -> str:
    """``f"{loss:.4f}"``: a tensor without axes formats as the number it holds."""
    if tensor.ndim == 0 and spec:
        return format(tensor.item(), spec)
    if spec:
        raise TypeError(
            f"__format__: a tensor of shape {tensor.shape} takes no format specification, got {spec!r}; "
            "only tensors without axes format as numbers"
        )
    return str(tensor)
