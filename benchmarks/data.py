"""Inputs and initial weights, the same for every library: one function per kind of case.

Images are NHWC, weights of convolutions (outputs, height, width, inputs); see `networks.weights`.
"""

from typing import Any

import numpy as np

from benchmarks import networks

Options = dict[str, Any]
Data = dict[str, Any]


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def gemm(o: Options) -> Data:
    """`a` and `b` as they lie in memory: (k, m) and (n, k) where transposed."""
    a = normal(*((o["k"], o["m"]) if o.get("transpose_a") else (o["m"], o["k"])))
    b = normal(*((o["n"], o["k"]) if o.get("transpose_b") else (o["k"], o["n"])), seed=1)
    dtype = o.get("dtype", "float32")
    return {"a": a.astype(dtype), "b": b.astype(dtype)}


def elementwise(o: Options) -> Data:
    x, y = normal(*o["shape"]), normal(*o["shape"], seed=1)
    if o["op"] in ("sqrt", "log", "power"):
        np.abs(x, out=x)
        x += np.float32(0.1)
    rng = np.random.default_rng(2)
    return {
        "x": x,
        "y": y,
        "columns": rng.integers(0, o["shape"][-1], o["shape"][-1]),
        "places": rng.permutation(x.size),
        "draws": rng.integers(0, x.size, x.size),  # with repetitions
    }


def random(o: Options) -> Data:
    return {}


def dropout(o: Options) -> Data:
    return {"x": np.ones(o["size"], np.float32)}


def layer(o: Options) -> Data:
    """A layer with its input, the gradient of its output, and for norms a scale and a shift."""
    shape = o["shape"]
    data = {"x": normal(*shape)}
    if o["layer"] in ("max_pool", "avg_pool"):
        height = (shape[1] + 2 * o["padding"] - o["size"]) // o["stride"] + 1
        width = (shape[2] + 2 * o["padding"] - o["size"]) // o["stride"] + 1
        data["grad"] = normal(shape[0], height, width, shape[3], seed=1)
        return data
    if o["layer"] == "global_pool":
        return data | {"grad": normal(shape[0], shape[3], seed=1)}
    data["grad"] = normal(*shape, seed=1)
    data["weight"], data["bias"] = normal(shape[-1], seed=2), normal(shape[-1], seed=3)
    if o["layer"] == "batch_norm_add_relu":
        data["other"] = normal(*shape, seed=4)
    return data


def function(o: Options) -> Data:
    """A function with its input, the gradient of its output, and for losses a target between 0 and 1."""
    data = {"x": normal(*o["shape"])}
    if o["function"].endswith("loss"):
        return data | {"target": np.random.default_rng(1).random(o["shape"], dtype=np.float32)}
    return data | {"grad": normal(*o["shape"], seed=1)}


def softmax_loss(o: Options) -> Data:
    labels = np.random.default_rng(1).integers(0, o["classes"], o["batch"])
    return {"x": normal(o["batch"], o["classes"]), "labels": labels}


def embedding(o: Options) -> Data:
    rows = np.random.default_rng(1).integers(0, o["words"], (o["batch"], o["length"]))
    return {
        "rows": rows,
        "weight": normal(o["words"], o["features"]),
        "grad": normal(o["batch"], o["length"], o["features"], seed=2),
    }


def optimizer(o: Options) -> Data:
    return {
        "parameters": [normal(*shape, seed=2 * i) for i, shape in enumerate(o["shapes"])],
        "gradients": [normal(*shape, seed=2 * i + 1) for i, shape in enumerate(o["shapes"])],
    }


