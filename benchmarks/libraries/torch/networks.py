"""Training steps: modules, an optimizer, a loop of one's own."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.libraries import Job
from benchmarks.networks import Layer as Spec
from benchmarks.networks import walk

from .kernels import arrays, image, make_optimizer

Weights = Iterator[dict[str, np.ndarray]]


class Residual(nn.Module):
    def __init__(self, main: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.main = main
        self.shortcut = shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.main(x)
        out += self.shortcut(x)
        return torch.relu_(out)


def build(specs: list[Spec], weights: Weights) -> nn.Sequential:
    return nn.Sequential(*(one(name, options, weights) for name, options in specs))


def one(name: str, o: dict[str, Any], weights: Weights) -> nn.Module:
    layer: nn.Module
    if name == "residual":
        main = build(o["main"], weights)
        return Residual(main, build(o["shortcut"], weights))
    if name == "relu":
        return nn.ReLU(inplace=True)
    if name == "max_pool":
        return nn.MaxPool2d(o["size"], o["stride"], o["padding"])
    if name == "flatten":
        return nn.Flatten()
    if name == "global_pool":
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    own = next(weights)
    if name == "conv":
        layer = nn.Conv2d(o["inputs"], o["outputs"], o["size"], o["stride"], o["padding"], bias=o["bias"])
        own = {**own, "weight": np.ascontiguousarray(own["weight"].transpose(0, 3, 1, 2))}
    elif name == "batch_norm":
        layer = nn.BatchNorm2d(o["channels"])
    else:
        layer = nn.Linear(o["inputs"], o["outputs"])
        if o["image"]:  # behind the flatten PyTorch counts channels first
            weight = own["weight"].reshape(-1, *o["image"]).transpose(0, 3, 1, 2)
            own = {**own, "weight": weight.reshape(o["outputs"], o["inputs"])}
    layer.load_state_dict({k: torch.from_numpy(v) for k, v in own.items()}, strict=False)
    return layer


def weights(model: nn.Module, layers: list[Spec]) -> Iterator[np.ndarray]:
    """The weights in the common layout."""
    found = model.parameters()
    for name, o in walk(layers):
        weight = next(found)
        if name == "linear" and o["image"]:
            height, width, channels = o["image"]
            weight = weight.reshape(-1, channels, height, width).permute(0, 2, 3, 1).reshape(weight.shape)
        yield arrays(weight)[0]
        if name != "conv" or o["bias"]:
            yield arrays(next(found))[0]


def network(data: dict[str, Any], o: dict[str, Any], mode: str) -> Job:
    layers: list[Spec] = data["layers"]
    model = build(layers, iter(data["weights"]))
    x, y = image(data["x"], mode), torch.from_numpy(data["y"])
    if mode.startswith("channels_last"):
        model = model.to(memory_format=torch.channels_last)
    loss = F.mse_loss if o["loss"] == "mse" else F.cross_entropy
    half = o.get("half")

    def forward() -> torch.Tensor:
        with torch.autocast("cpu", getattr(torch, half or "bfloat16"), enabled=half is not None):
            return loss(model(x), y)

    run: Callable[[], Any] = forward
    if mode.startswith("compile"):
        run = torch.compile(run)
    optimizer = make_optimizer(o, model.parameters(), mode)

    def step() -> Any:
        optimizer.zero_grad()
        value = run()
        value.backward()
        optimizer.step()
        return value

    return Job(step, arrays, lambda: weights(model, layers))


def module_call(data: dict[str, Any], o: dict[str, Any], mode: str) -> Job:
    model, x = build(data["layers"], iter(data["weights"])), torch.from_numpy(data["x"])
    if mode.startswith("compile"):
        model = torch.compile(model)  # type: ignore[assignment]
    return Job(lambda: model(x), arrays)
