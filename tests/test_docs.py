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
# Extras, without which a page is not run.
NEEDS = {
    "text.md": ("sklearn", "snowballstemmer", "tokenizers"),
    "tables.md": ("sklearn", "pandas"),
    "images.md": ("PIL", "matplotlib"),
    "transfer.md": ("sklearn",),
}
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
    runner.run(test, out=report.append, clear_globs=False)
    assert runner.failures == 0, "".join(report)


@pytest.mark.parametrize("page", [pytest.param(p, id=p.name) for p in PAGES])
def test_page(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks of a page run in one namespace; those with >>> must print what they show."""
    for library in NEEDS.get(page.name, ()):
        pytest.importorskip(library)
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for line, source in blocks(page.read_text()):
        if ">>>" in source:
            test = doctest.DocTestParser().get_doctest(source, namespace, page.name, str(page), line)
            test.globs = namespace  # not the copy that it made: names carry over to the next block
            run_doctest(test)
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


PACKAGES = (
    "nn",
    "nn.functional",
    "optim",
    "optim.lr_scheduler",
    "optim.regularization",
    "optim.swa_utils",
    "data",
    "metrics",
    "train",
    "models",
    "io",
    "datasets",
    "autograd",
    "estimators",
    "profiler",
    "word_vectors",
)


def public_callables() -> dict[str, Any]:
    """Every function and class that a user finds, and the methods of tensors."""
    found = {f"dt.{name}": getattr(dt, name) for name in dt._core.__all__}
    found |= {f"Tensor.{name}": getattr(dt.Tensor, name) for name in dir(dt.Tensor)}
    for package in PACKAGES:
        try:
            module = import_module(f"drivetrain.{package}")
        except ModuleNotFoundError as error:  # an optional extra
            if (error.name or "").startswith("drivetrain"):
                raise
            continue
        names = getattr(
            module,
            "__all__",
            [name for name, x in vars(module).items() if inspect.isroutine(x) or inspect.isclass(x)],
        )
        found |= {f"{package}.{name}": getattr(module, name) for name in names}
    return {
        name: thing
        for name, thing in found.items()
        if callable(thing) and not inspect.ismodule(thing) and not name.rpartition(".")[2].startswith("_")
    }


PUBLIC = public_callables()


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_everything_public_has_an_example(name: str) -> None:
    text = inspect.getdoc(PUBLIC[name]) or ""
    assert ">>>" in text, f"{name} has a docstring without example: {text!r}"


def test_one_style() -> None:
    """Google's sections: no underlined headings."""
    for path in Path(dt.__file__).parent.rglob("*.py"):
        assert not re.search(r"^ +-{4,}$", path.read_text(), re.MULTILINE), path
