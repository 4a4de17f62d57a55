"""Recurrent networks."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.libraries import Job

from .kernels import arrays, compiled, make_optimizer

Data = dict[str, Any]


def network(o: Data, inputs: int, hidden: int, layers: list[Data]) -> Any:
    net = getattr(nn, o["cell"])(inputs, hidden, num_layers=len(layers), batch_first=True)
    named = {f"{k}_l{i}": torch.from_numpy(v) for i, own in enumerate(layers) for k, v in own.items()}
    net.load_state_dict(named)
    return net


def recurrent(data: Data, o: Data, mode: str) -> Job:
    net = network(o, o["inputs"], o["hidden"], data["layers"])
    x, grad = torch.from_numpy(data["x"]).requires_grad_(), torch.from_numpy(data["grad"])
    inputs, run = [x, *net.parameters()], compiled(lambda x: net(x)[0], mode)

    def step() -> Any:
        for t in inputs:
            t.grad = None
        output = run(x)
        output.backward(grad)
        return output, *(t.grad for t in inputs)

    return Job(step, arrays)


class LanguageModel(nn.Module):
    def __init__(self, data: Data, o: Data) -> None:
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(torch.from_numpy(data["embedding"]), freeze=False)
        self.rnn = network(o, o["width"], o["width"], data["layers"])
        self.head = nn.Linear(o["width"], o["words"])
        self.head.load_state_dict({k: torch.from_numpy(data[k]) for k in ("weight", "bias")})

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        output, _ = self.rnn(self.embedding(tokens))
        return self.head(output)


def language_model(data: Data, o: Data, mode: str) -> Job:
    model, half = LanguageModel(data, o), o.get("half")
    tokens, targets = torch.from_numpy(data["tokens"]), torch.from_numpy(data["targets"]).reshape(-1)
    parameters = list(model.parameters())
    optimizer = make_optimizer(o, parameters, mode)

    def forward() -> torch.Tensor:
        with torch.autocast("cpu", getattr(torch, half or "bfloat16"), enabled=half is not None):
            logits = model(tokens)
            return F.cross_entropy(logits.reshape(-1, o["words"]), targets)

    run = compiled(forward, mode)

    def step() -> Any:
        optimizer.zero_grad()
        loss = run()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, o["max_norm"])
        optimizer.step()
        return loss

    return Job(step, arrays)


BUILD = {"recurrent": recurrent, "language_model": language_model}
