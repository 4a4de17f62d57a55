"""Weights of PyTorch in models of ours: orders of axes and elements, names, files, what does not fit."""

from __future__ import annotations

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import io, models, nn
from drivetrain.models import load_pytorch_weights
from golden import networks


class ByReshape(nn.Module):
    """Flattens without a layer, and behind a function."""

    def __init__(self, activates=False):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(2, 3, 3), nn.Linear(3 * 4 * 5, 4)
        self.activates = activates

    def forward(self, x):
        hidden = self.conv(x)
        if self.activates:
            hidden = dt.relu(hidden)
        return self.fc(hidden.reshape((hidden.shape[0], -1)))


def pair(name):
    """A model of ours, PyTorch's, and the shape of an image."""
    torch = pytest.importorskip("torch")
    t = torch.nn
    image = (6, 7, 2)
    if name in ("reshape", "reshape and relu"):
        ours = ByReshape(name.endswith("relu"))
        theirs = t.Sequential()
        theirs.add_module("conv", t.Conv2d(2, 3, 3))
        if ours.activates:
            theirs.add_module("relu", t.ReLU())
        theirs.add_module("flatten", t.Flatten())
        theirs.add_module("fc", t.Linear(60, 4))
        return ours, theirs, image
    if name == "generator":
        ours = [nn.Linear(5, 4 * 2 * 3), nn.ReLU(), nn.Unflatten(1, (2, 3, 4)), nn.ConvTranspose2d(4, 2, 3)]
        theirs = [t.Linear(5, 24), t.ReLU(), t.Unflatten(1, (4, 2, 3)), t.ConvTranspose2d(4, 2, 3)]
        return nn.Sequential(*ours), t.Sequential(*theirs), (5,)
    if name == "sequence":
        ours = [nn.Conv1d(3, 4, 3, groups=1), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(4 * 4, 2)]
        theirs = [t.Conv1d(3, 4, 3), t.MaxPool1d(2), t.Flatten(), t.Linear(16, 2)]
        return nn.Sequential(*ours), t.Sequential(*theirs), (10, 3)
    ours, theirs = [nn.Conv2d(2, 4, 3, groups=2), nn.ReLU()], [t.Conv2d(2, 4, 3, groups=2), t.ReLU()]
    if name == "layer norm":
        ours += [nn.LayerNorm((4, 5, 4))]
        theirs += [t.LayerNorm((4, 4, 5))]
    ours.append(nn.Flatten())
    theirs.append(t.Flatten())
    if name == "norm behind":
        ours += [nn.Dropout(0.5), nn.BatchNorm1d(80), nn.ReLU()]
        theirs += [t.Dropout(0.5), t.BatchNorm1d(80), t.ReLU()]
    ours += [nn.Linear(80, 16), nn.ReLU(), nn.Linear(16, 16), nn.Linear(16, 3)]
    theirs += [t.Linear(80, 16), t.ReLU(), t.Linear(16, 16), t.Linear(16, 3)]
    return nn.Sequential(*ours), t.Sequential(*theirs), image


def ones(**shapes):
    """A state dict of ones; a double underline stands for the dot of a name."""
    return {name.replace("__", "."): np.ones(shape) for name, shape in shapes.items()}


CASES = ("plain", "layer norm", "norm behind", "reshape", "reshape and relu", "generator", "sequence")


@pytest.mark.parametrize("form", ["state", "pt", "legacy", "safetensors", "trainer"])
@pytest.mark.parametrize("name", CASES)
def test_same_outputs(name, form, tmp_path):
    ours, theirs, shape = pair(name)
    import torch

    for tensor in theirs.state_dict().values():
        if tensor.dtype.is_floating_point:
            tensor.uniform_(0.1, 0.9)
    state = theirs.state_dict()
    path = tmp_path / ("w.safetensors" if form == "safetensors" else "w.pth")
    if form == "trainer":
        torch.save({"state_dict": {f"model.{key}": value for key, value in state.items()}, "epoch": 1}, path)
    elif form == "safetensors":
        pytest.importorskip("safetensors.torch").save_file(state, path)
    elif form != "state":
        torch.save(state, path, _use_new_zipfile_serialization=form == "pt")
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    result = ours.load_pytorch(state if form == "state" else path, example=x if len(shape) == 1 else shape)
    assert result == ([], [])
    with torch.no_grad():
        given = torch.from_numpy(np.moveaxis(x, -1, 1) if len(shape) > 1 else x)
        expected = np.moveaxis(theirs.eval()(given).numpy(), 1, -1)
    assert ours.training
    np.testing.assert_allclose(ours.eval()(dt.tensor(x)).detach().numpy(), expected, rtol=2e-5, atol=1e-5)


def lenet_weights(model, shift=True):
    """Weights of PyTorch for our LeNet, whose first layer scales bytes."""
    made = {}
    for name, value in model.state_dict().items():
        shape = tuple(value.shape)
        number, _, last = name.partition(".")
        theirs = f"{int(number) - 1}.{last}" if shift else name
        shape = (shape[0], shape[-1], *shape[1:-1]) if len(shape) == 4 else shape
        made[theirs] = networks.weight(theirs, shape)
    return made


