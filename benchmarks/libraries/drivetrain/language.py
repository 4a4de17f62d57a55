"""Language models."""

from typing import Any

import drivetrain as dt
from benchmarks.libraries import Job
from drivetrain import models

from .kernels import arrays


def gpt(data: dict[str, Any], o: dict[str, Any]) -> models.GPT:
    model = models.gpt(o["vocabulary"], o["context"], o["width"], o["layers"], o["heads"], dropout=0.0)
    model.load_state_dict(data["state"])
    return model


def generation(data: dict[str, Any], o: dict[str, Any], mode: str) -> Job:
    model = gpt(data, o).eval()
    prompt = dt.tensor([[0]])

    def step() -> Any:
        return model.generate(prompt, o["tokens"], temperature=0, use_cache=o["use_cache"])

    return Job(step, arrays)
