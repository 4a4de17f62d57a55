"""Networks of drivetrain.models beside PyTorch's: the same weights, the same images, the same numbers.

Weights and images follow from names and positions, in whole numbers, so that nobody has to store them.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np

RECORDED = Path(__file__).parent / "networks.json"
CLASSES = 7
# Our network and its arguments, torchvision's arguments (or None: one of the references below), image.
CASES: dict[str, tuple[dict[str, Any], dict[str, Any] | None, tuple[int, int, int]]] = {
    "vgg11_bn": ({}, {}, (48, 64, 3)),
    "resnet18": ({}, {}, (64, 48, 3)),
    "resnet50": ({}, {}, (64, 64, 3)),
    "mobilenet_v2": ({}, {}, (64, 64, 3)),
    "googlenet": ({"auxiliary": True}, {"aux_logits": True, "init_weights": False}, (64, 64, 3)),
    "resnet20": ({}, None, (32, 32, 3)),
    "unet": ({"base_width": 8}, None, (32, 48, 3)),
}
# Those of torchvision, by names and shapes of their weights alone.
LISTED = (
    *(f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn")),
    *(f"resnet{depth}" for depth in (18, 34, 50, 101, 152)),
    *("mobilenet_v2", "googlenet"),
)


def numbers(name: str, count: int) -> np.ndarray:
    """Numbers between -1 and 1 without any order, repeated after 10,007."""
    state = np.arange(min(count, 10_007), dtype=np.uint64) + np.uint64(zlib.crc32(name.encode()) * 65_537)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        state = (state ^ (state >> np.uint64(shift))) * np.uint64(factor)
    pattern = ((state >> np.uint64(40)).astype(np.float32) / np.float32(2**23)) - np.float32(1)
    return np.resize(pattern, count)


def weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A weight in PyTorch's layout, of a size that keeps the values that flow through the network."""
    values = numbers(name, int(np.prod(shape))).reshape(shape)
    if len(shape) > 1:
        # Transposed convolutions have their inputs first.
        fan_in = shape[0] if name.startswith("upconv") else int(np.prod(shape[1:]))
        return values * np.float32(np.sqrt(6 / fan_in))
    if name.endswith(("running_var", "weight")):
        return values / 4 + 1
    return values / 8


def weights(shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    return {name: weight(name, shape) for name, shape in shapes.items()}


def image(shape: tuple[int, int, int]) -> np.ndarray:
    """One image, channels last."""
    return numbers("image", int(np.prod(shape))).reshape((1, *shape)) * np.float32(2)


def fingerprint(shapes: dict[str, tuple[int, ...]]) -> int:
    """One number for all names and shapes, in their order."""
    lines = [f"{name}{tuple(shape)}" for name, shape in shapes.items() if "num_batches" not in name]
    return zlib.crc32("\n".join(lines).encode())


def picked(output: np.ndarray) -> list[float]:
    """At most about 100 of the numbers of an output, channels last."""
    values = output.reshape(-1)
    return [float(f"{value:.8g}") for value in values[:: max(1, values.size // 100)]]


def recorded() -> dict[str, Any]:
    return json.loads(RECORDED.read_text())


# PyTorch's side


def torch_outputs(model: Any, shape: tuple[int, int, int]) -> list[list[float]]:
    """What a model of PyTorch gives, its auxiliary heads too, with these weights in place of its own."""
    import torch

    names = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    made = weights({name: s for name, s in names.items() if "num_batches" not in name})
    model.load_state_dict({name: torch.from_numpy(value) for name, value in made.items()}, strict=False)
    model.train()
    for module in model.modules():
        if isinstance(module, (torch.nn.BatchNorm2d, torch.nn.Dropout)):
            module.eval()
    with torch.no_grad():
        output = model(torch.from_numpy(image(shape)).permute(0, 3, 1, 2))
    parts = output if isinstance(output, tuple) else (output,)
    return [picked(np.moveaxis(part.numpy(), 1, -1)) for part in parts]


def torch_resnet20() -> Any:
    """The residual network for 32 x 32 images, with shortcuts without weights."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Block(nn.Module):
        def __init__(self, inputs: int, width: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(width)
            self.more, self.stride = (width - inputs) // 2, stride

        def forward(self, x: Any) -> Any:
            y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.more, self.more))
            return torch.relu(y + x)

    layers: dict[str, Any] = {"conv1": nn.Conv2d(3, 16, 3, 1, 1, bias=False), "bn1": nn.BatchNorm2d(16)}
    layers["relu"] = nn.ReLU()
    for i, (inputs, width, stride) in enumerate(((16, 16, 1), (16, 32, 2), (32, 64, 2))):
        blocks = [Block(inputs, width, stride), Block(width, width, 1), Block(width, width, 1)]
        layers[f"layer{i + 1}"] = nn.Sequential(*blocks)
    layers |= {"avgpool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten(), "fc": nn.Linear(64, CLASSES)}
    model = nn.Sequential()
    for name, layer in layers.items():
        model.add_module(name, layer)
    return model


def torch_unet() -> Any:
    """U-Net with batch norm, its names those of mateuszbuda/brain-segmentation-pytorch, without sigmoid."""
    import torch
    from torch import nn

    def two(name: str, inputs: int, outputs: int) -> Any:
        layers = nn.Sequential()
        for i in (1, 2):
            layers.add_module(f"{name}conv{i}", nn.Conv2d(inputs, outputs, 3, padding=1, bias=False))
            layers.add_module(f"{name}norm{i}", nn.BatchNorm2d(outputs))
            layers.add_module(f"{name}relu{i}", nn.ReLU())
            inputs = outputs
        return layers

    class UNet(nn.Module):
        def __init__(self, width: int = 8) -> None:
            super().__init__()
            sizes = [3, width, 2 * width, 4 * width, 8 * width]
            for i in range(1, 5):
                setattr(self, f"encoder{i}", two(f"enc{i}", sizes[i - 1], sizes[i]))
            self.bottleneck = two("bottleneck", 8 * width, 16 * width)
            for i in range(4, 0, -1):
                setattr(self, f"upconv{i}", nn.ConvTranspose2d(2 * sizes[i], sizes[i], 2, stride=2))
                setattr(self, f"decoder{i}", two(f"dec{i}", 2 * sizes[i], sizes[i]))
            self.conv = nn.Conv2d(width, CLASSES, 1)

        def forward(self, x: Any) -> Any:
            kept = []
            for i in range(1, 5):
                x = getattr(self, f"encoder{i}")(x)
                kept.append(x)
                x = nn.functional.max_pool2d(x, 2)
            x = self.bottleneck(x)
            for i in range(4, 0, -1):
                x = torch.cat((getattr(self, f"upconv{i}")(x), kept[i - 1]), dim=1)
                x = getattr(self, f"decoder{i}")(x)
            return self.conv(x)

    return UNet()


REFERENCES = {"resnet20": torch_resnet20, "unet": torch_unet}
