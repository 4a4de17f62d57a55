"""Weights as HDF5, through h5py: a group per layer, a data set per weight.

The file begins with a block of 512 bytes that HDF5 passes over: there stands a hash of all the rest, which is
compared before the library looks at it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from .._extras import need
from .arrays import to_array
from .atomic import replacing
from .fit import Found, check_fit, narrow
from .header import HDF5_TITLE as TITLE
from .tensorfile import opened

BLOCK = 512
DEEPEST = 50
CHUNK = 1 << 20


def write_hdf5(path: str | os.PathLike[str], tensors: Mapping[str, Any], layers: Mapping[str, str]) -> None:
    """Write arrays under their dotted names, the dots as groups; bfloat16 as float32.

    Args:
        path: Path.
        tensors: Mapping of dotted name to tensor.
        layers: The class of every layer, by dotted name: the attribute "class" of its group.
    """
    from .. import __version__

    h5py = need("HDF5", "h5py", "h5py", "hdf5")
    with replacing(path) as file:
        with h5py.File(file, "w", userblock_size=BLOCK, track_order=True) as root:
            root.attrs["drivetrain"] = __version__
            for name, value in tensors.items():
                place, _, last = name.rpartition(".")
                group = root.require_group(place.replace(".", "/")) if place else root
                group.create_dataset(last, data=np.asarray(to_array(narrow(value))))
            for name, kind in layers.items():
                group = root.get(name.replace(".", "/")) if name else root
                if group is not None:
                    group.attrs["class"] = kind
        digest = hash_of(file)
        file.seek(0)
        file.write((TITLE + digest.encode() + b"\n").ljust(BLOCK, b"\0"))


def read_hdf5(path: str | os.PathLike[str], model: Any, strict: bool) -> dict[str, NDArray[Any]]:
    """Read the arrays that a model needs.

    Names and shapes are compared with the model's before memory is allocated for them. Data sets that lie in
    other files, are put together of others, are compressed, or hold objects are refused.

    Raises:
        ModuleNotFoundError: Without h5py.
        ValueError: When it is damaged, or does not fit the model.
    """
    h5py = need("HDF5", "h5py", "h5py", "hdf5")
    wanted = model.state_dict()
    with opened(path) as file:
        check_hash(path, file)
        with _damage(path), h5py.File(file, "r") as root:
            reader = Reader(h5py, path, limit=4 * len(wanted) + 1000)
            reader.visit(root, "", 0)
            kept = {name: data for name, data in reader.found.items() if name in wanted}
            forms: dict[str, Found | None] = dict.fromkeys(reader.found)
            forms |= {name: reader.check(name, data) for name, data in kept.items()}
            check_fit(path, forms, model, strict)
            return {name: as_native(data[()]) for name, data in kept.items()}


@contextlib.contextmanager
def _damage(path: Any) -> Iterator[None]:
    """Whatever h5py raises about a file is about the file."""
    try:
        yield
    except (ValueError, MemoryError) as error:
        raise error if str(path) in str(error) else damaged(path, error) from None
    except Exception as error:
        raise damaged(path, error) from None


def damaged(path: Any, error: Any) -> ValueError:
    return ValueError(f"{path} is truncated, damaged or no HDF5 file ({error})")


class Reader:
    """Walks over groups by hard links only: no other link is followed, and nothing is visited twice."""

    def __init__(self, h5py: Any, path: Any, limit: int) -> None:
        self.h5py, self.path, self.limit = h5py, path, limit
        self.found: dict[str, Any] = {}
        self.seen: set[int] = set()

    def visit(self, group: Any, prefix: str, depth: int) -> None:
        if depth > DEEPEST:
            raise ValueError(f"{self.path} is nested deeper than {DEEPEST} groups")
        for key in group:
            name = prefix + key
            if not isinstance(group.get(key, getlink=True), self.h5py.HardLink):
                raise ValueError(
                    f"{self.path}: {name[:80]} is a link to somewhere else, which is not followed"
                )
            member = group[key]
            address = self.h5py.h5o.get_info(member.id).addr
            if address in self.seen or len(self.seen) > self.limit:
                why = "is there twice" if address in self.seen else "is one member too many for the model"
                raise ValueError(f"{self.path}: {name[:80]} {why}")
            self.seen.add(address)
            if isinstance(member, self.h5py.Group):
                self.visit(member, f"{name}.", depth + 1)
            else:
                self.found[name] = member

    def check(self, name: str, data: Any) -> Found:
        """What a data set holds, where it is a plain one."""
        if not isinstance(data, self.h5py.Dataset):
            raise ValueError(f"{self.path}: {name} is no data set")
        plan = data.id.get_create_plist()
        layouts = (self.h5py.h5d.CONTIGUOUS, self.h5py.h5d.COMPACT)
        if plan.get_layout() not in layouts or plan.get_external_count() or plan.get_nfilters():
            raise ValueError(f"{self.path}: {name} is packed, in pieces or in another file; expected plain")
        if data.shape is None or data.dtype.kind not in "biuf":
            raise ValueError(f"{self.path}: {name} has dtype {data.dtype}, expected numbers")
        return Found(tuple(data.shape), data.dtype.name)


def as_native(array: Any) -> NDArray[Any]:
    values = np.asarray(array)
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def hash_of(file: BinaryIO) -> str:
    digest = hashlib.blake2b(digest_size=32)
    file.seek(BLOCK)
    while part := file.read(CHUNK):
        digest.update(part)
    return digest.hexdigest()


def check_hash(path: Any, file: BinaryIO) -> None:
    """Compare the hash where the file has one: others' files do not."""
    block = file.read(BLOCK)
    if block.startswith(TITLE) and hash_of(file) != block[len(TITLE) :].split(b"\n")[0].decode("latin-1"):
        raise ValueError(f"{path} is damaged: its content is not what was written (the hash differs)")
    file.seek(0)
