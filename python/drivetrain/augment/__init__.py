"""Augmentation: transforms of images, and of the masks, boxes and keypoints that belong to them."""

from . import _standin as _standin
from .compose import Compose, OneOf, SomeOf
from .geometry import (
    MatrixTransform,
    RandomAffine,
    RandomHorizontalFlip,
    RandomPerspective,
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomVerticalFlip,
    RandomZoom,
)
from .targets import vanished
from .transform import Transform

__all__ = [
    "Compose",
    "MatrixTransform",
    "OneOf",
    "RandomAffine",
    "RandomHorizontalFlip",
    "RandomPerspective",
    "RandomRotation",
    "RandomShear",
    "RandomTranslation",
    "RandomVerticalFlip",
    "RandomZoom",
    "SomeOf",
    "Transform",
    "vanished",
]
