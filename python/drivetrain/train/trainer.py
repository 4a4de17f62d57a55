"""The training loop."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .. import default_generator, manual_seed, no_grad
from ..data.shuffle import check_seed
from ..metrics import Mean
from ..optim import GradScaler
from ..optim.optimizer import Optimizer, parameters_of
from .callbacks import Callback, CallbackList, Logs
from .guard import NonFiniteGuard
from .history import History
from .interrupts import interrupts_wait
from .lookup import find_loss, find_metrics, find_optimizer
from .precision import as_model_wants, find_precision, half_of, in_float32, is_half, region
from .predictor import Predictor, in_mode
from .sources import Batch, Source, make_source, split_off_validation


class Trainer(Predictor):
    """Trains a model: what is trained, by which loss, with which optimizer.

    Args:
        model: Module.
        loss (str, loss of ``drivetrain.nn``, or function): Called as ``loss(output, target)``, and with
            ``sample_weight=`` where there are weights. Names: "cross_entropy" (of logits), "mse", "mae",
            "huber", "binary_cross_entropy_with_logits" and so on; Keras's names, such as
            "sparse_categorical_crossentropy", mean what they mean there: they take probabilities.
        optimizer (str, optimizer of ``drivetrain.optim``, its class, or a function of the parameters): Names:
            "sgd", "adam", "adamw".
        metrics (list of str, Metric or function, default none): Functions are called as ``f(y_true,
            y_pred)``.
        callbacks (list of Callback, default none): For every ``fit``, ``evaluate`` and ``predict`` of this
            trainer.
        precision: "float32" (or "fp32"), "bfloat16" ("bf16") or "float16" ("fp16"), or the dtype. With a
            half format, ``fit``, ``evaluate`` and ``predict`` run within ``dt.autocast``, and "float16" with
            the `optim.GradScaler` in ``trainer.scaler``; the weights stay float32. See
            docs/half_precision.md.
        on_nonfinite: What ``fit`` does when a loss or a gradient is infinite or NaN: "raise" a
            FloatingPointError that names the step and the layer; "skip" the step, with a warning that does
            so for the first one, and count it in ``trainer.skipped_steps``; "ignore" it. Steps that the
            scaler of "float16" skips to find its scale are none of these: it counts them itself.
        seed (int, optional): Seeds the default generator (dropout) now and the shuffling. Weights that were
            drawn before are not affected.

    Batches are converted where that is harmless: inputs of other floats and uint8 become float32 (uint8 is
    not scaled), targets of other floats and bool float32, small integers of targets int64. Targets of shape
    (n,) are taken as (n, 1) where the model gives (n, 1).

    Source: the arguments and the history are Keras's, the optimizer is PyTorch's.

    Example:
        >>> import numpy as np
        >>> import drivetrain as dt
        >>> from drivetrain import nn, optim
        >>> from drivetrain.train import Trainer
        >>> x = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
        >>> model = nn.Linear(3, 1)
        >>> trainer = Trainer(model, loss="mse", optimizer=optim.SGD(model.parameters(), lr=0.1), seed=0)
        >>> history = trainer.fit(x, x.sum(axis=1), epochs=5, verbose=0)
        >>> history.history["loss"][-1] < history.history["loss"][0]
        True
    """

    def __init__(
        self,
        model: Any,
        *,
        loss: Any,
        optimizer: Any,
        metrics: Iterable[Any] = (),
        callbacks: Iterable[Callback] = (),
        precision: str = "float32",
        on_nonfinite: str = "raise",
        seed: int | None = None,
    ) -> None:
        self.seed = None if seed is None else check_seed("Trainer", seed)
        if self.seed is not None:
            manual_seed(self.seed)
        super().__init__(model, callbacks)
        self.precision = find_precision("Trainer", precision)
        self._region = region(self.precision)
        self.scaler = GradScaler(enabled=self.precision == "float16")
        self._guard = NonFiniteGuard(model, on_nonfinite, self.precision)
        self.loss = find_loss(loss)
        self.optimizer = find_optimizer(optimizer, model)
        if self.scaler.is_enabled() and not isinstance(self.optimizer, Optimizer):
            raise TypeError(
                "Trainer: precision 'float16' needs an optimizer of drivetrain.optim, which undoes the scale "
                f"of the loss, got {type(self.optimizer).__name__}"
            )
        self.metrics = find_metrics(metrics, self.loss)
        self.history = History()
        self._mean_loss = Mean("loss")
        self._epochs_done = 0

    def fit(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Iterable[Callback] | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
    ) -> History:
        """Train the model.

        Args:
            x (array or Tensor, list of arrays, data set, loader, generator): One row per sample; a list of
                arrays for a model with several inputs. Data sets give samples (x, y), loaders and generators
                batches (x, y) or (x, y, sample_weight).
            y (array or Tensor, optional): The targets, where x is an array.
            batch_size (int, default 32): Not for loaders and generators, which have their own.
            epochs (int, default 1): Number of the last epoch: the training runs from ``initial_epoch`` to it.
            verbose (0, 1, 2 or "auto"): Nothing, a progress bar, a line per epoch; "auto" is 1 in a terminal
                or notebook and 2 in a log file.
            callbacks: List of Callback, optional.
            validation_split (float, default 0): Share of the arrays, taken from their end before shuffling,
                to validate on.
            validation_data ((x, y), (x, y, sample_weight), data set or loader, optional): What to validate on
                after every epoch; the metrics get the prefix "val_".
            shuffle (bool, default True): A new order of the arrays or data set in each epoch. It depends on
                the seed and the epoch only.
            class_weight (dict of int to float, optional): Weights of the classes; those not named weigh 1.
            sample_weight: Array of shape (n,), optional.
            initial_epoch (int, default 0): Where to go on.
            steps_per_epoch (int, optional): Batches of an epoch; the next epoch goes on where it ended, from
                the start again when the data is used up. Default: all batches.
            validation_steps (int, optional): Batches of a validation, the first ones each time. Default: all.

        Returns:
            History: ``.history`` is a dict with one list per metric, ``.epoch`` the numbers of the epochs.

        Raises:
            ValueError: For lengths that differ, no samples, numbers out of range; and what the model and the
                loss raise.
            TypeError: For data of a kind that cannot be trained on.
            FloatingPointError: For a loss or gradients that are not finite, before they get into the
                weights; see ``on_nonfinite``.
            KeyboardInterrupt: On Ctrl-C, after ``on_train_end`` of the callbacks; ``trainer.history`` has
                what was done. Within ``on_epoch_end`` it waits until that is done; a second Ctrl-C does not.
        """
        check_epochs(initial_epoch, epochs)
        self._check_parameters()
        given = (x, y, sample_weight)
        if validation_split and validation_data is None:
            given, validation_data = split_off_validation("fit", *given, validation_split)
        data = make_source(
            "fit",
            *given,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=default_generator.seed if self.seed is None else self.seed,
            steps=steps_per_epoch,
            class_weight=class_weight,
            first_epoch=max(initial_epoch, self._epochs_done),
            endless=True,
        )
        validation = self._validation(validation_data, batch_size, validation_steps)
        self.history, self.model.stop_training = History(), False
        hooks = self._hooks(verbose, callbacks, [self.history], epochs=epochs, steps=data.steps)
        self._run(range(initial_epoch, epochs), data, validation, hooks)
        return self.history

    def _check_parameters(self) -> None:
        for name, parameter in self.model.named_parameters():
            if is_half(parameter) and parameter.requires_grad:
                half = parameter.dtype.name
                raise TypeError(
                    f"fit: the parameter '{name}' is {half}, which has too few digits for small steps: go "
                    "back with model.float(), and make the optimizer or compile() again with "
                    f"precision={half!r}"
                )
        if not hasattr(self.optimizer, "param_groups"):  # somebody's own
            return
        held = {id(parameter) for parameter in parameters_of(self.optimizer)}
        own = [id(parameter) for parameter in self.model.parameters() if parameter.requires_grad]
        if held and own and held.isdisjoint(own):
            raise ValueError(
                "fit: the optimizer holds none of the model's parameters, which half(), float() or to() have "
                "replaced since it was made; make it again, or compile() again"
            )

    def _run(self, epochs: range, data: Source, validation: Source | None, hooks: CallbackList) -> None:
        logs: Logs = {}
        self._guard.begin_fit()
        try:
            hooks.call("on_train_begin", logs)
            for epoch in epochs:
                hooks.call("on_epoch_begin", epoch, {})
                logs = self._train_epoch(data, hooks, epoch)
                if validation is not None:
                    results = self._evaluate(validation, hooks)
                    logs |= {f"val_{name}": value for name, value in results.items()}
                # The history, log files and checkpoints of callbacks agree on which epochs are done.
                with interrupts_wait():
                    hooks.call("on_epoch_end", epoch, logs)
                    self._epochs_done += 1
                if self.model.stop_training:
                    break
        finally:
            hooks.call("on_train_end", logs)

    def _train_epoch(self, data: Source, hooks: CallbackList, epoch: int) -> Logs:
        self._reset()
        logs: Logs = {"loss": math.nan}  # should every step be skipped
        with in_mode(self.model, training=True):
            for step, batch in enumerate(data.epoch()):
                hooks.call("on_train_batch_begin", step, {})
                if self._train_batch(batch, f"epoch {epoch + 1}, step {step + 1}"):
                    logs = self._logs()
                hooks.call("on_train_batch_end", step, logs)
                if self.model.stop_training:
                    break
        return logs

    def _train_batch(self, batch: Batch, where: str) -> bool:
        """Makes a step; False where it was skipped."""
        if self._guard.watches:
            self._guard.begin_step()
        self.optimizer.zero_grad()
        output, loss = self._forward(batch)
        self.scaler.scale(loss).backward()
        value = loss.item()
        problem = self._step(value)
        if problem:
            self._guard.handle(problem, where, batch, lambda: self.scaler.scale(self._forward(batch)[1]))
            return False
        self._track(value, output, batch)
        return True

    def _step(self, loss: float) -> str:
        """Makes the optimizer's step, or says what is not finite."""
        guard = self._guard
        if guard.watches and (problem := guard.look(loss)):
            return problem
        if self.scaler.is_enabled():
            skipped, scale = self.scaler.skipped_steps, self.scaler.get_scale()
            self.scaler.step(self.optimizer)
            self.scaler.update()
            # A scale that is no larger than 1 cannot be what made them overflow.
            if self.scaler.skipped_steps > skipped and scale <= 1 and guard.watches:
                return f"gradients are not finite, even with a scale of {scale:g}"
        elif not guard.watches:
            self.optimizer.step()
        elif not guard.step(self.optimizer):
            return f"gradients are not finite (the loss is {loss:g})"
        return ""

    def _forward(self, batch: Batch) -> tuple[Any, Any]:
        with self._region:
            output = self.model(*batch.inputs)
            return output, self._loss(output, batch)

    @property
    def skipped_steps(self) -> int:
        """Steps that were left out since the trainer was made, as ``on_nonfinite="skip"`` says."""
        return self._guard.skipped_steps

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
        data = make_source("evaluate", x, y, sample_weight, batch_size=batch_size, steps=steps)
        hooks = self._hooks(verbose, callbacks, [], epochs=1, steps=data.steps)
        logs = self._evaluate(data, hooks)
        if return_dict:
            return logs
        return list(logs.values()) if len(logs) > 1 else logs["loss"]

    def _evaluate(self, data: Source, hooks: CallbackList) -> Logs:
        hooks.call("on_test_begin", {})
        self._reset()
        logs: Logs = {}
        half = half_of(self.model)
        with in_mode(self.model, training=False), no_grad(), region(self.precision):
            for step, batch in enumerate(data.epoch()):
                hooks.call("on_test_batch_begin", step, {})
                output = self.model(*as_model_wants(batch.inputs, half))
                self._track(self._loss(output, batch).item(), output, batch)
                logs = self._logs()
                hooks.call("on_test_batch_end", step, logs)
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
        weight = None if batch.weight is None else batch.weight.numpy()
        output = in_float32(output)
        for metric in self.metrics:
            metric.update(batch.target, output, weight)

    def _logs(self) -> Logs:
        return {metric.name: metric.result() for metric in (self._mean_loss, *self.metrics)}

    def _reset(self) -> None:
        for metric in (self._mean_loss, *self.metrics):
            metric.reset()

    def _validation(self, data: Any, batch_size: int, steps: int | None) -> Source | None:
        if data is None:
            if steps is not None:
                raise ValueError("fit: got validation_steps without validation_data")
            return None
        parts = data if isinstance(data, (tuple, list)) else (data,)
        if not 1 <= len(parts) <= 3:
            raise ValueError(
                f"fit: validation_data has {len(parts)} parts, expected (x, y) or (x, y, sample_weight)"
            )
        return make_source("fit: validation_data", *parts, batch_size=batch_size, steps=steps)


def fit_target(output: Any, target: Any) -> Any:
    """Give a target the missing last axis of 1, and floats where it stands for no classes."""
    shape = getattr(output, "shape", None)
    if shape is None:
        return target
    if tuple(shape) == (*target.shape, 1):
        target = target.reshape(shape)
    if tuple(shape) == tuple(target.shape) and target.dtype.name in ("int64", "int32"):
        return target.astype(output.dtype)
    return target


def check_epochs(initial_epoch: Any, epochs: Any) -> None:
    for name, value in (("initial_epoch", initial_epoch), ("epochs", epochs)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
            raise TypeError(f"fit: {name} is {value!r}, expected a whole number")
        if value < 0:
            raise ValueError(f"fit: {name} is {value}, expected at least 0")
