"""Losses as modules. All take `reduction` when made and `sample_weight` when called."""

from __future__ import annotations

from typing import Any

from .. import _core
from .._core import Tensor
from .checks import choice, integer, real
from .module import Module


def _positive(layer: str, name: str, value: float) -> float:
    return real(layer, name, value, "a positive number", lambda v: 0 < v < float("inf"))


def _fraction(layer: str, label_smoothing: float) -> float:
    return real(layer, "label_smoothing", label_smoothing, "a number from 0 to 1", lambda v: 0 <= v <= 1)


class _Loss(Module):
    """
    Args of every loss:
        reduction: "mean", "sum" or "none".

    Every loss is called as loss(input, target, sample_weight=None), where sample_weight holds a weight per
    sample (or per element of the loss).
    """

    reductions: tuple[str, ...] = ("mean", "sum", "none")

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = choice(type(self).__name__, "reduction", reduction, self.reductions)

    def extra_repr(self) -> str:
        return "" if self.reduction == "mean" else f"reduction={self.reduction!r}"


class _WeightedLoss(_Loss):
    """A loss with a weight per class, which is a buffer."""

    weight: Tensor | None

    def __init__(self, weight: Any, reduction: str) -> None:
        super().__init__(reduction)
        if weight is not None and not isinstance(weight, Tensor):
            weight = _core.tensor(weight, dtype="float32")
        self.register_buffer("weight", weight)


