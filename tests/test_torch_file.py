"""Files of torch.save are read without PyTorch and without executing anything, hostile ones are refused."""

from __future__ import annotations

import io
import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from drivetrain.io import read_torch
from drivetrain.io.pickle_reader import Name, PickleReader

GOLDEN = Path(__file__).parent / "golden"
FILES = ("checkpoint.pt", "checkpoint_legacy.pt")  # of PyTorch 2.13, in the new format and in that before 1.6


@pytest.mark.parametrize("name", FILES)
def test_recorded_files(name):
    found = read_torch(GOLDEN / name)
    state = found.pop("state_dict")
    assert found.pop("dtype").text == "torch.float32"
    assert found == {
        "epoch": 3,
        "lr": 0.5,
        "note": "größer",
        "size": (2, 3),
        "list": [1, None, True, (2,)],
    }
    base = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    expected = {
        "whole": base,
        "part": base[1, :, 1:3],
        "turned": base.transpose(2, 0, 1),
        "half": np.array([1.5, -2], np.float16),
        "bf": np.array([1, -0.3359375], np.float32),
        "count": np.array(7),
        "flags": np.array([True, False]),
        "bytes": np.arange(5, dtype=np.uint8),
        "small": np.array([-1, 2], np.int8),
        "empty": np.zeros((0, 3), np.float32),
        "weight": np.ones(2, np.float32),
    }
    assert list(state) == list(expected)
    for key, array in expected.items():
        assert state[key].dtype == array.dtype, key
        np.testing.assert_array_equal(state[key], array)


@pytest.mark.parametrize("is_new", [True, False])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_what_the_installed_pytorch_writes(is_new, protocol, tmp_path):
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Linear(4, 5))
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 3, 6, 6))[0].sum().backward()
    optimizer.step()
    saved = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "large": 2**70}
    path = tmp_path / "a.pt"
    torch.save(saved, path, _use_new_zipfile_serialization=is_new, pickle_protocol=protocol)
    found = read_torch(path)
    assert found["large"] == 2**70
    assert found["optimizer"]["param_groups"] == optimizer.state_dict()["param_groups"]
    for name, tensor in model.state_dict().items():
        np.testing.assert_array_equal(found["model"][name], tensor.numpy())
    moments = found["optimizer"]["state"][0]["exp_avg"]
    np.testing.assert_array_equal(moments, optimizer.state_dict()["state"][0]["exp_avg"].numpy())


def test_a_whole_model_is_refused(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save(torch.nn.Linear(2, 2), tmp_path / "a.pt")
    with pytest.raises(ValueError, match=r"names torch\.nn\.modules\.linear\.Linear.*Save model\.state_dict"):
        read_torch(tmp_path / "a.pt")


# Pickles made by hand


def read_pickle(data, names=()):
    table = {text: Name(text, make) for text, make in dict(names).items()}
    return PickleReader(io.BytesIO(data), len(data), table, lambda given: given).load()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, -5, 70_000, 2**40, 2**2000 - 1, 1.5, float("inf")], "b": (None, True, False)},
        [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], {}, {"x": {"y": []}}],
        {7: "one", 2.5: "ä" * 300, None: "", True: b"bytes"},
        [[i] for i in range(2000)],
    ],
)
def test_plain_objects(value, protocol):
    data = pickle.dumps(value, protocol)
    if protocol < 3 and "_codecs" in repr(data):
        pytest.skip("bytes in protocol 2 need a function")
    assert read_pickle(data) == value


def shared():
    part = [1]
    return [part, part]


def test_what_is_shared_stays_shared():
    first, second = read_pickle(pickle.dumps(shared(), 2))
    assert first is second


class Evil:
    def __reduce__(self):
        return (Path.write_text, (Path("executed.txt"), "x"))


class Command:
    def __reduce__(self):
        import os

        return (os.system, ("touch executed.txt",))


