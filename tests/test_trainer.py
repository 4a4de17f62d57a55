"""The training loop: fit, evaluate and predict in Keras's arguments, on every kind of data."""

import contextlib
import gc
import io
import signal

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import nn, optim
from drivetrain.data import ArrayDataset, DataLoader
from drivetrain.metrics import TopKAccuracy
from drivetrain.train import Callback, CSVLogger, EarlyStopping, Trainer
from trainer_tools import R, X, Y, classifier, loader_of, regression, rng, same, weights


class TestFit:
    def test_learns_and_remembers(self):
        trainer = classifier(metrics=["accuracy"])
        history = trainer.fit(X, Y, epochs=40, verbose=0, validation_split=0.2)
        assert list(history.history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
        assert history.epoch == list(range(40))
        assert history.history["accuracy"][-1] > 0.9
        assert history is trainer.history

    def test_equals_a_loop_by_hand(self):
        trainer = regression()
        history = trainer.fit(X, R, batch_size=32, epochs=3, shuffle=False, verbose=0)
        dt.manual_seed(0)
        model = nn.Linear(4, 1)
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        losses = []
        for _ in range(3):
            total = 0.0
            for start in range(0, 90, 32):
                x, y = dt.tensor(X[start : start + 32]), dt.tensor(R[start : start + 32, None])
                loss = nn.functional.mse_loss(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.item() * x.shape[0]
            losses.append(total / 90)
        assert history.history["loss"] == pytest.approx(losses, rel=1e-6)
        assert same(weights(trainer), {n: v.detach().numpy() for n, v in model.state_dict().items()})

    @pytest.mark.parametrize("threads", [1, 2, 3])
    def test_same_seed_same_bits(self, threads):
        before = dt.get_num_threads()
        first = classifier()
        first.fit(X, Y, epochs=3, verbose=0)
        dt.set_num_threads(threads)
        try:
            second = classifier()
            second.fit(X, Y, epochs=3, verbose=0)
        finally:
            dt.set_num_threads(before)
        assert same(weights(first), weights(second))
        other = classifier(seed=1)
        other.fit(X, Y, epochs=3, verbose=0)
        assert not same(weights(first), weights(other))

    def test_shuffling_depends_on_seed_and_epoch(self):
        orders = []

        class Watch(Callback):
            def on_epoch_begin(self, epoch, logs=None):
                orders.append([])

        def spy(output, target):
            orders[-1].extend(target.numpy()[:, 0].tolist())
            return nn.functional.mse_loss(output, target)

        def run(**options):
            orders.clear()
            regression(loss=spy).fit(X, R, epochs=2, verbose=0, callbacks=[Watch()], **options)
            return [list(order) for order in orders]

        first = run()
        assert sorted(first[0]) == sorted(first[1]) == sorted(R.tolist())
        assert first[0] != first[1]
        assert run() == first
        assert run(shuffle=False) == [R.tolist()] * 2

    def test_going_on_equals_not_stopping(self):
        whole = classifier()
        whole.fit(X, Y, epochs=6, verbose=0)
        for second_call in ({"epochs": 6, "initial_epoch": 3}, {"epochs": 3}):
            parts = classifier()
            parts.fit(X, Y, epochs=3, verbose=0)
            history = parts.fit(X, Y, verbose=0, **second_call)
            assert len(history.epoch) == 3
            assert same(weights(whole), weights(parts))
        assert history.epoch == [0, 1, 2]

    def test_no_epochs(self):
        trainer = classifier()
        before = weights(trainer)
        history = trainer.fit(X, Y, epochs=0, verbose=0)
        assert history.history == {}
        assert same(weights(trainer), before)

    def test_mode_is_restored(self):
        modes = []

        class Watch(Callback):
            def on_train_batch_begin(self, batch, logs=None):
                modes.append(self.model.training)

            def on_test_batch_begin(self, batch, logs=None):
                modes.append(self.model.training)

        trainer = classifier()
        trainer.model.eval()
        trainer.model[1].train()
        trainer.fit(X, Y, 90, verbose=0, callbacks=[Watch()], validation_data=(X, Y), validation_steps=1)
        assert modes == [True, False]
        assert [module.training for module in trainer.model] == [False, True, False]

    def test_inputs_are_not_changed(self):
        x, y, w = X.copy(), Y.copy(), np.ones(90)
        for array in (x, y, w):
            array.flags.writeable = False
        classifier().fit(x, y, sample_weight=w, verbose=0, validation_split=0.3)
        np.testing.assert_array_equal(x, X)


def test_fits_and_predictions_leave_nothing_behind():
    """The full figure: python -m benchmarks cycles."""
    trainer = classifier(metrics=["accuracy"], accumulate_grad_batches=2, gradient_clip_val=1.0)

    def look():
        for _ in range(20):
            stop = EarlyStopping(patience=3, restore_best_weights=True)
            trainer.fit(X, Y, epochs=1, verbose=0, validation_data=(X, Y), callbacks=[stop])
            trainer.predict(X)
        gc.collect()
        return dt.memory_stats()["in_use"], len(gc.get_objects())

    look()
    (memory, objects), (later_memory, later_objects) = look(), look()
    assert later_memory == memory
    assert later_objects - objects < 20


class TestData:
    """Every kind of data gives the same training as arrays."""

    def expected(self):
        trainer = classifier()
        trainer.fit(X, Y, 30, epochs=2, shuffle=False, verbose=0)
        return weights(trainer)

    @pytest.mark.parametrize(
        "data",
        [
            lambda: (dt.tensor(X), dt.tensor(Y)),
            lambda: (X.astype(np.float64), Y.astype(np.int32)),
            lambda: (np.asfortranarray(X), Y.astype(np.uint8)),
            lambda: (X[::-1][::-1], Y),
            lambda: (X.tolist(), Y.tolist()),
            lambda: ([X], Y),
            lambda: (ArrayDataset(X, Y), None),
            lambda: (DataLoader(ArrayDataset(X, Y), 30), None),
            lambda: (DataLoader(list(zip(X, Y, strict=True)), 30), None),
            lambda: ([(X[i : i + 30], Y[i : i + 30]) for i in (0, 30, 60)].__iter__, None),
        ],
    )
    def test_kinds(self, data):
        x, y = data()
        steps = None
        if callable(x):
            once = x

            def endless():
                while True:
                    yield from [(X[i : i + 30], Y[i : i + 30]) for i in (0, 30, 60)]

            assert once is not None
            x, steps = endless(), 3
        trainer = classifier()
        trainer.fit(x, y, 30, epochs=2, shuffle=False, verbose=0, steps_per_epoch=steps)
        assert same(weights(trainer), self.expected())

    def test_bytes_become_floats_without_scaling(self):
        x = np.arange(12, dtype=np.uint8).reshape(3, 4)
        trainer = classifier()
        np.testing.assert_array_equal(trainer.predict(x), trainer.predict(x.astype(np.float32)))

    @pytest.mark.parametrize("weighted", [False, True])
    def test_a_model_of_float64_is_given_float64(self, weighted):
        """One step of plain descent, as NumPy computes it."""
        x, y = np.random.default_rng(0).normal(size=(20, 4)), np.random.default_rng(1).normal(size=20)
        share = np.random.default_rng(2).random(20) if weighted else None
        model = nn.Linear(4, 1).double()
        before = np.concatenate([model.weight.detach().numpy().ravel(), model.bias.detach().numpy()])
        trainer = Trainer(model, loss="mse", optimizer=optim.SGD(model.parameters(), lr=0.1), metrics=["mae"])
        trainer.fit(x, y, 20, shuffle=False, verbose=0, sample_weight=share, validation_data=(x, y))
        design = np.column_stack([x, np.ones(20)])
        pull = (design @ before - y) * (1 if share is None else share)
        after = np.concatenate([model.weight.detach().numpy().ravel(), model.bias.detach().numpy()])
        np.testing.assert_allclose(after, before - 0.1 * 2 / 20 * design.T @ pull, rtol=1e-13)
        predicted = trainer.predict(x)
        assert predicted.dtype == np.float64
        np.testing.assert_allclose(predicted[:, 0], design @ after, rtol=1e-13)
        loss, mae = trainer.evaluate(x, y, verbose=0)
        assert loss == pytest.approx(np.mean((design @ after - y) ** 2), rel=1e-12)
        assert mae == pytest.approx(np.abs(design @ after - y).mean(), rel=1e-12)
        np.testing.assert_array_equal(trainer.predict(x.astype(np.float32)).dtype, np.float64)

    def test_classes_of_a_model_of_float64_are_weighed(self):
        model = nn.Linear(4, 3).double()
        trainer = Trainer(model, loss="cross_entropy", optimizer="adam")
        trainer.fit(X, Y, class_weight={0: 2.0, 1: 0.5}, epochs=2, verbose=0)
        assert model.weight.dtype.name == "float64"

    def test_several_inputs(self):
        class Sum(nn.Module):
            def __init__(self):
                super().__init__()
                self.layer = nn.Linear(4, 1)

            def forward(self, a, b):
                return self.layer(a + b)

        trainer = Trainer(Sum(), loss="mse", optimizer="sgd")
        trainer.fit([X, X], R, verbose=0)
        assert trainer.predict([X, X]).shape == (90, 1)
        loader = [((X[:5], X[:5]), R[:5])]
        trainer.fit(loader_of(loader), verbose=0)

    def test_steps_per_epoch_go_on_where_the_last_epoch_ended(self):
        seen = []

        def spy(output, target):
            seen.extend(target.numpy()[:, 0].tolist())
            return nn.functional.mse_loss(output, target)

        trainer = regression(loss=spy)
        history = trainer.fit(X, R, 30, epochs=4, steps_per_epoch=2, shuffle=False, verbose=0)
        assert seen == np.resize(R, 240).tolist()
        assert len(history.epoch) == 4

    def test_validation_steps_are_the_first_batches_each_time(self):
        trainer = regression()
        history = trainer.fit(
            X, R, 30, epochs=2, verbose=0, validation_data=(X, R), validation_steps=2
        ).history["val_loss"]
        assert history[1] == trainer.evaluate(X[:60], R[:60], 30, verbose=0)

    def test_more_steps_than_batches_end_with_the_data(self):
        trainer = regression()
        every = trainer.evaluate(X, R, verbose=0)
        with pytest.warns(UserWarning, match="ended after 3 of 1000 batches"):
            assert trainer.evaluate(X, R, verbose=0, steps=1000) == every
        with pytest.warns(UserWarning, match="ended after 3 of 1000 batches"):
            assert len(trainer.predict(X, steps=1000)) == len(X)

    def test_a_generator_that_ends_early(self):
        trainer = regression()
        generator = ((X[:8], R[:8]) for _ in range(3))
        with pytest.warns(UserWarning, match="ended after 1 of 2 batches"):
            trainer.fit(generator, epochs=2, steps_per_epoch=2, verbose=0)
        with pytest.raises(ValueError, match=r"gave no batches.*steps_per_epoch"):
            trainer.fit(((X[:8], R[:8]) for _ in range(3)), epochs=2, verbose=0)

    def test_validation_split_is_the_end_before_shuffling(self):
        trainer = regression()
        history = trainer.fit(X, R, epochs=1, validation_split=0.1, verbose=0)
        assert history.history["val_loss"][0] == pytest.approx(trainer.evaluate(X[81:], R[81:], verbose=0))

    @pytest.mark.parametrize(
        "data", [(X, R), (X, R, np.ones(90)), ArrayDataset(X, R), DataLoader(ArrayDataset(X, R), 7)]
    )
    def test_validation_data(self, data):
        trainer = regression()
        history = trainer.fit(X, R, verbose=0, validation_data=data)
        assert history.history["val_loss"][0] == pytest.approx(trainer.evaluate(X, R, verbose=0), rel=1e-5)


class TestWeights:
    def test_sample_weights_weigh(self):
        without = regression()
        without.fit(X[:50], R[:50], batch_size=50, epochs=5, verbose=0, shuffle=False)
        ones = regression()
        ones.fit(X[:50], R[:50], batch_size=50, epochs=5, verbose=0, shuffle=False, sample_weight=np.ones(50))
        for name, value in weights(without).items():
            np.testing.assert_allclose(weights(ones)[name], value, rtol=1e-5)
        zero = regression()
        before = weights(zero)
        zero.fit(X, R, epochs=2, verbose=0, sample_weight=np.zeros(90))
        assert same(weights(zero), before)

    def test_a_sample_of_no_weight_has_no_influence(self):
        def run(y):
            trainer = regression()
            trainer.fit(X, y, epochs=2, verbose=0, sample_weight=np.arange(90) != 5)
            return weights(trainer)

        changed = R.copy()
        changed[5] = 1000
        assert same(run(R), run(changed))

    def test_weights_divide_by_the_number_of_samples(self):
        trainer = regression()
        errors = (trainer.predict(X)[:, 0] - R) ** 2
        weight = rng.random(90)
        assert trainer.evaluate(X, R, sample_weight=weight, verbose=0) == pytest.approx(
            (errors * weight).mean(), rel=1e-5
        )
        total = regression(loss=nn.MSELoss(reduction="sum"))
        expected = (errors * weight)[:30].sum()
        assert total.evaluate(X[:30], R[:30], sample_weight=weight[:30], verbose=0) == pytest.approx(
            expected, rel=1e-5
        )

    def test_balanced_classes(self):
        """The weights of scikit-learn, whatever holds the labels."""
        few = np.r_[np.flatnonzero(Y == 0)[:3], np.flatnonzero(Y == 1)[:12], np.flatnonzero(Y == 2)[:5]]
        x, y = X[few], Y[few]
        by_hand = {0: 20 / 9, 1: 20 / 36, 2: 20 / 15}

        def trained(*data, **options):
            trainer = classifier()
            trainer.fit(*data, epochs=2, batch_size=7, shuffle=False, verbose=0, **options)
            return weights(trainer)

        expected = trained(x, y, class_weight=by_hand)
        assert not same(expected, trained(x, y))
        for data in (
            (x, y),
            (x, y.tolist()),
            (ArrayDataset(x, y),),
            (DataLoader(ArrayDataset(x, y), 7),),
        ):
            assert same(trained(*data, class_weight="balanced"), expected)
        one_hot = np.eye(3, dtype=np.float32)[y]
        assert same(trained(x, one_hot, class_weight="balanced"), trained(x, one_hot, class_weight=by_hand))
        for data, word, message in [
            ((x, y), "balance", "class_weight must be one of 'balanced', got 'balance'"),
            (([(x, y)],), "balanced", "needs to know all labels"),
            ((x, y + 0.5), "balanced", "needs one class per sample"),
        ]:
            with pytest.raises(ValueError, match=message):
                classifier().fit(*data, class_weight=word, verbose=0)

    def test_class_weight_equals_sample_weight(self):
        by_class, by_sample = classifier(), classifier()
        by_class.fit(X, Y, epochs=2, verbose=0, class_weight={0: 2.0, 2: 0.5})
        by_sample.fit(X, Y, epochs=2, verbose=0, sample_weight=np.array([2.0, 1.0, 0.5])[Y])
        assert same(weights(by_class), weights(by_sample))

    def test_metrics_see_the_weights(self):
        trainer = classifier(metrics=["accuracy"])
        guess = trainer.predict(X).argmax(axis=1)
        w = rng.random(90)
        assert trainer.evaluate(X, Y, verbose=0, sample_weight=w)[1] == pytest.approx(
            np.average(guess == Y, weights=w)
        )


class TestEvaluateAndPredict:
    def test_values(self):
        trainer = classifier(metrics=["accuracy", TopKAccuracy(2)])
        scores = trainer.predict(X, batch_size=32)
        assert isinstance(scores, np.ndarray)
        np.testing.assert_allclose(scores, trainer.model(dt.tensor(X)).detach().numpy(), rtol=1e-5, atol=1e-6)
        results = trainer.evaluate(X, Y, verbose=0, return_dict=True)
        shifted = scores - scores.max(axis=1, keepdims=True)
        logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        assert results["loss"] == pytest.approx(-logs[np.arange(90), Y].mean(), rel=1e-5)
        assert results["accuracy"] == pytest.approx((scores.argmax(axis=1) == Y).mean())
        assert trainer.evaluate(X, Y, verbose=0) == list(results.values())
        assert classifier().evaluate(X, Y, verbose=0) == results["loss"]

    def test_nothing_is_trained(self):
        trainer = classifier()
        trainer.model.append(nn.BatchNorm1d(3))
        before = weights(trainer)
        trainer.evaluate(X, Y, verbose=0)
        trainer.predict(X)
        assert same(weights(trainer), before)

    def test_predictions_do_not_share_memory_with_later_ones(self):
        trainer = classifier()
        first = trainer.predict(X[:5])
        kept = first.copy()
        trainer.predict(-X[:5])
        np.testing.assert_array_equal(first, kept)

    def test_targets_of_a_data_set_are_passed_over(self):
        trainer = classifier()
        np.testing.assert_array_equal(trainer.predict(ArrayDataset(X, Y)), trainer.predict(X))
        assert trainer.predict(DataLoader(ArrayDataset(X, Y), 10), steps=2).shape == (20, 3)

    def test_several_outputs(self):
        class Two(nn.Module):
            def forward(self, x):
                return x, x * 2

        first, second = Trainer(
            Two(), loss="mse", optimizer=optim.SGD([nn.Parameter([1.0])], lr=0.1)
        ).predict(X)
        np.testing.assert_array_equal(second, 2 * first)


class TestCallbacks:
    def test_order_of_hooks(self):
        calls = []

        class Watch(Callback):
            pass

        def record(hook):
            return lambda self, *arguments: calls.append(hook)

        for hook in [name for name in dir(Callback) if name.startswith("on_")]:
            setattr(Watch, hook, record(hook))
        trainer = regression()
        trainer.fit(
            X, R, 90, epochs=1, verbose=0, callbacks=[Watch()], validation_data=(X, R), validation_steps=1
        )
        trainer.predict(X, 90, callbacks=[Watch()])
        assert [call.removeprefix("on_") for call in calls] == [
            "train_begin", "epoch_begin", "train_batch_begin", "train_batch_end",
            "test_begin", "test_batch_begin", "test_batch_end", "test_end", "epoch_end", "train_end",
            "predict_begin", "predict_batch_begin", "predict_batch_end", "predict_end",
        ]  # fmt: skip

    def test_early_stopping(self):
        history = regression().fit(
            X,
            R,
            epochs=500,
            verbose=0,
            validation_split=0.2,
            callbacks=[EarlyStopping(patience=2, min_delta=1e-3, restore_best_weights=True)],
        )
        assert len(history.epoch) < 500

    def test_best_weights_come_back(self):
        trainer = regression(optimizer=lambda p: optim.SGD(p, lr=2.0))  # diverges
        stop = EarlyStopping("loss", patience=3, restore_best_weights=True)
        history = trainer.fit(X, R, epochs=20, verbose=0, validation_data=(X, R), callbacks=[stop])
        best = history.history["val_loss"][stop.best_epoch]
        assert trainer.evaluate(X, R, verbose=0) == pytest.approx(best, rel=1e-5)

    def test_stopping_in_the_middle_of_an_epoch(self):
        steps = []

        class Stop(Callback):
            def on_train_batch_end(self, batch, logs=None):
                steps.append(batch)
                self.model.stop_training = batch == 1

        history = regression(callbacks=[Stop()]).fit(X, R, 10, epochs=5, verbose=0)
        assert steps == [0, 1]
        assert history.epoch == [0]

    @pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
    def test_interruption(self, error):
        ended = []

        class Interrupt(Callback):
            def on_train_batch_end(self, batch, logs=None):
                if self.trainer.history.epoch == [0] and batch == 1:
                    raise error

            def on_train_end(self, logs=None):
                ended.append(logs["loss"])

        trainer = regression()
        with pytest.raises(error):
            trainer.fit(X, R, epochs=5, verbose=0, callbacks=[Interrupt()])
        assert trainer.history.epoch == [0]
        assert len(ended) == 1
        assert trainer.model.training

    @pytest.fixture
    def python_s_ctrl_c(self):
        """A test run in the background is started with the signal ignored."""
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        yield signal.default_int_handler
        signal.signal(signal.SIGINT, before)

    @pytest.mark.parametrize("times", [1, 2])
    def test_ctrl_c_while_an_epoch_is_written_down(self, tmp_path, python_s_ctrl_c, times):
        class CtrlC(Callback):
            def on_epoch_end(self, epoch, logs=None):
                for _ in range(times if epoch == 1 else 0):
                    signal.raise_signal(signal.SIGINT)

        log = tmp_path / "log.csv"
        trainer = regression()
        with pytest.raises(KeyboardInterrupt):
            trainer.fit(X, R, epochs=5, verbose=0, callbacks=[CtrlC(), CSVLogger(log)])
        # Once: the epoch is finished first. Twice: at once, before the callbacks that follow.
        whole = 2 if times == 1 else 1
        assert trainer.history.epoch == list(range(whole))
        assert len(log.read_text().splitlines()) == 1 + whole
        assert signal.getsignal(signal.SIGINT) is python_s_ctrl_c
        trainer.fit(X, R, epochs=1, verbose=0)

    def test_wrong_kind(self):
        with pytest.raises(TypeError, match="callbacks: got a int"):
            regression().fit(X, R, verbose=0, callbacks=[5])

    def test_verbose_2_prints_a_line_per_epoch(self):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            regression().fit(X, R, epochs=2, verbose=2, validation_split=0.1)
        lines = out.getvalue().splitlines()
        assert len(lines) == 2
        assert lines[0].startswith("Epoch 1/2 - ")
        assert " - loss: " in lines[0]
        assert " - val_loss: " in lines[0]
