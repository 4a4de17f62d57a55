"""Data sets, the loader that hands out their batches, and the division into parts."""

from .balance import (
    RandomOverSampler,
    RandomUnderSampler,
    WeightedRandomSampler,
    balanced_class_weight,
    balanced_sample_weights,
)
from .collate import default_collate
from .dataset import ArrayDataset, Dataset, Subset, TensorDataset
from .decode import ImageError, ImageReader
from .folders import FolderListing, scan_directory
from .image_directory import image_dataset_from_directory
from .images import ImageFiles, ImageFolder
from .loader import DataLoader
from .mixup import CutMix, MixUp, RandomChoice
from .sampler import RandomSampler, Sampler, SequentialSampler
from .sequences import BucketBatchSampler, PadCollate, SequenceWindows, pad_collate
from .show import show_images
from .split import random_split, train_test_split
from .windows import FileWindows

__all__ = [
    "ArrayDataset",
    "BucketBatchSampler",
    "CutMix",
    "DataLoader",
    "Dataset",
    "FileWindows",
    "FolderListing",
    "ImageError",
    "ImageFiles",
    "ImageFolder",
    "ImageReader",
    "MixUp",
    "PadCollate",
    "RandomChoice",
    "RandomOverSampler",
    "RandomSampler",
    "RandomUnderSampler",
    "Sampler",
    "SequenceWindows",
    "SequentialSampler",
    "Subset",
    "TensorDataset",
    "WeightedRandomSampler",
    "balanced_class_weight",
    "balanced_sample_weights",
    "default_collate",
    "image_dataset_from_directory",
    "pad_collate",
    "random_split",
    "scan_directory",
    "show_images",
    "train_test_split",
]
