"""ImageDataGenerator: the same pictures as Keras's, batches from arrays, folders and tables, wrong input."""

from __future__ import annotations

import importlib
import json
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import nn, optim
from drivetrain.augment import ImageDataGenerator
from drivetrain.train import Trainer
from keras_cases import DRAWN, FITTED, batch, compute
from op_table.tools import on_threads

RECORDED = Path(__file__).parent / "reference" / "keras_generator.npz"


def same_as(expected: Any) -> None:
    found = compute(ImageDataGenerator)
    assert set(found) <= set(expected)
    for name, values in found.items():
        if name == "drawn":
            theirs, ours = json.loads(str(expected[name])), json.loads(str(values))
            for arguments, one, other in zip(DRAWN, theirs, ours, strict=True):
                assert one == other, arguments
            continue
        tolerance = 0.02 if "fitted" not in name else 2e-3 * np.abs(expected[name]).max()
        np.testing.assert_allclose(values, expected[name], atol=tolerance, err_msg=name)


def test_pictures_are_those_that_keras_gave() -> None:
    same_as(np.load(RECORDED))


@pytest.mark.filterwarnings("ignore:Please import:DeprecationWarning")  # what Keras imports of SciPy
def test_pictures_are_those_that_keras_gives() -> None:
    keras = pytest.importorskip("keras.src.legacy.preprocessing.image")
    same_as(compute(keras.ImageDataGenerator))


