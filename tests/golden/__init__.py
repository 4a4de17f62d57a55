"""Training runs that PyTorch and drivetrain must agree on: an MLP with Adam, two LeNets with SGD.

Weights and batches come from a seeded NumPy generator, so that only PyTorch's results are stored (runs.json,
made by tools/record_golden.py): every loss, and of each parameter at the end some entries and the norm.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

STEPS, BATCH, CLASSES = 100, 32, 10
RECORDED = Path(__file__).parent / "runs.json"
# LeNet as it was (tanh, average pools) in float32; with ReLU and max pools, whose gradients jump where two
# inputs are equal but for rounding, in float64.
RUNS = ("mlp", "lenet", "lenet_max")
DTYPES = {"mlp": "float32", "lenet": "float32", "lenet_max": "float64"}

Array = np.ndarray[Any, Any]

# name -> shape of the parameters, in drivetrain's layout.
SHAPES: dict[str, dict[str, tuple[int, ...]]] = {
    "mlp": {
        "0.weight": (64, 20),
        "0.bias": (64,),
        "2.weight": (64, 64),
        "2.bias": (64,),
        "4.weight": (CLASSES, 64),
        "4.bias": (CLASSES,),
    },
    "lenet": {
        "0.weight": (6, 5, 5, 1),
        "0.bias": (6,),
        "3.weight": (16, 5, 5, 6),
        "3.bias": (16,),
        "7.weight": (120, 256),
        "7.bias": (120,),
        "9.weight": (84, 120),
        "9.bias": (84,),
        "11.weight": (CLASSES, 84),
        "11.bias": (CLASSES,),
    },
}

SHAPES["lenet_max"] = SHAPES["lenet"]


def weights(run: str) -> dict[str, Array]:
    rng = np.random.default_rng(100 + RUNS.index(run))
    made = {}
    for name, shape in SHAPES[run].items():
        bound = 1 / np.sqrt(np.prod(shape[1:])) if len(shape) > 1 else 0.1
        made[name] = rng.uniform(-bound, bound, shape).astype(np.float32)
    return made


def batches(run: str) -> list[tuple[Array, Array]]:
    """Inputs whose classes can be learnt: noise around one centre per class."""
    rng = np.random.default_rng(200 + RUNS.index(run))
    shape = (20,) if run == "mlp" else (28, 28, 1)
    centres = rng.standard_normal((CLASSES, *shape))
    made = []
    for _ in range(STEPS):
        labels = rng.integers(0, CLASSES, BATCH)
        noise = rng.standard_normal((BATCH, *shape))
        made.append(((centres[labels] + noise).astype(np.float32), labels))
    return made


def picked(parameter: Array) -> list[float]:
    """Some entries of a parameter, and its norm."""
    flat = parameter.astype(np.float64).ravel()
    return [float(np.linalg.norm(flat)), *map(float, flat[:: max(1, flat.size // 50)])]


def run_torch(run: str) -> tuple[list[float], dict[str, Array]]:
    """Losses and final weights (in drivetrain's layout) of PyTorch.

    In float64: its float32 runs depend on its number of threads.
    """
    import torch
    from torch import nn

    class ChannelsLast(nn.Module):
        def forward(self, x: Any) -> Any:
            return x.permute(0, 2, 3, 1)

    if run == "mlp":
        layers = [nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, CLASSES)]
    else:
        act, pool = (nn.Tanh, nn.AvgPool2d) if run == "lenet" else (nn.ReLU, nn.MaxPool2d)
        layers = [
            *(nn.Conv2d(1, 6, 5), act(), pool(2), nn.Conv2d(6, 16, 5), act(), pool(2)),
            *(nn.Sequential(ChannelsLast(), nn.Flatten()), nn.Linear(256, 120), act(), nn.Linear(120, 84)),
            *(act(), nn.Linear(84, CLASSES)),
        ]
    model = nn.Sequential(*layers)

    def first(x: Array) -> Array:
        return np.ascontiguousarray(np.moveaxis(x, -1, 1)) if x.ndim == 4 else x

    model.load_state_dict({name: torch.from_numpy(first(w)) for name, w in weights(run).items()})
    model = model.double()
    if run == "mlp":
        optimizer: Any = torch.optim.Adam(model.parameters(), lr=3e-3)
    else:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    losses = []
    for x, y in batches(run):
        loss = nn.functional.cross_entropy(model(torch.from_numpy(first(x)).double()), torch.from_numpy(y))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    final = {}
    for name, parameter in model.state_dict().items():
        array = parameter.numpy()
        final[name] = np.moveaxis(array, 1, -1) if array.ndim == 4 else array
    return losses, final
