"""Training in half precision: GradScaler, Trainer(precision=), models in half formats."""

import copy
import pickle

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import nn, optim
from drivetrain.nn import functional
from drivetrain.optim import GradScaler
from drivetrain.train import Predictor, Trainer
from op_table.tools import on_threads
from trainer_tools import BadBackward, R, X, Y, same, weights

HALVES = ("bfloat16", "float16")


def loss_with_gradient(*values):
    """A parameter, and a loss whose gradient by it is `values`."""
    w = dt.tensor(np.zeros(len(values)), dtype="float32", requires_grad=True)
    return w, (w * dt.tensor(np.array(values), dtype="float32")).sum()


class TestGradScaler:
    def test_scales_and_divides(self):
        w, loss = loss_with_gradient(1.0, -2.0)
        optimizer, scaler = optim.SGD([w], lr=1.0), GradScaler(init_scale=1024.0)
        scaler.scale(loss).backward()
        assert w.grad.tolist() == [1024.0, -2048.0]
        scaler.step(optimizer)
        scaler.update()
        assert w.tolist() == [-1.0, 2.0]
        assert scaler.get_scale() == 1024.0

    def test_several_losses(self):
        scaler = GradScaler(init_scale=4.0)
        losses = scaler.scale([dt.tensor(1.0), (dt.tensor(2.0),)])
        assert losses[0].item() == 4.0
        assert losses[1][0].item() == 8.0

    def test_clipping_counts_after_the_division(self):
        w, loss = loss_with_gradient(3.0, 4.0)
        optimizer, scaler = optim.SGD([w], lr=1.0), GradScaler()
        scaler.scale(loss).backward()
        scaler.step(optimizer, max_norm=1.0)
        np.testing.assert_allclose(w.tolist(), [-0.6, -0.8], rtol=1e-5)
        assert optimizer.grad_norm == pytest.approx(5.0)

    @pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan, 3e38])
    def test_skips_and_backs_off(self, bad):
        w, loss = loss_with_gradient(1.0, bad)
        optimizer, scaler = optim.Adam([w]), GradScaler(init_scale=64.0, growth_interval=2)
        scaler.scale(loss).backward()
        assert scaler.step(optimizer) is None
        scaler.update()
        assert w.tolist() == [0.0, 0.0]
        assert not optimizer.state
        assert (scaler.get_scale(), scaler.skipped_steps) == (32.0, 1)

    def test_grows(self):
        scaler = GradScaler(init_scale=2.0, growth_interval=3, growth_factor=4.0)
        scales = []
        for _ in range(7):
            w, loss = loss_with_gradient(1.0)
            optimizer = optim.SGD([w], lr=1.0)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            scales.append(scaler.get_scale())
        assert scales == [2, 2, 8, 8, 8, 32, 32]

    def test_one_optimizer_of_two_overflows(self):
        good, first = loss_with_gradient(1.0)
        bad, second = loss_with_gradient(np.inf)
        optimizers, scaler = [optim.SGD([w], lr=1.0) for w in (good, bad)], GradScaler()
        scaler.scale(first).backward()
        scaler.scale(second).backward()
        for optimizer in optimizers:
            scaler.step(optimizer)
        scaler.update()
        assert (good.item(), bad.item()) == (-1.0, 0.0)
        assert scaler.get_scale() == 32768.0

    def test_unscale(self):
        w, loss = loss_with_gradient(1.0, 2.0)
        optimizer, scaler = optim.SGD([w], lr=1.0), GradScaler()
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        assert w.grad.tolist() == [1.0, 2.0]
        with pytest.raises(RuntimeError, match="unscale_: called twice"):
            scaler.unscale_(optimizer)
        scaler.step(optimizer)
        assert w.tolist() == [-1.0, -2.0]
        with pytest.raises(RuntimeError, match=r"unscale_: called after step\(\)"):
            scaler.unscale_(optimizer)
        with pytest.raises(RuntimeError, match="step: called twice"):
            scaler.step(optimizer)
        scaler.update()
        with pytest.raises(RuntimeError, match=r"update: call step\(\) before"):
            scaler.update()

    def test_a_step_that_raises_can_be_made_again(self):
        w, loss = loss_with_gradient(1.0)
        optimizer, scaler = optim.SGD([w], lr=1.0), GradScaler()
        scaler.scale(loss).backward()
        with pytest.raises(TypeError, match=r"GradScaler.step: grad_scale must be a finite number, got 'x'"):
            scaler.step(optimizer, grad_scale="x")
        with pytest.raises(ValueError, match="max_norm"):
            scaler.step(optimizer, max_norm=-1)
        scaler.step(optimizer)
        assert w.item() == -1.0

    def test_gradients_that_are_spoilt_after_unscale(self):
        w, loss = loss_with_gradient(1.0)
        optimizer, scaler = optim.SGD([w], lr=1.0), GradScaler()
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        w.grad = w.grad * np.nan
        scaler.step(optimizer)
        assert (w.item(), scaler.skipped_steps) == (0.0, 1)

    def test_copies_and_loaded_ones_have_seen_no_optimizer(self):
        w, loss = loss_with_gradient(1.0)
        optimizer, scaler = optim.SGD([w], lr=1.0), GradScaler()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        for other in (copy.deepcopy(scaler), pickle.loads(pickle.dumps(scaler))):
            other.step(optimizer)
        scaler.load_state_dict(scaler.state_dict())
        scaler.step(optimizer)
        assert w.item() == -4.0

    @pytest.mark.parametrize("scale", [1e-300, 2.0**-140, 1e300])
    def test_scales_beyond_float32_are_refused(self, scale):
        with pytest.raises(ValueError, match="init_scale must be above 0, and like its inverse within"):
            GradScaler(init_scale=scale)

    def test_other_things_than_optimizers(self):
        for call in (GradScaler().step, GradScaler().unscale_):
            with pytest.raises(TypeError, match="expected an Optimizer, got NoneType"):
                call(None)
        with pytest.raises(TypeError, match="load_state_dict: expected a dict, got int"):
            GradScaler().load_state_dict(3)

    def test_closures_are_refused(self):
        w, loss = loss_with_gradient(1.0)
        loss.backward()
        with pytest.raises(RuntimeError, match="closure"):
            GradScaler().step(optim.SGD([w]), lambda: loss)

    def test_disabled(self):
        w, loss = loss_with_gradient(1.0)
        optimizer, scaler = optim.SGD([w], lr=1.0), GradScaler(enabled=False)
        assert scaler.scale(loss) is loss
        loss.backward()
        scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
        assert (w.item(), scaler.get_scale(), scaler.state_dict()) == (-1.0, 1.0, {})

    def test_state(self):
        scaler = GradScaler(init_scale=8.0, growth_factor=3.0, backoff_factor=0.25, growth_interval=5)
        for value in (np.inf, 1.0, 1.0):
            w, loss = loss_with_gradient(value)
            scaler.scale(loss).backward()
            scaler.step(optim.SGD([w]))
            scaler.update()
        other = GradScaler()
        other.load_state_dict(scaler.state_dict())
        assert other.state_dict() == scaler.state_dict()
        assert (other.get_scale(), other.skipped_steps, other._tracker) == (2.0, 1, 2)
        with pytest.raises(ValueError, match="missing: scale"):
            other.load_state_dict({})

    def test_state_of_pytorch(self):
        scaler = GradScaler()
        torch_s = {"scale": 16.0, "growth_factor": 2.0, "backoff_factor": 0.5, "growth_interval": 9}
        scaler.load_state_dict({**torch_s, "_growth_tracker": 4})
        assert (scaler.get_scale(), scaler.growth_interval) == (16.0, 9)

    def test_the_scale_stays_a_number(self):
        scaler = GradScaler(init_scale=2.0**-126)
        w, loss = loss_with_gradient(np.inf)
        scaler.scale(loss).backward()
        scaler.step(optim.SGD([w]))
        scaler.update()
        assert scaler.get_scale() == 2.0**-126

    @pytest.mark.parametrize(
        "options",
        [
            {"init_scale": 0},
            {"growth_factor": 1.0},
            {"backoff_factor": 1.0},
            {"growth_interval": 0},
            {"init_scale": float("nan")},
        ],
    )
    def test_wrong_values(self, options):
        with pytest.raises(ValueError, match=next(iter(options))):
            GradScaler(**options)

    @pytest.mark.parametrize("options", [{"enabled": 1}, {"growth_interval": 2.5}, {"init_scale": "8"}])
    def test_wrong_types(self, options):
        with pytest.raises(TypeError, match=next(iter(options))):
            GradScaler(**options)


