"""Calls of modules: hooks around them, and the layer that their errors name."""

from __future__ import annotations

from typing import Any

import pytest

import drivetrain as dt
from drivetrain import nn

# Hooks


def test_hooks_run_in_order_and_can_be_removed() -> None:
    layer = nn.Identity()
    seen: list[Any] = []
    first = layer.register_forward_hook(lambda m, args, out: seen.append(("after", args, out)))
    layer.register_forward_pre_hook(lambda m, args: (args[0] + 1,))
    changer = layer.register_forward_hook(lambda m, args, out: out * 10)
    assert layer(1) == 20
    assert seen == [("after", (2,), 2)]
    changer.remove()
    changer.remove()
    assert layer(1) == 2
    with layer.register_forward_hook(lambda m, args, out: -out):
        assert layer(1) == -2
    assert layer(1) == 2
    first.remove()
    handle = layer.register_forward_pre_hook(lambda m, args: 7)
    assert layer(1) == 7
    handle.remove()


def test_a_hook_may_remove_itself() -> None:
    layer = nn.Identity()
    handles = [layer.register_forward_hook(lambda m, args, out: handles[0].remove())]
    layer.register_forward_hook(lambda m, args, out: out + 1)
    assert layer(1) == 2
    assert layer(1) == 2


# Errors


def test_errors_name_the_layer_once() -> None:
    features = nn.Sequential(nn.Identity(), nn.Sequential(nn.Linear(3, 4), nn.ReLU()))
    model = nn.Sequential({"features": features, "head": nn.Linear(4, 2)})
    expected = r"^linear: input has 5 features .* \(in layer 'features\.1\.0' \(Linear\)\)$"
    with pytest.raises(ValueError, match=expected):
        model(dt.ones((2, 5)))
    with pytest.raises(ValueError, match=r"^linear: [^']*$"):  # alone it has no name
        nn.Linear(3, 4)(dt.ones((2, 5)))
    with pytest.raises(TypeError, match=r"\(in layer 'features\.1\.0' \(Linear\)\)$"):
        model(dt.ones((2, 3), dtype=dt.float64))


def test_errors_of_other_kinds_pass_untouched() -> None:
    class Wrong(nn.Module):
        def __init__(self, error: BaseException) -> None:
            super().__init__()
            self.error = error

        def forward(self, x: Any) -> Any:
            raise self.error

    for error in (
        KeyboardInterrupt(),
        KeyError("x"),
        UnicodeDecodeError("utf-8", b"", 0, 1, "why"),
        ValueError(),
    ):
        with pytest.raises(type(error)) as caught:
            nn.Sequential(Wrong(error))(1)
        assert caught.value is error
        assert "layer" not in str(error)

    class MyError(ValueError):
        pass

    with pytest.raises(MyError, match=r"^mine \(in layer '0' \(Wrong\)\)$"):
        nn.Sequential(Wrong(MyError("mine")))(1)


def test_errors_of_modules_outside_the_tree_are_not_named() -> None:
    class Hidden(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = [nn.Linear(2, 2)]

        def forward(self, x: Any) -> Any:
            return self.layers[0](x)

    with pytest.raises(ValueError, match=r"expects 2$"):
        Hidden()(dt.ones((1, 3)))
