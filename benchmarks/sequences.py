"""Cases on sequences: recurrent networks. Shapes are (batch, time, features)."""

from dataclasses import replace

from benchmarks.cases import NO_IMAGES, Bar, Case, Variant

# --- Recurrent networks ---


def language_model(cell: str) -> Case:
    """Two layers behind an embedding, before a layer over the vocabulary; Adam, gradients clipped."""
    return Case(
        f"{cell} language model, vocabulary 10,000, width 256, 2 layers, batch 32 of 64",
        "language_model",
        {
            "cell": cell,
            "words": 10_000,
            "width": 256,
            "layers": 2,
            "batch": 32,
            "time": 64,
            "optimizer": "adam",
            "lr": 1e-3,
            "max_norm": 1.0,
        },
        (Bar("peers", 1.4, 1.8),),
        first_steps=3,
        seconds=0.5,
        flops=3 * 2 * 2048 * (256 * 10_000 + 2 * (4 if cell == "LSTM" else 3) * 256 * 512),
        without=NO_IMAGES,
        tiny={"words": 50, "width": 16, "batch": 3, "time": 5},
        readme=f"{cell} language model, 2 x 256, batch 32 of 64 words",
    )


def half_model(case: Case) -> Case:
    """The same under autocast, beside PyTorch's and beside float32."""
    return replace(
        case,
        name=f"bfloat16 {case.name}",
        bars=(Bar("torch", 1.5, 2.5),),
        variants=(Variant("", {"half": "bfloat16"}), Variant("in float32")),
        tolerance=0.02,
        only=("drivetrain", "torch"),
        readme="",
    )


def recurrent(
    cell: str, inputs: int, hidden: int, batch: int, time: int, bars: tuple[Bar, ...], layers: int = 1
) -> Case:
    several = f", {layers} layers" if layers > 1 else ""
    return Case(
        f"{cell} {inputs}-{hidden}{several}, batch {batch} of {time}, forward+backward",
        "recurrent",
        {"cell": cell, "inputs": inputs, "hidden": hidden, "layers": layers, "batch": batch, "time": time},
        bars,
        flops=3 * 2 * batch * time * layers * (4 if cell == "LSTM" else 3) * hidden * (inputs + hidden),
        without=NO_IMAGES,
        tiny={"inputs": 5, "hidden": 6, "batch": 3, "time": 4},
    )


def tiny_model(cell: str) -> Case:
    """The same training step with next to nothing to compute in it: what calls cost."""
    case = language_model(cell)
    small = {"words": 30, "width": 32, "layers": 1, "batch": 16, "time": 20}
    return replace(
        case,
        name=f"tiny {cell} language model, vocabulary 30, width 32, 1 layer, batch 16 of 20",
        options={**case.options, **small},
        bars=(Bar("peers", 5),),
        seconds=0.15,
        flops=0.0,
        readme=f"tiny {cell} language model, 32 units, batch 16 of 20" if cell == "LSTM" else "",
    )


MODELS = [language_model("LSTM"), language_model("GRU")]
RECURRENT = [
    *MODELS,
    *(half_model(case) for case in MODELS),
    tiny_model("LSTM"),
    tiny_model("GRU"),
    recurrent("LSTM", 32, 32, 16, 20, (Bar("peers", 5),)),
    recurrent("GRU", 32, 32, 16, 20, (Bar("peers", 5),)),
    recurrent("LSTM", 100, 200, 20, 35, (Bar("peers", 1.4),), 2),
    recurrent("LSTM", 512, 1024, 1, 50, (Bar("peers", 1),)),
]
SEQUENCES = [*RECURRENT]
