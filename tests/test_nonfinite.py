"""What a training does with infinity and NaN: it names the step and the layer, and stops or skips."""

import warnings

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import nn, optim
from drivetrain.train import Trainer
from trainer_tools import BadBackward, R, X, Y, same, weights


class Log(nn.Module):
    def forward(self, x):
        return x.log()


class BadWeight(nn.Module):
    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(dt.zeros((16,)))

    def forward(self, x):
        return x + self.shift.sqrt()


class Counter(nn.Module):
    """Counts its calls in a buffer that it replaces, and keeps the last sum in one that it makes."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", dt.zeros(()))
        self.register_buffer("sums", None)

    def forward(self, x):
        self.calls = self.calls + 1
        self.sums = x.detach().sum()
        return x


class Peak(nn.Module):
    """Keeps an average that overflows, in a buffer that it replaces, and a mask of the batch's size."""

    def __init__(self):
        super().__init__()
        self.register_buffer("peak", dt.zeros(()))
        self.register_buffer("mask", dt.zeros((0,)))

    def forward(self, x):
        self.mask = dt.full((len(x),), -np.inf)
        self.peak = self.peak + (x.detach().abs() * 3e38).sum()
        return x


class Scaled(nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.register_buffer("scale", scale)

    def forward(self, x):
        return x * self.scale


def read_only():
    ones = np.ones(4, np.float32)
    ones.flags.writeable = False
    return dt.from_numpy(ones)


class Between(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 16), nn.Linear(16, 3)

    def forward(self, x):
        return self.second(self.first(x) / 0)


def new_trainer(*layers, **options):
    dt.manual_seed(0)
    model = nn.Sequential(*layers or (nn.Linear(4, 16), nn.Dropout(), nn.Linear(16, 3)))
    options = {"loss": "cross_entropy", "optimizer": lambda p: optim.SGD(p, lr=0.1), "seed": 0} | options
    return Trainer(model, **options)


def with_nan():
    x = X.copy()
    x[40, 2] = np.nan
    return x


def message_of(trainer, x=X, y=Y, **options):
    with pytest.raises(FloatingPointError) as caught:
        trainer.fit(x, y, verbose=0, **options)
    return str(caught.value)


class TestRaise:
    def test_step_and_batch(self):
        message = message_of(new_trainer(), with_nan(), shuffle=False, batch_size=16)
        assert message.startswith("fit: epoch 1, step 3: the loss is nan.")
        assert "the batch's x has 1 nan in float32 of shape (16, 4), first at (8, 2)" in message

    def test_later_epochs_are_counted(self):
        class Spoil(dt.train.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                if epoch == 2:
                    self.model[0].weight.detach()[3, 1] = np.inf

        message = message_of(new_trainer(), epochs=5, callbacks=[Spoil()])
        assert message.startswith("fit: epoch 3, step 1: ")
        assert "the parameter '0.weight' has 1 inf in float32 of shape (16, 4), first at (3, 1)" in message

    def test_forward(self):
        message = message_of(new_trainer(nn.Linear(4, 16), Log(), nn.Linear(16, 3)))
        assert "In the forward, the output of layer '1' (Log) is the first with" in message

    def test_between_layers(self):
        message = message_of(new_trainer(Between()))
        assert "the input of layer '0.second' (Linear) has" in message
        assert "outside of any layer" in message

    def test_statistics_of_a_norm(self):
        trainer = new_trainer(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.Linear(16, 3))
        trainer.model[1].weight.detach()[...] = 3e38
        assert "the output of layer '1' (BatchNorm1d) is the first with" in message_of(trainer)

    def test_the_loss(self):
        def loss(output, target):
            return nn.functional.cross_entropy(output, target) / 0

        message = message_of(new_trainer(loss=loss))
        assert "All layers give finite values in the forward; the loss has 1 inf" in message

    def test_backward(self):
        message = message_of(new_trainer(nn.Linear(4, 16), BadBackward(), nn.Linear(16, 3)))
        assert "gradients are not finite (the loss is " in message
        assert "The forward is finite; the backward of layer '1' (BadBackward) gives its input" in message

    def test_backward_of_a_parameter(self):
        message = message_of(new_trainer(nn.Linear(4, 16), BadWeight(), nn.Linear(16, 3)))
        assert "the backward of layer '1' (BadWeight) gives its shift 16 inf" in message

    def test_backward_of_the_loss(self):
        def loss(output, target):
            return (nn.functional.cross_entropy(output, target) * 0).sqrt()

        message = message_of(new_trainer(loss=loss))
        assert "the gradient that reaches the output of layer '2' (Linear) has" in message

    def test_a_weight_alone(self):
        # Only the gradient of a large weight overflows: found while the step reads it.
        x = np.full((32, 5000), 1e30, np.float32)
        trainer = new_trainer(
            nn.Linear(5000, 1), loss=lambda output, target: (output * 1e10).sum(), optimizer="adam"
        )
        trainer.model[0].weight.detach()[...] = 0
        before = weights(trainer)
        message = message_of(trainer, x, np.zeros((32, 1), np.float32))
        assert "gradients are not finite" in message
        assert "the backward of layer '0' (Linear) gives its weight 5000 inf" in message
        assert same({"0.weight": before["0.weight"]}, weights(trainer))
        # The step has been made by then, and is counted.
        assert [state["step"] for state in trainer.optimizer.state.values()] == [1, 1]

    def test_running_statistics(self):
        # The batch's own variance is finite where it normalises; times n / (n - 1) it is not.
        x = np.where(np.arange(32).reshape(32, 1) % 2, 1.84e19, -1.84e19).astype(np.float32)
        trainer = new_trainer(nn.BatchNorm1d(1), nn.Linear(1, 3))
        trainer.model[0].momentum = 1.0
        before = weights(trainer)
        message = message_of(trainer, x, Y[:32])
        assert "step 1: the buffer '0.running_var' got 1 inf" in message
        assert same(before, weights(trainer))

    def test_running_statistics_that_the_forward_replaces(self):
        trainer = new_trainer(Peak(), nn.Linear(4, 3))
        assert "step 1: the buffer '0.peak' got 1 inf" in message_of(trainer)
        assert trainer.model[0].peak.item() == 0

    @pytest.mark.parametrize("policy", ["raise", "skip"])
    @pytest.mark.parametrize("scale", [lambda: dt.ones((1,)).expand(4), read_only])
    def test_buffers_that_cannot_be_written(self, scale, policy):
        trainer = new_trainer(Scaled(scale()), nn.Linear(4, 3), on_nonfinite=policy)
        if policy == "raise":
            assert "Already the batch's x has" in message_of(trainer, with_nan())
        else:
            with pytest.warns(RuntimeWarning, match="Already the batch's x has"):
                trainer.fit(with_nan(), Y, verbose=0)
            assert trainer.skipped_steps == 1

    def test_buffers_that_are_not_meant_to_be_finite(self):
        class Masked(nn.Module):
            def __init__(self):
                super().__init__()
                self.register_buffer("mask", dt.tensor([0.0, 0.0, 0.0, -np.inf]))

            def forward(self, x):
                return (x + self.mask).softmax(-1)

        new_trainer(Masked(), nn.Linear(4, 3)).fit(X, Y, verbose=0)

    @pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
    def test_optimizers_do_not_watch_afterwards(self, optimizer):
        trainer = new_trainer(optimizer=optimizer)
        message_of(trainer, with_nan())
        trainer.fit(X, Y, verbose=0)
        trainer.model[0].bias.grad = dt.full((16,), np.nan)
        trainer.optimizer.step()
        assert np.isnan(trainer.model[0].bias.detach().numpy()).all()

    def test_the_random_numbers_are_those_of_the_step(self):
        # Infinite where dropout keeps one value of a thousand.
        class Rare(nn.Module):
            def forward(self, x):
                mask = dt.nn.functional.dropout(dt.ones((1000,)), 0.999)
                return x + (mask.sum() - 3000).relu() * 1e38 * 1e38

        trainer = new_trainer(nn.Linear(4, 16), Rare(), nn.Linear(16, 3))
        with pytest.raises(FloatingPointError, match=r"output of layer '1' \(Rare\)"):
            trainer.fit(X, Y, epochs=200, verbose=0)

    @pytest.mark.parametrize("bad", [Log, BadBackward])
    def test_nothing_is_left_behind(self, bad):
        trainer = new_trainer(nn.Linear(4, 16), nn.BatchNorm1d(16), bad(), nn.Linear(16, 3))
        before = weights(trainer)
        message_of(trainer)
        assert same(before, weights(trainer))
        assert all(module._hooks is None for module in trainer.model.modules())
        assert all(parameter.grad is None for parameter in trainer.model.parameters())

    def test_several_inputs(self):
        class Sum(nn.Module):
            def __init__(self):
                super().__init__()
                self.layer = nn.Linear(4, 3)

            def forward(self, a, b):
                return self.layer(a) + self.layer(b)

        model = Sum()
        trainer = Trainer(model, loss="cross_entropy", optimizer="sgd")
        message = message_of(trainer, [X, with_nan()])
        assert "Already input 1 of the batch has 1 nan" in message

    def test_targets(self):
        y = R.copy()
        y[5] = np.inf
        trainer = new_trainer(nn.Linear(4, 1), loss="mse")
        assert "Already the batch's target has 1 inf" in message_of(trainer, X, y)


class TestSkip:
    def test_as_if_the_batch_had_not_been_there(self):
        order = [i for i in range(90) if not 32 <= i < 64]
        layers = [lambda: nn.Linear(4, 16), lambda: nn.BatchNorm1d(16), lambda: nn.Linear(16, 3)]
        skipping = new_trainer(*(f() for f in layers), on_nonfinite="skip")
        with pytest.warns(RuntimeWarning, match=r"epoch 1, step 2: .* x has 1 nan"):
            history = skipping.fit(with_nan(), Y, shuffle=False, verbose=0)
        without = new_trainer(*(f() for f in layers))
        expected = without.fit(X[order], Y[order], shuffle=False, verbose=0)
        assert skipping.skipped_steps == 1
        assert same(weights(skipping), weights(without))
        assert history.history == expected.history

    def test_buffers_that_the_forward_replaces(self):
        trainer = new_trainer(Counter(), nn.Linear(4, 3), on_nonfinite="skip")
        with pytest.warns(RuntimeWarning, match="step 3"):
            trainer.fit(np.roll(with_nan(), 32, axis=0), Y, shuffle=False, batch_size=32, verbose=0)
        assert trainer.model[0].calls.item() == 2
        assert np.isfinite(trainer.model[0].sums.item())

    def test_buffers_that_the_forward_makes(self):
        trainer = new_trainer(Counter(), nn.Linear(4, 3), on_nonfinite="skip")
        with pytest.warns(RuntimeWarning):
            trainer.fit(X * np.nan, Y, verbose=0)
        assert trainer.model[0].sums is None
        assert trainer.model[0].calls.item() == 0

    def test_buffers_that_the_forward_registers(self):
        class Late(nn.Module):
            def forward(self, x):
                if "calls" not in self._buffers:
                    self.register_buffer("calls", dt.zeros(()))
                self.calls += 1
                return x

        skipped = new_trainer(Late(), nn.Linear(4, 3), on_nonfinite="skip")
        with pytest.warns(RuntimeWarning):
            skipped.fit(X * np.nan, Y, verbose=0)
        assert not list(skipped.model[0].buffers())
        trainer = new_trainer(Late(), nn.Linear(4, 3), on_nonfinite="skip")
        with pytest.warns(RuntimeWarning, match="step 2"):
            trainer.fit(with_nan(), Y, shuffle=False, batch_size=32, verbose=0)
        assert trainer.model[0].calls.item() == 2

    def test_one_warning_per_fit(self):
        trainer = new_trainer(on_nonfinite="skip")
        for fit in (1, 2):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                trainer.fit(with_nan(), Y, epochs=3, verbose=0)
            assert len(caught) == 1
            assert trainer.skipped_steps == 3 * fit

    def test_everything_skipped(self):
        trainer = new_trainer(nn.Linear(4, 3), Log(), on_nonfinite="skip")
        before = weights(trainer)
        with pytest.warns(RuntimeWarning, match="'1'"):
            history = trainer.fit(X, Y, verbose=0)
        assert np.isnan(history.history["loss"][0])
        assert trainer.skipped_steps == 3
        assert same(before, weights(trainer))


class TestIgnore:
    def test_goes_on(self):
        trainer = new_trainer(on_nonfinite="ignore")
        history = trainer.fit(with_nan(), Y, verbose=0)
        assert np.isnan(history.history["loss"][0])
        assert trainer.skipped_steps == 0

    @pytest.mark.parametrize("policy", ["stop", None, True])
    def test_wrong_policies(self, policy):
        with pytest.raises(ValueError, match=r"on_nonfinite is .*, expected one of .raise., .skip."):
            new_trainer(on_nonfinite=policy)


def test_watching_changes_no_bits():
    results = []
    for policy in ("raise", "skip", "ignore"):
        trainer = new_trainer(on_nonfinite=policy)
        history = trainer.fit(X, Y, epochs=3, verbose=0)
        results.append((weights(trainer), history.history))
    for values, history in results[1:]:
        assert same(values, results[0][0])
        assert history == results[0][1]


def test_any_optimizer_is_watched():
    class Own:
        def __init__(self, parameters):
            self.parameters = list(parameters)

        def zero_grad(self):
            for parameter in self.parameters:
                parameter.grad = None

        def step(self):
            raise AssertionError("called with gradients that are not finite")

    trainer = new_trainer(nn.Linear(4, 16), BadBackward(), nn.Linear(16, 3), optimizer=Own)
    assert "gradients are not finite" in message_of(trainer)


def test_no_group_is_stepped_where_another_raises():
    bad = nn.Sequential(nn.Linear(4, 16), BadBackward(), nn.Linear(16, 3))
    groups = [{"params": list(bad[2].parameters())}, {"params": list(bad[0].parameters())}]
    trainer = Trainer(bad, loss="cross_entropy", optimizer=optim.Adam(groups, lr=0.1))
    before = weights(trainer)
    assert "BadBackward" in message_of(trainer)
    assert same(weights(trainer), before)


@pytest.mark.parametrize("numbers", ["even", "uneven"])
def test_nothing_is_stepped_where_parameters_have_no_gradient(numbers):
    ps = [dt.tensor(np.ones(n, np.float32), requires_grad=True) for n in (5000, 3, 4)]
    optimizer = optim.Adam(ps)
    if numbers == "uneven":
        ps[0].grad = dt.ones((5000,))
        optimizer.step()
    before = [p.detach().numpy().copy() for p in ps]
    ps[0].grad, ps[1].grad = dt.ones((5000,)), dt.tensor([0.0, np.nan, 0.0])
    optimizer._watch = True
    with pytest.raises(FloatingPointError, match="nothing was changed"):
        optimizer.step()
    assert all(np.array_equal(p.detach().numpy(), old) for p, old in zip(ps, before, strict=True))
