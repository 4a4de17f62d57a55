"""Names the layer in which an error happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .module import Module

# Errors that are about what the layer was given. Others, such as KeyboardInterrupt, pass untouched.
LAYER_ERRORS = (ValueError, TypeError, IndexError, RuntimeError)


def name_layer(caller: Module, error: Exception) -> None:
    """Adds "(in layer 'features.3' (Conv2d))" to the message of an error that leaves `caller`.

    The error passes every module on its way out. The first one is the layer it happened in, and only those
    further out know what that layer is called, so each of them writes the longer name in place of the last.
    """
    if len(error.args) != 1 or not isinstance(error.args[0], str):
        return
    seen = getattr(error, "_layer", None)
    if seen is None:
        error._layer = (caller, error.args[0])  # type: ignore[attr-defined]
        return
    layer, message = seen
    for name, module in caller.named_modules():
        if module is layer and name:
            error.args = (f"{message} (in layer '{name}' ({type(layer).__name__}))",)
            return
