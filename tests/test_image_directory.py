"""image_dataset_from_directory with Keras's arguments, and classes of different sizes."""

import os

import numpy as np
import pytest

from drivetrain import nn
from drivetrain.data import (
    ArrayDataset,
    DataLoader,
    ImageFolder,
    RandomOverSampler,
    RandomUnderSampler,
    WeightedRandomSampler,
    balanced_class_weight,
    balanced_sample_weights,
    image_dataset_from_directory,
)

Image = pytest.importorskip("PIL.Image")


@pytest.fixture
def folder(tmp_path):
    """7, 5 and 4 images of one grey each."""
    for number, (name, count) in enumerate((("a", 7), ("b", 5), ("c", 4))):
        (tmp_path / name).mkdir()
        for i in range(count):
            pixels = np.full((10, 12, 3), 10 * i + number, np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{i}.png")
    return tmp_path


def load(folder, **options):
    return image_dataset_from_directory(folder, **{"image_size": (4, 4), "verbose": False, **options})


def names(loader, folder):
    return " ".join(os.path.relpath(path, folder)[:-4] for path in loader.file_paths)


class TestDirectory:
    def test_the_same_files_as_keras(self, folder):
        """Recorded from Keras 3.15."""
        train, validation = load(folder, seed=3, validation_split=0.3, subset="both")
        assert names(train, folder) == "b/0 c/1 a/4 a/1 a/6 a/2 c/0 c/3 a/5 a/0 b/4 c/2"
        assert names(validation, folder) == "a/3 b/2 b/1 b/3"
        assert train.class_names == ["a", "b", "c"]
        part = load(folder, seed=3, class_names=["c", "a"])
        assert names(part, folder) == "a/1 a/0 c/1 c/2 a/5 a/2 a/3 c/0 c/3 a/4 a/6"
        assert part.class_names == ["c", "a"]

    def test_parts_do_not_overlap(self, folder):
        options = {"validation_split": 0.25, "seed": 1}
        train, validation = (load(folder, subset=part, **options) for part in ("training", "validation"))
        assert len(train.file_paths) == 12
        assert sorted(train.file_paths + validation.file_paths) == sorted(load(folder).file_paths)

    def test_labels_belong_to_images(self, folder):
        for images, labels in load(folder, batch_size=5, seed=2):
            assert images.dtype.name == "uint8"
            np.testing.assert_array_equal(np.asarray(images)[:, 0, 0, 0] % 10, labels)
        images, labels = next(iter(load(folder, label_mode="categorical", batch_size=16)))
        np.testing.assert_array_equal(labels, np.eye(3)[np.asarray(images)[:, 0, 0, 0] % 10])
        images, labels = next(iter(load(folder, label_mode="binary", class_names=["b", "c"])))
        assert (labels.shape, labels.dtype.name) == ((9, 1), "float32")
        np.testing.assert_array_equal(np.asarray(images)[:, 0, 0, 0] % 10 - 1, labels[:, 0])

    def test_without_labels(self, folder):
        for options in ({"label_mode": None}, {"labels": None}):
            loader = load(folder, **options)
            assert next(iter(loader)).shape == (16, 4, 4, 3)
            assert loader.class_names == []

    def test_labels_of_its_own(self, folder):
        loader = load(folder, labels=[2] * 7 + [0] * 9, shuffle=False)
        assert next(iter(loader))[1].tolist() == [2] * 7 + [0] * 9
        with pytest.raises(ValueError, match=r"labels have shape \(3,\) of int64, expected 16 whole numbers"):
            load(folder, labels=[1, 2, 3])
        with pytest.raises(ValueError, match="labels go down to -1"):
            load(folder, labels=[-1] * 16)

    def test_order(self, folder):
        first, second = load(folder, seed=4, batch_size=16), load(folder, seed=4, batch_size=16)
        epochs = [np.asarray(next(iter(first))[0]) for _ in range(2)]
        np.testing.assert_array_equal(epochs[0], next(iter(second))[0])
        assert not np.array_equal(*epochs)
        still = load(folder, shuffle=False, batch_size=16)
        assert next(iter(still))[1].tolist() == sorted(next(iter(still))[1].tolist())

    def test_sizes_and_colors(self, folder):
        Image.fromarray(np.zeros((10, 12, 3), np.uint8) + 200).save(folder / "a" / "0.png")
        for options, shape in (
            ({"image_size": (6, 8)}, (6, 8, 3)),
            ({"color_mode": "grayscale"}, (4, 4, 1)),
            ({"color_mode": "rgba", "interpolation": "lanczos5"}, (4, 4, 4)),
        ):
            assert next(iter(load(folder, **options)))[0].shape[1:] == shape
        padded = next(iter(load(folder, image_size=(12, 12), pad_to_aspect_ratio=True, shuffle=False)))[0]
        assert np.asarray(padded)[0, :, 0, 0].tolist() == [0] + [200] * 10 + [0]
        cropped = next(iter(load(folder, image_size=(12, 12), crop_to_aspect_ratio=True, shuffle=False)))[0]
        assert (np.asarray(cropped)[0] == 200).all()

    def test_single_images(self, folder):
        image, label = load(folder, batch_size=None, shuffle=False)[0]
        assert (image.shape, label) == ((4, 4, 3), 0)

    def test_says_what_it_found(self, folder, capsys):
        load(folder, verbose=True, validation_split=0.5, subset="validation")
        assert (
            capsys.readouterr().out
            == "Found 16 files belonging to 3 classes.\nUsing 8 files for validation.\n"
        )

    def test_fit_evaluate_predict(self, folder):
        train, validation = load(folder, validation_split=0.25, subset="both", batch_size=4)
        model = nn.Sequential(nn.Flatten(), nn.Linear(48, 3))
        model.compile(optimizer="adam", loss="cross_entropy", metrics=["accuracy"])
        history = model.fit(train, validation_data=validation, epochs=2, verbose=0)
        assert len(history.history["val_loss"]) == 2
        assert model.predict(load(folder, label_mode=None)).shape == (16, 3)

    def test_one_class_trains(self, folder):
        assert load(folder, class_names=["b"]).class_names == ["b"]

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"label_mode": "float"}, "label_mode must be one of .*got 'float'"),
            ({"labels": "mine"}, "labels is 'mine'"),
            ({"label_mode": "binary"}, "'binary' needs 2 classes, there are 3"),
            ({"class_names": ["a", "z"]}, "no folder 'z'"),
            ({"class_names": ["a"], "labels": None}, "with labels='inferred' only"),
            ({"subset": "training"}, "got one of validation_split and subset"),
            ({"validation_split": 0.2}, "got one of validation_split and subset"),
            (
                {"validation_split": 1.5, "subset": "both"},
                r"validation_split must be a share between 0 and 1, got 1.5",
            ),
            ({"validation_split": 0.01, "subset": "both"}, "leaves 16 and 0"),
            ({"validation_split": 0.2, "subset": "test"}, "subset must be one of .*got 'test'"),
            ({"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "expected one of them"),
            ({"data_format": "channels_first"}, "data_format must be one of .*got 'channels_first'"),
            ({"color_mode": "grey"}, "color_mode must be one of .*got 'grey'"),
            ({"image_size": (0, 4)}, "size must be an integer from 1 to 65536, got 0"),
            ({"seed": -1}, "seed must be .*got -1"),
        ],
    )
    def test_errors(self, folder, options, message):
        with pytest.raises(ValueError, match=message):
            load(folder, **options)

    def test_names(self, folder):
        with pytest.raises(TypeError, match="no argument 'img_size'; did you mean 'image_size'"):
            image_dataset_from_directory(folder, img_size=3)


