"""Models in files: every module comes back, and hostile files run nothing."""

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import io, models, nn
from io_tools import Block, Custom, assert_same_state, raw_file, small_model


class TestModels:
    @pytest.mark.parametrize(
        "make",
        [
            small_model,
            lambda: nn.Linear(3, 2, bias=False),
            lambda: nn.Sequential({"first": nn.Linear(3, 2), "second": nn.Tanh()}),
            lambda: nn.Sequential(nn.Sequential(nn.Linear(3, 3)), nn.Dropout(0.5)),
            lambda: models.small_cnn((8, 8, 1), channels=(2, 3, 4)),
            lambda: models.lenet(),
            lambda: models.mlp((4, 4, 1), hidden=[5]),
            lambda: nn.ModuleDict({"a": nn.Linear(1, 2), "b": nn.Embedding(3, 2)}),
            lambda: nn.Sequential(
                nn.Conv2d(4, 8, (3, 5), stride=2, padding=(1, 2), groups=2), nn.GroupNorm(2, 8)
            ),
        ],
    )
    def test_round_trip(self, tmp_path, make):
        model = make()
        io.save_model(model, tmp_path / "m")
        loaded = io.load_model(tmp_path / "m")
        assert repr(loaded) == repr(model)
        assert not loaded.training
        assert_same_state(loaded, model)

    def test_same_outputs(self, tmp_path):
        model = models.small_cnn((8, 8, 1)).eval()
        x = dt.tensor(np.random.default_rng(0).random((3, 8, 8, 1)).astype(np.float32))
        io.save_model(model, tmp_path / "m")
        np.testing.assert_array_equal(
            io.load_model(tmp_path / "m")(x).detach().numpy(), model(x).detach().numpy()
        )

    def test_changed_containers(self, tmp_path):
        model = small_model()
        model.append(nn.Linear(2, 7))
        del model[1]
        io.save_model(model, tmp_path / "m")
        assert repr(io.load_model(tmp_path / "m")) == repr(model)

    def test_custom_classes(self, tmp_path):
        model = Custom(3, layers=1, inner=nn.Linear(3, 2), names=["a", ("b", None)])
        io.save_model(model, tmp_path / "m")
        with pytest.raises(ValueError, match=r"class 'Custom'.*custom_objects=\{'Custom': Custom\}"):
            io.load_model(tmp_path / "m")
        loaded = io.load_model(tmp_path / "m", custom_objects={"Custom": Custom})
        assert type(loaded) is Custom
        assert_same_state(loaded, model)

    def test_entries(self, tmp_path):
        io.save_model(nn.Linear(2, 2), tmp_path / "m", classes=["a", "b"])
        assert io.read_document(tmp_path / "m")["classes"] == ["a", "b"]

    def test_what_a_file_cannot_hold(self, tmp_path):
        class Odd(nn.Module):
            def __init__(self, function):
                super().__init__()

        with pytest.raises(TypeError, match="model: argument 0 of Odd is a builtin_function_or_method"):
            io.save_model(Odd(len), tmp_path / "m")
        layer = nn.Linear(2, 2)
        with pytest.raises(TypeError, match="a module twice"):
            io.save_model(nn.Sequential(layer, layer), tmp_path / "m")
        assert list(tmp_path.iterdir()) == []


