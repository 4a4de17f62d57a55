"""The examples in the docstrings of the Python packages."""

import doctest
import importlib
import pkgutil

import pytest

import drivetrain

PACKAGES = ("cli", "data", "datasets", "io", "metrics", "models", "optim", "text", "train")


def module_names():
    for package in PACKAGES:
        name = f"drivetrain.{package}"
        yield name
        path = importlib.import_module(name).__path__
        yield from (f"{name}.{found.name}" for found in pkgutil.iter_modules(path))


@pytest.mark.parametrize("name", list(module_names()))
def test_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    drivetrain.manual_seed(0)
    result = doctest.testmod(importlib.import_module(name), verbose=False)
    assert result.failed == 0, f"{name}: python -m doctest says more"


def test_there_are_examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    examples = sum(
        len(test.examples) for name in module_names() for test in finder.find(importlib.import_module(name))
    )
    assert examples > 60
