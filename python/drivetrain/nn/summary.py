"""The table that `Module.summary` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import _core
from .._core import Tensor
from ..autograd import no_grad

if TYPE_CHECKING:
    from .module import Module


def table(model: Module, input_shape: Any, dtype: Any, max_depth: int | None = None) -> str:
    """One row per layer, in the order in which they run where an input shape is given."""
    if input_shape is not None:
        rows = _rows_of_a_run(model, input_shape, dtype, max_depth)
    else:
        rows = _rows_as_listed(model, max_depth)
    header = ("Layer (type)", "Output shape", "Parameters")
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(3)]

    def line(row: tuple[str, str, str]) -> str:
        return f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]:>{widths[2]}}".rstrip()

    rule = "-" * (sum(widths) + 4)
    parameters = list(model.parameters())
    total = sum(p.size for p in parameters)
    trained = sum(p.size for p in parameters if p.requires_grad)
    memory = sum(p.nbytes for p in parameters) + sum(b.nbytes for b in model.buffers())
    return "\n".join(
        [
            type(model).__name__,
            rule,
            line(header),
            rule,
            *map(line, rows),
            rule,
            f"Parameters: {total:,} ({trained:,} trained, {total - trained:,} frozen)",
            f"Memory of parameters and buffers: {_bytes(memory)}",
        ]
    )


def _bytes(count: int) -> str:
    if count < 10_000:
        return f"{count:,} bytes"
    return f"{count / 1e3:,.1f} kB" if count < 10_000_000 else f"{count / 1e6:,.1f} MB"


def _row(
    name: str, module: Module, shape: str, counted: set[int], max_depth: int | None
) -> tuple[str, str, str]:
    own = [p for _, p in module._own_parameters()]
    if name and _depth(name) == max_depth:
        own = list(module.parameters())  # what it holds gets no rows of its own
    count = sum(p.size for p in own if id(p) not in counted)
    counted.update(map(id, own))
    return (f"{name} ({type(module).__name__})".strip(), shape, f"{count:,}")


def _is_layer(name: str, module: Module, max_depth: int | None) -> bool:
    """Worth a row: it holds parameters, or it has nothing inside that would get rows of its own."""
    if max_depth is not None and _depth(name) >= max_depth:
        return _depth(name) == max_depth
    return bool(module._own_parameters()) or not any(True for _ in module.children())


def _depth(name: str) -> int:
    return name.count(".") + 1 if name else 0


def _rows_as_listed(model: Module, max_depth: int | None) -> list[tuple[str, str, str]]:
    counted: set[int] = set()
    return [
        _row(name, part, "", counted, max_depth)
        for name, part in model.named_modules()
        if _is_layer(name, part, max_depth)
    ]


def _rows_of_a_run(
    model: Module, input_shape: Any, dtype: Any, max_depth: int | None
) -> list[tuple[str, str, str]]:
    from .carried import carried_states

    shapes = _sample_shapes(input_shape)
    inputs = [_core.zeros((1, *shape), dtype=dtype) for shape in shapes]
    rows: list[tuple[str, str, str]] = []
    counted: set[int] = set()
    was_training = {id(part): part.training for part in model.modules()}
    carried = [(states, states.get()) for states in carried_states(model).values()]
    handles = []
    try:
        for states, _ in carried:
            states.set(None)
        for name, part in model.named_modules():
            if _is_layer(name, part, max_depth):
                handles.append(part.register_forward_hook(_recorder(name, rows, counted, max_depth)))
        model.eval()
        with no_grad():
            model(*inputs)
    finally:
        for handle in handles:
            handle.remove()
        for states, before in carried:
            states.set(before)
        for part in model.modules():
            part.training = was_training[id(part)]
    return rows


def _recorder(name: str, rows: list[tuple[str, str, str]], counted: set[int], max_depth: int | None) -> Any:
    def record(module: Module, args: Any, output: Any) -> None:
        rows.append(_row(name, module, _shown_shape(output), counted, max_depth))

    return record


def _shown_shape(output: Any) -> str:
    """The batch axis, whose size was made up, is shown as None, as Keras does."""
    if isinstance(output, Tensor):
        sizes = [None, *output.shape[1:]] if output.ndim else []
        return "(" + ", ".join(map(str, sizes)) + ("," if len(sizes) == 1 else "") + ")"
    if isinstance(output, (tuple, list)):
        return ", ".join(_shown_shape(part) for part in output)
    return type(output).__name__


def _sample_shapes(input_shape: Any) -> list[tuple[int, ...]]:
    if isinstance(input_shape, int):
        return [(input_shape,)]
    if isinstance(input_shape, (tuple, list)):
        if all(isinstance(size, int) for size in input_shape):
            return [tuple(input_shape)]
        if all(isinstance(shape, (tuple, list)) for shape in input_shape):
            return [tuple(shape) for shape in input_shape]
    raise TypeError(f"summary: input_shape must be a shape or a list of shapes, got {input_shape!r}")
