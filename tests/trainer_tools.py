"""What the tests of the trainer have in common: data, small models and a look at their weights."""

import numpy as np

import drivetrain as dt
from drivetrain import nn, optim
from drivetrain.train import Trainer

rng = np.random.default_rng(3)
X = rng.normal(size=(90, 4)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] > 0).astype(np.int64) + (X[:, 2] > 0.5)
R = (X @ np.array([1.0, -2.0, 0.5, 0.0], np.float32) + 0.3).astype(np.float32)


def classifier(seed=0, **options):
    dt.manual_seed(seed)
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
    options = {"loss": "cross_entropy", "optimizer": lambda p: optim.SGD(p, lr=0.2), "seed": seed} | options
    return Trainer(model, **options)


def regression(**options):
    dt.manual_seed(0)
    return Trainer(
        nn.Linear(4, 1), **{"loss": "mse", "optimizer": lambda p: optim.SGD(p, lr=0.1), "seed": 0} | options
    )


class BadBackward(nn.Module):
    """Zero in the forward, infinity times zero in the backward."""

    def forward(self, x):
        return x + (x - x).sqrt()


def weights(trainer):
    return {name: value.detach().numpy().copy() for name, value in trainer.model.state_dict().items()}


def same(first, second):
    return all(np.array_equal(first[name], second[name]) for name in first)


def loader_of(batches):
    """Something that can be iterated again and is no list."""

    class Batches:
        def __iter__(self):
            return iter(batches)

    return Batches()
