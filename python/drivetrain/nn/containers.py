"""Modules that hold other modules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, overload

from .. import _core
from .activation import ReLU
from .conv import Conv1d, Conv2d
from .errors import LAYER_ERRORS, name_layer
from .linear import Linear
from .module import Module
from .norm import BatchNorm1d, BatchNorm2d
from .parameter import Parameter


class _Numbered(Module):
    """Sub-modules named "0", "1", ..., with the methods of a list."""

    _order: tuple[Module, ...] | None = None  # the sub-modules; None where it must be gathered anew

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name != "training":
            self._forget()

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        self._forget()

    def _forget(self) -> None:
        """What follows from the sub-modules is out of date."""
        self.__dict__["_order"] = None

    def _modules(self) -> tuple[Module, ...]:
        order = self._order
        if order is None:
            order = tuple(v for v in self.__dict__.values() if isinstance(v, Module))
            self.__dict__["_order"] = order
        return order

    def _names(self) -> list[str]:
        return [name for name, value in self.__dict__.items() if isinstance(value, Module)]

    def _replace(self, modules: Iterable[Module]) -> None:
        kept = list(modules)
        for name in self._names():
            delattr(self, name)
        self.extend(kept)

    def _position(self, index: int) -> int:
        count = len(self._modules())
        if not -count <= index < count:
            raise IndexError(f"{type(self).__name__}: index {index} is out of range for {count} modules")
        return index % count

    def append(self, module: Module) -> Any:
        """Adds `module` at the end, and returns this container."""
        _check(type(self).__name__, module)
        setattr(self, str(len(self._modules())), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Any:
        """Adds all of `modules` at the end, and returns this container."""
        for module in modules:
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Any:
        """Puts `module` before the one at `index`, and returns this container."""
        _check(type(self).__name__, module)
        modules = list(self._modules())
        modules.insert(index, module)
        self._replace(modules)
        return self

    def pop(self, index: int = -1) -> Module:
        """Takes the module at `index` out and returns it."""
        module = self._modules()[self._position(index)]
        del self[index]
        return module

    def __len__(self) -> int:
        return len(self._modules())

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules())

    def __contains__(self, module: object) -> bool:
        return any(module is own for own in self._modules())

    def __setitem__(self, index: int, module: Module) -> None:
        _check(type(self).__name__, module)
        setattr(self, self._names()[self._position(index)], module)

    def __delitem__(self, index: int | slice) -> None:
        modules = list(self._modules())
        if isinstance(index, int):
            index = self._position(index)
        del modules[index]
        self._replace(modules)


_WITH_RELU = (Linear, Conv1d, Conv2d, BatchNorm1d, BatchNorm2d)


class _Step(NamedTuple):
    """What Sequential calls at once: a module, and the ReLU behind it where one pass can compute both."""

    layer: Any
    relu: Module | None
    attributes: dict[str, Any]  # the layer's
    fused: Callable[..., Any] | None  # computes layer and ReLU
    linear: Callable[..., Any] | None  # computes a linear layer, and the ReLU if there is one

    @classmethod
    def of(cls, layer: Any, relu: Module | None) -> _Step:
        fused = None if relu is None else layer.forward_relu
        linear = None
        if type(layer) is Linear:
            linear = _core.linear if relu is None else _core._linear_relu
        return cls(layer, relu, layer.__dict__, fused, linear)


def _one_by_one(layer: Module, relu: Module | None, input: Any) -> Any:
    output = layer(input)
    return output if relu is None else relu(output)


class Sequential(_Numbered):
    """Modules one after the other: each gets the output of the one before.

    Args:
        modules: The modules, or one dict of names and modules.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain import nn
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
        >>> model(dt.zeros((5, 4))).shape
        (5, 1)
        >>> model
        Sequential(
          (0): Linear(in_features=4, out_features=8, bias=True)
          (1): ReLU()
          (2): Linear(in_features=8, out_features=1, bias=True)
        )
    """

    _steps: tuple[_Step, ...] | None = None  # None: to be planned anew

    @overload
    def __init__(self, *modules: Module) -> None: ...
    @overload
    def __init__(self, modules: Mapping[str, Module], /) -> None: ...
    def __init__(self, *modules: Any) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            for name, module in modules[0].items():
                _check("Sequential", module)
                self.register_module(name, module)
            return
        for module in modules:
            if isinstance(module, (list, tuple)):
                raise TypeError("Sequential: takes the modules one by one; write Sequential(*modules)")
            self.append(module)

    def forward(self, input: Any) -> Any:
        for layer, relu, attributes, fused, linear in self._steps or self._plan():
            # Hooks want to see what is between layer and ReLU, and so does a forward replaced by the user.
            if (
                (fused is None and linear is None)
                or layer._hooks is not None
                or "forward" in attributes
                or (relu is not None and (relu._hooks is not None or "forward" in relu.__dict__))
            ):
                input = _one_by_one(layer, relu, input)
                continue
            try:
                if linear is not None:  # no Python frame of its own: small networks consist of them
                    input = linear(input, attributes["weight"], attributes["bias"])
                else:
                    input = fused(input)  # type: ignore[misc]
            except KeyError:  # weight or bias is deleted: let the layer say so
                input = _one_by_one(layer, relu, input)
            except LAYER_ERRORS as error:
                name_layer(layer, error)
                raise
        return input

    def _forget(self) -> None:
        super()._forget()
        self.__dict__["_steps"] = None

    def __getstate__(self) -> dict[str, Any]:
        # The plan belongs to these very modules: a copy makes its own.
        return {**super().__getstate__(), "_steps": None}

    def _plan(self) -> tuple[_Step, ...]:
        """The modules, with every ReLU joined to a layer before it that can compute both in one pass."""
        steps: list[_Step] = []
        for module in self._modules():
            last = steps[-1] if steps else None
            if type(module) is ReLU and last and last.relu is None and type(last.layer) in _WITH_RELU:
                steps[-1] = _Step.of(last.layer, module)
            else:
                steps.append(_Step.of(module, None))
        self.__dict__["_steps"] = tuple(steps)
        return tuple(steps)

    def _replace(self, modules: Iterable[Module]) -> None:
        # Names given by the user stay with their modules; a new module is named after its position.
        names = {id(v): k for k, v in self.__dict__.items() if isinstance(v, Module)}
        kept = list(modules)
        named = any(not name.isdigit() for name in names.values())
        for name in self._names():
            delattr(self, name)
        for i, module in enumerate(kept):
            setattr(self, names.get(id(module), str(i)) if named else str(i), module)

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index: int | slice) -> Module:
        if not isinstance(index, slice):
            return self._modules()[self._position(index)]
        names, modules = self._names()[index], self._modules()[index]
        if all(name.isdigit() for name in names):
            return Sequential(*modules)
        return Sequential(dict(zip(names, modules, strict=True)))

    def __add__(self, other: Sequential) -> Sequential:
        if not isinstance(other, Sequential):
            raise TypeError(f"Sequential: only a Sequential can be added, got {type(other).__name__}")
        return Sequential(*self, *other)


class ModuleList(_Numbered):
    """A list of modules, whose parameters count as this module's. It has no forward of its own.

    Example:
        >>> from drivetrain import nn
        >>> layers = nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])
        >>> len(layers), len(list(layers.parameters()))
        (3, 6)
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        self.extend(modules)

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> ModuleList: ...
    def __getitem__(self, index: int | slice) -> Module:
        if isinstance(index, slice):
            return ModuleList(self._modules()[index])
        return self._modules()[self._position(index)]


