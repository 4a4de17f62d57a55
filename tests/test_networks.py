"""The networks of drivetrain.models: parameters, names, outputs beside PyTorch's, files, training."""

from __future__ import annotations

import json

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import io, models, nn
from drivetrain.nn import functional as F
from drivetrain.nn import init
from golden import networks

PUBLISHED = {
    "vgg11": 132_863_336,
    "vgg11_bn": 132_868_840,
    "vgg13": 133_047_848,
    "vgg13_bn": 133_053_736,
    "vgg16": 138_357_544,
    "vgg16_bn": 138_365_992,
    "vgg19": 143_667_240,
    "vgg19_bn": 143_678_248,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "resnet20": 269_722,
    "resnet32": 464_154,
    "resnet44": 658_586,
    "resnet56": 853_018,
    "resnet110": 1_727_962,
    "mobilenet_v2": 3_504_872,
    "googlenet": 6_624_904,
    "fast_cnn": 760_298,
    "unet": 7_763_041,
}
VARIANTS = [
    ("googlenet", {"auxiliary": True}, 13_004_888),
    (
        "unet",
        {"classes": 2, "in_channels": 1, "base_width": 64, "batch_norm": False, "padding": "valid"},
        31_030_658,
    ),
    ("resnet18", {"classes": 10, "small_images": True}, 11_173_962),
    ("resnet20", {"shortcut": "conv"}, 272_474),
    ("resnet18", {"in_channels": 1}, 11_689_512 - 2 * 7 * 7 * 64),
    ("vgg16_bn", {"classes": 10, "small_images": True}, 14_728_266),
]
SMALL = {
    "resnet18": {"base_width": 4, "small_images": True},
    "resnet34": {"base_width": 4, "small_images": True},
    "resnet50": {"base_width": 4},
    "resnet20": {"base_width": 4},
    "resnet32": {"base_width": 4, "shortcut": "conv"},
    "mobilenet_v2": {"width": 0.25, "small_images": True},
    "googlenet": {},
    "vgg11_bn": {"small_images": True},
    "unet": {"base_width": 4},
    "fast_cnn": {"input_shape": (32, 32, 3), "channels": (4, 8, 8, 16)},
}


@pytest.fixture
def no_numbers(monkeypatch):
    """Weights are not drawn: memory that nobody writes to costs nothing."""
    for name in ("kaiming_uniform_", "kaiming_normal_", "normal_", "trunc_normal_", "_uniform_by_fan_in"):
        monkeypatch.setattr(init, name, lambda tensor, *args, **options: tensor)


def parameters_of(model):
    return sum(parameter.size for parameter in model.parameters())


def small(name, **options):
    dt.manual_seed(0)
    return getattr(models, name)(**{"classes": 5, **SMALL[name], **options})


def torch_shapes(model):
    """The shapes of the weights in PyTorch, whose channels come first."""
    shapes = {}
    for name, value in model.state_dict().items():
        shape = tuple(value.shape)
        shapes[name] = (shape[0], shape[-1], *shape[1:-1]) if len(shape) == 4 else shape
    return shapes


@pytest.mark.usefixtures("no_numbers")
class TestPublished:
    @pytest.mark.parametrize("name", PUBLISHED)
    def test_parameters(self, name):
        assert parameters_of(getattr(models, name)()) == PUBLISHED[name]

    @pytest.mark.parametrize(("name", "options", "expected"), VARIANTS)
    def test_variants(self, name, options, expected):
        assert parameters_of(getattr(models, name)(**options)) == expected

    @pytest.mark.parametrize("name", networks.LISTED)
    def test_names_are_those_of_torchvision(self, name):
        options = {"auxiliary": True} if name == "googlenet" else {}
        shapes = torch_shapes(getattr(models, name)(**options))
        assert networks.fingerprint(shapes) == networks.recorded()[f"names of {name}"]


@pytest.mark.usefixtures("no_numbers")
@pytest.mark.parametrize("name", networks.CASES)
def test_outputs_are_those_of_pytorch(name):
    options, _, shape = networks.CASES[name]
    model = getattr(models, name)(networks.CLASSES, **options)
    result = model.load_pytorch(networks.weights(torch_shapes(model)))
    assert result == ([], [])
    with dt.no_grad():
        for module in model.modules():
            module.training = not isinstance(module, (nn.BatchNorm2d, nn.Dropout))
        output = model(dt.tensor(networks.image(shape)))
        parts = output if isinstance(output, tuple) else (output,)
        compare(parts, networks.recorded()[name])
        if len(parts) > 1:
            compare([model.eval()(dt.tensor(networks.image(shape)))], networks.recorded()[name][:1])


def compare(parts, expected):
    assert len(parts) == len(expected)
    for part, numbers in zip(parts, expected, strict=True):
        scale = max(map(abs, numbers))
        np.testing.assert_allclose(networks.picked(part.numpy()), numbers, atol=3e-5 * scale)


@pytest.mark.usefixtures("no_numbers")
@pytest.mark.parametrize("name", [name for name in networks.CASES if name != "vgg11_bn"])
def test_recorded_outputs_are_those_of_the_installed_pytorch(name):
    pytest.importorskip("torch")
    _, options, shape = networks.CASES[name]
    if options is not None:
        torchvision = pytest.importorskip("torchvision", exc_type=(ImportError, RuntimeError))
        model = getattr(torchvision.models, name)(num_classes=networks.CLASSES, **options)
    else:
        model = networks.REFERENCES[name]()
    for numbers, expected in zip(
        networks.torch_outputs(model, shape), networks.recorded()[name], strict=True
    ):
        np.testing.assert_allclose(numbers, expected, atol=3e-5 * max(map(abs, expected)))


