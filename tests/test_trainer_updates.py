"""Steps of the optimizer in fit: accumulation, clipping, schedules, and where the loop stands."""

import math

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import nn, optim
from drivetrain.optim import GradScaler
from drivetrain.train import Callback, LoopState, Trainer
from trainer_tools import BadBackward, R, X, Y, classifier, loader_of, regression, same, weights

OPTIMIZERS = [lambda p: optim.SGD(p, lr=0.1, momentum=0.9), lambda p: optim.AdamW(p, lr=0.01)]


class OwnSGD:
    """An optimizer of somebody's own, which knows nothing of clipping."""

    def __init__(self, parameters):
        self.parameters = list(parameters)

    def zero_grad(self):
        for parameter in self.parameters:
            parameter.grad = None

    def step(self):
        with dt.no_grad():
            for parameter in self.parameters:
                parameter[...] = parameter - 0.1 * parameter.grad


def close(first, second, tolerance=1e-6):
    return all(np.allclose(first[n], second[n], rtol=tolerance, atol=tolerance) for n in first)


def fitted(trainer, x=X, y=Y, batch_size=90, epochs=2, **options):
    trainer.fit(x, y, batch_size, epochs=epochs, shuffle=False, verbose=0, **options)
    return weights(trainer)


class TestAccumulation:
    @pytest.mark.parametrize("optimizer", [*OPTIMIZERS, OwnSGD])
    @pytest.mark.parametrize("batch", [30, 18, 15, 16, 7])
    def test_equals_one_large_batch(self, optimizer, batch):
        """Also where the last batch of a group, or the last group, is short."""
        every = 3
        large = classifier(optimizer=optimizer)
        small = classifier(optimizer=optimizer, accumulate_grad_batches=every)
        assert close(fitted(large, batch_size=batch * every), fitted(small, batch_size=batch))
        assert small.loop.global_step == large.loop.batches_seen == 2 * math.ceil(90 / (batch * every))
        assert small.loop.batches_seen == 2 * math.ceil(90 / batch)

    def test_with_weights(self):
        weight = np.linspace(0.1, 2, 90)
        large = fitted(classifier(), batch_size=48, sample_weight=weight)
        small = classifier(accumulate_grad_batches=3)
        assert close(large, fitted(small, batch_size=16, sample_weight=weight))

    def test_sums_are_averaged_over_the_batches(self):
        summed = classifier(loss=nn.CrossEntropyLoss(reduction="sum"), accumulate_grad_batches=2)
        by_hand = classifier(loss=lambda output, target: 30 * nn.functional.cross_entropy(output, target))
        assert close(fitted(summed, X[:60], Y[:60], 30), fitted(by_hand, X[:60], Y[:60], 60))

    def test_data_of_unknown_length(self):
        batches = [(X[i : i + 16], Y[i : i + 16]) for i in range(0, 90, 16)]
        small = classifier(accumulate_grad_batches=4)
        small.fit(loader_of(batches), epochs=2, verbose=0)
        assert close(fitted(classifier(), batch_size=64), weights(small))
        assert small.loop.accumulated == 0

    def test_float16(self):
        large = classifier(precision="float16")
        small = classifier(precision="float16", accumulate_grad_batches=3)
        assert close(fitted(large, batch_size=48), fitted(small, batch_size=16), 2e-3)
        assert small.scaler.skipped_steps == 0

    def test_overflow_of_float16_leaves_out_the_group(self):
        trainer = classifier(precision="float16", accumulate_grad_batches=3)
        trainer.scaler = GradScaler(init_scale=2.0**40)
        before = weights(trainer)
        assert same(before, fitted(trainer, batch_size=30, epochs=1))
        assert trainer.scaler.skipped_steps == 1
        assert trainer.loop.global_step == 0

    def test_hooks_see_where_the_loop_is(self):
        seen = []

        class Watch(Callback):
            def on_train_batch_begin(self, batch, logs=None):
                seen.append(("begin", *self.place()))

            def on_train_batch_end(self, batch, logs=None):
                seen.append(("end", *self.place()))

            def on_epoch_end(self, epoch, logs=None):
                seen.append(("epoch", *self.place()))

            def place(self):
                loop = self.trainer.loop
                return loop.epoch, loop.batch, loop.global_step, loop.accumulated

        fitted(classifier(accumulate_grad_batches=2), batch_size=30, epochs=1, callbacks=[Watch()])
        assert seen == [
            ("begin", 0, 0, 0, 0), ("end", 0, 1, 0, 1),
            ("begin", 0, 1, 0, 1), ("end", 0, 2, 1, 0),
            ("begin", 0, 2, 1, 0), ("end", 0, 3, 2, 0),
            ("epoch", 1, 0, 2, 0),
        ]  # fmt: skip

    def test_stopping_within_a_group_makes_no_step_of_a_part(self):
        class Stop(Callback):
            def on_train_batch_end(self, batch, logs=None):
                self.model.stop_training = batch == 3

        trainer = classifier(accumulate_grad_batches=3)
        fitted(trainer, batch_size=16, callbacks=[Stop()])
        assert (trainer.loop.global_step, trainer.loop.accumulated) == (1, 1)
        expected = classifier()
        expected.model.load_state_dict(trainer.model.state_dict())
        assert same(fitted(trainer, batch_size=90), fitted(expected, batch_size=90))


