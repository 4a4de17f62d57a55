"""Precision, recall and their like, batch by batch."""

from __future__ import annotations

from typing import Any

from ..functions.sets import check_beta, check_zero_division, jaccard_of, overlap_scores, specificity_of
from ..labels import Counts
from .counts import OverlapMetric


class Precision(OverlapMetric):
    """The share of what was predicted as a class that truly is of it.

    Args:
        name: Str, default "precision".
        average: "binary" for ``pos_label`` of two classes; "micro", "macro" or "weighted" over classes or
            labels; None for each by itself.
        pos_label: 1 (default) or 0.
        num_classes (int, optional): Of classes or labels. Default: as many as labels and scores show.
        threshold (float, default 0.5): Above it a single float score means class 1; 0 for logits.
        zero_division ("warn", 0, 1 or nan): The value of 0 / 0; "warn" is 0 with a warning.
        multilabel (bool, default False): Take y_true of 0 and 1 of shape (n, labels), with labels or scores
            of that shape.

    Else ``update`` takes what `Accuracy` takes, for labels 0, 1, .... Averages are over the classes that
    occur.

    Example:
        >>> import numpy as np
        >>> from drivetrain.metrics import Precision
        >>> precision = Precision()
        >>> precision.update(np.array([0, 1, 1, 0]), np.array([0.6, 0.7, 0.9, 0.1]))
        >>> round(precision.result(), 4)
        0.6667
    """

    def __init__(
        self,
        name: str = "precision",
        *,
        average: str | None = "binary",
        pos_label: int = 1,
        num_classes: int | None = None,
        threshold: float = 0.5,
        zero_division: Any = "warn",
        multilabel: bool = False,
    ) -> None:
        super().__init__(name, average, pos_label, num_classes, threshold, zero_division, multilabel)

    def _of(self, counts: Counts) -> Any:
        return overlap_scores(counts, 1.0, self.average, ("precision",), self.zero_division)[0]


class Recall(OverlapMetric):
    """The share of what truly is of a class that was predicted so. The arguments are those of `Precision`.

    Example:
        >>> import numpy as np
        >>> from drivetrain.metrics import Recall
        >>> recall = Recall(average="macro")
        >>> recall.update(np.array([0, 1, 2, 2]), np.array([0, 1, 1, 2]))
        >>> round(recall.result(), 4)
        0.8333
    """

    def __init__(
        self,
        name: str = "recall",
        *,
        average: str | None = "binary",
        pos_label: int = 1,
        num_classes: int | None = None,
        threshold: float = 0.5,
        zero_division: Any = "warn",
        multilabel: bool = False,
    ) -> None:
        super().__init__(name, average, pos_label, num_classes, threshold, zero_division, multilabel)

    def _of(self, counts: Counts) -> Any:
        return overlap_scores(counts, 1.0, self.average, ("recall",), self.zero_division)[1]


class FBeta(OverlapMetric):
    """The harmonic mean of precision and recall, where recall counts ``beta`` times as much.

    Args:
        beta: Number of at least 0, default 1.

    The other arguments are those of `Precision`.

    Example:
        >>> import numpy as np
        >>> from drivetrain.metrics import FBeta
        >>> score = FBeta(beta=0.5)
        >>> score.update(np.array([0, 1, 1, 1]), np.array([0, 1, 0, 1]))
        >>> round(score.result(), 4)
        0.9091
    """

    def __init__(
        self,
        beta: float = 1.0,
        name: str | None = None,
        *,
        average: str | None = "binary",
        pos_label: int = 1,
        num_classes: int | None = None,
        threshold: float = 0.5,
        zero_division: Any = "warn",
        multilabel: bool = False,
    ) -> None:
        self.beta = check_beta(type(self).__name__, beta)
        name = f"f{beta:g}" if name is None else name
        super().__init__(name, average, pos_label, num_classes, threshold, zero_division, multilabel)

    def _of(self, counts: Counts) -> Any:
        return overlap_scores(counts, self.beta, self.average, ("f-score",), self.zero_division)[2]


class F1(FBeta):
    """The harmonic mean of precision and recall. The arguments are those of `Precision`.

    Example:
        >>> import numpy as np
        >>> from drivetrain.metrics import F1
        >>> score = F1(average="micro")
        >>> score.update(np.array([0, 1, 2, 0, 1, 2]), np.array([0, 2, 1, 0, 0, 1]))
        >>> round(score.result(), 4)
        0.3333
    """

    def __init__(
        self,
        name: str = "f1",
        *,
        average: str | None = "binary",
        pos_label: int = 1,
        num_classes: int | None = None,
        threshold: float = 0.5,
        zero_division: Any = "warn",
        multilabel: bool = False,
    ) -> None:
        super().__init__(
            1.0,
            name,
            average=average,
            pos_label=pos_label,
            num_classes=num_classes,
            threshold=threshold,
            zero_division=zero_division,
            multilabel=multilabel,
        )


class Specificity(OverlapMetric):
    """The share of what truly is not of a class that was not predicted so.

    The arguments are those of `Precision`.

    Example:
        >>> import numpy as np
        >>> from drivetrain.metrics import Specificity
        >>> specificity = Specificity()
        >>> specificity.update(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]))
        >>> round(specificity.result(), 4)
        0.6667
    """

    def __init__(
        self,
        name: str = "specificity",
        *,
        average: str | None = "binary",
        pos_label: int = 1,
        num_classes: int | None = None,
        threshold: float = 0.5,
        zero_division: Any = "warn",
        multilabel: bool = False,
    ) -> None:
        super().__init__(name, average, pos_label, num_classes, threshold, zero_division, multilabel)

    def _of(self, counts: Counts) -> Any:
        return specificity_of(counts, self.average, self.zero_division)


class Jaccard(OverlapMetric):
    """The intersection of the predicted and the true set over their union.

    The arguments are those of `Precision`; ``zero_division`` knows no NaN.

    Example:
        >>> import numpy as np
        >>> from drivetrain.metrics import Jaccard
        >>> jaccard = Jaccard()
        >>> jaccard.update(np.array([0, 1, 1, 1]), np.array([0, 1, 0, 1]))
        >>> round(jaccard.result(), 4)
        0.6667
    """

    def __init__(
        self,
        name: str = "jaccard",
        *,
        average: str | None = "binary",
        pos_label: int = 1,
        num_classes: int | None = None,
        threshold: float = 0.5,
        zero_division: Any = "warn",
        multilabel: bool = False,
    ) -> None:
        check_zero_division("Jaccard", zero_division, allow_nan=False)
        super().__init__(name, average, pos_label, num_classes, threshold, zero_division, multilabel)

    def _of(self, counts: Counts) -> Any:
        return jaccard_of(counts, self.average, self.zero_division)
