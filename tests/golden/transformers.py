"""Transformer modules beside PyTorch's: the same weights, the same input, the same outputs and gradients.

Weights and inputs follow from names and positions; `tools/record_golden.py` writes what PyTorch makes of
them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from .networks import numbers, picked

RECORDED = Path(__file__).parent / "transformers.json"
# Module, its arguments, inputs (name of the argument: shape), what comes with them.
CASES: dict[str, tuple[str, tuple[Any, ...], dict[str, Any], dict[str, Any]]] = {
    "attention": ("MultiheadAttention", (24, 4), {"query": (2, 6, 24)}, {"causal": "attn_mask"}),
    "attention to other sizes": (
        "MultiheadAttention",
        (24, 4, 0.0, True, True, True, 10, 14),
        {"query": (2, 6, 24), "key": (2, 9, 10), "value": (2, 9, 14)},
        {"padding": "key_padding_mask"},
    ),
    "encoder": ("TransformerEncoderLayer", (24, 4, 40, 0.0), {"src": (2, 6, 24)}, {"causal": "src_mask"}),
    "encoder, norms first, gelu": (
        "TransformerEncoderLayer",
        (24, 4, 40, 0.0, "gelu", 1e-5),
        {"src": (2, 9, 24)},
        {"padding": "src_key_padding_mask", "norm_first": True},
    ),
    "decoder": (
        "TransformerDecoderLayer",
        (24, 4, 40, 0.0),
        {"tgt": (2, 6, 24), "memory": (2, 9, 24)},
        {"causal": "tgt_mask", "padding": "memory_key_padding_mask"},
    ),
    "transformer": (
        "Transformer",
        (24, 4, 2, 2, 40, 0.0),
        {"src": (2, 9, 24), "tgt": (2, 6, 24)},
        {"causal": "tgt_mask", "padding": "src_key_padding_mask"},
    ),
}


def weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    values = numbers(name, int(np.prod(shape))).reshape(shape)
    if len(shape) > 1:
        return values * np.float32(np.sqrt(3 / shape[-1]))
    return values / 4 + 1 if "norm" in name and name.endswith("weight") else values / 4


def inputs(case: str) -> dict[str, np.ndarray]:
    """Arrays by the names of arguments; masks are True for what is ignored."""
    _, _, shapes, more = CASES[case]
    made = {name: numbers(name, int(np.prod(shape))).reshape(shape) for name, shape in shapes.items()}
    if "causal" in more:
        made[more["causal"]] = np.triu(np.ones((6, 6), bool), 1)
    if "padding" in more:
        made[more["padding"]] = np.array([[False] * 9, [False] * 5 + [True] * 4])
    return made


def options(case: str) -> dict[str, Any]:
    return {name: value for name, value in CASES[case][3].items() if name == "norm_first"}


def results(output: np.ndarray, gradients: dict[str, np.ndarray]) -> dict[str, list[float]]:
    """Some of the output's numbers, and of each gradient the sum, the sum of squares and a projection."""
    found = {"output": picked(output)}
    for name, gradient in sorted(gradients.items()):
        flat = gradient.astype(np.float64).ravel()
        found[name] = [float(v) for v in (flat.sum(), flat @ flat, flat @ numbers("projection", flat.size))]
    return found


def torch_results(case: str) -> dict[str, list[float]]:
    import torch

    kind, arguments, *_ = CASES[case]
    if kind == "Transformer":
        module = torch.nn.Transformer(*arguments, batch_first=True)
    else:
        module = getattr(torch.nn, kind)(*arguments, batch_first=True, **options(case))
    state = {name: torch.from_numpy(weight(name, tuple(v.shape))) for name, v in module.state_dict().items()}
    module.load_state_dict(state)
    given = {name: torch.from_numpy(value) for name, value in inputs(case).items()}
    if kind == "MultiheadAttention":
        given = {"key": given["query"], "value": given["query"], **given}
    output = module(**given)
    output = output[0] if kind == "MultiheadAttention" else output
    (output * torch.from_numpy(goal(tuple(output.shape)))).sum().backward()
    return results(output.detach().numpy(), {n: p.grad.numpy() for n, p in module.named_parameters()})


def goal(shape: tuple[int, ...]) -> np.ndarray:
    """What the output is multiplied with before its sum is differentiated."""
    return numbers("goal", int(np.prod(shape))).reshape(shape)


def recorded() -> dict[str, Any]:
    return json.loads(RECORDED.read_text())
