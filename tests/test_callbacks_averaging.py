"""Averages of weights as callbacks."""

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import nn, optim
from drivetrain.train import Callback, StochasticWeightAveraging, SwapEMAWeights, Trainer
from trainer_tools import R, X, regression, same, weights


class Watch(Callback):
    """Keeps the weights after every step, and those that validations and epoch ends see."""

    def __init__(self):
        super().__init__()
        self.steps, self.seen, self.ends, self.begins = [], [], [], []

    def values(self):
        return self.model.weight.detach().numpy().copy()

    def on_train_begin(self, logs=None):
        self.steps.append(self.values())

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append(self.values())

    def on_test_begin(self, logs=None):
        self.seen.append(self.values())

    def on_epoch_begin(self, epoch, logs=None):
        self.begins.append(self.values())

    def on_epoch_end(self, epoch, logs=None):
        self.ends.append(self.values())


def moving_average(steps, momentum):
    average = steps[0]
    for value in steps[1:]:
        average = momentum * average + (1 - momentum) * value
    return average


class TestSwapEMAWeights:
    def test_validations_see_the_average(self):
        watch = Watch()
        trainer = regression(callbacks=[SwapEMAWeights(momentum=0.8), watch])
        trainer.fit(X, R, 30, epochs=2, verbose=0, validation_data=(X, R))
        np.testing.assert_allclose(watch.seen[0], moving_average(watch.steps[:4], 0.8), rtol=1e-5)
        np.testing.assert_allclose(watch.seen[1], moving_average(watch.steps, 0.8), rtol=1e-5)
        # The training goes on with its own weights, and keeps them.
        assert np.array_equal(trainer.model.weight.detach().numpy(), watch.steps[-1])
        plain = regression()
        plain.fit(X, R, 30, epochs=2, verbose=0)
        assert same(weights(plain), weights(trainer))

    def test_predictions_use_the_average(self):
        trainer = regression(callbacks=[SwapEMAWeights(momentum=0.5)])
        before = trainer.predict(X)
        trainer.fit(X, R, 30, epochs=2, verbose=0)
        own = dt.train.Predictor(trainer.model).predict(X)
        assert not np.array_equal(trainer.predict(X), own)
        assert np.array_equal(dt.train.Predictor(trainer.model).predict(X), own)
        assert not np.array_equal(before, own)

    def test_swap_on_epoch(self):
        watch, ema = Watch(), SwapEMAWeights(swap_on_epoch=True, momentum=0.8)
        trainer = regression(callbacks=[ema, watch])
        trainer.fit(X, R, 30, epochs=2, verbose=0, validation_data=(X, R))
        np.testing.assert_allclose(watch.ends[0], moving_average(watch.steps[:4], 0.8), rtol=1e-5)
        assert np.array_equal(watch.begins[1], watch.steps[3])
        assert np.array_equal(watch.ends[1], watch.seen[1])
        assert np.array_equal(trainer.model.weight.detach().numpy(), watch.ends[1])
        assert trainer.evaluate(X, R, 30, verbose=0) == trainer.history.history["val_loss"][-1]

    def test_counts_steps_of_the_optimizer(self):
        watch = Watch()
        options = {"accumulate_grad_batches": 3, "callbacks": [SwapEMAWeights(momentum=0.8), watch]}
        regression(**options).fit(X, R, 30, epochs=2, verbose=0, validation_data=(X, R))
        np.testing.assert_allclose(watch.seen[1], moving_average(watch.steps[::3], 0.8), rtol=1e-5)

    @pytest.mark.parametrize("swap", [False, True])
    def test_state(self, swap):
        """Interrupted after an epoch, with everything saved last."""
        saved = {}

        class Save(Callback):
            saves_state = True

            def on_epoch_end(self, epoch, logs=None):
                if epoch == 1:
                    state = self.trainer.callbacks[0].state_dict()
                    copied = {name: dt.tensor(value) for name, value in state["averages"].items()}
                    saved.update(state={**state, "averages": copied}, weights=weights(self.trainer))

        class Load(Save):
            def on_train_begin(self, logs=None):
                self.trainer.callbacks[0].load_state_dict(saved["state"])

        whole = regression(callbacks=[SwapEMAWeights(swap, 0.8)])
        whole.fit(X, R, epochs=4, verbose=0, callbacks=[Save()], validation_data=(X, R))
        second = regression(callbacks=[SwapEMAWeights(swap, 0.8)])
        second.model.load_state_dict(saved["weights"])
        second.fit(X, R, epochs=4, initial_epoch=2, verbose=0, callbacks=[Load()], validation_data=(X, R))
        assert second.history.history["val_loss"] == whole.history.history["val_loss"][2:]
        assert same(weights(whole), weights(second))

    def test_wrong_states(self):
        ema = SwapEMAWeights()
        trainer = regression(callbacks=[ema])
        trainer.fit(X, R, verbose=0)
        state = ema.state_dict()
        other = {"weight": dt.zeros((1, 5)), "bias": dt.zeros((1,))}
        for change in ({"averages": {"w": dt.ones(1)}}, {"swapped": 1}, {"averages": other}):
            with pytest.raises(ValueError, match=r"SwapEMAWeights"):
                ema.load_state_dict({**state, **change})
        with pytest.raises(ValueError, match="momentum is 1"):
            SwapEMAWeights(momentum=1)


