"""Every example of the README, the guides and the docstrings runs."""

from __future__ import annotations

import doctest
import inspect
import pkgutil
import re
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import drivetrain as dt

ROOT = Path(__file__).parent.parent
GUIDES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
PAGES = [p for p in GUIDES if p.exists()]
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def blocks(text: str) -> list[tuple[int, str]]:
    """(line, source) of the ```python blocks."""
    found = []
    for match in re.finditer(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        found.append((text[: match.start()].count("\n") + 2, match[1]))
    return found


def run_doctest(test: doctest.DocTest) -> None:
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    runner.run(test, out=report.append)
    assert runner.failures == 0, "".join(report)


@pytest.mark.parametrize("page", [pytest.param(p, id=p.name) for p in PAGES])
def test_page(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks of a page run in one namespace; those with >>> must print what they show."""
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for line, source in blocks(page.read_text()):
        if ">>>" in source:
            run_doctest(doctest.DocTestParser().get_doctest(source, namespace, page.name, str(page), line))
        else:
            exec(compile("\n" * (line - 1) + source, str(page), "exec"), namespace)


def modules() -> list[ModuleType]:
    found = [dt, dt._core]
    for info in pkgutil.walk_packages(dt.__path__, "drivetrain."):
        if info.name.endswith("__main__"):
            continue
        try:
            found.append(import_module(info.name))
        except ImportError:  # an optional extra
            continue
    return found


def documented() -> dict[str, tuple[str, ModuleType]]:
    """Name -> docstring with examples, for modules, classes, functions and methods, compiled ones too."""
    found: dict[str, tuple[str, ModuleType]] = {}

    def visit(name: str, thing: Any, module: ModuleType) -> None:
        text = getattr(thing, "__doc__", None)
        if isinstance(text, str) and ">>>" in text:
            found.setdefault(name, (text, module))
        if inspect.isclass(thing):
            for key, value in vars(thing).items():
                visit(f"{name}.{key}", getattr(value, "fget", None) or value, module)

    for module in modules():
        visit(module.__name__, module, module)
        for key, value in vars(module).items():
            home = getattr(value, "__module__", None)
            if inspect.ismodule(value) or (home != module.__name__ and module is not dt._core):
                continue
            if inspect.isclass(value) or callable(value):
                visit(f"{module.__name__}.{key}", value, module)
    return found


DOCUMENTED = documented()


@pytest.mark.parametrize("name", sorted(DOCUMENTED))
def test_docstring(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    dt.manual_seed(0)
    text, module = DOCUMENTED[name]
    namespace = {**vars(module), "dt": dt, "drivetrain": dt, "__name__": "__main__"}
    run_doctest(doctest.DocTestParser().get_doctest(text, namespace, name, module.__file__, 0))
