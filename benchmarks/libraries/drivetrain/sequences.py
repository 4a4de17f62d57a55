"""Recurrent networks."""

from typing import Any

import drivetrain as dt
from benchmarks.libraries import Job
from drivetrain import nn
from drivetrain.nn import functional as F

from .kernels import arrays, make_optimizer

Data = dict[str, Any]


def network(o: Data, inputs: int, hidden: int, layers: list[Data]) -> Any:
    net = getattr(nn, o["cell"])(inputs, hidden, num_layers=len(layers))
    net.load_state_dict({f"{k}_l{i}": dt.tensor(v) for i, own in enumerate(layers) for k, v in own.items()})
    return net


def recurrent(data: Data, o: Data, mode: str) -> Job:
    net = network(o, o["inputs"], o["hidden"], data["layers"])
    x, grad = dt.tensor(data["x"], requires_grad=True), dt.tensor(data["grad"])
    inputs = [x, *net.parameters()]

    def step() -> Any:
        for t in inputs:
            t.grad = None
        output, _ = net(x)
        output.backward(grad)
        return output, *(t.grad for t in inputs)

    return Job(step, arrays)


class LanguageModel(nn.Module):
    def __init__(self, data: Data, o: Data) -> None:
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(dt.tensor(data["embedding"]), freeze=False)
        self.rnn = network(o, o["width"], o["width"], data["layers"])
        self.head = nn.Linear(o["width"], o["words"])
        self.head.load_state_dict({k: dt.tensor(data[k]) for k in ("weight", "bias")})

    def forward(self, tokens: Any) -> Any:
        output, _ = self.rnn(self.embedding(tokens))
        return self.head(output)


def language_model(data: Data, o: Data, mode: str) -> Job:
    model, half = LanguageModel(data, o), o.get("half")
    tokens, targets = dt.tensor(data["tokens"]), dt.tensor(data["targets"])
    parameters = list(model.parameters())
    optimizer = make_optimizer(o, parameters)

    def step() -> Any:
        optimizer.zero_grad()
        with dt.autocast(half or "bfloat16", enabled=half is not None):
            loss = F.cross_entropy(model(tokens), targets)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, o["max_norm"])
        optimizer.step()
        return loss

    return Job(step, arrays)


BUILD = {"recurrent": recurrent, "language_model": language_model}