@pytest.mark.parametrize("evil", [Evil(), Command(), {"state_dict": [Command()]}])
@pytest.mark.parametrize("protocol", [2, 4])
def test_nothing_is_executed(evil, protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = pickle.dumps(evil, protocol)
    (tmp_path / "legacy.pt").write_bytes(data)
    with zipfile.ZipFile(tmp_path / "new.pt", "w") as archive:
        archive.writestr("archive/data.pkl", data)
    for name in ("legacy.pt", "new.pt"):
        with pytest.raises(ValueError, match=r"nothing of it was executed|no file of PyTorch"):
            read_torch(name)
    assert not (tmp_path / "executed.txt").exists()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "needs 1 bytes"),
        (b".", "ends with 0 objects"),
        (b"NN.", "ends with 2 objects"),
        (b"(.", "ends with 1 objects"),
        (b"a.", "an object that is not there"),
        (b"]t.", "a mark that is not there"),
        (b"NNs.", "a dict that is not there"),
        (b"}(Nu.", "a key has no value"),
        (b"}]Ns.", "a key of type list"),
        (b"})Ns.", "a key of type tuple"),
        (b"h\x05.", "object 5 is used before"),
        (b"X\xff\xff\xff\x7f.", "needs 2147483647 bytes"),
        (b"\x8d" + b"\xff" * 8 + b".", "bytes, "),
        (b"X\x01\x00\x00\x00\xff.", "can't decode"),
        (b"\x80\x09.", "protocol 9"),
        (b"cos\nsystem\n.", "names os.system"),
        (b"c" + b"a" * 3000, "a name does not end"),
        (b"N)R.", "no maker"),
        (b"i", "the instruction b'i'"),
        (b"o", "the instruction b'o'"),
        (b"\x81", "the instruction"),
        (b"\x82\x01", "the instruction"),
        (b"\x85" * 3, "not there"),
        (b")" + b"\x85" * 200 + b".", "deeper than 100"),
        (b"]q\x00h\x00a.", "holds itself"),
        (b"]q\x00]h\x00aa.", "holds itself"),
    ],
)  # fmt: skip
def test_damaged_pickles(data, message):
    with pytest.raises(ValueError, match=message):
        read_pickle(data)


def test_deep_and_shared_objects_take_no_time():
    """Every level holds the one before twice: 2 ** 90 paths lead to the innermost."""
    data = b"]q\x00" + b"0(h\x00h\x00tq\x00" * 90 + b"."
    assert len(read_pickle(data)) == 2
    deep = b")" + b"\x85" * 50_000 + b"."
    with pytest.raises(ValueError, match="deeper"):
        read_pickle(deep)


MANY = b"]q\x00" + b"0(h\x00h\x00tq\x00" * 90  # a tree of 2 ** 90 leaves, each level of which is one object
LEGACY = pickle.dumps(0x1950A86A20F9469CFC6C, 2)
HEAD = LEGACY + pickle.dumps(1001, 2) + pickle.dumps({}, 2)


@pytest.mark.parametrize(
    "data",
    [
        MANY + b".",
        LEGACY + MANY + b"." + pickle.dumps({}, 2),
        HEAD + b"N." + MANY + b".",
        HEAD + b"N.(" + MANY + b"l.",
        HEAD + b"ctorch\ndevice\n(" + MANY + b"tR.",
        HEAD + b"ctorch\nSize\n(" + MANY + b"tQ.",
        LEGACY
        + pickle.dumps(1001, 2)
        + pickle.dumps({}, 2)
        + b"ccollections\nOrderedDict\n("
        + MANY
        + b"tR.",
    ],
)
def test_what_is_shared_is_not_unfolded(data, tmp_path):
    """Showing, comparing or hashing these would never end."""
    (tmp_path / "a.pt").write_bytes(data)
    with pytest.raises(ValueError, match="no file of PyTorch"):
        read_torch(tmp_path / "a.pt")


# Files made by hand


def archive(tmp_path, program, members=None, **options):
    path = tmp_path / "made.pt"
    with zipfile.ZipFile(path, "w", **options) as file:
        file.writestr("archive/data.pkl", program)
        for name, content in (members or {}).items():
            file.writestr(f"archive/{name}", content)
    return path


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def number(value):
    return b"\x8a\x08" + struct.pack("<q", value)


def numbers(values):
    return b"(" + b"".join(map(number, values)) + b"t"


def tensor(shape, strides, offset=0, count=4, kind="Float", key="0"):
    storage = b"(" + text("storage") + f"ctorch\n{kind}Storage\n".encode() + text(key) + text("cpu")
    storage += number(count) + b"tQ"
    rebuild = b"ctorch._utils\n_rebuild_tensor_v2\n("
    return rebuild + storage + number(offset) + numbers(shape) + numbers(strides) + b"\x89NtR"


