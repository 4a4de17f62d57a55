"""The training loop."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .. import default_generator, manual_seed
from .._arguments import checks_names
from .._checks import flag, integer
from ..data.shuffle import check_seed
from ..nn.carried import carried_states
from ..optim import GradScaler
from .batch import BatchTraining
from .callbacks import Callback, CallbackList, Logs, Timer
from .guard import NonFiniteGuard
from .history import History
from .interrupts import interrupts_wait
from .lookup import find_optimizer
from .loop import EpochLogs, LoopState
from .options import Limits, check_parameters
from .precision import find_precision, floats_of, region
from .predictor import in_mode
from .resume import Resumable, Resumption, Running, find
from .schedule import Schedule
from .sources import Source, Validation, kept_batches, make_source, split_off_validation
from .update import Update, check_scaler


class Trainer(Resumable, BatchTraining):
    """Trains a model: what is trained, by which loss, with which optimizer.

    Args:
        model: Module.
        loss (str, loss of ``drivetrain.nn``, or function): Called as ``loss(output, target)``, and with
            ``sample_weight=`` where there are weights. Names: "cross_entropy" (of logits), "mse", "mae",
            "huber", "binary_cross_entropy_with_logits" and so on; Keras's names, such as
            "sparse_categorical_crossentropy", mean what they mean there: they take probabilities.
        optimizer (str, optimizer of ``drivetrain.optim``, its class, or a function of the parameters): Names:
            "sgd", "adam", "adamw", "rmsprop" and so on: see docs/optimizers.md.
        metrics (list of str, Metric or function, default none): Functions are called as ``f(y_true,
            y_pred)``.
        callbacks (list of Callback, default none): For every ``fit``, ``evaluate`` and ``predict`` of this
            trainer.
        precision: "float32" (or "fp32"), "bfloat16" ("bf16") or "float16" ("fp16"), or the dtype. With a
            half format, ``fit``, ``evaluate`` and ``predict`` run within ``dt.autocast``, and "float16" with
            the `optim.GradScaler` in ``trainer.scaler``; the weights stay float32. See
            docs/half_precision.md.
        lr_scheduler (schedule of ``optim.lr_scheduler``, or a function of the optimizer that makes one):
            Steps by itself during ``fit``; it is in ``trainer.lr_scheduler``.
        lr_scheduler_interval ("epoch" or "step", optional): After what the schedule steps: an epoch, or the
            optimizer's step. Default: what the schedule says itself, else "epoch".
        lr_scheduler_monitor (str, optional): The metric that ReduceLROnPlateau looks at. Default: "val_loss",
            or "loss" without validation.
        accumulate_grad_batches (int, default 1): The optimizer makes a step after so many batches, of their
            mean gradient, and at the end of the epoch: memory of a small batch, step of a large one.
        gradient_clip_val (float, optional): Largest norm of all gradients together, or, by "value", of every
            element.
        gradient_clip_algorithm ("norm" or "value", default "norm"): How gradients are clipped.
        regularizer (function of the model, optional): Gives a penalty, a tensor of one element, which is
            added to every loss; see ``drivetrain.optim.regularization``.
        max_steps (int, optional): Steps of the optimizer, those of all fits together, after which ``fit``
            ends.
        max_time (str "DD:HH:MM:SS", dict, timedelta or seconds, optional): Time in ``fit``, that of all fits
            together, after which it ends.
        limit_train_batches (int or float, optional): Batches of an epoch, the first ones; a float is a share.
        limit_val_batches (int or float, optional): The same for validations; 0 leaves them out.
        val_check_interval (int or float, optional): Validates within epochs as well, after every so many
            batches or shares of the epoch.
        log_every_n_steps (int, default 1): Callbacks are given new metrics after every so many batches: for
            metrics that take time to compute.
        fast_dev_run (bool or int, default False): A trial: one epoch of 1 batch, or so many, of training and
            validation, without the callbacks that write files.
        overfit_batches (int or float, default 0): Trains on the same first batches in every epoch, to see
            whether the model can learn them.
        detect_anomaly (bool, default False): Looks at what every layer gives, forward and backward, and
            raises at the first infinity or NaN, even where none reaches the loss. Slow.
        on_nonfinite: What ``fit`` does when a loss or a gradient is infinite or NaN: "raise" a
            FloatingPointError that names the step and the layer; "skip" the step, with a warning that does
            so for the first one, and count it in ``trainer.skipped_steps``; "ignore" it. Steps that the
            scaler of "float16" skips to find its scale are none of these: it counts them itself.
        seed (int, optional): Seeds the default generator (dropout) now and the shuffling. Weights that were
            drawn before are not affected.

    Attributes:
        loop (LoopState): Where the training is: epoch, batch, steps made.

    Batches are converted where that is harmless: inputs of other floats and uint8 become float32 (uint8 is
    not scaled), targets of other floats and bool float32, small integers of targets int64; for a model of
    float64 (``model.double()``), float64. Targets of shape (n,) are taken as (n, 1) where the model gives
    (n, 1).

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

    @checks_names
    def __init__(
        self,
        model: Any,
        *,
        loss: Any,
        optimizer: Any,
        metrics: Iterable[Any] = (),
        callbacks: Iterable[Callback] = (),
        precision: str = "float32",
        lr_scheduler: Any = None,
        lr_scheduler_interval: str | None = None,
        lr_scheduler_monitor: str | None = None,
        accumulate_grad_batches: int = 1,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str = "norm",
        regularizer: Callable[[Any], Any] | None = None,
        max_steps: int | None = None,
        max_time: Any = None,
        limit_train_batches: int | float | None = None,
        limit_val_batches: int | float | None = None,
        val_check_interval: int | float | None = None,
        log_every_n_steps: int = 1,
        fast_dev_run: bool | int = False,
        overfit_batches: int | float = 0,
        detect_anomaly: bool = False,
        on_nonfinite: str = "raise",
        seed: int | None = None,
    ) -> None:
        self.seed = None if seed is None else check_seed("Trainer", seed)
        if self.seed is not None:
            manual_seed(self.seed)
        super().__init__(model, loss, metrics, callbacks, regularizer)
        self.precision = find_precision("Trainer", precision)
        self._region = region(self.precision)
        self.optimizer = find_optimizer(optimizer, model)
        self.scaler = GradScaler(enabled=self.precision == "float16")
        check_scaler(self.scaler, self.optimizer)
        self.loop = LoopState()
        self.guard = NonFiniteGuard(model, on_nonfinite, self.precision)
        self._update = Update(
            self,
            every=accumulate_grad_batches,
            clip=gradient_clip_val,
            algorithm=gradient_clip_algorithm,
        )
        self._schedule = Schedule(lr_scheduler, self.optimizer, lr_scheduler_interval, lr_scheduler_monitor)
        self._limits = Limits(
            max_steps=max_steps,
            fast_dev_run=fast_dev_run,
            overfit_batches=overfit_batches,
            limit_train_batches=limit_train_batches,
            limit_val_batches=limit_val_batches,
            val_check_interval=val_check_interval,
            log_every_n_steps=log_every_n_steps,
        )
        self._timer = None if max_time is None else Timer(max_time)
        self.detect_anomaly = flag("Trainer", "detect_anomaly", detect_anomaly)
        self.training_data: Source | None = None  # of the fit under way
        self.history = History()
        self._epoch_logs = EpochLogs()

    @property
    def lr_scheduler(self) -> Any:
        """The learning rate schedule, None where there is none."""
        return self._schedule.schedule

    @property
    def lr_scheduler_interval(self) -> str:
        """After what the schedule steps: "epoch" or "step"."""
        return self._schedule.interval

    def pause_schedule(self) -> None:
        """Has the schedule make no steps until this ``fit`` ends: a callback sets the learning rates."""
        self._schedule.is_paused = True

    def logs_batch(self, batch: int) -> bool:
        """Whether callbacks are given new metrics after this batch of an epoch: ``log_every_n_steps``."""
        return (batch + 1) % self._limits.log_every == 0

    @checks_names
    def fit(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        epochs: int | None = None,
        verbose: int | str = "auto",
        callbacks: Iterable[Callback] | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | str | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_freq: int = 1,
        resume: Any = None,
    ) -> History:
        """Train the model.

        Args:
            x (array or Tensor, list of arrays, data set, loader, generator): One row per sample; a list of
                arrays for a model with several inputs. Data sets give samples (x, y), loaders and generators
                batches (x, y) or (x, y, sample_weight).
            y (array or Tensor, optional): The targets, where x is an array.
            batch_size (int, default 32): Not for loaders and generators, which have their own.
            epochs (int, optional): Number of the last epoch: the training runs from ``initial_epoch`` to it.
                Default: 1; where the trainer has ``max_steps`` or ``max_time``, as many as it takes.
            verbose (0, 1, 2 or "auto"): Nothing, a progress bar, a line per epoch; "auto" is 1 in a terminal
                or notebook and 2 in a log file.
            callbacks: List of Callback, optional.
            validation_split (float, default 0): Share of the arrays, taken from their end before shuffling,
                to validate on.
            validation_data ((x, y), (x, y, sample_weight), data set or loader, optional): What to validate on
                after every epoch; the metrics get the prefix "val_".
            shuffle (bool, default True): A new order of the arrays or data set in each epoch. It depends on
                the seed and the epoch only.
            class_weight (dict of int to float, or "balanced", optional): Weights of the classes; those not
                named weigh 1. "balanced" makes all count the same: n / (classes * samples of the class).
            sample_weight: Array of shape (n,), optional.
            initial_epoch (int, default 0): Where to go on.
            steps_per_epoch (int, optional): Batches of an epoch; the next epoch goes on where it ended, from
                the start again when the data is used up. Default: all batches.
            validation_steps (int, optional): Batches of a validation, the first ones each time. Default: all.
            validation_freq (int, default 1): Validates after every so many epochs.
            resume (path or "auto", optional): A checkpoint to go on from, or a folder of them, of which the
                newest whole one is taken; "auto" is the folder of the `Checkpoint` among the callbacks, and
                begins anew where there is none yet. ``initial_epoch`` does not count then. See
                docs/checkpoints.md.

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
        last = self._last_epoch(initial_epoch, epochs)
        shuffle = flag("fit", "shuffle", shuffle)
        check_parameters(self.model, self.optimizer)
        given = (x, y, sample_weight)
        if validation_split and validation_data is None:
            given, validation_data = split_off_validation("fit", *given, validation_split)
        data = make_source(
            "fit",
            *given,
            batch_size=batch_size,
            shuffle=shuffle and not self._limits.overfit,
            seed=default_generator.seed if self.seed is None else self.seed,
            steps=steps_per_epoch,
            class_weight=class_weight,
            first_epoch=max(initial_epoch, self.loop.epochs_done),
            endless=True,
            floats=floats_of(self.model),
        )
        if self._limits.overfit:
            data = kept_batches(data, self._limits.train_batches(data.steps))
        validation = self._validation(validation_data, batch_size, validation_steps, validation_freq)
        self.history, self.model.stop_training = History(), False
        self.loop.epoch, self.loop.batch = initial_epoch, 0
        self.loop.end_group()
        steps = self._steps(data)
        hooks = self._fit_hooks(verbose, callbacks, epochs=None if last == math.inf else last, steps=steps)
        self._running = Running(data, validation and validation.source, hooks)
        try:
            resumption = find(self, resume, hooks.callbacks)
            if resumption is not None:
                resumption.begin()
            self._check_schedule(last - self.loop.epoch, steps)
            self._run(last, data, validation, hooks, resumption)
        finally:
            self._running = None
        return self.history

    def _last_epoch(self, initial_epoch: int, epochs: int | None) -> float:
        limited = self._limits.max_steps < math.inf or self._timer is not None
        integer("fit", "initial_epoch", initial_epoch, 0)
        if epochs is not None:
            integer("fit", "epochs", epochs, 0)
        last = epochs if epochs is not None else math.inf if limited else initial_epoch + 1
        return min(last, initial_epoch + 1) if self._limits.is_trial else last

    def _steps(self, data: Source) -> int | None:
        """Batches of an epoch, None where that is unknown."""
        limit = self._limits.train_batches(data.steps)
        return limit if data.steps is None else min(data.steps, limit or data.steps)

    def _check_schedule(self, epochs: float, steps: int | None) -> None:
        each = math.inf if steps is None else -(-steps // self._update.every)
        left = max(self._limits.max_steps - self.loop.global_step, 0)
        done = self.loop.batch // self._update.every  # of an epoch that was interrupted
        total = min(epochs * each - done, left) if epochs > 0 else 0
        self._schedule.check_length(min(epochs, math.ceil(left / each) if left < math.inf else epochs), total)

    def _fit_hooks(self, verbose: int | str, callbacks: Any, **params: Any) -> CallbackList:
        timer = [] if self._timer is None else [self._timer]
        hooks = self._hooks(verbose, callbacks, [*timer, self.history], **params)
        if self._limits.is_trial:
            hooks.callbacks = [callback for callback in hooks.callbacks if not callback.writes_files]
        return hooks

    def _run(
        self,
        epochs: float,
        data: Source,
        validation: Validation | None,
        hooks: CallbackList,
        resumption: Resumption | None,
    ) -> None:
        """Trains from where `loop` stands."""
        loop = self.loop
        logs: Logs = {}
        self.guard.begin_fit()
        self.training_data, self._schedule.is_paused = data, False
        self._is_complete = False
        try:
            hooks.call("on_train_begin", logs)
            if resumption is not None and not loop.batch:
                resumption.enter()
            while loop.epoch < epochs and not self._is_over():
                epoch = loop.epoch
                hooks.call("on_epoch_begin", epoch, {})
                if resumption is not None and loop.batch:  # only of an epoch that was interrupted
                    resumption.enter()
                logs = self._train_epoch(data, validation, hooks)
                # The history, log files and checkpoints of callbacks agree on which epochs are done.
                with interrupts_wait():
                    self._schedule.after_epoch(logs)
                    loop.epoch, loop.batch = epoch + 1, 0
                    loop.epochs_done += 1
                    hooks.call("on_epoch_end", epoch, logs)
            self._is_complete = True
        finally:
            hooks.call("on_train_end", logs)
            self.training_data = None

    def _is_over(self) -> bool:
        return self.model.stop_training or self.loop.global_step >= self._limits.max_steps

    def _train_epoch(self, data: Source, validation: Validation | None, hooks: CallbackList) -> Logs:
        loop, limits = self.loop, self._limits
        steps, limit = self._steps(data), limits.train_batches(data.steps)
        interval = None if validation is None else limits.val_interval(steps)
        train = self._train_batch_watched if self.detect_anomaly else self._train_batch
        are_read = hooks.wants("on_train_batch_end")
        if not loop.batch:
            self._reset()
            self._epoch_logs = EpochLogs()
        so_far = self._epoch_logs
        # Taken where they are empty: what metrics have gathered may be large.
        others = copy.deepcopy((self._mean_loss, self.metrics)) if interval else None
        carried = carried_states(self.model).values()
        with in_mode(self.model, training=True):
            for batch in data.epoch():
                step = loop.batch
                if data.begins:
                    for states in carried:
                        states.set(None)
                hooks.call("on_train_batch_begin", step, {})
                trained = train(batch, ends_epoch=step + 1 == steps)
                so_far.any_trained |= trained
                loop.batch = step + 1
                loop.batches_seen += 1
                if interval and loop.batch % interval == 0:
                    so_far.results = self._validate_between(validation, hooks, others)
                    so_far.validated = loop.batch
                if trained and are_read and self.logs_batch(step):
                    so_far.logs = {**self._logs(per_batch=True), **so_far.results}
                hooks.call("on_train_batch_end", step, so_far.logs)
                if self._is_over() or loop.batch == limit:
                    break
            else:
                # Nobody could know that the batch before was the last.
                if loop.accumulated and (problem := self._update.step(math.nan, ends_epoch=True)):
                    self._leave_out(problem, batch)
        logs = self._logs() if so_far.any_trained else so_far.logs
        between = so_far.validated == loop.batch
        if validation is not None and not between and (loop.epoch + 1) % validation.freq == 0:
            so_far.results = self._validate(validation, hooks)
        return {**logs, **so_far.results}

    def _validate(self, validation: Validation, hooks: CallbackList) -> Logs:
        limit = self._limits.val_batches(validation.source.steps)
        results = self._evaluate(validation.source, hooks, limit)
        return {f"val_{name}": value for name, value in results.items()}

    def _validate_between(self, validation: Any, hooks: CallbackList, others: Any) -> Logs:
        """A validation within an epoch, by other metrics than those of the epoch."""
        kept = self._mean_loss, self.metrics
        self._mean_loss, self.metrics = others
        try:
            return self._validate(validation, hooks)
        finally:
            self._reset()  # lets their memory go
            self._mean_loss, self.metrics = kept

    def _validation(self, data: Any, batch_size: int, steps: int | None, freq: int) -> Validation | None:
        integer("fit", "validation_freq", freq)
        if data is None:
            if steps is not None:
                raise ValueError("fit: got validation_steps without validation_data")
            return None
        parts = data if isinstance(data, (tuple, list)) else (data,)
        if not 1 <= len(parts) <= 3:
            raise ValueError(
                f"fit: validation_data has {len(parts)} parts, expected (x, y) or (x, y, sample_weight)"
            )
        source = make_source(
            "fit: validation_data",
            *parts,
            batch_size=batch_size,
            steps=steps,
            floats=floats_of(self.model),
        )
        # Lightning's way to say that there is to be none.
        return None if self._limits.val_batches(source.steps) == 0 else Validation(source, freq)
