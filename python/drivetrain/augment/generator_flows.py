"""Where the batches of an ImageDataGenerator come from: arrays, folders, tables."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from .._arguments import checks_names


class Flows:
    """What `ImageDataGenerator` has of methods that give batches."""

    @checks_names
    def flow(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        shuffle: bool = True,
        sample_weight: Any = None,
        seed: int | None = None,
        save_to_dir: str | os.PathLike[str] | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        ignore_class_split: bool = False,
        subset: str | None = None,
    ) -> Any:
        """Batches of arrays, augmented, without end; `fit` takes one pass for an epoch.

        Args:
            x: Images (n, height, width, channels); a tuple of them and a list of arrays gives these along.
            y: Labels, one for each.
            batch_size: Images of a batch.
            shuffle: Another order in every epoch.
            sample_weight: A weight for each.
            seed: Of order and augmentation. Default: one that `manual_seed` decides.
            save_to_dir: A folder into which all images are written, to look at them. Needs Pillow.
            save_prefix, save_format: Of those files.
            ignore_class_split: Do not ask for the same classes in both subsets.
            subset: "training" or "validation", with validation_split; validation are the first samples.

        Returns:
            ImageIterator: ``next`` gives images, (images, labels) or (images, labels, weights), NumPy arrays;
            ``len`` is the number of batches of an epoch.
        """
        from .generator_sources import array_iterator

        return array_iterator(
            self,
            x,
            y,
            batch_size,
            shuffle,
            sample_weight,
            seed,
            save_to_dir,
            save_prefix,
            save_format,
            ignore_class_split,
            subset,
        )

    @checks_names
    def flow_from_directory(
        self,
        directory: str | os.PathLike[str],
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: str | os.PathLike[str] | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
    ) -> Any:
        """Batches of the images of a folder with one folder for each class.

        Args:
            directory: The folder.
            target_size: Height and width to which images are scaled.
            color_mode: "rgb", "rgba" or "grayscale".
            classes: Names of the class folders, in the order of their numbers. Default: all, sorted.
            class_mode: "categorical" (rows of 0 and 1), "sparse" or "binary" (numbers), "input" (the images
                again) or None (no labels).
            batch_size, shuffle, seed, save_to_dir, save_prefix, save_format, subset: As for `flow`; subsets
                are divided class by class.
            follow_links: Look into symbolic links to folders.
            interpolation: "nearest", "bilinear", "bicubic", "lanczos", "box" or "hamming".
            keep_aspect_ratio: Cut to the proportions of target_size before scaling.

        Returns:
            ImageIterator, with ``classes``, ``class_indices``, ``filenames``, ``filepaths`` and ``samples``.
        """
        from .generator_sources import directory_iterator

        return directory_iterator(
            self,
            directory,
            target_size,
            color_mode,
            classes,
            class_mode,
            batch_size,
            shuffle,
            seed,
            save_to_dir,
            save_prefix,
            save_format,
            follow_links,
            subset,
            interpolation,
            keep_aspect_ratio,
        )

    @checks_names
    def flow_from_dataframe(
        self,
        dataframe: Any,
        directory: str | os.PathLike[str] | None = None,
        x_col: str = "filename",
        y_col: str | Sequence[str] = "class",
        weight_col: str | None = None,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: str | os.PathLike[str] | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        interpolation: str = "nearest",
        validate_filenames: bool = True,
    ) -> Any:
        """Batches of the images that a table of pandas (or a dict of columns) names.

        Args:
            dataframe: The table.
            directory: Folder of the images; without it the table has whole paths.
            x_col: Column of the files.
            y_col: Column or columns of the labels.
            weight_col: Column of weights.
            class_mode: As for `flow_from_directory`; also "raw" (labels as they are) and "multi_output" (a
                list, with one array for each column of y_col). Lists of names are several classes at once.
            validate_filenames: Leave out what is no image file, with a warning.
            target_size, color_mode, classes, batch_size, shuffle, seed, save_to_dir, save_prefix,
                save_format, subset, interpolation: As for `flow_from_directory`; validation are the first
                rows.

        Returns:
            ImageIterator
        """
        from .generator_sources import dataframe_iterator

        return dataframe_iterator(
            self,
            dataframe,
            directory,
            x_col,
            y_col,
            weight_col,
            target_size,
            color_mode,
            classes,
            class_mode,
            batch_size,
            shuffle,
            seed,
            save_to_dir,
            save_prefix,
            save_format,
            subset,
            interpolation,
            validate_filenames,
        )
