"""How many weights a layer will have, said before it is made.

A model file says how its layers are built. Building a layer allocates its weights, so a hostile file could
ask for terabytes with a few bytes of text; what it asks for is compared with what the file holds first.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

# Layers without entry have no weights, or none whose number grows with their arguments.
Arguments = Mapping[str, Any]
# Whatever a file holds, so many elements are never refused.
ALWAYS_FINE = 1 << 20


def kernel(axes: int) -> Callable[[Arguments], float]:
    def elements(arguments: Arguments) -> float:
        size = arguments["kernel_size"]
        window = math.prod(size) if isinstance(size, (tuple, list)) else size**axes
        return float(arguments["in_channels"] * arguments["out_channels"] * window / arguments["groups"])

    return elements


def unet(a: Arguments) -> float:
    width = a["base_width"]
    return float(max(9 * (16 * width) ** 2, 9 * a["in_channels"] * width, a["classes"] * width))


def attention(a: Arguments) -> float:
    width = a["embed_dim"]
    shared = width // a["num_heads"] * (a["num_kv_heads"] or a["num_heads"])
    return float(2 * width**2 + shared * ((a["kdim"] or width) + (a["vdim"] or width)))


def gpt(a: Arguments) -> float:
    width, layers = a["width"], a["layers"]
    block = 2 * width**2 + 2 * width * (a["feedforward"] or 4 * width)
    return float((a["vocab_size"] + 1) * width + layers * block)


def translation(a: Arguments) -> float:
    tables = a["vocab_size"] + (a["target_vocab_size"] or 0)
    return float(tables * a["width"]) + 2 * gpt({**a, "vocab_size": -1})


def copies(a: Arguments) -> float:
    layer = a["encoder_layer"] if "encoder_layer" in a else a["decoder_layer"]
    size, count = sum(parameter.size for parameter in layer.parameters()), a["num_layers"]
    return float(max((count - 1) * size, count if count > ALWAYS_FINE else 0))


def layers(a: Arguments) -> float:
    return float(2 * a["d_model"] * (a["d_model"] + a["dim_feedforward"]))


ELEMENTS: dict[str, Callable[[Arguments], float]] = {
    "Linear": lambda a: a["in_features"] * a["out_features"],
    "Bilinear": lambda a: a["in1_features"] * a["in2_features"] * a["out_features"],
    "Embedding": lambda a: a["num_embeddings"] * a["embedding_dim"],
    "PReLU": lambda a: a["num_parameters"],
    "LayerNorm": lambda a: math.prod(n) if isinstance(n := a["normalized_shape"], (tuple, list)) else n,
    "RMSNorm": lambda a: math.prod(n) if isinstance(n := a["normalized_shape"], (tuple, list)) else n,
    "GroupNorm": lambda a: a["num_channels"],
    **{f"Conv{axes}d": kernel(axes) for axes in (1, 2)},
    **{f"ConvTranspose{axes}d": kernel(axes) for axes in (1, 2)},
    **{f"BatchNorm{axes}d": lambda a: a["num_features"] for axes in (1, 2)},
    **{f"InstanceNorm{axes}d": lambda a: a["num_features"] for axes in (1, 2)},
    "BasicBlock": lambda a: 9 * a["width"] * max(a["inputs"], a["width"]),
    "Bottleneck": lambda a: a["width"] * max(9 * a["width"], 4 * a["inputs"]),
    "ResidualPair": lambda a: 9 * a["channels"] ** 2,
    "InvertedResidual": lambda a: a["inputs"] * a["expansion"] * max(a["inputs"], a["outputs"], 9),
    "Inception": lambda a: 9 * max(a["inputs"], *a["channels"]) * max(a["channels"]),
    "GoogLeNet": lambda a: max(1024 * a["classes"], 64 * 49 * a["in_channels"]),
    "UNet": unet,
    "MultiheadAttention": attention,
    "SwiGLU": lambda a: (
        a["hidden_features"] * (2 * a["in_features"] + (a["out_features"] or a["in_features"]))
    ),
    "LearnedPositions": lambda a: a["max_length"] * a["features"],
    "TransformerEncoderLayer": layers,
    "TransformerDecoderLayer": layers,
    "TransformerEncoder": copies,
    "TransformerDecoder": copies,
    "Transformer": lambda a: layers(a) * (a["num_encoder_layers"] + a["num_decoder_layers"]),
    "GPT": gpt,
    "TransformerClassifier": lambda a: gpt({"context_length": 0, **a}),
    "TranslationTransformer": translation,
}


def elements_of(layer: type, arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> float:
    """Return the number of elements of the largest weight that the constructor would make; 0 where it says
    none.

    Arguments of a wrong kind give 0: the constructor refuses them.
    """
    count = ELEMENTS.get(layer.__name__)
    if count is None:
        return 0
    try:
        bound = inspect.signature(layer).bind(*arguments, **keywords)
        bound.apply_defaults()
        return float(count(bound.arguments))
    except (TypeError, KeyError, ZeroDivisionError):
        return 0
    except OverflowError:
        return math.inf