FOUR = {"data/0": np.arange(4, dtype="<f4").tobytes()}


def test_a_file_made_by_hand_is_one(tmp_path):
    found = read_torch(archive(tmp_path, tensor((2, 2), (1, 2)) + b".", FOUR))
    np.testing.assert_array_equal(found, [[0, 2], [1, 3]])


def test_big_endian(tmp_path):
    members = {"data/0": np.arange(4, dtype=">f4").tobytes(), "byteorder": b"big"}
    np.testing.assert_array_equal(read_torch(archive(tmp_path, tensor((4,), (1,)) + b".", members)), range(4))


@pytest.mark.parametrize(
    ("program", "members", "message"),
    [
        (tensor((5,), (1,)), FOUR, "beyond its storage"),
        (tensor((2,), (1,), offset=3), FOUR, "beyond its storage"),
        (tensor((2,), (3,), offset=2), FOUR, "beyond its storage"),
        (tensor((10**9,), (0,)), FOUR, "beyond its storage"),
        (tensor((2,), (-1,), offset=1), FOUR, "that is none"),
        (tensor((-1,), (1,)), FOUR, "that is none"),
        (tensor((2,), (1, 1)), FOUR, "1 sizes and 2 strides"),
        (tensor((1,) * 40, (1,) * 40), FOUR, "40 sizes"),
        (tensor((2**61, 2**61), (0, 0)), FOUR, "beyond its storage"),
        (tensor((4,), (1,), count=2**50), FOUR, "has not the size"),
        (tensor((4,), (1,), count=-1), FOUR, "unknown type, key or size"),
        (tensor((4,), (1,), key="1"), FOUR, "is missing"),
        (tensor((4,), (1,), key="../0"), FOUR, "is missing"),
        (tensor((4,), (1,)), {}, "is missing"),
        (tensor((4,), (1,), kind="Bool"), {"data/0": b"\x00\x01\x02\x00"}, "neither True nor False"),
        (b"(" + tensor((4,), (1,)) + tensor((4,), (1,), kind="Int") + b"t", FOUR, "two types"),
        (b"NQ", FOUR, "a storage is none"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n(NNNNtR", FOUR, "does not take|no storage"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n)R", FOUR, "does not take"),
        (b"ccollections\nOrderedDict\nK\x05\x85R", FOUR, "does not take"),
        (b"N", {"constants.pkl": b""}, "TorchScript"),
    ],
)  # fmt: skip
def test_hostile_files(program, members, message, tmp_path):
    path = archive(tmp_path, program + b".", members)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=message):
            read_torch(path)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_other_archives(tmp_path):
    path = archive(tmp_path, b"N." + b" " * 10_000, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match=r"larger than the file|compressed"):
        read_torch(path)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("readme.txt", "x")
    with pytest.raises(ValueError, match=r"no data\.pkl"):
        read_torch(tmp_path / "a.zip")
    with pytest.raises(FileNotFoundError):
        read_torch(tmp_path / "none.pt")
    with pytest.raises(ValueError, match="no regular file"):
        read_torch(tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_mutated_files_neither_crash_nor_take_memory(name, tmp_path):
    """Truncated, bits flipped, parts repeated or replaced: a ValueError, or something was read."""
    random = np.random.default_rng(0)
    original = (GOLDEN / name).read_bytes()
    path = tmp_path / "mutated.pt"
    refused = 0
    tracemalloc.start()
    for trial in range(400):
        data = bytearray(original)
        for _ in range(random.integers(1, 4)):
            place = int(random.integers(len(data)))
            match trial % 4:
                case 0:
                    data[place] ^= 1 << int(random.integers(8))
                case 1:
                    data[place] = int(random.integers(256))
                case 2:
                    del data[place : place + int(random.integers(1, 40))]
                case _:
                    data[place:place] = data[place : place + int(random.integers(1, 40))]
        path.write_bytes(data[: int(random.integers(len(data)))] if trial % 10 == 9 else data)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        try:
            read_torch(path)
        except ValueError:
            refused += 1
        assert tracemalloc.get_traced_memory()[1] - before < 500_000
    tracemalloc.stop()
    assert refused > 100
