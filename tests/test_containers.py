"""Sequential, ModuleList, ModuleDict and ParameterList."""

from __future__ import annotations

import copy
from typing import Any

import pytest

import drivetrain as dt
from drivetrain import nn
from drivetrain.nn import functional as F


def names(pairs: Any) -> list[str]:
    return [name for name, _ in pairs]


def test_sequential() -> None:
    a, b, c = nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)
    model = nn.Sequential(a, b)
    assert model.append(c) is model
    assert len(model) == 3
    assert list(model) == [a, b, c]
    assert model[0] is a
    assert model[-1] is c
    assert b in model
    assert nn.ReLU() not in model
    x = dt.rand((4, 2))
    assert model(x).tolist() == c(b(a(x))).tolist()
    assert list(model[:2]) == [a, b]
    assert model[:2](x).tolist() == b(a(x)).tolist()
    model[1] = nn.Tanh()
    assert model(x).tolist() == c(F.tanh(a(x))).tolist()
    model.insert(1, b)
    assert [type(m) for m in model] == [nn.Linear, nn.ReLU, nn.Tanh, nn.Linear]
    assert model.pop(2).__class__ is nn.Tanh
    del model[1]
    assert list(model.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    model.extend([b, b])
    assert list(model) == [a, c, b, b]
    assert list(model + nn.Sequential(a)) == [a, c, b, b, a]
    del model[1:]
    assert list(model) == [a]
    assert nn.Sequential()(3) == 3


def test_sequential_with_names() -> None:
    model = nn.Sequential({"first": nn.Linear(2, 2), "second": nn.ReLU(), "third": nn.Linear(2, 1)})
    assert model.first is model[0]
    assert list(model[1:].named_children()) == [("second", model.second), ("third", model.third)]
    del model[1]
    assert names(model.named_children()) == ["first", "third"]
    assert model(dt.ones((1, 2))).shape == (1, 1)
    model.third = nn.Identity()
    assert model(dt.ones((1, 2))).shape == (1, 2)


def test_sequential_follows_changes_and_hooks() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    x = -dt.ones((1, 2))
    nn.init.eye_(model[0].weight)
    nn.init.zeros_(model[0].bias)
    assert model(x).tolist() == [[0, 0]]
    seen: list[Any] = []
    with model[0].register_forward_hook(lambda m, args, out: seen.append(out.tolist())):
        model(x)
    assert seen == [[[-1, -1]]]
    with model[1].register_forward_hook(lambda m, args, out: out + 5):
        assert model(x).tolist() == [[5, 5]]
    setattr(model, "1", nn.Identity())
    assert model(x).tolist() == [[-1, -1]]
    twin = copy.deepcopy(model)
    nn.init.zeros_(twin[0].weight)
    assert twin(x).tolist() == [[0, 0]]
    assert model(x).tolist() == [[-1, -1]]


@pytest.mark.parametrize("behind", [[], [nn.ReLU()]])
def test_sequential_with_a_deleted_bias(behind: list[nn.Module]) -> None:
    model = nn.Sequential(nn.Linear(2, 2), *behind)
    del model[0].bias
    with pytest.raises(AttributeError, match="'Linear' object has no attribute 'bias'"):
        model(dt.ones((1, 2)))


def test_module_list() -> None:
    a, b = nn.Linear(1, 1), nn.ReLU()
    layers = nn.ModuleList([a])
    layers.append(b)
    layers.insert(0, b)
    assert list(layers) == [b, a, b]
    assert layers[-1] is b
    assert list(layers[1:]) == [a, b]
    layers[1] = b
    assert list(layers) == [b, b, b]
    with pytest.raises(IndexError, match="ModuleList: index 3 is out of range for 3 modules"):
        layers[3]
    with pytest.raises(NotImplementedError):
        layers(1)


def test_module_dict() -> None:
    a, b = nn.Linear(1, 1), nn.ReLU()
    held = nn.ModuleDict({"a": a})
    held["b"] = b
    assert dict(held.items()) == {"a": a, "b": b}
    assert "b" in held
    assert "c" not in held
    assert list(held) == list(held.keys()) == ["a", "b"]
    assert list(held.values()) == [a, b]
    assert held.pop("a") is a
    assert len(held) == 1
    del held["b"]
    assert len(held) == 0
    with pytest.raises(KeyError, match="there is no module 'x'"):
        held["x"]
    with pytest.raises(ValueError, match="ModuleDict has an attribute 'keys' already"):
        held["keys"] = a


def test_parameter_list() -> None:
    weights = nn.ParameterList([dt.ones((2,)), [1.0]])
    assert len(weights) == 2
    assert names(weights.named_parameters()) == ["0", "1"]
    weights[1] = dt.zeros((3,))
    weights.append([2.0])
    assert [p.shape for p in weights] == [(2,), (3,), (1,)]
    assert "1: (3,)" in repr(weights)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Sequential(nn.ReLU), "Sequential: expected a Module, got ReLU; make an object of it"),
        (lambda: nn.Sequential([nn.ReLU()]), r"Sequential: takes the modules one by one"),
        (lambda: nn.ModuleList([F.relu]), "ModuleList: expected a Module, got builtin_function_or_method"),
        (lambda: nn.ModuleDict({"a": 1}), "ModuleDict: expected a Module, got int"),
        (lambda: nn.Sequential() + 3, "only a Sequential can be added, got int"),
    ],
)
def test_containers_refuse_what_is_no_module(make: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        make()
