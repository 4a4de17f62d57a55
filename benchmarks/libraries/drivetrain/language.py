"""Language models."""

from typing import Any

import drivetrain as dt
from benchmarks.libraries import Job
from drivetrain import models
from drivetrain.nn import functional as F

from .kernels import arrays, make_optimizer


def model_of(data: dict[str, Any], o: dict[str, Any]) -> models.GPT:
    model = models.gpt(o["vocabulary"], o["context"], o["width"], o["layers"], o["heads"], dropout=0.0)
    model.load_state_dict(data["state"])
    return model


def generation(data: dict[str, Any], o: dict[str, Any], mode: str) -> Job:
    model = model_of(data, o).eval()
    prompt = dt.tensor([[0]])

    def step() -> Any:
        return model.generate(prompt, o["tokens"], temperature=0, use_cache=o["use_cache"])

    return Job(step, arrays)


def gpt(data: dict[str, Any], o: dict[str, Any], mode: str) -> Job:
    model, half = model_of(data, o), o.get("half")
    tokens, targets = dt.tensor(data["tokens"]), dt.tensor(data["targets"])
    optimizer = make_optimizer(
        {**o, "optimizer": "AdamW", "options": {"weight_decay": o["decay"]}}, list(model.parameters())
    )

    def step() -> Any:
        optimizer.zero_grad()
        with dt.autocast(half or "bfloat16", enabled=half is not None):
            loss = F.cross_entropy(model(tokens), targets)
        loss.backward()
        optimizer.step()
        return loss

    return Job(step, arrays)


def attention(data: dict[str, Any], o: dict[str, Any], mode: str) -> Job:
    dtype = o.get("half") or "float32"
    inputs = [dt.tensor(data[name], dtype=dtype) for name in ("query", "key", "value")]
    grad = dt.tensor(data["grad"], dtype=dtype)
    for t in inputs:
        t.requires_grad = True

    def step() -> Any:
        for t in inputs:
            t.grad = None
        heads = [t.permute_dims((0, 2, 1, 3)) for t in inputs]
        output = F.scaled_dot_product_attention(*heads, is_causal=True).permute_dims((0, 2, 1, 3))
        output.backward(grad)
        return output, *(t.grad for t in inputs)

    return Job(step, arrays)


BUILD = {"generation": generation, "gpt": gpt, "attention": attention}