class TestStochasticWeightAveraging:
    def test_the_model_gets_the_mean_of_the_last_epochs(self):
        watch = Watch()
        swa = StochasticWeightAveraging(0.02, swa_epoch_start=0.5, annealing_epochs=0)
        trainer = regression(callbacks=[swa, watch])
        trainer.fit(X, R, 30, epochs=6, verbose=0)
        assert swa.n_averaged == 3
        np.testing.assert_allclose(
            trainer.model.weight.detach().numpy(), np.mean(watch.ends[3:], axis=0), rtol=1e-5
        )

    @pytest.mark.parametrize("strategy", ["linear", "cos"])
    def test_the_rate_goes_there(self, strategy):
        class Halve:
            def __init__(self, optimizer):
                self.optimizer = optimizer

            def step(self):
                self.optimizer.param_groups[0]["lr"] = 0.1

        used = []
        look = dt.train.LambdaCallback(
            on_train_batch_begin=lambda batch, logs: used.append(trainer.optimizer.param_groups[0]["lr"])
        )
        swa = StochasticWeightAveraging(0.0001, 2, annealing_epochs=4, annealing_strategy=strategy)
        trainer = regression(callbacks=[swa, look], lr_scheduler=Halve)
        trainer.fit(X, R, 90, epochs=6, verbose=0)
        share = np.array([0, 0, 0.25, 0.5, 0.75, 1])
        share = share if strategy == "linear" else (1 - np.cos(np.pi * share)) / 2
        assert used == pytest.approx(0.1 + (0.0001 - 0.1) * share)

    def test_statistics_are_computed_anew(self):
        dt.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 1))
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        swa = StochasticWeightAveraging(0.05, 0)
        Trainer(model, loss="mse", optimizer=optimizer, callbacks=[swa]).fit(X, R, 90, epochs=3, verbose=0)
        expected = (X @ model[0].weight.detach().numpy().T + model[0].bias.detach().numpy()).mean(axis=0)
        np.testing.assert_allclose(model[1].running_mean.numpy(), expected, rtol=1e-4, atol=1e-6)

    def test_bad_arguments(self):
        for arguments in ((0,), ([],), (0.1, 1.5), (0.1, -1), (0.1, 1, -1), (0.1, 1, 1, "exp")):
            with pytest.raises(ValueError, match="StochasticWeightAveraging: "):
                StochasticWeightAveraging(*arguments)
        with pytest.raises(ValueError, match="swa_lrs has 2 rates, the optimizer 1"):
            regression(callbacks=[StochasticWeightAveraging([0.1, 0.2])]).fit(X, R, verbose=0)
        swa = StochasticWeightAveraging(0.1)
        with pytest.raises(ValueError, match="fit was given no epochs"):
            regression(callbacks=[swa], max_steps=3).fit(X, R, verbose=0)