def made_in_every_way():
    from test_layers import CASES, LOSSES

    for _, make, *_ in CASES:
        yield make() if callable(make) and not isinstance(make, nn.Module) else make
    for name, _, options in LOSSES:
        yield getattr(nn, name)(**options)
    yield nn.ParameterList([dt.ones((2, 3)), [1.5]])
    yield nn.CrossEntropyLoss(weight=dt.tensor([1.0, 2.5]))
    yield nn.ModuleList(nn.Linear(n, 2) for n in (1, 2))
    yield nn.Sequential(nn.ModuleDict({"a": nn.ModuleList([nn.ReLU()])}), nn.Sequential())
    yield nn.Sequential(nn.Embedding(3, 2), nn.BatchNorm1d(2, affine=False))
    yield nn.CosineEmbeddingLoss()
    for name in ("GlobalAvgPool", "GlobalAvgPool2d", "GlobalMaxPool", "GlobalMaxPool1d"):
        yield getattr(nn, name)()
    for name in ("Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout", "DropPath"):
        yield getattr(nn, name)(0.25)
    yield nn.StochasticDepth(0.25, mode="batch")
    yield nn.Sequential(nn.Upsample(2), nn.ReLU6())
    yield models.small_cnn((8, 8, 1))
    yield nn.Sequential(models.BasicBlock(4, 4), models.Bottleneck(4, 1), models.InvertedResidual(4, 4))
    yield models.GoogLeNet(2, auxiliary=True)
    yield models.AuxiliaryLoss(nn.CrossEntropyLoss())
    yield models.seq2seq(5, width=4, hidden=4, attention="bahdanau")
    yield models.UNet(2, base_width=2)
    yield models.ResidualPair(4)
    for positions in ("learned", "sinusoidal", "rotary"):
        yield models.gpt(5, 4, 8, 2, 2, positions=positions)
    yield models.transformer_classifier(5, 2, 8, heads=2)
    yield models.translation_transformer(5, width=8, layers=1, heads=2)
    yield nn.Sequential(models.text_cnn(5, 2, 4, channels=3), models.rnn_classifier(5, 2, 4, 4))
    yield models.rnn_language_model(5, 4, 4)
    yield nn.CarriedState()
    yield nn.TransformerEncoderLayer(8, 2, 8, activation="swiglu", positions=nn.RotaryPositions(4))
    yield nn.SwiGLU(4, 8)
    for cell in (nn.RNN, nn.LSTM, nn.GRU):
        yield cell(3, 4, num_layers=2, bidirectional=True, dropout=0.1)
    for cell in (nn.RNNCell, nn.LSTMCell, nn.GRUCell):
        yield cell(3, 4)


def test_every_module_comes_back(tmp_path):
    from drivetrain.io.describe import known_classes

    seen = set()
    for model in made_in_every_way():
        io.save_model(model, tmp_path / "m")
        loaded = io.load_model(tmp_path / "m")
        assert repr(loaded) == repr(model)
        assert_same_state(loaded, model)
        seen |= {type(module).__name__ for module in model.modules()}
    assert set(known_classes()) - seen <= {"Module"}


class Layers(nn.ModuleList):
    pass


@pytest.mark.parametrize(
    "make",
    [
        lambda: Block(3, 4, weights=np.array([1.0, np.nan])),
        lambda: nn.Sequential(Block(3, 4), Block(4, 2)),
        lambda: Layers([Block(3, 4, weights=dt.tensor([1, 2])), nn.ModuleList([nn.Tanh()])]),
        lambda: Layers((Block(3, 4, weights=dt.ones((2,), dtype="bfloat16")), np.float32(1))[:1]),
    ],
)
def test_containers_of_own_kinds(tmp_path, make):
    model = make()
    io.save_model(model, tmp_path / "m")
    loaded = io.load_model(tmp_path / "m", custom_objects={"Block": Block, "Layers": Layers})
    assert type(loaded) is type(model)
    assert repr(loaded) == repr(model)
    assert_same_state(loaded, model)
    for one, other in zip(loaded.modules(), model.modules(), strict=True):
        if isinstance(one, Block) and other.weights is not None:
            assert np.array_equal(np.asarray(one.weights), np.asarray(other.weights), equal_nan=True)


def test_large_arrays_among_the_arguments(tmp_path):
    with pytest.raises(TypeError, match="argument weights of Block is a ndarray, which a file cannot hold"):
        io.save_model(Block(2, 2, weights=np.zeros(100_000)), tmp_path / "m")


