"""Freezing, heads, learning rates by depth, fine-tuning, features."""

from __future__ import annotations

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import io, models, nn, optim
from drivetrain.data import ArrayDataset, DataLoader


def network(classes=4):
    dt.manual_seed(0)
    return models.resnet20(classes, base_width=4, in_channels=1)


def images(count=32, seed=0):
    """Grey images whose brightness tells the class."""
    labels = np.arange(count) % 4
    noise = np.random.default_rng(seed).normal(size=(count, 16, 16, 1))
    return (labels[:, None, None, None] + 0.3 * noise).astype(np.float32), labels


def state(model):
    return {name: value.numpy().copy() for name, value in model.state_dict().items()}


def trained(model):
    return [name for name, parameter in model.named_parameters() if parameter.requires_grad]


def step(model, optimizer=None):
    """A step of training; the names of what it has changed."""
    x, y = images()
    optimizer = optimizer or optim.SGD(model.parameters(), lr=0.1)
    before = state(model)
    model.train()
    loss = nn.functional.cross_entropy(model(dt.tensor(x)), dt.tensor(y))
    loss.backward()
    optimizer.step()
    model.zero_grad()
    return {name for name, value in state(model).items() if not np.array_equal(value, before[name])}


def test_what_is_frozen_stays_with_its_statistics():
    model = network()
    frozen = models.freeze(model)
    assert trained(model) == ["fc.weight", "fc.bias"]
    assert len(frozen) + 2 == len(list(model.parameters()))
    assert step(model) == {"fc.weight", "fc.bias"}


def test_unfreeze_brings_everything_back():
    model = network()
    models.freeze(model, "*")
    assert not trained(model)
    models.unfreeze(model)
    assert step(model) == set(state(model))


def test_statistics_follow_where_their_norm_is_trained():
    model = network()
    models.freeze(model)
    models.unfreeze(model, "layer3.2")
    changed = step(model)
    assert "layer3.2.bn2.running_mean" in changed
    assert changed == {name for name in state(model) if name.startswith(("layer3.2", "fc"))}


def test_frozen_norm_gives_what_evaluation_gives():
    norm = nn.BatchNorm2d(3)
    norm(dt.rand((4, 5, 5, 3)))
    x = dt.rand((4, 5, 5, 3)) * 3
    expected = norm.eval()(x).detach().numpy()
    norm.train()
    models.freeze(norm, "*")
    np.testing.assert_array_equal(norm(x).detach().numpy(), expected)
    np.testing.assert_array_equal(nn.Sequential(norm, nn.ReLU())(x).detach().numpy(), np.maximum(expected, 0))
    models.unfreeze(norm)
    assert not np.array_equal(norm(x).detach().numpy(), expected)


def test_norms_without_parameters_are_frozen_by_their_name():
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2, affine=False))
    models.freeze(model, "1")
    assert model[1].is_frozen
    models.unfreeze(model, "1")
    assert not model[1].is_frozen


def test_frozen_cumulative_norm_counts_no_batches():
    norm = nn.BatchNorm1d(2, momentum=None)
    models.freeze(norm, "*")
    norm(dt.rand((4, 2)))
    assert int(norm.num_batches_tracked) == 0


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("0", ["0.weight", "0.bias"]),
        (["0", "4.bias"], ["0.weight", "0.bias", "4.bias"]),
        ("*.bias", ["0.bias", "2.bias", "4.bias"]),
        (("?.weight",), ["0.weight", "2.weight", "4.weight"]),
    ],
)
def test_patterns(names, expected):
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    assert models.freeze(model, names) == expected
    assert models.unfreeze(model, names) == expected


@pytest.mark.parametrize(("depth", "count"), [(0, 0), (1, 2), (2, 4), (3, 6), (-1, 4), (-3, 0)])
def test_depth(depth, count):
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    names = [name for name, _ in model.named_parameters()]
    assert models.freeze(model, depth=depth) == names[:count]
    models.freeze(model, "*")
    assert models.unfreeze(model, depth=depth) == names[len(names) - count :]