class TestNonFinite:
    """The guard and accumulation."""

    def bad(self, **options):
        dt.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 3))
        return Trainer(
            model, loss="cross_entropy", optimizer=lambda p: optim.SGD(p, lr=0.1), seed=0, **options
        )

    def test_names_the_batch(self):
        x = X.copy()
        x[40, 2] = np.nan
        with pytest.raises(FloatingPointError, match=r"^fit: epoch 1, step 3: the loss is nan.*batch's x"):
            fitted(self.bad(accumulate_grad_batches=4), x, batch_size=16)

    def test_names_the_batch_of_a_bad_gradient(self):
        class SomeTimes(BadBackward):
            calls = 0

            def forward(self, x):
                SomeTimes.calls += 1
                return super().forward(x) if SomeTimes.calls in (2, 3) else x

        trainer = self.bad(accumulate_grad_batches=4)
        trainer.model.append(SomeTimes())
        with pytest.raises(FloatingPointError, match=r"epoch 1, step 2: gradients are not finite.*layer '2'"):
            fitted(trainer, batch_size=16)

    def test_skip_begins_a_new_group(self):
        x = X.copy()
        x[40, 2] = np.nan  # of the third batch of 16: the first group of 3
        trainer = self.bad(accumulate_grad_batches=3, on_nonfinite="skip")
        with pytest.warns(RuntimeWarning, match="step 3"):
            found = fitted(trainer, x, batch_size=16, epochs=1)
        expected = fitted(self.bad(), X[48:], Y[48:], 48, epochs=1)
        assert close(expected, found)
        assert (trainer.skipped_steps, trainer.loop.global_step) == (1, 1)

    @pytest.mark.parametrize("algorithm", ["norm", "value"])
    @pytest.mark.parametrize("policy", ["raise", "skip"])
    def test_clipping_does_not_hide_it(self, algorithm, policy):
        trainer = self.bad(gradient_clip_val=1.0, gradient_clip_algorithm=algorithm, on_nonfinite=policy)
        trainer.model.append(BadBackward())
        before = weights(trainer)
        if policy == "raise":
            with pytest.raises(FloatingPointError, match="gradients are not finite"):
                fitted(trainer)
        else:
            with pytest.warns(RuntimeWarning, match="gradients are not finite"):
                fitted(trainer)
            assert trainer.skipped_steps == 2
        assert same(before, weights(trainer))