def test_fit_and_standardize_are_keras_formulas() -> None:
    x = batch()
    generator = ImageDataGenerator(featurewise_center=True, featurewise_std_normalization=True)
    generator.fit(x)
    made = generator.standardize(x.copy())
    np.testing.assert_allclose(made.mean((0, 1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(made.std((0, 1, 2)), 1, atol=1e-4)
    white = ImageDataGenerator(featurewise_center=True, zca_whitening=True)
    wide = np.random.default_rng(0).normal(size=(400, 3, 3, 1)).astype(np.float32)
    white.fit(wide)
    flat = white.standardize(wide.copy()).reshape(400, -1)
    np.testing.assert_allclose(flat.T @ flat / 400, np.eye(9), atol=0.02)
    # What came in as floats is changed in place, as with Keras.
    kept = x.copy()
    assert ImageDataGenerator(rescale=0.5).standardize(kept) is kept
    np.testing.assert_allclose(kept, x * 0.5)
    assert ImageDataGenerator(rescale=0.5).standardize(x.astype(np.uint8)).dtype == np.float32
    once = ImageDataGenerator(featurewise_center=True)
    once.fit(x, augment=True, rounds=2, seed=1)
    np.testing.assert_allclose(once.mean.ravel(), x.mean((0, 1, 2)), rtol=1e-5)


def test_what_needs_fit_says_so() -> None:
    with pytest.warns(UserWarning, match=r"featurewise_center needs fit\(x\) first"):
        ImageDataGenerator(**FITTED[0]).standardize(batch())
    with pytest.warns(UserWarning, match="zca_whitening sets featurewise_center to True"):
        assert ImageDataGenerator(zca_whitening=True).featurewise_center
    with pytest.warns(UserWarning, match="samplewise_center to True"):
        assert ImageDataGenerator(samplewise_std_normalization=True).samplewise_center


ARGUMENTS: dict[str, Any] = {
    "rotation_range": 25,
    "width_shift_range": 0.1,
    "height_shift_range": [1, 2],
    "shear_range": 5.0,
    "zoom_range": 0.2,
    "channel_shift_range": 10.0,
    "brightness_range": (0.7, 1.3),
    "horizontal_flip": True,
    "vertical_flip": True,
    "rescale": 1 / 255,
}


def data(n: int = 10) -> tuple[Any, Any]:
    rng = np.random.default_rng(n)
    return rng.integers(0, 256, (n, 12, 10, 3)).astype(np.uint8), np.arange(n)


def test_a_batch_is_what_its_parameters_make_of_each_image() -> None:
    """The whole batch at once is the same as one image after the other through the public methods."""
    images = data()[0].astype(np.float32)
    generator = ImageDataGenerator(**ARGUMENTS)
    from drivetrain.augment.draws import Draws
    from drivetrain.augment.keras_draws import drawn

    draws = Draws(3, 1, np.arange(10))
    together = generator.augmented(images, draws)
    parameters = drawn(generator, draws, (12, 10))
    assert set(parameters) == set(generator.get_random_transform((12, 10, 3)))
    for place, image in enumerate(images):
        mine = {name: values[place] for name, values in parameters.items()}
        alone = generator.standardize(generator.apply_transform(image, mine))
        np.testing.assert_allclose(together[place], alone, atol=1e-6)


def test_bytes_are_moved_as_bytes() -> None:
    """Half a level is the most that rounding changes; what is outside of a byte is computed in float32."""
    from drivetrain.augment.draws import Draws

    images, draws = data()[0], Draws(3, 1, np.arange(10))
    arguments: dict[str, Any] = {"rotation_range": 30, "zoom_range": 0.2, "fill_mode": "constant"}
    for cval, least in ((17.0, 0.2), (300.0, 0.0), (0.5, 0.0)):
        generator = ImageDataGenerator(cval=cval, **arguments)
        exact = generator.augmented(images.astype(np.float32), draws)
        difference = np.abs(generator.augmented(images, draws) - exact)
        assert least <= difference.max() <= (0.52 if least else 0)


def test_flow_depends_on_seed_epoch_and_position_alone() -> None:
    images, labels = data()
    generator = ImageDataGenerator(**ARGUMENTS)

    def epochs(count: int, **options: Any) -> list[Any]:
        batches = generator.flow(images, labels, **{"seed": 4, "batch_size": 4, **options})
        return [[next(batches) for _ in range(len(batches))] for _ in range(count)]

    def whole(epoch: list[Any]) -> Any:
        return np.concatenate([x for x, _ in epoch]), np.concatenate([y for _, y in epoch])

    first, again = epochs(2), epochs(2)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(whole(one)[0], whole(other)[0])
    assert sorted(whole(first[0])[1]) == list(range(10))
    assert (whole(first[0])[1] != whole(first[1])[1]).any()
    # The size of batches plays no part, the seed does.
    np.testing.assert_array_equal(whole(epochs(1, batch_size=3)[0])[0], whole(first[0])[0])
    assert (whole(epochs(1, seed=5)[0])[0] != whole(first[0])[0]).any()
    # Nor does the order in which batches are asked for.
    batches = generator.flow(images, labels, seed=4, batch_size=4)
    np.testing.assert_array_equal(batches[2][0], first[0][2][0])
    np.testing.assert_array_equal(batches[0][0], first[0][0][0])
    dt.manual_seed(3)
    unseeded = next(generator.flow(images))
    dt.manual_seed(3)
    np.testing.assert_array_equal(next(generator.flow(images)), unseeded)


def test_bits_do_not_depend_on_threads() -> None:
    images, labels = data(40)
    generator = ImageDataGenerator(**ARGUMENTS)

    def run() -> Any:
        return next(generator.flow(images, labels, batch_size=40, seed=1))[0]

    on_threads(run)  # which compares


def test_flow_gives_what_it_was_given() -> None:
    images, labels = data()
    plain = ImageDataGenerator()
    x, y, w = next(plain.flow(images, labels, sample_weight=labels / 2.0, shuffle=False, batch_size=4))
    np.testing.assert_array_equal(x, images[:4].astype(np.float32))
    assert y.tolist() == [0, 1, 2, 3]
    assert w.tolist() == [0, 0.5, 1, 1.5]
    x = next(plain.flow(images, batch_size=3))
    assert x.shape == (3, 12, 10, 3)
    assert x.dtype == np.float32
    (x, extra), y = next(plain.flow((images, [labels * 2]), labels, seed=1))
    np.testing.assert_array_equal(extra, y * 2)
    halves = ImageDataGenerator(dtype="float16", rescale=1 / 255).flow(images)
    assert next(halves).dtype == np.float16
    first = ImageDataGenerator(data_format="channels_first", rotation_range=10, rescale=0.5)
    moved = next(first.flow(np.moveaxis(images, 3, 1).copy(), seed=2))
    last = ImageDataGenerator(rotation_range=10, rescale=0.5)
    np.testing.assert_allclose(np.moveaxis(moved, 1, 3), next(last.flow(images, seed=2)), atol=1e-5)
    seen: list[Any] = []

    def preprocess(image: Any) -> Any:
        seen.append(image.shape)
        return image[..., ::-1]

    x = next(ImageDataGenerator(preprocessing_function=preprocess).flow(images, shuffle=False))
    np.testing.assert_array_equal(x, images[..., ::-1].astype(np.float32))
    assert seen == [(12, 10, 3)] * 10
    assert images.dtype == np.uint8
    assert len(list(zip(range(7), plain.flow(images, batch_size=4), strict=False))) == 7


def test_subsets() -> None:
    images, labels = data()
    generator = ImageDataGenerator(validation_split=0.3)
    options: dict[str, Any] = {"shuffle": False, "ignore_class_split": True}
    valid = generator.flow(images, labels, subset="validation", **options)
    train = generator.flow(images, labels, subset="training", **options)
    assert next(valid)[1].tolist() == [0, 1, 2]
    assert next(train)[1].tolist() == [3, 4, 5, 6, 7, 8, 9]
    with pytest.raises(ValueError, match="different classes"):
        generator.flow(images, labels, subset="training")
    with pytest.raises(ValueError, match=r"subset must be one of .*got 'test'"):
        generator.flow(images, labels, subset="test")
    with pytest.raises(ValueError, match="of 10 gives validation no samples"):
        ImageDataGenerator().flow(images, labels, subset="validation")


def test_pictures_can_be_saved(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    images, labels = data(3)
    flow = ImageDataGenerator(horizontal_flip=True).flow(
        images, labels, batch_size=2, seed=1, save_to_dir=tmp_path, save_prefix="aug", save_format="png"
    )
    for _ in range(4):
        next(flow)
    files = sorted(tmp_path.iterdir())
    assert len(files) == 6
    assert all(file.name.startswith("aug_") for file in files)
    with image.open(files[0]) as picture:
        assert picture.size == (10, 12)
    with pytest.raises(NotADirectoryError, match="is no folder"):
        ImageDataGenerator().flow(images, save_to_dir=tmp_path / "missing")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    image = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    for name, count in (("cat", 5), ("dog", 7)):
        (tmp_path / name).mkdir()
        for number in range(count):
            pixels = rng.integers(0, 256, (9 + number, 12, 3)).astype(np.uint8)
            image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    (tmp_path / "dog" / "notes.txt").write_text("no image")
    return tmp_path


def test_flow_from_directory(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flow = ImageDataGenerator(rescale=1 / 255).flow_from_directory(
        folder, target_size=(8, 6), batch_size=5, shuffle=False
    )
    assert "Found 12 images belonging to 2 classes." in capsys.readouterr().out
    assert flow.class_indices == {"cat": 0, "dog": 1}
    assert flow.samples == 12
    assert len(flow) == 3
    assert flow.filenames[0].replace("\\", "/") == "cat/0.png"
    assert flow.image_shape == (8, 6, 3)
    x, y = next(flow)
    assert x.shape == (5, 8, 6, 3)
    assert x.max() <= 1
    np.testing.assert_array_equal(y, np.eye(2, dtype=np.float32)[[0] * 5])
    # Keras's default is the nearest pixel.
    image = pytest.importorskip("PIL.Image")
    with image.open(folder / "cat" / "0.png") as picture:
        expected = np.asarray(picture.resize((6, 8), image.Resampling.NEAREST))
    np.testing.assert_allclose(x[0], expected / np.float32(255), atol=1e-6)
    for mode, rows in (("sparse", [0] * 5), ("binary", [0] * 5)):
        flow = ImageDataGenerator().flow_from_directory(folder, class_mode=mode, batch_size=5, shuffle=False)
        assert next(flow)[1].tolist() == rows
    grey = ImageDataGenerator().flow_from_directory(folder, color_mode="grayscale", class_mode=None)
    assert next(grey).shape == (12, 256, 256, 1)
    same = next(ImageDataGenerator().flow_from_directory(folder, class_mode="input", target_size=(4, 4)))
    np.testing.assert_array_equal(*same)
    split = ImageDataGenerator(validation_split=0.4)
    valid = split.flow_from_directory(folder, subset="validation")
    train = split.flow_from_directory(folder, subset="training")
    assert valid.classes.tolist() == [0, 0, 1, 1]
    assert len(train.classes) == 8
    assert not set(valid.filepaths) & set(train.filepaths)
    first = ImageDataGenerator(data_format="channels_first").flow_from_directory(folder, (8, 6))
    assert next(first)[0].shape == (12, 3, 8, 6)
    assert first.image_shape == (3, 8, 6)
    for wrong, message in (
        ({"class_mode": "raw"}, "class_mode is 'raw'"),
        ({"classes": ["cat"], "class_mode": "binary"}, "for 2 classes"),
        ({"subset": "training"}, None),
        ({"subset": "validation"}, "leaves no images for validation"),
        ({"color_mode": "hsv"}, "color_mode"),
    ):
        if message is not None:
            with pytest.raises(ValueError, match=message):
                ImageDataGenerator().flow_from_directory(folder, **wrong)
    with pytest.raises(FileNotFoundError):
        ImageDataGenerator().flow_from_directory(folder / "missing")


def test_flow_from_dataframe(folder: Path) -> None:
    pandas = pytest.importorskip("pandas")
    files = [f"cat/{i}.png" for i in range(3)] + [f"dog/{i}.png" for i in range(3)] + ["dog/notes.txt"]
    table = pandas.DataFrame(
        {
            "filename": files,
            "class": ["cat"] * 3 + ["dog"] * 4,
            "tags": [["a"], ["a", "b"], ["b"], ["c"], ["a", "c"], ["b"], ["b"]],
            "height": np.arange(7) / 2,
            "width": np.arange(7) * 2,
            "weight": np.arange(7) + 1.0,
        }
    )
    generator = ImageDataGenerator(validation_split=0.5)
    options: dict[str, Any] = {"directory": folder, "target_size": (4, 4), "shuffle": False}
    with pytest.warns(UserWarning, match=r"1 entries of column 'filename' are no image files"):
        flow = generator.flow_from_dataframe(table, weight_col="weight", **options)
    x, y, w = next(flow)
    assert x.shape == (6, 4, 4, 3)
    assert w.tolist() == [1, 2, 3, 4, 5, 6]
    np.testing.assert_array_equal(y, np.eye(2, dtype=np.float32)[[0, 0, 0, 1, 1, 1]])
    table = table.iloc[:6]
    _, tags = next(generator.flow_from_dataframe(table, y_col="tags", **options))
    assert tags.astype(int).tolist() == [[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [0, 1, 0]]
    _, raw = next(generator.flow_from_dataframe(table, y_col="height", class_mode="raw", **options))
    assert raw.tolist() == [0, 0.5, 1, 1.5, 2, 2.5]
    _, both = next(
        generator.flow_from_dataframe(table, y_col=["height", "width"], class_mode="multi_output", **options)
    )
    assert [each.tolist() for each in both] == [[0, 0.5, 1, 1.5, 2, 2.5], [0, 2, 4, 6, 8, 10]]
    only = generator.flow_from_dataframe(table, classes=["dog"], class_mode="sparse", **options)
    assert only.class_indices == {"dog": 0}
    assert next(only)[1].tolist() == [0, 0, 0]
    valid = generator.flow_from_dataframe(table, class_mode="binary", subset="validation", **options)
    assert next(valid)[1].tolist() == [0, 0, 0]
    columns = {name: list(table[name]) for name in table}
    assert len(generator.flow_from_dataframe(columns, **options).filenames) == 6
    for wrong, kind, message in (
        ({"x_col": "file"}, ValueError, "no column 'file'"),
        ({"y_col": "height"}, TypeError, "strings or lists"),
        ({"class_mode": "other"}, ValueError, "class_mode is 'other'"),
        ({"class_mode": "multi_output"}, TypeError, "list of columns"),
        ({"weight_col": "class"}, TypeError, "no numbers"),
        ({"x_col": "height"}, TypeError, "no strings"),
        ({"y_col": "tags", "class_mode": "sparse"}, TypeError, "needs strings"),
        ({"classes": ["cat"], "class_mode": "binary"}, ValueError, "for 2 classes"),
        ({"classes": ["bird"]}, ValueError, "no images are left"),
    ):
        with pytest.raises(kind, match=message):
            generator.flow_from_dataframe(table, **{**options, **wrong})
    with pytest.raises(TypeError, match="expected a table"):
        generator.flow_from_dataframe([1], **options)


def tiny_trainer() -> Trainer:
    dt.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(12 * 10 * 3, 10))
    return Trainer(model, loss="cross_entropy", optimizer=lambda p: optim.SGD(p, lr=0.01))


def test_fit_takes_a_generator() -> None:
    images, labels = data(30)
    labels = labels % 10

    def weights(**options: Any) -> Any:
        trainer = tiny_trainer()
        flow = ImageDataGenerator(rotation_range=20, rescale=1 / 255).flow(images, labels, 8, seed=2)
        history = trainer.fit(flow, epochs=2, verbose=0, **options)
        assert len(history.history["loss"]) == 2
        return [p.detach().numpy().copy() for p in trainer.model.parameters()]

    one = weights()
    for a, b in zip(one, weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    # An epoch is a pass, as if its steps had been counted.
    for a, b in zip(one, weights(steps_per_epoch=4), strict=True):
        np.testing.assert_array_equal(a, b)
    trainer = tiny_trainer()
    valid = ImageDataGenerator(rescale=1 / 255).flow(images, labels, shuffle=False)
    trainer.fit(valid, validation_data=valid, epochs=1, verbose=0)
    assert np.isfinite(trainer.evaluate(valid, verbose=0))


def test_the_loader_of_a_flow_resumes() -> None:
    images, labels = data()
    generator = ImageDataGenerator(**ARGUMENTS)
    flow = generator.flow(images, labels, 3, seed=1)
    expected = [next(flow)[0] for _ in range(2 * len(flow))]
    loader = generator.flow(images, labels, 3, seed=1).loader
    list(loader)
    batches = iter(loader)
    found = [next(batches)[0].numpy() for _ in range(2)]
    for one, other in zip(found, expected[len(flow) :], strict=False):
        np.testing.assert_array_equal(one, other)
    resumed = generator.flow(images, labels, 3, seed=1)
    resumed.loader.load_state_dict(loader.state_dict())
    rest = [x.numpy() for x, _ in resumed.loader]
    for one, other in zip(rest, expected[len(flow) + 2 :], strict=True):
        np.testing.assert_array_equal(one, other)
    state = flow.state_dict()
    after = next(flow)[0]
    other = generator.flow(images, labels, 3, seed=9)
    other.load_state_dict(state)
    np.testing.assert_array_equal(next(other)[0], after)


def test_generators_can_be_pickled() -> None:
    generator = pickle.loads(pickle.dumps(ImageDataGenerator(rotation_range=20)))
    assert generator.get_random_transform((8, 8, 3), seed=3)["theta"] != 0
    assert generator.random_transform(np.zeros((8, 8, 3), np.uint8)).dtype == np.uint8


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"rotation_range": -1}, ValueError, "rotation_range must be a number from 0 to 360, got -1"),
        ({"rotation_range": "a"}, TypeError, "rotation_range must be a number from 0 to 360, got 'a'"),
        ({"width_shift_range": "a"}, TypeError, "width_shift_range"),
        (
            {"width_shift_range": -0.5},
            ValueError,
            "width_shift_range must be a number of at least 0, .*got -0.5",
        ),
        ({"height_shift_range": []}, ValueError, "height_shift_range"),
        ({"height_shift_range": [1, float("nan")]}, ValueError, "height_shift_range"),
        ({"brightness_range": 0.5}, TypeError, "brightness_range is 0.5, expected a pair"),
        ({"brightness_range": (1.5, 0.5)}, ValueError, "lower number first"),
        ({"zoom_range": 1.5}, ValueError, "range above 0"),
        ({"zoom_range": (1.2, 0.8)}, ValueError, "lower number first"),
        ({"zoom_range": (1, 2, 3)}, ValueError, "zoom_range"),
        ({"fill_mode": "mirror"}, ValueError, "fill_mode must be one of .*got 'mirror'"),
        ({"cval": None}, TypeError, "cval must be .*got None"),
        ({"data_format": "NHWC"}, ValueError, "data_format must be one of .*got 'NHWC'"),
        ({"validation_split": 1.0}, ValueError, "validation_split is 1.0"),
        ({"validation_split": -0.1}, ValueError, "validation_split must be a number from 0 to 1, got -0.1"),
        ({"interpolation_order": 2}, ValueError, "expected 0, 1 or 3"),
        ({"dtype": "int32"}, ValueError, "dtype must be one of .*got 'int32'"),
        ({"preprocessing_function": 3}, TypeError, "expected a function"),
        ({"horizontal_flip": 0.5}, TypeError, "horizontal_flip must be True or False, got 0.5"),
        ({"rescale": float("inf")}, ValueError, "rescale"),
        ({"zca_epsilon": -1}, ValueError, "zca_epsilon must be .*got -1"),
        ({"rotation": 3}, TypeError, "did you mean 'rotation_range'"),
    ],
)
def test_wrong_arguments(arguments: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        ImageDataGenerator(**arguments)


def test_wrong_calls() -> None:
    images, labels = data()
    generator = ImageDataGenerator()
    for call, kind, message in (
        (lambda: generator.flow(images[0]), ValueError, r"shape \(12, 10, 3\)"),
        (lambda: generator.flow(images, labels[:3]), ValueError, "expected 10 rows"),
        (lambda: generator.flow(images, sample_weight=labels), ValueError, "without y"),
        (lambda: generator.flow(np.array([["a"]])), ValueError, "expected images"),
        (
            lambda: generator.flow(images, batch_size=0),
            ValueError,
            "batch_size must be a positive integer, got 0",
        ),
        (lambda: generator.flow(images, seed=-1), ValueError, "seed must be .*got -1"),
        (lambda: generator.flow(images, seeds=1), TypeError, "did you mean 'seed'"),
        (lambda: generator.flow(images)[99], IndexError, "batch 99 of 1"),
        (lambda: generator.fit(images[0]), ValueError, "expected .n, height"),
        (lambda: generator.fit(images[:0]), ValueError, "expected .n, height"),
        (lambda: generator.fit(images, augment=True, rounds=0), ValueError, "rounds is 0"),
        (lambda: generator.apply_transform(images, {}), ValueError, "an image has shape"),
        (lambda: generator.apply_transform(images[0], {"angle": 3}), ValueError, "no parameter 'angle'"),
        (lambda: generator.get_random_transform((3, 4)), ValueError, "an image has shape"),
        (lambda: generator.flow(images).load_state_dict({}), ValueError, "state lacks seed"),
    ):
        with pytest.raises(kind, match=message):
            call()


def test_orders_of_interpolation() -> None:
    """Cubic interpolation is closer to a smooth picture than linear, and that than the nearest pixel."""
    y, x = np.mgrid[:40, :40]
    picture = (127 + 100 * np.sin(x / 4) * np.cos(y / 5)).astype(np.float32)[..., None]
    exact = 127 + 100 * np.sin((x + 0.4) / 4) * np.cos((y + 0.3) / 5)
    errors = []
    for order in (0, 1, 3):
        made = ImageDataGenerator(interpolation_order=order).apply_transform(picture, {"tx": 0.4, "ty": 0.3})
        errors.append(np.abs(made[..., 0] - exact)[5:-5, 5:-5].mean())
    assert errors[0] > 3 * errors[1] > 9 * errors[2]


def test_no_warning_where_nothing_is_wrong() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ImageDataGenerator(**ARGUMENTS).flow(*data())
    assert importlib.util.find_spec("drivetrain.augment") is not None