def small_gradients(output, target):
    """A loss whose gradients float16 cannot hold: they are below 6e-8."""
    return functional.mse_loss(output.float(), target) * 1e-9


def train_small_gradients(scaler):
    dt.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1))
    optimizer = optim.Adam(model.parameters(), lr=0.02, eps=1e-20)
    before = weights(Predictor(model))
    x, y = dt.tensor(X), dt.tensor(R[:, None])
    for _ in range(60):
        optimizer.zero_grad()
        with dt.autocast("float16"):
            loss = small_gradients(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    moved = not same(before, weights(Predictor(model)))
    return moved, functional.mse_loss(model(x), y).item()


def test_gradients_that_underflow_train_with_a_scaler_only():
    moved, loss = train_small_gradients(GradScaler(enabled=False))
    assert not moved
    assert loss > 1
    moved, loss = train_small_gradients(GradScaler(growth_interval=5))
    assert moved
    assert loss < 0.2


def new_trainer(precision, **options):
    dt.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 3))
    return Trainer(
        model,
        loss="cross_entropy",
        optimizer=lambda p: optim.Adam(p, lr=0.02),
        metrics=["accuracy"],
        seed=0,
        precision=precision,
        **options,
    )


class TestTrainer:
    @pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
    def test_learns(self, precision):
        trainer = new_trainer(precision)
        history = trainer.fit(X, Y, epochs=25, verbose=0, validation_data=(X, Y))
        assert history.history["accuracy"][-1] > 0.9
        assert history.history["val_accuracy"][-1] > 0.9
        assert all(parameter.dtype == dt.float32 for parameter in trainer.model.parameters())
        assert trainer.scaler.is_enabled() == (precision == "float16")
        assert not dt.is_autocast_enabled()

    @pytest.mark.parametrize(
        ("alias", "name"),
        [("fp32", "float32"), ("bf16", "bfloat16"), ("fp16", "float16"), (dt.bfloat16, "bfloat16")],
    )
    def test_aliases(self, alias, name):
        trainer = new_trainer(alias)
        assert trainer.precision == name

    @pytest.mark.parametrize("precision", ["half", "int8", 16, None])
    def test_wrong_precisions(self, precision):
        with pytest.raises(ValueError, match=r"precision is .*, expected one of float32, fp32, bfloat16"):
            new_trainer(precision)

    @pytest.mark.parametrize("half", HALVES)
    def test_equals_a_loop_by_hand(self, half):
        trainer = new_trainer(half)
        trainer.fit(X, Y, batch_size=30, epochs=2, shuffle=False, verbose=0)
        by_hand = new_trainer(half)
        model, optimizer, scaler = by_hand.model, by_hand.optimizer, GradScaler(enabled=half == "float16")
        for _ in range(2):
            for start in range(0, 90, 30):
                x, y = dt.tensor(X[start : start + 30]), dt.tensor(Y[start : start + 30])
                optimizer.zero_grad()
                with dt.autocast(half):
                    loss = functional.cross_entropy(model(x), y)
                scaler.scale(loss).backward()
                scaler.step(optimizer)
                scaler.update()
        assert same(weights(trainer), weights(by_hand))

    @pytest.mark.parametrize("half", HALVES)
    def test_same_bits_for_any_number_of_threads(self, half):
        def train():
            trainer = new_trainer(half)
            trainer.fit(X, Y, epochs=3, verbose=0)
            return weights(trainer).values()

        on_threads(train)

    @pytest.mark.parametrize("half", HALVES)
    def test_predicts_float32_in_the_half_format(self, half):
        dt.manual_seed(0)
        model = nn.Linear(4, 3)
        trainer = Trainer(model, loss="mse", optimizer="sgd", precision=half)
        guesses = trainer.predict(X)
        assert guesses.dtype == np.float32
        low = functional.linear(dt.tensor(X).astype(half), model.weight.astype(half), model.bias)
        np.testing.assert_array_equal(guesses, low.float().detach().numpy())

    def test_compile_takes_it(self):
        model = nn.Linear(4, 3)
        model.compile("adam", "cross_entropy", precision="bf16", on_nonfinite="skip")
        model.fit(X, Y, verbose=0)
        assert model.trainer.precision == "bfloat16"

    def test_overflow_of_the_scale_is_a_skip_and_no_error(self):
        trainer = new_trainer("float16")
        trainer.scaler = GradScaler(init_scale=2.0**40)
        history = trainer.fit(X, Y, epochs=25, verbose=0)
        assert trainer.scaler.skipped_steps > 10
        assert trainer.skipped_steps == 0
        assert history.history["loss"][-1] < history.history["loss"][0]

    def test_an_overflow_that_no_scale_mends_is_named(self):
        dt.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), BadBackward(), nn.Linear(8, 3))
        trainer = Trainer(model, loss="cross_entropy", optimizer="sgd", precision="fp16")
        with pytest.raises(FloatingPointError, match=r"even with a scale of 1\. .*layer '1' \(BadBackward\)"):
            trainer.fit(X, Y, epochs=20, verbose=0)
        assert trainer.scaler.skipped_steps == 17

    def test_an_overflow_of_the_forward_is_named(self):
        trainer = new_trainer("float16")
        trainer.model[0].weight.detach()[...] = 1e6
        with pytest.raises(FloatingPointError, match=r"layer '0' \(Linear\).*float16 ends at 65,504"):
            trainer.fit(X, Y, verbose=0)


