"""Model files: round trips, atomic writing, and files that are damaged, hostile or from the future."""

import contextlib
import json
import os
import stat
import struct
import sys

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import io, models, nn


def raw_file(path, tensors, document, *, header_length=None):
    """Write a safetensors file by hand. ``tensors`` maps names to (dtype, shape, begin, end), and the data is
    zeros."""
    header = {
        name: {"dtype": d, "shape": s, "data_offsets": [b, e]} for name, (d, s, b, e) in tensors.items()
    }
    if document is not None:
        header["__metadata__"] = {
            "drivetrain": document if isinstance(document, str) else json.dumps(document)
        }
    text = json.dumps(header).encode()
    size = max((e for *_, e in tensors.values()), default=0)
    size = min(size, 4096)
    path.write_bytes(
        struct.pack("<Q", len(text) if header_length is None else header_length) + text + bytes(size)
    )
    return path


def small_model():
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.BatchNorm1d(4), nn.Linear(4, 2))


def assert_same_state(first, second):
    ours, theirs = first.state_dict(), second.state_dict()
    assert list(ours) == list(theirs)
    for name in ours:
        assert np.array_equal(ours[name].detach().numpy(), theirs[name].detach().numpy()), name


class Custom(nn.Module):
    def __init__(self, width, *, layers=2, inner=None, names=()):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(width, width) for _ in range(layers)])
        self.inner = inner
        self.names = names

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x if self.inner is None else self.inner(x)


class TestTensors:
    @pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64", "float16", "float32", "float64"])
    @pytest.mark.parametrize("shape", [(), (3,), (0, 4), (2, 3)])
    def test_round_trip(self, tmp_path, dtype, shape):
        array = np.asarray(np.random.default_rng(0).normal(size=shape) * 5).astype(dtype)
        path = tmp_path / "file"
        io.write_tensors(path, {"array": array, "tensor": dt.tensor(array)}, kind="test", note=[1, "a"])
        arrays, document = io.read_tensors(path, kind="test")
        for name in ("array", "tensor"):
            assert arrays[name].dtype == array.dtype
            assert arrays[name].shape == shape
            np.testing.assert_array_equal(arrays[name], array)
        assert document["note"] == [1, "a"]
        assert document["format"] == 1
        assert document["version"] == dt.__version__
        assert document["isa"] == dt.get_isa()

    def test_strided_arrays(self, tmp_path):
        array = np.arange(24.0).reshape(4, 6)[::-1, ::2].T
        io.write_tensors(tmp_path / "file", {"x": array}, kind="test")
        np.testing.assert_array_equal(io.read_tensors(tmp_path / "file")[0]["x"], array)

    def test_same_content_same_bytes(self, tmp_path):
        for name in "ab":
            io.write_tensors(tmp_path / name, {"y": np.zeros(3), "x": np.arange(5)}, kind="test", z=1)
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()

    def test_safetensors_reads_it(self, tmp_path):
        from safetensors.numpy import load_file

        io.write_tensors(tmp_path / "file", {"x": np.arange(5)}, kind="test")
        np.testing.assert_array_equal(load_file(tmp_path / "file")["x"], np.arange(5))

    def test_what_json_cannot_hold(self, tmp_path):
        with pytest.raises(TypeError, match="not JSON serializable"):
            io.write_tensors(tmp_path / "file", {}, kind="test", thing=object())
        with pytest.raises(ValueError, match="JSON"):
            io.write_tensors(tmp_path / "file", {}, kind="test", thing=float("nan"))
        with pytest.raises(TypeError, match="x has dtype complex64, expected one of bool"):
            io.write_tensors(tmp_path / "file", {"x": np.zeros(2, np.complex64)}, kind="test")
        assert list(tmp_path.iterdir()) == []


