"""Whether what a file holds fits a model, said before it is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .. import _core
from ..nn.state import is_ignored


class Found(NamedTuple):
    """What a file has under a name."""

    shape: tuple[int, ...]
    dtype: str


def check_fit(path: Any, have: Mapping[str, Found | None], model: Any, strict: bool) -> None:
    """Compare names, shapes and kinds of dtypes with those of a model; None is what was not looked at.

    Raises:
        ValueError: When they do not fit; the message lists how.
    """
    want = model.state_dict()
    problems = [misfit(name, have[name], want[name]) for name in sorted(have.keys() & want.keys())]
    problems = [problem for problem in problems if problem]
    if strict:
        unexpected = [name for name in sorted(have.keys() - want.keys()) if not is_ignored(model, name)]
        problems += [f"{name} is missing" for name in sorted(want.keys() - have.keys())]
        problems += [f"{name[:80]} is unexpected" for name in unexpected]
    if problems:
        more = f" and {len(problems) - 10} more" if len(problems) > 10 else ""
        raise ValueError(f"{path} does not fit the model: {'; '.join(problems[:10])}{more}")


def misfit(name: str, have: Found | None, want: Any) -> str:
    if have is None:
        return ""
    if have.shape != tuple(want.shape):
        return f"{name} has shape {have.shape}, expected {tuple(want.shape)}"
    dtype = getattr(_core, have.dtype, None)
    if not isinstance(dtype, type(want.dtype)):
        return f"{name} is {have.dtype}, expected {want.dtype.name}"
    if dtype is not want.dtype and not (dtype.is_floating_point and want.dtype.is_floating_point):
        return f"{name} is {have.dtype}, expected {want.dtype.name}"
    return ""


def narrow(value: Any) -> Any:
    """The same tensor in a dtype that NumPy has: bfloat16 becomes float32, which holds all its numbers."""
    dtype = getattr(value, "dtype", None)
    return value.detach().astype("float32") if getattr(dtype, "name", "") == "bfloat16" else value