def test_a_norm_belongs_to_the_layer_before_it():
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Conv2d(2, 2, 3), nn.BatchNorm2d(2)
    )
    assert models.freeze(model, depth=1) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    assert (model[1].is_frozen, model[4].is_frozen) == (True, False)


def test_learning_rates_fall_towards_the_input():
    model = network()
    groups = models.parameter_groups(model, 1.0, decay=0.5)
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))
    assert [group["lr"] for group in groups] == [0.5**i for i in range(10, -1, -1)]  # conv1, 9 blocks, fc
    assert groups[0]["params"][0] is model.conv1.weight
    assert groups[-1]["params"][0] is model.fc.weight
    optimizer = optim.SGD(groups)
    before = state(model)
    x, y = images()
    nn.functional.cross_entropy(model(dt.tensor(x)), dt.tensor(y)).backward()
    moved = model.conv1.weight.grad.numpy() * 0.5**10
    optimizer.step()
    np.testing.assert_allclose(model.conv1.weight.detach().numpy(), before["conv1.weight"] - moved, rtol=1e-5)


@pytest.mark.parametrize("name", ["resnet18", "vgg11_bn", "mobilenet_v2", "googlenet", "unet"])
def test_heads_of_the_networks(name, tmp_path):
    options = {"googlenet": {"auxiliary": True}, "unet": {"base_width": 4}}.get(name, {"small_images": True})
    model = getattr(models, name)(5, in_channels=3, **options)
    names = models.replace_head(model, 2)
    assert (
        names
        == {
            "resnet18": ["fc"],
            "vgg11_bn": ["classifier"],
            "mobilenet_v2": ["classifier.1"],
            "googlenet": ["fc", "aux1.fc2", "aux2.fc2"],
            "unet": ["conv"],
        }[name]
    )
    x = dt.zeros((1, 32, 32, 3))
    assert model.eval()(x).shape[-1] == 2
    model.save(tmp_path / "m.safetensors")
    again = io.load_model(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again(x).detach().numpy(), model(x).detach().numpy())


def test_a_head_made_with_a_keyword_is_saved(tmp_path):
    model = models.UNet(classes=3, base_width=4)
    models.replace_head(model, 2)
    model.save(tmp_path / "m.safetensors")
    assert io.load_model(tmp_path / "m.safetensors").conv.out_channels == 2


def test_new_heads_are_trained_and_keep_their_kind():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3, bias=False)).double()
    models.freeze(model, "*")
    assert models.replace_head(model, 5) == ["2"]
    assert trained(model) == ["2.weight"]
    assert model[2].weight.dtype == dt.float64
    assert models.replace_head(model, 4, name="0") == ["0"]
    assert model[0].out_channels == 4


def test_fine_tune():
    model = network(10)
    models.replace_head(model, 4)
    x, y = images(64)
    rates = []
    history = models.fine_tune(
        model,
        x,
        y,
        frozen_epochs=1,
        epochs=6,
        lr=0.05,
        optimizer=lambda groups: rates.append([group["lr"] for group in groups]) or optim.AdamW(groups),
        validation_data=images(32, seed=1),
        batch_size=16,
        verbose=0,
        seed=0,
    )
    assert [len(group) for group in rates] == [1, 11]
    assert rates[0] == [0.05]
    assert rates[1][-1] == 0.025
    assert rates[1][-2] == pytest.approx(0.02)
    assert history.epoch == list(range(7))
    assert len(history.history["val_accuracy"]) == 7
    assert history.history["val_accuracy"][-1] > 0.9
    assert len(trained(model)) == len(list(model.parameters()))