class TestAtomic:
    def test_an_old_file_survives_a_failed_write(self, tmp_path, monkeypatch):
        path = tmp_path / "file"
        io.write_tensors(path, {"x": np.arange(5)}, kind="test")
        before = path.read_bytes()

        def fail(*_):
            raise OSError("disk full")

        from drivetrain.io import atomic

        for function in ("fsync", "replace"):
            with monkeypatch.context() as patch:
                patch.setattr(atomic.os, function, fail)
                with pytest.raises(OSError, match="disk full"):
                    io.write_tensors(path, {"x": np.zeros(5)}, kind="test")
            assert path.read_bytes() == before
            assert os.listdir(tmp_path) == ["file"]

    def test_order_of_steps(self, tmp_path, monkeypatch):
        from drivetrain.io import atomic

        steps = []
        real_replace, real_sync = os.replace, os.fsync

        def sync(file):
            steps.append(f"sync {stat.S_ISDIR(os.fstat(file).st_mode)}")
            real_sync(file)

        monkeypatch.setattr(atomic.os, "fsync", sync)
        monkeypatch.setattr(atomic.os, "replace", lambda a, b: (steps.append("rename"), real_replace(a, b)))
        io.write_tensors(tmp_path / "file", {"x": np.arange(5)}, kind="test")
        assert steps == ["sync False", "rename", "sync True"]

    def test_permissions_follow_the_umask(self, tmp_path):
        old = os.umask(0o027)
        try:
            io.write_tensors(tmp_path / "file", {"x": np.arange(5)}, kind="test")
        finally:
            os.umask(old)
        assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640

    def test_targets_that_cannot_be_written(self, tmp_path):
        with pytest.raises(IsADirectoryError, match="is a folder"):
            io.write_tensors(tmp_path, {}, kind="test")
        with pytest.raises(FileNotFoundError):
            io.write_tensors(tmp_path / "nothing" / "file", {}, kind="test")


