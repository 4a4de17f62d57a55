"""Augmentation: transforms of images, and of the masks, boxes and keypoints that belong to them."""

from .compose import Compose, OneOf, SomeOf
from .crops import CenterCrop, Pad, RandomCrop, RandomResizedCrop, Resize
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
from .image_data_generator import ImageDataGenerator
from .targets import vanished
from .transform import Transform

__all__ = [
    "CenterCrop",
    "Compose",
    "ImageDataGenerator",
    "MatrixTransform",
    "OneOf",
    "Pad",
    "RandomAffine",
    "RandomCrop",
    "RandomHorizontalFlip",
    "RandomPerspective",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomShear",
    "RandomTranslation",
    "RandomVerticalFlip",
    "RandomZoom",
    "Resize",
    "SomeOf",
    "Transform",
    "vanished",
]