class TestHalfModels:
    @pytest.mark.parametrize("half", HALVES)
    def test_predict_converts(self, half):
        dt.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
        exact = Predictor(model).predict(X)
        low = Predictor(model.to(half)).predict(X)
        assert low.dtype == np.float32
        np.testing.assert_allclose(low, exact, atol=0.03)
        np.testing.assert_array_equal(low, model.predict(X.astype(np.float64)))

    def test_shortcuts(self):
        assert nn.Linear(4, 3).half().weight.dtype == dt.float16
        assert nn.Linear(4, 3).bfloat16().weight.dtype == dt.bfloat16

    @pytest.mark.parametrize("half", HALVES)
    def test_statistics_stay_float32(self, half):
        norm = nn.BatchNorm1d(4)
        norm.running_var.fill_(1e6)
        norm.to(half)
        assert norm.running_var.dtype == norm.running_mean.dtype == dt.float32
        assert norm.weight.dtype == half
        assert norm.running_var[0].item() == 1e6


@pytest.mark.usefixtures("no_garbage")
@pytest.mark.parametrize("half", HALVES)
def test_activations_take_little_more_than_half_the_memory(half):
    def convolution(inputs, outputs):
        return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()

    model = nn.Sequential(*convolution(3, 16), nn.MaxPool2d(2), *convolution(16, 16), nn.GlobalAvgPool2d())
    x = dt.rand((8, 32, 32, 3))
    kept = {}
    for precision in ("float32", half):
        before = dt.memory_stats()["in_use"]
        with dt.autocast(half, enabled=precision == half):
            y = model(x)
        kept[precision] = dt.memory_stats()["in_use"] - before
        del y
    assert kept[half] <= 0.6 * kept["float32"]