class TestDamage:
    def test_every_truncation_is_refused(self, tmp_path):
        whole = tmp_path / "whole"
        io.save_model(nn.Linear(2, 2), whole)
        content = whole.read_bytes()
        cut = tmp_path / "cut"
        for length in range(len(content)):
            cut.write_bytes(content[:length])
            with pytest.raises(ValueError, match=r"truncated|damaged"):
                io.load_model(cut)

    def test_appended_bytes_are_refused(self, tmp_path):
        path = tmp_path / "file"
        io.save_model(nn.Linear(2, 2), path)
        path.write_bytes(path.read_bytes() + b"\0")
        with pytest.raises(ValueError, match="damaged"):
            io.load_model(path)

    def test_random_damage_never_crashes(self, tmp_path):
        path, rng = tmp_path / "file", np.random.default_rng(0)
        io.save_model(small_model(), path)
        content = bytearray(path.read_bytes())
        for _ in range(150):
            damaged = bytearray(content)
            for position in rng.integers(0, len(content) // 2, 3):
                damaged[position] = rng.integers(0, 256)
            path.write_bytes(damaged)
            with contextlib.suppress(ValueError):  # anything else fails the test
                io.load_model(path)

    @pytest.mark.parametrize(
        "content", [b"", b"\0" * 8, b"\xff" * 64, b"PK\3\4" * 9, struct.pack("<Q", 2**40) + b"{}"]
    )
    def test_no_such_format(self, tmp_path, content):
        path = tmp_path / "file"
        path.write_bytes(content)
        with pytest.raises(ValueError, match="truncated, damaged or no safetensors file"):
            io.read_tensors(path)

    @pytest.mark.parametrize(
        "tensors",
        [
            {"x": ("F32", [2**40], 0, 2**42)},
            {"x": ("F32", [2**62, 2**62], 0, 16)},
            {"x": ("F32", [4], 0, 15)},
            {"x": ("F32", [4], 16, 0)},
            {"x": ("F32", [4], 0, 16), "y": ("F32", [4], 8, 24)},
            {"x": ("F32", [-4], 0, 16)},
            {"x": ("XYZ", [4], 0, 16)},
        ],
    )
    def test_hostile_headers(self, tmp_path, tensors):
        path = raw_file(tmp_path / "file", tensors, {"format": 1, "kind": "model"})
        with pytest.raises(ValueError, match="truncated, damaged or no safetensors file"):
            io.read_tensors(path)

    @pytest.mark.parametrize(
        ("document", "message"),
        [
            (None, "drivetrain did not write it"),
            ("{", "damaged document"),
            ("[" * 100_000, "damaged document"),
            ([1], "document of list"),
            ({}, "format None"),
            ({"format": 0}, "format 0"),
            ({"format": True}, "format True"),
            ({"format": "1"}, "format '1'"),
            ({"format": 2, "version": "9.0"}, "format 2, this drivetrain reads up to 1; .* version 9.0"),
            ({"format": 1, "kind": "cake"}, "holds a 'cake'"),
        ],
    )
    def test_documents(self, tmp_path, document, message):
        path = raw_file(tmp_path / "file", {"x": ("F32", [2], 0, 8)}, document)
        for read in (io.load_model, lambda p: io.read_tensors(p, kind="model")):
            with pytest.raises(ValueError, match=message):
                read(path)

    def test_missing_and_wrong_kinds_of_files(self, tmp_path):
        for read in (io.load_model, io.read_document, io.read_tensors):
            with pytest.raises(FileNotFoundError, match="does not exist"):
                read(tmp_path / "nothing")
            with pytest.raises(ValueError, match="no regular file"):
                read(tmp_path)


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
    yield models.small_cnn((8, 8, 1))


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


class Block(nn.Sequential):
    """A container of its own kind, with arguments of its own."""

    def __init__(self, inputs, outputs, *, weights=None):
        super().__init__(nn.Linear(inputs, outputs), nn.ReLU())
        self.weights = weights


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


class TestSaveAndLoad:
    def test_models(self, tmp_path):
        model = small_model()
        for save in (lambda path: dt.save(model, path), model.save):
            save(tmp_path / "m")
            assert_same_state(dt.load(tmp_path / "m"), model)
        dt.save(Block(2, 3), tmp_path / "b")
        assert type(dt.load(tmp_path / "b", custom_objects={"Block": Block})) is Block

    def test_weights(self, tmp_path):
        model, other = small_model(), small_model()
        model.save_weights(tmp_path / "w.npz")
        other.load_weights(tmp_path / "w.npz")
        assert_same_state(other, model)
        model.bfloat16().save_weights(tmp_path / "w")
        loaded = dt.load(tmp_path / "w")
        assert loaded["0.weight"].dtype is dt.bfloat16
        assert loaded["0.weight"].tobytes() == model[0].weight.detach().tobytes()

    def test_states(self, tmp_path):
        model = small_model()
        optimizer = dt.optim.AdamW(model.parameters())
        model(dt.ones((2, 3))).sum().backward()
        optimizer.step()
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3, "best": 0.1}
        dt.save(state, tmp_path / "s")
        loaded = dt.load(tmp_path / "s")
        assert (loaded["epoch"], loaded["best"]) == (3, 0.1)
        other = small_model()
        other.load_state_dict(loaded["model"])
        again = dt.optim.AdamW(other.parameters())
        again.load_state_dict(loaded["optimizer"])
        assert_same_state(other, model)
        assert again.state_dict()["state"][0]["step"] == 1

    def test_other_things(self, tmp_path):
        with pytest.raises(TypeError, match="what is a list, expected a Module or a dict of states"):
            dt.save([1], tmp_path / "s")
        io.write_tensors(tmp_path / "c", {}, kind="cake")
        with pytest.raises(ValueError, match="holds a 'cake'"):
            dt.load(tmp_path / "c")


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


