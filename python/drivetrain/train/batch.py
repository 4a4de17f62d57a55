"""What a training does with one batch."""

from __future__ import annotations

import contextlib
from typing import Any

from ..optim import GradScaler
from .culprit import Watch
from .evaluator import Evaluator
from .guard import NonFiniteGuard
from .loop import LoopState
from .schedule import Schedule
from .sources import Batch
from .update import Update


class BatchTraining(Evaluator):
    """Forward, backward and step of a trainer."""

    optimizer: Any
    scaler: GradScaler
    guard: NonFiniteGuard
    loop: LoopState
    _region: contextlib.AbstractContextManager[None]
    _update: Update
    _schedule: Schedule

    @property
    def skipped_steps(self) -> int:
        """Steps that were left out since the trainer was made, as ``on_nonfinite="skip"`` says."""
        return self.guard.skipped_steps

    def _train_batch_watched(self, batch: Batch, *, ends_epoch: bool) -> bool:
        """A batch with a look at what every layer gives, forward and backward."""
        watch = Watch(self.model)
        try:
            trained = self._train_batch(batch, ends_epoch=ends_epoch)
        finally:
            watch.remove()
        if problem := watch.forward or watch.backward():
            raise FloatingPointError(f"fit: {self._place()}: {problem}.")
        return trained

    def _train_batch(self, batch: Batch, *, ends_epoch: bool) -> bool:
        """Forward, backward and, at the end of a group of batches, the step; False where it was left out."""
        guard, update = self.guard, self._update
        if guard.watches:
            guard.begin_step()
        if update.by_closure:
            return self._train_batch_by_closure(batch)
        update.begin()
        output, loss = self._forward(batch)
        value = loss.item()
        problem = guard.look(value) if guard.watches else ""
        if not problem:
            update.backward(loss, batch.size)
            problem = update.step(value, ends_epoch=ends_epoch)
        if problem:
            self._leave_out(problem, batch)
            return False
        self._track(value, output, batch)
        return True

    def _train_batch_by_closure(self, batch: Batch) -> bool:
        """The same with an optimizer that computes the loss as often as it needs, as LBFGS does."""
        first: list[tuple[float, Any]] = []

        def compute() -> Any:
            self.optimizer.zero_grad()
            output, loss = self._forward(batch)
            loss.backward()
            if not first:
                value = loss.item()
                first.append((value, output))
                # Later ones are attempts, which the optimizer gives up where they lead too far.
                if self.guard.watches and (problem := self._update.problem_of(value)):
                    raise BadStart(problem)
            return loss

        try:
            self.optimizer.step(compute)
        except BadStart as problem:
            self._leave_out(str(problem), batch)
            return False
        self.step_made()
        self._track(*first[0], batch)
        return True

    def step_made(self) -> None:
        """Counts a step of the optimizer, and has the schedule follow."""
        self.loop.global_step += 1
        if self._schedule.follows_steps:
            self._schedule.after_step()

    def _leave_out(self, problem: str, batch: Batch) -> None:
        """Raises, or forgets the gradients gathered since the last step: the next batch begins a group."""
        self.loop.end_group()
        self.guard.handle(problem, self._place(), batch, lambda: self.scaler.scale(self._forward(batch)[1]))

    def _place(self) -> str:
        return f"epoch {self.loop.epoch + 1}, step {self.loop.batch + 1}"

    def _forward(self, batch: Batch) -> tuple[Any, Any]:
        with self._region:
            output = self.model(*batch.inputs)
            loss = self._loss(output, batch)
        return output, loss if self.regularizer is None else loss + self.regularizer(self.model)


class BadStart(Exception):
    """The first loss or its gradients are not finite."""
