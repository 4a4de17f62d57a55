"""Single kernels."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.libraries import Job

Data = dict[str, Any]


HALVES = (torch.float16, torch.bfloat16)


def arrays(value: Any) -> list[np.ndarray]:
    values = value if isinstance(value, (tuple, list)) else [value]
    return [channels_back(v.detach().float() if v.dtype in HALVES else v.detach()).numpy() for v in values]


def to_half(t: torch.Tensor, o: Data) -> torch.Tensor:
    """In the half format that the options name, where they do."""
    return t.to(getattr(torch, o["half"])) if "half" in o else t


def channels_back(t: torch.Tensor) -> torch.Tensor:
    return t.permute(0, 2, 3, 1) if t.ndim == 4 else t


def moments(value: torch.Tensor) -> list[np.ndarray]:
    (x,) = arrays(value)
    return [np.array([1 + x.mean(dtype=np.float64), np.square(x, dtype=np.float64).mean()])]


def image(array: np.ndarray, mode: str) -> torch.Tensor:
    """NCHW of what comes as NHWC, in memory as the mode wants it. Other ranks as they are."""
    if array.ndim != 4:
        return torch.from_numpy(array.copy())
    t = torch.from_numpy(array).permute(0, 3, 1, 2)
    layout = torch.channels_last if mode.startswith("channels_last") else torch.contiguous_format
    return t.clone(memory_format=layout)


def compiled(run: Callable[..., Any], mode: str) -> Callable[..., Any]:
    return torch.compile(run) if mode.startswith("compile") else run


def gemm(data: Data, o: Data, mode: str) -> Job:
    a, b = (to_half(torch.from_numpy(data[name]), o) for name in "ab")
    a = a.T if o.get("transpose_a") else a
    b = b.T if o.get("transpose_b") else b
    out = torch.empty(o["m"], o["n"], dtype=a.dtype)
    return Job(lambda: torch.matmul(a, b, out=out), arrays)


def elementwise(data: Data, o: Data, mode: str) -> Job:
    x, y = torch.from_numpy(data["x"]), to_half(torch.from_numpy(data["y"]), o)
    out = torch.empty_like(x)
    columns, places, draws = (torch.from_numpy(data[name]) for name in ("columns", "places", "draws"))
    flat, other, changed = x.reshape(-1), y.reshape(-1), torch.zeros(x.numel())
    steps: dict[str, Callable[[], Any]] = {
        "add": lambda: torch.add(x, y, out=out),
        "scale": lambda: torch.mul(x, 0.5, out=out),
        "divide": lambda: torch.div(x, y, out=out),
        "relu": lambda: F.relu(x),
        "exp": lambda: torch.exp(x, out=out),
        "log": lambda: torch.log(x, out=out),
        "sqrt": lambda: torch.sqrt(x, out=out),
        "tanh": lambda: torch.tanh(x, out=out),
        "sigmoid": lambda: torch.sigmoid(x, out=out),
        "sine": lambda: torch.sin(x, out=out),
        "power": lambda: torch.pow(x, y, out=out),
        "greater": lambda: x > y,
        "where": lambda: torch.where(x > 0, x, y),
        "sum": lambda: x.sum(),
        "sum first axis": lambda: x.sum(0),
        "sum last axis": lambda: x.sum(-1),
        "variance": lambda: x.var(-1, correction=0),
        "max": lambda: x.amax(-1),
        "argmax": lambda: x.argmax(-1),
        "softmax": lambda: F.softmax(x, -1),
        "transpose": lambda: x.T.contiguous(),
        "copy": lambda: out.copy_(x),
        "to bfloat16": lambda: x.to(torch.bfloat16),
        "to float16": lambda: x.to(torch.float16),
        "from bfloat16": lambda: y.float(),
        "to int32": lambda: x.to(torch.int32),
        "add every second": lambda: x[:, ::2] + y[:, ::2],
        "concat": lambda: torch.cat([x, y], -1),
        "roll": lambda: torch.roll(x, 3, -1),
        "sort": lambda: torch.sort(x, -1).values,
        "topk": lambda: torch.topk(x, 5, -1).values,
        "cumsum": lambda: torch.cumsum(x, -1, out=out),
        "take": lambda: torch.index_select(x, -1, columns),
        "index get": lambda: flat[draws],
        "index put": lambda: changed.index_put_((places,), flat),
        "index add": lambda: torch.zeros_like(flat).scatter_add_(0, draws, other),
    }
    return Job(steps[o["op"]], arrays)


def random(data: Data, o: Data, mode: str) -> Job:
    size = o["size"]
    out, p = torch.empty(size), torch.full((size,), 0.3)
    draws: dict[str, Callable[[], Any]] = {
        "normal": out.normal_,
        "uniform": out.uniform_,
        "integers": lambda: torch.randint(0, 256, (size,)),
        "permutation": lambda: torch.randperm(size),
        "Bernoulli": lambda: torch.bernoulli(p, out=out),
    }
    return Job(draws[o["kind"]], moments)


def dropout(data: Data, o: Data, mode: str) -> Job:
    x = to_half(torch.from_numpy(data["x"]), o)
    run = compiled(lambda x: F.dropout(x, o["p"]), mode)
    return Job(lambda: run(x), moments)


def backward(run: Callable[..., Any], grad: Any, inputs: list[torch.Tensor]) -> Callable[[], Any]:
    """A step that runs forward and backward, and gives the output and the gradients."""
    for t in inputs:
        t.requires_grad_()

    def step() -> Any:
        for t in inputs:
            t.grad = None
        y = run(*inputs)
        y.backward(grad)
        return y, *(t.grad for t in inputs)

    return step


def layer(data: Data, o: Data, mode: str) -> Job:
    x, grad, name = to_half(image(data["x"], mode), o), to_half(image(data["grad"], mode), o), o["layer"]
    if name in ("max_pool", "avg_pool"):
        pool = F.max_pool2d if name == "max_pool" else F.avg_pool2d
        size, stride, padding = o["size"], o["stride"], o["padding"]
        run = compiled(lambda x: pool(x, size, stride, padding), mode)
        return Job(backward(run, grad, [x]), arrays)
    if name == "global_pool":
        run = compiled(lambda x: F.adaptive_avg_pool2d(x, 1)[:, :, 0, 0], mode)
        return Job(backward(run, grad, [x]), arrays)
    channels = o["shape"][-1]
    norm: nn.Module = nn.LayerNorm(channels) if name == "layer_norm" else nn.BatchNorm2d(channels)
    if name == "group_norm":
        norm = nn.GroupNorm(o["groups"], channels)
    norm.load_state_dict({k: torch.from_numpy(data[k]) for k in ("weight", "bias")}, strict=False)
    parameters: Any = [norm.weight, norm.bias]
    if name == "batch_norm_add_relu":
        other = to_half(image(data["other"], mode), o)
        run = compiled(lambda x, other, *_: torch.relu_(norm(x) + other), mode)
        return Job(backward(run, grad, [x, other, *parameters]), arrays)
    return Job(backward(compiled(lambda x, *_: norm(x), mode), grad, [x, *parameters]), arrays)


FUNCTIONS: dict[str, Callable[..., torch.Tensor]] = {
    "mean squared loss": F.mse_loss,
    "cross entropy of sigmoid loss": F.binary_cross_entropy_with_logits,
    "smooth L1 loss": F.smooth_l1_loss,
    "GELU": lambda x: F.gelu(x, approximate="tanh"),
    "SiLU": F.silu,
    "log softmax": lambda x: F.log_softmax(x, -1),
}


def function(data: Data, o: Data, mode: str) -> Job:
    x, run = to_half(torch.from_numpy(data["x"]), o), compiled(FUNCTIONS[o["function"]], mode)
    if "target" in data:
        target = torch.from_numpy(data["target"])
        return Job(backward(lambda x: run(x, target), None, [x]), arrays)
    return Job(backward(run, to_half(torch.from_numpy(data["grad"]), o), [x]), arrays)


def softmax_loss(data: Data, o: Data, mode: str) -> Job:
    x, labels = to_half(torch.from_numpy(data["x"]), o), torch.from_numpy(data["labels"])
    run = compiled(lambda x: F.cross_entropy(x, labels), mode)
    return Job(backward(run, None, [x]), arrays)


def embedding(data: Data, o: Data, mode: str) -> Job:
    rows, weight = torch.from_numpy(data["rows"]), torch.from_numpy(data["weight"])
    run = compiled(lambda weight: F.embedding(rows, weight), mode)
    return Job(backward(run, torch.from_numpy(data["grad"]), [weight]), arrays)


def make_optimizer(o: Data, parameters: Any, mode: str) -> torch.optim.Optimizer:
    fused = "tuned" in mode
    if "options" in o:
        kind, options = getattr(torch.optim, o["optimizer"]), dict(o["options"])
        known = inspect.signature(kind).parameters
        for way in ("fused", "foreach"):
            if fused and way in known and not options.get("fused"):
                options[way] = True
        return kind(parameters, lr=o["lr"], **options)
    if o["optimizer"] == "adam":
        return torch.optim.Adam(parameters, lr=o["lr"], fused=fused)
    return torch.optim.SGD(parameters, lr=o["lr"], momentum=o.get("momentum", 0.0), fused=fused)


def optimizer(data: Data, o: Data, mode: str) -> Job:
    parameters = [torch.from_numpy(p.copy()).requires_grad_() for p in data["parameters"]]
    for p, g in zip(parameters, data["gradients"], strict=True):
        p.grad = torch.from_numpy(g)
    if o["optimizer"] == "norm":
        return Job(lambda: nn.utils.clip_grad_norm_(parameters, 1e9), arrays)
    update = make_optimizer(o, parameters, mode)
    if o["optimizer"] == "LBFGS":
        goals = [p.grad for p in parameters]

        def closure() -> float:  # of half the squared distance from the goals
            with torch.no_grad():
                for p, goal in zip(parameters, goals, strict=True):
                    p.grad = p.detach() - goal
            return 1.0

        return Job(lambda: (update.step(closure), parameters)[1], arrays)

    def step() -> Any:
        if "max_norm" in o:
            torch.nn.utils.clip_grad_norm_(parameters, o["max_norm"])  # the same from the second time on
        update.step()
        return parameters

    return Job(step, arrays)


def conv(data: Data, o: Data, mode: str) -> Job:
    x, weight, grad = (to_half(image(data[k], mode), o) for k in ("x", "weight", "grad"))
    stride, padding, groups = o["stride"], o["padding"], o["groups"]
    run = lambda weight, x: F.conv2d(x, weight, None, stride, padding, groups=groups)  # noqa: E731
    run = compiled(run, mode)
    if o["input_gradient"]:
        return Job(backward(run, grad, [weight, x]), arrays)
    return Job(backward(lambda weight: run(weight, x), grad, [weight]), arrays)


def conv1d(data: Data, o: Data, mode: str) -> Job:
    x, weight, grad = (to_half(torch.from_numpy(data[k]).mT.contiguous(), o) for k in ("x", "weight", "grad"))
    run = compiled(lambda weight, x: F.conv1d(x, weight, None, 1, o["size"] // 2), mode)
    step = backward(run, grad, [weight, x])
    return Job(step, lambda value: [v.detach().mT.float().numpy() for v in value])


def conv_transpose(data: Data, o: Data, mode: str) -> Job:
    x, weight, grad = (to_half(image(data[k], mode), o) for k in ("x", "weight", "grad"))
    stride, padding = o["stride"], o["padding"]
    run = compiled(lambda weight, x: F.conv_transpose2d(x, weight, None, stride, padding), mode)
    return Job(backward(run, grad, [weight, x]), arrays)
