"""Bad input to what reads, changes and classifies images: each a message that names what was wrong."""

from __future__ import annotations

import os
import re
import warnings

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import models, nn, optim
from drivetrain.augment import (
    AugMix,
    CoarseDropout,
    ColorJitter,
    Compose,
    Cutout,
    ElasticTransform,
    GaussianBlur,
    GaussianNoise,
    ImageDataGenerator,
    MinMax,
    Normalize,
    RandAugment,
    RandomAffine,
    RandomErasing,
    RandomGamma,
    RandomResizedCrop,
    RandomRotation,
    RandomShear,
    RandomZoom,
    Resize,
)
from drivetrain.data import DataLoader, ImageFiles, ImageFolder, image_dataset_from_directory

Image = pytest.importorskip("PIL.Image")
IMAGES = np.full((2, 12, 12, 3), 128, np.uint8)


@pytest.fixture
def folder(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        Image.fromarray(IMAGES[0]).save(tmp_path / name / "1.png")
    return tmp_path


class TestFolders:
    def test_links_that_lead_nowhere(self, folder):
        os.symlink(folder / "self", folder / "self")
        with pytest.raises(FileNotFoundError, match=r"'.*self' is a link to nothing"):
            ImageFolder(folder / "self")
        os.symlink(folder / "cat" / "loop.png", folder / "cat" / "loop.png")
        data = ImageFolder(folder, size=4, on_error="skip")
        assert data.classes == ["cat", "dog"]
        images, labels = data.take(np.arange(3))
        assert len(images) == len(labels) == 2
        assert list(data.skipped.values()) == ["cannot be opened (Too many levels of symbolic links)"]

    @pytest.mark.parametrize("wrong", [None, 5, b"cat", ["cat"]])
    def test_what_is_no_path(self, wrong):
        with pytest.raises(
            TypeError, match=f"ImageFolder: directory is {re.escape(repr(wrong))}, expected a"
        ):
            ImageFolder(wrong)
        with pytest.raises(FileNotFoundError, match=r"ImageFolder: 'a\\x00b' does not exist"):
            ImageFolder("a\0b")

    @pytest.mark.parametrize(
        "name", ["shuffle", "follow_links", "crop_to_aspect_ratio", "pad_to_aspect_ratio", "verbose"]
    )
    def test_flags(self, folder, name):
        with pytest.raises(
            TypeError, match=f"image_dataset_from_directory: {name} must be True or False, got"
        ):
            image_dataset_from_directory(folder, **{name: 5})

    def test_classes_without_images_are_named(self, folder):
        (folder / "ant").mkdir()
        with pytest.warns(UserWarning, match="no images in 'ant', which count as classes"):
            found = image_dataset_from_directory(folder, verbose=False)
        assert found.class_names == ["ant", "cat", "dog"]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            image_dataset_from_directory(folder, class_names=["cat", "dog"], verbose=False)

    def test_a_size_beyond_all(self, folder):
        with pytest.raises(ValueError, match="size must be an integer from 1 to 65536, got 1099511627776"):
            image_dataset_from_directory(folder, image_size=2**40, verbose=False)


NUMBERS = {
    "Cutout": lambda x: Cutout(4, value=x),
    "Cutout.length": lambda x: Cutout(x),
    "CoarseDropout": lambda x: CoarseDropout(fill=x, p=1),
    "CoarseDropout.sides": lambda x: CoarseDropout(hole_height_range=(0, x), p=1),
    "CoarseDropout.holes": lambda x: CoarseDropout((1, x), p=1),
    "ColorJitter": lambda x: ColorJitter(x, x, x),
    "ColorJitter.max_value": lambda x: ColorJitter(0.1, max_value=x),
    "GaussianNoise.mean": lambda x: GaussianNoise(x),
    "GaussianNoise.sigma": lambda x: GaussianNoise(0, x),
    "GaussianBlur": lambda x: GaussianBlur(3, x),
    "Normalize.mean": lambda x: Normalize(x, 1),
    "Normalize.std": lambda x: Normalize(0, x),
    "Normalize.max_value": lambda x: Normalize(0, 1, max_value=x),
    "MinMax": lambda x: MinMax((0, x), over="sample"),
    "RandomErasing": lambda x: RandomErasing(1, ratio=(0.1, x)),
    "RandomRotation": lambda x: RandomRotation(x),
    "RandomRotation.fill_value": lambda x: RandomRotation(3, fill_value=x),
    "RandomAffine": lambda x: RandomAffine(0, scale=(1, x)),
    "RandomShear": lambda x: RandomShear(x),
    "RandomZoom": lambda x: RandomZoom(x),
    "RandomGamma": lambda x: RandomGamma((1, x)),
    "RandomResizedCrop": lambda x: RandomResizedCrop(8, ratio=(1, x)),
    "ElasticTransform": lambda x: ElasticTransform(x),
    "RandAugment": lambda x: RandAugment(num_ops=x),
    "AugMix": lambda x: AugMix(alpha=x),
    "Resize": lambda x: Resize(x),
    "ImageDataGenerator.width_shift_range": lambda x: ImageDataGenerator(width_shift_range=x),
    "ImageDataGenerator.cval": lambda x: ImageDataGenerator(cval=x),
    "ImageDataGenerator.rescale": lambda x: ImageDataGenerator(rescale=x),
    "ImageDataGenerator.zoom_range": lambda x: ImageDataGenerator(zoom_range=x),
    "ImageDataGenerator.channel_shift_range": lambda x: ImageDataGenerator(channel_shift_range=x),
}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"file,kind\ncat/1.png,\xe9\n", r"^ImageFiles\.from_csv: .*list\.csv is no CSV file in UTF-8"),
        ("file,kind\ncat/1.png,x\n".encode("utf-16"), r"list\.csv is no CSV file in UTF-8"),
        (b"file,kind\n" + b"x" * 200_000 + b",1\n", r"list\.csv is no CSV file in UTF-8 \(field larger"),
        (b'file,kind\n"cat/1.png,x\ndog/1.png,y\n', r"row 2 of .*list\.csv has 1 columns, expected 2"),
        (b"file,kind\ncat/1\0.png,1\n", r"1\\x00\.png' is no path: it has a null byte"),
        (b"file;kind\ncat/1.png;1\n", r"list\.csv has 1 columns, none at place 1"),
    ],
)
def test_damaged_tables(folder, content, message):
    table = folder / "list.csv"
    table.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        ImageFiles.from_csv(table)[0]


