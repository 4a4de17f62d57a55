"""Checkpoints as files: what they hold, hashes, hostile ones, atomic writing."""

import contextlib
import errno
import fcntl
import json
import math
import os
import struct
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import io
from drivetrain.io import atomic
from drivetrain.io.header import HASH
from drivetrain.io.state import flatten, unflatten
from drivetrain.train.checkpoints import CheckpointFolder
from io_tools import raw_file
from resume_tools import X, Y, trainer


@pytest.fixture(autouse=True)
def _no_waiting_for_disks(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda file: None)


def names(folder):
    return sorted(os.listdir(folder))


def numbered(*numbers):
    return [f"checkpoint-{number:06d}.safetensors" for number in numbers]


DTYPES = ["bool", "uint8", "int32", "int64", "float16", "bfloat16", "float32", "float64"]


class TestStates:
    STATE = {  # noqa: RUF012
        "numbers": [0, -1, 2**64 - 1, 10**40, 0.1, -0.0, 5e-324, 1.7976931348623157e308],
        "others": [math.inf, -math.inf, True, False, None, "", "Grüße\n\0"],
        "tuples": (1, (2.5, ()), [()]),
        "empty": {"dict": {}, "list": []},
        "numpy": [np.float32(0.1), np.int64(-3), np.bool_(True), np.float64(2.5)],
        "keys": {1: "a", "1": "b", None: "c", (1, 2): "d", "$tensor": "e", "a.b": 1, "": 2},
    }

    def round_trip(self, tmp_path, state):
        io.write_state(tmp_path / "s", state, kind="test", note=1)
        found, document = io.read_state(tmp_path / "s", kind="test")
        assert document["note"] == 1
        assert "state" not in document
        return found

    def test_plain_values_keep_kind_and_bits(self, tmp_path):
        found = self.round_trip(tmp_path, self.STATE)
        assert repr(found) == repr(self.STATE)
        assert type(found["numpy"][0]) is np.float32
        assert type(found["numpy"][2]) is np.bool_

    def test_nan_keeps_its_bits(self, tmp_path):
        texts = "7ff8000000000001", "fff4000000000000"
        special = [struct.unpack(">d", bytes.fromhex(text))[0] for text in texts]
        found = self.round_trip(tmp_path, {"x": special})["x"]
        assert [struct.pack(">d", value).hex()[-4:] for value in found] == ["0001", "0000"]
        assert [struct.pack(">d", value).hex()[0] for value in found] == ["7", "f"]

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_tensors(self, tmp_path, dtype):
        tensor = (dt.arange(6).reshape((2, 3)) * 0.7).astype(dtype)
        state = {"a": {"x": tensor}, "a.x": dt.zeros((0, 2), dtype=dtype), "scalar": tensor[0, 1]}
        found = self.round_trip(tmp_path, state)
        for mine, other in (
            (tensor, found["a"]["x"]),
            (state["a.x"], found["a.x"]),
            (state["scalar"], found["scalar"]),
        ):
            assert isinstance(other, dt.Tensor)
            assert other.dtype == mine.dtype
            assert other.shape == mine.shape
            assert other.tobytes() == mine.tobytes()

    @pytest.mark.parametrize("dtype", ["int8", "uint16", "int16", "uint32", "uint64", ">f4"])
    def test_arrays(self, tmp_path, dtype):
        array = np.arange(6).reshape(2, 3).astype(dtype)
        found = self.round_trip(tmp_path, {"x": array[:, ::2]})["x"]
        assert isinstance(found, np.ndarray)
        np.testing.assert_array_equal(found, array[:, ::2])
        assert found.dtype == array.dtype.newbyteorder("=")

    def test_one_array_in_two_places(self, tmp_path):
        array = np.arange(3)
        found = self.round_trip(tmp_path, {"a": array, "b": [array]})
        np.testing.assert_array_equal(found["b"][0], array)

    @pytest.mark.parametrize(
        ("value", "what"),
        [
            (object(), "object"),
            ({1, 2}, "set"),
            (1j, "complex"),
            (len, "builtin_function_or_method"),
            (np.zeros(2, complex), "an array of complex128"),
            (np.array([None]), "an array of object"),
        ],
    )
    def test_what_no_file_can_hold(self, tmp_path, value, what):
        with pytest.raises(TypeError, match=rf"the state has part\.1\.thing, which is {what}"):
            io.write_state(tmp_path / "s", {"part": [0, {"thing": value}]}, kind="test")
        assert names(tmp_path) == []

    def test_depth(self, tmp_path):
        state = current = {}
        for _ in range(95):
            current["a"] = [{}]
            current = current["a"][0]
        with pytest.raises(ValueError, match="nested deeper than 100 levels"):
            io.write_state(tmp_path / "s", state, kind="test")
        state = []
        state.append(state)
        with pytest.raises(ValueError, match="nested deeper than 100 levels"):
            flatten(state)

    @pytest.mark.parametrize(
        "tree",
        [
            {"$tensor": "nothing"},
            {"$array": ["a"]},
            {"$float": 5},
            {"$float": "zz"},
            {"$float": "00"},
            {"$scalar": ["object", "00"]},
            {"$scalar": ["int64", "00"]},
            {"$scalar": ["int64", "00" * 16]},
            {"$scalar": 5},
            {"$tuple": 5},
            {"$items": [[[], 1]]},
            {"$items": [1]},
            {"$items": 5},
            {"$import": "os"},
            [{"$array": "a"}, {"$array": "a"}],
            [],
        ],
    )
    def test_trees_that_are_none(self, tree):
        with pytest.raises(ValueError, match=r"."):
            unflatten(tree, {"a": np.arange(3)})

    def test_deep_trees(self):
        tree = 1
        for _ in range(500):
            tree = [tree]
        with pytest.raises(ValueError, match="nested deeper"):
            unflatten(tree, {})