def conv(o: Options) -> Data:
    n, height, width = o["batch"], o["height"], o["width"]
    size, stride, padding, groups = o["size"], o["stride"], o["padding"], o.get("groups", 1)
    after = [(s + 2 * padding - size) // stride + 1 for s in (height, width)]
    weight = normal(o["outputs"], size, size, o["inputs"] // groups, seed=1)
    weight *= np.float32(1 / np.sqrt(weight[0].size))
    return {
        "x": normal(n, height, width, o["inputs"]),
        "weight": weight,
        "grad": normal(n, *after, o["outputs"], seed=2),
    }


def conv1d(o: Options) -> Data:
    weight = normal(o["outputs"], o["size"], o["inputs"], seed=1)
    weight *= np.float32(1 / np.sqrt(weight[0].size))
    return {
        "x": normal(o["batch"], o["length"], o["inputs"]),
        "weight": weight,
        "grad": normal(o["batch"], o["length"], o["outputs"], seed=2),
    }


def conv_transpose(o: Options) -> Data:
    """The weight is (inputs, height, width, outputs)."""
    n, height, width, size = o["batch"], o["height"], o["width"], o["size"]
    after = [(s - 1) * o["stride"] - 2 * o["padding"] + size for s in (height, width)]
    weight = normal(o["inputs"], size, size, o["outputs"], seed=1)
    weight *= np.float32(1 / np.sqrt(weight[0].size))
    return {
        "x": normal(n, height, width, o["inputs"]),
        "weight": weight,
        "grad": normal(n, *after, o["outputs"], seed=2),
    }


def network(o: Options) -> Data:
    rng = np.random.default_rng(0)
    layers = networks.layers_of(o)
    x = rng.standard_normal((o["batch"], *o["input"]), dtype=np.float32)
    outputs = layers[-1][1]["outputs"]
    if o["loss"] == "mse":
        y = rng.standard_normal((o["batch"], outputs), dtype=np.float32)
    else:
        y = rng.integers(0, outputs, o["batch"])
    return {"x": x, "y": y, "layers": layers, "weights": list(networks.weights(layers, rng))}


def module_call(o: Options) -> Data:
    rng = np.random.default_rng(0)
    layers = networks.layers_of({"network": "mlp", "arguments": {"sizes": o["sizes"]}})
    return {
        "x": rng.standard_normal((o["batch"], o["sizes"][0]), dtype=np.float32),
        "layers": layers,
        "weights": list(networks.weights(layers, rng)),
    }


fit = network


def rnn_weights(cell: str, inputs: int, hidden: int, layers: int, rng: np.random.Generator) -> list[Data]:
    """PyTorch's parameters of each layer, in its order of gates."""
    wide, found = (4 if cell == "LSTM" else 3) * hidden, []
    for layer in range(layers):
        shapes = {"weight_ih": (wide, hidden if layer else inputs), "weight_hh": (wide, hidden)}
        shapes |= {"bias_ih": (wide,), "bias_hh": (wide,)}
        bound = np.float32(1 / np.sqrt(hidden))
        found.append({k: (2 * rng.random(s, dtype=np.float32) - 1) * bound for k, s in shapes.items()})
    return found


def recurrent(o: Options) -> Data:
    return {
        "x": normal(o["batch"], o["time"], o["inputs"]),
        "layers": rnn_weights(o["cell"], o["inputs"], o["hidden"], o["layers"], np.random.default_rng(1)),
        "grad": normal(o["batch"], o["time"], o["hidden"], seed=2),
    }


def language_model(o: Options) -> Data:
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, o["words"], (o["batch"], o["time"] + 1))
    scale = np.float32(1 / np.sqrt(o["width"]))
    return {
        "tokens": tokens[:, :-1].copy(),
        "targets": tokens[:, 1:].copy(),
        "embedding": normal(o["words"], o["width"], seed=1) * scale,
        "layers": rnn_weights(o["cell"], o["width"], o["width"], o["layers"], rng),
        "weight": normal(o["words"], o["width"], seed=2) * scale,
        "bias": np.zeros(o["words"], np.float32),
    }


def generation(o: Options) -> Data:
    """The weights of a GPT, by our names; large enough for logits that are far from each other."""
    width = o["width"]
    shapes = {"tokens.weight": (o["vocabulary"], width), "positions.weight": (o["context"], width)}
    for i in range(o["layers"]):
        block = f"blocks.layers.{i}."
        shapes |= {
            f"{block}self_attn.in_proj_weight": (3 * width, width),
            f"{block}self_attn.in_proj_bias": (3 * width,),
            f"{block}self_attn.out_proj.weight": (width, width),
            f"{block}self_attn.out_proj.bias": (width,),
            f"{block}linear1.weight": (4 * width, width),
            f"{block}linear1.bias": (4 * width,),
            f"{block}linear2.weight": (width, 4 * width),
            f"{block}linear2.bias": (width,),
        }
        shapes |= {f"{block}norm{n}.{part}": (width,) for n in (1, 2) for part in ("weight", "bias")}
    shapes |= {f"blocks.norm.{part}": (width,) for part in ("weight", "bias")}
    state = {name: 0.1 * normal(*shape, seed=i) for i, (name, shape) in enumerate(shapes.items())}
    return {"state": {k: v + 1 if "norm" in k and k.endswith("weight") else v for k, v in state.items()}}


def gpt(o: Options) -> Data:
    """The same with weights of the size that training starts from, and tokens."""
    state = {k: 0.2 * v if v.ndim == 2 else v for k, v in generation(o)["state"].items()}
    tokens = np.random.default_rng(0).integers(0, o["vocabulary"], (o["batch"], o["context"] + 1))
    return {"state": state, "tokens": tokens[:, :-1].copy(), "targets": tokens[:, 1:].copy()}


def attention(o: Options) -> Data:
    """(batch, time, heads, features), as projections write them."""
    shape = (o["batch"], o["time"], o["heads"], o["size"])
    return {name: normal(*shape, seed=i) for i, name in enumerate(("query", "key", "value", "grad"))}
