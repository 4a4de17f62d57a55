"""Libraries that only some parts need, imported where they are used."""

from __future__ import annotations

import importlib
from typing import Any


def need(who: str, module: str, library: str, extra: str) -> Any:
    """Import a module of an optional library.

    Args:
        who: What needs it, the head of the message.
        module: "sklearn.base", say.
        library: The name people know: "scikit-learn".
        extra: The extra that installs it.

    Raises:
        ModuleNotFoundError: Where it is missing; the message says the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise
        raise ModuleNotFoundError(
            f"{who} needs {library}, get it with: pip install 'drivetrain[{extra}]'", name=error.name
        ) from error
