"""Training a network that was trained on something else, and using what it has learnt as features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import no_grad
from .._arguments import checks_names, suggest
from ..nn.checks import choice, integer, real
from .freezing import check_model, freeze, head_names, parameter_groups, unfreeze


@checks_names
def fine_tune(
    model: Any,
    x: Any,
    y: Any = None,
    *,
    epochs: int = 5,
    frozen_epochs: int = 1,
    lr: float = 2e-3,
    decay: float = 0.8,
    loss: Any = "cross_entropy",
    optimizer: str | Callable[[Any], Any] | None = None,
    metrics: Any = ("accuracy",),
    batch_size: int = 32,
    validation_data: Any = None,
    verbose: int | str = "auto",
    precision: str = "float32",
    seed: int | None = None,
) -> Any:
    """Train a new head on a frozen network first, and then the whole of it, slower towards the input.

    Args:
        model (Module): Usually with a head of `replace_head`.
        x, y: The data, as for ``Trainer.fit``.
        epochs (int, default 5): With everything trained; may be 0.
        frozen_epochs (int, default 1): Before them, with all but the head frozen, the statistics of norms
            too.
        lr (float, default 0.002): The largest learning rate of the head in the frozen epochs; half of that
            later. In each of the two parts it rises from a small one over the first 30% of the steps and
            falls to nearly 0 (OneCycleLR), where the data knows how many batches it has.
        decay (float, default 0.8): In the later epochs each layer or block has this share of the learning
            rate of the one behind it: see `parameter_groups`.
        loss: As for ``Trainer``.
        optimizer (name, class, or function of groups of parameters, default AdamW): Makes an optimizer, one
            for each of the two parts.
        metrics (default ("accuracy",)): As for ``Trainer``.
        batch_size, validation_data, verbose: As for ``Trainer.fit``.
        precision, seed: As for ``Trainer``.

    Returns:
        History: Of all epochs, the frozen ones first. The model is left with everything unfrozen, and frozen
        but for its head where ``epochs`` is 0.

    Source: fastai's ``Learner.fine_tune``; J. Howard and S. Ruder, Universal language model fine-tuning for
    text classification, 2018.

    Example:
        >>> import numpy as np
        >>> from drivetrain import models
        >>> model = models.resnet20(10, base_width=4, in_channels=1)
        >>> names = models.replace_head(model, 2)
        >>> images = np.zeros((16, 16, 16, 1), np.float32)
        >>> labels = np.arange(16) % 2
        >>> history = models.fine_tune(model, images, labels, epochs=2, verbose=0, seed=0)
        >>> len(history.history["loss"])
        3
    """
    from .. import optim
    from ..train import History, Trainer
    from ..train.lookup import find_metrics, maker_of
    from ..train.sources import make_source

    check_model("fine_tune", model)
    integer("fine_tune", "epochs", epochs, least=0)
    integer("fine_tune", "frozen_epochs", frozen_epochs, least=0)
    real("fine_tune", "lr", lr, "a positive number", lambda value: 0 < value < float("inf"))
    make = maker_of("fine_tune", "AdamW" if optimizer is None else optimizer)
    steps = make_source("fine_tune", x, y, batch_size=batch_size).steps
    history = History()

    def train(groups: list[dict[str, Any]], count: int, start: float) -> None:
        def cycle(made: Any) -> Any:
            peaks = [group["lr"] for group in made.param_groups]
            return optim.lr_scheduler.OneCycleLR(
                made, peaks, total_steps=count * (steps or 0), div_factor=start, cycle_momentum=False
            )

        trainer = Trainer(
            model,
            loss=loss,
            optimizer=make(groups),
            metrics=find_metrics(metrics, loss),
            precision=precision,
            seed=seed,
            lr_scheduler=cycle if steps else None,
            lr_scheduler_interval="step" if steps else None,
        )
        done = trainer.fit(x, y, batch_size, epochs=count, verbose=verbose, validation_data=validation_data)
        history.epoch += [len(history.epoch) + epoch for epoch in done.epoch]
        for name, values in done.history.items():
            history.history.setdefault(name, []).extend(values)

    if frozen_epochs:
        freeze(model)
        train([{"params": [p for p in model.parameters() if p.requires_grad], "lr": lr}], frozen_epochs, 25.0)
    if epochs:
        unfreeze(model)
        train(parameter_groups(model, lr / 2, decay=decay), epochs, 5.0)
    return history


class _Reached(Exception):
    """What comes behind the layer need not be computed."""


@checks_names
def extract_features(
    model: Any,
    x: Any,
    layer: str | None = None,
    *,
    batch_size: int = 32,
    pool: str = "mean",
    return_targets: bool = False,
) -> Any:
    """What a layer inside of a network gives for every sample, as an array for scikit-learn.

    Args:
        model (Module): Runs in evaluation mode, without gradients, up to the layer.
        x: The samples, as for ``predict``.
        layer (str, optional): Name of a layer, whose output is taken. Default: what the head gets.
        batch_size (int, default 32): Samples at a time.
        pool ("mean", "max", "flatten" or "none", default "mean"): What becomes of images of features,
            (height, width, channels): the mean or the largest over the places, all in one row, or nothing.
        return_targets (bool, default False): Whether the targets of a data set or loader come too.

    Returns:
        A float32 array (n, features), or (n, ...) with "none"; with ``return_targets`` a pair of it and the
        targets.

    Raises:
        ValueError: There is no such layer, or it does not run.

    Example:
        >>> import numpy as np
        >>> from drivetrain import models
        >>> model = models.resnet18(10, base_width=4, small_images=True)
        >>> images = np.zeros((6, 32, 32, 3), np.float32)
        >>> models.extract_features(model, images).shape
        (6, 32)
        >>> models.extract_features(model, images, "layer2", pool="none").shape
        (6, 16, 16, 8)
    """
    check_model("extract_features", model)
    choice("extract_features", "pool", pool, ("mean", "max", "flatten", "none"))
    layers = dict(model.named_modules())
    name = head_names(model)[0] if layer is None else layer
    if not name or name not in layers:
        raise ValueError(f"extract_features: no layer is called {name!r}{suggest(name, layers)}")
    kept: list[Any] = []

    def stop(value: Any) -> None:
        kept.append(value)
        raise _Reached

    def before(module: Any, args: tuple[Any, ...]) -> None:
        stop(args[0])

    def after(module: Any, args: tuple[Any, ...], output: Any) -> None:
        stop(output)

    target = layers[name]
    hook = target.register_forward_pre_hook(before) if layer is None else target.register_forward_hook(after)
    with hook:
        found = list(_run(model, x, name, batch_size, kept, pool))
    features = np.concatenate([rows for rows, _ in found])
    if not return_targets:
        return features
    if any(target is None for _, target in found):
        raise ValueError("extract_features: return_targets is True, but the data has no targets")
    return features, np.concatenate([np.asarray(target) for _, target in found])


def _run(model: Any, x: Any, name: str, batch_size: int, kept: list[Any], pool: str) -> Any:
    from ..train.precision import as_model_wants, floats_of, half_of
    from ..train.predictor import in_mode
    from ..train.sources import make_source

    data = make_source("extract_features", x, batch_size=batch_size, floats=floats_of(model))
    half = half_of(model)
    with in_mode(model, training=False), no_grad():
        for batch in data.epoch():
            kept.clear()
            try:
                model(*as_model_wants(batch.inputs, half))
            except _Reached:
                yield _rows(name, kept[0], pool), batch.target
            else:
                raise ValueError(f"extract_features: the layer {name!r} does not run")


def _rows(name: str, value: Any, pool: str) -> NDArray[Any]:
    if not hasattr(value, "detach"):
        raise ValueError(
            f"extract_features: the layer {name!r} gives a {type(value).__name__}, expected a tensor"
        )
    array = np.array(value.detach().astype("float32").numpy())
    if array.ndim <= 2 or pool == "none":
        return array
    if pool == "flatten":
        return array.reshape(len(array), -1)
    places = tuple(range(1, array.ndim - 1))
    pooled: NDArray[Any] = array.mean(axis=places) if pool == "mean" else array.max(axis=places)
    return pooled
