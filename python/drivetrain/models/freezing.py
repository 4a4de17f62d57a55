"""Which parts of a network are trained, how fast, and its last layer."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from typing import Any

from .. import nn
from .._arguments import suggest
from ..nn.checks import integer, real
from ..nn.norm import _RunningNorm
from .heads import Headed

Names = str | Iterable[str]
HEADS = (nn.Linear, nn.Conv1d, nn.Conv2d)


def freeze(model: Any, names: Names | None = None, *, depth: int | None = None) -> list[str]:
    """Keep parameters as they are: they get no gradients, and optimizers pass over them.

    Batch and instance norms among them are frozen with their statistics: in training too they normalise by
    the running mean and variance, and do not change these, whatever ``model.train()`` says. Dropout goes on.

    Args:
        model: Module.
        names (str or list of str, optional): Names of layers or parameters, as in ``named_parameters()``,
            with everything in them; "layer1", "features.*" or "*.bias" for instance, where ``*`` and ``?``
            stand for any letters. Default: all but the head.
        depth (int, optional): In place of names so many steps of depth from the input; a negative number
            leaves so many at the output. Steps are the layers and blocks that `parameter_groups` lists.

    Returns:
        The names of the parameters that are frozen by this call.

    Raises:
        ValueError: A name fits nothing, the depth is more than the network's, or both are given.

    What was frozen before stays frozen. Optimizers need not be made anew.

    Example:
        >>> from drivetrain import models
        >>> model = models.resnet18(10, base_width=4, small_images=True)
        >>> len(models.freeze(model))  # all but "fc"
        60
        >>> models.unfreeze(model, "layer4.1.conv*")
        ['layer4.1.conv1.weight', 'layer4.1.conv2.weight']
        >>> [name for name, parameter in model.named_parameters() if parameter.requires_grad]
        ['layer4.1.conv1.weight', 'layer4.1.conv2.weight', 'fc.weight', 'fc.bias']
    """
    return _switch("freeze", model, names, depth, frozen=True)


def unfreeze(model: Any, names: Names | None = None, *, depth: int | None = None) -> list[str]:
    """Undo `freeze`: parameters are trained, norms follow their batches again.

    Args:
        model: Module.
        names (str or list of str, optional): As for `freeze`. Default: everything.
        depth (int, optional): In place of names so many steps of depth from the output; a negative number
            leaves so many at the input frozen.

    Returns:
        The names of the parameters that were frozen and no longer are.

    An optimizer that was made of the trained parameters alone has to be made anew.

    Example:
        >>> from drivetrain import models, nn
        >>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
        >>> models.freeze(model, "*")
        ['0.weight', '0.bias', '2.weight', '2.bias']
        >>> models.unfreeze(model, depth=1)
        ['2.weight', '2.bias']
    """
    return _switch("unfreeze", model, names, depth, frozen=False)


def _switch(function: str, model: Any, names: Names | None, depth: int | None, *, frozen: bool) -> list[str]:
    check_model(function, model)
    if names is not None and depth is not None:
        raise ValueError(f"{function}: names and depth are given, expected one of them")
    chosen = _chosen(function, model, names, depth, from_input=frozen)
    changed = []
    for name, parameter in model.named_parameters():
        if name in chosen and parameter.requires_grad is frozen:
            parameter.requires_grad = not frozen
            changed.append(name)
    for path, module in model.named_modules():
        if isinstance(module, _RunningNorm):
            own = [f"{path}.{name}" if path else name for name, _ in module._own_parameters()]
            if all(name in chosen for name in own) if own else path in chosen:
                module.is_frozen = frozen
    return changed


def _chosen(function: str, model: Any, names: Any, depth: int | None, *, from_input: bool) -> set[str]:
    """Names of parameters, and of the modules that were chosen as a whole."""
    everything = {name for name, _ in model.named_parameters()} | {name for name, _ in model.named_modules()}
    if depth is not None:
        steps = depth_steps(model)
        if isinstance(depth, bool) or not isinstance(depth, int):
            raise TypeError(f"{function}: depth is {depth!r}, expected a whole number")
        if abs(depth) > len(steps):
            raise ValueError(f"{function}: depth is {depth}, the network has {len(steps)} steps")
        count = depth if depth >= 0 else len(steps) + depth
        part = steps[:count] if from_input else steps[len(steps) - count :]
        return {name for _, parameters in part for name in parameters}
    if names is None and not from_input:
        return everything
    if names is None:
        heads = head_names(model)
        return {name for name in everything if not any(is_within(name, head) for head in heads)}
    patterns = [names] if isinstance(names, str) else list(names) if isinstance(names, Iterable) else [names]
    if not all(isinstance(pattern, str) for pattern in patterns):
        raise TypeError(f"{function}: names is {names!r:.80}, expected a name or a list of names")
    found: set[str] = set()
    for pattern in patterns:
        fitting = [name for name in everything if name and fnmatch.fnmatchcase(name, pattern)]
        if not fitting:
            raise ValueError(f"{function}: no layer is called {pattern!r}{suggest(pattern, everything)}")
        found |= {name for name in everything if any(is_within(name, outer) for outer in fitting)}
    return found


def is_within(name: str, outer: str) -> bool:
    return name == outer or name.startswith(f"{outer}.")


def depth_steps(model: Any) -> list[tuple[str, list[str]]]:
    """Layers and blocks with weights from the input to the output, each with the names of its parameters.

    Sequences are gone into; norms and other layers that have vectors alone count to the layer before.
    """
    steps: list[tuple[str, list[str]]] = []
    seen: set[int] = set()

    def visit(name: str, module: Any) -> None:
        if module is model or isinstance(module, (nn.Sequential, nn.ModuleList)):
            add(name, module, recurse=False)
            for key, child in module.named_children():
                visit(f"{name}.{key}" if name else key, child)
        else:
            add(name, module, recurse=True)

    def add(name: str, module: Any, *, recurse: bool) -> None:
        own = [(n, p) for n, p in module.named_parameters(name, recurse=recurse) if id(p) not in seen]
        seen.update(id(parameter) for _, parameter in own)
        if not own:
            return
        if steps and all(parameter.ndim < 2 for _, parameter in own):
            steps[-1][1].extend(n for n, _ in own)
        else:
            steps.append((name, [n for n, _ in own]))

    visit("", model)
    return steps


def head_names(model: Any) -> tuple[str, ...]:
    """The last layers: those that the network names, else the last linear layer or convolution."""
    if isinstance(model, Headed):
        return tuple(name for name in model.heads if name.partition(".")[0] in model.__dict__)
    layers = [name for name, module in model.named_modules() if isinstance(module, HEADS)]
    if not layers:
        raise ValueError(
            f"{type(model).__name__} has no linear layer and no convolution, which could be its head"
        )
    return (layers[-1],)


def replace_head(model: Any, classes: int, *, name: str | None = None) -> list[str]:
    """Give a network a new last layer for another number of classes, with fresh weights.

    Args:
        model: Module.
        classes: Outputs of the new layer.
        name (str, optional): Of the layer to replace, a linear layer or a convolution. Default: the last one
            of the network; GoogLeNet's auxiliary heads are replaced too.

    Returns:
        The names of the layers that were replaced. They are trained even where the old ones were frozen.

    Raises:
        ValueError: There is no such layer.

    Networks of `drivetrain.models` and sequences are saved and loaded with the new head; for a class of your
    own that makes its head in the constructor, use ``save_weights``. Make optimizers afterwards.

    Example:
        >>> from drivetrain import models
        >>> model = models.vgg11(10, small_images=True)
        >>> models.replace_head(model, 3)
        ['classifier']
        >>> model.classifier
        Linear(in_features=512, out_features=3, bias=True)
    """
    check_model("replace_head", model)
    integer("replace_head", "classes", classes)
    names = head_names(model) if name is None else (name,)
    layers = dict(model.named_modules())
    for head in names:
        old = layers.get(head)
        if not isinstance(old, HEADS) or not head:
            raise ValueError(
                f"replace_head: {head!r} is no linear layer and no convolution{suggest(head, layers)}"
            )
    for head in names:
        path, _, last = head.rpartition(".")
        setattr(layers[path], last, _like(layers[head], classes))
    if isinstance(model, Headed):
        model._say_classes(classes)
    return list(names)


def _like(old: Any, classes: int) -> nn.Module:
    """A fresh layer with the arguments of the old one, but for the number of outputs."""
    has_bias, dtype = old.bias is not None, old.weight.dtype.name
    if isinstance(old, nn.Linear):
        new: Any = nn.Linear(old.in_features, classes, bias=has_bias, dtype=dtype)
    else:
        new = type(old)(
            old.in_channels,
            classes,
            old.kernel_size,
            stride=old.stride,
            padding=old.padding,
            dilation=old.dilation,
            groups=old.groups,
            bias=has_bias,
            dtype=dtype,
        )
    new.training = old.training
    return new  # type: ignore[no-any-return]


def parameter_groups(model: Any, lr: float, *, decay: float = 0.8) -> list[dict[str, Any]]:
    """Groups for an optimizer with learning rates that fall from the output to the input.

    Args:
        model: Module.
        lr: Learning rate of the last layer.
        decay (float, default 0.8): What the learning rate of each layer or block is multiplied with for the
            one before it; 1 gives all the same.

    Returns:
        A list of dicts of "params" and "lr" from the input to the output. Frozen parameters are among them:
        optimizers pass over them as long as they have no gradients.

    Source: J. Howard and S. Ruder, Universal language model fine-tuning for text classification, 2018.

    Example:
        >>> from drivetrain import models, nn, optim
        >>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
        >>> groups = models.parameter_groups(model, 0.1, decay=0.5)
        >>> [(group["lr"], len(group["params"])) for group in groups]
        [(0.05, 2), (0.1, 2)]
        >>> optimizer = optim.SGD(groups, momentum=0.9)
    """
    check_model("parameter_groups", model)
    real("parameter_groups", "lr", lr, "a positive number", lambda value: 0 < value < float("inf"))
    real("parameter_groups", "decay", decay, "a number above 0 and up to 1", lambda value: 0 < value <= 1)
    steps = depth_steps(model)
    parameters = dict(model.named_parameters())
    return [
        {"params": [parameters[name] for name in names], "lr": lr * decay ** (len(steps) - 1 - i)}
        for i, (_, names) in enumerate(steps)
    ]


def check_model(function: str, model: Any) -> None:
    if not isinstance(model, nn.Module):
        raise TypeError(f"{function}: model is a {type(model).__name__}, expected a Module")