LABELS = np.array([0] * 60 + [1] * 30 + [2] * 10)


class TestBalance:
    def test_weights_decide_how_often(self):
        weights = np.array([0, 1, 2, 0, 5, 0])
        drawn = np.bincount(WeightedRandomSampler(weights, 80_000, seed=7).indices(), minlength=6)
        np.testing.assert_allclose(drawn / 80_000, weights / 8, atol=0.006)
        assert drawn[[0, 3, 5]].sum() == 0

    @pytest.mark.parametrize("replacement", [True, False])
    def test_anew_in_every_epoch(self, replacement):
        sampler = WeightedRandomSampler(np.arange(1, 101), 50, replacement, seed=2)
        epochs = []
        for epoch in (0, 1, 0):
            sampler.set_epoch(epoch)
            epochs.append(sampler.indices().tolist())
        assert epochs[0] == epochs[2] != epochs[1]

    def test_without_replacement(self):
        first = [
            WeightedRandomSampler([1, 3, 0, 4], 3, replacement=False, seed=seed).indices()
            for seed in range(1500)
        ]
        assert all(sorted(each) == [0, 1, 3] for each in first)
        share = np.bincount([each[0] for each in first], minlength=4) / 1500
        np.testing.assert_allclose(share, [0.125, 0.375, 0, 0.5], atol=0.045)
        with pytest.raises(ValueError, match="at most 3, the weights above 0"):
            WeightedRandomSampler([1, 3, 0, 4], 4, replacement=False)

    @pytest.mark.parametrize("make", [RandomOverSampler, RandomUnderSampler])
    def test_classes_come_equally_often(self, make):
        sampler = make(LABELS, seed=1)
        epochs = []
        for epoch in range(3):
            sampler.set_epoch(epoch)
            epochs.append(sampler.indices())
            counts = np.bincount(LABELS[epochs[-1]])
            assert len(set(counts)) == 1
            assert counts.sum() == len(sampler)
        assert not np.array_equal(epochs[0], epochs[1])
        copies = np.bincount(epochs[0], minlength=100)
        if make is RandomOverSampler:
            assert len(sampler) == 180
            assert [set(copies[each == LABELS]) for each in range(3)] == [{1}, {2}, {6}]
        else:
            assert len(sampler) == 30
            assert copies.max() == 1
            # Others in every epoch.
            assert set(epochs[0]) != set(epochs[1])
        assert make(["x", "y", "x"]).labels.dtype.kind == "U"

    @pytest.mark.parametrize(
        "new",
        [
            lambda: WeightedRandomSampler(balanced_sample_weights(LABELS), seed=3),
            lambda: RandomOverSampler(LABELS, seed=3),
            lambda: RandomUnderSampler(LABELS, seed=3),
        ],
    )
    def test_resumes_in_the_middle(self, new):
        data = ArrayDataset(np.arange(100))
        whole = DataLoader(data, 7, sampler=new())
        expected = [batch.tolist() for _ in range(2) for batch in whole]
        first = DataLoader(data, 7, sampler=new())
        seen = []
        for batch in [*first, *zip(first, range(2), strict=False)]:
            seen.append(batch)
        second = DataLoader(data, 7, sampler=new())
        second.load_state_dict(first.state_dict())
        rest = [batch.tolist() for batch in second]
        assert rest
        assert rest == expected[len(expected) - len(rest) :]
        other = DataLoader(data, 7, sampler=RandomOverSampler(LABELS[::-1]))
        with pytest.raises(ValueError, match="other"):
            other.sampler.load_state_dict(first.state_dict()["sampler"])

    def test_folders_have_labels(self, folder):
        data = ImageFolder(folder, size=4)
        weights = balanced_class_weight(data)
        assert weights == {0: 16 / 21, 1: 16 / 15, 2: 16 / 12}
        np.testing.assert_allclose(balanced_sample_weights(data), [weights[label] for label in data.targets])
        loader = DataLoader(data, 21, sampler=RandomOverSampler(data.targets))
        assert np.bincount(next(iter(loader))[1]).tolist() == [7, 7, 7]
        model = nn.Sequential(nn.Flatten(), nn.Linear(48, 3))
        model.compile(optimizer="adam", loss="cross_entropy")
        assert model.fit(DataLoader(data, 8), class_weight=weights, verbose=0).history["loss"]

    def test_weights_as_scikit_learn(self):
        utils = pytest.importorskip("sklearn.utils")
        expected = utils.class_weight.compute_class_weight("balanced", classes=np.arange(3), y=LABELS)
        np.testing.assert_allclose(list(balanced_class_weight(LABELS).values()), expected)

    def test_errors(self):
        for weights, error in (
            ([-1, 2], ValueError),
            ([0, 0], ValueError),
            ([np.nan], ValueError),
            ("ab", TypeError),
        ):
            with pytest.raises(error, match="weights"):
                WeightedRandomSampler(weights)
        with pytest.raises(ValueError, match="weights have shape"):
            WeightedRandomSampler([[1, 2]])
        with pytest.raises(TypeError, match="replacement must be True or False, got 'no'"):
            WeightedRandomSampler([1], replacement="no")
        with pytest.raises(ValueError, match="labels have shape"):
            RandomOverSampler([[1]])
        with pytest.raises(TypeError, match="Python objects"):
            RandomUnderSampler([None])
        with pytest.raises(TypeError, match="class numbers"):
            balanced_class_weight(["a"])
