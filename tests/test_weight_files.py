"""Weights as .npz and HDF5: round trips, layout, and files that are damaged or hostile."""

import contextlib
import io as bytes_io
import tracemalloc
import zipfile

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import io, nn


def model_of(seed=0):
    dt.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Sequential(nn.Flatten(), nn.Linear(16, 3)), nn.PReLU()
    )


def assert_same(first, second):
    ours, theirs = first.state_dict(), second.state_dict()
    assert list(ours) == list(theirs)
    for name in ours:
        assert ours[name].dtype == theirs[name].dtype
        assert ours[name].detach().tobytes() == theirs[name].detach().tobytes(), name


def unchanged(model, before):
    return all(np.array_equal(before[name], value.numpy()) for name, value in model.state_dict().items())


def copy_of(model):
    return {name: value.numpy().copy() for name, value in model.state_dict().items()}


def npy(array, **changes):
    """The bytes of an array as numpy.save writes it, with changes to the text of its header."""
    buffer = bytes_io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(array), allow_pickle=changes.pop("pickle", False))
    content = buffer.getvalue()
    for old, new in changes.values():
        assert old in content
        content = content.replace(old, new.ljust(len(old)), 1)
    return content


def npz(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members:
            archive.writestr(f"{name}.npy", content)
    return path


SUFFIXES = [".npz", ".h5", ".hdf5", ".safetensors"]


def needs(suffix):
    if suffix in (".h5", ".hdf5"):
        pytest.importorskip("h5py")


@pytest.mark.parametrize("suffix", SUFFIXES)
class TestRoundTrips:
    @pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
    def test_bits(self, tmp_path, suffix, dtype):
        needs(suffix)
        model, other = model_of(0).to(dtype), model_of(1).to(dtype)
        io.save_weights(model, tmp_path / f"w{suffix}")
        io.load_weights(other, tmp_path / f"w{suffix}")
        assert_same(other, model)

    def test_special_values_and_empty_weights(self, tmp_path, suffix):
        needs(suffix)
        model, other = nn.Linear(2, 4), nn.Linear(2, 4)
        with dt.no_grad():
            model.bias[...] = dt.tensor([float("nan"), float("inf"), -0.0, 1e-45])
        io.save_weights(model, tmp_path / f"w{suffix}")
        io.load_weights(other, tmp_path / f"w{suffix}")
        assert_same(other, model)

    def test_same_weights_same_bytes(self, tmp_path, suffix):
        needs(suffix)
        for name in "ab":
            io.save_weights(model_of(), tmp_path / f"{name}{suffix}")
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()
        assert len(list(tmp_path.iterdir())) == 2

    def test_misfits_change_nothing(self, tmp_path, suffix):
        needs(suffix)
        path = tmp_path / f"w{suffix}"
        io.save_weights(nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 3)), path)
        model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
        before = copy_of(model)
        with pytest.raises(ValueError, match="does not fit the model") as caught:
            io.load_weights(model, path)
        for part in ("0.bias has shape (3,), expected (2,)", "2.weight is missing", "1.bias is unexpected"):
            assert part in str(caught.value)
        assert unchanged(model, before)

    def test_not_strict(self, tmp_path, suffix):
        needs(suffix)
        path = tmp_path / f"w{suffix}"
        first = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 3))
        io.save_weights(first, path)
        model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
        io.load_weights(model, path, strict=False)
        assert_same(model[0], first[0])

    def test_truncation(self, tmp_path, suffix):
        needs(suffix)
        path, model = tmp_path / f"w{suffix}", nn.Linear(2, 2)
        io.save_weights(model, path)
        content, before = path.read_bytes(), copy_of(model)
        lengths = {0, 1, 7, 8, 100, 511, 512, 600, len(content) // 2, len(content) - 1}
        for length in sorted(length for length in lengths if length < len(content)):
            path.write_bytes(content[:length])
            with pytest.raises(ValueError, match=r"truncated|damaged|does not fit"):
                io.load_weights(model, path)
        assert unchanged(model, before)

    def test_every_flipped_bit_of_our_files_is_noticed(self, tmp_path, suffix):
        """Except where the bit means nothing: a date in a zip archive, say."""
        needs(suffix)
        path, model = tmp_path / f"w{suffix}", nn.Linear(2, 2)
        io.save_weights(model, path)
        content, before = path.read_bytes(), copy_of(model)
        rng = np.random.default_rng(1)
        for position in rng.choice(len(content), min(300, len(content)), replace=False):
            damaged = bytearray(content)
            damaged[position] ^= 1 << int(rng.integers(8))
            path.write_bytes(damaged)
            with contextlib.suppress(ValueError):  # anything else fails the test
                io.load_weights(model, path)
            assert unchanged(model, before)

    def test_a_failed_write_leaves_the_old_file(self, tmp_path, suffix, monkeypatch):
        needs(suffix)
        path = tmp_path / f"w{suffix}"
        io.save_weights(nn.Linear(2, 2), path)
        before = path.read_bytes()

        def fail(*_):
            raise OSError("disk full")

        monkeypatch.setattr("drivetrain.io.atomic.os.fsync", fail)
        with pytest.raises(OSError, match="disk full"):
            io.save_weights(nn.Linear(2, 2), path)
        assert path.read_bytes() == before
        assert [entry.name for entry in tmp_path.iterdir()] == [path.name]

    def test_missing_file(self, tmp_path, suffix):
        needs(suffix)
        with pytest.raises(FileNotFoundError, match="does not exist"):
            io.load_weights(nn.Linear(2, 2), tmp_path / f"w{suffix}")


def test_numpy_reads_the_npz(tmp_path):
    model = model_of()
    io.save_weights(model, tmp_path / "w.npz")
    with np.load(tmp_path / "w.npz", allow_pickle=False) as arrays:
        assert sorted(arrays) == sorted(model.state_dict())
        np.testing.assert_array_equal(arrays["2.1.weight"], model[2][1].weight.detach().numpy())


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_wrote_is_read(tmp_path, save):
    weight = np.asfortranarray(np.arange(6, dtype=">f8").reshape(2, 3))
    save(tmp_path / "w.npz", weight=weight, bias=np.ones(2, np.float16))
    model = nn.Linear(3, 2)
    io.load_weights(model, tmp_path / "w.npz")
    np.testing.assert_array_equal(model.weight.detach().numpy(), weight)
    np.testing.assert_array_equal(model.bias.detach().numpy(), np.ones(2))


def test_only_safetensors_have_a_document(tmp_path):
    with pytest.raises(TypeError, match="npz files have no document for note"):
        io.save_weights(nn.Linear(2, 2), tmp_path / "w.npz", note=1)


@pytest.mark.parametrize(("suffix", "name"), [(".npz", "an .npz"), (".h5", "an HDF5")])
def test_load_of_weights_alone_says_what_reads_them(tmp_path, suffix, name):
    path = tmp_path / f"w{suffix}"
    if suffix == ".h5":
        pytest.importorskip("h5py")
    io.save_weights(model_of(), path)
    for load in (dt.load, io.load_model):
        with pytest.raises(ValueError, match=rf"it is {name} file.* load_weights\(model, path\)"):
            load(path)


@pytest.mark.parametrize("path", [None, 3, b"weights.npz"])
def test_what_is_no_path(path):
    model = model_of()
    calls = [dt.load, io.load_model, io.read_state, model.load_weights, model.save_weights, model.save]
    for call in calls:
        with pytest.raises(TypeError, match=f"path is {path!r}, expected a str or a path"):
            call(path)


class TestHostileNpz:
    def refuse(self, path, match, model=None, limit=4_000_000):
        model = model or nn.Linear(2, 2)
        before = copy_of(model)
        tracemalloc.start()
        try:
            with pytest.raises(ValueError, match=match):
                io.load_weights(model, path)
            assert tracemalloc.get_traced_memory()[1] < limit
        finally:
            tracemalloc.stop()
        assert unchanged(model, before)

    def test_a_bomb(self, tmp_path):
        """A few kilobytes that unpack to gigabytes, behind an array of the right shape and one of a huge."""
        zeros = bytes(200_000_000)
        right = npy(np.zeros((2, 2), np.float32))
        path = npz(tmp_path / "w.npz", [("weight", right + zeros), ("bias", npy(np.zeros(2, np.float32)))], 8)
        del zeros
        assert path.stat().st_size < 1_000_000
        self.refuse(path, "more elements than its shape")

    def test_huge_shapes(self, tmp_path):
        for shape in (b"(100000000000, 2)", b"(99999999999999999, 99999999999999999)"):
            weight = npy(np.zeros((2, 2), np.float32), shape=(b"(2, 2)", shape))
            path = npz(tmp_path / "w.npz", [("weight", weight), ("bias", npy(np.zeros(2, np.float32)))])
            self.refuse(path, "weight has shape|no array of numbers")

    def test_names_that_are_not_wanted_are_not_unpacked(self, tmp_path):
        members = [("weight", npy(np.ones((2, 2)))), ("bias", npy(np.ones(2)))]
        path = npz(tmp_path / "w.npz", [*members, ("other", bytes(100_000_000))], 8)
        self.refuse(path, "other is unexpected")
        model = nn.Linear(2, 2)
        io.load_weights(model, path, strict=False)
        assert model.weight.sum().item() == 4

    @pytest.mark.parametrize(
        "content",
        [
            npy(np.array([[{}, 1], [2, 3]], dtype=object), pickle=True),
            npy(np.array([["a", "b"], ["c", "d"]])),
            npy(np.zeros((2, 2), [("a", np.float32)])),
            npy(np.zeros((2, 2), np.complex64)),
            npy(np.zeros((2, 2), np.int64)),
            npy(np.zeros((2, 2), np.float32), magic=(b"\x93NUMPY", b"NUMPY!")),
            npy(np.zeros((2, 2), np.float32), dtype=(b"<f4", b"<f3")),
            npy(np.zeros((2, 2), np.float32), code=(b"False", b"int()")),
            b"\x93NUMPY\2\0\xff\xff\xff\xff" + bytes(1000),
            b"\x93NUMPY\1\0",
            b"",
        ],
    )
    def test_what_is_no_array_of_numbers(self, tmp_path, content):
        path = npz(tmp_path / "w.npz", [("weight", content), ("bias", npy(np.zeros(2, np.float32)))])
        self.refuse(path, r"no array of numbers|unknown dtype|truncated|expected float32")

    def test_pickles_are_not_run(self, tmp_path):
        class Trap:
            def __reduce__(self):
                return (open, (str(tmp_path / "sprung"), "w"))

        content = npy(np.array([Trap()], dtype=object), pickle=True)
        self.refuse(npz(tmp_path / "w.npz", [("weight", content), ("bias", b"")]), "no array of numbers")
        assert not (tmp_path / "sprung").exists()

    def test_a_name_twice(self, tmp_path):
        good = npy(np.zeros((2, 2), np.float32))
        with pytest.warns(UserWarning, match="Duplicate"):
            path = npz(tmp_path / "w.npz", [("weight", good), ("weight", good)])
        self.refuse(path, "'weight' twice")

    @pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    def test_other_packings(self, tmp_path, compression):
        self.refuse(npz(tmp_path / "w.npz", [("weight", b"")], compression), "packed in a way")

    def test_a_wrong_checksum(self, tmp_path):
        path = npz(tmp_path / "w.npz", [("weight", npy(np.ones((2, 2)))), ("bias", npy(np.ones(2)))])
        content = path.read_bytes()
        one = np.ones(1).tobytes()
        path.write_bytes(content.replace(one, np.full(1, 2.0).tobytes(), 1))
        self.refuse(path, "Bad CRC-32")


class TestHDF5:
    def test_layout(self, tmp_path):
        h5py = pytest.importorskip("h5py")
        model = model_of()
        io.save_weights(model, tmp_path / "w.h5")
        with h5py.File(tmp_path / "w.h5") as file:
            assert list(file) == ["0", "1", "2", "3"]
            assert file.attrs["class"] == "Sequential"
            assert file["2/1"].attrs["class"] == "Linear"
            np.testing.assert_array_equal(file["2/1/weight"][()], model[2][1].weight.detach().numpy())
            assert list(file["2/1"]) == ["bias", "weight"]

    def test_what_h5py_wrote_is_read(self, tmp_path):
        h5py = pytest.importorskip("h5py")
        with h5py.File(tmp_path / "w.h5", "w") as file:
            file["weight"] = np.arange(6, dtype=">f8").reshape(2, 3)
            file["bias"] = np.ones(2, np.float16)
        model = nn.Linear(3, 2)
        io.load_weights(model, tmp_path / "w.h5")
        assert model.weight.detach().tolist() == [[0, 1, 2], [3, 4, 5]]

    def test_without_h5py(self, tmp_path, monkeypatch):
        monkeypatch.setitem(__import__("sys").modules, "h5py", None)
        for function in (io.save_weights, io.load_weights):
            with pytest.raises(ModuleNotFoundError, match=r"drivetrain\[hdf5\]"):
                function(nn.Linear(2, 2), tmp_path / "w.h5")

    def hostile(self, kind, file, tmp_path):
        h5py = pytest.importorskip("h5py")
        weight = np.ones((2, 2), np.float32)
        if kind == "soft link":
            file["real"] = weight
            file["weight"] = h5py.SoftLink("/real")
        elif kind == "external link":
            with h5py.File(tmp_path / "other.h5", "w") as other:
                other["weight"] = weight
            file["weight"] = h5py.ExternalLink("other.h5", "weight")
        elif kind == "external data":
            (tmp_path / "raw").write_bytes(weight.tobytes())
            external = [(str(tmp_path / "raw"), 0, 16)]
            file.create_dataset("weight", (2, 2), "f4", external=external)
        elif kind == "virtual":
            with h5py.File(tmp_path / "other.h5", "w") as other:
                other["weight"] = weight
            layout = h5py.VirtualLayout((2, 2), "f4")
            layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "weight", (2, 2))
            file.create_virtual_dataset("weight", layout)
        elif kind == "compressed":
            file.create_dataset("weight", data=weight, compression="gzip")
        elif kind == "chunked":
            file.create_dataset("weight", (2, 2), "f4", chunks=(2, 2), maxshape=(None, None))
        elif kind == "strings":
            file.create_dataset("weight", (2, 2), h5py.string_dtype())
        elif kind == "references":
            file.create_dataset("weight", (2, 2), h5py.ref_dtype)
        elif kind == "records":
            file.create_dataset("weight", (2, 2), [("a", "f4")])
        elif kind == "huge":
            file.create_dataset("weight", (2**40, 2), "f4")
        elif kind == "no shape":
            file["weight"] = h5py.Empty("f4")
        elif kind == "type":
            file["weight"] = np.dtype("f4")
        elif kind == "group":
            file.create_group("weight")
        elif kind == "cycle":
            file["a"] = file["/"]
        elif kind == "twice":
            file["weight"] = weight
            file["again"] = file["weight"]
        elif kind == "many":
            for number in range(3000):
                file.create_group(f"g{number}")

    @pytest.mark.parametrize(
        "kind",
        [
            "soft link", "external link", "external data", "virtual", "compressed", "chunked", "strings",
            "references", "records", "huge", "no shape", "type", "group", "cycle", "twice", "many",
        ],
    )  # fmt: skip
    def test_hostile(self, tmp_path, kind):
        h5py = pytest.importorskip("h5py")
        with h5py.File(tmp_path / "w.h5", "w") as file:
            self.hostile(kind, file, tmp_path)
            file["bias"] = np.ones(2, np.float32)
        model = nn.Linear(2, 2)
        before = copy_of(model)
        with pytest.raises(ValueError, match=r"w\.h5"):
            io.load_weights(model, tmp_path / "w.h5")
        assert unchanged(model, before)
