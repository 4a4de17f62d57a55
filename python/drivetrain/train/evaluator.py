"""Evaluation: a model with a loss and metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .. import no_grad
from .._arguments import checks_names
from .._checks import flag
from ..metrics import Mean
from .callbacks import Callback, CallbackList, Logs
from .lookup import find_loss, find_metrics
from .precision import as_model_wants, floats_of, half_of, in_float32, region
from .predictor import Predictor, in_mode
from .sources import Batch, Source, make_source


class Evaluator(Predictor):
    """What of a trainer needs no optimizer."""

    def __init__(
        self,
        model: Any,
        loss: Any,
        metrics: Iterable[Any],
        callbacks: Iterable[Callback],
        regularizer: Callable[[Any], Any] | None,
    ) -> None:
        super().__init__(model, callbacks)
        if regularizer is not None and not callable(regularizer):
            raise TypeError(
                f"Trainer: regularizer is a {type(regularizer).__name__}, expected a function of the model"
            )
        self.regularizer = regularizer
        self.loss = find_loss(loss)
        self.metrics = find_metrics(metrics, self.loss)
        self._mean_loss = Mean("loss")

    @checks_names
    def evaluate(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        verbose: int | str = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Iterable[Callback] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Return the loss and the metrics over data, without training.

        The arguments are those of ``fit``.

        Returns:
            float, list of float, or dict: The loss alone where there are no metrics; a list with the loss
                first; a dict with ``return_dict=True``.
        """
        flag("evaluate", "return_dict", return_dict)
        data = make_source(
            "evaluate",
            x,
            y,
            sample_weight,
            batch_size=batch_size,
            steps=steps,
            floats=floats_of(self.model),
        )
        hooks = self._hooks(verbose, callbacks, [], epochs=1, steps=data.steps)
        logs = self._evaluate(data, hooks)
        if return_dict:
            return logs
        return list(logs.values()) if len(logs) > 1 else logs["loss"]

    def _evaluate(self, data: Source, hooks: CallbackList, limit: int | None = None) -> Logs:
        hooks.call("on_test_begin", {})
        self._reset()
        logs: Logs = {}
        half = half_of(self.model)
        are_read = hooks.wants("on_test_batch_end")
        with in_mode(self.model, training=False), no_grad():
            penalty = 0.0 if self.regularizer is None else self.regularizer(self.model).item()
            with region(self.precision):
                for step, batch in enumerate(data.epoch()):
                    hooks.call("on_test_batch_begin", step, {})
                    output = self.model(*as_model_wants(batch.inputs, half))
                    self._track(self._loss(output, batch).item() + penalty, output, batch)
                    if are_read:
                        logs = self._logs(per_batch=True)
                    hooks.call("on_test_batch_end", step, logs)
                    if step + 1 == limit:
                        break
            logs = self._logs()
        hooks.call("on_test_end", logs)
        return logs

    def _loss(self, output: Any, batch: Batch) -> Any:
        if batch.target is None:
            raise ValueError("fit: there are no targets; pass y, or data that gives (x, y)")
        target = fit_target(output, batch.target)
        if batch.weight is None:
            return self.loss(output, target)
        if getattr(self.loss, "reduction", None) != "mean":
            return self.loss(output, target, sample_weight=batch.weight)
        # The losses divide by the sum of the weights, fit by the number of samples, as Keras does: else a
        # batch of light samples would count as much as one of heavy ones, and one without any weight would be
        # 0 / 0.
        share = float(batch.weight.numpy().mean())
        return self.loss(output, target, sample_weight=batch.weight if share else None) * share

    def _track(self, loss: float, output: Any, batch: Batch) -> None:
        self._mean_loss.update(loss, batch.size)
        if not self.metrics:
            return
        weight = None if batch.weight is None else batch.weight.numpy()
        output = in_float32(output)
        for metric in self.metrics:
            metric.update(batch.target, output, weight)

    def _logs(self, *, per_batch: bool = False) -> Logs:
        """What all metrics say, or those whose result is cheap enough for every batch."""
        metrics = (self._mean_loss, *self.metrics)
        return {metric.name: metric.result() for metric in metrics if metric.per_batch or not per_batch}

    def _reset(self) -> None:
        for metric in (self._mean_loss, *self.metrics):
            metric.reset()


def fit_target(output: Any, target: Any) -> Any:
    """Give a target the missing last axis of 1, and floats where it stands for no classes."""
    shape = getattr(output, "shape", None)
    if shape is None:
        return target
    own = target.shape
    if len(shape) != len(own):
        if tuple(shape) != (*own, 1):
            return target
        target = target.reshape(shape)
    elif shape != own:
        return target
    if target.dtype.name in ("int64", "int32"):
        return target.astype(output.dtype)
    return target