class TestHostileModels:
    def load(self, tmp_path, description, tensors=None):
        document = {"format": 1, "version": "x", "isa": "v2", "kind": "model", "model": description}
        return io.load_model(
            raw_file(tmp_path / "file", tensors or {"weight": ("F32", [2, 2], 0, 16)}, document)
        )

    @pytest.mark.parametrize(
        "name", ["os.system", "Tensor", "Parameter", "builtins.eval", "__class__", "functional", ""]
    )
    def test_only_modules_of_drivetrain(self, tmp_path, name):
        with pytest.raises(ValueError, match="drivetrain does not have"):
            self.load(tmp_path, {"class": name, "args": ["echo"], "kwargs": {}})

    @pytest.mark.parametrize(
        "layer",
        [
            {"class": "Linear", "args": [10**6, 10**6]},
            {"class": "Linear", "args": [10**30, 10**30]},
            {"class": "Linear", "args": [2], "kwargs": {"out_features": 10**12}},
            {"class": "Linear", "kwargs": {"in_features": 10**5, "out_features": 10**5}},
            {"class": "Conv2d", "args": [1000, 1000, 1000]},
            {"class": "Conv2d", "args": [1000, 1000, [1000, 1000]]},
            {"class": "ConvTranspose2d", "args": [1000, 1000, 1000]},
            {"class": "Embedding", "args": [10**9, 100]},
            {"class": "BatchNorm2d", "args": [10**10]},
            {"class": "LayerNorm", "args": [[10**5, 10**5]]},
            {"class": "PReLU", "args": [10**11]},
        ],
    )
    def test_layers_larger_than_the_file(self, tmp_path, layer):
        import tracemalloc

        in_use = dt.memory_stats()["peak"]
        tracemalloc.start()
        try:
            with pytest.raises(ValueError, match="more weights than the file holds"):
                self.load(tmp_path, {"class": "Sequential", "children": {"0": layer}})
            assert tracemalloc.get_traced_memory()[1] < 5_000_000
        finally:
            tracemalloc.stop()
        assert dt.memory_stats()["peak"] <= in_use + (1 << 24)

    def test_many_layers_larger_than_the_file(self, tmp_path):
        layers = {str(i): {"class": "Linear", "args": [1000, 1000]} for i in range(1000)}
        with pytest.raises(ValueError, match="more weights than the file holds"):
            self.load(tmp_path, {"class": "Sequential", "children": layers})

    @pytest.mark.parametrize(
        "description",
        [
            None,
            5,
            [],
            {},
            {"class": 5},
            {"class": "Linear", "args": 5},
            {"class": "Linear", "kwargs": []},
            {"class": "Linear", "args": [1]},
            {"class": "Linear", "args": [2, 2], "kwargs": {"x": 1}},
            {"class": "Linear", "args": ["a", 2]},
            {"class": "Linear", "args": [-1, 2]},
            {"class": "Linear", "children": {}},
            {"class": "Sequential", "children": 3},
            {"class": "Sequential", "children": {"a.b": {"class": "ReLU"}}},
            {"class": "Linear", "args": [{"dict": 3}, 2]},
            {"class": "Linear", "args": [{"x": 3}, 2]},
            {"class": "ParameterList", "args": [[{"parameter": 5}]]},
            {"class": "ParameterList", "args": [[{"parameter": ["float32", [10**12]]}]]},
            {"class": "ParameterList", "args": [[{"parameter": ["float32", [-1]]}]]},
            {"class": "ParameterList", "args": [[{"parameter": ["float32", [10**30]]}]]},
            {"class": "ParameterList", "args": [[{"parameter": ["float33", [1]]}]]},
            {"class": "CrossEntropyLoss", "args": [{"tensor": ["float32", [10**12], "00"]}]},
            {"class": "CrossEntropyLoss", "args": [{"tensor": ["float32", [1], "zz"]}]},
            {"class": "CrossEntropyLoss", "args": [{"tensor": ["float32"]}]},
        ],
    )
    def test_nonsense(self, tmp_path, description):
        with pytest.raises(ValueError, match=r"."):
            self.load(tmp_path, description)

    def test_deep_nesting(self, tmp_path):
        description = {"class": "ReLU"}
        for _ in range(200):
            description = {"class": "Sequential", "children": {"0": description}}
        with pytest.raises(ValueError, match="nested deeper than 50"):
            self.load(tmp_path, description)
        value = 1
        for _ in range(200):
            value = [value]
        with pytest.raises(ValueError, match="nested deeper than 50"):
            self.load(tmp_path, {"class": "LayerNorm", "args": [value]})

    def test_tensors_that_do_not_fit(self, tmp_path):
        description = {"class": "Linear", "args": [2, 2]}
        with pytest.raises(ValueError, match=r"bias is missing; other is unexpected") as caught:
            self.load(
                tmp_path, description, {"weight": ("F32", [2, 3], 0, 24), "other": ("F32", [1], 24, 28)}
            )
        assert "weight has shape (2, 3), expected (2, 2)" in str(caught.value)