def test_without_example_usual_sizes_are_tried():
    model = models.lenet()
    given = lenet_weights(model)
    model.load_pytorch(given, rename=lambda name: f"{int(name[: -len(rest(name))]) + 1}{rest(name)}")
    ours = model.state_dict()["8.weight"].numpy().reshape(120, 5, 5, 16)
    theirs = given["7.weight"].reshape(120, 16, 5, 5)
    np.testing.assert_array_equal(ours, theirs.transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(model.state_dict()["10.weight"].numpy(), given["9.weight"])


def rest(name):
    return name[name.index(".") :]


def test_match_by_order():
    model, other = models.lenet(), models.lenet()
    given = lenet_weights(model)
    model.load_pytorch(given, match="order")
    other.load_pytorch(lenet_weights(other), rename={str(i): str(i + 1) for i in range(13)})
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), other.state_dict()[name].numpy())
    with pytest.raises(ValueError, match="there are 9 weights and the model has 10"):
        model.load_pytorch(dict(list(given.items())[:-1]), match="order")


def test_rename_by_beginnings():
    model = nn.Sequential({"stem": nn.Linear(2, 3), "head": nn.Linear(3, 1)})
    state = ones(a__x__weight=(3, 2), a__x__bias=3, a__y__weight=(1, 3), a__y__bias=1)
    model.load_pytorch(state, rename={"a": "head", "a.x": "stem", "a.y": "head"})
    assert model.stem.weight.detach().numpy().sum() == 6
    with pytest.raises(ValueError, match=r"two weights the name 'head\.weight'"):
        model.load_pytorch(state, rename={"a.x": "head", "a.y": "head"})
    extra = {**state, "b.weight": np.ones(3)}
    model.load_pytorch(
        extra, rename=lambda n: None if n[0] == "b" else n.replace("a.x", "stem").replace("a.y", "head")
    )


def test_what_does_not_fit_is_listed_and_nothing_changes():
    model = nn.Sequential({"fc": nn.Linear(2, 3), "out": nn.Linear(3, 3)})
    before = {name: value.numpy().copy() for name, value in model.state_dict().items()}
    given = ones(linear__weight=(3, 2), linear__bias=3, out__weight=(4, 3), out__bias=3)
    with pytest.raises(ValueError, match="do not fit Sequential") as caught:
        model.load_pytorch(given)
    message = str(caught.value)
    assert "missing: fc.weight (is it 'linear.weight'? then rename it)" in message
    assert "unexpected: linear.bias" in message
    assert "out.weight: has shape (4, 3) in our order of axes, expected (3, 3)" in message
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[name])
    given["out.weight"] = np.ones((3, 3))
    assert model.load_pytorch(given, strict=False) == (
        ["fc.weight", "fc.bias"],
        ["linear.weight", "linear.bias"],
    )
    assert model.out.weight.detach().numpy().all()


def test_counters_of_batches():
    counted = {"num_batches_tracked": np.array(5)} | ones(weight=3, bias=3, running_mean=3, running_var=3)
    nn.BatchNorm1d(3).load_pytorch(counted)
    keeps = nn.BatchNorm1d(3, momentum=None)
    keeps.load_pytorch(counted)
    assert int(keeps.num_batches_tracked) == 5
    with pytest.raises(ValueError, match="unexpected: num_batches_tracked"):
        nn.Linear(1, 1).load_pytorch(
            {"weight": np.ones((1, 1)), "bias": np.ones(1), "num_batches_tracked": np.array(1)}
        )


def test_an_image_whose_size_is_unknown():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 3 * 4, 2))
    state = ones(**{"0.weight": (2, 1, 3, 3), "0.bias": 2, "2.weight": (2, 24), "2.bias": 2})
    with pytest.raises(ValueError, match=r"give example=\(height, width, channels\)"):
        model.load_pytorch(state)
    model.load_pytorch(state, example=(5, 6, 1))
    with pytest.raises(ValueError, match="24"):
        model.load_pytorch(state, example=(9, 9, 1))


def test_one_layer_for_two_shapes_is_refused():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.flatten, self.fc = nn.Conv2d(1, 1, 1), nn.Flatten(), nn.Linear(6, 2)

        def forward(self, x):
            x = self.conv(x)
            return self.fc(self.flatten(x)) + self.fc(self.flatten(self.conv(x.reshape((-1, 3, 2, 1)))))

    state = ones(conv__weight=(1, 1, 1, 1), conv__bias=1, fc__weight=(2, 6), fc__bias=2)
    with pytest.raises(ValueError, match="no one order of its weights"):
        Twice().load_pytorch(state, example=(2, 3, 1))


def test_bfloat16(tmp_path):
    torch = pytest.importorskip("torch")
    state = torch.nn.Linear(2, 3).bfloat16().state_dict()
    torch.save(state, tmp_path / "w.pt")
    for given in (state, tmp_path / "w.pt"):
        model = nn.Linear(2, 3)
        model.load_pytorch(given)
        np.testing.assert_array_equal(model.weight.detach().numpy(), state["weight"].float().numpy())


def test_our_own_safetensors_are_not_taken_for_theirs(tmp_path):
    """A file of ours has our order: `load_weights` is for it."""
    model = nn.Sequential(nn.Conv2d(2, 4, 3))
    io.save_weights(model, tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match=r"drivetrain wrote|load_weights"):
        model.load_pytorch(tmp_path / "w.safetensors")


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: load_pytorch_weights(3, {}), TypeError, "model is a int, expected a Module"),
        (lambda: nn.Linear(1, 1).load_pytorch([]), TypeError, "weights is a list"),
        (lambda: nn.Linear(1, 1).load_pytorch({}, match="shape"), ValueError, "match is 'shape'"),
        (lambda: nn.Linear(1, 1).load_pytorch({"weight": "x"}), TypeError, "'weight' is a str"),
        (lambda: models.resnet20().load_pytorch({}, example=(0, 1, 3)), ValueError, "example is"),
    ],
)
def test_wrong_arguments(call, kind, message):
    with pytest.raises(kind, match=message):
        call()
