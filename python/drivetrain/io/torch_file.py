"""Reading the files that ``torch.save`` writes, without PyTorch and without executing anything in them.

Such a file is a zip archive of a pickle and the memory of each storage ("archive/data/0"), or, before
PyTorch 1.6, several pickles and the storages one after the other.
"""

from __future__ import annotations

import math
import os
import struct
import zipfile
from collections.abc import Callable
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from .pickle_reader import Name, PickleReader
from .tensorfile import opened

Array = NDArray[Any]
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
MOST_AXES = 32
MOST_ARRAYS = 1_000_000
STORAGES = {
    "Float": "float32",
    "Double": "float64",
    "Half": "float16",
    "BFloat16": "bfloat16",
    "Long": "int64",
    "Int": "int32",
    "Short": "int16",
    "Char": "int8",
    "Byte": "uint8",
    "Bool": "bool",
}
# Signs that may stand beside the tensors, in the arguments of a training, say.
DTYPES = ("float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool")


def read_torch(path: str | os.PathLike[str]) -> Any:
    """Read a ``.pt`` or ``.pth`` file that ``torch.save`` wrote: a state dict, or what holds one.

    Nothing in the file is executed, and PyTorch is not needed: a machine of our own reads the few
    instructions and names that tensors, dicts, lists, numbers and strings need, and refuses all others.

    Args:
        path: Path.

    Returns:
        What was saved, with NumPy arrays in place of tensors and parameters. bfloat16 comes as
        float32, which holds all its numbers. Shapes and orders of axes are PyTorch's: see
        ``drivetrain.models.load_pytorch_weights``.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it is truncated, damaged or no such file, or holds other objects, a whole model for
            instance. Sizes are checked before memory is allocated for them: it takes no more than a few times
            the size of the file.

    Source: the formats are those of ``torch.serialization``.

    Example:
        >>> import pathlib, tempfile
        >>> from drivetrain.io import read_torch
        >>> path = pathlib.Path(tempfile.mkdtemp(), "weights.pt")
        >>> size = path.write_bytes(b"import os")
        >>> try:
        ...     read_torch(path)
        ... except ValueError as error:
        ...     print("no file of PyTorch" in str(error))
        True
    """
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            is_archive = file.read(4) == b"PK\x03\x04"
            file.seek(0)
            return _read_archive(file, size) if is_archive else _read_legacy(file, size)
        except (ValueError, zipfile.BadZipFile, NotImplementedError, EOFError, struct.error) as error:
            raise ValueError(f"{path} is truncated, damaged or no file of PyTorch ({error})") from None
        except (KeyError, RuntimeError, OverflowError, MemoryError) as error:  # of zipfile
            raise ValueError(f"{path} is damaged ({type(error).__name__}: {error})") from None


class Storage:
    """The elements that tensors are views of."""

    def __init__(self, dtype: str, count: int, content: Array | None = None) -> None:
        self.dtype, self.count, self.content = dtype, count, content


def stored_dtype(name: str, order: Any = "<") -> np.dtype[Any]:
    return np.dtype("uint16" if name == "bfloat16" else name).newbyteorder(order)


def decoded(data: bytes, name: str, order: str) -> Array:
    """The elements of a storage from its bytes."""
    if name == "bool" and np.frombuffer(data, np.uint8).max(initial=0) > 1:
        raise ValueError("a bool is neither True nor False")
    raw = np.frombuffer(data, stored_dtype(name, order))
    if name == "bfloat16":
        return (raw.astype(np.uint32) << 16).view(np.float32)
    return raw if raw.dtype.isnative else raw.astype(raw.dtype.newbyteorder("="))