class TestWeights:
    def test_round_trip_of_anything(self, tmp_path):
        model, other = small_model(), small_model()
        io.save_weights(model, tmp_path / "w")
        io.load_weights(other, tmp_path / "w")
        assert_same_state(other, model)
        with pytest.raises(ValueError, match="holds a 'weights', expected a 'model'"):
            io.load_model(tmp_path / "w")

    def test_of_a_model_file(self, tmp_path):
        model, other = small_model(), small_model()
        io.save_model(model, tmp_path / "m")
        io.load_weights(other, tmp_path / "m")
        assert_same_state(other, model)

    def test_misfits_change_nothing(self, tmp_path):
        io.save_weights(nn.Linear(2, 3), tmp_path / "w")
        model = nn.Linear(2, 2)
        before = model.weight.detach().numpy().copy()
        with pytest.raises(ValueError, match=r"bias has shape \(3,\), expected \(2,\)"):
            io.load_weights(model, tmp_path / "w")
        np.testing.assert_array_equal(model.weight.detach().numpy(), before)

    def test_not_strict(self, tmp_path):
        io.save_weights(nn.Sequential(nn.Linear(2, 2)), tmp_path / "w")
        model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
        with pytest.raises(ValueError, match=r"1.weight is missing"):
            io.load_weights(model, tmp_path / "w")
        io.load_weights(model, tmp_path / "w", strict=False)
        with pytest.raises(ValueError, match="has shape"):
            io.load_weights(nn.Sequential(nn.Linear(3, 2)), tmp_path / "w", strict=False)


class TestTargets:
    def test_a_link_stays_a_link(self, tmp_path):
        (tmp_path / "new").symlink_to(tmp_path / "real")
        (tmp_path / "real").write_text("old")
        io.save_weights(nn.Linear(2, 2), tmp_path / "new")
        assert (tmp_path / "new").is_symlink()
        io.load_weights(nn.Linear(2, 2), tmp_path / "real")

    def test_what_is_no_file_is_refused(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(OSError, match="is a device, pipe or socket"):
            io.save_weights(nn.Linear(2, 2), tmp_path / "pipe")
        assert (tmp_path / "pipe").is_fifo()

    @pytest.mark.parametrize("model", [None, 3, nn.Linear, {}])
    def test_what_is_no_model_is_refused(self, tmp_path, model):
        io.save_weights(nn.Linear(2, 2), tmp_path / "w")
        for function in (io.save_model, io.save_weights, io.load_weights):
            with pytest.raises(TypeError, match=f"{function.__name__}: model is a"):
                function(model, tmp_path / "w")


@pytest.mark.parametrize("with_ml_dtypes", [False, True])
def test_bfloat16_tensors_are_stored_as_they_are(tmp_path, monkeypatch, with_ml_dtypes):
    if with_ml_dtypes:
        pytest.importorskip("ml_dtypes")
    else:
        monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    path = tmp_path / "half.safetensors"
    values = [[1.5, -0.10009765625, 3e38], [float("inf"), 1e-40, 0.0]]
    half = dt.tensor(values, dtype="bfloat16")
    io.write_tensors(path, {"half": half, "none": dt.zeros((0, 3), dtype="bfloat16")}, kind="test")
    arrays, _ = io.read_tensors(path)
    assert arrays["half"].dtype.name == ("bfloat16" if with_ml_dtypes else "float32")
    assert np.array_equal(dt.tensor(arrays["half"], dtype="bfloat16").tolist(), half.tolist())
    assert arrays["none"].shape == (0, 3)
    header = path.read_bytes()[8:].split(b"}}")[0].decode()
    assert header.count('"BF16"') == 2
    assert path.stat().st_size < 8 + len(header) + 40


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_a_converted_model_comes_back_in_its_dtype(tmp_path, dtype):
    model = small_model().to(dtype)
    io.save_model(model, tmp_path / "model.safetensors")
    loaded = io.load_model(tmp_path / "model.safetensors")
    for name, value in model.state_dict().items():
        assert loaded.state_dict()[name].dtype == value.dtype
        assert loaded.state_dict()[name].tolist() == value.tolist()