def test_fine_tune_of_the_head_alone():
    model = network()
    before = state(model)
    x, y = images()
    models.fine_tune(
        model, DataLoader(ArrayDataset(x, y), batch_size=8), epochs=0, frozen_epochs=2, verbose=0
    )
    changed = {name for name, value in state(model).items() if not np.array_equal(value, before[name])}
    assert changed == {"fc.weight", "fc.bias"}


def test_features():
    model = network()
    x, y = images(10)
    features = models.extract_features(model, x, batch_size=4)
    assert features.shape == (10, 16)
    assert features.dtype == np.float32
    np.testing.assert_allclose(
        features @ model.fc.weight.detach().numpy().T + model.fc.bias.detach().numpy(),
        model.predict(x),
        atol=1e-5,
    )
    inner = models.extract_features(model, x, "layer2", pool="none")
    assert inner.shape == (10, 8, 8, 8)
    np.testing.assert_allclose(
        models.extract_features(model, x, "layer2"), inner.mean(axis=(1, 2)), rtol=1e-6
    )
    np.testing.assert_array_equal(
        models.extract_features(model, x, "layer2", pool="max"), inner.max(axis=(1, 2))
    )
    flat = models.extract_features(model, x, "layer2", pool="flatten")
    np.testing.assert_array_equal(flat, inner.reshape(10, -1))
    pair = models.extract_features(model, DataLoader(ArrayDataset(x, y), batch_size=4), return_targets=True)
    np.testing.assert_array_equal(pair[0], features)
    np.testing.assert_array_equal(pair[1], y)
    assert model.training
    assert all(module._hooks is None for module in model.modules())


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda m: models.freeze(3), TypeError, "freeze: model is a int"),
        (
            lambda m: models.freeze(m, "layr1"),
            ValueError,
            "no layer is called 'layr1'; did you mean 'layer1'",
        ),
        (lambda m: models.freeze(m, "fc", depth=1), ValueError, "names and depth"),
        (lambda m: models.unfreeze(m, depth=12), ValueError, "the network has 11 steps"),
        (lambda m: models.freeze(m, depth=1.0), TypeError, "expected a whole number"),
        (lambda m: models.freeze(nn.ReLU()), ValueError, "could be its head"),
        (lambda m: models.replace_head(m, 0), ValueError, "classes must be a positive integer"),
        (lambda m: models.replace_head(m, 2, name="bn1"), ValueError, "'bn1' is no linear layer"),
        (lambda m: models.replace_head(m, 2, name="fcc"), ValueError, "did you mean 'fc'"),
        (lambda m: models.parameter_groups(m, 0.0), ValueError, "lr must be a positive number"),
        (lambda m: models.parameter_groups(m, 1.0, decay=2.0), ValueError, "decay must be a number above 0"),
        (lambda m: models.fine_tune(m, *images(), epochs=-1), ValueError, "epochs must be"),
        (lambda m: models.fine_tune(m, *images(), base_lr=1), TypeError, "no argument 'base_lr'"),
        (lambda m: models.extract_features(m, images()[0], "none"), ValueError, "no layer is called 'none'"),
        (lambda m: models.extract_features(m, images()[0], pool="sum"), ValueError, "pool must be one of"),
        (lambda m: models.extract_features(m, images()[0], return_targets=True), ValueError, "no targets"),
    ],
)
def test_wrong_arguments(call, kind, message):
    with pytest.raises(kind, match=message):
        call(network())


def test_a_layer_that_does_not_run():
    model = models.googlenet(3, auxiliary=True)
    with pytest.raises(ValueError, match=r"'aux1\.fc1' does not run"):
        models.extract_features(model, np.zeros((2, 32, 32, 3), np.float32), "aux1.fc1")


@pytest.mark.parametrize("names", [5, [5], [None]])
def test_names_that_are_no_text(names):
    with pytest.raises(TypeError, match=r"freeze: names is .*, expected a name or a list of names"):
        models.freeze(nn.Sequential(nn.Linear(2, 2)), names)