def test_labels_beyond_64_bits_are_names(folder):
    table = folder / "list.csv"
    table.write_bytes(b"\xef\xbb\xbffile,kind\r\ncat/1.png," + b"9" * 30 + b'\r\n"dog/1.png",7\r\n')
    data = ImageFiles.from_csv(table, path_column="file")
    assert (data.classes, data.targets) == (["7", "9" * 30], [1, 0])
    assert data[1][0].shape == (12, 12, 3)


class TestTransforms:
    @pytest.mark.parametrize("make", NUMBERS.values(), ids=NUMBERS.keys())
    @pytest.mark.parametrize(
        "number",
        [1e300, 1e20, 10**400, float("nan"), float("inf")],
        ids=["1e300", "1e20", "10**400", "nan", "inf"],
    )
    def test_numbers_that_overflow_are_refused(self, make, number):
        with pytest.raises((ValueError, TypeError), match=r"expected|must be") as caught:
            make(number)
        assert len(str(caught.value)) < 300

    @pytest.mark.filterwarnings("error")
    @pytest.mark.parametrize("make", [GaussianBlur, Normalize], ids=["GaussianBlur", "Normalize"])
    def test_tiny_widths(self, make):
        with pytest.raises(ValueError, match="expected"):
            make(3, 1e-300)
        made = make(3, 1e-6)(IMAGES)
        assert np.isfinite(made).all()

    @pytest.mark.parametrize("batch", [None, 5, "abc", (None,), (5, 5), {"images": None}, {"image": 5}])
    def test_batches_that_are_none(self, batch):
        with pytest.raises(TypeError, match=r"Cutout: (a batch|images) is a \w+, expected images"):
            Cutout(3).transform_batch(batch, 0, 0)

    @pytest.mark.parametrize("number", [None, "a", -1, 2**70, 1.5])
    def test_places_that_are_none(self, number):
        with pytest.raises((TypeError, ValueError), match="number must be an integer from 0"):
            Cutout(3).transform_batch(IMAGES, 0, number)
        with pytest.raises((TypeError, ValueError), match="the first sample must be an integer from 0"):
            Cutout(3).transform_samples(IMAGES, 0, number)

    @pytest.mark.parametrize("parts", [None, 5, "images", [1]])
    def test_parts(self, parts):
        with pytest.raises(TypeError, match="Compose: parts is"):
            Compose([Cutout(3)], parts=parts)

    @pytest.mark.parametrize("name", ["pad_if_needed", "antialias"])
    def test_flags(self, name):
        make = Resize if name == "antialias" else dt.augment.RandomCrop
        with pytest.raises(TypeError, match=f"{name} must be True or False, got 'no'"):
            make(8, **{name: "no"})

    def test_a_tall_image_becomes_a_wide_one(self):
        """The rows that one of the result is mixed of are counted once: this asked for 60 GB."""
        tall = np.arange(20_000, dtype=np.float32).reshape(20_000, 1, 1)
        wide = Resize((1, 20_000), "lanczos")(tall)
        assert wide.shape == (1, 20_000, 1)
        np.testing.assert_allclose(wide, tall.mean(), rtol=1e-3)