class TestHash:
    def test_every_flipped_bit_is_noticed(self, tmp_path):
        path = tmp_path / "s"
        io.write_state(path, {"x": np.arange(4.0), "n": [1, 0.5]}, kind="test")
        content = path.read_bytes()
        for position in range(len(content)):
            for bit in (0, 3, 7) if position % 3 else range(8):
                damaged = bytearray(content)
                damaged[position] ^= 1 << bit
                path.write_bytes(damaged)
                with pytest.raises(ValueError, match=r"."):
                    io.read_state(path)

    def test_every_truncation_is_noticed(self, tmp_path):
        path = tmp_path / "s"
        io.write_state(path, {"x": np.arange(4.0)}, kind="test")
        content = path.read_bytes()
        for length in range(len(content)):
            path.write_bytes(content[:length])
            with pytest.raises(ValueError, match=r"."):
                io.read_state(path)

    def test_a_state_without_one_is_refused(self, tmp_path):
        path = raw_file(tmp_path / "s", {}, {"format": 1, "kind": "test", "state": {}})
        with pytest.raises(ValueError, match="no hash of its content"):
            io.read_state(path)

    def test_weights_without_one_are_read(self, tmp_path):
        """Files of earlier versions have none."""
        path = raw_file(tmp_path / "w", {"x": ("F32", [2], 0, 8)}, {"format": 1, "kind": "weights"})
        np.testing.assert_array_equal(io.read_tensors(path)[0]["x"], np.zeros(2))

    def test_files_of_weights_have_one(self, tmp_path):
        io.save_weights(dt.nn.Linear(2, 2), tmp_path / "w")
        content = bytearray((tmp_path / "w").read_bytes())
        assert HASH.encode() in content
        content[-1] ^= 1
        (tmp_path / "w").write_bytes(content)
        with pytest.raises(ValueError, match="the hash differs"):
            io.load_weights(dt.nn.Linear(2, 2), tmp_path / "w")

    def test_whatever_safetensors_refuses_is_refused(self, tmp_path):
        """Against the package: random damage to a header is accepted by neither or by safetensors alone."""
        safetensors = pytest.importorskip("safetensors")
        path, rng = tmp_path / "s", np.random.default_rng(0)
        io.write_tensors(path, {"a": np.arange(3.0), "b": np.zeros((2, 2), np.int32)}, kind="test")
        content = path.read_bytes()
        end = content.index(b'"__metadata__"')
        accepted = 0
        for _ in range(300):
            damaged = bytearray(content)
            for position in rng.integers(0, len(content) - 40, 2):
                damaged[position] = rng.integers(32, 127) if position >= 8 else rng.integers(0, 256)
            path.write_bytes(damaged)
            with contextlib.suppress(ValueError):
                io.read_tensors(path)
                accepted += 1
                safetensors.safe_open(path, framework="numpy")  # fails the test where it raises
        assert end > 0