def many_layers():
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.1)),
        *(nn.ConvTranspose2d(8, 8, 3), nn.GroupNorm(2, 8), nn.GELU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        nn.Linear(8, 2),
    )


@pytest.mark.parametrize("half", HALVES)
def test_a_network_of_many_layers(half):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(64, 8, 8, 1)).astype(np.float32), rng.integers(0, 2, 64)
    x[y == 1, 2:5, 2:5] += 2
    losses = {}
    for precision in ("float32", half):
        dt.manual_seed(0)
        trainer = Trainer(many_layers(), loss="cross_entropy", optimizer="adamw", precision=precision, seed=0)
        losses[precision] = trainer.fit(x, y, epochs=15, verbose=0).history["loss"]
    assert losses[half][-1] < losses[half][0]
    np.testing.assert_allclose(losses[half], losses["float32"], rtol=0.05)


def test_an_optimizer_of_replaced_parameters():
    model = nn.Sequential(nn.Linear(4, 3))
    model.compile("sgd", "cross_entropy")
    model.half()
    model.float()
    with pytest.raises(ValueError, match="the optimizer holds none of the model's parameters"):
        model.fit(X, Y, verbose=0)


@pytest.mark.parametrize("part", [0, slice(None)])
def test_models_in_a_half_format_are_not_trained(part):
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 3))
    model.compile("sgd", "cross_entropy")
    model[part].half()
    with pytest.raises(TypeError, match=r"'0.weight' is float16.* model.float\(\).* precision='float16'"):
        model.fit(X, Y, verbose=0)


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_data_in_half_formats_becomes_float32(dtype, precision):
    given = [dt.tensor(values).astype(dtype) for values in (X, R)]
    found = []
    for x, y in ([v.float().numpy() for v in given], given, [v.numpy() for v in given]):
        dt.manual_seed(0)
        trainer = Trainer(nn.Linear(4, 1), loss="mse", optimizer="sgd", precision=precision, seed=0)
        found.append(trainer.fit(x, y, epochs=2, verbose=0).history["loss"])
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("half", HALVES)
def test_a_training_that_goes_on_ends_with_the_same_bits(half):
    def new():
        dt.manual_seed(3)
        layers = nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3)
        trainer = Trainer(
            nn.Sequential(*layers), loss="cross_entropy", optimizer="adam", precision=half, seed=1
        )
        trainer.scaler.growth_interval = 5
        return trainer

    whole, first = new(), new()
    state = dt.default_generator.get_state()
    whole.fit(X, Y, epochs=4, batch_size=16, verbose=0)
    dt.default_generator.set_state(state)
    first.fit(X, Y, epochs=2, batch_size=16, verbose=0)
    state = dt.default_generator.get_state()
    second = new()
    second.model.load_state_dict(first.model.state_dict())
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    second.scaler.load_state_dict(first.scaler.state_dict())
    dt.default_generator.set_state(state)
    second.fit(X, Y, epochs=4, initial_epoch=2, batch_size=16, verbose=0)
    assert same(weights(whole), weights(second))
    assert second.scaler.get_scale() == whole.scaler.get_scale()


