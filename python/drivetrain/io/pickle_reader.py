"""The part of Python's pickle format that files of PyTorch's weights consist of, read without executing.

A pickle is a program for a machine with a stack, whose instructions may call any function by name. This
machine knows no functions: a name stands for one of the few makers that it is given, which build plain data.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, NamedTuple

DEEPEST = 100
LONGEST_INSTRUCTION = 1 << 30
KEYS = (str, int, float, bool, bytes, type(None))


class Name(NamedTuple):
    """A maker of the table, by its module and name."""

    text: str
    make: Callable[..., Any] | None  # None: a plain sign, such as a dtype


class _Mark:
    """The place on the stack where the parts of a collection begin."""


MARK = _Mark()


class PickleReader:
    """Reads one pickle.

    Args:
        file: Stands at its beginning, and behind its end afterwards.
        size: Bytes that the file has left at most.
        names: What a name in the pickle, such as "collections.OrderedDict", stands for.
        persistent: Gives the object of a persistent id.
    """

    def __init__(
        self,
        file: BinaryIO,
        size: int,
        names: Mapping[str, Name],
        persistent: Callable[[Any], Any],
    ) -> None:
        self.file, self.left = file, size
        self.names, self.persistent = names, persistent
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def load(self) -> Any:
        """The object that the pickle describes.

        Raises:
            ValueError: When it is truncated or damaged, or names what is not in the table.
        """
        while (code := self.take(1)) != b".":
            step = STEPS.get(code)
            if step is None:
                raise ValueError(f"it has the instruction {code!r}, which weights do not need")
            step(self)
        if len(self.stack) != 1 or self.stack[0] is MARK:
            raise ValueError(f"it ends with {len(self.stack)} objects, expected 1")
        check_depth(self.stack[0])
        return self.stack[0]

    # Bytes

    def take(self, count: int) -> bytes:
        if not 0 <= count <= min(self.left, LONGEST_INSTRUCTION):
            raise ValueError(f"an instruction needs {count} bytes, {self.left} are left")
        data = self.file.read(count)
        if len(data) != count:
            raise ValueError("it ends within an instruction")
        self.left -= count
        return data

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> str:
        data = self.file.readline(min(self.left, 1000))
        self.left -= len(data)
        if not data.endswith(b"\n"):
            raise ValueError("a name does not end")
        return data[:-1].decode("ascii")

    # The stack

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        if not self.stack or self.stack[-1] is MARK:
            raise ValueError("an instruction needs an object that is not there")
        return self.stack.pop()

    def pop_to_mark(self) -> list[Any]:
        for i in range(len(self.stack) - 1, -1, -1):
            if self.stack[i] is MARK:
                parts = self.stack[i + 1 :]
                del self.stack[i:]
                return parts
        raise ValueError("an instruction needs a mark that is not there")

    def top(self, kind: type) -> Any:
        if not self.stack or not isinstance(self.stack[-1], kind):
            raise ValueError(f"an instruction needs a {kind.__name__} that is not there")
        return self.stack[-1]

    # Instructions

    def tuple_of(self, count: int) -> None:
        parts = [self.pop() for _ in range(count)]
        self.push(tuple(reversed(parts)))

    def set_items(self, parts: list[Any]) -> None:
        if len(parts) % 2:
            raise ValueError("a key has no value")
        target = self.top(dict)
        for key, value in zip(parts[::2], parts[1::2], strict=True):
            # Others may be nested so deep that hashing them overflows the stack of C.
            if type(key) not in KEYS:
                raise ValueError(f"a dict has a key of type {type(key).__name__}")
            target[key] = value

    def remember(self, place: int) -> None:
        if not self.stack:
            raise ValueError("an instruction needs an object that is not there")
        self.memo[place] = self.stack[-1]

    def recall(self, place: int) -> None:
        if place not in self.memo:
            raise ValueError(f"object {place} is used before it is made")
        self.push(self.memo[place])

    def find(self, module: str, name: str) -> None:
        text = f"{module}.{name}"
        if text not in self.names:
            raise ValueError(
                f"it names {text[:200]}, which is not part of a state dict; nothing of it was executed. Save "
                "model.state_dict() rather than the model or other objects"
            )
        self.push(self.names[text])

    def reduce(self) -> None:
        arguments, made_by = self.pop(), self.pop()
        if not isinstance(made_by, Name) or made_by.make is None or not isinstance(arguments, tuple):
            raise ValueError("it calls what is no maker of tensors or dicts")
        try:
            self.push(made_by.make(*arguments))
        except (TypeError, IndexError, OverflowError) as error:
            raise ValueError(f"{made_by.text} gets arguments that it does not take ({error})") from None

    def build(self) -> None:
        """Attributes of an object: an OrderedDict of PyTorch has `_metadata`, which nobody needs here."""
        state = self.pop()
        self.top(dict)
        if not isinstance(state, dict):
            raise ValueError("the attributes of a dict are no dict")


def check_depth(value: Any) -> None:
    """Raises where collections are nested too deep or hold themselves.

    Later steps may then walk over them as they like. Each collection is looked at once.
    """
    depths: dict[int, int] = {}
    is_open: set[int] = set()
    todo: list[tuple[Any, bool]] = [(value, False)]
    while todo:
        item, is_left = todo.pop()
        parts = parts_of(item)
        if not parts or (id(item) in depths and not is_left):
            continue
        if is_left:
            is_open.discard(id(item))
            depths[id(item)] = 1 + max(depths.get(id(part), 0) for part in parts)
            if depths[id(item)] > DEEPEST:
                raise ValueError(f"it is nested deeper than {DEEPEST} levels")
            continue
        if id(item) in is_open:
            raise ValueError("a collection holds itself")
        is_open.add(id(item))
        todo.append((item, True))
        todo.extend((part, False) for part in parts if parts_of(part))


def parts_of(item: Any) -> list[Any]:
    if type(item) in (list, tuple):
        return list(item)
    return list(item.values()) if isinstance(item, dict) else []


def _long(reader: PickleReader) -> None:
    reader.push(int.from_bytes(reader.take(reader.number("<B")), "little", signed=True))


def _text(form: str) -> Callable[[PickleReader], None]:
    def step(reader: PickleReader) -> None:
        reader.push(reader.take(reader.number(form)).decode("utf-8", "surrogatepass"))

    return step


def _bytes(form: str) -> Callable[[PickleReader], None]:
    def step(reader: PickleReader) -> None:
        reader.push(reader.take(reader.number(form)))

    return step


def _append(reader: PickleReader) -> None:
    value = reader.pop()
    reader.top(list).append(value)


def _appends(reader: PickleReader) -> None:
    parts = reader.pop_to_mark()
    reader.top(list).extend(parts)


def _set_item(reader: PickleReader) -> None:
    value, key = reader.pop(), reader.pop()
    reader.set_items([key, value])


def _dict(reader: PickleReader) -> None:
    parts = reader.pop_to_mark()
    reader.push({})
    reader.set_items(parts)


def _protocol(reader: PickleReader) -> None:
    number = reader.number("<B")
    if number > 5:
        raise ValueError(f"it has protocol {number}, known are up to 5")


def _stack_global(reader: PickleReader) -> None:
    name, module = reader.pop(), reader.pop()
    if not (isinstance(name, str) and isinstance(module, str)):
        raise ValueError("a name is no text")
    reader.find(module, name)


Step = Callable[[PickleReader], Any]
STEPS: dict[bytes, Step] = {
    b"\x80": _protocol,
    b"\x95": lambda r: r.take(8),  # the length of a frame, which is only for reading ahead
    b"(": lambda r: r.push(MARK),
    b"0": lambda r: r.pop(),
    b"N": lambda r: r.push(None),
    b"\x88": lambda r: r.push(True),
    b"\x89": lambda r: r.push(False),
    b"J": lambda r: r.push(r.number("<i")),
    b"K": lambda r: r.push(r.number("<B")),
    b"M": lambda r: r.push(r.number("<H")),
    b"\x8a": _long,
    b"G": lambda r: r.push(r.number(">d")),
    b"X": _text("<I"),
    b"\x8c": _text("<B"),
    b"\x8d": _text("<Q"),
    b"U": _text("<B"),  # strings of Python 2
    b"T": _text("<I"),
    b"C": _bytes("<B"),
    b"B": _bytes("<I"),
    b")": lambda r: r.push(()),
    b"t": lambda r: r.push(tuple(r.pop_to_mark())),
    b"\x85": lambda r: r.tuple_of(1),
    b"\x86": lambda r: r.tuple_of(2),
    b"\x87": lambda r: r.tuple_of(3),
    b"]": lambda r: r.push([]),
    b"l": lambda r: r.push(r.pop_to_mark()),
    b"a": _append,
    b"e": _appends,
    b"}": lambda r: r.push({}),
    b"d": _dict,
    b"s": _set_item,
    b"u": lambda r: r.set_items(r.pop_to_mark()),
    b"q": lambda r: r.remember(r.number("<B")),
    b"r": lambda r: r.remember(r.number("<I")),
    b"\x94": lambda r: r.remember(len(r.memo)),
    b"h": lambda r: r.recall(r.number("<B")),
    b"j": lambda r: r.recall(r.number("<I")),
    b"c": lambda r: r.find(r.line(), r.line()),
    b"\x93": _stack_global,
    b"R": lambda r: r.reduce(),
    b"b": lambda r: r.build(),
    b"Q": lambda r: r.push(r.persistent(r.pop())),
}
