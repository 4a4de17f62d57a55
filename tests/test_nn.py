"""Modules: attributes, state, modes, copies, summaries."""

from __future__ import annotations

import copy
import doctest
import importlib
import pickle
import pkgutil
from typing import Any

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import nn


class Block(nn.Module):
    """Two layers around a buffer, with a branch that may be missing."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.scale = nn.Parameter(dt.ones((4,)))
        self.register_buffer("offset", dt.zeros((4,)))
        self.register_buffer("scratch", dt.zeros((1,)), persistent=False)
        self.second = nn.Sequential(nn.ReLU(), nn.Linear(4, 2))
        self.branch = None

    def forward(self, x: Any) -> Any:
        return self.second(self.first(x) * self.scale + self.offset)


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(2, 2)
        self.b = self.a
        self.c = nn.Linear(2, 2)
        self.c.weight = self.a.weight


def names(pairs: Any) -> list[str]:
    return [name for name, _ in pairs]


# Attributes and walks


def test_names() -> None:
    block = Block()
    assert names(block.named_parameters()) == [
        "scale",
        "first.weight",
        "first.bias",
        "second.1.weight",
        "second.1.bias",
    ]
    assert names(block.named_parameters(prefix="net", recurse=False)) == ["net.scale"]
    assert names(block.named_modules()) == ["", "first", "second", "second.0", "second.1"]
    assert names(block.named_children()) == ["first", "second"]
    assert names(block.named_buffers()) == ["offset", "scratch"]
    assert list(block.state_dict()) == [
        "scale",
        "offset",
        "first.weight",
        "first.bias",
        "second.1.weight",
        "second.1.bias",
    ]
    assert [type(m) for m in block.children()] == [nn.Linear, nn.Sequential]
    assert len(list(block.modules())) == 5
    assert len(list(block.parameters())) == 5
    assert len(list(block.buffers())) == 2


def test_what_has_two_names_counts_once() -> None:
    model = Shared()
    assert names(model.named_children()) == ["a", "c"]
    assert names(model.named_modules()) == ["", "a", "c"]
    assert names(model.named_parameters()) == ["a.weight", "a.bias", "c.bias"]
    assert names(model.named_modules(remove_duplicate=False)) == ["", "a", "b", "c"]
    assert sorted(model.state_dict()) == ["a.bias", "a.weight", "b.bias", "b.weight", "c.bias", "c.weight"]
    twin = Shared()
    twin.load_state_dict(model.state_dict())
    assert twin.c.weight.tolist() == model.a.weight.tolist()


def test_attributes_can_be_replaced_and_deleted() -> None:
    block = Block()
    block.first = nn.Linear(3, 4, bias=False)
    assert "first.bias" not in names(block.named_parameters())
    block.offset = dt.ones((4,))  # stays a buffer
    assert block.state_dict()["offset"].tolist() == [1, 1, 1, 1]
    block.offset = None
    assert names(block.named_buffers()) == ["scratch"]
    block.offset = nn.Parameter(dt.zeros((4,)))
    assert "offset" in names(block.named_parameters())
    assert names(block.named_buffers()) == ["scratch"]
    del block.scratch, block.second, block.scale
    assert names(block.named_buffers()) == []
    assert names(block.named_modules()) == ["", "first"]
    block.branch = nn.Linear(1, 1)
    assert names(block.named_children()) == ["first", "branch"]


def test_works_without_calling_super() -> None:
    class Short(nn.Module):
        def __init__(self) -> None:
            self.layer = nn.Linear(2, 1)

        def forward(self, x: Any) -> Any:
            return self.layer(x)

    assert Short()(dt.ones((3, 2))).shape == (3, 1)
    assert names(Short().eval().named_parameters()) == ["layer.weight", "layer.bias"]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            lambda m: setattr(m, "scale", dt.ones((4,))),
            TypeError,
            "Block: 'scale' is a Parameter and cannot be replaced by a plain Tensor",
        ),
        (lambda m: setattr(m, "first", 3), TypeError, "'first' is a module and cannot be replaced by int"),
        (lambda m: m.register_buffer("a.b", None), ValueError, "must not be empty or contain a dot"),
        (lambda m: m.register_buffer("", None), ValueError, "must not be empty"),
        (lambda m: m.register_buffer(3, None), TypeError, "name must be a string, got 3"),
        (lambda m: m.register_buffer("forward", None), ValueError, "has an attribute 'forward' already"),
        (lambda m: m.register_buffer("x", [1.0]), TypeError, "'x' must be a Tensor or None, got list"),
        (
            lambda m: m.register_parameter("x", dt.ones((1,))),
            TypeError,
            "'x' must be a Parameter or None, got Tensor",
        ),
        (lambda m: m.register_module("x", nn.Linear), TypeError, "register_module: 'x' must be a Module"),
        (lambda m: m.get_submodule("second.7"), AttributeError, "Sequential has no sub-module '7'"),
        (lambda m: m.get_parameter("first.offset"), AttributeError, "no parameter 'first.offset'"),
        (lambda m: m.get_buffer("scale"), AttributeError, "no buffer 'scale'"),
        (lambda m: m.train("yes"), TypeError, "train: mode must be True or False, got 'yes'"),
        (lambda m: m.to("int64"), TypeError, "dtype must be a floating-point dtype, got int64"),
        (lambda m: m.register_forward_hook(3), TypeError, "Block: a hook must be callable, got 3"),
        (lambda m: nn.Parameter([1, 2]), TypeError, "Parameter: data is int64, expected a floating-point"),
        (lambda m: nn.Module()(1), NotImplementedError, "Module has no forward method"),
        (lambda m: m.fit(None), RuntimeError, "Block has not been compiled: call compile"),
    ],
)
def test_wrong_use(change: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        change(Block())


def test_registering() -> None:
    module = nn.Module()
    module.register_parameter("weight", nn.Parameter(dt.ones((2,))))
    module.register_parameter("bias", None)
    module.register_module("layer", nn.ReLU())
    module.add_module("other", nn.Tanh())
    module.register_buffer("nothing", None)
    assert names(module.named_parameters()) == ["weight"]
    assert names(module.named_children()) == ["layer", "other"]
    assert module.bias is None
    assert list(module.state_dict()) == ["weight"]


def test_getting_by_name() -> None:
    block = Block()
    assert block.get_submodule("second.1") is block.second[1]
    assert block.get_submodule("") is block
    assert block.get_parameter("second.1.bias") is block.second[1].bias
    assert block.get_buffer("offset") is block.offset


def test_parameters_share_memory_and_are_leaves() -> None:
    data = dt.zeros((3,))
    parameter = nn.Parameter(data)
    assert parameter.data_ptr() == data.data_ptr()
    assert not data.requires_grad
    assert parameter.requires_grad
    assert not nn.Parameter(data, requires_grad=False).requires_grad
    x = dt.tensor([1.0, 2.0, 3.0], requires_grad=True)
    assert nn.Parameter(x * 2).is_leaf
    assert "Parameter" in repr(parameter)


# State


def test_state_dict_shares_memory_and_loads_back() -> None:
    a, b = Block(), Block()
    state = a.state_dict()
    assert not any(value.requires_grad for value in state.values())
    assert state["scale"].data_ptr() == a.scale.data_ptr()
    result = b.load_state_dict(state)
    assert result == ([], [])
    x = dt.rand((5, 3))
    assert b(x).tolist() == a(x).tolist()
    assert b.scale.data_ptr() != a.scale.data_ptr()
    assert b.scale.requires_grad


def test_loading_keeps_the_objects_that_the_optimizer_holds() -> None:
    model = nn.Linear(2, 2)
    weight = model.weight
    address = weight.data_ptr()
    model.load_state_dict(nn.Linear(2, 2).state_dict())
    assert model.weight is weight
    assert weight.data_ptr() == address


def test_load_lists_everything_that_does_not_fit() -> None:
    block = Block()
    before = {name: value.tolist() for name, value in block.state_dict().items()}
    state = dict(block.state_dict())
    del state["scale"], state["first.bias"]
    state.update({"extra": dt.ones((1,)), "second.1.weight": dt.ones((3, 4)), "offset": dt.ones((4,))})
    with pytest.raises(ValueError, match="load_state_dict: the state does not fit Block") as caught:
        block.load_state_dict(state)
    assert str(caught.value).splitlines()[1:] == [
        "  missing: scale, first.bias",
        "  unexpected: extra",
        "  of the wrong shape: second.1.weight: (3, 4) was given, (2, 4) is needed",
    ]
    assert {name: value.tolist() for name, value in block.state_dict().items()} == before
    with pytest.raises(ValueError, match="wrong shape") as caught:
        block.load_state_dict(state, strict=False)
    assert "missing" not in str(caught.value)
    del state["second.1.weight"]
    result = block.load_state_dict(state, strict=False)
    assert result.missing_keys == ["scale", "first.bias", "second.1.weight"]
    assert result.unexpected_keys == ["extra"]
    assert block.offset.tolist() == [1, 1, 1, 1]


def test_load_takes_arrays_and_converts_only_between_floating_dtypes() -> None:
    layer = nn.Linear(2, 1)
    weight = np.asfortranarray([[0.5, 0.25]])
    weight.flags.writeable = False
    layer.load_state_dict({"weight": weight, "bias": np.array([2.0], np.float32)})
    assert layer.weight.tolist() == [[0.5, 0.25]]
    assert layer.weight.dtype == dt.float32
    with pytest.raises(TypeError, match="'bias' is int64, the module needs float32"):
        layer.load_state_dict({"weight": weight, "bias": np.array([2])})
    with pytest.raises(TypeError, match="'bias' must be a Tensor or a NumPy array, got float"):
        layer.load_state_dict({"weight": weight, "bias": 1.0})
    with pytest.raises(TypeError, match="state_dict must be a dict, got list"):
        layer.load_state_dict([])


def test_pytorchs_batch_counter_is_passed_over() -> None:
    model = nn.Sequential(nn.BatchNorm1d(2))
    state = {**model.state_dict(), "0.num_batches_tracked": np.array(7)}
    model.load_state_dict(state)
    with pytest.raises(ValueError, match="unexpected: num_batches_tracked"):
        model.load_state_dict({**model.state_dict(), "num_batches_tracked": np.array(7)})


# Modes and conversions


def test_train_and_eval_reach_every_module() -> None:
    block = Block()
    assert block.eval() is block
    assert not any(m.training for m in block.modules())
    assert block.train() is block
    assert all(m.training for m in block.modules())


def test_requires_grad_and_zero_grad() -> None:
    block = Block()
    block.first.requires_grad_(False)
    block(dt.ones((1, 3))).sum().backward()
    assert block.first.weight.grad is None
    assert block.scale.grad is not None
    block.zero_grad(set_to_none=False)
    assert block.scale.grad.tolist() == [0, 0, 0, 0]
    block.zero_grad()
    assert block.scale.grad is None


def test_apply_visits_children_first() -> None:
    seen: list[str] = []
    block = Block()
    assert block.apply(lambda m: seen.append(type(m).__name__)) is block
    assert seen == ["Linear", "ReLU", "Linear", "Sequential", "Block"]


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16", "float32"])
def test_conversion(dtype: str) -> None:
    model = Shared()
    model.register_buffer("count", dt.tensor([1]))
    model.register_buffer("mean", dt.tensor([1.0]))
    model.c.bias.requires_grad_(False)
    assert model.to(dtype) is model
    wanted = getattr(dt, dtype)
    assert all(p.dtype == wanted for p in model.parameters())
    assert model.mean.dtype == wanted
    assert model.count.dtype == dt.int64
    assert model.c.weight is model.a.weight
    assert not model.c.bias.requires_grad
    assert model.a.bias.requires_grad


def test_conversion_by_name() -> None:
    layer = nn.Linear(1, 1)
    assert layer.double().weight.dtype == dt.float64
    assert layer(dt.tensor([[1.0]], dtype=dt.float64)).dtype == dt.float64
    assert layer.half().weight.dtype == dt.float16
    assert layer.bfloat16().weight.dtype == dt.bfloat16
    assert layer.float().weight.dtype == dt.float32
    assert layer.to(np.float64).weight.dtype == dt.float64
    assert layer.to("cpu").weight.dtype == dt.float64
    assert nn.Linear(2, 2, dtype=dt.float64).weight.dtype == dt.float64


# Showing and copying


def test_repr() -> None:
    assert repr(Block()) == (
        "Block(\n"
        "  (first): Linear(in_features=3, out_features=4, bias=True)\n"
        "  (second): Sequential(\n"
        "    (0): ReLU()\n"
        "    (1): Linear(in_features=4, out_features=2, bias=True)\n"
        "  )\n"
        ")"
    )
    assert repr(nn.MaxPool2d(2)) == (
        "MaxPool2d(kernel_size=(2, 2), stride=(2, 2), padding=(0, 0), dilation=(1, 1), ceil_mode=False)"
    )
    assert repr(nn.Conv2d(4, 8, 3, padding="same", groups=4, bias=False)) == (
        "Conv2d(4, 8, kernel_size=(3, 3), stride=(1, 1), padding='same', groups=4, bias=False)"
    )
    assert repr(nn.Dropout(0.25)) == "Dropout(p=0.25)"
    assert repr(nn.BatchNorm2d(3)) == (
        "BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)"
    )


def test_deepcopy_is_independent() -> None:
    model = Shared()
    model.a.weight.grad = dt.ones((2, 2))
    twin = copy.deepcopy(model)
    assert twin.a is twin.b
    assert twin.c.weight is twin.a.weight
    assert isinstance(twin.a.weight, nn.Parameter)
    assert twin.a.weight.grad.tolist() == [[1, 1], [1, 1]]
    assert twin.a.weight.tolist() == model.a.weight.tolist()
    nn.init.zeros_(twin.a.weight)
    assert model.a.weight.tolist() != twin.a.weight.tolist()


def test_pickle() -> None:
    block = Block().eval()
    twin = pickle.loads(pickle.dumps(block))
    x = dt.rand((2, 3))
    assert twin(x).tolist() == block(x).tolist()
    assert names(twin.named_buffers()) == ["offset", "scratch"]
    assert not twin.training
    assert isinstance(twin.scale, nn.Parameter)
    assert twin.scale.requires_grad


def test_summary() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.5), nn.Linear(864, 10)
    )
    model[0].requires_grad_(False)
    lines: list[str] = []
    model.summary((28, 28, 1), print_fn=lines.append)
    text = lines[0]
    rows = [line.split("  ") for line in text.splitlines()]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    assert ["0 (Conv2d)", "(None, 24, 24, 6)", "156"] in cells
    assert ["2 (MaxPool2d)", "(None, 12, 12, 6)", "0"] in cells
    assert ["5 (Linear)", "(None, 10)", "8,650"] in cells
    assert "Parameters: 8,806 (8,650 trained, 156 frozen)" in text
    assert model.training
    assert model._hooks is None
    assert all(m._hooks is None for m in model.modules())
    model.summary(print_fn=lines.append)
    assert "5 (Linear)" in lines[1]
    with pytest.raises(TypeError, match="input_shape must be a shape or a list of shapes, got 'x'"):
        model.summary("x")
    with pytest.raises(ValueError, match=r"in layer '0' \(Conv2d\)"):
        model.summary((28, 28, 3))
    assert model.training
    assert all(m._hooks is None for m in model.modules())


def test_summary_of_several_inputs_and_shared_layers() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, a: Any, b: Any) -> Any:
            return self.layer(a), self.layer(b)

    lines: list[str] = []
    Two().summary([(3,), (5, 3)], print_fn=lines.append)
    assert "Parameters: 8 (8 trained, 0 frozen)" in lines[0]
    assert lines[0].count("layer (Linear)") == 2
    nn.Sequential(nn.Embedding(5, 3)).summary((7,), dtype="int64", print_fn=lines.append)
    assert "(None, 7, 3)" in lines[1]


# Containers


def test_vectors_of_parameters() -> None:
    model = nn.Linear(3, 2)
    vector = nn.utils.parameters_to_vector(model.parameters()).detach()
    twin = nn.Linear(3, 2)
    nn.utils.vector_to_parameters(vector, twin.parameters())
    assert twin.weight.tolist() == model.weight.tolist()
    assert twin.bias.tolist() == model.bias.tolist()
    with pytest.raises(ValueError, match=r"vector has shape \(3,\), expected \(8,\)"):
        nn.utils.vector_to_parameters(dt.ones((3,)), twin.parameters())


MODULES = [f"drivetrain.nn.{info.name}" for info in pkgutil.iter_modules(nn.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_the_docs(name: str) -> None:
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


def test_every_layer_has_an_example() -> None:
    for name, value in vars(nn).items():
        if isinstance(value, type) and issubclass(value, nn.Module) and value.__doc__:
            derived = value.__doc__.startswith("`")  # "`GlobalAvgPool` for images alone"
            assert derived or ">>>" in value.__doc__, name
