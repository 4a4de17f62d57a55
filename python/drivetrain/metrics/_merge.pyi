from typing import Any

from numpy.typing import NDArray

def merge_areas(positives: NDArray[Any], negatives: NDArray[Any]) -> tuple[int, float]: ...
def merge_curve(
    positives: NDArray[Any],
    negatives: NDArray[Any],
    thresholds: NDArray[Any],
    hits: NDArray[Any],
    alarms: NDArray[Any],
    skips_straight: bool,
) -> int: ...