class TestClipping:
    @pytest.mark.parametrize(
        ("precision", "optimizer"),
        [("float32", OPTIMIZERS[0]), ("float32", OwnSGD), ("float16", OPTIMIZERS[0])],
    )
    @pytest.mark.parametrize("algorithm", ["norm", "value"])
    @pytest.mark.parametrize("every", [1, 2])
    def test_equals_a_loop_by_hand(self, precision, optimizer, algorithm, every):
        trainer = regression(
            optimizer=optimizer,
            precision=precision,
            accumulate_grad_batches=every,
            gradient_clip_val=0.3,
            gradient_clip_algorithm=algorithm,
        )
        found = fitted(trainer, X[:88], R[:88], 44 // every, epochs=3)
        dt.manual_seed(0)
        model = nn.Linear(4, 1)
        own = optimizer(model.parameters())
        for start in [0, 44] * 3:
            x, y = dt.tensor(X[start : start + 44]), dt.tensor(R[start : start + 44, None])
            own.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            parameters = list(model.parameters())
            if algorithm == "norm":
                nn.utils.clip_grad_norm_(parameters, 0.3)
            else:
                nn.utils.clip_grad_value_(parameters, 0.3)
            own.step()
        expected = {name: value.detach().numpy() for name, value in model.state_dict().items()}
        assert close(expected, found, 1e-5 if precision == "float32" else 5e-3)

    def test_it_clips(self):
        trainer = regression(gradient_clip_val=1e-3)
        before = weights(trainer)
        after = fitted(trainer, y=R, epochs=1)
        moved = math.sqrt(sum(((after[name] - before[name]) ** 2).sum() for name in before))
        assert moved == pytest.approx(0.1 * 1e-3, rel=1e-2)

    @pytest.mark.parametrize(
        ("options", "error", "message"),
        [
            (
                {"accumulate_grad_batches": 0},
                ValueError,
                "accumulate_grad_batches must be a positive integer, got 0",
            ),
            ({"accumulate_grad_batches": 1.5}, TypeError, "accumulate_grad_batches must be .*, got 1.5"),
            ({"gradient_clip_val": -1}, ValueError, "gradient_clip_val is -1"),
            ({"gradient_clip_val": math.nan}, ValueError, "gradient_clip_val is nan"),
            ({"gradient_clip_val": "1"}, TypeError, "gradient_clip_val is a str"),
            ({"gradient_clip_algorithm": "size"}, ValueError, "expected 'norm' or 'value'"),
        ],
    )
    def test_wrong_options(self, options, error, message):
        with pytest.raises(error, match=message):
            regression(**options)


class Halve:
    """A schedule of somebody's own."""

    def __init__(self, optimizer):
        self.optimizer, self.steps = optimizer, 0

    def step(self):
        self.steps += 1
        for group in self.optimizer.param_groups:
            group["lr"] /= 2


class PerStep(Halve):
    interval = "step"


class Counted(PerStep):
    def __init__(self, optimizer):
        self.optimizer, self.steps = optimizer, 0

    def step(self):
        self.steps += 1


class Plateau(Halve):
    def step(self, metrics):
        super().step()
        self.seen = metrics


class ByClosure(OwnSGD):
    """Computes the loss twice for a step, as LBFGS does at least; steps by the second gradient."""

    def step(self, closure):
        closure()
        closure()
        super().step()


class TestClosure:
    def test_an_optimizer_that_computes_the_loss(self):
        plain, trainer = regression(optimizer=OwnSGD), regression(optimizer=ByClosure, lr_scheduler=Counted)
        assert same(fitted(plain, y=R, batch_size=30), fitted(trainer, y=R, batch_size=30))
        assert trainer.history.history == plain.history.history
        assert trainer.loop.global_step == trainer.lr_scheduler.steps == 6

    def test_lbfgs(self):
        trainer = regression(optimizer=lambda p: optim.LBFGS(p, line_search_fn="strong_wolfe"))
        trainer.fit(X, R, 90, epochs=3, verbose=0)
        solution = np.linalg.lstsq(np.c_[X, np.ones(90)], R, rcond=None)[0]
        found = weights(trainer)
        assert np.allclose([*found["weight"][0], *found["bias"]], solution, atol=1e-4)
        with pytest.raises(ValueError, match="LBFGS computes loss and gradients by itself"):
            regression(optimizer=optim.LBFGS, precision="float16")

    @pytest.mark.parametrize("layer", [BadBackward(), nn.Identity()])
    def test_it_starts_from_what_is_finite(self, layer):
        model = nn.Sequential(nn.Linear(4, 1), layer)
        trainer = Trainer(model, loss="mse", optimizer=ByClosure)
        x, message = X.copy(), "gradients are not finite"
        if isinstance(layer, nn.Identity):
            x[0, 0], message = np.nan, "the loss is nan"
        before = weights(trainer)
        with pytest.raises(FloatingPointError, match=f"step 1: {message}"):
            fitted(trainer, x, R)
        assert same(before, weights(trainer))

    @pytest.mark.parametrize("options", [{"accumulate_grad_batches": 2}, {"gradient_clip_val": 1.0}])
    def test_what_it_does_not_go_with(self, options):
        with pytest.raises(ValueError, match="ByClosure computes loss and gradients by itself"):
            regression(optimizer=ByClosure, **options)


class TestSchedule:
    def test_after_epochs(self):
        trainer = classifier(lr_scheduler=Halve)
        fitted(trainer, batch_size=30, epochs=3)
        assert trainer.lr_scheduler.steps == 3
        assert trainer.optimizer.param_groups[0]["lr"] == 0.2 / 8

    @pytest.mark.parametrize("options", [{"lr_scheduler_interval": "step", "lr_scheduler": Halve}, {}])
    def test_after_steps_of_the_optimizer(self, options):
        trainer = classifier(**{"lr_scheduler": PerStep, "accumulate_grad_batches": 2} | options)
        fitted(trainer, batch_size=30, epochs=3)
        assert trainer.lr_scheduler.steps == trainer.loop.global_step == 6

    def test_none_after_a_step_that_was_left_out(self):
        trainer = classifier(lr_scheduler=PerStep, precision="float16")
        trainer.scaler = GradScaler(init_scale=2.0**40)
        fitted(trainer, epochs=30)
        assert 0 < trainer.scaler.skipped_steps < 30
        assert trainer.lr_scheduler.steps == trainer.loop.global_step == 30 - trainer.scaler.skipped_steps

    def test_of_an_optimizer_that_exists(self):
        model = nn.Linear(4, 1)
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        schedule = Halve(optimizer)
        trainer = Trainer(model, loss="mse", optimizer=optimizer, lr_scheduler=schedule)
        fitted(trainer, y=R, epochs=1)
        assert trainer.lr_scheduler is schedule
        with pytest.raises(ValueError, match="lr_scheduler belongs to another optimizer"):
            Trainer(model, loss="mse", optimizer="sgd", lr_scheduler=schedule)

    @pytest.mark.parametrize(
        ("monitor", "validation", "expected"),
        [(None, None, "loss"), (None, (X, Y), "val_loss"), ("accuracy", (X, Y), "accuracy")],
    )
    def test_a_metric(self, monitor, validation, expected):
        trainer = classifier(metrics=["accuracy"], lr_scheduler=Plateau, lr_scheduler_monitor=monitor)
        fitted(trainer, epochs=1, validation_data=validation)
        assert trainer.lr_scheduler.seen == trainer.history.history[expected][0]

    def test_one_that_ends_before_the_training_says_so(self):
        def schedule(optimizer):
            return optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=8)

        options = {"lr_scheduler": schedule, "accumulate_grad_batches": 2}
        fitted(classifier(**options), batch_size=15, epochs=2)
        fitted(classifier(**options, max_steps=8), batch_size=15, epochs=3)
        with pytest.raises(ValueError, match=r"OneCycleLR: total_steps is 8 .* the training makes 9"):
            fitted(classifier(**options), batch_size=15, epochs=3)

    def test_before_the_callbacks_of_an_epoch(self):
        rates = []

        class Watch(Callback):
            def on_epoch_end(self, epoch, logs=None):
                rates.append(self.trainer.optimizer.param_groups[0]["lr"])

        fitted(classifier(lr_scheduler=Halve, callbacks=[Watch()]))
        assert rates == [0.1, 0.05]

    @pytest.mark.parametrize(
        ("options", "error", "message"),
        [
            ({"lr_scheduler": 5}, TypeError, "lr_scheduler is a int"),
            ({"lr_scheduler": Halve, "lr_scheduler_interval": "batch"}, ValueError, "'epoch' or 'step'"),
            ({"lr_scheduler_interval": "step"}, ValueError, "without lr_scheduler"),
            ({"lr_scheduler": Plateau, "lr_scheduler_interval": "step"}, ValueError, "metric of the epoch"),
            ({"lr_scheduler": Halve, "lr_scheduler_monitor": "loss"}, ValueError, "looks at no metric"),
        ],
    )
    def test_wrong_options(self, options, error, message):
        with pytest.raises(error, match=message):
            classifier(**options)

    def test_a_metric_that_is_not_there(self):
        with pytest.raises(ValueError, match="lr_scheduler_monitor is 'f1', the epoch has: loss"):
            fitted(classifier(lr_scheduler=Plateau, lr_scheduler_monitor="f1"))


class TestLoopState:
    def test_round_trip(self):
        trainer = classifier(accumulate_grad_batches=2)
        fitted(trainer, batch_size=30)
        state = LoopState()
        state.load_state_dict(trainer.loop.state_dict())
        assert state == trainer.loop
        assert state == LoopState(epoch=2, epochs_done=2, global_step=4, batches_seen=6)

    @pytest.mark.parametrize(
        ("change", "message"),
        [({"epoch": -1}, "epoch is -1"), ({"batch": 1.5}, "batch is 1.5"), ({"other": 1}, "expected accum")],
    )
    def test_damaged(self, change, message):
        state = LoopState(epoch=3)
        with pytest.raises(ValueError, match=message):
            state.load_state_dict({**LoopState(epoch=4).state_dict(), **change})
        assert state == LoopState(epoch=3)
