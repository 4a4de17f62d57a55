"""Cases of language models."""

from dataclasses import replace

from benchmarks.cases import NO_IMAGES, Bar, Case, Variant

GPT = {"vocabulary": 256, "context": 256, "width": 384, "layers": 6, "heads": 6}
TINY = {"vocabulary": 11, "context": 16, "width": 8, "layers": 2, "heads": 2, "tokens": 5}


def generation(use_cache: bool) -> Case:
    """Greedy, from one token on."""
    without = dict(NO_IMAGES)
    if not use_cache:
        without["torch compile tuned"] = "compiles anew for every length"
    return Case(
        f"GPT generates 128 tokens, {'with' if use_cache else 'without'} cache",
        "generation",
        {**GPT, "tokens": 128, "use_cache": use_cache},
        (Bar("torch", 1.0, 2.0),),
        only=("drivetrain", "torch"),
        without=without,
        tiny=TINY,
        readme="128 tokens of a GPT, one by one" if use_cache else "",
    )


GENERATION = [generation(True), generation(False)]

# A step multiplies each token with all weights once forward and twice backward; it sees half of the others.
TRAINING = Case(
    "GPT, 6 layers of 384, batch 8 of 256, AdamW",
    "gpt",
    {**GPT, "batch": 8, "optimizer": "adam", "lr": 1e-4, "decay": 0.01},
    (Bar("peers", 1.4, 1.8),),
    first_steps=3,
    seconds=0.5,
    flops=3 * 2 * 2048 * (6 * 12 * 384 * 384 + 256 * 384) + 3.5 * 4 * 6 * 8 * 384 * 256 * 256 / 2,
    without=NO_IMAGES,
    tiny={**{k: v for k, v in TINY.items() if k != "tokens"}, "batch": 2},
    readme="GPT, 6 layers of 384, batch 8 of 256, AdamW",
)
HALF_TRAINING = replace(
    TRAINING,
    name=f"bfloat16 {TRAINING.name}",
    bars=(Bar("torch", 2.0, 3.0),),
    variants=(Variant("", {"half": "bfloat16"}), Variant("in float32")),
    tolerance=0.02,
    only=("drivetrain", "torch"),
    readme="",
)


def attention(batch: int, heads: int, time: int, size: int, bars: tuple[Bar, ...]) -> Case:
    return Case(
        f"causal attention, batch {batch}, {heads} heads of {size}, {time:,} steps, forward+backward",
        "attention",
        {"batch": batch, "heads": heads, "time": time, "size": size},
        bars,
        flops=3.5 * 4 * batch * heads * time * time * size / 2,
        without=NO_IMAGES,
        tiny={"batch": 2, "time": 9, "heads": 2, "size": 4},
    )


def half_attention(case: Case) -> Case:
    return replace(
        case,
        name=f"bfloat16 {case.name}",
        bars=(Bar("torch", 1.5),),
        variants=(Variant("", {"half": "bfloat16"}), Variant("in float32")),
        tolerance=0.03,
        only=("drivetrain", "torch"),
    )


ATTENTION = [
    attention(1, 8, 2048, 64, (Bar("peers", 1.5),)),
    attention(8, 6, 256, 64, (Bar("peers", 1.5),)),
    attention(4, 4, 512, 96, (Bar("peers", 1.5),)),
    attention(64, 4, 32, 32, (Bar("peers", 1.0),)),
]
LANGUAGE = [TRAINING, HALF_TRAINING, *ATTENTION, half_attention(ATTENTION[0])]
