"""Augmentation: transforms of images, and of the masks, boxes and keypoints that belong to them."""

from .color import (
    ColorJitter,
    ColorTransform,
    RandomAutocontrast,
    RandomChannelPermutation,
    RandomChannelShift,
    RandomEqualize,
    RandomGamma,
    RandomGrayscale,
    RandomInvert,
    RandomPosterize,
    RandomSolarize,
)
from .compose import Compose, OneOf, SomeOf
from .crops import CenterCrop, Pad, RandomCrop, RandomResizedCrop, Resize
from .elastic import ElasticTransform
from .erasing import CoarseDropout, Cutout, RandomErasing
from .filters import BoxBlur, GaussianBlur, RandomAdjustSharpness
from .geometry import (
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
from .matrix_transform import MatrixTransform
from .noise import GaussianNoise, SaltAndPepper, SpeckleNoise
from .normalize import MinMax, Normalize, ZCAWhitening, ZScore
from .policies import AugMix, RandAugment, TrivialAugmentWide
from .targets import vanished
from .transform import Transform

__all__ = [
    "AugMix",
    "BoxBlur",
    "CenterCrop",
    "CoarseDropout",
    "ColorJitter",
    "ColorTransform",
    "Compose",
    "Cutout",
    "ElasticTransform",
    "GaussianBlur",
    "GaussianNoise",
    "ImageDataGenerator",
    "MatrixTransform",
    "MinMax",
    "Normalize",
    "OneOf",
    "Pad",
    "RandAugment",
    "RandomAdjustSharpness",
    "RandomAffine",
    "RandomAutocontrast",
    "RandomChannelPermutation",
    "RandomChannelShift",
    "RandomCrop",
    "RandomEqualize",
    "RandomErasing",
    "RandomGamma",
    "RandomGrayscale",
    "RandomHorizontalFlip",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterize",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomShear",
    "RandomSolarize",
    "RandomTranslation",
    "RandomVerticalFlip",
    "RandomZoom",
    "Resize",
    "SaltAndPepper",
    "SomeOf",
    "SpeckleNoise",
    "Transform",
    "TrivialAugmentWide",
    "ZCAWhitening",
    "ZScore",
    "vanished",
]
