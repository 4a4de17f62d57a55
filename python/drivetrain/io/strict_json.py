"""JSON as we write it: no name twice in an object, no NaN or infinity as numbers."""

from __future__ import annotations

import json
from typing import Any, NoReturn


def loads(text: str | bytes) -> Any:
    """Read JSON.

    Raises:
        ValueError: When it is no JSON, has a name twice, or NaN or infinity.
        RecursionError: When it is nested too deeply.
    """
    return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"the name {name[:80]!r} comes twice")
            seen.add(name)
    return made


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")