NETWORKS = ["vgg11", "resnet18", "resnet20", "googlenet", "mobilenet_v2", "unet", "lenet", "mlp", "small_cnn"]


class TestNetworks:
    @pytest.fixture
    def model(self):
        return models.resnet20(2, base_width=2, in_channels=1)

    @pytest.fixture
    def data(self):
        return np.zeros((8, 8, 8, 1), np.float32), np.arange(8) % 2

    def test_optimizers_of_fine_tune(self, model, data):
        done = models.fine_tune(model, *data, optimizer="adam", metrics="accuracy", epochs=1, verbose=0)
        assert set(done.history) == {"loss", "accuracy"}
        made = optim.SGD(model.parameters(), lr=0.1)
        for wrong, error, message in [
            (5, TypeError, "fine_tune: optimizer is a int, expected a name, a class"),
            (made, TypeError, "fine_tune: optimizer is a SGD, expected a name, a class"),
            ("adan", ValueError, "fine_tune: there is no optimizer 'adan', .*did you mean 'adam'"),
            ("muon", ValueError, "fine_tune: optimizer is 'muon', which is for matrices only"),
        ]:
            with pytest.raises(error, match=message):
                models.fine_tune(model, *data, optimizer=wrong, verbose=0)
        with pytest.raises(TypeError, match="metrics is a int, expected a list of metrics"):
            models.fine_tune(model, *data, metrics=5, verbose=0)

    @pytest.mark.parametrize("rename", [5, "a", {"a": 5}, lambda name: 5, lambda name: b"b"])
    def test_renaming(self, rename):
        with pytest.raises(TypeError, match=r"load_pytorch_weights: rename .* expected a"):
            models.load_pytorch_weights(nn.Linear(2, 3), {"a.weight": np.zeros((3, 2))}, rename=rename)

    def test_a_name_of_nothing(self, model):
        for function in (models.freeze, models.unfreeze):
            with pytest.raises(ValueError, match=r"no layer is called ''$"):
                function(model, "")

    @pytest.mark.parametrize("scale", ["a", float("nan"), float("inf"), 10**400])
    @pytest.mark.parametrize(
        "name",
        ["vgg11", "resnet18", "resnet20", "googlenet", "mobilenet_v2", "unet", "lenet", "mlp", "small_cnn"],
    )
    def test_scales(self, name, scale):
        make = getattr(models, name)
        with pytest.raises((ValueError, TypeError), match=f"{name}: scale must be a finite number, got"):
            make(scale=scale)

    @pytest.mark.parametrize("name", ["lenet", "mlp", "small_cnn"])
    def test_small_networks(self, name):
        make = getattr(models, name)
        for classes in (0, "a", 2.5, True):
            with pytest.raises(
                (ValueError, TypeError), match=f"{name}: classes must be a positive integer, got"
            ):
                make(classes=classes)
        for shape in (10, "abc", (28, 28), None, (0, 28, 1)):
            with pytest.raises(ValueError, match=f"{name}: input_shape is .*expected"):
                make(shape)


def test_a_loader_of_damaged_samplers(folder):
    data = ImageFolder(folder, size=4)
    for sampler in ([0, 5], [-9], [0.5], ["a"], [[0, 1]], [None]):
        with pytest.raises((IndexError, TypeError, ValueError), match="sampler"):
            list(DataLoader(data, sampler=sampler))