class CrossEntropyLoss(_WeightedLoss):
    """Cross entropy of logits with labels or probabilities; the classes are the last axis.

    Args:
        weight: A weight per class.
        ignore_index: Labels of this value do not count.
        reduction: "mean" (weighted), "sum" or "none".
        label_smoothing: Share of the target that is spread over all classes, from 0 to 1.

    Shapes:
        input (..., classes); target (...) of integers, or (..., classes) of probabilities.

    Example:
        >>> import drivetrain as dt
        >>> loss = dt.nn.CrossEntropyLoss()
        >>> round(loss(dt.zeros((3, 10)), dt.tensor([0, 5, 9])).item(), 4)
        2.3026
    """

    def __init__(
        self,
        weight: Any = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, reduction)
        self.ignore_index = integer("CrossEntropyLoss", "ignore_index", ignore_index, least=-(2**63))
        self.label_smoothing = _fraction("CrossEntropyLoss", label_smoothing)

    def forward(self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        return _core.cross_entropy(
            input,
            target,
            self.weight,
            self.ignore_index,
            self.reduction,
            self.label_smoothing,
            sample_weight=sample_weight,
        )


class NLLLoss(_WeightedLoss):
    """Cross entropy of log-probabilities, such as those of `LogSoftmax`, with labels.

    Args:
        weight: A weight per class.
        ignore_index: Labels of this value do not count.
        reduction: "mean" (weighted), "sum" or "none".

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.NLLLoss()(dt.tensor([[-1.0, -2.0]]), dt.tensor([1])).item()
        2.0
    """

    def __init__(self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(weight, reduction)
        self.ignore_index = integer("NLLLoss", "ignore_index", ignore_index, least=-(2**63))

    def forward(self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        return _core.nll_loss(
            input, target, self.weight, self.ignore_index, self.reduction, sample_weight=sample_weight
        )


def _smoothed(target: Tensor, label_smoothing: float) -> Tensor:
    """Targets moved towards one half by a share of their distance from it."""
    return target * (1 - label_smoothing) + label_smoothing / 2 if label_smoothing else target


class BCELoss(_Loss):
    """Binary cross entropy of probabilities.

    Args:
        reduction: "mean", "sum" or "none".
        label_smoothing: Targets 0 and 1 become `label_smoothing / 2` and `1 - label_smoothing / 2`, as in
            Keras's `BinaryCrossentropy`.

    Example:
        >>> import drivetrain as dt
        >>> round(dt.nn.BCELoss()(dt.tensor([0.5]), dt.tensor([1.0])).item(), 4)
        0.6931
    """

    def __init__(self, reduction: str = "mean", label_smoothing: float = 0.0) -> None:
        super().__init__(reduction)
        self.label_smoothing = _fraction("BCELoss", label_smoothing)

    def forward(self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        target = _smoothed(target, self.label_smoothing)
        return _core.binary_cross_entropy(
            input, target, reduction=self.reduction, sample_weight=sample_weight
        )


class BCEWithLogitsLoss(_Loss):
    """Binary cross entropy of logits: a sigmoid and `BCELoss` in one, without overflow.

    Args:
        reduction: "mean", "sum" or "none".
        pos_weight: Weights of the positive targets, one per entry of the last axis or one for all.
        label_smoothing: Targets 0 and 1 become `label_smoothing / 2` and `1 - label_smoothing / 2`, as in
            Keras's `BinaryCrossentropy`.

    Example:
        >>> import drivetrain as dt
        >>> round(dt.nn.BCEWithLogitsLoss()(dt.tensor([0.0]), dt.tensor([1.0])).item(), 4)
        0.6931
    """

    pos_weight: Tensor | None

    def __init__(self, reduction: str = "mean", pos_weight: Any = None, label_smoothing: float = 0.0) -> None:
        super().__init__(reduction)
        self.label_smoothing = _fraction("BCEWithLogitsLoss", label_smoothing)
        if pos_weight is not None and not isinstance(pos_weight, Tensor):
            pos_weight = _core.tensor(pos_weight, dtype="float32")
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        return _core.binary_cross_entropy_with_logits(
            input,
            _smoothed(target, self.label_smoothing),
            reduction=self.reduction,
            pos_weight=self.pos_weight,
            sample_weight=sample_weight,
        )


class MSELoss(_Loss):
    """Squared difference.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.MSELoss()(dt.tensor([1.0, 2.0]), dt.tensor([1.0, 4.0])).item()
        2.0
    """

    def forward(self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        return _core.mse_loss(input, target, self.reduction, sample_weight=sample_weight)


class L1Loss(_Loss):
    """Absolute difference.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.L1Loss()(dt.tensor([1.0, 2.0]), dt.tensor([1.0, 4.0])).item()
        1.0
    """

    def forward(self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        return _core.l1_loss(input, target, self.reduction, sample_weight=sample_weight)


class HuberLoss(_Loss):
    """Half the squared difference up to delta, beyond it linear (Huber, 1964).

    Args:
        reduction: "mean", "sum" or "none".
        delta: Where the two meet.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.HuberLoss()(dt.tensor([1.0]), dt.tensor([4.0])).item()
        2.5
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = _positive("HuberLoss", "delta", delta)

    def forward(self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        return _core.huber_loss(
            input, target, reduction=self.reduction, delta=self.delta, sample_weight=sample_weight
        )


class SmoothL1Loss(_Loss):
    """`HuberLoss` divided by beta: absolute difference, rounded off below beta.

    Args:
        reduction: "mean", "sum" or "none".
        beta: Where the two meet; 0 gives `L1Loss`.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.SmoothL1Loss()(dt.tensor([1.0]), dt.tensor([4.0])).item()
        2.5
    """

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = real(
            "SmoothL1Loss", "beta", beta, "a number of at least 0", lambda v: 0 <= v < float("inf")
        )

    def forward(self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        return _core.smooth_l1_loss(
            input, target, reduction=self.reduction, beta=self.beta, sample_weight=sample_weight
        )


class HingeLoss(_Loss):
    """max(0, margin - input * target), for targets -1 and 1.

    Args:
        margin: How far on the right side is far enough.
        reduction: "mean", "sum" or "none".

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.HingeLoss()(dt.tensor([0.5, 3.0]), dt.tensor([-1.0, 1.0])).item()
        0.75
    """

    def __init__(self, margin: float = 1.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = _positive("HingeLoss", "margin", margin)

    def forward(self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        return _core.hinge_loss(
            input, target, margin=self.margin, reduction=self.reduction, sample_weight=sample_weight
        )


class MultiMarginLoss(_WeightedLoss):
    """Multi-class hinge: sum over the wrong classes of max(0, margin - right + wrong) ** p, over classes.

    Args:
        p: 1 or 2.
        margin: How far the right class must lie ahead.
        weight: A weight per class.
        reduction: "mean", "sum" or "none".

    Shapes:
        input (..., classes), target (...) of integers.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.MultiMarginLoss()(dt.tensor([[0.5, 1.0]]), dt.tensor([0])).item()
        0.75
    """

    def __init__(self, p: int = 1, margin: float = 1.0, weight: Any = None, reduction: str = "mean") -> None:
        super().__init__(weight, reduction)
        self.p = integer("MultiMarginLoss", "p", p)
        if self.p > 2:
            raise ValueError(f"MultiMarginLoss: p must be 1 or 2, got {p}")
        self.margin = _positive("MultiMarginLoss", "margin", margin)

    def forward(self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        return _core.multi_margin_loss(
            input,
            target,
            p=self.p,
            margin=self.margin,
            weight=self.weight,
            reduction=self.reduction,
            sample_weight=sample_weight,
        )


class KLDivLoss(_Loss):
    """Kullback-Leibler divergence: target * (log(target) - input), where input holds log-probabilities.

    Args:
        reduction: "mean" over all elements, "batchmean" (the divergence as it is defined), "sum" or "none".
        log_target: Whether the target holds log-probabilities too.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.KLDivLoss("batchmean")(dt.tensor([[0.0]]), dt.tensor([[1.0]])).item()
        0.0
    """

    reductions = ("mean", "batchmean", "sum", "none")

    def __init__(self, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(reduction)
        self.log_target = log_target

    def forward(self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        return _core.kl_div(
            input,
            target,
            reduction=self.reduction,
            log_target=self.log_target,
            sample_weight=sample_weight,
        )


class CosineEmbeddingLoss(_Loss):
    """1 - cos(input1, input2) for pairs with target 1, max(0, cos - margin) for those with -1.

    Args:
        margin: From -1 to 1: dissimilar pairs may be as similar as that.
        reduction: "mean", "sum" or "none".

    Example:
        >>> import drivetrain as dt
        >>> x, y = dt.tensor([[1.0, 0.0]]), dt.tensor([[0.0, 1.0]])
        >>> round(dt.nn.CosineEmbeddingLoss()(x, y, dt.tensor([1.0])).item(), 4)
        1.0
    """

    def __init__(self, margin: float = 0.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = real(
            "CosineEmbeddingLoss", "margin", margin, "a number from -1 to 1", lambda v: -1 <= v <= 1
        )

    def forward(
        self, input1: Tensor, input2: Tensor, target: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        return _core.cosine_embedding_loss(
            input1,
            input2,
            target,
            margin=self.margin,
            reduction=self.reduction,
            sample_weight=sample_weight,
        )