@pytest.mark.parametrize("unscale", [False, True])
def test_gradients_are_summed_and_clipped_as_in_one_batch(unscale):
    def train(parts):
        dt.manual_seed(0)
        model, scaler = nn.Linear(4, 3), GradScaler()
        optimizer = optim.SGD(model.parameters(), lr=0.5)
        for _ in range(3):
            optimizer.zero_grad()
            for at in range(0, 64, 64 // parts):
                inputs, labels = (dt.tensor(v[at : at + 64 // parts]) for v in (X, Y))
                with dt.autocast("float16"):
                    loss = functional.cross_entropy(model(inputs), labels) / parts
                scaler.scale(loss).backward()
            if unscale:
                scaler.unscale_(optimizer)
                nn.utils.clip_grad_norm_(list(model.parameters()), 0.1)
            scaler.step(optimizer, **({} if unscale else {"max_norm": 0.1}))
            scaler.update()
        assert scaler.skipped_steps == 0
        return model.weight.detach().numpy()

    np.testing.assert_allclose(train(4), train(1), rtol=0.01, atol=1e-4)


def test_float16_needs_an_optimizer_that_undoes_the_scale():
    class Own:
        def step(self):
            pass

        def zero_grad(self):
            pass

    with pytest.raises(TypeError, match=r"needs an optimizer of drivetrain.optim, .*got Own"):
        Trainer(nn.Linear(4, 3), loss="mse", optimizer=Own(), precision="float16")