class ModuleDict(Module):
    """A dict of modules, whose parameters count as this module's. It has no forward of its own.

    Example:
        >>> from drivetrain import nn
        >>> heads = nn.ModuleDict({"class": nn.Linear(8, 10), "box": nn.Linear(8, 4)})
        >>> heads["box"].out_features, sorted(heads)
        (4, ['box', 'class'])
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] = ()) -> None:
        super().__init__()
        self.update(modules)

    def _held(self) -> dict[str, Module]:
        return {name: value for name, value in self.__dict__.items() if isinstance(value, Module)}

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Adds or replaces modules."""
        for name, module in modules.items() if isinstance(modules, Mapping) else modules:
            self[name] = module

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._held().keys()

    def values(self) -> Iterable[Module]:
        """The modules."""
        return self._held().values()

    def items(self) -> Iterable[tuple[str, Module]]:
        """Names and modules."""
        return self._held().items()

    def pop(self, name: str) -> Module:
        """Takes a module out and returns it."""
        module = self[name]
        delattr(self, name)
        return module

    def __getitem__(self, name: str) -> Module:
        found = self.__dict__.get(name)
        if not isinstance(found, Module):
            raise KeyError(f"ModuleDict: there is no module {name!r}; there are {sorted(self._held())}")
        return found

    def __setitem__(self, name: str, module: Module) -> None:
        _check("ModuleDict", module)
        self.register_module(name, module)

    def __delitem__(self, name: str) -> None:
        self.pop(name)

    def __len__(self) -> int:
        return len(self._held())

    def __iter__(self) -> Iterator[str]:
        return iter(self._held())

    def __contains__(self, name: object) -> bool:
        return name in self._held()


class ParameterList(Module):
    """A list of parameters; anything else in `values` becomes a parameter.

    Example:
        >>> from drivetrain import nn
        >>> weights = nn.ParameterList([[1.0, 2.0], [3.0]])
        >>> len(weights), weights[1].shape
        (2, (1,))
    """

    def __init__(self, values: Iterable[Any] = ()) -> None:
        super().__init__()
        for value in values:
            self.append(value)

    def append(self, value: Any) -> ParameterList:
        """Adds a parameter at the end."""
        parameter = value if isinstance(value, Parameter) else Parameter(value)
        setattr(self, str(len(self)), parameter)
        return self

    def __getitem__(self, index: int) -> Parameter:
        return self._own_parameters()[index][1]

    def __setitem__(self, index: int, value: Any) -> None:
        name = self._own_parameters()[index][0]
        setattr(self, name, value if isinstance(value, Parameter) else Parameter(value))

    def __len__(self) -> int:
        return len(self._own_parameters())

    def __iter__(self) -> Iterator[Parameter]:
        return iter([parameter for _, parameter in self._own_parameters()])

    def extra_repr(self) -> str:
        return ", ".join(f"{name}: {tuple(p.shape)}" for name, p in self._own_parameters())


def _check(container: str, module: object) -> None:
    if not isinstance(module, Module):
        hint = "; make an object of it" if isinstance(module, type) and issubclass(module, Module) else ""
        shown = module.__name__ if isinstance(module, type) else type(module).__name__
        raise TypeError(f"{container}: expected a Module, got {shown}{hint}")