@pytest.mark.parametrize("name", SMALL)
def test_saved_and_loaded(name, tmp_path):
    model = small(name)
    model.save(tmp_path / "model.safetensors")
    again = io.load_model(tmp_path / "model.safetensors")
    x = dt.tensor(networks.image((32, 32, 3)))
    with dt.no_grad():
        np.testing.assert_array_equal(again(x).numpy(), model.eval()(x).numpy())


@pytest.mark.parametrize("name", ["resnet20", "mobilenet_v2", "googlenet"])
def test_learns(name):
    model = small(name, in_channels=1, scale=1 / 255)
    images, _ = np.random.default_rng(0).integers(0, 256, (32, 32, 32, 1), dtype=np.uint8), None
    labels = np.arange(32) % 5
    images = (images // 4 + 40 * labels[:, None, None, None]).astype(np.uint8)
    model.compile(optimizer=dt.optim.AdamW(model.parameters(), lr=3e-3), loss="cross_entropy", seed=0)
    losses = model.fit(images, labels, batch_size=16, epochs=4, verbose=0).history["loss"]
    assert losses[-1] < 0.7 * losses[0]


def test_auxiliary_heads_train():
    model = models.googlenet(4, auxiliary=True)
    images = dt.tensor(networks.image((64, 64, 3)))
    output = model(images)
    assert [part.shape for part in output] == [(1, 4)] * 3
    models.AuxiliaryLoss()(output, dt.tensor([1])).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert model.eval()(images).shape == (1, 4)


def test_auxiliary_loss_weighs_the_heads():
    logits = [dt.tensor(row) for row in np.random.default_rng(0).normal(size=(3, 2, 4)).astype(np.float32)]
    target = dt.tensor([0, 3])
    parts = [F.cross_entropy(row, target).item() for row in logits]
    loss = models.AuxiliaryLoss(weight=0.5)(models.GoogLeNetOutputs(*logits), target)
    assert loss.item() == pytest.approx(parts[0] + 0.5 * (parts[1] + parts[2]), rel=1e-6)
    assert models.AuxiliaryLoss()(logits[0], target).item() == parts[0]


def test_summary_has_output_shapes():
    lines = []
    small("resnet18").summary((32, 32, 3), print_fn=lines.append)
    assert "(batch, 4, 4, 32)" in lines[0] or "4, 4, 32" in lines[0]
    assert "fc (Linear)" in lines[0]


@pytest.mark.parametrize("size", [(16, 16), (17, 31), (40, 50)])
def test_unet_takes_any_size(size):
    assert small("unet").eval()(dt.zeros((1, *size, 3))).shape == (1, *size, 5)


def test_unet_of_the_paper():
    model = models.unet(2, in_channels=1, base_width=2, batch_norm=False, padding="valid")
    assert model(dt.zeros((1, 572, 572, 1))).shape == (1, 388, 388, 2)


def test_shortcut_without_weights():
    block = models.BasicBlock(4, 8, stride=2, shortcut="pad")
    with dt.no_grad():
        block.bn2.weight.zero_()  # the shortcut alone
    x = np.random.default_rng(0).random((2, 6, 6, 4), dtype=np.float32)
    out = block(dt.tensor(x)).detach().numpy()
    np.testing.assert_array_equal(out[..., 2:6], x[:, ::2, ::2])
    assert not out[..., :2].any()
    assert not out[..., 6:].any()


def test_blocks_begin_as_identities():
    model = models.resnet18(5, base_width=4, zero_init_residual=True)
    assert not any(block.bn2.weight.detach().numpy().any() for block in model.layer1)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: models.resnet18(num_classes=10), TypeError, "'num_classes'; did you mean 'classes'"),
        (lambda: models.resnet18(0), ValueError, "resnet18: classes must be a positive integer, got 0"),
        (lambda: models.vgg11(10, in_channels=1.5), TypeError, "in_channels must be a positive"),
        (lambda: models.resnet20(shortcut="b"), ValueError, "shortcut must be one of 'pad', 'conv'"),
        (lambda: models.mobilenet_v2(width=0), ValueError, "mobilenet_v2: width must be a number above 0"),
        (lambda: models.googlenet(in_channels=1, transform_input=True), ValueError, "is for 3 channels"),
        (lambda: models.fast_cnn((15, 28, 1)), ValueError, "at least 16 x 16"),
        (lambda: models.fast_cnn(channels=(8, 8)), ValueError, "channels is"),
        (lambda: models.unet(padding="full"), ValueError, "unet: padding must be one of 'same', 'valid'"),
        (lambda: models.Inception(8, (1, 2)), ValueError, "Inception: channels is"),
    ],
)  # fmt: skip
def test_wrong_arguments(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


@pytest.mark.parametrize(
    "hostile",
    [
        {"class": "BasicBlock", "args": [10**6, 10**6], "kwargs": {}},
        {"class": "Bottleneck", "args": [10**6, 10**6], "kwargs": {}},
        {"class": "InvertedResidual", "args": [8, 8], "kwargs": {"expansion": 10**8}},
        {"class": "Inception", "args": [10**6, [10**6] * 6], "kwargs": {}},
        {"class": "GoogLeNet", "args": [10**10], "kwargs": {}},
        {"class": "ResidualPair", "args": [10**5], "kwargs": {}},
        {"class": "UNet", "args": [], "kwargs": {"base_width": 10**5}},
    ],
)
def test_hostile_files_get_no_memory(hostile, tmp_path):
    io.write_tensors(tmp_path / "m.safetensors", {}, kind="model", model=json.loads(json.dumps(hostile)))
    with pytest.raises(ValueError, match="has more weights than the file holds"):
        io.load_model(tmp_path / "m.safetensors")
