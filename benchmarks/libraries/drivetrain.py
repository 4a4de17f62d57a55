"""drivetrain, as a user writes it."""

from collections.abc import Callable
from typing import Any

import numpy as np

import drivetrain as dt
from drivetrain import nn
from drivetrain.nn import functional as F

MODES: dict[str, dict[str, str]] = {"drivetrain": {}}


def version() -> str:
    return f"{dt.__version__} ({dt.get_isa()})"


def set_threads(threads: int) -> None:
    dt.set_num_threads(threads)


def to_numpy(value: Any) -> np.ndarray:
    return value.detach().numpy() if isinstance(value, dt.Tensor) else np.asarray(value)


def gemm(options: dict[str, Any], arrays: dict[str, np.ndarray], mode: str) -> Callable[[], Any]:
    a, b = dt.from_numpy(arrays["a"]), dt.from_numpy(arrays["b"])
    return lambda: dt.matmul(a, b)


def _train(
    model: nn.Module, x: dt.Tensor, y: dt.Tensor, loss: Callable[..., Any], momentum: float
) -> Callable[[], Any]:
    optimizer = dt.optim.SGD(model.parameters(), lr=0.01, momentum=momentum)

    def step() -> Any:
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        optimizer.step()
        return value

    return step


def _load(layer: Any, weight: np.ndarray) -> None:
    with dt.no_grad():
        layer.weight.copy_(dt.tensor(np.ascontiguousarray(weight)))
        layer.bias.zero_()


def mlp(options: dict[str, Any], arrays: dict[str, np.ndarray], mode: str) -> Callable[[], Any]:
    sizes = options["sizes"]
    layers: list[nn.Module] = []
    for i in range(len(sizes) - 1):
        linear = nn.Linear(sizes[i], sizes[i + 1])
        _load(linear, arrays[f"w{i}"])
        layers += [linear, nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    return _train(model, dt.tensor(arrays["x"]), dt.tensor(arrays["y"]), F.mse_loss, 0.0)


def lenet(options: dict[str, Any], arrays: dict[str, np.ndarray], mode: str) -> Callable[[], Any]:
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip
    for name, i in {"conv0": 0, "conv1": 3}.items():
        _load(model[i], arrays[name].transpose(0, 2, 3, 1))
    # Behind the flatten PyTorch counts channels first, we count them last.
    _load(model[7], arrays["fc0"].reshape(120, 16, 5, 5).transpose(0, 2, 3, 1).reshape(120, 400))
    for name, i in {"fc1": 9, "fc2": 11}.items():
        _load(model[i], arrays[name])
    return _train(model, dt.tensor(arrays["x"]), dt.tensor(arrays["y"]), F.cross_entropy, 0.9)