def view(storage: Any, offset: Any, shape: Any, strides: Any) -> tuple[int, ...]:
    """Checks that a tensor lies within its storage; returns its strides."""
    if not isinstance(storage, Storage):
        raise ValueError("a tensor has no storage")
    numbers = (offset, *shape, *strides)
    if len(shape) != len(strides) or len(shape) > MOST_AXES:
        raise ValueError(f"a tensor has {len(shape)} sizes and {len(strides)} strides")
    if not all(type(number) is int and 0 <= number < 2**62 for number in numbers):
        raise ValueError("a tensor has a size, stride or offset that is none")
    count = math.prod(shape)
    if count == 0:
        return tuple(strides)
    last = offset + sum((size - 1) * step for size, step in zip(shape, strides, strict=True))
    if last >= storage.count or count > storage.count:
        raise ValueError(f"a tensor of shape {shape} reaches beyond its storage of {storage.count} elements")
    return tuple(strides)


def strided(content: Array, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Array:
    if 0 in shape:
        return np.empty(shape, content.dtype)
    steps = tuple(step * content.itemsize for step in strides)
    return np.ndarray(shape, content.dtype, content, offset * content.itemsize, steps)


class Tables:
    """The names that a pickle of PyTorch may use, for one file."""

    def __init__(self) -> None:
        self.arrays = 0
        makers: dict[str, Callable[..., Any] | None] = {
            "collections.OrderedDict": ordered_dict,
            "torch._utils._rebuild_tensor_v2": self.tensor,
            "torch._utils._rebuild_tensor": self.tensor,
            "torch._utils._rebuild_parameter": lambda data, *_: data,
            "torch._utils._rebuild_parameter_with_state": lambda data, *_: data,
            "torch.Size": lambda sizes: tuple(sizes),
            "torch.device": device,
            **{f"torch.{kind}Storage": None for kind in STORAGES},
            **{f"torch.{name}": None for name in DTYPES},
        }
        self.names = {text: Name(text, make) for text, make in makers.items()}

    def tensor(self, storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Array:
        self.arrays += 1
        if self.arrays > MOST_ARRAYS:
            raise ValueError(f"it has more than {MOST_ARRAYS} tensors")
        shape = tuple(shape)
        steps = view(storage, offset, shape, tuple(strides))
        if storage.content is None:
            raise ValueError("a tensor comes before its storage")
        return strided(storage.content, offset, shape, steps)


class LegacyTables(Tables):
    """In the old format the elements of all storages follow the pickle."""

    def tensor(self, storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Array:
        if isinstance(storage, Storage) and storage.content is None:
            wanted = "float32" if storage.dtype == "bfloat16" else storage.dtype
            storage.content = np.zeros(storage.count, stored_dtype(wanted, "="))
        return super().tensor(storage, offset, shape, strides)


def device(kind: Any, number: Any = None) -> str:
    if not isinstance(kind, str) or not (number is None or type(number) is int):
        raise ValueError("a device is none")
    return kind if number is None else f"{kind}:{number}"


def ordered_dict(items: Any = ()) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for key, value in items:
        if not isinstance(key, str):
            raise ValueError(f"a dict has a key of type {type(key).__name__}")
        found[key] = value
    return found


def _persistent(given: Any) -> tuple[str, str, int, Any]:
    """Dtype, key, count and what follows of ("storage", type, key, place, count, ...)."""
    if not isinstance(given, tuple) or len(given) < 5 or given[0] != "storage":
        raise ValueError("a storage is none")
    kind, key, count = given[1], given[2], given[4]
    name = kind.text.removeprefix("torch.").removesuffix("Storage") if isinstance(kind, Name) else ""
    if name not in STORAGES or not isinstance(key, str) or type(count) is not int or count < 0:
        raise ValueError("a storage has an unknown type, key or size")
    return STORAGES[name], key, count, given[5:]


class Bounded:
    """A file that zipfile may ask for more than there is, as damaged archives have it do.

    Python's own files allocate all that is asked for, and raise OSError for places before the beginning.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.size = file, size
        self.tell = file.tell

    def seekable(self) -> bool:
        return True

    def seek(self, place: int, whence: int = 0) -> int:
        start = (0, self.file.tell(), self.size)[whence]
        if not 0 <= start + place <= 2**62:
            raise ValueError("it points to what lies outside of it")
        return self.file.seek(start + place)

    def read(self, count: int = -1) -> bytes:
        left = max(0, self.size - self.file.tell())
        return self.file.read(left if count < 0 else min(count, left))


def _read_archive(file: BinaryIO, size: int) -> Any:
    bounded: Any = Bounded(file, size)
    with zipfile.ZipFile(bounded) as archive:
        members = {info.filename: info for info in archive.infolist()}
        if len(members) != len(archive.infolist()):
            raise ValueError("two of its members have one name")
        if sum(info.file_size for info in members.values()) > size:
            raise ValueError("its members are larger than the file")
        if any(info.compress_type != zipfile.ZIP_STORED for info in members.values()):
            raise ValueError("its members are compressed, which PyTorch does not do")
        pickles = [name for name in members if name.endswith("data.pkl") and name.count("/") <= 1]
        if len(pickles) != 1:
            raise ValueError("it has no data.pkl, or several")
        top = pickles[0].removesuffix("data.pkl")
        if f"{top}constants.pkl" in members or f"{top}code/" in members:
            raise ValueError("it is a program of TorchScript; save model.state_dict() instead")
        order = archive.read(members[f"{top}byteorder"]) if f"{top}byteorder" in members else b"little"
        storages: dict[str, Storage] = {}

        def storage(given: Any) -> Storage:
            dtype, key, count, _ = _persistent(given)
            if key not in storages:
                name = f"{top}data/{key}"
                wanted = count * stored_dtype(dtype).itemsize
                if name not in members or members[name].file_size != wanted:
                    raise ValueError(f"storage {key[:80]} is missing or has not the size {wanted}")
                content = decoded(archive.read(members[name]), dtype, ">" if order == b"big" else "<")
                storages[key] = Storage(dtype, count, content)
            if storages[key].dtype != dtype:
                raise ValueError(f"storage {key[:80]} has two types")
            return storages[key]

        program = archive.read(members[pickles[0]])
        return PickleReader(BytesIO(program), len(program), Tables().names, storage).load()


def _read_legacy(file: BinaryIO, size: int) -> Any:
    plain = Tables().names

    def no_storage(given: Any) -> Any:
        raise ValueError("a storage comes too early")

    def next_pickle(names: Any = plain, persistent: Callable[[Any], Any] = no_storage) -> Any:
        return PickleReader(file, size - file.tell(), names, persistent).load()

    if next_pickle() != LEGACY_MAGIC:
        raise ValueError("it does not begin as one")
    protocol, system = next_pickle(), next_pickle()
    if protocol != 1001 or not isinstance(system, dict):
        raise ValueError("it has another protocol than 1001")
    order = "<" if system.get("little_endian", True) else ">"
    storages: dict[str, Storage] = {}
    tables = LegacyTables()
    wanted = 0

    def storage(given: Any) -> Storage:
        nonlocal wanted
        dtype, key, count, more = _persistent(given)
        if more and more[0] is not None:
            raise ValueError("a storage is a part of another one")
        if key not in storages:
            wanted += count * stored_dtype(dtype).itemsize
            if wanted > size:
                raise ValueError("its storages are larger than the file")
            storages[key] = Storage(dtype, count)
        if (storages[key].dtype, storages[key].count) != (dtype, count):
            raise ValueError(f"storage {key[:80]} has two types or sizes")
        return storages[key]

    result = next_pickle(tables.names, storage)
    keys = next_pickle()
    # Nothing is shown or compared that may be nested: what is shared in it counts anew at every place.
    is_list = isinstance(keys, list) and all(isinstance(key, str) for key in keys)
    if not is_list or sorted(keys) != sorted(storages):
        raise ValueError("its list of storages is another one")
    for key in keys:
        _fill(file, storages[key], order)
    return result


def _fill(file: BinaryIO, storage: Storage, order: str) -> None:
    (count,) = struct.unpack(f"{order}q", file.read(8))
    length = storage.count * stored_dtype(storage.dtype).itemsize
    data = file.read(length)
    if count != storage.count or len(data) != length:
        raise ValueError("a storage is truncated or of another size")
    if storage.content is not None:
        storage.content[:] = decoded(data, storage.dtype, order)
