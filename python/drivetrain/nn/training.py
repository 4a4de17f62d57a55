"""Keras's methods of a model, which hand the work to `drivetrain.train.Trainer`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..train import Trainer


class Trainable:
    """`compile`, `fit`, `evaluate`, `predict` and `save` of every module."""

    _trainer: Trainer | None = None
    stop_training: bool = False  # callbacks set it to end `fit` behind the batch or epoch under way
    # Names that other frameworks store with such a layer and that loading may pass over.
    _ignored_state: tuple[str, ...] = ()

    def compile(self, optimizer: Any = "adam", loss: Any = None, metrics: Any = (), **options: Any) -> None:
        """Says how `fit` trains this module.

        Args:
            optimizer: An optimizer made with this module's parameters, or a name such as "adam".
            loss: A loss module, a function of (prediction, target), or a name such as "cross_entropy".
            metrics: Metrics or their names.
            options: Further arguments of `drivetrain.train.Trainer`.
        """
        from ..train import Trainer

        model: Any = self
        self._trainer = Trainer(model, loss=loss, optimizer=optimizer, metrics=list(metrics or ()), **options)

    @property
    def trainer(self) -> Trainer:
        """The trainer that `compile` made."""
        if self._trainer is None:
            raise RuntimeError(
                f"{type(self).__name__} has not been compiled: call "
                "compile(optimizer=..., loss=..., metrics=[...]) first"
            )
        return self._trainer

    def fit(self, *args: Any, **kwargs: Any) -> Any:
        """Trains the module; the arguments and the result are those of `Trainer.fit`."""
        return self.trainer.fit(*args, **kwargs)

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Loss and metrics on other data; see `Trainer.evaluate`."""
        return self.trainer.evaluate(*args, **kwargs)

    def predict(self, *args: Any, **kwargs: Any) -> Any:
        """The module's outputs for data of any length; see `Trainer.predict`. It needs no `compile`."""
        from ..train import Predictor

        return (self._trainer or Predictor(self)).predict(*args, **kwargs)

    def save(self, filepath: Any) -> None:
        """Writes architecture and weights to a file, which `drivetrain.load` reads; see `io.save_model`."""
        from ..io import save_model

        save_model(self, filepath)

    def save_weights(self, filepath: Any) -> None:
        """Writes the weights to a file: .safetensors, .npz or .h5; see `io.save_weights`."""
        from ..io import save_weights

        save_weights(self, filepath)

    def load_weights(self, filepath: Any, *, strict: bool = True) -> None:
        """Reads weights from a file of any of these formats; see `io.load_weights`."""
        from ..io import load_weights

        load_weights(self, filepath, strict=strict)

    def load_pytorch(self, weights: Any, **options: Any) -> Any:
        """Loads weights of PyTorch: a .pt, .pth or .safetensors file, or a state dict.

        The arguments and the result are those of `drivetrain.models.load_pytorch_weights`.
        """
        from ..models import load_pytorch_weights

        return load_pytorch_weights(self, weights, **options)
