"""The base class of all layers and networks."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from .._checks import flag
from .._core import Tensor
from . import state, summary
from .convert import convert_module
from .errors import LAYER_ERRORS, name_layer
from .hooks import HookHandle, Hooks
from .parameter import Parameter
from .training import Trainable

Self = TypeVar("Self", bound="Module")


class Module(Trainable):
    """A layer or a network: parameters, buffers and sub-modules, and what to compute with them.

    Write `__init__` and `forward`. Whatever `__init__` assigns counts: a `Parameter` is trained, a `Module`
    is a sub-module with parameters of its own. Tensors that belong to the state but are not trained are
    registered with `register_buffer`.

    Example:
        >>> import drivetrain as dt
        >>> class Twice(dt.nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.layer = dt.nn.Linear(3, 3)
        ...     def forward(self, x):
        ...         return self.layer(self.layer(x))
        >>> Twice()(dt.zeros((2, 3))).shape
        (2, 3)
        >>> [name for name, _ in Twice().named_parameters()]
        ['layer.weight', 'layer.bias']

    The attributes themselves are the registry, so that reading `self.weight` costs no more than reading any
    attribute, and `super().__init__()` is not strictly needed.
    """

    training: bool = True
    _hooks: Hooks | None = None
    _buffers: Mapping[str, bool] = MappingProxyType({})  # name -> persistent
    _statistics: tuple[str, ...] = ()  # buffers that no conversion makes half

    _constructor: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls: type[Self], *args: Any, **kwargs: Any) -> Self:
        self = object.__new__(cls)
        # Files describe a module by the arguments that it was made with.
        self.__dict__["_constructor"] = (args, kwargs)
        return self

    def __init__(self) -> None:
        pass

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What calling the module computes; every subclass writes its own."""
        raise NotImplementedError(f"{type(self).__name__} has no forward method")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            if self._hooks is None:
                return self.forward(*args, **kwargs) if kwargs else self.forward(*args)
            return self._hooks.call(self, args, kwargs)
        except LAYER_ERRORS as error:
            name_layer(self, error)
            raise

    # Attributes

    def __setattr__(self, name: str, value: Any) -> None:
        old = self.__dict__.get(name)
        if isinstance(value, Tensor) and isinstance(old, Parameter) and not isinstance(value, Parameter):
            raise TypeError(
                f"{type(self).__name__}: '{name}' is a Parameter and cannot be replaced by a plain Tensor; "
                "assign a Parameter or None, or write into it under no_grad()"
            )
        if isinstance(old, Module) and not (value is None or isinstance(value, Module)):
            raise TypeError(
                f"{type(self).__name__}: '{name}' is a module and cannot be replaced by "
                f"{type(value).__name__}; assign a Module or None"
            )
        if isinstance(value, Parameter) and name in self._buffers:
            self._forget_buffer(name)
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        if name in self._buffers:
            self._forget_buffer(name)

    def _forget_buffer(self, name: str) -> None:
        self.__dict__["_buffers"] = {k: v for k, v in self._buffers.items() if k != name}

    def _check_name(self, what: str, name: str) -> None:
        if not isinstance(name, str):
            raise TypeError(f"{what}: name must be a string, got {name!r}")
        if not name or "." in name:
            raise ValueError(f"{what}: name must not be empty or contain a dot, got {name!r}")
        if name not in self.__dict__ and hasattr(self, name):
            raise ValueError(f"{what}: {type(self).__name__} has an attribute '{name}' already")

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        """The same as assigning `parameter` to the attribute `name`; None stands for no parameter."""
        self._check_name("register_parameter", name)
        if not (parameter is None or isinstance(parameter, Parameter)):
            raise TypeError(
                f"register_parameter: '{name}' must be a Parameter or None, got {type(parameter).__name__}"
            )
        setattr(self, name, parameter)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Makes `tensor` the attribute `name` and a part of the state that is not trained.

        Args:
            name: The attribute's name.
            tensor: The value, or None to keep the place empty.
            persistent: Whether `state_dict` contains it.
        """
        self._check_name("register_buffer", name)
        if not (tensor is None or (isinstance(tensor, Tensor) and not isinstance(tensor, Parameter))):
            raise TypeError(
                f"register_buffer: '{name}' must be a Tensor or None, got {type(tensor).__name__}"
            )
        setattr(self, name, tensor)
        self.__dict__["_buffers"] = {**self._buffers, name: bool(persistent)}

    def register_module(self, name: str, module: Module | None) -> None:
        """The same as assigning `module` to the attribute `name`."""
        self._check_name("register_module", name)
        if not (module is None or isinstance(module, Module)):
            raise TypeError(f"register_module: '{name}' must be a Module, got {type(module).__name__}")
        setattr(self, name, module)

    add_module = register_module

    # Walking over what the module consists of. What is reached by two names counts once, under the first.

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Names and direct sub-modules."""
        seen = set()
        for name, value in self.__dict__.items():
            if isinstance(value, Module) and id(value) not in seen:
                seen.add(id(value))
                yield name, value

    def children(self) -> Iterator[Module]:
        """Direct sub-modules."""
        return (module for _, module in self.named_children())

    def named_modules(self, prefix: str = "", remove_duplicate: bool = True) -> Iterator[tuple[str, Module]]:
        """Dotted names and modules: this one first, under `prefix`, then all within it, depth first."""
        return self._walk(prefix, set() if remove_duplicate else None)

    def _walk(self, prefix: str, seen: set[int] | None) -> Iterator[tuple[str, Module]]:
        if seen is not None:
            if id(self) in seen:
                return
            seen.add(id(self))
        yield prefix, self
        for name, value in self.__dict__.items():
            if isinstance(value, Module):
                yield from value._walk(f"{prefix}.{name}" if prefix else name, seen)

    def modules(self) -> Iterator[Module]:
        """This module and all within it."""
        return (module for _, module in self.named_modules())

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Dotted names and parameters, in the order of assignment, a module's own before its children's.

        Args:
            prefix: Put before every name.
            recurse: Whether to descend into sub-modules.
            remove_duplicate: Whether a parameter with two names comes only once.
        """
        return self._members(prefix, recurse, remove_duplicate, Module._own_parameters)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters, each once: what an optimizer is given."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Dotted names and buffers; the arguments are those of `named_parameters`."""
        return self._members(prefix, recurse, remove_duplicate, Module._own_buffers)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers, each once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def _own_parameters(self) -> list[tuple[str, Parameter]]:
        return [(n, v) for n, v in self.__dict__.items() if isinstance(v, Parameter)]

    def _own_buffers(self) -> list[tuple[str, Tensor]]:
        own = ((name, self.__dict__.get(name)) for name in self._buffers)
        return [(name, value) for name, value in own if isinstance(value, Tensor)]

    def _members(
        self, prefix: str, recurse: bool, once: bool, own: Callable[[Module], list[tuple[str, Any]]]
    ) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        for path, module in self.named_modules(prefix, once) if recurse else [(prefix, self)]:
            for name, value in own(module):
                if once and id(value) in seen:
                    continue
                seen.add(id(value))
                yield f"{path}.{name}" if path else name, value

    def get_submodule(self, target: str) -> Module:
        """The module of a dotted name; the empty name is this module."""
        module: Module = self
        for part in target.split(".") if target else []:
            found = module.__dict__.get(part)
            if not isinstance(found, Module):
                raise AttributeError(
                    f"get_submodule: there is no module '{target}': {type(module).__name__} has no "
                    f"sub-module '{part}'"
                )
            module = found
        return module

    def get_parameter(self, target: str) -> Parameter:
        """The parameter of a dotted name, such as 'features.0.weight'."""
        path, _, name = target.rpartition(".")
        found = self.get_submodule(path).__dict__.get(name)
        if not isinstance(found, Parameter):
            raise AttributeError(f"get_parameter: there is no parameter '{target}'")
        return found

    def get_buffer(self, target: str) -> Tensor:
        """The buffer of a dotted name."""
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        found = owner.__dict__.get(name)
        if name not in owner._buffers or not isinstance(found, Tensor):
            raise AttributeError(f"get_buffer: there is no buffer '{target}'")
        return found

    # State

    def state_dict(self, prefix: str = "") -> dict[str, Tensor]:
        """Parameters and persistent buffers by dotted name. The tensors share the module's memory.

        Example:
            >>> import drivetrain as dt
            >>> sorted(dt.nn.Linear(3, 2).state_dict())
            ['bias', 'weight']
        """
        return state.collect(self, prefix)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> state.LoadResult:
        """Copies the values of `state_dict` (tensors or NumPy arrays) into parameters and buffers.

        Nothing is changed unless everything fits. Floating-point values are converted to the module's dtype.

        Args:
            state_dict: What `state_dict()` returned, here or elsewhere.
            strict: Whether the names must agree exactly.

        Returns:
            The names that were missing and those that were not expected, both empty where strict.

        Raises:
            ValueError: Names are missing or unexpected (where strict), or shapes differ; all are listed.
            TypeError: A value is not a tensor or an array, or its dtype is of another kind.
        """
        return state.load(self, state_dict, flag("load_state_dict", "strict", strict))

    # Modes and conversions

    def train(self: Self, mode: bool = True) -> Self:
        """Puts this module and all within it into training mode (or, with False, into inference mode)."""
        mode = flag("train", "mode", mode)
        for module in self.modules():
            module.training = mode
        return self

    def eval(self: Self) -> Self:
        """Puts this module and all within it into inference mode: no dropout, batch norm as learnt."""
        return self.train(False)

    def requires_grad_(self: Self, requires_grad: bool = True) -> Self:
        """Switches the gradients of all parameters on, or off to freeze them."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the gradients of all parameters, or fills them with zeros."""
        for parameter in self.parameters():
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad.zero_()

    def apply(self: Self, function: Callable[[Module], None]) -> Self:
        """Calls `function` with every module, children first and this one last; for initialising."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    def to(self: Self, dtype: Any) -> Self:
        """Converts floating-point parameters and buffers to `dtype`.

        They become new tensors: make the optimizer afterwards. A half format is for inference in little
        memory; running statistics become float32 then. The device "cpu", where all is already, is accepted
        for the sake of PyTorch code.

        Raises:
            TypeError: `dtype` is not a floating-point dtype.
        """
        if not (isinstance(dtype, str) and dtype == "cpu"):
            convert_module(self, dtype)
        return self

    def float(self: Self) -> Self:
        """Converts to float32."""
        return self.to("float32")

    def double(self: Self) -> Self:
        """Converts to float64."""
        return self.to("float64")

    def half(self: Self) -> Self:
        """Converts to float16."""
        return self.to("float16")

    def bfloat16(self: Self) -> Self:
        """Converts to bfloat16."""
        return self.to("bfloat16")

    # Hooks

    def register_forward_hook(self, hook: Callable[[Module, tuple[Any, ...], Any], Any]) -> HookHandle:
        """Calls `hook(module, args, output)` after every forward; what it returns replaces the output.

        Returns:
            A handle whose `remove()` takes the hook away.
        """
        return HookHandle(self, "after", hook)

    def register_forward_pre_hook(self, hook: Callable[[Module, tuple[Any, ...]], Any]) -> HookHandle:
        """Calls `hook(module, args)` before every forward; what it returns replaces the arguments."""
        return HookHandle(self, "before", hook)

    # Showing and copying

    def extra_repr(self) -> str:
        """What `repr` shows between the parentheses; subclasses write their own."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        children = [
            f"({name}): " + repr(value).replace("\n", "\n  ")
            for name, value in self.__dict__.items()
            if isinstance(value, Module)
        ]
        if not children:
            return f"{type(self).__name__}({extra})"
        lines = ([extra] if extra else []) + children
        return f"{type(self).__name__}(\n  " + "\n  ".join(lines) + "\n)"

    def summary(
        self,
        input_shape: Any = None,
        dtype: Any = "float32",
        print_fn: Callable[[str], None] = print,
        max_depth: int | None = None,
    ) -> None:
        """Prints a table of the layers: type, output shape, number of parameters.

        Args:
            input_shape: Shape of one sample, without the batch axis, or a list of shapes for a forward of
                several arguments. Without it the output shapes are left out.
            dtype: The dtype of the input: int64 for a network that begins with an embedding.
            print_fn: Receives the table.
            max_depth: How deep layers are listed, 1 for those of this module itself; what lies deeper is
                counted in the layer that holds it. Default: all.
        """
        print_fn(summary.table(self, input_shape, dtype, max_depth))

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k != "_trainer"}

    def __deepcopy__(self: Self, memo: dict[int, Any]) -> Self:
        copied = type(self).__new__(type(self))
        memo[id(self)] = copied
        copied.__dict__.update(copy.deepcopy(self.__getstate__(), memo))
        return copied
