"""Training runs agree with PyTorch: the recorded numbers always, a fresh run where PyTorch is installed."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pytest

import drivetrain as dt
import golden
from drivetrain import nn, optim


@cache
def trained(run: str) -> tuple[list[float], dict[str, Any]]:
    if run == "mlp":
        model = nn.Sequential(
            nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, golden.CLASSES)
        )
        optimizer: Any = optim.Adam(model.parameters(), lr=3e-3)
    else:
        act, pool = (nn.Tanh, nn.AvgPool2d) if run == "lenet" else (nn.ReLU, nn.MaxPool2d)
        model = nn.Sequential(
            *(nn.Conv2d(1, 6, 5), act(), pool(2), nn.Conv2d(6, 16, 5), act(), pool(2)),
            *(nn.Flatten(), nn.Linear(256, 120), act(), nn.Linear(120, 84), act()),
            nn.Linear(84, golden.CLASSES),
        )
        model.to(golden.DTYPES[run])
        optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    model.load_state_dict({name: dt.tensor(w) for name, w in golden.weights(run).items()})
    losses = []
    for x, y in golden.batches(run):
        loss = nn.functional.cross_entropy(model(dt.tensor(x, dtype=golden.DTYPES[run])), dt.tensor(y))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, {name: p.detach().numpy() for name, p in model.state_dict().items()}


def check(run: str, losses: list[float], weights: dict[str, list[float]]) -> None:
    ours, final = trained(run)
    np.testing.assert_allclose(ours, losses, rtol=1e-4, err_msg=f"{run}: the losses")
    assert final.keys() == weights.keys()
    for name, expected in weights.items():
        # Relative to the size of the parameter's typical entry: single entries may be next to zero.
        scale = max(map(abs, expected[1:]))
        np.testing.assert_allclose(
            golden.picked(final[name]), expected, rtol=1e-3, atol=1e-3 * scale, err_msg=f"{run}: {name}"
        )


@pytest.mark.parametrize("run", golden.RUNS)
def test_recorded(run: str) -> None:
    recorded = json.loads(golden.RECORDED.read_text())[run]
    assert len(recorded["losses"]) == golden.STEPS
    assert recorded["losses"][-1] < 0.8 * recorded["losses"][0], "the recorded run learnt nothing"
    check(run, recorded["losses"], recorded["weights"])


@pytest.mark.parametrize("run", golden.RUNS)
def test_recomputed(run: str) -> None:
    pytest.importorskip("torch")
    losses, final = golden.run_torch(run)
    check(run, losses, {name: golden.picked(w) for name, w in final.items()})
