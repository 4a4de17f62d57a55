"""PyTorch in every mode that its users know."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

# Mode -> environment of its process. The tuned allocator keeps memory and asks for huge pages.
TUNED = {
    "THP_MEM_ALLOC_ENABLE": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "17179869184",
    "MALLOC_TOP_PAD_": "268435456",
}
MODES: dict[str, dict[str, str]] = {
    "eager": {},
    "eager tuned": TUNED,
    "channels_last tuned": TUNED,
    "compile tuned": TUNED,
}


def version() -> str:
    return torch.__version__


def set_threads(threads: int) -> None:
    torch.set_num_threads(threads)


def to_numpy(value: Any) -> np.ndarray:
    return value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)


def gemm(options: dict[str, Any], arrays: dict[str, np.ndarray], mode: str) -> Callable[[], Any]:
    a, b = torch.from_numpy(arrays["a"]), torch.from_numpy(arrays["b"])
    out = torch.empty(a.shape[0], b.shape[1])
    return lambda: torch.matmul(a, b, out=out)


def _train(
    model: nn.Module, x: torch.Tensor, y: torch.Tensor, loss: Callable[..., Any], momentum: float, mode: str
) -> Callable[[], Any]:
    if mode.startswith("channels_last"):
        model = model.to(memory_format=torch.channels_last)
        if x.ndim == 4:
            x = x.contiguous(memory_format=torch.channels_last)
    run: Callable[..., Any] = lambda: loss(model(x), y)  # noqa: E731
    if mode.startswith("compile"):
        run = torch.compile(run)
    fused = "tuned" in mode
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=momentum, fused=fused)

    def step() -> Any:
        optimizer.zero_grad()
        value = run()
        value.backward()
        optimizer.step()
        return value

    return step


def mlp(options: dict[str, Any], arrays: dict[str, np.ndarray], mode: str) -> Callable[[], Any]:
    sizes = options["sizes"]
    layers: list[nn.Module] = []
    for i in range(len(sizes) - 1):
        linear = nn.Linear(sizes[i], sizes[i + 1])
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(arrays[f"w{i}"]))
            linear.bias.copy_(torch.from_numpy(arrays[f"b{i}"]))
        layers += [linear, nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    return _train(model, torch.from_numpy(arrays["x"]), torch.from_numpy(arrays["y"]), F.mse_loss, 0.0, mode)


def lenet(options: dict[str, Any], arrays: dict[str, np.ndarray], mode: str) -> Callable[[], Any]:
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip
    with torch.no_grad():
        for name, i in {"conv0": 0, "conv1": 3, "fc0": 7, "fc1": 9, "fc2": 11}.items():
            model[i].weight.copy_(torch.from_numpy(arrays[name]))
            model[i].bias.zero_()
    x = torch.from_numpy(np.ascontiguousarray(arrays["x"].transpose(0, 3, 1, 2)))
    return _train(model, x, torch.from_numpy(arrays["y"]), F.cross_entropy, 0.9, mode)
