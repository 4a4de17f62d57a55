"""Layers and losses: each computes what its function does, with the parameters and options it holds."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest

import drivetrain as dt
import reference
from drivetrain import nn
from drivetrain.nn import functional as F

X4 = (2, 6, 6, 4)
X3 = (2, 9, 4)
CASES: list[tuple[str, Any, tuple[int, ...], Any]] = [
    ("Linear", lambda: nn.Linear(4, 3), X3, lambda m, x: F.linear(x, m.weight, m.bias)),
    ("Linear without bias", lambda: nn.Linear(4, 3, bias=False), X3, lambda m, x: F.linear(x, m.weight)),
    (
        "Conv1d",
        lambda: nn.Conv1d(4, 6, 3, stride=2, padding=1, dilation=2, groups=2),
        X3,
        lambda m, x: F.conv1d(x, m.weight, m.bias, stride=2, padding=1, dilation=2, groups=2),
    ),
    (
        "Conv2d",
        lambda: nn.Conv2d(4, 6, (3, 2), stride=(1, 2), padding=(1, 0), dilation=(1, 2), groups=2),
        X4,
        lambda m, x: F.conv2d(x, m.weight, m.bias, stride=(1, 2), padding=(1, 0), dilation=(1, 2), groups=2),
    ),
    (
        "Conv2d same",
        lambda: nn.Conv2d(4, 6, 3, padding="same", bias=False),
        X4,
        lambda m, x: F.conv2d(x, m.weight, padding="same"),
    ),
    (
        "ConvTranspose1d",
        lambda: nn.ConvTranspose1d(4, 6, 3, stride=2, padding=1, output_padding=1),
        X3,
        lambda m, x: F.conv_transpose1d(x, m.weight, m.bias, stride=2, padding=1, output_padding=1),
    ),
    (
        "ConvTranspose2d",
        lambda: nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2, dilation=2),
        X4,
        lambda m, x: F.conv_transpose2d(
            x, m.weight, m.bias, stride=2, padding=1, output_padding=1, groups=2, dilation=2
        ),
    ),
    ("MaxPool1d", lambda: nn.MaxPool1d(3, 2, 1), X3, lambda m, x: F.max_pool1d(x, 3, 2, 1)),
    (
        "MaxPool2d",
        lambda: nn.MaxPool2d(2, 3, dilation=2, ceil_mode=True),
        X4,
        lambda m, x: F.max_pool2d(x, 2, 3, dilation=2, ceil_mode=True),
    ),
    ("AvgPool1d", lambda: nn.AvgPool1d(2), X3, lambda m, x: F.avg_pool1d(x, 2)),
    (
        "AvgPool2d",
        lambda: nn.AvgPool2d(3, 2, 1, count_include_pad=False),
        X4,
        lambda m, x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
    ),
    (
        "AdaptiveAvgPool2d",
        lambda: nn.AdaptiveAvgPool2d((2, 4)),
        X4,
        lambda m, x: F.adaptive_avg_pool2d(x, (2, 4)),
    ),
    ("AdaptiveMaxPool2d", lambda: nn.AdaptiveMaxPool2d(3), X4, lambda m, x: F.adaptive_max_pool2d(x, 3)),
    (
        "AdaptiveAvgPool1d",
        lambda: nn.AdaptiveAvgPool1d(4),
        X3,
        lambda m, x: F.adaptive_avg_pool1d(x, 4),
    ),
    (
        "AdaptiveMaxPool1d",
        lambda: nn.AdaptiveMaxPool1d(None),
        X3,
        lambda m, x: F.adaptive_max_pool1d(x, None),
    ),
    ("GlobalAvgPool", nn.GlobalAvgPool, X4, lambda m, x: F.global_avg_pool(x)),
    (
        "GlobalAvgPool1d",
        lambda: nn.GlobalAvgPool1d(keepdims=True),
        X3,
        lambda m, x: F.global_avg_pool(x, True),
    ),
    ("GlobalMaxPool2d", nn.GlobalMaxPool2d, X4, lambda m, x: F.global_max_pool(x)),
    ("LayerNorm", lambda: nn.LayerNorm((6, 4)), X4, lambda m, x: F.layer_norm(x, (6, 4), m.weight, m.bias)),
    ("RMSNorm", lambda: nn.RMSNorm((6, 4)), X4, lambda m, x: F.rms_norm(x, (6, 4), m.weight)),
    ("GroupNorm", lambda: nn.GroupNorm(2, 4), X4, lambda m, x: F.group_norm(x, 2, m.weight, m.bias)),
    ("InstanceNorm2d", lambda: nn.InstanceNorm2d(4), X4, lambda m, x: F.instance_norm(x)),
    ("InstanceNorm1d", lambda: nn.InstanceNorm1d(4), X3, lambda m, x: F.instance_norm(x)),
    ("Dropout in eval", lambda: nn.Dropout().eval(), X3, lambda m, x: x),
    ("ReLU", nn.ReLU, X3, lambda m, x: F.relu(x)),
    ("LeakyReLU", nn.LeakyReLU, X3, lambda m, x: F.leaky_relu(x, 0.01)),
    ("PReLU", lambda: nn.PReLU(4), X3, lambda m, x: F.prelu(x, m.weight)),
    ("ELU", lambda: nn.ELU(0.5), X3, lambda m, x: F.elu(x, 0.5)),
    ("SELU", nn.SELU, X3, lambda m, x: F.selu(x)),
    ("GELU", nn.GELU, X3, lambda m, x: F.gelu(x)),
    ("GELU tanh", lambda: nn.GELU("tanh"), X3, lambda m, x: F.gelu(x, "tanh")),
    ("SiLU", nn.SiLU, X3, lambda m, x: F.silu(x)),
    ("Sigmoid", nn.Sigmoid, X3, lambda m, x: F.sigmoid(x)),
    ("Tanh", nn.Tanh, X3, lambda m, x: F.tanh(x)),
    ("Softplus", lambda: nn.Softplus(2.0), X3, lambda m, x: F.softplus(x, 2.0)),
    ("Hardswish", nn.Hardswish, X3, lambda m, x: F.hardswish(x)),
    ("Softmax", nn.Softmax, X3, lambda m, x: F.softmax(x, -1)),
    ("LogSoftmax", lambda: nn.LogSoftmax(1), X3, lambda m, x: F.log_softmax(x, 1)),
    ("Flatten", nn.Flatten, X4, lambda m, x: x.reshape((2, 144))),
    ("Flatten some", lambda: nn.Flatten(0, 1), X4, lambda m, x: x.reshape((12, 6, 4))),
    ("Unflatten", lambda: nn.Unflatten(-1, (2, -1)), X4, lambda m, x: x.reshape((2, 6, 6, 2, 2))),
    ("Identity", lambda: nn.Identity(3, anything=4), X4, lambda m, x: x),
]


@pytest.mark.parametrize(("make", "shape", "function"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_layers(make: Any, shape: tuple[int, ...], function: Any) -> None:
    layer = make()
    x = dt.randn(shape)
    for p in layer.parameters():
        nn.init.normal_(p)
    assert layer(x).tolist() == function(layer, x).tolist()
    assert repr(layer).startswith(type(layer).__name__ + "(")


JOINED = {
    "Linear": (lambda: nn.Linear(4, 33), X3),
    "Linear without bias": (lambda: nn.Linear(4, 3, bias=False), X3),
    "Conv1d": (lambda: nn.Conv1d(4, 6, 3, padding=1), X3),
    "Conv2d": (lambda: nn.Conv2d(4, 17, 3, padding=1), X4),
    "BatchNorm1d": (lambda: nn.BatchNorm1d(4), X3),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(4), X4),
    "BatchNorm2d in eval": (lambda: nn.BatchNorm2d(4).eval(), X4),
}


@pytest.mark.parametrize("name", list(JOINED))
def test_a_relu_joined_to_its_layer_changes_no_bit(name: str) -> None:
    make, shape = JOINED[name]
    joined = make()
    for p in joined.parameters():
        nn.init.normal_(p)
    apart = copy.deepcopy(joined)
    array = np.random.default_rng(0).standard_normal(shape, np.float32)
    x, z = (dt.tensor(array, requires_grad=True) for _ in range(2))
    model = nn.Sequential(joined, nn.ReLU())
    model(x).sum()  # the plan is made
    assert len(model._steps) == 1
    joined.load_state_dict(apart.state_dict())
    out, expected = model(x), F.relu(apart(z))
    assert 0 < (out.detach().numpy() == 0).sum() < out.size
    slope = dt.randn(out.shape)
    (out * slope).sum().backward()
    (expected * slope).sum().backward()
    assert out.tolist() == expected.tolist()
    assert x.grad.tolist() == z.grad.tolist()
    for p, q in zip(joined.parameters(), apart.parameters(), strict=True):
        assert p.grad.tolist() == q.grad.tolist()
    assert {k: v.tolist() for k, v in joined.state_dict().items()} == {
        k: v.tolist() for k, v in apart.state_dict().items()
    }


def test_a_relu_is_joined_only_where_that_is_safe() -> None:
    class Mine(nn.Linear):
        def forward(self, input: Any) -> Any:
            return -super().forward(input)

    x = dt.ones((1, 2))
    layer = Mine(2, 2, bias=False)
    nn.init.eye_(layer.weight)
    assert nn.Sequential(layer, nn.ReLU())(x).tolist() == [[0, 0]]
    plain = nn.Linear(2, 2, bias=False)
    nn.init.eye_(plain.weight)
    model = nn.Sequential(plain, nn.ReLU(), nn.ReLU(), nn.Identity(), nn.ReLU())
    assert model(-x).tolist() == [[0, 0]]
    plain.forward = lambda input: dt.ones((1, 2)) * 7
    assert model(x).tolist() == [[7, 7]]
    del plain.forward
    assert model(x).tolist() == [[1, 1]]
    model[1].forward = lambda input: input - 5
    assert model[:2](x).tolist() == [[-4, -4]]
    del model[1].forward
    with pytest.raises(ValueError, match=r"expects 2 \(in layer '0' \(Linear\)\)$"):
        model(dt.ones((1, 3)))


def test_batch_norm_keeps_statistics() -> None:
    layer = nn.BatchNorm2d(4, momentum=0.25)
    x = dt.randn((5, 3, 3, 4))
    out = layer(x)
    array = x.numpy().astype(np.float64).reshape(-1, 4)
    np.testing.assert_allclose(layer.running_mean.numpy(), 0.25 * array.mean(0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(layer.running_var.numpy(), 0.75 + 0.25 * array.var(0, ddof=1), rtol=1e-4)
    expected = (array - array.mean(0)) / np.sqrt(array.var(0) + 1e-5)
    np.testing.assert_allclose(out.detach().numpy().reshape(-1, 4), expected, rtol=1e-3, atol=1e-4)
    layer.eval()
    mean, var = layer.running_mean.numpy().copy(), layer.running_var.numpy().copy()
    expected = (array - mean) / np.sqrt(var + 1e-5)
    np.testing.assert_allclose(layer(x).detach().numpy().reshape(-1, 4), expected, rtol=1e-3, atol=1e-4)
    assert layer.running_mean.tolist() == mean.tolist()
    layer.reset_running_stats()
    assert layer.running_var.tolist() == [1, 1, 1, 1]


def test_batch_norm_without_momentum_averages_all_batches() -> None:
    layer = nn.BatchNorm1d(2, momentum=None, affine=False)
    batches = [dt.randn((8, 2)) for _ in range(3)]
    for batch in batches:
        layer(batch)
    expected = np.mean([b.numpy().mean(0) for b in batches], axis=0)
    np.testing.assert_allclose(layer.running_mean.numpy(), expected, rtol=1e-4, atol=1e-6)
    assert layer.num_batches_tracked.item() == 3
    assert "num_batches_tracked" in layer.state_dict()
    twin = nn.BatchNorm1d(2, momentum=None, affine=False)
    twin.load_state_dict(layer.state_dict())
    assert twin.num_batches_tracked.item() == 3
    layer.eval()(batches[0])
    assert layer.num_batches_tracked.item() == 3


def test_batch_norm_without_running_statistics() -> None:
    layer = nn.BatchNorm1d(2, track_running_stats=False).eval()
    x = dt.randn((16, 2))
    np.testing.assert_allclose(layer(x).detach().numpy().mean(0), 0, atol=1e-5)
    assert list(layer.state_dict()) == ["weight", "bias"]


def test_instance_norm_with_running_statistics() -> None:
    layer = nn.InstanceNorm1d(2, affine=True, track_running_stats=True)
    x = dt.randn((3, 20, 2))
    layer(x)
    assert layer.running_mean.tolist() != [0, 0]
    before = layer.running_mean.tolist()
    layer.eval()(x)
    assert layer.running_mean.tolist() == before


def test_dropout_depends_on_mode_and_seed() -> None:
    layer = nn.Dropout(0.5)
    x = dt.ones((1000,))
    dt.manual_seed(3)
    out = layer(x).numpy()
    assert set(np.unique(out)) == {0.0, 2.0}
    assert 400 < (out == 0).sum() < 600
    dt.manual_seed(3)
    assert layer(x).numpy().tolist() == out.tolist()
    assert layer.eval()(x).tolist() == x.tolist()


def test_embedding() -> None:
    layer = nn.Embedding(5, 3, padding_idx=-1)
    assert layer.padding_idx == 4
    assert layer.weight.tolist()[4] == [0, 0, 0]
    out = layer(dt.tensor([[0, 4], [1, 1]]))
    assert out.shape == (2, 2, 3)
    out.sum().backward()
    assert layer.weight.grad.tolist() == [[1] * 3, [2] * 3, [0] * 3, [0] * 3, [0] * 3]
    table = nn.Embedding.from_pretrained(dt.ones((3, 2)))
    assert not table.weight.requires_grad
    assert table(dt.tensor([1])).tolist() == [[1, 1]]
    assert nn.Embedding.from_pretrained([[1.0]], freeze=False).weight.requires_grad


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: nn.Linear(0, 3), ValueError, "Linear: in_features must be a positive integer, got 0"),
        (lambda: nn.Linear(3, 2.5), TypeError, "Linear: out_features must be a positive integer, got 2.5"),
        (lambda: nn.Linear(True, 3), TypeError, "in_features must be a positive integer, got True"),
        (lambda: nn.Linear(3, 3, dtype="int64"), TypeError, "Linear: dtype must be a floating-point dtype"),
        (lambda: nn.Conv2d(3, 4, (3, 3, 3)), ValueError, "kernel_size must be one integer or 2"),
        (lambda: nn.Conv2d(3, 4, 3, stride=0), ValueError, "stride must be a positive integer, got 0"),
        (lambda: nn.Conv2d(3, 4, 3, padding=-1), ValueError, "padding must be an integer of at least 0"),
        (lambda: nn.Conv2d(3, 4, 3, padding="full"), ValueError, "or 2, 'same' or 'valid', got 'full'"),
        (lambda: nn.Conv2d(3, 4, 3, 2, "same"), ValueError, "padding 'same' needs stride 1"),
        (lambda: nn.Conv2d(3, 4, 3, groups=2), ValueError, "in_channels must be divisible by groups"),
        (lambda: nn.Conv1d(4, 3, 3, groups=2), ValueError, "Conv1d: out_channels must be divisible"),
        (
            lambda: nn.ConvTranspose2d(3, 4, 3, padding="same"),
            ValueError,
            "padding must be one integer or 2, got 'same'",
        ),
        (lambda: nn.ConvTranspose2d(3, 4, 3, output_padding=1), ValueError, "output_padding must be smaller"),
        (lambda: nn.MaxPool2d(2, padding=2), ValueError, "padding must be at most half of kernel_size"),
        (lambda: nn.AvgPool2d(0), ValueError, "AvgPool2d: kernel_size must be a positive integer, got 0"),
        (lambda: nn.AdaptiveAvgPool2d((1, 2, 3)), ValueError, "output_size must be one integer or 2"),
        (lambda: nn.BatchNorm2d(3, eps=0), ValueError, "BatchNorm2d: eps must be a positive number, got 0"),
        (lambda: nn.BatchNorm2d(3, momentum=2), ValueError, "momentum must be None or a number from 0 to 1"),
        (lambda: nn.LayerNorm(()), ValueError, "normalized_shape must have at least one axis"),
        (lambda: nn.RMSNorm(()), ValueError, "RMSNorm: normalized_shape must have at least one axis"),
        (lambda: nn.GroupNorm(3, 4), ValueError, "num_channels must be divisible by num_groups, got 4 and 3"),
        (lambda: nn.Dropout(1.5), ValueError, "Dropout: p must be a number from 0 to 1, got 1.5"),
        (lambda: nn.GELU("erf"), ValueError, "approximate must be one of 'none', 'tanh', got 'erf'"),
        (lambda: nn.LeakyReLU(math.inf), ValueError, "negative_slope must be a finite number, got inf"),
        (lambda: nn.Softplus(0), ValueError, "Softplus: beta must be a positive number, got 0"),
        (lambda: nn.Softmax("x"), TypeError, "Softmax: axis must be an integer, got 'x'"),
        (lambda: nn.Softmax(dim=1), TypeError, "Softmax: unknown argument 'dim'; here it is called 'axis'"),
        (lambda: nn.Flatten(start_dim=1), TypeError, "'start_dim'; here it is called 'start_axis'"),
        (lambda: nn.LogSoftmax(axes=1), TypeError, "LogSoftmax: unknown argument 'axes'"),
        (lambda: nn.Flatten(0.5), TypeError, "Flatten: start_axis must be an integer, got 0.5"),
        (lambda: nn.Unflatten(1, 3), TypeError, "unflattened_size must be a tuple of sizes, got 3"),
        (lambda: nn.Embedding(3, 2, 3), ValueError, "padding_idx must be less than num_embeddings"),
        (lambda: nn.CrossEntropyLoss(reduction="avg"), ValueError, "one of 'mean', 'sum', 'none', got 'avg'"),
        (
            lambda: nn.CrossEntropyLoss(label_smoothing=2),
            ValueError,
            "label_smoothing must be a number from 0",
        ),
        (lambda: nn.HuberLoss(delta=0), ValueError, "HuberLoss: delta must be a positive number, got 0"),
        (lambda: nn.MultiMarginLoss(p=3), ValueError, "MultiMarginLoss: p must be 1 or 2, got 3"),
        (lambda: nn.CosineEmbeddingLoss(margin=2), ValueError, "margin must be a number from -1 to 1"),
    ],
)
def test_layers_check_their_arguments(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (
            nn.BatchNorm2d(3),
            (4, 3),
            r"BatchNorm2d: input must have the axes \(batch, height, width",
        ),
        (nn.BatchNorm1d(3), (4, 5, 5, 3), r"BatchNorm1d: input must have the axes \(batch, channels\) or"),
        (nn.InstanceNorm2d(3), (4, 5, 3), r"got shape \(4, 5, 3\)"),
        (nn.GlobalAvgPool(), (4, 3), r"global_avg_pool: input must have at least 3 dimensions"),
        (nn.GlobalMaxPool1d(), (4, 5, 5, 3), r"input must have the axes \(batch, time, channels\)"),
        (nn.Flatten(2), (4, 3), r"Flatten: input has shape \(4, 3\), which has no axes from 2 to -1"),
        (nn.Unflatten(1, (2, 2)), (4, 3), r"whose axis 1 cannot become \(2, 2\)"),
        (nn.Unflatten(2, (2, 2)), (4, 3), r"Unflatten: input has shape \(4, 3\), which has no axis 2"),
    ],
)
def test_layers_check_their_inputs(layer: Any, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        layer(dt.ones(shape))


# Losses

LOGITS, LABELS = (6, 3), [0, 2, 1, 1, 0, 2]
LOSSES: list[tuple[str, Any, Any]] = [
    (
        "CrossEntropyLoss",
        F.cross_entropy,
        {"weight": [1.0, 2.0, 0.5], "label_smoothing": 0.1, "ignore_index": 1},
    ),
    ("NLLLoss", F.nll_loss, {"weight": [1.0, 2.0, 0.5], "ignore_index": 1}),
    ("MultiMarginLoss", F.multi_margin_loss, {"p": 2, "margin": 0.5}),
    ("BCELoss", F.binary_cross_entropy, {}),
    ("BCEWithLogitsLoss", F.binary_cross_entropy_with_logits, {"pos_weight": [1.0, 2.0, 3.0]}),
    ("MSELoss", F.mse_loss, {}),
    ("L1Loss", F.l1_loss, {}),
    ("HuberLoss", F.huber_loss, {"delta": 0.3}),
    ("SmoothL1Loss", F.smooth_l1_loss, {"beta": 0.3}),
    ("HingeLoss", F.hinge_loss, {"margin": 0.5}),
    ("KLDivLoss", F.kl_div, {"log_target": True}),
]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(("name", "function", "options"), LOSSES, ids=[c[0] for c in LOSSES])
def test_losses(name: str, function: Any, options: dict[str, Any], reduction: str) -> None:
    loss = getattr(nn, name)(reduction=reduction, **options)
    x = dt.rand(LOGITS)
    classes = name in ("CrossEntropyLoss", "NLLLoss", "MultiMarginLoss")
    target = dt.tensor(LABELS) if classes else dt.rand(LOGITS)
    as_tensors = {k: dt.tensor(v) if isinstance(v, list) else v for k, v in options.items()}
    assert loss(x, target).tolist() == function(x, target, reduction=reduction, **as_tensors).tolist()
    weights = dt.rand((6,))
    weighted = function(x, target, reduction=reduction, sample_weight=weights, **as_tensors)
    assert loss(x, target, sample_weight=weights).tolist() == weighted.tolist()
    assert weighted.tolist() != loss(x, target).tolist()


SIGNS = [1.0, -1.0, -1.0, 1.0]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weighted", [False, True])
def test_cosine_embedding_loss(reduction: str, weighted: bool) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 4, 5))
    weight = rng.random(4) if weighted else None
    expected = reference.cosine_embedding_loss(
        x, y, np.array(SIGNS), 0.1, reduction=reduction, sample_weight=weight
    )
    loss = nn.CosineEmbeddingLoss(margin=0.1, reduction=reduction)
    given = None if weight is None else dt.tensor(weight)
    out = loss(dt.tensor(x), dt.tensor(y), dt.tensor(SIGNS), sample_weight=given)
    np.testing.assert_allclose(out.tolist(), expected, rtol=1e-12)


def test_class_weights_are_buffers() -> None:
    loss = nn.CrossEntropyLoss(weight=[1.0, 2.0])
    assert loss.state_dict()["weight"].tolist() == [1, 2]
    assert list(loss.parameters()) == []


# Learning, in the small: a network of every kind of layer fits a few points, the same way every time.


def test_training_works_and_is_reproducible() -> None:
    def run(threads: int) -> tuple[float, float, list[Any]]:
        before = dt.get_num_threads()
        dt.set_num_threads(threads)
        try:
            dt.manual_seed(1)
            model = nn.Sequential(
                nn.Conv2d(1, 4, 3, padding=1),
                nn.BatchNorm2d(4),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Flatten(),
                nn.Dropout(0.1),
                nn.Linear(64, 3),
            )
            optimizer = dt.optim.Adam(model.parameters(), lr=0.01)
            loss_of = nn.CrossEntropyLoss()
            x, y = dt.randn((12, 8, 8, 1)), dt.tensor([0, 1, 2] * 4)
            losses = []
            for _ in range(30):
                optimizer.zero_grad()
                loss = loss_of(model(x), y)
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
            return losses[0], losses[-1], [p.tolist() for p in model.state_dict().values()]
        finally:
            dt.set_num_threads(before)

    first, last, state = run(1)
    assert last < 0.3 * first
    assert run(2)[2] == state


def test_gradient_of_a_large_cross_entropy() -> None:
    """Long enough for stores past the caches: the same bits as its first rows by themselves."""
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((210, 32000)).astype(np.float32), rng.integers(0, 32000, 210)
    grads = []
    for rows in (210, 7):
        logits = dt.tensor(x[:rows])
        logits.requires_grad = True
        dt.nn.functional.cross_entropy(logits, dt.tensor(y[:rows]), reduction="sum").backward()
        grads.append(logits.grad.numpy())
    np.testing.assert_array_equal(grads[0][:7], grads[1])
