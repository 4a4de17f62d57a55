"""Training runs that PyTorch and drivetrain must agree on: an MLP with Adam, a LeNet with SGD and momentum.

Weights and batches come from a seeded NumPy generator, so that only PyTorch's results are stored (runs.json,
made by tools/record_golden.py): every loss, and of each parameter at the end some entries and the norm.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

STEPS, BATCH, CLASSES = 100, 32, 10
RECORDED = Path(__file__).parent / "runs.json"
RUNS = ("mlp", "lenet")

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
        made.append(((0.5 * centres[labels] + noise).astype(np.float32), labels))
    return made


def picked(parameter: Array) -> list[float]:
    """Some entries of a parameter, and its norm."""
    flat = parameter.astype(np.float64).ravel()
    return [float(np.linalg.norm(flat)), *map(float, flat[:: max(1, flat.size // 50)])]


def run_torch(run: str) -> tuple[list[float], dict[str, Array]]:
    """Losses and final weights (in drivetrain's layout) of PyTorch."""
    import torch
    from torch import nn

    class ChannelsLast(nn.Module):
        def forward(self, x: Any) -> Any:
            return x.permute(0, 2, 3, 1)

    if run == "mlp":
        layers = [nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, CLASSES)]
    else:
        layers = [
            *(
                nn.Conv2d(1, 6, 5),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Conv2d(6, 16, 5),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ),
            *(
                nn.Sequential(ChannelsLast(), nn.Flatten()),
                nn.Linear(256, 120),
                nn.ReLU(),
                nn.Linear(120, 84),
            ),
            *(nn.ReLU(), nn.Linear(84, CLASSES)),
        ]
    model = nn.Sequential(*layers)

    def first(x: Array) -> Array:
        return np.ascontiguousarray(np.moveaxis(x, -1, 1)) if x.ndim == 4 else x

    model.load_state_dict({name: torch.from_numpy(first(w)) for name, w in weights(run).items()})
    if run == "mlp":
        optimizer: Any = torch.optim.Adam(model.parameters(), lr=3e-3)
    else:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    losses = []
    for x, y in batches(run):
        loss = nn.functional.cross_entropy(model(torch.from_numpy(first(x))), torch.from_numpy(y))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    final = {}
    for name, parameter in model.state_dict().items():
        array = parameter.numpy()
        final[name] = np.moveaxis(array, 1, -1) if array.ndim == 4 else array
    return losses, final