class TestHostile:
    """Files that were made to do harm: they cost no more than their size."""

    def refuse(self, path, match, seconds=None):
        tracemalloc.start()
        try:
            with pytest.raises(ValueError, match=match):
                io.read_state(path)
            assert tracemalloc.get_traced_memory()[1] < 20_000_000
        finally:
            tracemalloc.stop()

    def header(self, path, text, data=b""):
        path.write_bytes(struct.pack("<Q", len(text)) + text + data)
        return path

    @pytest.mark.parametrize(
        "text",
        [
            b'{"a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]},'
            b' "a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}}',
            b'{"a": {"dtype": "U8", "dtype": "U8", "shape": [4], "data_offsets": [0, 4]}}',
            b"[" * 200_000,
            b'{"a":' * 100_000,
            b'{"a": {"dtype": "U8", "shape": [' + b"1," * 100 + b'4], "data_offsets": [0, 4]}}',
            b'{"a": {"dtype": "U8", "shape": [' + b"9" * 5000 + b'], "data_offsets": [0, 4]}}',
            b'{"a": {"dtype": "U8", "shape": [4.0], "data_offsets": [0, 4]}}',
            b'{"a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4], "more": 1}}',
            b'{"a": {"dtype": "U8", "shape": [NaN], "data_offsets": [0, 4]}}',
            b'{"a": {"dtype": "U8", "shape": [4], "data_offsets": [true, 4]}}',
            b'{"a": 5}',
            b"5",
            b"\xff\xfe",
            b'{"__metadata__": 5}',
            b'{"__metadata__": {"drivetrain": 5}}',
        ],
    )
    def test_headers(self, tmp_path, text):
        self.refuse(self.header(tmp_path / "s", text, bytes(4)), "truncated, damaged or no safetensors file")

    def test_documents(self, tmp_path):
        for document in ('{"format": 1, "format": 1}', '{"format": 1, "x": NaN}', "[" * 100_000, "{" * 9):
            text = json.dumps({"__metadata__": {"drivetrain": document, HASH: ""}}).encode()
            self.refuse(self.header(tmp_path / "s", text), "damaged document")

    def test_a_header_as_long_as_the_file_says(self, tmp_path):
        for length in (2**63, 2**64 - 1, 10**9):
            (tmp_path / "s").write_bytes(struct.pack("<Q", length) + b"{}")
            self.refuse(tmp_path / "s", "its header is said to have")

    def test_fuzz(self, tmp_path):
        """Random edits of a checkpoint raise ValueError and nothing else; with a hash that was put right."""
        path, rng = tmp_path / "s", np.random.default_rng(3)
        trained = trainer()
        trained.fit(X, Y, 4, 1, 0)
        trained.save_checkpoint(path)
        content = path.read_bytes()
        length = struct.unpack("<Q", content[:8])[0]
        text, data = content[8 : 8 + length], content[8 + length :]
        parts = [
            b'"',
            b"{",
            b"}",
            b"[",
            b"]",
            b"1",
            b"-",
            b"null",
            b"1e999",
            b"\\",
            b",",
            b":",
            b'{"$tensor": 1}',
        ]
        fresh = trainer()
        for _ in range(150):
            edited = bytearray(text)
            for _ in range(int(rng.integers(1, 4))):
                at = int(rng.integers(len(edited)))
                edited[at : at + int(rng.integers(0, 5))] = parts[rng.integers(len(parts))]
            path.write_bytes(struct.pack("<Q", len(edited)) + bytes(edited) + data)
            with contextlib.suppress(ValueError):
                fresh.load_state_dict(io.read_state(path)[0])
                pytest.fail("an edited checkpoint was read")


class TestAtomicFiles:
    def test_leftovers_are_swept(self, tmp_path):
        ours = [
            ".checkpoint-000001.safetensors.0123456789ab.tmp",
            ".checkpoint-000022.safetensors.ffffffffffff.tmp",
        ]
        others = [
            "checkpoint-000001.safetensors.0123456789ab.tmp",
            ".checkpoint-000001.safetensors.0123456789ab.tmp2",
            ".checkpoint-000001.safetensors.0123456789aX.tmp",
            ".other.safetensors.0123456789ab.tmp",
            ".checkpoint-1.safetensors.0123456789ab.tmp",
            "notes.txt",
        ]
        for name in (*ours, *others):
            (tmp_path / name).write_text("x")
        (tmp_path / ".checkpoint-000003.safetensors.0123456789ab.tmp").symlink_to(tmp_path / "notes.txt")
        (tmp_path / ".checkpoint-000004.safetensors.0123456789ab.tmp").mkdir()
        assert CheckpointFolder(tmp_path).sweep() == ours
        assert set(others) < set(names(tmp_path))
        assert len(names(tmp_path)) == len(others) + 2

    def test_files_of_living_writers_stay(self, tmp_path):
        with atomic.replacing(tmp_path / "checkpoint-000001.safetensors") as file:
            file.write(b"half")
            code = (
                "import sys; from drivetrain.train.checkpoints import CheckpointFolder;"
                "print(CheckpointFolder(sys.argv[1]).sweep())"
            )
            swept = subprocess.run(
                [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
            )
            assert swept.stdout == "[]\n"
        assert names(tmp_path) == numbered(1)

    def test_a_writer_that_was_swept_before_it_had_its_lock_begins_again(self, tmp_path, monkeypatch):
        real, calls = fcntl.flock, []

        def flock(file, how):
            calls.append(how)
            if len(calls) == 1:
                os.unlink(file.name)
            real(file, how)

        monkeypatch.setattr(fcntl, "flock", flock)
        with atomic.replacing(tmp_path / "file") as file:
            file.write(b"whole")
        assert len(calls) == 2
        assert (tmp_path / "file").read_bytes() == b"whole"
        assert names(tmp_path) == ["file"]

    def test_file_systems_without_locks(self, tmp_path, monkeypatch):
        def flock(file, how):
            raise OSError(errno.ENOLCK, "no locks")

        monkeypatch.setattr(fcntl, "flock", flock)
        atomic.write_text(tmp_path / "file", "text")
        (tmp_path / ".checkpoint-000001.safetensors.0123456789ab.tmp").touch()
        assert CheckpointFolder(tmp_path).sweep() == []
        assert len(names(tmp_path)) == 2
