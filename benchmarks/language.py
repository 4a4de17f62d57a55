"""Cases of language models."""

from benchmarks.cases import NO_IMAGES, Bar, Case

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
